#include "model.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#ifdef __AVR__
#include <avr/pgmspace.h>
#define MODEL_ROM PROGMEM
#define MODEL_LOAD(to, from) ((void)memcpy_P((to), (from), sizeof(*(to))))
#else
#define MODEL_ROM
#define MODEL_LOAD(to, from) (*(to) = *(from))
#endif

#ifdef __AVR__
#define MODEL_UP(q) ((uint16_t)((uint16_t)(q) + 32768U))
#define MODEL_DOWN(q) ((uint16_t)(32767U - (uint16_t)(q)))
#endif

void model_predict(const int16_t q[MODEL_INPUTS], int32_t r[MODEL_OUTPUTS])
{
#ifdef __AVR__
    {
        uint32_t sum = UINT32_C(3308388352); /* modulo 2^32 */
        sum += (uint32_t)UINT16_C(8192) * MODEL_UP(q[0]);
        sum += (uint32_t)UINT16_C(4096) * MODEL_UP(q[2]);
        r[0] = (int32_t)sum;
    }
#else
    r[0] = INT32_C(-583925760);
    r[0] += INT32_C(8192) * (int32_t)q[0];
    r[0] += INT32_C(4096) * (int32_t)q[2];
#endif
#ifdef __AVR__
    {
        uint32_t sum = UINT32_C(80486400); /* modulo 2^32 */
        sum += (uint32_t)UINT16_C(8192) * MODEL_DOWN(q[1]);
        r[1] = (int32_t)sum;
    }
#else
    r[1] = INT32_C(348913664);
    r[1] += INT32_C(-8192) * (int32_t)q[1];
#endif
}

void model_predict_batch(const int16_t *q, size_t rows, int32_t *r)
{
    size_t i;
    for (i = 0; i < rows; i++) {
        model_predict(q + (i * MODEL_INPUTS), r + (i * MODEL_OUTPUTS));
    }
}

typedef struct {
    MODEL_REAL low;
    MODEL_REAL high;
    MODEL_REAL centre;
    MODEL_REAL scale;
    int16_t first;
    int16_t last;
    int16_t missing;
    uint16_t place;
} model_grid;

static const model_grid model_steps[] MODEL_ROM = {
    {(MODEL_REAL)0.0, (MODEL_REAL)2.2, (MODEL_REAL)1.099609375, (MODEL_REAL)16384.0, -18016, 18029, -1632, 0},
    {(MODEL_REAL)-4.4, (MODEL_REAL)0.0, (MODEL_REAL)-2.19921875, (MODEL_REAL)8192.0, -18029, 18016, 9824, 1},
    {(MODEL_REAL)0.0, (MODEL_REAL)2.2, (MODEL_REAL)1.099609375, (MODEL_REAL)16384.0, -18016, 18029, -1632, 2},
};

uint32_t model_encode(const MODEL_REAL x[MODEL_INPUTS], int16_t q[MODEL_INPUTS])
{
    uint32_t status = 0;
    uint16_t i;
    for (i = 0; i < 3U; i++) {
        model_grid step;
        MODEL_REAL value;
        int32_t whole;
        int known;
        MODEL_LOAD(&step, &model_steps[i]);
        value = x[step.place];
        known = (value >= (MODEL_REAL)-1.2676506002282294e+30) && (value <= (MODEL_REAL)1.2676506002282294e+30);
        q[step.place] = step.missing;
        if (known && (step.scale == (MODEL_REAL)0)) { /* a category */
            known = (value >= (MODEL_REAL)0) && (value <= step.high) && (value == (MODEL_REAL)(int32_t)value);
            q[step.place] = known ? (int16_t)value : step.missing;
        } else if (known) {
            known = (value >= step.low) && (value <= step.high);
            value = (value < step.low) ? step.low : ((value > step.high) ? step.high : value);
            value = ((value - step.centre) * step.scale) + (MODEL_REAL)0.5;
            value = (value < (MODEL_REAL)step.first) ? (MODEL_REAL)step.first : value;
            value = (value > (MODEL_REAL)step.last) ? (MODEL_REAL)step.last : value;
            whole = (int32_t)value;
            q[step.place] = (int16_t)(((MODEL_REAL)whole > value) ? (whole - 1) : whole);
        } else {
            /* missing: the default, as set above */
        }
        if (!known) {
            status |= UINT32_C(1) << ((i < 31U) ? i : 31U);
        }
    }
    return status;
}

