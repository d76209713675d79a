"""The C text of `stream_c`: templates, filled with `str.format`."""

from __future__ import annotations

MISSING = """
static {T} {p}_missing({T} nothing)
{{
    return nothing / nothing; /* NaN; called with 0, so that no compiler sees a constant division */
}}
"""
COUNT = """
/* A reading, cut to its range, as an integer. */
static int16_t {p}_count(const {p}_grid *step, {T} value)
{{
    int32_t whole;
    value = (value < step->low) ? step->low : ((value > step->high) ? step->high : value);
    value = ((value - step->centre) * step->scale) + ({T})0.5;
    value = (value < ({T})step->first) ? ({T})step->first : value;
    value = (value > ({T})step->last) ? ({T})step->last : value;
    whole = (int32_t)value;
    return (int16_t)((({T})whole > value) ? (whole - 1) : whole);
}}
"""
FLOOR = """
static int32_t {p}_floor(int32_t value, unsigned int bits)
{{
    /* An arithmetic shift that does not depend on the compiler: |value| < 2^30. */
    return (int32_t)(((uint32_t)value + UINT32_C(0x40000000)) >> bits) - (int32_t)(UINT32_C(0x40000000) >> bits);
}}
"""
LOOK = """
typedef struct {{
{members}
}} {p}_check;

static const {p}_check {p}_checks[] {P}_ROM = {{
{rows}
}};

/* Take over readings and note what is wrong with them; those that are stuck become missing. */
static uint32_t {p}_look(
    {state}const {T} given[{P}_READINGS], {R} {r}[{P}_INPUTS], {p}_result *result)
{{
    uint32_t status = 0;
    size_t k;
    for (k = 0; k < {count}U; k++) {{
        {p}_check check;
        {T} value = given[k];
        uint8_t fault = {P}_OK;
{load}
{category}        if (!((value >= -{L}) && (value <= {L}))) {{
            fault = {P}_MISSING;
            {r}[{place}] = {none};
        }} else {{
            fault = (uint8_t)(((value >= {low}) && (value <= {high})) ? {P}_OK : {P}_RANGE);
{keep}{health}        }}
        result->faults[k] = fault;
        if (fault != {P}_OK) {{
            status |= UINT32_C(1) << ((k < 31U) ? k : 31U);
        }}
    }}
{nothing}    return status;
}}
"""
CATEGORY = """        if ({is_category}) {{
            const int known = (value >= {zero}) && (value <= {last}) && (value == ({T})(int32_t)value);
            {r}[{place}] = known ? {cast}value : -1;
            result->faults[k] = (uint8_t)(known ? {P}_OK : {P}_MISSING);
            if (!known) {{
                status |= UINT32_C(1) << ((k < 31U) ? k : 31U);
            }}
            continue;
        }}
"""
CHANGED = """            if (!(value == state->last[k])) {{
                const {T} before = state->last[k];
                state->last[k] = value;
{first}                if ((fault == {P}_OK) && (before == before)) {{
                    const {T} change = value - before;
                    fault = (uint8_t)(((change <= check.jump) && (change >= -check.jump)) ? {P}_OK : {P}_JUMP);
                }}
            }}"""
SAME = """ else if (check.stuck > 0U) {{
                if (state->run[k] <= check.stuck) {{
                    state->run[k]++;
                }}
                if (state->run[k] > check.stuck) {{
                    fault = {P}_STUCK;
                    {r}[{place}] = {none};
                }}
            }} else {{
                /* unchanged, and may be */
            }}"""
