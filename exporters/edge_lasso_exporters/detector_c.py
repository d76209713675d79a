"""The detector of a C artifact: residuals to evidence, evidence to a score, a score to alarms."""

from __future__ import annotations

from collections.abc import Callable

from .stateful import Stateful

ENDLESS = 1 << 30
KEEP = """    if (n == {median}U) {{
        while (times[i] != now) {{
            i++;
        }}
        n--;
        for (; i < n; i++) {{
            sorted[i] = sorted[i + 1U];
            times[i] = times[i + 1U];
        }}
    }}
    for (i = n; (i > 0U) && (sorted[i - 1U] > {r}); i--) {{
        sorted[i] = sorted[i - 1U];
        times[i] = times[i - 1U];
    }}
    sorted[i] = {r};
    times[i] = ({I})now;
    state->counts[k] = ({I})(n + 1U);
    state->nexts[k] = ({I})((now + 1U < {median}U) ? (now + 1U) : 0U);
"""
LEVEL = (
    """
/* A residual without the median of those before it; they are kept in order, each with its place in time. */
static {T} {p}_level({p}_state *state, size_t k, {T} r)
{{
    {T} *sorted = state->sorted[k];
    {I} *times = state->times[k];
    size_t n = state->counts[k];
    const size_t now = state->nexts[k];
    size_t i = 0;
    {T} level = {zero};
    if (n > 0U) {{
        level = ((n % 2U) != 0U) ? sorted[n / 2U] : ((sorted[(n / 2U) - 1U] + sorted[n / 2U]) * {half});
    }}
"""
    + KEEP
    + """    return r - level;
}}
"""
)
DETECT = """
typedef struct {{
    {T} centre;
    {T} factor;
    {T} slow;
    {T} weight;
    uint16_t reading;
}} {p}_watch;

static const {p}_watch {p}_watched[] {P}_ROM = {{
{rows}
}};
{level}
static void {p}_detect({p}_state *state, const {T} x[{P}_READINGS], {p}_result *result)
{{
    {T} total = {zero};
{locals}    size_t k;
    for (k = 0; k < {P}_OUTPUTS; k++) {{
        {p}_watch one;
        {T} r;
        {T} q;
        {P}_LOAD(&one, &{p}_watched[k]);
        r = x[one.reading];
        result->parts[k] = {zero};
{blind}        if (!((r >= -{L}) && (r <= {L}))) {{
            continue;
        }}
        r = ((r - result->{z}[k]) - one.centre) * one.factor;
        if (!(r == r)) {{
            continue;
        }}
{width}{median}        r = (r > {clip}) ? {clip} : ((r < {low}) ? {low} : r);
{chart}        state->evidence[k] += (q - state->evidence[k]) * {smoothing};
        result->parts[k] = state->evidence[k] * one.weight;
        total += one.weight;
    }}
    if (!(total > {zero})) {{ /* nothing is known: the evidence that there is */
        for (k = 0; k < {P}_OUTPUTS; k++) {{
            {p}_watch one;
            {P}_LOAD(&one, &{p}_watched[k]);
            result->parts[k] = state->evidence[k] * one.weight;
            total += one.weight;
        }}
    }}
    result->score = {zero};
    if (total > {zero}) {{
{aggregate}    }}
}}

static void {p}_decide({p}_state *state, {p}_result *result)
{{
    const int hit = result->score > state->threshold;
    int32_t quiet = state->quiet;
    result->alarm = (uint8_t)(hit ? 1 : 0);
    result->onset = (uint8_t)((hit && (quiet > INT32_C({hold}))) ? 1 : 0);
{adjust}    if (hit) {{
        state->alarms++;
        state->onsets += result->onset;
        quiet = (quiet >= 0) ? -1 : ((quiet > -INT32_C({most})) ? (quiet - 1) : quiet);
    }} else {{
        quiet = (quiet < 0) ? 1 : ((quiet <= INT32_C({most})) ? (quiet + 1) : quiet);
    }}
    state->quiet = quiet;
}}
"""
CUSUM = """        up = (state->up[k] + r) - {allowance};
        down = (state->down[k] - r) - {allowance};
        up = (up < {zero}) ? {zero} : ((up > {top}) ? {top} : up);
        down = (down < {zero}) ? {zero} : ((down > {top}) ? {top} : down);
        state->up[k] = up;
        state->down[k] = down;
        q = ((up > down) ? up : down) * one.slow;
        q = q * q;
"""
EWMA = """        state->up[k] += (r - state->up[k]) * {alpha};
        q = state->up[k] * one.slow;
        q = {q};
"""
LARGEST = """        size_t top = 0;
        for (k = 1; k < {P}_OUTPUTS; k++) {{
            top = (result->parts[k] > result->parts[top]) ? k : top;
        }}
        result->score = result->parts[top];
        for (k = 0; k < {P}_OUTPUTS; k++) {{
            result->parts[k] = (k == top) ? result->score : {zero};
        }}
"""
MEAN = """        for (k = 0; k < {P}_OUTPUTS; k++) {{
            result->parts[k] = result->parts[k] / total;
            result->score += result->parts[k];
        }}
"""
ADJUST = """    if (!(hit && (quiet < 0) && (-quiet >= INT32_C({freeze})))) {{
        const {T} moved = state->threshold * (hit ? {up} : {down});
        state->threshold = (moved < {least}) ? {least} : ((moved > {most}) ? {most} : moved);
    }}
"""