void model_predict_input(const model_input *input, uint32_t *status, int32_t r[MODEL_OUTPUTS])
{
    MODEL_REAL x[MODEL_INPUTS];
    int16_t q[MODEL_INPUTS];
    x[0] = input->a;
    x[1] = input->b;
    x[2] = input->a_lag2;
    *status = model_encode(x, q);
    model_predict(q, r);
}

MODEL_REAL model_decode(int32_t r, int output)
{
    static const MODEL_REAL steps[MODEL_OUTPUTS][2] = {{(MODEL_REAL)1.862645149230957e-09, (MODEL_REAL)0.0}, {(MODEL_REAL)3.725290298461914e-09, (MODEL_REAL)0.0}};
    return ((MODEL_REAL)r * steps[output][0]) + steps[output][1];
}

static MODEL_REAL model_missing(MODEL_REAL nothing)
{
    return nothing / nothing; /* NaN; called with 0, so that no compiler sees a constant division */
}

/* A reading, cut to its range, as an integer. */
static int16_t model_count(const model_grid *step, MODEL_REAL value)
{
    int32_t whole;
    value = (value < step->low) ? step->low : ((value > step->high) ? step->high : value);
    value = ((value - step->centre) * step->scale) + (MODEL_REAL)0.5;
    value = (value < (MODEL_REAL)step->first) ? (MODEL_REAL)step->first : value;
    value = (value > (MODEL_REAL)step->last) ? (MODEL_REAL)step->last : value;
    whole = (int32_t)value;
    return (int16_t)(((MODEL_REAL)whole > value) ? (whole - 1) : whole);
}

typedef struct {
    MODEL_REAL jump;
    uint16_t stuck;
    uint16_t input;
} model_check;

static const model_check model_checks[] MODEL_ROM = {
    {(MODEL_REAL)1.0, 5U, 0U},
    {(MODEL_REAL)5.070602400912918e+30, 0U, 1U},
};

/* Take over readings and note what is wrong with them; those that are stuck become missing. */
static uint32_t model_look(
    model_state *state, const MODEL_REAL given[MODEL_READINGS], int16_t q[MODEL_INPUTS], model_result *result)
{
    uint32_t status = 0;
    size_t k;
    for (k = 0; k < 2U; k++) {
        model_check check;
        MODEL_REAL value = given[k];
        uint8_t fault = MODEL_OK;
        model_grid step;
        MODEL_LOAD(&check, &model_checks[k]);
        MODEL_LOAD(&step, &model_steps[check.input]);
        if (!((value >= -(MODEL_REAL)1.2676506002282294e+30) && (value <= (MODEL_REAL)1.2676506002282294e+30))) {
            fault = MODEL_MISSING;
            q[step.place] = -32768;
        } else {
            fault = (uint8_t)(((value >= step.low) && (value <= step.high)) ? MODEL_OK : MODEL_RANGE);
            q[step.place] = model_count(&step, value);
            if (!(value == state->last[k])) {
                const MODEL_REAL before = state->last[k];
                state->last[k] = value;
                state->run[k] = 1U;
                if ((fault == MODEL_OK) && (before == before)) {
                    const MODEL_REAL change = value - before;
                    fault = (uint8_t)(((change <= check.jump) && (change >= -check.jump)) ? MODEL_OK : MODEL_JUMP);
                }
            } else if (check.stuck > 0U) {
                if (state->run[k] <= check.stuck) {
                    state->run[k]++;
                }
                if (state->run[k] > check.stuck) {
                    fault = MODEL_STUCK;
                    q[step.place] = -32768;
                }
            } else {
                /* unchanged, and may be */
            }
        }
        result->faults[k] = fault;
        if (fault != MODEL_OK) {
            status |= UINT32_C(1) << ((k < 31U) ? k : 31U);
        }
    }
    return status;
}

