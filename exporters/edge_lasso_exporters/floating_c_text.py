"""What `floating_c` writes as it stands: functions of the C files."""

READ = """
{bits}
static {T} {p}_read({T} value, {T} missing{limits})
{{
    /* The bits without the sign: numbers by their size, then infinity, then NaN. Where floating point is software, one
       comparison of integers is far smaller and faster than two of numbers. */
    union {{
        {T} number;
        {p}_bits bits;
    }} reading;
    reading.number = value;
    if ((reading.bits << 1) > {P}_LIMIT_BITS) {{
        return missing;
    }}
{clamp}    return value;
}}
"""
BITS = """typedef uint{size}_t {p}_bits;
#define {P}_LIMIT_BITS UINT{size}_C({limit})"""
BITS_OF_DOUBLE = """#if DBL_MANT_DIG == 24 /* a double of 32 bits */
{narrow}
#else
{wide}
#endif"""
STATUS_LOOP = """
typedef struct {{
    uint16_t place;
    {T} low;
    {T} high;
}} {p}_range;

static const {p}_range {p}_ranges[] {P}_ROM = {{
{rows}
}};

uint32_t {p}_status(const {T} x[{P}_INPUTS])
{{
    uint32_t status = 0;
    uint16_t i;
    for (i = 0; i < {count}U; i++) {{
        {P}_ROW({p}_range, range, &{p}_ranges[i]);
        if (!((x[range->place] >= range->low) && (x[range->place] <= range->high))) {{
            status |= UINT32_C(1) << ((i < 31U) ? i : 31U);
        }}
    }}
    return status;
}}
"""
SELFTEST = """
#ifdef {P}_SELFTEST
{missing}
/* Each row twice: what is missing is beyond the limit, then NaN. */
int {p}_selftest(void)
{{
    static const {T} rows[{count}][{P}_INPUTS] = {{
        {rows}}};
    static const {T} wanted[{count}][{P}_OUTPUTS] = {{
        {wanted}}};
    static const uint32_t statuses[{count}] = {{{statuses}}};
    static const {T} sizes[{P}_OUTPUTS] = {{{sizes}}};
    {T} x[{P}_INPUTS];
    {T} z[{P}_OUTPUTS];
    {T} error;
    int i;
    int m;
    for (i = 0; i < {twice}; i++) {{
        for (m = 0; m < {P}_INPUTS; m++) {{
            x[m] = rows[i / 2][m];
            x[m] = (((i % 2) == 1) && (x[m] > {L})) ? {p}_missing() : x[m];
        }}
        {call}
        for (m = 0; m < {P}_OUTPUTS; m++) {{
            error = z[m] - wanted[i / 2][m];
            error = (error < {zero}) ? -error : error;
            if (!(error <= ({step} * sizes[m]))) {{
                return 0;
            }}
        }}
        if ({p}_status(x) != statuses[i / 2]) {{
            return 0;
        }}
    }}
    return 1;
}}
#endif
"""

CLAMP = """    if (value < low) {
        return low;
    }
    if (value > high) {
        return high;
    }
"""

LOGISTIC = """
static {T} {p}_link({T} z)
{{
    if (z >= {zero}) {{
        return {one} / ({one} + ({T}){exp}(-z));
    }}
    z = ({T}){exp}(z);
    return z / ({one} + z);
}}
"""

SOFTMAX = """
static void {p}_link({T} z[{P}_OUTPUTS])
{{
    {T} top = z[0];
    {T} total = {zero};
    int i;
    for (i = 1; i < {P}_OUTPUTS; i++) {{
        top = (z[i] > top) ? z[i] : top;
    }}
    for (i = 0; i < {P}_OUTPUTS; i++) {{
        z[i] = ({T}){exp}(z[i] - top);
        total += z[i];
    }}
    for (i = 0; i < {P}_OUTPUTS; i++) {{
        z[i] /= total;
    }}
}}
"""

EXP = """
static {T} {p}_link({T} z)
{{
    z = (z > {top}) ? {top} : z;
    z = (z < -{top}) ? -{top} : z;
    return ({T}){exp}(z);
}}
"""

EXP_SEVERAL = """
static void {p}_link({T} z[{P}_OUTPUTS])
{{
    int i;
    for (i = 0; i < {P}_OUTPUTS; i++) {{
        z[i] = (z[i] > {top}) ? {top} : z[i];
        z[i] = (z[i] < -{top}) ? -{top} : z[i];
        z[i] = ({T}){exp}(z[i]);
    }}
}}
"""

BATCH = """
void {p}_{what}_batch(const {T} *x, size_t rows, {T} *y)
{{
    size_t i;
    for (i = 0; i < rows; i++) {{
        {call}
    }}
}}
"""
