/* SPDX-License-Identifier: 0BSD */
#include "model.h"

#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(_M_FP_FAST) || \
    (defined(__FINITE_MATH_ONLY__) && (__FINITE_MATH_ONLY__ > 0))
#error "a missing reading is NaN: compile this file without -ffast-math, -Ofast and -ffinite-math-only"
#endif

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

typedef uint32_t model_bits;
#define MODEL_LIMIT_BITS UINT32_C(0xe3000000)
static float model_read(float value, float missing)
{
    /* The bits without the sign: numbers by their size, then infinity, then NaN. Where floating point is software, one
       comparison of integers is far smaller and faster than two of numbers. */
    union {
        float number;
        model_bits bits;
    } reading;
    reading.number = value;
    if ((reading.bits << 1) > MODEL_LIMIT_BITS) {
        return missing;
    }
    return value;
}

float model_linear(const float x[MODEL_INPUTS])
{
    const float x0 = model_read(x[0], 1.0f);
    const float x1 = model_read(x[1], -1.0f);
    float y = 0.5f;
    y += 2.0f * x0;
    y += -0.125f * x1;
    return y;
}

float model_predict(const float x[MODEL_INPUTS])
{
    return model_linear(x);
}

uint32_t model_status(const float x[MODEL_INPUTS])
{
    uint32_t status = 0;
    if (!((x[0] >= 0.0f) && (x[0] <= 2.0f))) {
        status |= UINT32_C(1);
    }
    if (!((x[1] >= -4.0f) && (x[1] <= 0.0f))) {
        status |= UINT32_C(2);
    }
    return status;
}

float model_predict_input(const model_input *input, uint32_t *status)
{
    float x[MODEL_INPUTS];
    x[0] = input->a;
    x[1] = input->b;
    *status = model_status(x);
    return model_predict(x);
}

void model_linear_batch(const float *x, size_t rows, float *y)
{
    size_t i;
    for (i = 0; i < rows; i++) {
        y[i] = model_linear(x + (i * MODEL_INPUTS));
    }
}

void model_predict_batch(const float *x, size_t rows, float *y)
{
    size_t i;
    for (i = 0; i < rows; i++) {
        y[i] = model_predict(x + (i * MODEL_INPUTS));
    }
}

#ifdef MODEL_SELFTEST
/* NaN by its bits: no division by zero, no library. */
static float model_missing(void)
{
    const union {
        uint32_t bits[2];
        float value;
    } nothing = {{UINT32_C(0xFFFFFFFF), UINT32_C(0xFFFFFFFF)}};
    return nothing.value;
}
/* Each row twice: what is missing is beyond the limit, then NaN. */
int model_selftest(void)
{
    static const float rows[6][MODEL_INPUTS] = {
        {1.0f, -1.0f},
        {0.0f, -4.0f},
        {2.0f, 0.0f},
        {0.666666687f, -1.33333337f},
        {0.0f, -1.5f},
        {2.5353012e+30f, -1.0f}};
    static const float wanted[6][MODEL_OUTPUTS] = {
        {2.625f},
        {1.0f},
        {4.5f},
        {2.0f},
        {0.6875f},
        {2.625f}};
    static const uint32_t statuses[6] = {UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(1)};
    static const float sizes[MODEL_OUTPUTS] = {50.0f};
    float x[MODEL_INPUTS];
    float z[MODEL_OUTPUTS];
    float error;
    int i;
    int m;
    for (i = 0; i < 12; i++) {
        for (m = 0; m < MODEL_INPUTS; m++) {
            x[m] = rows[i / 2][m];
            x[m] = (((i % 2) == 1) && (x[m] > 1.2676506e+30f)) ? model_missing() : x[m];
        }
        z[0] = model_linear(x);
        for (m = 0; m < MODEL_OUTPUTS; m++) {
            error = z[m] - wanted[i / 2][m];
            error = (error < 0.0f) ? -error : error;
            if (!(error <= (1.1920929e-07f * sizes[m]))) {
                return 0;
            }
        }
        if (model_status(x) != statuses[i / 2]) {
            return 0;
        }
    }
    return 1;
}
#endif
