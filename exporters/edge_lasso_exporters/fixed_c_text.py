"""What `fixed_c` writes as it stands: functions of the C files."""

BATCH = """
void {p}_predict_batch(const int16_t *q, size_t rows, int32_t *r)
{{
    size_t i;
    for (i = 0; i < rows; i++) {{
        {call}
    }}
}}
"""
SHIFT = """
static int32_t {p}_shift(uint32_t value, unsigned int bits)
{{
    /* An arithmetic shift with rounding that does not depend on the compiler: |value| < 2^30, modulo 2^32. */
    const uint32_t lifted = value + UINT32_C(0x40000000) + (UINT32_C(1) << (bits - 1U));
    return (int32_t)(lifted >> bits) - (int32_t)(UINT32_C(0x40000000) >> bits);
}}
"""
ENCODE = """
typedef struct {{
    {P}_REAL low;
    {P}_REAL high;
    {P}_REAL centre;
    {P}_REAL scale;
    int16_t first;
    int16_t last;
    int16_t missing;
    uint16_t place;
}} {p}_grid;

static const {p}_grid {p}_steps[] {P}_ROM = {{
{rows}
}};

uint32_t {p}_encode(const {P}_REAL x[{P}_INPUTS], int16_t q[{P}_INPUTS])
{{
    uint32_t status = 0;
    uint16_t i;
    for (i = 0; i < {count}U; i++) {{
        {P}_ROW({p}_grid, step, &{p}_steps[i]);
        {P}_REAL value = x[step->place];
        int known = 0;
        q[step->place] = step->missing;
        if ((value >= ({P}_REAL)-{L}) && (value <= ({P}_REAL){L})) {{
            if (step->scale == ({P}_REAL)0) {{ /* a category */
                if ((value >= ({P}_REAL)0) && (value <= step->high) && (value == ({P}_REAL)(int32_t)value)) {{
                    known = 1;
                    q[step->place] = (int16_t)value;
                }}
            }} else {{
                known = (value >= step->low) && (value <= step->high);
                value = (value < step->low) ? step->low : ((value > step->high) ? step->high : value);
                value = ((value - step->centre) * step->scale) + ({P}_REAL)0.5;
                value = (value < ({P}_REAL)step->first) ? ({P}_REAL)step->first : value;
                value = (value > ({P}_REAL)step->last) ? ({P}_REAL)step->last : value;
                const int32_t whole = (int32_t)value;
                q[step->place] = (int16_t)((({P}_REAL)whole > value) ? (whole - 1) : whole);
            }}
        }}
        if (!known) {{
            status |= UINT32_C(1) << ((i < 31U) ? i : 31U);
        }}
    }}
    return status;
}}
"""
PROBABILITY = """
static const uint16_t {p}_knots[] {P}_ROM = {{{knots}}};

uint32_t {p}_probability(int32_t r)
{{
    const uint32_t size = (r < 0) ? (UINT32_C(0) - (uint32_t)r) : (uint32_t)r;
    uint16_t low;
    uint16_t high;
    uint32_t p;
    {P}_LOAD(&low, &{p}_knots[{last}]);
    p = low;
    if (size < UINT32_C({limit})) {{
        const uint32_t v = {v};
        const uint32_t i = v >> 9;
        if (i < {last}U) {{
            {P}_LOAD(&low, &{p}_knots[i]);
            {P}_LOAD(&high, &{p}_knots[i + 1U]);
            p = low + ((((uint32_t)(high - low) * (v & 511U)) + 256U) >> 9);
        }}
    }}
    return (r < 0) ? (UINT32_C(65536) - p) : p;
}}
"""
ENCODES = """{missing}
/* Readings become the integers that they must, each row twice: what is missing is beyond the limit, then NaN. Where a
   {P}_REAL has 32 bits, its rounding may move what is not missing. */
static int {p}_encodes(const int16_t rows[{count}][{P}_INPUTS])
{{
    static const {P}_REAL readings[{count}][{P}_INPUTS] = {{
        {readings}}};
    static const uint32_t statuses[{count}] = {{{statuses}}};
    {P}_REAL x[{P}_INPUTS];
    int16_t q[{P}_INPUTS];
    int i;
    int k;
    int m;
    for (i = 0; i < {twice}; i++) {{
        for (m = 0; m < {P}_INPUTS; m++) {{
            x[m] = readings[i / 2][m];
            x[m] = (((i % 2) == 1) && (x[m] > ({P}_REAL){L})) ? {p}_missing() : x[m];
        }}
        if ({p}_encode(x, q) != statuses[i / 2]) {{
            return 0;
        }}
        for (k = 0; k < {inputs}; k++) {{
            {P}_ROW({p}_grid, step, &{p}_steps[k]);
            m = step->place;
            if ((q[m] != rows[i / 2][m]) && ((sizeof({P}_REAL) >= 8U) || (readings[i / 2][m] > ({P}_REAL){L}))) {{
                return 0;
            }}
        }}
    }}
    return 1;
}}
"""
ENCODED = """    if ({p}_encodes(rows) == 0) {{
        return 0;
    }}
"""
SELFTEST = """
#ifdef {P}_SELFTEST{encodes}

int {p}_selftest(void)
{{
    static const int16_t rows[{count}][{P}_INPUTS] = {{
        {rows}}};
    static const int32_t wanted[{count}][{P}_OUTPUTS] = {{
        {wanted}}};
    int32_t r[{P}_OUTPUTS];
    int i;
    int m;
    for (i = 0; i < {count}; i++) {{
        {call}
        for (m = 0; m < {P}_OUTPUTS; m++) {{
            if (r[m] != wanted[i][m]) {{
                return 0;
            }}
        }}
    }}
{encoded}    return 1;
}}
#endif
"""


NEWLINE = "\n"


def without_float(upper: str, text: str) -> str:
    """What is left out where floating point is: ``NAME_NO_FLOAT``."""
    return f"\n#ifndef {upper}_NO_FLOAT\n{text.strip(NEWLINE)}\n#endif\n"
