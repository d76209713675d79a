"""C for a stream of one model: lines of plain numbers, and rows of which all is well.

What `batch` does with columns, in the order of `Health.step`, `step`, `Detector.step` and `Drift`: one binary64
operation each, so that results agree to the last bit. `scan` stops at a line, and `follow` at a row, that needs more
than that; `compiled` hands it to Python.
"""

from __future__ import annotations

from .detector import STRAY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .model import Model
    from .step import State


def render(model: Model, state: State) -> str:
    """The source for a model of plain sums (`State.sums`) without derived inputs."""
    health = state.health.limits()
    first, rest = state.sums
    more = dict(rest)
    terms = [[(coef, i), *more.get(m, ())] for m, (_, coef, i) in enumerate(first)]
    flat = [term for entry in terms for term in entry]
    tables = [
        _table("double", "LOW", [row[0] for row in health]),
        _table("double", "HIGH", [row[1] for row in health]),
        _table("double", "LONGEST", [row[2] for row in health]),
        _table("double", "FARTHEST", [row[3] for row in health]),
        _table("double", "INTERCEPT", [entry[0] for entry in first]),
        _table("int", "TERMS", [len(entry) for entry in terms]),
        _table("double", "COEF", [coef for coef, _ in flat]),
        _table("int", "INPUT", [i for _, i in flat]),
    ]
    sizes = {"INPUTS": len(health), "OUTPUTS": len(first), "DETECTS": 0, "BINNED": 0, "BINS": 1}
    if state.detector is not None:
        watched, total, (smoothing, clip, track, fast) = state.detector.numbers()
        sizes |= {"DETECTS": 1, "SMOOTH": int(smoothing < 1.0), "TRACKS": int(track > 0.0), "QUICK": int(fast > 0.0)}
        for at, name in enumerate(("READING", "CENTRE", "FACTOR", "SLOW", "WEIGHT")):
            tables.append(_table("double" if at else "int", name, [sensor[at] for sensor in watched]))
        for name, value in (("TOTAL", total), ("SMOOTHING", smoothing), ("CLIP", clip), ("TRACK", track),
                            ("FAST", fast), ("STRAY", STRAY)):  # fmt: skip
            tables.append(f"static const double {name} = {_number(value)};")
    if state.drift is not None:
        bins = state.drift.bins
        sizes |= {"BINNED": len(bins), "BINS": max((len(edges) for _, edges in bins), default=0) + 1}
        tables.append(_table("int", "BIN_INPUT", [i for i, _ in bins]))
        wide = sizes["BINS"] - 1  # edges that are not there are never reached
        edges = [edge for _, some in bins for edge in [*some, *[float("inf")] * (wide - len(some))]]
        tables.append(_table("double", "EDGES", edges))
    names = [f"#define {name} {value}" for name, value in sizes.items()]
    return "\n".join([HEAD, *names, *tables, NUMBER, SCAN, FOLLOW])


def _table(kind: str, name: str, values: Sequence[Any]) -> str:
    """An array; never an empty one."""
    cells = [_number(value) if kind == "double" else str(value) for value in values or [0]]
    return f"static const {kind} {name}[] = {{{','.join(cells)}}};"


def _number(value: float) -> str:
    return "HUGE_VAL" if value == float("inf") else repr(float(value))


HEAD = """\
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if FLT_EVAL_METHOD != 0
#error "binary64 operations are wanted"
#endif
"""

# Up to 15 digits and 22 decimals are two exact numbers and one division, rounded once (Clinger 1990); others go to
# strtod, which rounds correctly as Python does. What JSON calls no number, CSV need not: Python looks at it.
NUMBER = """
static const double TENS[] = {1e0,1e1,1e2,1e3,1e4,1e5,1e6,1e7,1e8,1e9,1e10,1e11,1e12,1e13,1e14,1e15,1e16,1e17,1e18,
1e19,1e20,1e21,1e22};
static int is_digit(char c) { return c >= '0' && c <= '9'; }
static const char *number(const char *s, double *value) {
    const char *start = s;
    int negative = *s == '-', count = 0, decimals = 0, hard = 0;
    uint64_t digits = 0;
    s += negative;
    if (!is_digit(*s) || (*s == '0' && is_digit(s[1]))) return NULL;
    for (; is_digit(*s) && count < 40; s++, count++) digits = digits * 10 + (uint64_t)(*s - '0');
    if (*s == '.') {
        s++;
        if (!is_digit(*s)) return NULL;
        for (; is_digit(*s) && count < 40; s++, count++, decimals++) digits = digits * 10 + (uint64_t)(*s - '0');
    } else if (negative && digits == 0) {
        return NULL;
    }
    if (*s == 'e' || *s == 'E') {
        hard = 1;
        s++;
        if (*s == '-' || *s == '+') s++;
        if (!is_digit(*s)) return NULL;
        while (is_digit(*s)) s++;
    }
    if (count >= 40) return NULL;
    if (hard || count > 15) {
        char *end;
        *value = strtod(start, &end);
        return end == s ? s : NULL;
    }
    *value = (double)digits / TENS[decimals];
    if (negative) *value = -*value;
    return s;
}
"""

