/* SPDX-License-Identifier: 0BSD
   Made by edge-lasso 0.1.0. A sparse linear model: no heap; rows one after another: the caller owns the state.
   Output 0: b
   Output 1: a
 */
#ifndef MODEL_H_
#define MODEL_H_
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define MODEL_VERSION "1.0.0"
#define MODEL_HASH "508b07e8e0d56f5e37e7b90c9643ea15fbad6fdef211c8f95411cc2ac34af7e3"
#define MODEL_INPUTS 3
#define MODEL_OUTPUTS 2

/* Places in a row of readings. */
#define MODEL_IN_A 0 /* a [K], default 1.0, 0.0 to 2.0 */
#define MODEL_IN_B 1 /* b, default -1.0, -4.0 to 0.0 */
#define MODEL_IN_A_LAG2 2 /* a.lag2, default 1.0, 0.0 to 2.0 */

typedef struct {
    double a;
    double b;
    double a_lag2;
} model_input;

/* Readings that are missing (NaN, or beyond the limit) are replaced by their defaults. */
void model_linear(const double x[MODEL_INPUTS], double y[MODEL_OUTPUTS]);
void model_predict(const double x[MODEL_INPUTS], double y[MODEL_OUTPUTS]);
/* Bit i: input i is missing or out of its range (bit 31: any from 31 on). 0: all is well. */
uint32_t model_status(const double x[MODEL_INPUTS]);
void model_predict_input(const model_input *input, uint32_t *status, double y[MODEL_OUTPUTS]);
void model_linear_batch(const double *x, size_t rows, double *y);
void model_predict_batch(const double *x, size_t rows, double *y);
/* Rows taken in one after another. Places in a row of readings: */
#define MODEL_READINGS 2
#define MODEL_READ_A 0 /* a */
#define MODEL_READ_B 1 /* b */
/* Input 2, a.lag2: lag 2 of a. */
#define MODEL_WARM_UP 10 /* rows without an alarm */

/* What is wrong with a reading. */
#define MODEL_OK 0U
#define MODEL_MISSING 1U
#define MODEL_STUCK 2U
#define MODEL_JUMP 3U
#define MODEL_RANGE 4U

/* What `step` remembers: the caller's to keep, one for each sequence of rows. */
typedef struct {
    double last[MODEL_READINGS];
    double rings[2]; /* the last readings, ring after ring */
    double slow[MODEL_OUTPUTS];
    double level[MODEL_OUTPUTS]; /* of the residuals, tracked */
    double evidence[MODEL_OUTPUTS];
    double threshold; /* of the score */
    int32_t quiet; /* rows since the last alarm; below 0: in it */
    uint32_t onsets; /* alarms that began */
    uint32_t alarms; /* rows in alarm */
    uint8_t rows; /* up to the warm-up */
    uint8_t run[MODEL_READINGS];
    uint8_t heads[1];
} model_state;

typedef struct {
    double values[MODEL_OUTPUTS];
    double score;
    double parts[MODEL_OUTPUTS]; /* of the score, per watched reading */
    uint8_t alarm;
    uint8_t onset; /* an alarm begins */
    uint8_t warming_up;
    uint8_t faults[MODEL_READINGS];
} model_result;

void model_start(model_state *state);
/* Take in one row; a reading that is missing is NaN, or beyond the limit.
   Bit k: reading k is at fault (bit 31: any from 31 on). 0: all is well. */
uint32_t model_step(model_state *state, const double x[MODEL_READINGS], model_result *result);
size_t model_state_size(void);
#ifdef MODEL_SELFTEST
int model_selftest(void); /* 1: this board computes what the model must */
#endif

#ifdef __cplusplus
}
#endif

#endif
