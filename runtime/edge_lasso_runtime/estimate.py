"""Section ``estimate/1``: a missing input is estimated from the others.

With m the training means and H the inverse of the covariance of the inputs of numbers, the best linear estimate of the
missing ones M from the observed ones O is ``m_M - H_MM^-1 H_MO (x_O - m_O)``, jointly for several; for a model refitted
by least squares that equals refitting without them. The mean squared error of output w grows by
``w_M' H_MM^-1 w_M`` (one missing: ``w_j^2 / H_jj``). ``loss`` holds that for each input, output by output: a reading
is lost together with the inputs that are computed from it. An estimate beyond the model's limit is no reading: the
default is used. Only ``+ - * /`` in a fixed order (square roots by `root`), so that all targets agree to the last bit.
"""

from __future__ import annotations

from .checks import number, shown, take_keys, take_list
from .errors import ModelFormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model

KEY = "estimate/1"


def numeric(model: Model) -> list[int]:
    """Positions of the inputs that the section is about, in its order: all that are numbers."""
    return [i for i, feature in enumerate(model.inputs) if feature.categories is None]


class Estimator:
    """Fills in missing inputs.

    Parameters
    ----------
    model : Model
        With a section ``estimate/1``.
    """

    __slots__ = ("_fill", "_inputs", "_inverse", "_limit", "_mean", "_residual", "_slopes")

    def __init__(self, model: Model) -> None:
        section = model.sections[KEY]
        self._inputs = numeric(model)
        self._mean = section["mean"]
        self._residual = section["residual"]
        self._inverse = section["inverse"]
        self._slopes = slopes(model, self._inputs)
        self._limit = model.limit
        self._fill = [feature.default for feature in model.inputs]

    def fill(self, x: list[float], missing: list[int]) -> list[float]:
        """Replace the missing inputs of a row by their estimates.

        Parameters
        ----------
        x : list of float
            One per input of the model. Changed in place.
        missing : list of int
            Positions of those to estimate, in rising order.

        Returns
        -------
        widths : list of float
            Per output, by which factor its error's standard deviation grows.
        """
        inputs, inverse, mean = self._inputs, self._inverse, self._mean
        gone = set(missing)
        rows = [k for k, i in enumerate(inputs) if i in gone]
        factor = _factor([[_at(inverse, rows[a], rows[b]) for b in range(a + 1)] for a in range(len(rows))])
        right = []
        for k in rows:
            total = 0.0
            for j, i in enumerate(inputs):
                if i not in gone:
                    total = total + _at(inverse, k, j) * (x[i] - mean[j])
            right.append(total)
        for k, value in zip(rows, _solve(factor, right)):
            value = mean[k] - value
            x[inputs[k]] = value if -self._limit <= value <= self._limit else self._fill[inputs[k]]  # type: ignore[assignment]
        widths = []
        for m, slope in enumerate(self._slopes):
            weights = [slope[k] for k in rows]
            extra = 0.0
            for w, v in zip(weights, _solve(factor, weights)):
                extra = extra + w * v
            residual = self._residual[m]
            widths.append(root(1.0 + extra / residual) if residual > 0.0 and extra > 0.0 else 1.0)
        return widths


def root(value: float) -> float:
    """The square root of a number from 1 on, within an ulp or so: Heron's rule from above, until it no longer falls."""
    result = (value + 1.0) * 0.5
    while True:
        lower = (result + value / result) * 0.5
        if not lower < result:
            return result
        result = lower


def slopes(model: Model, inputs: list[int]) -> list[list[float]]:
    """Per output, how the linear predictor changes with each of `inputs` where all are at their defaults."""
    x = [0.0 if feature.default is None else feature.default for feature in model.inputs]
    result = []
    for output in model.outputs:
        slope = [0.0] * len(model.inputs)
        for term in output.terms:
            if any(not factor.plain for factor in term.factors):
                continue
            for k, factor in enumerate(term.factors):
                product = term.coef
                for j, other in enumerate(term.factors):
                    if j != k:
                        product *= x[other.input]
                slope[factor.input] += product
        result.append([slope[i] for i in inputs])
    return result


def _at(inverse: list[float], i: int, j: int) -> float:
    """An element of the symmetric matrix, whose lower triangle is stored row by row."""
    return inverse[i * (i + 1) // 2 + j] if i >= j else inverse[j * (j + 1) // 2 + i]


def _factor(a: list[list[float]]) -> list[list[float]]:
    """Eliminate a positive definite lower triangle in place: column j below the diagonal is L times the pivot."""
    for j in range(len(a)):
        for i in range(j + 1, len(a)):
            ratio = a[i][j] / a[j][j]
            for k in range(j + 1, i + 1):
                a[i][k] = a[i][k] - ratio * a[k][j]
    return a


def _solve(a: list[list[float]], right: list[float]) -> list[float]:
    """Solve with the triangle that `_factor` left."""
    b = list(right)
    for j in range(len(b)):
        for i in range(j + 1, len(b)):
            b[i] = b[i] - a[i][j] / a[j][j] * b[j]
    for j in range(len(b) - 1, -1, -1):
        value = b[j]
        for i in range(j + 1, len(b)):
            value = value - a[i][j] * b[i]
        b[j] = value / a[j][j]
    return b


def validate(section: Any, model: Model, where: str) -> None:
    """Check a section against its model: the matrix must be positive definite.

    Raises
    ------
    ModelFormatError
        Naming the field.
    """
    take_keys(section, where, ("mean", "inverse", "residual"), ("loss",))
    k = len(numeric(model))
    sizes = {"mean": k, "inverse": k * (k + 1) // 2, "residual": len(model.outputs)}
    if "loss" in section:
        sizes["loss"] = k * len(model.outputs)
    for key, size in sizes.items():
        values = take_list(section[key], f"{where}.{key}")
        if len(values) != size:
            raise ModelFormatError(f"{where}.{key} has {len(values)} entries; it must have {size}")
        for i, value in enumerate(values):
            if number(value, f"{where}.{key}[{i}]") < 0.0 and key in ("residual", "loss"):
                raise ModelFormatError(f"{where}.{key}[{i}] is {shown(value)}; it must not be negative")
    a = [[float(_at(section["inverse"], i, j)) for j in range(i + 1)] for i in range(k)]
    for j in range(k):
        if not a[j][j] > 0.0:
            raise ModelFormatError(f"{where}.inverse is not positive definite (row {j})")
        for i in range(j + 1, k):
            ratio = a[i][j] / a[j][j]
            for n in range(j + 1, i + 1):
                a[i][n] -= ratio * a[n][j]