SCAN = """
static const char *skip(const char *s) { while (*s == ' ' || *s == '\\t') s++; return s; }
static int is_plain(char c) { return c >= ' ' && c < 127 && c != '"' && c != '\\\\'; }

/* A value that the model does not read. */
static const char *other(const char *s, char sign) {
    double unused;
    if (sign) {
        while (is_plain(*s) && *s != sign && *s != ',') s++;
        return s;
    }
    if (*s == '"') {
        for (s++; is_plain(*s); s++) {}
        return *s == '"' ? s + 1 : NULL;
    }
    if (!strncmp(s, "true", 4) || !strncmp(s, "null", 4)) return s + 4;
    if (!strncmp(s, "false", 5)) return s + 5;
    return number(s, &unused);
}

/* Lines of CSV with a sign between cells, or of JSON with keys; where each field goes in a row, or -1. */
size_t scan(const char *s, const char *keys, char sign, const int32_t *places, size_t fields, size_t most, double *x) {
    size_t rows = 0;
    for (; rows < most; rows++, x += INPUTS) {
        const char *key = keys;
        if (!sign && *s++ != '{') break;
        for (size_t f = 0; f < fields; f++) {
            if (!sign) s = skip(s);
            if (f && *s++ != (sign ? sign : ',')) return rows;
            if (!sign) {
                s = skip(s);
                while (*key && *key == *s) { key++; s++; }
                if (*key++) return rows;
                s = skip(s);
                if (*s++ != ':') return rows;
                s = skip(s);
            }
            s = places[f] < 0 ? other(s, sign) : number(s, &x[places[f]]);
            if (!s) return rows;
        }
        if (!sign && *(s = skip(s)) != '}') break;
        if (!sign) s++;
        if (*s == '\\r') s++;
        if (*s++ != '\\n') break;
    }
    return rows;
}
"""

FOLLOW = """
static int is_well(const double *x, const double *last, const int64_t *run) {
    for (int i = 0; i < INPUTS; i++) {
        double change = x[i] - last[i];
        if (!(x[i] >= LOW[i] && x[i] <= HIGH[i])) return 0;
        if (x[i] == last[i] ? (double)(run[i] + 1) > LONGEST[i]
                            : last[i] == last[i] && !(change >= -FARTHEST[i] && change <= FARTHEST[i])) return 0;
    }
    return 1;
}

static void predict(const double *x, double *z) {
    const double *coef = COEF;
    const int *input = INPUT;
    for (int m = 0; m < OUTPUTS; m++) {
        double y = INTERCEPT[m];
        for (int k = 0; k < TERMS[m]; k++) y = y + *coef++ * x[*input++];
        z[m] = y;
    }
}

#if DETECTS
static double detect(const double *x, const double *z, double *memory, double *parts) {
    double *level = memory, *slowly = memory + OUTPUTS, *evidence = memory + 2 * OUTPUTS;
    double quick[OUTPUTS], score = 0.0, sudden = 0.0;
    for (int k = 0; k < OUTPUTS; k++) {
        double r = (x[READING[k]] - z[k] - CENTRE[k]) * FACTOR[k], q;
#if TRACKS
        double b = level[k];
        r = r - b;
        level[k] = b + (r > STRAY ? STRAY : r < -STRAY ? -STRAY : r) * TRACK;
#else
        (void)level;
#endif
        r = r > CLIP ? CLIP : r < -CLIP ? -CLIP : r;
        q = r * r;
        quick[k] = q * WEIGHT[k] / TOTAL;
#if SMOOTH
        double s = slowly[k] + (r - slowly[k]) * SMOOTHING;
        slowly[k] = s;
        s = s * SLOW[k];
        q = (q + s * s) * 0.5;
#else
        (void)slowly, (void)SLOW;
#endif
        evidence[k] = evidence[k] + (q - evidence[k]) * SMOOTHING;
        parts[k] = evidence[k] * WEIGHT[k] / TOTAL;
    }
    for (int k = 0; k < OUTPUTS; k++) score = score + parts[k];
#if QUICK
    for (int k = 0; k < OUTPUTS; k++) {
        quick[k] = quick[k] * FAST;
        sudden = sudden + quick[k];
    }
    if (sudden > score) {
        memcpy(parts, quick, sizeof quick);
        return sudden;
    }
#else
    (void)quick, (void)sudden, (void)FAST;
#endif
    return score;
}
#endif

/* Rows up to the first at fault; of each the sums and, of a detector, the parts and the score. */
size_t follow(const double *x, size_t rows, double *memory, int64_t *whole, double *out) {
    double *last = memory;
    int64_t *run = whole;
    size_t t = 0;
    for (; t < rows && is_well(x, last, run); t++, x += INPUTS) {
        for (int i = 0; i < INPUTS; i++) {
            if (x[i] == last[i]) run[i]++;
            else { last[i] = x[i]; run[i] = 1; }
        }
        predict(x, out);
        out += OUTPUTS;
#if DETECTS
        out[OUTPUTS] = detect(x, out - OUTPUTS, memory + INPUTS, out);
        out += OUTPUTS + 1;
#endif
#if BINNED
        for (int i = 0; i < BINNED; i++) {
            double value = x[BIN_INPUT[i]];
            int bin = 0;
            for (int k = 0; k < BINS - 1; k++) bin += value > EDGES[i * (BINS - 1) + k];
            whole[INPUTS + i * BINS + bin]++;
        }
#endif
    }
    return t;
}
"""
