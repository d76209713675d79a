/* SPDX-License-Identifier: 0BSD
   Made by edge-lasso 0.1.0. A sparse linear model: no heap, no state.
   Output 0: y [V]
 */
#ifndef MODEL_H_
#define MODEL_H_
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define MODEL_VERSION "1.0.0"
#define MODEL_HASH "8610d1a680e7dc6b62ebc182c23d02d110b38ce62002ea52be0623e214698029"
#define MODEL_INPUTS 2
#define MODEL_OUTPUTS 1

/* Places in a row of readings. */
#define MODEL_IN_A 0 /* a [K], default 1.0, 0.0 to 2.0 */
#define MODEL_IN_B 1 /* b, default -1.0, -4.0 to 0.0 */

typedef struct {
    float a;
    float b;
} model_input;

/* Readings that are missing (NaN, or beyond the limit) are replaced by their defaults. */
float model_linear(const float x[MODEL_INPUTS]);
float model_predict(const float x[MODEL_INPUTS]);
/* Bit i: input i is missing or out of its range (bit 31: any from 31 on). 0: all is well. */
uint32_t model_status(const float x[MODEL_INPUTS]);
float model_predict_input(const model_input *input, uint32_t *status);
void model_linear_batch(const float *x, size_t rows, float *y);
void model_predict_batch(const float *x, size_t rows, float *y);
#ifdef MODEL_SELFTEST
int model_selftest(void); /* 1: this board computes what the model must */
#endif

#ifdef __cplusplus
}
#endif

#endif