DELAYS = (
    """
typedef struct {{
    {I} start;
    {I} size;
    uint16_t at;
}} {p}_source;

static const {p}_source {p}_sources[] {P}_ROM = {{
{sources}
}};

typedef struct {{
    uint16_t to;
    uint16_t at;
    uint16_t ring;
    uint16_t input;
    {I} length;
    uint8_t kind; /* 0 lag, 1 difference, 2 mean */
}} {p}_stream;

static const {p}_stream {p}_streams[] {P}_ROM = {{
{streams}
}};
""",
    """    for (i = 0; i < {count}U; i++) {{
        {p}_stream one;
        {p}_source source;
        const {R} *ring;
        size_t head;
        {P}_LOAD(&one, &{p}_streams[i]);
        {P}_LOAD(&source, &{p}_sources[one.ring]);
        ring = state->rings + source.start;
        head = state->heads[one.ring];
{now}{old}{inner}
    }}
""",
    """
/* Fill in the inputs that are computed from earlier readings, and remember this row's. */
static void {p}_delays({p}_state *state, {R} {r}[{P}_INPUTS])
{{
    size_t i;
{body}}}
""",
    """        {V} old = ring[(head >= one.length) ? (head - one.length) : ((head + source.size) - one.length)];
""",
)
MEAN = {
    False: """            {T} total = {zero};
            uint32_t count = 0;
            size_t k;
            for (k = one.length - 1U; k > 0U; k--) {{
                const {T} value = ring[(head >= k) ? (head - k) : ((head + source.size) - k)];
                if (value == value) {{
                    total += value;
                    count++;
                }}
            }}
            if (now == now) {{
                total += now;
                count++;
            }}
            x[one.to] = (count > 0U) ? (total / ({T})count) : {p}_missing({zero});
""",
    True: """            int32_t total = 0;
            int32_t count = 0;
            size_t k;
            for (k = one.length - 1U; k > 0U; k--) {{
                const int32_t value = ring[(head >= k) ? (head - k) : ((head + source.size) - k)];
                if (value != {none}) {{
                    total += value;
                    count++;
                }}
            }}
            if (now != {none}) {{
                total += now;
                count++;
            }}
            q[one.to] = {none};
            if (count > 0) {{
                int32_t whole;
                total = (2 * total) + count;
                count = 2 * count;
                whole = total / count;
                q[one.to] = (int16_t)(((total % count) < 0) ? (whole - 1) : whole);
            }}
""",
}
AVERAGE = (
    """
typedef struct {{
    {T} rate;
    uint16_t to;
    uint16_t at;
}} {p}_average;

static const {p}_average {p}_averages[] {P}_ROM = {{
{rows}
}};
""",
    """    for (i = 0; i < {count}U; i++) {{
        {p}_average one;
        {T} value;
        {P}_LOAD(&one, &{p}_averages[i]);
        value = x[one.at];
        if (value == value) {{
            if (state->averages[i] == state->averages[i]) {{
                value = state->averages[i] + ((value - state->averages[i]) * one.rate);
            }}
            state->averages[i] = value;
        }}
        x[one.to] = state->averages[i];
    }}
""",
)
FIXED_AVERAGE = (
    """
typedef struct {{
    uint16_t to;
    uint16_t at;
    int16_t rate;
    uint8_t shift;
}} {p}_average;

static const {p}_average {p}_averages[] {P}_ROM = {{
{rows}
}};
""",
    """    for (i = 0; i < {count}U; i++) {{
        {p}_average one;
        int32_t value;
        {P}_LOAD(&one, &{p}_averages[i]);
        value = q[one.at];
        if (value != {none}) {{
            value = value * {scale};
            if (state->averages[i] != INT32_MIN) {{
                const int32_t d = value - state->averages[i];
                const int32_t rest = (int32_t)((uint32_t)d & 32767U);
                value = (int32_t)one.rate * {p}_floor(d, 15U);
                value += {p}_floor(((int32_t)one.rate * rest) + 16384, 15U);
                value = state->averages[i] + {p}_floor(value + (int32_t)((UINT32_C(1) << one.shift) >> 1), one.shift);
            }}
            state->averages[i] = value;
        }}
        q[one.to] = {none};
        if (state->averages[i] != INT32_MIN) {{
            q[one.to] = (int16_t){p}_floor(state->averages[i] + {half}, {fraction}U);
        }}
    }}
""",
)
PUSH = """    for (i = 0; i < {count}U; i++) {{
        {p}_source source;
        const size_t head = state->heads[i];
        {P}_LOAD(&source, &{p}_sources[i]);
        state->rings[source.start + head] = {r}[source.at];
        state->heads[i] = ({I})((head + 1U < source.size) ? (head + 1U) : 0U);
    }}
"""
ESTIMATE = """
typedef struct {{
    {T} mean;
    {T} otherwise;
    uint16_t place;
}} {p}_number;

static const {p}_number {p}_numbers[] {P}_ROM = {{
{rows}
}};

/* The inverse of the inputs' covariance, row by row; how outputs change with inputs; their residual variances. */
static const {T} {p}_inverse[] {P}_ROM = {{
{inverse}
}};

static const {T} {p}_slopes[] {P}_ROM = {{
{slopes}
}};

static const {T} {p}_residuals[] {P}_ROM = {{
{residuals}
}};

static {T} {p}_at(size_t i, size_t j)
{{
    {T} value;
    {P}_LOAD(&value, &{p}_inverse[(i >= j) ? (((i * (i + 1U)) / 2U) + j) : (((j * (j + 1U)) / 2U) + i)]);
    return value;
}}

static {T} {p}_slope(size_t output, size_t j)
{{
    {T} value;
    {P}_LOAD(&value, &{p}_slopes[(output * {count}U) + j]);
    return value;
}}

#define {P}_LOWER(i, j) state->factor[(((i) * ((i) + 1U)) / 2U) + (j)]

static void {p}_solve({p}_state *state, size_t n)
{{
    size_t i;
    size_t j;
    for (j = 0; j < n; j++) {{
        for (i = j + 1U; i < n; i++) {{
            state->right[i] -= ({P}_LOWER(i, j) / {P}_LOWER(j, j)) * state->right[j];
        }}
    }}
    for (j = n; j-- > 0U;) {{
        {T} value = state->right[j];
        for (i = j + 1U; i < n; i++) {{
            value -= {P}_LOWER(i, j) * state->right[i];
        }}
        state->right[j] = value / {P}_LOWER(j, j);
    }}
}}

static {T} {p}_root({T} value)
{{
    {T} found = (value + {one}) * {half};
    for (;;) {{
        const {T} lower = (found + (value / found)) * {half};
        if (!(lower < found)) {{
            return found;
        }}
        found = lower;
    }}
}}

/* Replace missing inputs by their best linear estimates from the others. */
static void {p}_estimate({p}_state *state, {T} x[{P}_INPUTS], {p}_result *result)
{{
    size_t n = 0;
    size_t i;
    size_t j;
    size_t k;
    for (j = 0; j < {count}U; j++) {{
        {p}_number number;
        {P}_LOAD(&number, &{p}_numbers[j]);
        if (!(x[number.place] == x[number.place])) {{
            state->gone[n] = (uint16_t)j;
            n++;
        }}
    }}
    for (k = 0; k < {P}_OUTPUTS; k++) {{
        result->widths[k] = {one};
    }}
    if (n == 0U) {{
        return;
    }}
    for (i = 0; i < n; i++) {{
        for (j = 0; j <= i; j++) {{
            {P}_LOWER(i, j) = {p}_at(state->gone[i], state->gone[j]);
        }}
    }}
    for (j = 0; j < n; j++) {{
        for (i = j + 1U; i < n; i++) {{
            const {T} ratio = {P}_LOWER(i, j) / {P}_LOWER(j, j);
            for (k = j + 1U; k <= i; k++) {{
                {P}_LOWER(i, k) -= ratio * {P}_LOWER(k, j);
            }}
        }}
    }}
    for (i = 0; i < n; i++) {{
        {T} total = {zero};
        for (j = 0; j < {count}U; j++) {{
            {p}_number number;
            {P}_LOAD(&number, &{p}_numbers[j]);
            if (x[number.place] == x[number.place]) {{
                total += {p}_at(state->gone[i], j) * (x[number.place] - number.mean);
            }}
        }}
        state->right[i] = total;
    }}
    {p}_solve(state, n);
    for (i = 0; i < n; i++) {{
        {p}_number number;
        {T} value;
        {P}_LOAD(&number, &{p}_numbers[state->gone[i]]);
        value = number.mean - state->right[i];
        x[number.place] = ((value >= -{L}) && (value <= {L})) ? value : number.otherwise;
    }}
    for (k = 0; k < {P}_OUTPUTS; k++) {{
        {T} residual;
        {T} extra = {zero};
        {P}_LOAD(&residual, &{p}_residuals[k]);
        for (i = 0; i < n; i++) {{
            state->right[i] = {p}_slope(k, state->gone[i]);
        }}
        {p}_solve(state, n);
        for (i = 0; i < n; i++) {{
            extra += {p}_slope(k, state->gone[i]) * state->right[i];
        }}
        if ((residual > {zero}) && (extra > {zero})) {{
            result->widths[k] = {p}_root({one} + (extra / residual));
        }}
    }}
}}
"""
FIXED_COMPLETE = """
/* Put defaults for what is missing. */
static void {p}_complete(int16_t q[{P}_INPUTS])
{{
    size_t i;
    for (i = 0; i < {inputs}U; i++) {{
        {p}_grid step;
        {P}_LOAD(&step, &{p}_steps[i]);
        if (q[step.place] == {none}) {{
            q[step.place] = step.missing;
        }}
    }}
}}
"""
FIXED_ESTIMATE = """
/* Estimate what is missing, from the integers decoded. */
static void {p}_complete({p}_state *state, int16_t q[{P}_INPUTS], {p}_result *result)
{{
    {T} row[{P}_INPUTS];
    size_t i;
    for (i = 0; i < {inputs}U; i++) {{
        {p}_grid step;
        {P}_LOAD(&step, &{p}_steps[i]);
        row[step.place] = {zero};
        if (q[step.place] == {none}) {{
            row[step.place] = {p}_missing({zero});
        }} else if (!(step.scale == {zero})) {{ /* not a category */
            row[step.place] = (({T})q[step.place] / step.scale) + step.centre;
        }} else {{
            /* not read */
        }}
    }}
    {p}_estimate(state, row, result);
    for (i = 0; i < {inputs}U; i++) {{
        {p}_grid step;
        {P}_LOAD(&step, &{p}_steps[i]);
        if (q[step.place] == {none}) {{
            q[step.place] = {p}_count(&step, row[step.place]);
        }}
    }}
}}
"""
START = """
void {p}_start({p}_state *state)
{{
{body}
}}
"""
STEP = """
uint32_t {p}_step({p}_state *state, const {T} x[{P}_READINGS], {p}_result *result)
{{
{body}
    return status;
}}

size_t {p}_state_size(void)
{{
    return sizeof({p}_state);
}}
"""
REPLAY = """static int {p}_replay(void)
{{
    static const {T} rows[{count}][{P}_READINGS] = {{
        {rows}}};
    static const {T} wanted[{P}_OUTPUTS] = {{{wanted}}};
    static const {T} sizes[{P}_OUTPUTS] = {{{sizes}}};
    const {T} step = {step};
    {p}_state state;
    {p}_result result;
    {T} error;
    int i;
    {p}_start(&state);
    for (i = 0; i < {count}; i++) {{
        (void){p}_step(&state, rows[i], &result);
    }}
    for (i = 0; i < {P}_OUTPUTS; i++) {{
        error = result.{z}[i] - wanted[i];
        error = (error < {zero}) ? -error : error;
        if (!(error <= (step * sizes[i]))) {{
            return 0;
        }}
    }}
{score}    return 1;
}}
"""