typedef struct {
    uint16_t start;
    uint16_t size;
    uint16_t at;
} model_source;

static const model_source model_sources[] MODEL_ROM = {
    {0U, 2U, 0U},
};

typedef struct {
    uint16_t to;
    uint16_t at;
    uint16_t ring;
    uint16_t input;
    uint16_t length;
    uint8_t kind; /* 0 lag, 1 difference, 2 mean */
} model_stream;

static const model_stream model_streams[] MODEL_ROM = {
    {2U, 0U, 0U, 2U, 2U, 0U},
};

/* Fill in the inputs that are computed from earlier readings, and remember this row's. */
static void model_delays(model_state *state, int16_t q[MODEL_INPUTS])
{
    size_t i;
    for (i = 0; i < 1U; i++) {
        model_stream one;
        model_source source;
        const int16_t *ring;
        size_t head;
        MODEL_LOAD(&one, &model_streams[i]);
        MODEL_LOAD(&source, &model_sources[one.ring]);
        ring = state->rings + source.start;
        head = state->heads[one.ring];
        int32_t old = ring[(head >= one.length) ? (head - one.length) : ((head + source.size) - one.length)];
        q[one.to] = (int16_t)old;
    }
    for (i = 0; i < 1U; i++) {
        model_source source;
        const size_t head = state->heads[i];
        MODEL_LOAD(&source, &model_sources[i]);
        state->rings[source.start + head] = q[source.at];
        state->heads[i] = (uint16_t)((head + 1U < source.size) ? (head + 1U) : 0U);
    }
}

/* Put defaults for what is missing. */
static void model_complete(int16_t q[MODEL_INPUTS])
{
    size_t i;
    for (i = 0; i < 3U; i++) {
        model_grid step;
        MODEL_LOAD(&step, &model_steps[i]);
        if (q[step.place] == -32768) {
            q[step.place] = step.missing;
        }
    }
}

typedef struct {
    uint16_t input;
    uint16_t output;
} model_use;

static const model_use model_uses[] MODEL_ROM = {
    {0U, 0U},
    {1U, 1U},
    {2U, 0U},
};

/* Note the predictions that read a default: they say nothing. */
static void model_note(model_state *state, const int16_t q[MODEL_INPUTS])
{
    size_t i;
    for (i = 0; i < MODEL_OUTPUTS; i++) {
        state->blind[i] = 0U;
    }
    for (i = 0; i < 3U; i++) {
        model_use one;
        MODEL_LOAD(&one, &model_uses[i]);
        if (q[one.input] == -32768) {
            state->blind[one.output] = 1U;
        }
    }
}

typedef struct {
    MODEL_REAL centre;
    MODEL_REAL factor;
    MODEL_REAL slow;
    MODEL_REAL weight;
    uint16_t reading;
} model_watch;

static const model_watch model_watched[] MODEL_ROM = {
    {(MODEL_REAL)0.0, (MODEL_REAL)2.0, (MODEL_REAL)4.0, (MODEL_REAL)1.0, 1U},
    {(MODEL_REAL)0.0, (MODEL_REAL)2.0, (MODEL_REAL)4.0, (MODEL_REAL)1.0, 0U},
};

