"""The C text of `detector_q_c`: templates, filled with `str.format`."""

from __future__ import annotations

from .detector_c import KEEP

HEADER = """
/* The detector in integers alone, from the sensors' integers to the alarm: no floating point, no division, 32 bits
   suffice by construction. A row holds one integer per reading, NONE where it is missing:
{steps}
   cut to +-32767. Readings out of range count as at the edge for others, not for their own residual; what reads a
   missing integer says nothing (missing ones are not estimated here). Proven: for readings within their ranges a
   residual, as far as it is not cut, is within {bound} of the model's, in units of its scale.
   A score is result.score * {P}_SCORE_UNIT / result.total; where no sensor has a say, total is 0. */
#define {P}_NONE (-32768)
#define {P}_SCORE_UNIT {unit}
typedef struct {{
{state}
}} {p}_state_q;

typedef struct {{
    int32_t score;
    int32_t total; /* {total} */
    int32_t parts[{P}_OUTPUTS]; /* of the score, per watched reading */
    uint8_t alarm;
    uint8_t onset; /* an alarm begins */
    uint8_t warming_up;
    uint8_t faults[{P}_READINGS];
}} {p}_result_q;

void {p}_start_q({p}_state_q *state);
/* Bit k: reading k is at fault (bit 31: any from 31 on). 0: all is well. */
uint32_t {p}_step_q({p}_state_q *state, const int16_t q[{P}_READINGS], {p}_result_q *result);
/* Readings as these integers; not needed where sensors deliver them. */
void {p}_readings_q(const {P}_REAL x[{P}_READINGS], int16_t q[{P}_READINGS]);
size_t {p}_state_q_size(void);
"""
MACROS = """
/* From here on no floating point, but in {p}_readings_q. A shift of a negative number rounds down; where a compiler's
   own does not, the second form of FLOOR does. */
#define {P}_FLOOR(value, bits) \\
    ((-1 >> 1 == -1) ? ((value) >> (bits)) : (((value) < 0) ? (-1 - ((-1 - (value)) >> (bits))) : ((value) >> (bits))))
#ifdef __AVR__
#define {P}_BYTE(from) pgm_read_byte(from)
#define {P}_WORD(from) pgm_read_word(from)
#else
#define {P}_BYTE(from) (*(from))
#define {P}_WORD(from) (*(from))
#endif
"""
TABLE = """
typedef struct {{
{members}
}} {p}_{name}_q;

static const {p}_{name}_q {p}_{name}_rows[] {P}_ROM = {{
{rows}
}};
"""
LOOK = """
/* Note what is wrong with the integers; take over what others may read of them. */
static uint32_t {p}_look_q({p}_state_q *state, const int16_t q[{P}_READINGS], uint8_t faults[{P}_READINGS])
{{
    uint32_t status = 0;
    size_t k;
{shift}    for (k = 0; k < {readings}U; k++) {{
{load[0]}        const int32_t value = q[k];
        int32_t kept = value;
        uint8_t fault = {P}_OK;
{load[1]}        if (value == {P}_NONE) {{
            fault = {P}_MISSING;
        }} else {{
            kept = (value < {low}) ? {low} : ((value > {high}) ? {high} : value);
            if (kept != value) {{
                fault = {P}_RANGE;
            }}
{health}        }}
        state->memory[{now}] = (int16_t)kept;
        faults[k] = fault;
        if (fault != {P}_OK) {{
            status |= UINT32_C(1) << {bit};
        }}
    }}
    return status;
}}
"""
SHIFT = """    for (k = {last}U; k > 0U; k--) {{
        state->memory[k] = state->memory[k - 1U];
    }}
"""
CHANGED = """            if (value != state->last[k]) {{
{jump}                state->last[k] = (int16_t)value;
{first}            }}{same}
"""
JUMP = """                const int32_t change = value - state->last[k];
                if ((fault == {P}_OK) && (state->last[k] != {P}_NONE)
                    && (((change < 0) ? -change : change) > {jump})) {{
                    fault = {P}_JUMP;
                }}
"""
SAME = """                if (state->run[k] <= {stuck}) {{
                    state->run[k]++;
                }}
                if (state->run[k] > {stuck}) {{
                    fault = {P}_STUCK;
                    kept = {P}_NONE;
                }}
"""
MAY = """                /* unchanged, and may be */
"""
MOVE = """
/* An average moved towards a value by rate / 2^15{more}, rounded; between the two in any case. */
static int32_t {p}_move_q(int32_t average, int32_t value, int32_t rate{parameter})
{{
    const int32_t d = value - average;
    const int32_t rest = (int32_t)((uint32_t)d & 32767U);
    const int32_t moved = (rate * {P}_FLOOR(d, 15)) + (((rate * rest) + 16384) >> 15);
    return average + {moved};
}}
"""
LEVEL = (
    """
/* A residual without the median of those before it; they are kept in order, each with its place in time. */
static int32_t {p}_level_q({p}_state_q *state, size_t k, int32_t r)
{{
    int16_t *sorted = state->sorted[k];
    {I} *times = state->times[k];
    size_t n = state->counts[k];
    const size_t now = state->nexts[k];
    const int32_t cut = (r > {wide}) ? {wide} : ((r < -{wide}) ? -{wide} : r);
    const int16_t kept = (int16_t){P}_FLOOR(cut + 4, 3);
    size_t i = 0;
    int32_t level = 0;
    if (n > 0U) {{
        level = sorted[n / 2U];
        level = ((n % 2U) != 0U) ? (level * 8) : ((level + sorted[(n / 2U) - 1U]) * 4);
    }}
"""
    + KEEP
    + """    return cut - level;
}}
"""
)
DETECT = """
static void {p}_detect_q({p}_state_q *state, const int16_t q[{P}_READINGS], {p}_result_q *result)
{{
    const {coefs} *coef = {p}_coefs_q;
    const {places} *place = {p}_places_q;
    int32_t score = 0;
    int32_t total = 0;
    size_t k;
    for (k = 0; k < {P}_OUTPUTS; k++) {{
{load[0]}        int32_t r;
        int32_t e;
{locals}        uint_fast8_t known = 1;
        {counts} n;
{load[1]}        r = q[{cells[reading]}];
        if (r == {P}_NONE) {{
            known = 0;
        }}
        r = {cells[bias]} + ({cells[own]} * r);
        for (n = {cells[terms]}; n > 0U; n--) {{
            const int32_t x = state->memory[{read_place}(place)];
            if (x == {P}_NONE) {{
                known = 0;
            }} else {{
                r += (int32_t)({coefs}){read_coef}(coef) * x;
            }}
            coef++;
            place++;
        }}
        result->parts[k] = 0;
        if (known == 0U) {{
            continue;
        }}
        r = {P}_FLOOR(r, {cells[shift]});
        r = (r > {most}) ? {most} : ((r < -{most}) ? -{most} : r);
        r = {P}_FLOOR((r * {cells[factor]}) + {half}, {bits});
{level}        r = (r > {clip}) ? {clip} : ((r < -{clip}) ? -{clip} : r);
{chart}        e = {p}_move_q(state->evidence[k], e, {smoothing});
        state->evidence[k] = e;
{part}    }}
{largest}    result->score = score;
    result->total = total;
}}
"""
AVERAGED = """        y = {p}_move_q(state->up[k], r * {scale}, {rate});
        state->up[k] = y;
"""
CUSUM = """        y = (state->up[k] + r) - {allowance};
        y = (y < 0) ? 0 : ((y > {top}) ? {top} : y);
        state->up[k] = y;
        down = (state->down[k] - r) - {allowance};
        down = (down < 0) ? 0 : ((down > {top}) ? {top} : down);
        state->down[k] = down;
        y = (y > down) ? y : down;
"""
SLOW = """        y = {P}_FLOOR(({P}_FLOOR(y, {first}) * {slow}) + {half}, {second});
"""
SLOW_CUT = """        y = (y > 32767) ? 32767 : ((y < -32767) ? -32767 : y);
"""
STEP = """
uint32_t {p}_step_q({p}_state_q *state, const int16_t q[{P}_READINGS], {p}_result_q *result)
{{
    const uint32_t status = {p}_look_q(state, q, result->faults);
{derive}    {p}_detect_q(state, q, result);
    result->alarm = 0U;
    result->onset = 0U;
{warm}
    if ((result->total != 0) ? (result->score > {limit}) : (state->quiet == 0U)) {{ /* 0: as it was */
        result->alarm = 1U;
        result->onset = (uint8_t)((state->quiet > {hold}U) ? 1 : 0);
        state->alarms++;
        state->onsets += result->onset;
        state->quiet = 0U;
    }} else if (state->quiet <= {hold}U) {{
        state->quiet++;
    }} else {{
        /* no alarm for long */
    }}
    return status;
}}

void {p}_start_q({p}_state_q *state)
{{
    size_t k;
{start}}}

void {p}_readings_q(const {P}_REAL x[{P}_READINGS], int16_t q[{P}_READINGS])
{{
    size_t k;
    for (k = 0; k < {readings}U; k++) {{
        {p}_grid step;
        {P}_REAL value = x[k];
        int32_t whole;
        {P}_LOAD(&step, &{p}_steps[{input}]);
        q[k] = {P}_NONE;
        if ((value >= -{L}) && (value <= {L})) {{
            value = ((value - step.centre) * step.scale) + ({P}_REAL)0.5;
            value = (value < ({P}_REAL)-32767) ? ({P}_REAL)-32767 : value;
            value = (value > ({P}_REAL)32767) ? ({P}_REAL)32767 : value;
            whole = (int32_t)value;
            q[k] = (int16_t)((({P}_REAL)whole > value) ? (whole - 1) : whole);
        }}
    }}
}}

size_t {p}_state_q_size(void)
{{
    return sizeof({p}_state_q);
}}
"""
WARM = """    result->warming_up = (uint8_t)((state->rows < {rows}U) ? 1 : 0);
    if (result->warming_up != 0U) {{
        state->rows++;
        return status;
    }}"""
REPLAY = """static int {p}_replay_q(void)
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
