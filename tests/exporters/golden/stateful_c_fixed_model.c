/* SPDX-License-Identifier: 0BSD */
#include "model.h"

#ifndef MODEL_NO_FLOAT
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(_M_FP_FAST) || \
    (defined(__FINITE_MATH_ONLY__) && (__FINITE_MATH_ONLY__ > 0))
#error "a missing reading is NaN: compile this file without -ffast-math, -Ofast and -ffinite-math-only, or define MODEL_NO_FLOAT for the integers alone"
#endif
#endif

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
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
#define MODEL_UP(q) ((uint16_t)((uint16_t)(q) + 32768U))
#define MODEL_DOWN(q) ((uint16_t)(32767U - (uint16_t)(q)))
#endif

/* What a sum modulo 2^32 stands for: GCC and Clang define the cast so (GCC manual, 4.5), others need not. */
#ifdef __GNUC__
#define MODEL_SIGNED(sum) ((int32_t)(sum))
#else
#define MODEL_SIGNED(sum) (((sum) > UINT32_C(0x7FFFFFFF)) ? (-(int32_t)(~(sum)) - 1) : (int32_t)(sum))
#endif

void model_predict(const int16_t q[MODEL_INPUTS], int32_t r[MODEL_OUTPUTS])
{
    uint32_t sum;
#ifdef __AVR__
    sum = UINT32_C(3308388352) /* -986578944 */;
    sum += (uint32_t)UINT16_C(8192) * MODEL_UP(q[0]);
    sum += (uint32_t)UINT16_C(4096) * MODEL_UP(q[2]);
#else
    sum = UINT32_C(3711041536) /* -583925760 */;
    sum += (uint32_t)(INT32_C(8192) * (int32_t)q[0]);
    sum += (uint32_t)(INT32_C(4096) * (int32_t)q[2]);
#endif
    r[0] = MODEL_SIGNED(sum);
#ifdef __AVR__
    sum = UINT32_C(80486400);
    sum += (uint32_t)UINT16_C(8192) * MODEL_DOWN(q[1]);
#else
    sum = UINT32_C(348913664);
    sum += (uint32_t)(INT32_C(-8192) * (int32_t)q[1]);
#endif
    r[1] = MODEL_SIGNED(sum);
}

void model_predict_batch(const int16_t *q, size_t rows, int32_t *r)
{
    size_t i;
    for (i = 0; i < rows; i++) {
        model_predict(q + (i * MODEL_INPUTS), r + (i * MODEL_OUTPUTS));
    }
}

