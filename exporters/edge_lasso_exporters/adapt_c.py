"""A header for C beside an artifact: the correction of `score --adapt`, in double to the bit, or in float.

It is printed from an `Adapter` and does what that does, in the same order. Nothing uses it that does not include it.
"""

from __future__ import annotations

from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.adapt import FEW, FORGETTING, UNSURE, Adapter

from . import GENERATOR, SPDX
from .options import ExportError

TEXT = """\
/* @SPDX@
   Made by @GENERATOR@ for model @HASH@.
   Corrects its predictions from truths that come along, by at most @WITHIN@ whatever they are: recursive least squares
   with forgetting, whose coefficients are scaled back into that bound. Include it in one C file.

       static @P@_adapter memory;
       @P@_adapt_start(&memory);
       y[m] += @P@_adapt_correction(&memory, m, x, z[m]);         before a truth is learned from
       @P@_adapt_learn(&memory, m, x, z[m], truth);                where no reading of the row is at fault

   x: the row's readings in the order of the model's inputs; z: the prediction without a correction.
   Define @U@_ADAPT_REAL as float where the artifact is c:float. */
#ifndef @U@_ADAPT_H_
#define @U@_ADAPT_H_

#ifndef @U@_ADAPT_REAL
#define @U@_ADAPT_REAL double
#endif
#define @U@_ADAPT_SIZE @SIZE@
#define @U@_ADAPT_OUTPUTS @OUTPUTS@

typedef @U@_ADAPT_REAL @P@_real;
typedef struct {
    @P@_real theta[@U@_ADAPT_OUTPUTS][@U@_ADAPT_SIZE];
    @P@_real variance[@U@_ADAPT_OUTPUTS][@U@_ADAPT_SIZE][@U@_ADAPT_SIZE];
} @P@_adapter;

/* What a filter looks at: a constant, then this over this range, held to -1 to 1. */
static inline void @P@_adapt_seen(int m, const @P@_real *x, @P@_real z, @P@_real seen[@U@_ADAPT_SIZE])
{
    static const @P@_real low[] = {@LOW@};
    static const @P@_real high[] = {@HIGH@};
    int i;
    @PLACES@
    seen[0] = (@P@_real)1.0;
    for (i = 1; i < @U@_ADAPT_SIZE; i++) {
        @LOOK@
        value = (@P@_real)2.0 * (value - low[k]) / (high[k] - low[k]) - (@P@_real)1.0;
        seen[i] = (value < (@P@_real)-1.0) ? (@P@_real)-1.0 : (value > (@P@_real)1.0) ? (@P@_real)1.0 : value;
    }
}

static inline @P@_real @P@_adapt_dot(const @P@_real *a, const @P@_real *b)
{
    @P@_real total = (@P@_real)0.0;
    int i;
    for (i = 0; i < @U@_ADAPT_SIZE; i++) {
        total = total + a[i] * b[i];
    }
    return total;
}

static inline void @P@_adapt_unsure(@P@_adapter *memory, int m)
{
    int i, j;
    for (i = 0; i < @U@_ADAPT_SIZE; i++) {
        for (j = 0; j < @U@_ADAPT_SIZE; j++) {
            memory->variance[m][i][j] = (i == j) ? (@P@_real)@UNSURE@ : (@P@_real)0.0;
        }
    }
}

static inline void @P@_adapt_start(@P@_adapter *memory)
{
    int m, i;
    for (m = 0; m < @U@_ADAPT_OUTPUTS; m++) {
        @P@_adapt_unsure(memory, m);
        for (i = 0; i < @U@_ADAPT_SIZE; i++) {
            memory->theta[m][i] = (@P@_real)0.0;
        }
    }
}

static inline @P@_real @P@_adapt_correction(const @P@_adapter *memory, int m, const @P@_real *x, @P@_real z)
{
    @P@_real seen[@U@_ADAPT_SIZE], part;
    @P@_adapt_seen(m, x, z, seen);
    part = @P@_adapt_dot(memory->theta[m], seen);
    part = (part < (@P@_real)-1.0) ? (@P@_real)-1.0 : (part > (@P@_real)1.0) ? (@P@_real)1.0 : part;
    return (@P@_real)@WITHIN@ * part;
}

static inline void @P@_adapt_learn(@P@_adapter *memory, int m, const @P@_real *x, @P@_real z, @P@_real truth)
{
    @P@_real seen[@U@_ADAPT_SIZE], gain[@U@_ADAPT_SIZE], scale, error, largest, grow, total = (@P@_real)0.0;
    @P@_real *theta = memory->theta[m];
    int i, j;
    if (!(truth - truth == (@P@_real)0.0)) {
        return;
    }
    truth = (truth - z) / (@P@_real)@WITHIN@;
    truth = (truth < (@P@_real)-10.0) ? (@P@_real)-10.0 : (truth > (@P@_real)10.0) ? (@P@_real)10.0 : truth;
    @P@_adapt_seen(m, x, z, seen);
    for (i = 0; i < @U@_ADAPT_SIZE; i++) {
        gain[i] = @P@_adapt_dot(memory->variance[m][i], seen);
    }
    scale = (@P@_real)@FORGETTING@ + @P@_adapt_dot(gain, seen);
    if (scale <= (@P@_real)0.5 * (@P@_real)@FORGETTING@) { /* rounding has eaten the variance */
        @P@_adapt_unsure(memory, m);
        return;
    }
    error = truth - @P@_adapt_dot(theta, seen);
    for (i = 0; i < @U@_ADAPT_SIZE; i++) {
        theta[i] = theta[i] + gain[i] * error / scale;
        for (j = 0; j < @U@_ADAPT_SIZE; j++) {
            memory->variance[m][i][j] = memory->variance[m][i][j] - gain[i] * gain[j] / scale;
        }
    }
    largest = memory->variance[m][0][0];
    for (i = 1; i < @U@_ADAPT_SIZE; i++) {
        largest = (memory->variance[m][i][i] > largest) ? memory->variance[m][i][i] : largest;
    }
    largest = (largest > (@P@_real)@FEW@) ? largest : (@P@_real)@FEW@;
    grow = (@P@_real)@UNSURE@ / largest;
    grow = (grow < (@P@_real)1.0 / (@P@_real)@FORGETTING@) ? grow : (@P@_real)1.0 / (@P@_real)@FORGETTING@;
    for (i = 0; i < @U@_ADAPT_SIZE; i++) {
        total = total + ((theta[i] < (@P@_real)0.0) ? -theta[i] : theta[i]);
        for (j = 0; j < @U@_ADAPT_SIZE; j++) {
            memory->variance[m][i][j] = memory->variance[m][i][j] * grow;
        }
    }
    for (i = 0; total > (@P@_real)1.0 && i < @U@_ADAPT_SIZE; i++) {
        theta[i] = theta[i] / total;
    }
}

#endif
"""


