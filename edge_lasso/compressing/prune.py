"""Pruning: the inputs a model can do without are dropped, judged by its training statistics; no row is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.compressing.elimination import Block, State, Step, smaller
from edge_lasso.errors import DataError
from edge_lasso.statistics.folds import FoldStatistics, held_out_moments
from edge_lasso.statistics.inputs import model_term_names
from edge_lasso.statistics.moments import Moments
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.statistics.statistics import Statistics
from edge_lasso.training.missing import held_out_errors, squared_error
from edge_lasso.training.missing import without_inputs as keep_estimate
from edge_lasso_runtime.model import Model, Output, Term

Array = npt.NDArray[Any]


def prune(
    model: Model,
    statistics: FoldStatistics | Statistics,
    max_inputs: int | None = None,
    max_loss: float | None = None,
    refit: bool = True,
) -> Model:
    """Drop inputs: what is left are the best of them that were found, and those that cost least without a refit.

    Parameters
    ----------
    model : Model
        Linear, not quantized.
    statistics : FoldStatistics or Statistics
        Of the rows it was trained on.
    max_inputs : int, optional
        Keep no more than this.
    max_loss : float, optional
        Percent by which the mean squared error may rise: mean held-out error of the folds, with the elimination
        repeated inside each fold; of the training rows where the statistics have no folds.
    refit : bool
        Refit the remaining terms by least squares; or else change them only as far as the dropped terms'
        part can be carried over, so that a shrunken model stays shrunken (with `max_inputs`).

    Returns
    -------
    Model
        With ``provenance["pruned"]``: the inputs dropped, the error before and after, and what it was measured on.

    Raises
    ------
    DataError
        Statistics of other columns; a model that cannot be pruned; not exactly one limit.
    """
    if (max_inputs is None) == (max_loss is None):
        raise DataError("give either max_inputs or max_loss to prune")
    if max_inputs is not None and max_inputs < 1:
        raise DataError(f"max_inputs is {max_inputs}; it must be 1 or more")
    if max_loss is not None and not max_loss >= 0.0:
        raise DataError(f"max_loss is {max_loss}; it is a percentage, 0 or larger")
    if max_loss is not None and not refit:
        raise DataError("max_loss is measured on refitted models; use refit=True, or give max_inputs")
    folds = _as_folds(statistics)
    blocks = _blocks(model, folds)
    moments = folds.total.moments()
    steps = smaller(model, blocks, moments, refit, max_inputs)
    errors, measured_on = _errors(model, blocks, folds, steps, moments, refit, max_inputs)
    if max_inputs is not None:
        index = next(i for i, step in enumerate(steps) if len(step.inputs) <= max_inputs)
    else:
        assert max_loss is not None
        fits = [i for i, error in enumerate(errors) if error <= errors[0] * (1.0 + max_loss / 100.0)]
        index = fits[-1]
    if index == 0:
        return model
    return _assembled(model, blocks, folds, moments, steps[index], errors, index, measured_on)


def input_losses(
    model: Model, statistics: FoldStatistics | Statistics, output: int = 0, refit: bool = True
) -> dict[str, float]:
    """What losing each input costs: the increase of the mean squared error on the training rows.

    Parameters
    ----------
    model : Model
    statistics : FoldStatistics or Statistics
    output : int
    refit : bool
        With the other terms refitted (or the missing reading estimated from the others), relative to least squares; or
        else with the lost terms at their training mean and the model as it is (may then be negative).

    Returns
    -------
    dict of str to float
        Input name to cost, in the target's unit squared; largest first.
    """
    folds = _as_folds(statistics)
    block = _blocks(model, folds)[output]
    moments = folds.total.moments()
    losses = {}
    if refit:
        state = State(moments, block, np.array([term.coef for term in model.outputs[output].terms]), True)
        for i, feature in enumerate(model.inputs):
            losses[feature.name] = state.cost(block.terms_of(i))
    else:
        coef = np.array([term.coef for term in model.outputs[output].terms])
        now = squared_error(moments, moments, block.columns, block.target, coef)
        for i, feature in enumerate(model.inputs):
            without = coef.copy()
            without[block.terms_of(i)] = 0.0
            losses[feature.name] = squared_error(moments, moments, block.columns, block.target, without) - now
    return dict(sorted(losses.items(), key=lambda item: -item[1]))


def _errors(
    model: Model,
    blocks: Sequence[Block],
    folds: FoldStatistics,
    steps: Sequence[Step],
    moments: Moments,
    refit: bool,
    max_inputs: int | None,
) -> tuple[list[float], str]:
    """Error after each step (in parts of the target's variance, summed over outputs), and what it was measured on."""
    variance = np.diagonal(moments.covariance)

    def scored(train: Moments, test: Moments, some: Sequence[Step]) -> list[float]:
        return [
            sum(
                squared_error(train, test, block.columns, block.target, coef) / (variance[block.target] or 1.0)
                for block, coef in zip(blocks, step.coefs, strict=True)
            )
            for step in some
        ]

    if not folds.splits or not refit:
        return scored(moments, moments, steps), "training rows"
    total = np.zeros(len(steps))
    for split in range(len(folds.splits)):
        train, test = held_out_moments(folds, split)
        total += scored(train, test, smaller(model, blocks, train, True, max_inputs))
    return list(total / len(folds.splits)), "held-out folds"


def _as_folds(statistics: FoldStatistics | Statistics) -> FoldStatistics:
    if isinstance(statistics, FoldStatistics):
        return statistics
    folds = FoldStatistics(statistics.columns, statistics.targets, FoldPlan(()))
    folds.parts = [statistics]
    return folds


def _blocks(model: Model, folds: FoldStatistics) -> list[Block]:
    """Find the model's terms and targets in the statistics, by name."""
    if model.classes is not None and "approximation" not in folds.about:
        raise DataError("a classifier is pruned on the statistics that train wrote beside it; these know no classes")
    remaining = {"interval/1", "estimate/1", "health/1", "drift/1"}
    if "detector/1" in model.sections:
        raise DataError("a detector is not pruned, its threshold would not hold; train with a smaller --max-coefs")
    sections = [name for name in model.sections if not name.startswith("x-") and name not in remaining]
    if sections:
        raise DataError(f"the model has {', '.join(sections)}, which pruning would invalidate; prune before that")
    wanted = model.provenance.get("statistics_hash")
    if wanted is not None and wanted != folds.hash:
        raise DataError("the statistics belong to other columns than the model's; give the file made with this model")
    columns = {name: j for j, name in enumerate(folds.columns)}
    targets = {name: len(columns) + t for t, name in enumerate(folds.targets)}
    blocks = []
    for output, names in zip(model.outputs, model_term_names(model), strict=True):
        missing = [name for name in names if name not in columns] or [output.name][output.name in targets :]
        if missing:
            raise DataError(f"the statistics have no column {missing[0]!r}; give the file made with this model")
        readers = tuple(tuple({factor.input for factor in term.factors}) for term in output.terms)
        at = np.array([columns[name] for name in names], dtype=np.intp)
        blocks.append(Block(at, targets[output.name], readers))
    return blocks


def _assembled(
    model: Model,
    blocks: Sequence[Block],
    folds: FoldStatistics,
    moments: Moments,
    step: Step,
    errors: Sequence[float],
    index: int,
    measured_on: str,
) -> Model:
    from edge_lasso.training.normal_rows import without_inputs  # imports all that reads tables

    mean = moments.mean
    used = set()
    for output, coef in zip(model.outputs, step.coefs, strict=True):
        used |= {factor.input for j in np.flatnonzero(coef).tolist() for factor in output.terms[j].factors}
    where = {feature.name: i for i, feature in enumerate(model.inputs)}
    streams = [model.inputs[i].stream for i in used]
    used |= {where[stream[1]] for stream in streams if stream is not None}
    place = {old: new for new, old in enumerate(sorted(used))}
    outputs: list[Output] = []
    for output, block, coef in zip(model.outputs, blocks, step.coefs, strict=True):
        intercept = float(mean[block.target] - coef @ mean[block.columns])
        terms = tuple(
            Term(float(coef[j]), tuple(factor.replace(input=place[factor.input]) for factor in output.terms[j].factors))
            for j in np.flatnonzero(coef).tolist()
        )
        outputs.append(output.replace(intercept=intercept, terms=terms))
    record: dict[str, Any] = {
        "inputs_before": len(model.inputs),
        "inputs": len(used),
        "dropped": [feature.name for i, feature in enumerate(model.inputs) if i not in used],
        "error_rise_percent": float(100.0 * (errors[index] / errors[0] - 1.0)) if errors[0] > 0.0 else None,
        "measured_on": measured_on,
    }
    if model.classes is not None:
        record["approximation"] = "loss to second order around the trained model"
    # what was found on held-out rows is not this model's any more, nor how its coefficients were rounded
    about = {key: value for key, value in model.provenance.items() if key not in ("held_out", "quantized")}
    rise = errors[index] / errors[0] if errors[0] > 0.0 else 1.0
    sections = {key: value for key, value in model.sections.items() if key != "interval/1"}  # of other residuals
    pruned = model.replace(
        inputs=tuple(model.inputs[i] for i in sorted(used)),
        outputs=tuple(outputs),
        sections=without_inputs(sections, record["dropped"], rise),
        provenance={**about, "pruned": record},
    )
    if "estimate/1" not in sections:
        return pruned
    stated = [value * rise for value in sections["estimate/1"]["residual"]]
    return keep_estimate(pruned, model, stated if len(outputs) == 1 else held_out_errors(pruned, folds))