static void model_detect(model_state *state, const MODEL_REAL x[MODEL_READINGS], model_result *result)
{
    MODEL_REAL total = (MODEL_REAL)0.0;
    size_t k;
    for (k = 0; k < MODEL_OUTPUTS; k++) {
        model_watch one;
        MODEL_REAL r;
        MODEL_REAL q;
        MODEL_LOAD(&one, &model_watched[k]);
        r = x[one.reading];
        result->parts[k] = (MODEL_REAL)0.0;
        if (state->blind[k] != 0U) {
            continue;
        }
        if (!((r >= -(MODEL_REAL)1.2676506002282294e+30) && (r <= (MODEL_REAL)1.2676506002282294e+30))) {
            continue;
        }
        r = ((r - result->values[k]) - one.centre) * one.factor;
        if (!(r == r)) {
            continue;
        }
        r = (r > (MODEL_REAL)8.0) ? (MODEL_REAL)8.0 : ((r < (MODEL_REAL)-8.0) ? (MODEL_REAL)-8.0 : r);
        state->up[k] += (r - state->up[k]) * (MODEL_REAL)0.125;
        q = state->up[k] * one.slow;
        q = ((r * r) + (q * q)) * (MODEL_REAL)0.5;
        state->evidence[k] += (q - state->evidence[k]) * (MODEL_REAL)0.25;
        result->parts[k] = state->evidence[k] * one.weight;
        total += one.weight;
    }
    if (!(total > (MODEL_REAL)0.0)) { /* nothing is known: the evidence that there is */
        for (k = 0; k < MODEL_OUTPUTS; k++) {
            model_watch one;
            MODEL_LOAD(&one, &model_watched[k]);
            result->parts[k] = state->evidence[k] * one.weight;
            total += one.weight;
        }
    }
    result->score = (MODEL_REAL)0.0;
    if (total > (MODEL_REAL)0.0) {
        for (k = 0; k < MODEL_OUTPUTS; k++) {
            result->parts[k] = result->parts[k] / total;
            result->score += result->parts[k];
        }
    }
}

static void model_decide(model_state *state, model_result *result)
{
    const int hit = result->score > state->threshold;
    int32_t quiet = state->quiet;
    result->alarm = (uint8_t)(hit ? 1 : 0);
    result->onset = (uint8_t)((hit && (quiet > INT32_C(3))) ? 1 : 0);
    if (hit) {
        state->alarms++;
        state->onsets += result->onset;
        quiet = (quiet >= 0) ? -1 : ((quiet > -INT32_C(1073741824)) ? (quiet - 1) : quiet);
    } else {
        quiet = (quiet < 0) ? 1 : ((quiet <= INT32_C(1073741824)) ? (quiet + 1) : quiet);
    }
    state->quiet = quiet;
}

void model_start(model_state *state)
{
    size_t k;
    for (k = 0; k < MODEL_READINGS; k++) {
        state->last[k] = model_missing((MODEL_REAL)0.0);
        state->run[k] = 0U;
    }
    for (k = 0; k < 2U; k++) {
        state->rings[k] = -32768;
    }
    for (k = 0; k < 1U; k++) {
        state->heads[k] = 0U;
    }
    for (k = 0; k < MODEL_OUTPUTS; k++) {
        state->up[k] = (MODEL_REAL)0.0;
        state->evidence[k] = (MODEL_REAL)1.0;
    }
    state->threshold = (MODEL_REAL)4.0;
    state->quiet = INT32_C(1073741824);
    state->onsets = 0U;
    state->alarms = 0U;
    state->rows = 0U;
}

uint32_t model_step(model_state *state, const MODEL_REAL x[MODEL_READINGS], model_result *result)
{
    int16_t q[MODEL_INPUTS];
    uint32_t status;
    int32_t r[MODEL_OUTPUTS];
    int m;
    status = model_look(state, x, q, result);
    model_delays(state, q);
    model_note(state, q);
    model_complete(q);
    model_predict(q, r);
    for (m = 0; m < MODEL_OUTPUTS; m++) {
        result->values[m] = model_decode(r[m], m);
    }
    result->warming_up = (uint8_t)((state->rows < 10U) ? 1 : 0);
    state->rows += result->warming_up;
    model_detect(state, x, result);
    result->alarm = 0U;
    result->onset = 0U;
    if (result->warming_up == 0U) {
        model_decide(state, result);
    }
    return status;
}

size_t model_state_size(void)
{
    return sizeof(model_state);
}

