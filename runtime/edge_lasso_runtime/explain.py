"""Which inputs a prediction comes from: exactly, because the model is linear.

Of an output, the linear predictor is its value at the training means plus one contribution per input. A term of one
input contributes ``coef * (x - mean)``. A product of several inputs is divided by its Shapley value (1953): the mean
over all orders in which the inputs go from their means to their readings; of ``coef * a * b`` the input a gets
``coef * (a - mean a) * (b + mean b) / 2``. A power belongs to its input; an indicator counts from "none of the
categories", which is what a missing category is. Contributions add up to the prediction, but for rounding; of a
logistic or softmax output to its log odds, not to the probability.
"""

from __future__ import annotations

from .model import Record
from .predict import clean, factor_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Model, Term
    from .predict import Row


class Explanation(Record):
    """Of one output.

    Parameters
    ----------
    name : str
    baseline : float
        The linear predictor where every input is at its training mean.
    contributions : list of (str, float)
        Input and what it adds; largest magnitude first; inputs that add nothing are left out.
    """

    __slots__ = ("baseline", "contributions", "name")

    def __init__(self, name: str, baseline: float, contributions: list[tuple[str, float]]) -> None:
        self.name = name
        self.baseline = baseline
        self.contributions = contributions


def explain(model: Model, row: Row) -> list[Explanation]:
    """Explain the prediction of one row.

    Parameters
    ----------
    model : Model
    row : sequence or mapping
        As `predict` takes it. A reading that is missing is at its mean and contributes nothing.

    Returns
    -------
    list of Explanation
        One per output.
    """
    return explain_inputs(model, clean(model, row)[0])


def explain_inputs(model: Model, x: list[float]) -> list[Explanation]:
    """The same for inputs as the outputs see them (`clean`; `State.inputs` of a stream)."""
    means = [-1.0 if feature.default is None else feature.default for feature in model.inputs]
    results = []
    for output in model.outputs:
        baseline = output.intercept
        sums = [0.0] * len(model.inputs)
        for term in output.terms:
            product = term.coef
            for factor in term.factors:
                product = product * factor_value(factor, means)
            baseline = baseline + product
            for i, part in _parts(term, x, means):
                sums[i] = sums[i] + part
        named = [(feature.name, part) for feature, part in zip(model.inputs, sums) if part]
        results.append(Explanation(output.name, baseline, sorted(named, key=lambda entry: -abs(entry[1]))))
    return results


def term_text(model: Model, term: Term) -> str:
    """A term's factors as people read them: ``a x max(0, b - 3) x (c = red)``."""
    words = []
    for factor in term.factors:
        feature = model.inputs[factor.input]
        if factor.category is not None:
            words.append(f"({feature.name} = {(feature.categories or ())[factor.category]})")
        elif factor.hinge is not None:
            sign = "+" if factor.hinge < 0.0 else "-"
            words.append(f"max(0, {feature.name} {sign} {abs(factor.hinge):.6g})")
        else:
            words.append(feature.name if factor.step is None else f"({feature.name} > {factor.step:.6g})")
    return " x ".join(words)


def _parts(term: Term, x: list[float], means: list[float]) -> Iterator[tuple[int, float]]:
    """What each input of a term adds to it."""
    inputs = sorted({factor.input for factor in term.factors})
    now: list[float] = []
    before: list[float] = []
    for i in inputs:
        own = [factor for factor in term.factors if factor.input == i]
        for values, result in ((x, now), (means, before)):
            product = 1.0
            for factor in own:
                product = product * factor_value(factor, values)
            result.append(product)
    size = len(inputs)
    for k, i in enumerate(inputs):
        others = [j for j in range(size) if j != k]
        average = 0.0
        for chosen in range(1 << len(others)):
            product, members = 1.0, 0
            for bit, j in enumerate(others):
                moved = chosen >> bit & 1
                members += moved
                product = product * (now[j] if moved else before[j])
            average = average + product * _weight(members, size)
        yield i, term.coef * (now[k] - before[k]) * average


def _weight(members: int, size: int) -> float:
    """How often, among all orders of `size` inputs, exactly `members` given ones come before a given one."""
    from math import factorial

    return factorial(members) * factorial(size - 1 - members) / factorial(size)
