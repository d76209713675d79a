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
    static const double sizes[MODEL_OUTPUTS] = {50.0};
    double z[MODEL_OUTPUTS];
    double error;
    int i;
    int m;
    for (i = 0; i < 6; i++) {
        z[0] = model_linear(rows[i]);
        for (m = 0; m < MODEL_OUTPUTS; m++) {
            error = z[m] - wanted[i][m];
            error = (error < 0.0) ? -error : error;
            if (!(error <= (((sizeof(double) >= 8U) ? 2.220446049250313e-16 : 1.1920928955078125e-07) * sizes[m]))) {
                return 0;
            }
        }
    }
    return 1;
}
#endif
