#include "model.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

static double model_read(double value, double missing)
{
    if (!((value >= -1.2676506002282294e+30) && (value <= 1.2676506002282294e+30))) {
        return missing;
    }
    return value;
}

void model_linear(const double x[MODEL_INPUTS], double y[MODEL_OUTPUTS])
{
    const double x0 = model_read(x[0], 1.0);
    const double x1 = model_read(x[1], -1.0);
    const double x2 = model_read(x[2], 1.0);
    y[0] = -1.5;
    y[0] += 0.25 * x0;
    y[0] += 0.125 * x2;
    y[1] = 0.75;
    y[1] += -0.25 * x1;
}

void model_predict(const double x[MODEL_INPUTS], double y[MODEL_OUTPUTS])
{
    model_linear(x, y);
}

uint32_t model_status(const double x[MODEL_INPUTS])
{
    uint32_t status = 0;
    if (!((x[0] >= 0.0) && (x[0] <= 2.0))) {
        status |= UINT32_C(1);
    }
    if (!((x[1] >= -4.0) && (x[1] <= 0.0))) {
        status |= UINT32_C(2);
    }
    if (!((x[2] >= 0.0) && (x[2] <= 2.0))) {
        status |= UINT32_C(4);
    }
    return status;
}

void model_predict_input(const model_input *input, uint32_t *status, double y[MODEL_OUTPUTS])
{
    double x[MODEL_INPUTS];
    x[0] = input->a;
    x[1] = input->b;
    x[2] = input->a_lag2;
    *status = model_status(x);
    model_predict(x, y);
}

void model_linear_batch(const double *x, size_t rows, double *y)
{
    size_t i;
    for (i = 0; i < rows; i++) {
        model_linear(x + (i * MODEL_INPUTS), y + (i * MODEL_OUTPUTS));
    }
}

void model_predict_batch(const double *x, size_t rows, double *y)
{
    size_t i;
    for (i = 0; i < rows; i++) {
        model_predict(x + (i * MODEL_INPUTS), y + (i * MODEL_OUTPUTS));
    }
}

#ifdef __AVR__
#include <avr/pgmspace.h>
#define MODEL_ROM PROGMEM
#define MODEL_LOAD(to, from) ((void)memcpy_P((to), (from), sizeof(*(to))))
#else
#define MODEL_ROM
#define MODEL_LOAD(to, from) (*(to) = *(from))
#endif

static double model_missing(double nothing)
{
    return nothing / nothing; /* NaN; called with 0, so that no compiler sees a constant division */
}

typedef struct {
    double low;
    double high;
    double jump;
    uint16_t stuck;
    uint16_t place;
    uint16_t categories;
} model_check;

static const model_check model_checks[] MODEL_ROM = {
    {0.0, 2.0, 1.0, 5U, 0U, 0U},
    {-4.0, 0.0, 5.070602400912918e+30, 0U, 1U, 0U},
};

