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

double model_linear(const double x[MODEL_INPUTS])
{
    const double x0 = model_read(x[0], 1.0);
    const double x1 = model_read(x[1], -1.0);
    double y = 0.5;
    y += 2.0 * x0;
    y += -0.125 * x1;
    return y;
}

double model_predict(const double x[MODEL_INPUTS])
{
    return model_linear(x);
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
    return status;
}

double model_predict_input(const model_input *input, uint32_t *status)
{
    double x[MODEL_INPUTS];
    x[0] = input->a;
    x[1] = input->b;
    *status = model_status(x);
    return model_predict(x);
}

void model_linear_batch(const double *x, size_t rows, double *y)
{
    size_t i;
    for (i = 0; i < rows; i++) {
        y[i] = model_linear(x + (i * MODEL_INPUTS));
    }
}

void model_predict_batch(const double *x, size_t rows, double *y)
{
    size_t i;
    for (i = 0; i < rows; i++) {
        y[i] = model_predict(x + (i * MODEL_INPUTS));
    }
}

#ifdef MODEL_SELFTEST
/* NaN by its bits: no division by zero, no library. */
static double model_missing(void)
{
    const union {
        uint32_t bits[2];
        double value;
    } nothing = {{UINT32_C(0xFFFFFFFF), UINT32_C(0xFFFFFFFF)}};
    return nothing.value;
}
/* Each row twice: what is missing is beyond the limit, then NaN. */
int model_selftest(void)
{
    static const double rows[6][MODEL_INPUTS] = {
        {1.0, -1.0},
        {0.0, -4.0},
        {2.0, 0.0},
        {0.6666666666666666, -1.3333333333333335},
        {0.0, -1.5},
        {2.535301200456459e+30, -1.0}};
    static const double wanted[6][MODEL_OUTPUTS] = {
        {2.625},
        {1.0},
        {4.5},
        {2.0},
        {0.6875},
        {2.625}};
    static const uint32_t statuses[6] = {UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(0), UINT32_C(1)};
    static const double sizes[MODEL_OUTPUTS] = {50.0};
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
        z[0] = model_linear(x);
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
    return 1;
}
#endif