def render(model: Model, kind: str, within: float, name: str) -> bytes:
    """The header ``NAME_adapt.h``.

    Parameters
    ----------
    model : Model
        Of numbers.
    kind, within
        See `edge_lasso_runtime.adapt.Adapter`.
    name : str
        Prefix of its functions, as the artifact has it.

    Raises
    ------
    RowError
        The model cannot be corrected so.
    ExportError
        The name is no name in C.
    """
    if not (name.isascii() and name.isidentifier()):
        raise ExportError(f"--name {name!r} is no name in C; use letters, digits and _")
    adapter = Adapter(model, kind, within)
    places = [] if kind == "offset" else [i for i, _, _ in adapter.inputs]
    ranges = adapter.ranges if kind == "offset" else [(low, high) for _, low, high in adapter.inputs]
    table = (
        f"static const int place[] = {{{', '.join(map(str, places))}}};\n    (void)m, (void)z;"
        if places
        else "(void)x;"
    )
    words = {
        "SPDX": SPDX, "GENERATOR": GENERATOR, "HASH": model_hash(model)[:12], "WITHIN": repr(float(within)),
        "SIZE": str(adapter.size), "OUTPUTS": str(len(model.outputs)), "PLACES": table,
        "LOW": ", ".join(f"(@P@_real){float(low)!r}" for low, _ in ranges) or "0",
        "HIGH": ", ".join(f"(@P@_real){float(high)!r}" for _, high in ranges) or "1",
        "LOOK": "const int k = i - 1;\n        @P@_real value = x[place[k]];" if places else
                "const int k = m;\n        @P@_real value = z;",
        "UNSURE": repr(UNSURE), "FORGETTING": repr(FORGETTING), "FEW": repr(FEW), "U": name.upper(), "P": name,
    }  # fmt: skip
    text = TEXT
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text.encode()
