"""What stands around the printed programs in C: templates, filled with `str.format`."""

from __future__ import annotations

READS = """
#ifdef __AVR__
#define {P}_READ_BYTE(from) pgm_read_byte(from)
#define {P}_READ_WORD(from) pgm_read_word(from)
#define {P}_READ_LONG(from) pgm_read_dword(from)
#else
#define {P}_READ_BYTE(from) (*(from))
#define {P}_READ_WORD(from) (*(from))
#define {P}_READ_LONG(from) (*(from))
#endif
"""
FLOOR = """
/* A shift of a negative number rounds down; where a compiler's own does not, the second form does. */
#define {P}_FLOOR(value, bits) \\
    ((-1 >> 1 == -1) ? ((value) >> (bits)) : (((value) < 0) ? (-1 - ((-1 - (value)) >> (bits))) : ((value) >> (bits))))
"""
FLOORED = """
static int32_t {p}_floored({T} value)
{{
    const int32_t whole = (int32_t)value;
    return (({T})whole > value) ? (whole - 1) : whole;
}}
"""
SIZE = """
size_t {p}_state{suffix}_size(void)
{{
    return sizeof({p}_state{suffix});
}}
"""
HEADER_Q = """
/* The detector in integers alone, from the sensors' integers to the alarm: no floating point, no division, 32 bits
   suffice by construction. A row holds one integer per reading, NONE where it is missing:
{steps}
   cut to +-32767. Readings out of range count as at the edge for others, not for their own residual; what reads a
   missing integer says nothing (missing ones are not estimated here). Proven: for readings within their ranges a
   residual, as far as it is not cut, is within {bound} of the model's, in units of its scale.
   A score is result.score * {P}_SCORE_UNIT / result.total; where no sensor has a say, total is 0. */
#define {P}_NONE (-32768)
#define {P}_SCORE_UNIT {unit}
{state}
{result}
{start};
/* Bit k: reading k is at fault (bit 31: any from 31 on). 0: all is well. */
{step};
#ifndef {P}_NO_FLOAT
/* Readings as these integers; not needed where sensors deliver them. */
void {p}_readings_q(const {P}_REAL x[{P}_READINGS], int16_t q[{P}_READINGS]);
#endif
size_t {p}_state_q_size(void);
"""
READINGS_Q = """
void {p}_readings_q(const {T} x[{P}_READINGS], int16_t q[{P}_READINGS])
{{
{inputs}    for (int k = 0; k < {P}_READINGS; k++) {{
        {P}_ROW({p}_grid, step, &{p}_steps[{input}]);
        {T} value = x[k];
        q[k] = {P}_NONE;
        if ((value >= -{L}) && (value <= {L})) {{
            value = ((value - step->centre) * step->scale) + {half};
            value = (value < ({T})-32767) ? ({T})-32767 : value;
            value = (value > ({T})32767) ? ({T})32767 : value;
            const int32_t whole = (int32_t)value;
            q[k] = (int16_t)((({T})whole > value) ? (whole - 1) : whole);
        }}
    }}
}}
"""
REPLAY = """/* Once with what is missing beyond the limit, once with NaN. */
static int {p}_replay(int as_nan)
{{
    static const {T} rows[{count}][{P}_READINGS] = {{
        {rows}}};
    static const {T} wanted[{P}_OUTPUTS] = {{{wanted}}};
    static const {T} sizes[{P}_OUTPUTS] = {{{sizes}}};
    const {T} step = {step};
    {p}_state state;
    {p}_result result;
    {T} x[{P}_READINGS];
    int i;
    int k;
    {p}_start(&state);
    for (i = 0; i < {count}; i++) {{
        for (k = 0; k < {P}_READINGS; k++) {{
            x[k] = rows[i][k];
            x[k] = ((as_nan == 1) && (x[k] > {L})) ? {p}_missing() : x[k];
        }}
        (void){p}_step(&state, x, &result);
    }}
    for (i = 0; i < {P}_OUTPUTS; i++) {{
        {T} error = result.{z}[i] - wanted[i];
        error = (error < {zero}) ? -error : error;
        if (!(error <= (step * sizes[i]))) {{
            return 0;
        }}
    }}
{score}    return 1;
}}
"""
SCORE = """    {T} error = result.score - {score};
    error = (error < {zero}) ? -error : error;
    if (!(error <= (step * {room}))) {{
        return 0;
    }}
"""
REPLAY_Q = """static int {p}_replay_q(void)
{{
    static const int16_t rows[{count}][{P}_READINGS] = {{
        {rows}}};
    {p}_state_q state;
    {p}_result_q result;
    int i;
    {p}_start_q(&state);
    for (i = 0; i < {count}; i++) {{
        (void){p}_step_q(&state, rows[i], &result);
    }}
    return ((result.score == {score}) && (result.total == {total})) ? 1 : 0;
}}
"""
