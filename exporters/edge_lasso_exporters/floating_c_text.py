"""What `floating_c` writes as it stands: functions of the C files."""

READ = """
static {T} {p}_read({T} value, {T} missing{limits})
{{
    if (!((value >= -{L}) && (value <= {L}))) {{
        return missing;
    }}
{clamp}    return value;
}}
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
