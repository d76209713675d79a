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

int32_t model_predict(const int16_t q[MODEL_INPUTS])
{
    uint32_t sum;
#ifdef __AVR__
    sum = UINT32_C(4090169344) /* -204797952 */;
    sum += (uint32_t)UINT16_C(16384) * MODEL_UP(q[0]);
    sum += (uint32_t)UINT16_C(2048) * MODEL_DOWN(q[1]);
#else
    sum = UINT32_C(399179776);
    sum += (uint32_t)(INT32_C(16384) * (int32_t)q[0]);
    sum += (uint32_t)(INT32_C(-2048) * (int32_t)q[1]);
#endif
    return MODEL_SIGNED(sum);
}

void model_predict_batch(const int16_t *q, size_t rows, int32_t *r)
{
    size_t i;
    for (i = 0; i < rows; i++) {
        r[i] = model_predict(q + (i * MODEL_INPUTS));
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
};

uint32_t model_encode(const MODEL_REAL x[MODEL_INPUTS], int16_t q[MODEL_INPUTS])
{
    uint32_t status = 0;
    uint16_t i;
    for (i = 0; i < 2U; i++) {
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

int32_t model_predict_input(const model_input *input, uint32_t *status)
{
    MODEL_REAL x[MODEL_INPUTS];
    int16_t q[MODEL_INPUTS];
    x[0] = input->a;
    x[1] = input->b;
    *status = model_encode(x, q);
    return model_predict(q);
}

MODEL_REAL model_decode(int32_t r)
{
    return ((MODEL_REAL)r * (MODEL_REAL)7.450580596923828e-09) + (MODEL_REAL)0.0;
}
#endif

#ifdef MODEL_SELFTEST
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
/* Readings become the integers that they must, each row twice: what is missing is beyond the limit, then NaN. Where a
   MODEL_REAL has 32 bits, its rounding may move what is not missing. */
static int model_encodes(const int16_t rows[6][MODEL_INPUTS])
{
    static const MODEL_REAL readings[6][MODEL_INPUTS] = {
        {(MODEL_REAL)1.0, (MODEL_REAL)-1.0},
        {(MODEL_REAL)0.0, (MODEL_REAL)-4.4},
        {(MODEL_REAL)2.2, (MODEL_REAL)0.0},
        {(MODEL_REAL)0.7333333333333334, (MODEL_REAL)-1.4666666666666668},
        {(MODEL_REAL)0.0, (MODEL_REAL)-1.6500000000000004},
        {(MODEL_REAL)2.535301200456459e+30, (MODEL_REAL)-1.1}};
    static const uint32_t statuses[6] = {UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(1)};
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
        for (k = 0; k < 2; k++) {
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
        {-1632, 9824},
        {-18016, -18029},
        {18029, 18016},
        {-6001, 6001},
        {-18016, 4499},
        {-1632, 9005}};
    static const int32_t wanted[6][MODEL_OUTPUTS] = {
        {INT32_C(352321536)},
        {INT32_C(140929024)},
        {INT32_C(657670144)},
        {INT32_C(288569344)},
        {INT32_C(94791680)},
        {INT32_C(353998848)}};
    int32_t r[MODEL_OUTPUTS];
    int i;
    int m;
    for (i = 0; i < 6; i++) {
        r[0] = model_predict(rows[i]);
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
    return 1;
}
#endif
