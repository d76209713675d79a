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
#define MODEL_HASH "8a7e26303cc8d90b2a29e3636af6dc9cf429e126298e88ddeaccdecfa0e33506"
#define MODEL_INPUTS 3
#define MODEL_OUTPUTS 2

/* Places in a row of readings. */
#define MODEL_IN_A 0 /* a [K], default 1.0, 0.0 to 2.2 */
#define MODEL_IN_B 1 /* b, default -1.0, -4.4 to 0.0 */
#define MODEL_IN_A_LAG2 2 /* a.lag2, default 1.0, 0.0 to 2.2 */

/* The readings as integers:
   a: q = floor((x - 1.099609375) * 16384.0 + 0.5), -18016 to 18029
   b: q = floor((x - -2.19921875) * 8192.0 + 0.5), -18029 to 18016
   a_lag2: q = floor((x - 1.099609375) * 16384.0 + 0.5), -18016 to 18029
   Proven: decode(predict(encode(x))) is within 1.1444091797786822e-05, 1.525878906309404e-05 of the model, over the declared ranges. */
#if !defined(MODEL_NO_FLOAT) && !defined(MODEL_REAL)
#define MODEL_REAL double /* of encode and decode; float where the board has no double */
#endif
/* Define MODEL_NO_FLOAT for the integers alone: no model_encode, no model_decode, no floating point. */

/* q as model_encode gives it: within those ranges nothing overflows, whatever the order. */
void model_predict(const int16_t q[MODEL_INPUTS], int32_t r[MODEL_OUTPUTS]);
void model_predict_batch(const int16_t *q, size_t rows, int32_t *r);
#ifndef MODEL_NO_FLOAT
/* Bit i: input i is missing or out of its range (bit 31: any from 31 on). 0: all is well. */
uint32_t model_encode(const MODEL_REAL x[MODEL_INPUTS], int16_t q[MODEL_INPUTS]);
MODEL_REAL model_decode(int32_t r, int output);
typedef struct {
    MODEL_REAL a;
    MODEL_REAL b;
    MODEL_REAL a_lag2;
} model_input;
void model_predict_input(const model_input *input, uint32_t *status, int32_t r[MODEL_OUTPUTS]);
#endif
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
#ifndef MODEL_NO_FLOAT
typedef struct {
    MODEL_REAL last[MODEL_READINGS];
    MODEL_REAL slow[MODEL_OUTPUTS];
    MODEL_REAL level[MODEL_OUTPUTS]; /* of the residuals, tracked */
    MODEL_REAL evidence[MODEL_OUTPUTS];
    MODEL_REAL threshold; /* of the score */
    int32_t quiet; /* rows since the last alarm; below 0: in it */
    uint32_t onsets; /* alarms that began */
    uint32_t alarms; /* rows in alarm */
    int16_t rings[2]; /* the last integers, ring after ring */
    uint8_t rows; /* up to the warm-up */
    uint8_t run[MODEL_READINGS];
    uint8_t heads[1];
} model_state;

typedef struct {
    MODEL_REAL values[MODEL_OUTPUTS];
    MODEL_REAL score;
    MODEL_REAL parts[MODEL_OUTPUTS]; /* of the score, per watched reading */
    uint8_t alarm;
    uint8_t onset; /* an alarm begins */
    uint8_t warming_up;
    uint8_t faults[MODEL_READINGS];
} model_result;

void model_start(model_state *state);
/* Take in one row; a reading that is missing is NaN, or beyond the limit.
   Bit k: reading k is at fault (bit 31: any from 31 on). 0: all is well. */
uint32_t model_step(model_state *state, const MODEL_REAL x[MODEL_READINGS], model_result *result);
size_t model_state_size(void);
#endif

/* The detector in integers alone, from the sensors' integers to the alarm: no floating point, no division, 32 bits
   suffice by construction. A row holds one integer per reading, NONE where it is missing:
     a: q = floor((x - 1.099609375) * 16384.0 + 0.5), -18016 to 18029
     b: q = floor((x - -2.19921875) * 8192.0 + 0.5), -18029 to 18016
   cut to +-32767. Readings out of range count as at the edge for others, not for their own residual; what reads a
   missing integer says nothing (missing ones are not estimated here). Proven: for readings within their ranges a
   residual, as far as it is not cut, is within 0.00135 of the model's, in units of its scale.
   A score is result.score * MODEL_SCORE_UNIT / result.total; where no sensor has a say, total is 0. */
#define MODEL_NONE (-32768)
#define MODEL_SCORE_UNIT 7.62939453125e-06
typedef struct {
    int32_t evidence[MODEL_OUTPUTS];
    int32_t slow[MODEL_OUTPUTS];
    int32_t level[MODEL_OUTPUTS]; /* 2^5 times */
    uint32_t onsets; /* alarms that began */
    uint32_t alarms; /* rows in alarm */
    int16_t quick[MODEL_OUTPUTS]; /* scratch: residuals */
    int16_t last[MODEL_READINGS];
    int16_t memory[4]; /* readings and their histories; what is computed from them */
    uint8_t quiet; /* rows since the last alarm, at most 4 */
    uint8_t rows; /* up to the warm-up */
    uint8_t run[MODEL_READINGS];
} model_state_q;

typedef struct {
    int32_t score;
    int32_t total; /* weights of the sensors that had a say */
    int32_t parts[MODEL_OUTPUTS]; /* of the score, per watched reading */
    uint8_t alarm;
    uint8_t onset; /* an alarm begins */
    uint8_t warming_up;
    uint8_t faults[MODEL_READINGS];
} model_result_q;

void model_start_q(model_state_q *state);
/* Bit k: reading k is at fault (bit 31: any from 31 on). 0: all is well. */
uint32_t model_step_q(model_state_q *state, const int16_t q[MODEL_READINGS], model_result_q *result);
#ifndef MODEL_NO_FLOAT
/* Readings as these integers; not needed where sensors deliver them. */
void model_readings_q(const MODEL_REAL x[MODEL_READINGS], int16_t q[MODEL_READINGS]);
#endif
size_t model_state_q_size(void);
#ifdef MODEL_SELFTEST
int model_selftest(void); /* 1: bit for bit as it must be */
#endif

#ifdef __cplusplus
}
#endif

#endif
