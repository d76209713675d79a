/* SPDX-License-Identifier: 0BSD */
#include "model.h"
#include <float.h>

#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(_M_FP_FAST) || \
    (defined(__FINITE_MATH_ONLY__) && (__FINITE_MATH_ONLY__ > 0))
#error "a missing reading is NaN: compile this file without -ffast-math, -Ofast and -ffinite-math-only"
#endif

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#if DBL_MANT_DIG == 24 /* a double of 32 bits */
typedef uint32_t model_bits;
#define MODEL_LIMIT_BITS UINT32_C(0xe3000000)
#else
typedef uint64_t model_bits;
#define MODEL_LIMIT_BITS UINT64_C(0x8c60000000000000)
#endif
static double model_read(double value, double missing)
{
    /* The bits without the sign: numbers by their size, then infinity, then NaN. Where floating point is software, one
       comparison of integers is far smaller and faster than two of numbers. */
    union {
        double number;
        model_bits bits;
    } reading;
    reading.number = value;
    if ((reading.bits << 1) > MODEL_LIMIT_BITS) {
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

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize ("no-tree-loop-distribute-patterns") /* no calls of memmove: no libc */
#endif

#ifdef __AVR__
#include <avr/pgmspace.h>
#define MODEL_ROM PROGMEM
#define MODEL_LOAD(to, from) ((void)memcpy_P((to), (from), sizeof(*(to))))
#define MODEL_ROW(type, row, from) \
    type row##_copy; const type *const row = &row##_copy; MODEL_LOAD(&row##_copy, (from))
#else
#define MODEL_ROM
#define MODEL_LOAD(to, from) (*(to) = *(from))
#define MODEL_ROW(type, row, from) const type *const row = (from)
#endif

#ifdef __AVR__
#define MODEL_READ_BYTE(from) pgm_read_byte(from)
#define MODEL_READ_WORD(from) pgm_read_word(from)
#define MODEL_READ_LONG(from) pgm_read_dword(from)
#else
#define MODEL_READ_BYTE(from) (*(from))
#define MODEL_READ_WORD(from) (*(from))
#define MODEL_READ_LONG(from) (*(from))
#endif

/* NaN by its bits: no division by zero, no library. */
static double model_missing(void)
{
    const union {
        uint32_t bits[2];
        double value;
    } nothing = {{UINT32_C(0xFFFFFFFF), UINT32_C(0xFFFFFFFF)}};
    return nothing.value;
}

#define MODEL_LIMIT 1.2676506002282294e+30
#define MODEL_STRAY 3.0
#define MODEL_SETTLING 0.125
#define MODEL_TRACK 0.03125
#define MODEL_CLIP 8.0
#define MODEL_SMOOTHING 0.25
#define MODEL_FAST 0.7
#define MODEL_HOLD 3
#define MODEL_ENDLESS INT32_C(1073741824)
#define MODEL_WARM_UP 10

typedef struct {
    double low;
    double high;
    double jump;
    uint8_t stuck;
} model_sensors;

static const model_sensors model_sensors_rows[] MODEL_ROM = {
    {0.0, 2.0, 1.0, 5},
    {-4.0, 0.0, 5.070602400912918e+30, 0},
};

typedef struct {
    double otherwise;
} model_defaults;

static const model_defaults model_defaults_rows[] MODEL_ROM = {
    {1.0},
    {-1.0},
    {1.0},
};

typedef struct {
    uint8_t output;
} model_readers;

static const model_readers model_readers_rows[] MODEL_ROM = {
    {0},
    {1},
    {0},
};

typedef struct {
    double intercept;
    uint8_t terms;
} model_sums;

static const model_sums model_sums_rows[] MODEL_ROM = {
    {-1.5, 2},
    {0.75, 1},
};

static const double model_sums_terms_coef[] MODEL_ROM = {
    0.25, 0.125, -0.25};

static const uint8_t model_sums_terms_place[] MODEL_ROM = {
    0, 2, 1};

typedef struct {
    uint8_t reading;
} model_watched;

static const model_watched model_watched_rows[] MODEL_ROM = {
    {1},
    {0},
};

static double model_read_real(const double *from)
{
    double value;
    MODEL_LOAD(&value, from);
    return value;
}

/* Note what is wrong with readings; those that are stuck become missing. */
static uint32_t model_look(model_state *state, const double x[MODEL_READINGS], double row[3], model_result *result)
{
    uint32_t status = 0;
    for (int k = 0; k < 2; k++) {
        MODEL_ROW(model_sensors, sensor, &model_sensors_rows[k]);
        const double value = x[k];
        uint8_t fault = MODEL_OK;
        if (!((sensor->low <= value) && (value <= sensor->high))) {
            fault = (uint8_t)((((-MODEL_LIMIT) <= value) && (value <= MODEL_LIMIT)) ? MODEL_RANGE : MODEL_MISSING);
        }
        if (fault == MODEL_MISSING) {
            row[k] = model_missing();
        } else {
            row[k] = value;
            const double before = state->last[k];
            if (value != before) {
                const double change = value - before;
                if ((!(((-sensor->jump) <= change) && (change <= sensor->jump))) && (fault == MODEL_OK) && (before == before)) {
                    fault = MODEL_JUMP;
                }
                state->last[k] = value;
                state->run[k] = 1;
            } else if (sensor->stuck > 0) {
                if (state->run[k] <= sensor->stuck) {
                    state->run[k]++;
                }
                if (state->run[k] > sensor->stuck) {
                    fault = MODEL_STUCK;
                    row[k] = model_missing();
                }
            }
        }
        result->faults[k] = fault;
        if (fault != MODEL_OK) {
            status = status | (UINT32_C(1) << k);
        }
    }
    return status;
}

/* The reading of `length` rows ago, from a ring whose next place is `head`. */
static double model_back(model_state *state, int32_t head)
{
    return state->rings[(head >= 2) ? (head - 2) : head];
}

/* Fill in the inputs that are computed from earlier readings, and remember this row's. */
static void model_delays(model_state *state, double row[3])
{
    int32_t head = state->heads[0];
    row[2] = model_back(state, head);
    head = state->heads[0];
    if (head >= 2) {
        head = 0;
    }
    state->rings[head] = row[0];
    state->heads[0] = (uint8_t)(head + 1);
}

/* Put the default for what is missing and note which predictions read it, if any is; cut where asked. */
static void model_complete(uint8_t blind[MODEL_OUTPUTS], double row[3])
{
    uint8_t gone = 0;
    for (int k = 0; k < MODEL_OUTPUTS; k++) {
        blind[k] = 0;
    }
    for (int k = 0; k < 3; k++) {
        const double value = row[k];
        if (value != value) {
            gone = 1;
        }
    }
    if (gone != 0) {
        for (int k = 0; k < 3; k++) {
            MODEL_ROW(model_readers, reader, &model_readers_rows[k]);
            if (row[k] != row[k]) {
                blind[reader->output] = 1;
            }
        }
        for (int k = 0; k < 3; k++) {
            MODEL_ROW(model_defaults, number, &model_defaults_rows[k]);
            if (row[k] != row[k]) {
                row[k] = number->otherwise;
            }
        }
    }
}

/* The linear predictor of each output, terms added one after another. */
static void model_add_terms(const double row[3], model_result *result)
{
    int term_at = 0;
    for (int k = 0; k < 2; k++) {
        MODEL_ROW(model_sums, output, &model_sums_rows[k]);
        double y = output->intercept;
        for (int n = output->terms; n > 0; n--, term_at++) {
            const double value = row[(uint8_t)MODEL_READ_BYTE(&model_sums_terms_place[term_at])];
            y += model_read_real(&model_sums_terms_coef[term_at]) * value;
        }
        result->values[k] = y;
    }
}

/* A residual without the level that it had so far. */
static double model_tracked(model_state *state, model_result *result, int k, double r)
{
    const double level = state->level[k];
    r -= level;
    state->level[k] = level + (((r < (-MODEL_STRAY)) ? (-MODEL_STRAY) : ((r > MODEL_STRAY) ? MODEL_STRAY : r)) * ((result->warming_up != 0) ? MODEL_SETTLING : MODEL_TRACK));
    return r;
}

/* The score of a row, and what each sensor contributes. */
static void model_detect(model_state *state, const double x[MODEL_READINGS], const uint8_t blind[MODEL_OUTPUTS], double quick[MODEL_OUTPUTS], model_result *result)
{
    double total = 0.0;
    for (int k = 0; k < 2; k++) {
        MODEL_ROW(model_watched, watch, &model_watched_rows[k]);
        result->parts[k] = 0.0;
        quick[k] = 0.0;
        if (result->faults[watch->reading] == MODEL_MISSING) {
            continue;
        }
        if (blind[k] != 0) {
            continue;
        }
        double r = (x[watch->reading] - result->values[k]) * 2.0;
        r = model_tracked(state, result, k, r);
        r = (r < (-MODEL_CLIP)) ? (-MODEL_CLIP) : ((r > MODEL_CLIP) ? MODEL_CLIP : r);
        double q = r * r;
        quick[k] = q;
        double z = state->slow[k] + ((r - state->slow[k]) * MODEL_SMOOTHING);
        state->slow[k] = z;
        z *= 4.0;
        q = (q + (z * z)) * 0.5;
        const double e = state->evidence[k] + ((q - state->evidence[k]) * MODEL_SMOOTHING);
        state->evidence[k] = e;
        result->parts[k] = e;
        total += 1.0;
    }
    if (!(total > 0.0)) { /* nothing is known: the evidence that there is */
        for (int k = 0; k < 2; k++) {
            result->parts[k] = state->evidence[k];
            total += 1.0;
        }
    }
    double score = 0.0;
    for (int k = 0; k < MODEL_OUTPUTS; k++) {
        result->parts[k] = result->parts[k] / total;
        score += result->parts[k];
    }
    double sudden = 0.0;
    for (int k = 0; k < MODEL_OUTPUTS; k++) {
        quick[k] = (quick[k] / total) * MODEL_FAST;
        sudden += quick[k];
    }
    if (sudden > score) {
        score = sudden;
        for (int k = 0; k < MODEL_OUTPUTS; k++) {
            result->parts[k] = quick[k];
        }
    }
    result->score = score;
}

/* Whether a score is an alarm, and whether it begins one; the threshold moves where that is asked for. */
static void model_decide(model_state *state, model_result *result)
{
    const uint8_t hit = (uint8_t)(result->score > state->threshold);
    int32_t quiet = state->quiet;
    result->alarm = (uint8_t)(hit ? 1 : 0);
    result->onset = (uint8_t)((hit && (quiet > MODEL_HOLD)) ? 1 : 0);
    if (hit != 0) {
        state->alarms++;
        state->onsets += result->onset;
        quiet = ((quiet < (-MODEL_ENDLESS)) ? (-MODEL_ENDLESS) : ((quiet > 0) ? 0 : quiet)) - 1;
    } else {
        quiet = ((quiet < 0) ? 0 : ((quiet > MODEL_ENDLESS) ? MODEL_ENDLESS : quiet)) + 1;
    }
    state->quiet = quiet;
}

uint32_t model_step(model_state *state, const double x[MODEL_READINGS], model_result *result)
{
    double row[3];
    uint8_t blind[MODEL_OUTPUTS];
    double quick[MODEL_OUTPUTS];
    const uint32_t status = model_look(state, x, row, result);
    model_delays(state, row);
    model_complete(blind, row);
    model_add_terms(row, result);
    result->warming_up = 0;
    if (state->rows < MODEL_WARM_UP) {
        state->rows++;
        result->warming_up = 1;
    }
    model_detect(state, x, blind, quick, result);
    result->alarm = 0;
    result->onset = 0;
    if (result->warming_up == 0) {
        model_decide(state, result);
    }
    return status;
}

void model_start(model_state *state)
{
    int k;
    for (k = 0; k < MODEL_READINGS; k++) {
        state->last[k] = model_missing();
        state->run[k] = 0U;
    }
    for (k = 0; k < 2; k++) {
        state->rings[k] = model_missing();
    }
    for (k = 0; k < MODEL_OUTPUTS; k++) {
        state->slow[k] = 0.0;
        state->level[k] = 0.0;
        state->evidence[k] = 1.0;
    }
    for (k = 0; k < 1; k++) {
        state->heads[k] = 0U;
    }
    state->threshold = 4.0;
    state->quiet = INT32_C(1073741824);
    state->onsets = 0U;
    state->alarms = 0U;
    state->rows = 0U;
}

size_t model_state_size(void)
{
    return sizeof(model_state);
}

#ifdef MODEL_SELFTEST
/* Once with what is missing beyond the limit, once with NaN. */
static int model_replay(int as_nan)
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
    double x[MODEL_READINGS];
    int i;
    int k;
    model_start(&state);
    for (i = 0; i < 6; i++) {
        for (k = 0; k < MODEL_READINGS; k++) {
            x[k] = rows[i][k];
            x[k] = ((as_nan == 1) && (x[k] > 1.2676506002282294e+30)) ? model_missing() : x[k];
        }
        (void)model_step(&state, x, &result);
    }
    for (i = 0; i < MODEL_OUTPUTS; i++) {
        double error = result.values[i] - wanted[i];
        error = (error < 0.0) ? -error : error;
        if (!(error <= (step * sizes[i]))) {
            return 0;
        }
    }
    double error = result.score - 2.5023116911947723;
    error = (error < 0.0) ? -error : error;
    if (!(error <= (step * 2623863.9839062495))) {
        return 0;
    }
    return 1;
}
/* Each row twice: what is missing is beyond the limit, then NaN. */
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
    static const uint32_t statuses[6] = {UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(5)};
    static const double sizes[MODEL_OUTPUTS] = {22.5, 14.0};
    double x[MODEL_INPUTS];
    double z[MODEL_OUTPUTS];
    double error;
    int i;
    int m;
    for (i = 0; i < 12; i++) {
        for (m = 0; m < MODEL_INPUTS; m++) {
            x[m] = rows[i / 2][m];
            x[m] = (((i % 2) == 1) && (x[m] > 1.2676506002282294e+30)) ? model_missing() : x[m];
        }
        model_linear(x, z);
        for (m = 0; m < MODEL_OUTPUTS; m++) {
            error = z[m] - wanted[i / 2][m];
            error = (error < 0.0) ? -error : error;
            if (!(error <= (((sizeof(double) >= 8U) ? 2.220446049250313e-16 : 1.1920928955078125e-07) * sizes[m]))) {
                return 0;
            }
        }
        if (model_status(x) != statuses[i / 2]) {
            return 0;
        }
    }
    return model_replay(0) && model_replay(1);
}
#endif