BLIND = """
typedef struct {{
    uint16_t input;
    uint16_t output;
}} {p}_use;

static const {p}_use {p}_uses[] {P}_ROM = {{
{rows}
}};

/* Note the predictions that read a default: they say nothing. */
static void {p}_note({p}_state *state, const {R} {r}[{P}_INPUTS])
{{
    size_t i;
    for (i = 0; i < {P}_OUTPUTS; i++) {{
        state->blind[i] = 0U;
    }}
    for (i = 0; i < {count}U; i++) {{
        {p}_use one;
        {P}_LOAD(&one, &{p}_uses[i]);
        if ({missing}) {{
            state->blind[one.output] = 1U;
        }}
    }}
}}
"""
SKIP = """        if (state->blind[k] != 0U) {
            continue;
        }
"""


def blind(plan: Stateful, words: dict[str, str], none: int | None) -> str:
    """The function that notes which predictions read a default; `none` stands for a missing integer."""
    if not plan.reads:
        return ""
    rows = "\n".join(f"    {{{plan.places[i]}U, {k}U}}," for i, k in plan.reads)
    value = f"{words['r']}[one.input]"
    missing = f"!({value} == {value})" if none is None else f"{value} == {none}"
    return BLIND.format(**words, rows=rows, count=len(plan.reads), missing=missing)


def state_fields(plan: Stateful, kind: str, upper: str) -> list[str]:
    """The members of the state."""
    section = plan.detector or {}
    chart, median = section["chart"], section["median"]
    lines = [f"    {kind} up[{upper}_OUTPUTS];"] if chart != "residual" else []
    lines += [f"    {kind} down[{upper}_OUTPUTS];"] if chart == "cusum" else []
    lines.append(f"    {kind} evidence[{upper}_OUTPUTS];")
    lines += [f"    uint8_t blind[{upper}_OUTPUTS];"] if plan.reads else []
    if median:
        size = _index(median)
        lines += [f"    {kind} sorted[{upper}_OUTPUTS][{median}];", f"    {size} times[{upper}_OUTPUTS][{median}];"]
        lines += [f"    {size} counts[{upper}_OUTPUTS];", f"    {size} nexts[{upper}_OUTPUTS];"]
    lines.append(f"    {kind} threshold; /* of the score */")
    return [
        *lines,
        "    int32_t quiet;",
        "    uint32_t onsets; /* alarms that began */",
        "    uint32_t alarms; /* rows in alarm */",
    ]


def start_lines(plan: Stateful, number: Callable[[float], str]) -> tuple[list[str], list[str]]:
    """Statements per output (k), and others, of `start`."""
    section = plan.detector or {}
    chart = section["chart"]
    each = [f"        state->up[k] = {number(0.0)};"] if chart != "residual" else []
    each += [f"        state->down[k] = {number(0.0)};"] if chart == "cusum" else []
    each.append(f"        state->evidence[k] = {number(1.0)};")
    each += ["        state->counts[k] = 0U;", "        state->nexts[k] = 0U;"] if section["median"] else []
    rest = [f"    state->threshold = {number(float(section['threshold']['score']))};"]
    return each, [
        *rest,
        f"    state->quiet = INT32_C({ENDLESS});",
        "    state->onsets = 0U;",
        "    state->alarms = 0U;",
    ]


def functions(plan: Stateful, words: dict[str, str], number: Callable[[float], str], z: str) -> str:
    """The functions; `z` is the result's member with the linear predictor."""
    section = plan.detector or {}
    chart, clip, median = section["chart"], float(section["clip"]), section["median"]
    which = {i: k for k, i in enumerate(plan.readings)}
    rows = [f"    {{{', '.join([*map(number, numbers), f'{which[at]}U'])}}}," for at, *numbers in plan.watched]
    kept = ""
    if chart == "cusum":
        kept = "    {T} up;\n    {T} down;\n".format(**words)
        text = CUSUM.format(**words, allowance=number(float(section["allowance"])), top=number(clip * clip))
    elif chart == "residual":
        text = "        q = r * r;\n"
    else:
        q = "q * q" if chart == "ewma" else f"((r * r) + (q * q)) * {number(0.5)}"
        text = EWMA.format(alpha=number(float(section["alpha"])), q=q)
    level = ""
    if median:
        level = LEVEL.format(**{**words, "I": _index(median), "r": "r"}, median=median, half=number(0.5))
    adjust = ""
    if plan.adjust:
        values = {key: number(value) if key != "freeze" else value for key, value in plan.adjust.items()}
        adjust = ADJUST.format(T=words["T"], **values)
    return DETECT.format(
        **words,
        rows="\n".join(rows),
        level=level,
        locals=kept,
        z=z,
        blind=SKIP if plan.reads else "",
        width="        r = r / result->widths[k];\n" if plan.estimate else "",
        median=f"        r = {words['p']}_level(state, k, r);\n" if median else "",
        clip=number(clip),
        low=number(-clip),
        chart=text,
        smoothing=number(float(section["smoothing"])),
        aggregate=(LARGEST if section["aggregate"] == "max" else MEAN).format(**words),
        hold=section["threshold"]["hold"],
        adjust=adjust,
        most=ENDLESS,
    )


def _index(largest: int) -> str:
    return "uint8_t" if largest < 256 else "uint16_t"