/* From here on no floating point, but in model_readings_q. A shift of a negative number rounds down; where a compiler's
   own does not, the second form of FLOOR does. */
#define MODEL_FLOOR(value, bits) \
    ((-1 >> 1 == -1) ? ((value) >> (bits)) : (((value) < 0) ? (-1 - ((-1 - (value)) >> (bits))) : ((value) >> (bits))))
#ifdef __AVR__
#define MODEL_BYTE(from) pgm_read_byte(from)
#define MODEL_WORD(from) pgm_read_word(from)
#else
#define MODEL_BYTE(from) (*(from))
#define MODEL_WORD(from) (*(from))
#endif

typedef struct {
    int16_t low;
    uint16_t high;
    uint16_t jump;
    uint8_t stuck;
    uint8_t now;
} model_sensor_q;

static const model_sensor_q model_sensor_rows[] MODEL_ROM = {
    {-18016, 18029, 16384, 5, 0},
    {-18029, 18016, INT32_C(65535), 0, 3},
};

typedef struct {
    int32_t bias;
    uint16_t own;
    uint16_t factor;
    uint8_t reading;
    uint8_t terms;
    uint8_t shift;
} model_watch_q;

static const model_watch_q model_watch_rows[] MODEL_ROM = {
    {INT32_C(-108102336), 11872, 11305, 1, 2, 13},
    {INT32_C(-39076288), 11916, 11264, 0, 1, 14},
};

static const int16_t model_coefs_q[] MODEL_ROM = {
    -1484, -742, 5958};

static const uint8_t model_places_q[] MODEL_ROM = {
    0, 2, 3};

/* An average moved towards a value by rate / 2^15, rounded; between the two in any case. */
static int32_t model_move_q(int32_t average, int32_t value, int32_t rate)
{
    const int32_t d = value - average;
    const int32_t rest = (int32_t)((uint32_t)d & 32767U);
    const int32_t moved = (rate * MODEL_FLOOR(d, 15)) + (((rate * rest) + 16384) >> 15);
    return average + moved;
}

/* Note what is wrong with the integers; take over what others may read of them. */
static uint32_t model_look_q(model_state_q *state, const int16_t q[MODEL_READINGS], uint8_t faults[MODEL_READINGS])
{
    uint32_t status = 0;
    size_t k;
    for (k = 3U; k > 0U; k--) {
        state->memory[k] = state->memory[k - 1U];
    }
    for (k = 0; k < 2U; k++) {
        model_sensor_q one;
        const int32_t value = q[k];
        int32_t kept = value;
        uint8_t fault = MODEL_OK;
        MODEL_LOAD(&one, &model_sensor_rows[k]);
        if (value == MODEL_NONE) {
            fault = MODEL_MISSING;
        } else {
            kept = (value < one.low) ? one.low : ((value > one.high) ? one.high : value);
            if (kept != value) {
                fault = MODEL_RANGE;
            }
            if (value != state->last[k]) {
                const int32_t change = value - state->last[k];
                if ((fault == MODEL_OK) && (state->last[k] != MODEL_NONE)
                    && (((change < 0) ? -change : change) > one.jump)) {
                    fault = MODEL_JUMP;
                }
                state->last[k] = (int16_t)value;
                state->run[k] = 1U;
            } else if (one.stuck > 0U) {
                if (state->run[k] <= one.stuck) {
                    state->run[k]++;
                }
                if (state->run[k] > one.stuck) {
                    fault = MODEL_STUCK;
                    kept = MODEL_NONE;
                }
            } else {
                /* unchanged, and may be */
            }
        }
        state->memory[one.now] = (int16_t)kept;
        faults[k] = fault;
        if (fault != MODEL_OK) {
            status |= UINT32_C(1) << k;
        }
    }
    return status;
}