#ifndef MODEL_NO_FLOAT
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
        MODEL_ROW(model_grid, step, &model_steps[i]);
        MODEL_REAL value = x[step->place];
        int known = 0;
        q[step->place] = step->missing;
        if ((value >= (MODEL_REAL)-1.2676506002282294e+30) && (value <= (MODEL_REAL)1.2676506002282294e+30)) {
            if (step->scale == (MODEL_REAL)0) { /* a category */
                if ((value >= (MODEL_REAL)0) && (value <= step->high) && (value == (MODEL_REAL)(int32_t)value)) {
                    known = 1;
                    q[step->place] = (int16_t)value;
                }
            } else {
                known = (value >= step->low) && (value <= step->high);
                value = (value < step->low) ? step->low : ((value > step->high) ? step->high : value);
                value = ((value - step->centre) * step->scale) + (MODEL_REAL)0.5;
                value = (value < (MODEL_REAL)step->first) ? (MODEL_REAL)step->first : value;
                value = (value > (MODEL_REAL)step->last) ? (MODEL_REAL)step->last : value;
                const int32_t whole = (int32_t)value;
                q[step->place] = (int16_t)(((MODEL_REAL)whole > value) ? (whole - 1) : whole);
            }
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
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize ("no-tree-loop-distribute-patterns") /* no calls of memmove: no libc */
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

/* A shift of a negative number rounds down; where a compiler's own does not, the second form does. */
#define MODEL_FLOOR(value, bits) \
    ((-1 >> 1 == -1) ? ((value) >> (bits)) : (((value) < 0) ? (-1 - ((-1 - (value)) >> (bits))) : ((value) >> (bits))))

#ifndef MODEL_NO_FLOAT
/* NaN by its bits: no division by zero, no library. */
static MODEL_REAL model_missing(void)
{
    const union {
        uint32_t bits[2];
        MODEL_REAL value;
    } nothing = {{UINT32_C(0xFFFFFFFF), UINT32_C(0xFFFFFFFF)}};
    return nothing.value;
}

static int32_t model_floored(MODEL_REAL value)
{
    const int32_t whole = (int32_t)value;
    return ((MODEL_REAL)whole > value) ? (whole - 1) : whole;
}

#define MODEL_LIMIT ((MODEL_REAL)1.2676506002282294e+30)
#define MODEL_STRAY ((MODEL_REAL)3.0)
#define MODEL_SETTLING ((MODEL_REAL)0.125)
#define MODEL_TRACK ((MODEL_REAL)0.03125)
#define MODEL_CLIP ((MODEL_REAL)8.0)
#define MODEL_SMOOTHING ((MODEL_REAL)0.25)
#define MODEL_FAST ((MODEL_REAL)0.7)
#define MODEL_HOLD 3
#define MODEL_ENDLESS INT32_C(1073741824)
#define MODEL_WARM_UP 10

typedef struct {
    MODEL_REAL low;
    MODEL_REAL high;
    MODEL_REAL jump;
    uint8_t stuck;
} model_sensors;

static const model_sensors model_sensors_rows[] MODEL_ROM = {
    {(MODEL_REAL)0.0, (MODEL_REAL)2.2, (MODEL_REAL)1.0, 5},
    {(MODEL_REAL)-4.4, (MODEL_REAL)0.0, (MODEL_REAL)5.070602400912918e+30, 0},
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
    uint8_t reading;
} model_watched;

static const model_watched model_watched_rows[] MODEL_ROM = {
    {1},
    {0},
};

typedef struct {
    MODEL_REAL centre;
    MODEL_REAL scale;
    MODEL_REAL first;
    MODEL_REAL last;
} model_grids;

static const model_grids model_grids_rows[] MODEL_ROM = {
    {(MODEL_REAL)1.099609375, (MODEL_REAL)16384.0, (MODEL_REAL)-18016.0, (MODEL_REAL)18029.0},
    {(MODEL_REAL)-2.19921875, (MODEL_REAL)8192.0, (MODEL_REAL)-18029.0, (MODEL_REAL)18016.0},
};

typedef struct {
    int16_t otherwise;
} model_numerics;

static const model_numerics model_numerics_rows[] MODEL_ROM = {
    {-1632},
    {9824},
    {-1632},
};

/* Note what is wrong with readings; those that are stuck become missing. */
static uint32_t model_look(model_state *state, const MODEL_REAL x[MODEL_READINGS], MODEL_REAL row[3], model_result *result)
{
    uint32_t status = 0;
    for (int k = 0; k < 2; k++) {
        MODEL_ROW(model_sensors, sensor, &model_sensors_rows[k]);
        const MODEL_REAL value = x[k];
        uint8_t fault = MODEL_OK;
        if (!((sensor->low <= value) && (value <= sensor->high))) {
            fault = (uint8_t)((((-MODEL_LIMIT) <= value) && (value <= MODEL_LIMIT)) ? MODEL_RANGE : MODEL_MISSING);
        }
        if (fault == MODEL_MISSING) {
            row[k] = model_missing();
        } else {
            row[k] = (value < sensor->low) ? sensor->low : ((value > sensor->high) ? sensor->high : value);
            const MODEL_REAL before = state->last[k];
            if (value != before) {
                const MODEL_REAL change = value - before;
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

/* A reading inside its range as an integer. */
static int32_t model_counted(MODEL_REAL value, MODEL_REAL centre, MODEL_REAL scale, MODEL_REAL first, MODEL_REAL last)
{
    MODEL_REAL steps = ((value - centre) * scale) + (MODEL_REAL)0.5;
    steps = (steps < first) ? first : ((steps > last) ? last : steps);
    return model_floored(steps);
}

/* All readings as integers. */
static void model_counts(int16_t q[3], const MODEL_REAL row[3])
{
    for (int k = 0; k < 2; k++) {
        MODEL_ROW(model_grids, grid, &model_grids_rows[k]);
        const MODEL_REAL value = row[k];
        if (value == value) {
            q[k] = (int16_t)(model_counted(value, grid->centre, grid->scale, grid->first, grid->last));
        } else {
            q[k] = MODEL_NONE;
        }
    }
}

/* The reading of `length` rows ago, from a ring whose next place is `head`. */
static int32_t model_back(model_state *state, int32_t head)
{
    return state->rings[(head >= 2) ? (head - 2) : head];
}

/* Fill in the inputs that are computed from earlier integers, and remember this row's. */
static void model_delays(model_state *state, int16_t q[3])
{
    int32_t head = state->heads[0];
    q[2] = (int16_t)(model_back(state, head));
    head = state->heads[0];
    if (head >= 2) {
        head = 0;
    }
    state->rings[head] = q[0];
    state->heads[0] = (uint8_t)(head + 1);
}

/* Put an integer for what is missing, and note which predictions read it, if any is. */
static void model_complete(uint8_t blind[MODEL_OUTPUTS], int16_t q[3])
{
    uint8_t gone = 0;
    for (int k = 0; k < MODEL_OUTPUTS; k++) {
        blind[k] = 0;
    }
    for (int k = 0; k < 3; k++) {
        if (q[k] == MODEL_NONE) {
            gone = 1;
        }
    }
    if (gone != 0) {
        for (int k = 0; k < 3; k++) {
            MODEL_ROW(model_readers, reader, &model_readers_rows[k]);
            if (q[k] == MODEL_NONE) {
                blind[reader->output] = 1;
            }
        }
        for (int k = 0; k < 3; k++) {
            MODEL_ROW(model_numerics, grid, &model_numerics_rows[k]);
            if (q[k] == MODEL_NONE) {
                q[k] = (int16_t)grid->otherwise;
            }
        }
    }
}

/* The sums of integers, and what they stand for. */
static void model_add_terms(int16_t q[3], int32_t r[MODEL_OUTPUTS], model_result *result)
{
    model_predict(q, r);
    for (int k = 0; k < MODEL_OUTPUTS; k++) {
        result->values[k] = model_decode(r[k], k);
    }
}

/* A residual without the level that it had so far. */
static MODEL_REAL model_tracked(model_state *state, model_result *result, int k, MODEL_REAL r)
{
    const MODEL_REAL level = state->level[k];
    r -= level;
    state->level[k] = level + (((r < (-MODEL_STRAY)) ? (-MODEL_STRAY) : ((r > MODEL_STRAY) ? MODEL_STRAY : r)) * ((result->warming_up != 0) ? MODEL_SETTLING : MODEL_TRACK));
    return r;
}

/* The score of a row, and what each sensor contributes. */
static void model_detect(model_state *state, const MODEL_REAL x[MODEL_READINGS], const uint8_t blind[MODEL_OUTPUTS], MODEL_REAL quick[MODEL_OUTPUTS], model_result *result)
{
    MODEL_REAL total = (MODEL_REAL)0.0;
    for (int k = 0; k < 2; k++) {
        MODEL_ROW(model_watched, watch, &model_watched_rows[k]);
        result->parts[k] = (MODEL_REAL)0.0;
        quick[k] = (MODEL_REAL)0.0;
        if (result->faults[watch->reading] == MODEL_MISSING) {
            continue;
        }
        if (blind[k] != 0) {
            continue;
        }
        MODEL_REAL r = (x[watch->reading] - result->values[k]) * (MODEL_REAL)2.0;
        r = model_tracked(state, result, k, r);
        r = (r < (-MODEL_CLIP)) ? (-MODEL_CLIP) : ((r > MODEL_CLIP) ? MODEL_CLIP : r);
        MODEL_REAL q = r * r;
        quick[k] = q;
        MODEL_REAL z = state->slow[k] + ((r - state->slow[k]) * MODEL_SMOOTHING);
        state->slow[k] = z;
        z *= (MODEL_REAL)4.0;
        q = (q + (z * z)) * (MODEL_REAL)0.5;
        const MODEL_REAL e = state->evidence[k] + ((q - state->evidence[k]) * MODEL_SMOOTHING);
        state->evidence[k] = e;
        result->parts[k] = e;
        total += (MODEL_REAL)1.0;
    }
    if (!(total > (MODEL_REAL)0.0)) { /* nothing is known: the evidence that there is */
        for (int k = 0; k < 2; k++) {
            result->parts[k] = state->evidence[k];
            total += (MODEL_REAL)1.0;
        }
    }
    MODEL_REAL score = (MODEL_REAL)0.0;
    for (int k = 0; k < MODEL_OUTPUTS; k++) {
        result->parts[k] = result->parts[k] / total;
        score += result->parts[k];
    }
    MODEL_REAL sudden = (MODEL_REAL)0.0;
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

uint32_t model_step(model_state *state, const MODEL_REAL x[MODEL_READINGS], model_result *result)
{
    MODEL_REAL row[3];
    uint8_t blind[MODEL_OUTPUTS];
    MODEL_REAL quick[MODEL_OUTPUTS];
    int16_t q[3];
    int32_t r[MODEL_OUTPUTS];
    const uint32_t status = model_look(state, x, row, result);
    model_counts(q, row);
    model_delays(state, q);
    model_complete(blind, q);
    model_add_terms(q, r, result);
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
        state->rings[k] = -INT32_C(32768);
    }
    for (k = 0; k < MODEL_OUTPUTS; k++) {
        state->slow[k] = (MODEL_REAL)0.0;
        state->level[k] = (MODEL_REAL)0.0;
        state->evidence[k] = (MODEL_REAL)1.0;
    }
    for (k = 0; k < 1; k++) {
        state->heads[k] = 0U;
    }
    state->threshold = (MODEL_REAL)4.0;
    state->quiet = INT32_C(1073741824);
    state->onsets = 0U;
    state->alarms = 0U;
    state->rows = 0U;
}

size_t model_state_size(void)
{
    return sizeof(model_state);
}

void model_readings_q(const MODEL_REAL x[MODEL_READINGS], int16_t q[MODEL_READINGS])
{
    for (int k = 0; k < MODEL_READINGS; k++) {
        MODEL_ROW(model_grid, step, &model_steps[k]);
        MODEL_REAL value = x[k];
        q[k] = MODEL_NONE;
        if ((value >= -(MODEL_REAL)1.2676506002282294e+30) && (value <= (MODEL_REAL)1.2676506002282294e+30)) {
            value = ((value - step->centre) * step->scale) + (MODEL_REAL)0.5;
            value = (value < (MODEL_REAL)-32767) ? (MODEL_REAL)-32767 : value;
            value = (value > (MODEL_REAL)32767) ? (MODEL_REAL)32767 : value;
            const int32_t whole = (int32_t)value;
            q[k] = (int16_t)(((MODEL_REAL)whole > value) ? (whole - 1) : whole);
        }
    }
}
#endif

#define MODEL_WIDE_Q INT32_C(262136)
#define MODEL_TRACK_Q 5
#define MODEL_STRAY_Q 12288
#define MODEL_SETTLING_Q 4
#define MODEL_HIGHEST_Q INT32_C(8388352)
#define MODEL_SMOOTHING_Q 8192
#define MODEL_MOST_Q INT32_C(524287)
#define MODEL_HALF_Q 1024
#define MODEL_BITS_Q 11
#define MODEL_CLIP_Q 32767
#define MODEL_SCALE_Q 8192
#define MODEL_FIRST_Q 11
#define MODEL_HALF_SECOND_Q 16384
#define MODEL_SECOND_Q 15
#define MODEL_ALIGN_Q 7
#define MODEL_HALF_CUT_Q 1
#define MODEL_CUT_Q 1
#define MODEL_QUICK_SHIFT_Q 15
#define MODEL_WARM_UP_Q 10
#define MODEL_THRESHOLD_Q INT32_C(524288)
#define MODEL_HOLD_Q 3

typedef struct {
    int16_t low;
    uint16_t high;
    uint16_t jump;
    uint8_t stuck;
    uint8_t now;
} model_sensors_q;

static const model_sensors_q model_sensors_q_rows[] MODEL_ROM = {
    {-18016, 18029, 16384, 5, 0},
    {-18029, 18016, INT32_C(65535), 0, 3},
};

typedef struct {
    int32_t bias;
    uint16_t own;
    uint16_t factor;
    uint8_t reading;
    uint8_t shift;
    uint8_t terms;
} model_watched_q;

static const model_watched_q model_watched_q_rows[] MODEL_ROM = {
    {-INT32_C(108102336), 11872, 1413, 1, 13, 2},
    {-INT32_C(39076288), 11916, 1408, 0, 14, 1},
};

static const int16_t model_watched_terms_q_coef[] MODEL_ROM = {
    -1484, -742, 5958};

static const uint8_t model_watched_terms_q_place[] MODEL_ROM = {
    0, 2, 3};

/* Note what is wrong with the integers; take over what others may read of them. Histories move on by a row. */
static uint32_t model_look_q(model_state_q *state, const int16_t q[MODEL_READINGS], model_result_q *result)
{
    uint32_t status = 0;
    for (int i = 3; i > 0; i--) {
        state->memory[i] = state->memory[i - 1];
    }
    for (int k = 0; k < 2; k++) {
        MODEL_ROW(model_sensors_q, sensor, &model_sensors_q_rows[k]);
        const int32_t value = q[k];
        int32_t cut = MODEL_NONE;
        uint8_t fault = MODEL_OK;
        if (value == MODEL_NONE) {
            fault = MODEL_MISSING;
        } else {
            cut = (value < sensor->low) ? sensor->low : ((value > sensor->high) ? sensor->high : value);
            if (cut != value) {
                fault = MODEL_RANGE;
            }
            const int32_t before = state->last[k];
            if (value != before) {
                int32_t change = value - before;
                change = (change < 0) ? -change : change;
                if ((change > sensor->jump) && (fault == MODEL_OK) && (before != MODEL_NONE)) {
                    fault = MODEL_JUMP;
                }
                state->last[k] = (int16_t)value;
                state->run[k] = 1;
            } else if (sensor->stuck > 0) {
                if (state->run[k] <= sensor->stuck) {
                    state->run[k]++;
                }
                if (state->run[k] > sensor->stuck) {
                    fault = MODEL_STUCK;
                    cut = MODEL_NONE;
                }
            }
        }
        state->memory[sensor->now] = (int16_t)cut;
        result->faults[k] = fault;
        if (fault != MODEL_OK) {
            status = status | (UINT32_C(1) << k);
        }
    }
    return status;
}

/* A residual without the level that it had so far, which is remembered times 2^TRACK. */
static int32_t model_tracked_q(model_state_q *state, model_result_q *result, int k, int32_t r)
{
    r = ((r < (-MODEL_WIDE_Q)) ? (-MODEL_WIDE_Q) : ((r > MODEL_WIDE_Q) ? MODEL_WIDE_Q : r)) - MODEL_FLOOR(state->level[k], MODEL_TRACK_Q);
    int32_t d = (r < (-MODEL_STRAY_Q)) ? (-MODEL_STRAY_Q) : ((r > MODEL_STRAY_Q) ? MODEL_STRAY_Q : r);
    if (result->warming_up != 0) {
        d *= MODEL_SETTLING_Q;
    }
    state->level[k] = ((state->level[k] + d) < (-MODEL_HIGHEST_Q)) ? (-MODEL_HIGHEST_Q) : (((state->level[k] + d) > MODEL_HIGHEST_Q) ? MODEL_HIGHEST_Q : (state->level[k] + d));
    return r;
}

/* An average moved towards a value by rate / 2^(15 + shift) of the way, rounded; between the two in any case. */
static int32_t model_move_q(int32_t average, int32_t value)
{
    const int32_t d = value - average;
    const int32_t moved = (MODEL_SMOOTHING_Q * MODEL_FLOOR(d, 15)) + MODEL_FLOOR(((MODEL_SMOOTHING_Q * ((int32_t)((uint32_t)d & 32767U))) + 16384), 15);
    return average + moved;
}

/* The score of a row over the weights of the sensors that had a say, and what each contributes. */
static void model_detect_q(model_state_q *state, const int16_t q[MODEL_READINGS], model_result_q *result)
{
    int32_t r;
    int term_at = 0;
    int32_t score = 0;
    int32_t total = 0;
    int32_t sudden = 0;
    for (int k = 0; k < 2; k++) {
        MODEL_ROW(model_watched_q, watch, &model_watched_q_rows[k]);
        r = q[watch->reading];
        uint8_t known = (uint8_t)(r != MODEL_NONE);
        r = watch->bias + ((int32_t)watch->own * r);
        for (int n = watch->terms; n > 0; n--, term_at++) {
            const int32_t x = state->memory[(uint8_t)MODEL_READ_BYTE(&model_watched_terms_q_place[term_at])];
            if (x == MODEL_NONE) {
                known = 0;
            } else {
                r += (int32_t)(int16_t)MODEL_READ_WORD(&model_watched_terms_q_coef[term_at]) * x;
            }
        }
        result->parts[k] = 0;
        state->quick[k] = 0;
        if (!known) { /* its evidence stays as it was */
            continue;
        }
        r = MODEL_FLOOR(r, watch->shift);
        r = (r < (-MODEL_MOST_Q)) ? (-MODEL_MOST_Q) : ((r > MODEL_MOST_Q) ? MODEL_MOST_Q : r);
        r = MODEL_FLOOR(((r * (int32_t)watch->factor) + MODEL_HALF_Q), MODEL_BITS_Q);
        r = model_tracked_q(state, result, k, r);
        r = (r < (-MODEL_CLIP_Q)) ? (-MODEL_CLIP_Q) : ((r > MODEL_CLIP_Q) ? MODEL_CLIP_Q : r);
        /* What a residual says: of itself, and of its moving average in units of its own. */
        int32_t y = model_move_q(state->slow[k], r * MODEL_SCALE_Q);
        state->slow[k] = y;
        y = MODEL_FLOOR(((MODEL_FLOOR(y, MODEL_FIRST_Q) * 4096) + MODEL_HALF_SECOND_Q), MODEL_SECOND_Q);
        int32_t e = MODEL_FLOOR((y * y), 1) + MODEL_FLOOR((r * r), MODEL_ALIGN_Q);
        e = model_move_q(state->evidence[k], e);
        state->evidence[k] = e;
        e = MODEL_FLOOR((e + MODEL_HALF_CUT_Q), MODEL_CUT_Q);
        result->parts[k] = e;
        score += e;
        total++;
        state->quick[k] = (int16_t)r;
        sudden += MODEL_FLOOR((r * r), MODEL_QUICK_SHIFT_Q) * 179;
    }
    if (sudden > score) {
        score = sudden;
        for (int k = 0; k < 2; k++) {
            r = state->quick[k];
            result->parts[k] = MODEL_FLOOR((r * r), MODEL_QUICK_SHIFT_Q) * 179;
        }
    }
    result->score = score;
    result->total = total;
}

uint32_t model_step_q(model_state_q *state, const int16_t q[MODEL_READINGS], model_result_q *result)
{
    const uint32_t status = model_look_q(state, q, result);
    result->warming_up = 0;
    if (state->rows < MODEL_WARM_UP_Q) {
        state->rows++;
        result->warming_up = 1;
    }
    model_detect_q(state, q, result);
    result->alarm = 0;
    result->onset = 0;
    if (result->warming_up != 0) {
        return status;
    }
    /* While no sensor has a say, an alarm neither ends nor begins. */
    uint8_t hit = (uint8_t)(state->quiet == 0);
    if (result->total != 0) {
        const int32_t limit = MODEL_THRESHOLD_Q;
        hit = (uint8_t)(result->score > (limit * result->total));
    }
    if (hit != 0) {
        result->alarm = 1;
        result->onset = (uint8_t)((state->quiet > MODEL_HOLD_Q) ? 1 : 0);
        state->alarms++;
        state->onsets += result->onset;
        state->quiet = 0;
    } else if (state->quiet <= MODEL_HOLD_Q) {
        state->quiet++;
    }
    return status;
}

void model_start_q(model_state_q *state)
{
    int k;
    for (k = 0; k < MODEL_OUTPUTS; k++) {
        state->evidence[k] = INT32_C(262144);
        state->slow[k] = 0;
        state->level[k] = 0;
        state->quick[k] = 0;
    }
    for (k = 0; k < MODEL_READINGS; k++) {
        state->last[k] = -INT32_C(32768);
        state->run[k] = 0U;
    }
    for (k = 0; k < 4; k++) {
        state->memory[k] = -INT32_C(32768);
    }
    state->onsets = 0U;
    state->alarms = 0U;
    state->quiet = 4U;
    state->rows = 0U;
}

size_t model_state_q_size(void)
{
    return sizeof(model_state_q);
}

#ifdef MODEL_SELFTEST
#ifndef MODEL_NO_FLOAT
/* Once with what is missing beyond the limit, once with NaN. */
static int model_replay(int as_nan)
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
    MODEL_REAL x[MODEL_READINGS];
    int i;
    int k;
    model_start(&state);
    for (i = 0; i < 6; i++) {
        for (k = 0; k < MODEL_READINGS; k++) {
            x[k] = rows[i][k];
            x[k] = ((as_nan == 1) && (x[k] > (MODEL_REAL)1.2676506002282294e+30)) ? model_missing() : x[k];
        }
        (void)model_step(&state, x, &result);
    }
    for (i = 0; i < MODEL_OUTPUTS; i++) {
        MODEL_REAL error = result.values[i] - wanted[i];
        error = (error < (MODEL_REAL)0.0) ? -error : error;
        if (!(error <= (step * sizes[i]))) {
            return 0;
        }
    }
    MODEL_REAL error = result.score - (MODEL_REAL)2.4365630823031785;
    error = (error < (MODEL_REAL)0.0) ? -error : error;
    if (!(error <= (step * (MODEL_REAL)2554921.5705891377))) {
        return 0;
    }
    return 1;
}
#endif

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
    return ((result.score == INT32_C(319331)) && (result.total == 1)) ? 1 : 0;
}
#ifndef MODEL_NO_FLOAT
/* Readings become the integers that they must, each row twice: what is missing is beyond the limit, then NaN. Where a
   MODEL_REAL has 32 bits, its rounding may move what is not missing. */
static int model_encodes(const int16_t rows[6][MODEL_INPUTS])
{
    static const MODEL_REAL readings[6][MODEL_INPUTS] = {
        {(MODEL_REAL)1.0, (MODEL_REAL)-1.0, (MODEL_REAL)1.0},
        {(MODEL_REAL)0.0, (MODEL_REAL)-4.4, (MODEL_REAL)0.0},
        {(MODEL_REAL)2.2, (MODEL_REAL)0.0, (MODEL_REAL)2.2},
        {(MODEL_REAL)0.55, (MODEL_REAL)-2.2, (MODEL_REAL)1.6500000000000001},
        {(MODEL_REAL)0.0, (MODEL_REAL)-1.6500000000000004, (MODEL_REAL)0.55},
        {(MODEL_REAL)2.535301200456459e+30, (MODEL_REAL)-1.1, (MODEL_REAL)2.535301200456459e+30}};
    static const uint32_t statuses[6] = {UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(5)};
    MODEL_REAL x[MODEL_INPUTS];
    int16_t q[MODEL_INPUTS];
    int i;
    int k;
    int m;
    for (i = 0; i < 12; i++) {
        for (m = 0; m < MODEL_INPUTS; m++) {
            x[m] = readings[i / 2][m];
            x[m] = (((i % 2) == 1) && (x[m] > (MODEL_REAL)1.2676506002282294e+30)) ? model_missing() : x[m];
        }
        if (model_encode(x, q) != statuses[i / 2]) {
            return 0;
        }
        for (k = 0; k < 3; k++) {
            MODEL_ROW(model_grid, step, &model_steps[k]);
            m = step->place;
            if ((q[m] != rows[i / 2][m]) && ((sizeof(MODEL_REAL) >= 8U) || (readings[i / 2][m] > (MODEL_REAL)1.2676506002282294e+30))) {
                return 0;
            }
        }
    }
    return 1;
}
#endif

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
#ifndef MODEL_NO_FLOAT
    if (model_encodes(rows) == 0) {
        return 0;
    }
#endif
#ifndef MODEL_NO_FLOAT
    if (!(model_replay(0) && model_replay(1))) {
        return 0;
    }
#endif
    return model_replay_q();
}
#endif
