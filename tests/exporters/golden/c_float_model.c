#include "model.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

static float model_read(float value, float missing)
{
    if (!((value >= -1.2676506e+30f) && (value <= 1.2676506e+30f))) {
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
    static const float sizes[MODEL_OUTPUTS] = {50.0f};
    float z[MODEL_OUTPUTS];
    float error;
    int i;
    int m;
    for (i = 0; i < 6; i++) {
        z[0] = model_linear(rows[i]);
        for (m = 0; m < MODEL_OUTPUTS; m++) {
            error = z[m] - wanted[i][m];
            error = (error < 0.0f) ? -error : error;
            if (!(error <= (1.1920929e-07f * sizes[m]))) {
                return 0;
            }
        }
    }
    return 1;
}
#endif