static void model_detect_q(model_state_q *state, const int16_t q[MODEL_READINGS], model_result_q *result)
{
    const int16_t *coef = model_coefs_q;
    const uint8_t *place = model_places_q;
    int32_t score = 0;
    int32_t total = 0;
    size_t k;
    for (k = 0; k < MODEL_OUTPUTS; k++) {
        model_watch_q one;
        int32_t r;
        int32_t e;
        int32_t y;
        uint_fast8_t known = 1;
        uint8_t n;
        MODEL_LOAD(&one, &model_watch_rows[k]);
        r = q[one.reading];
        if (r == MODEL_NONE) {
            known = 0;
        }
        r = one.bias + (one.own * r);
        for (n = one.terms; n > 0U; n--) {
            const int32_t x = state->memory[MODEL_BYTE(place)];
            if (x == MODEL_NONE) {
                known = 0;
            } else {
                r += (int32_t)(int16_t)MODEL_WORD(coef) * x;
            }
            coef++;
            place++;
        }
        result->parts[k] = 0;
        if (known == 0U) {
            continue;
        }
        r = MODEL_FLOOR(r, one.shift);
        r = (r > 65535) ? 65535 : ((r < -65535) ? -65535 : r);
        r = MODEL_FLOOR((r * one.factor) + 8192, 14);
        r = (r > 32767) ? 32767 : ((r < -32767) ? -32767 : r);
        y = model_move_q(state->up[k], r * 8192, 4096);
        state->up[k] = y;
        y = MODEL_FLOOR((MODEL_FLOOR(y, 11) * 4096) + 16384, 15);
        e = ((y * y) >> 1) + ((r * r) >> 7);
        e = model_move_q(state->evidence[k], e, 8192);
        state->evidence[k] = e;
        e = (e + 1) >> 1;
        result->parts[k] = e;
        score += e;
        total += 1;
    }
    result->score = score;
    result->total = total;
}

uint32_t model_step_q(model_state_q *state, const int16_t q[MODEL_READINGS], model_result_q *result)
{
    const uint32_t status = model_look_q(state, q, result->faults);
    model_detect_q(state, q, result);
    result->alarm = 0U;
    result->onset = 0U;
    result->warming_up = (uint8_t)((state->rows < 10U) ? 1 : 0);
    if (result->warming_up != 0U) {
        state->rows++;
        return status;
    }
    if ((result->total != 0) ? (result->score > (524288 * result->total)) : (state->quiet == 0U)) { /* 0: as it was */
        result->alarm = 1U;
        result->onset = (uint8_t)((state->quiet > 3U) ? 1 : 0);
        state->alarms++;
        state->onsets += result->onset;
        state->quiet = 0U;
    } else if (state->quiet <= 3U) {
        state->quiet++;
    } else {
        /* no alarm for long */
    }
    return status;
}

void model_start_q(model_state_q *state)
{
    size_t k;
    for (k = 0; k < MODEL_OUTPUTS; k++) {
        state->evidence[k] = 262144;
        state->up[k] = 0;
    }
    for (k = 0; k < MODEL_READINGS; k++) {
        state->last[k] = MODEL_NONE;
        state->run[k] = 0U;
    }
    for (k = 0; k < 4U; k++) {
        state->memory[k] = MODEL_NONE;
    }
    state->onsets = 0U;
    state->alarms = 0U;
    state->quiet = 4U;
    state->rows = 0U;
}

void model_readings_q(const MODEL_REAL x[MODEL_READINGS], int16_t q[MODEL_READINGS])
{
    size_t k;
    for (k = 0; k < 2U; k++) {
        model_grid step;
        MODEL_REAL value = x[k];
        int32_t whole;
        MODEL_LOAD(&step, &model_steps[k]);
        q[k] = MODEL_NONE;
        if ((value >= -(MODEL_REAL)1.2676506002282294e+30) && (value <= (MODEL_REAL)1.2676506002282294e+30)) {
            value = ((value - step.centre) * step.scale) + (MODEL_REAL)0.5;
            value = (value < (MODEL_REAL)-32767) ? (MODEL_REAL)-32767 : value;
            value = (value > (MODEL_REAL)32767) ? (MODEL_REAL)32767 : value;
            whole = (int32_t)value;
            q[k] = (int16_t)(((MODEL_REAL)whole > value) ? (whole - 1) : whole);
        }
    }
}