/* Take over readings and note what is wrong with them; those that are stuck become missing. */
static uint32_t model_look(
    model_state *state, const double given[MODEL_READINGS], double x[MODEL_INPUTS], model_result *result)
{
    uint32_t status = 0;
    size_t k;
    for (k = 0; k < 2U; k++) {
        model_check check;
        double value = given[k];
        uint8_t fault = MODEL_OK;
        MODEL_LOAD(&check, &model_checks[k]);
        if (!((value >= -1.2676506002282294e+30) && (value <= 1.2676506002282294e+30))) {
            fault = MODEL_MISSING;
            x[check.place] = model_missing(0.0);
        } else {
            fault = (uint8_t)(((value >= check.low) && (value <= check.high)) ? MODEL_OK : MODEL_RANGE);
            x[check.place] = value;
            if (!(value == state->last[k])) {
                const double before = state->last[k];
                state->last[k] = value;
                state->run[k] = 1U;
                if ((fault == MODEL_OK) && (before == before)) {
                    const double change = value - before;
                    fault = (uint8_t)(((change <= check.jump) && (change >= -check.jump)) ? MODEL_OK : MODEL_JUMP);
                }
            } else if (check.stuck > 0U) {
                if (state->run[k] <= check.stuck) {
                    state->run[k]++;
                }
                if (state->run[k] > check.stuck) {
                    fault = MODEL_STUCK;
                    x[check.place] = model_missing(0.0);
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
static void model_delays(model_state *state, double x[MODEL_INPUTS])
{
    size_t i;
    for (i = 0; i < 1U; i++) {
        model_stream one;
        model_source source;
        const double *ring;
        size_t head;
        MODEL_LOAD(&one, &model_streams[i]);
        MODEL_LOAD(&source, &model_sources[one.ring]);
        ring = state->rings + source.start;
        head = state->heads[one.ring];
        double old = ring[(head >= one.length) ? (head - one.length) : ((head + source.size) - one.length)];
        x[one.to] = old;
    }
    for (i = 0; i < 1U; i++) {
        model_source source;
        const size_t head = state->heads[i];
        MODEL_LOAD(&source, &model_sources[i]);
        state->rings[source.start + head] = x[source.at];
        state->heads[i] = (uint16_t)((head + 1U < source.size) ? (head + 1U) : 0U);
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
static void model_note(model_state *state, const double x[MODEL_INPUTS])
{
    size_t i;
    for (i = 0; i < MODEL_OUTPUTS; i++) {
        state->blind[i] = 0U;
    }
    for (i = 0; i < 3U; i++) {
        model_use one;
        MODEL_LOAD(&one, &model_uses[i]);
        if (!(x[one.input] == x[one.input])) {
            state->blind[one.output] = 1U;
        }
    }
}

typedef struct {
    double centre;
    double factor;
    double slow;
    double weight;
    uint16_t reading;
} model_watch;

static const model_watch model_watched[] MODEL_ROM = {
    {0.0, 2.0, 4.0, 1.0, 1U},
    {0.0, 2.0, 4.0, 1.0, 0U},
};

static void model_detect(model_state *state, const double x[MODEL_READINGS], model_result *result)
{
    double total = 0.0;
    size_t k;
    for (k = 0; k < MODEL_OUTPUTS; k++) {
        model_watch one;
        double r;
        double q;
        MODEL_LOAD(&one, &model_watched[k]);
        r = x[one.reading];
        result->parts[k] = 0.0;
        if (state->blind[k] != 0U) {
            continue;
        }
        if (!((r >= -1.2676506002282294e+30) && (r <= 1.2676506002282294e+30))) {
            continue;
        }
        r = ((r - result->values[k]) - one.centre) * one.factor;
        if (!(r == r)) {
            continue;
        }
        r = (r > 8.0) ? 8.0 : ((r < -8.0) ? -8.0 : r);
        state->up[k] += (r - state->up[k]) * 0.125;
        q = state->up[k] * one.slow;
        q = ((r * r) + (q * q)) * 0.5;
        state->evidence[k] += (q - state->evidence[k]) * 0.25;
        result->parts[k] = state->evidence[k] * one.weight;
        total += one.weight;
    }
    if (!(total > 0.0)) { /* nothing is known: the evidence that there is */
        for (k = 0; k < MODEL_OUTPUTS; k++) {
            model_watch one;
            MODEL_LOAD(&one, &model_watched[k]);
            result->parts[k] = state->evidence[k] * one.weight;
            total += one.weight;
        }
    }
    result->score = 0.0;
    if (total > 0.0) {
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
        state->last[k] = model_missing(0.0);
        state->run[k] = 0U;
    }
    for (k = 0; k < 2U; k++) {
        state->rings[k] = model_missing(0.0);
    }
    for (k = 0; k < 1U; k++) {
        state->heads[k] = 0U;
    }
    for (k = 0; k < MODEL_OUTPUTS; k++) {
        state->up[k] = 0.0;
        state->evidence[k] = 1.0;
    }
    state->threshold = 4.0;
    state->quiet = INT32_C(1073741824);
    state->onsets = 0U;
    state->alarms = 0U;
    state->rows = 0U;
}

uint32_t model_step(model_state *state, const double x[MODEL_READINGS], model_result *result)
{
    double row[MODEL_INPUTS];
    uint32_t status;
    status = model_look(state, x, row, result);
    model_delays(state, row);
    model_note(state, row);
    model_linear(row, result->values);
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

#ifdef MODEL_SELFTEST
static int model_replay(void)
{
    static const double rows[6][MODEL_READINGS] = {
        {0.2, -2.4},
        {1.2, -3.6},
        {0.6, -1.6},
        {2.535301200456459e+30, -2.8},
        {1.0, -0.7999999999999998},
        {0.4, -2.0}};
    static const double wanted[MODEL_OUTPUTS] = {-1.275, 1.25};
    static const double sizes[MODEL_OUTPUTS] = {1440.0, 896.0};
    const double step = (sizeof(double) >= 8U) ? 2.220446049250313e-16 : 1.1920928955078125e-07;
    model_state state;
    model_result result;
    double error;
    int i;
    model_start(&state);
    for (i = 0; i < 6; i++) {
        (void)model_step(&state, rows[i], &result);
    }
    for (i = 0; i < MODEL_OUTPUTS; i++) {
        error = result.values[i] - wanted[i];
        error = (error < 0.0) ? -error : error;
        if (!(error <= (step * sizes[i]))) {
            return 0;
        }
    }
    error = result.score - 2.1653652444668112;
    error = (error < 0.0) ? -error : error;
    if (!(error <= (step * 2270550.026582031))) {
        return 0;
    }
    return 1;
}

int model_selftest(void)
{
    static const double rows[6][MODEL_INPUTS] = {
        {1.0, -1.0, 1.0},
        {0.0, -4.0, 0.0},
        {2.0, 0.0, 2.0},
        {0.5, -2.0, 1.5},
        {0.0, -1.5, 0.5},
        {2.535301200456459e+30, -1.0, 2.535301200456459e+30}};
    static const double wanted[6][MODEL_OUTPUTS] = {
        {-1.125, 1.0},
        {-1.5, 1.75},
        {-0.75, 0.75},
        {-1.1875, 1.25},
        {-1.4375, 1.125},
        {-1.125, 1.0}};
    static const double sizes[MODEL_OUTPUTS] = {22.5, 14.0};
    double z[MODEL_OUTPUTS];
    double error;
    int i;
    int m;
    for (i = 0; i < 6; i++) {
        model_linear(rows[i], z);
        for (m = 0; m < MODEL_OUTPUTS; m++) {
            error = z[m] - wanted[i][m];
            error = (error < 0.0) ? -error : error;
            if (!(error <= (((sizeof(double) >= 8U) ? 2.220446049250313e-16 : 1.1920928955078125e-07) * sizes[m]))) {
                return 0;
            }
        }
    }
    return model_replay();
}
#endif