size_t model_state_q_size(void)
{
    return sizeof(model_state_q);
}

#ifdef MODEL_SELFTEST
static int model_replay(void)
{
    static const MODEL_REAL rows[6][MODEL_READINGS] = {
        {(MODEL_REAL)0.22000000000000003, (MODEL_REAL)-2.64},
        {(MODEL_REAL)1.32, (MODEL_REAL)-3.9600000000000004},
        {(MODEL_REAL)0.66, (MODEL_REAL)-1.7600000000000002},
        {(MODEL_REAL)2.535301200456459e+30, (MODEL_REAL)-3.08},
        {(MODEL_REAL)1.1, (MODEL_REAL)-0.8799999999999999},
        {(MODEL_REAL)0.44000000000000006, (MODEL_REAL)-2.2}};
    static const MODEL_REAL wanted[MODEL_OUTPUTS] = {(MODEL_REAL)-1.2649993896484375, (MODEL_REAL)1.29998779296875};
    static const MODEL_REAL sizes[MODEL_OUTPUTS] = {(MODEL_REAL)1487.9999999999998, (MODEL_REAL)947.2};
    const MODEL_REAL step = (sizeof(MODEL_REAL) >= 8U) ? (MODEL_REAL)2.220446049250313e-16 : (MODEL_REAL)1.1920928955078125e-07;
    model_state state;
    model_result result;
    MODEL_REAL error;
    int i;
    model_start(&state);
    for (i = 0; i < 6; i++) {
        (void)model_step(&state, rows[i], &result);
    }
    for (i = 0; i < MODEL_OUTPUTS; i++) {
        error = result.values[i] - wanted[i];
        error = (error < (MODEL_REAL)0.0) ? -error : error;
        if (!(error <= (step * sizes[i]))) {
            return 0;
        }
    }
    error = result.score - (MODEL_REAL)2.117684556994105;
    error = (error < (MODEL_REAL)0.0) ? -error : error;
    if (!(error <= (step * (MODEL_REAL)2220553.202034651))) {
        return 0;
    }
    return 1;
}

static int model_replay_q(void)
{
    static const int16_t rows[6][MODEL_READINGS] = {
        {-14412, -3611},
        {3611, -14424},
        {-7203, 3598},
        {-32768, -7215},
        {6, 10807},
        {-10807, -6}};
    model_state_q state;
    model_result_q result;
    int i;
    model_start_q(&state);
    for (i = 0; i < 6; i++) {
        (void)model_step_q(&state, rows[i], &result);
    }
    return ((result.score == INT32_C(277578)) && (result.total == 1)) ? 1 : 0;
}

int model_selftest(void)
{
    static const int16_t rows[6][MODEL_INPUTS] = {
        {-1632, 9824, -1632},
        {-18016, -18029, -18016},
        {18029, 18016, 18029},
        {-9005, -6, 9018},
        {-18016, 4499, -9005},
        {-1632, 9005, -1632}};
    static const int32_t wanted[6][MODEL_OUTPUTS] = {
        {INT32_C(-603979776), INT32_C(268435456)},
        {INT32_C(-805306368), INT32_C(496607232)},
        {INT32_C(-362385408), INT32_C(201326592)},
        {INT32_C(-620756992), INT32_C(348962816)},
        {INT32_C(-768397312), INT32_C(312057856)},
        {INT32_C(-603979776), INT32_C(275144704)}};
    int32_t r[MODEL_OUTPUTS];
    int i;
    int m;
    for (i = 0; i < 6; i++) {
        model_predict(rows[i], r);
        for (m = 0; m < MODEL_OUTPUTS; m++) {
            if (r[m] != wanted[i][m]) {
                return 0;
            }
        }
    }
    return (model_replay() && model_replay_q()) ? 1 : 0;
}
#endif
