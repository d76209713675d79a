"""What the commands print: a table for people, or JSON for machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_lasso.predicting.estimates import missing_losses
from edge_lasso.reporting import terminal
from edge_lasso.reporting.class_facts import absent_lines, believed, decision_lines, quality_of, reliabilities
from edge_lasso.reporting.facts import fixed_facts, number, section_facts
from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.estimate import KEY as ESTIMATE
from edge_lasso_runtime.explain import term_text
from edge_lasso_runtime.format import to_dict
from edge_lasso_runtime.model import Input
from edge_lasso_runtime.stream import warm_up

if TYPE_CHECKING:
    from edge_lasso.statistics.folds import FoldStatistics
    from edge_lasso.training.train_classes import ClassesResult
    from edge_lasso.training.train_table import TrainResult
    from edge_lasso.training.update_table import Comparison


def importance(model: Model, statistics: FoldStatistics | None) -> dict[str, float]:
    """By how much the mean squared error grows, in percent, when an input is lost and the others are refitted."""
    from edge_lasso.compressing.prune import input_losses

    if statistics is None or "fixed_point/1" in model.sections or model.outputs[0].link != "identity":
        return {}
    left = _training_error(model)
    return {name: 100.0 * loss / left for name, loss in input_losses(model, statistics).items()} if left else {}


def _training_error(model: Model) -> float | None:
    fits = model.provenance.get("fits") or [{}]
    value = fits[0].get("cv_mse")
    rise = (model.provenance.get("pruned") or {}).get("error_rise_percent") or 0.0
    return float(value) * (1.0 + rise / 100.0) if value else None


def show_training(
    result: TrainResult,
    model_file: Path,
    statistics_file: Path,
    as_json: bool,
    comparison: Comparison | None = None,
) -> None:
    """Print what `train` found, beside the model before where there is one."""
    model = result.model
    if as_json:
        quality = result.held.quality() if result.held else None
        terminal.say_json({
            "model": str(model_file), "statistics": str(statistics_file), "hash": model_hash(model),
            "inputs": [feature.name for feature in model.inputs], "fits": model.provenance["fits"], "held_out": quality,
            "segments": model.provenance.get("segments"), "notes": result.notes,
            **({"comparison": comparison.to_json()} if comparison else {}),
        })  # fmt: skip
        return
    for line in result.notes:
        terminal.note(f"note: {line}")
    for fit in result.fits:
        terminal.say(
            f"{fit.target}: {fit.n_inputs} of {len(model.columns)} inputs, {fit.method}, "
            f"cross-validated RMSE {number(fit.cv_error**0.5)}"
        )
    if result.held:
        quality = result.held.quality()
        terminal.say(
            f"on the last {quality['rows']:,.0f} rows, never seen: R2 {quality['r2']:.4f}, "
            f"RMSE {number(quality['rmse'])}, mean absolute error {number(quality['mae'])}"
        )
    for line in interval_lines(model):
        terminal.say(line)
    segments = model.provenance.get("segments")
    if segments:
        rows = [
            (name, f"{segment['rows']:,}", number(segment["rmse"]), number(segment["bias"]))
            for name, segment in segments.items()
        ]
        terminal.table("on the rows held out", ("segment", "rows", "RMSE", "bias"), rows)
    show_terms(model, importance(model, result.folds))
    show_trust(model)
    if comparison is not None:
        show_comparison(comparison, as_json=False)
    terminal.say(f"wrote {model_file} and {statistics_file}")


def show_classes(result: ClassesResult, model_file: Path, as_json: bool) -> None:
    """Print what `classify` found."""
    model, fit = result.model, result.fit
    held = model.provenance.get("held_out")
    if as_json:
        terminal.say_json({
            "model": str(model_file), "hash": model_hash(model), "classes": list(model.classes or ()),
            "inputs": [feature.name for feature in model.inputs], "fits": model.provenance["fits"], "held_out": held,
            "notes": result.notes,
        })  # fmt: skip
        return
    for line in result.notes:
        terminal.note(f"note: {line}")
    terminal.say(
        f"{', '.join(model.classes or ())}: {fit.n_inputs} of {len(model.columns)} inputs, {fit.method}, "
        f"cross-validated log-loss {number(fit.cv_error)} (without inputs {number(fit.cv_null)})"
    )
    rows = [(name, *map(number, quality_of(entry))) for name, entry in reliabilities(model)]
    if rows:
        columns = ("", "accuracy", "log-loss", "Brier score", "calibration error")
        terminal.table("probabilities on rows not trained on", columns, rows)
    for title, head, lines in believed(model):
        terminal.table(title, head, lines)
    for line in [*absent_lines(model), *decision_lines(model)]:
        terminal.say(line)
    show_terms(model, {})
    terminal.say(f"wrote {model_file}")


def interval_lines(model: Model) -> list[str]:
    """What the prediction intervals promise, and what was found."""
    section = model.sections.get("interval/1")
    if section is None:
        return []
    spread = f"{min(section['blocks']):.3f} to {max(section['blocks']):.3f}"
    rows, worth = section["rows"], section.get("effective_rows")
    lines = [
        f"{output.name}: {section['level']:g} of truths within {number(low)} and {number(high)} of the prediction"
        + (f", times 1 + {number(slope)} of its size" if slope else "")
        + f"; from the first rows alone it held {result:.3f} of the last {rows['check']:,} (blocks of them: {spread})"
        for output, low, high, slope, result in zip(
            model.outputs,
            section["low"],
            section["high"],
            section.get("slope", [0.0] * len(model.outputs)),
            section["coverage"],
            strict=True,
        )
    ]
    if worth is not None and worth < rows["calibration"]:
        lines.append(
            f"{rows['calibration']:,} neighbouring rows are worth about {worth:,.0f} independent ones"
            + (
                f": no more than {section['supported']:.2f} of new truths can be promised"
                if section["supported"] < section["level"]
                else ", and the interval is wider for it"
            )
        )
    if "half_life" in section:
        lines.append(f"rows count half after {section['half_life']:,} more: intervals of newer ones hold better here")
    if "adjust" in section:
        lines.append("score and mqtt let the interval follow the truths, where rows bring them")
    return lines


def show_comparison(comparison: Comparison, as_json: bool) -> None:
    """Print what a new model changes, and the error of both on the new rows."""
    if as_json:
        terminal.say_json({"comparison": comparison.to_json()})
        return
    rows = [
        *((name, number(old, 6), number(new, 6)) for name, (old, new) in comparison.coefficients.items()),
        *((name, "-", "entered") for name in comparison.entered),
        *((name, "left", "-") for name in comparison.left),
        ("RMSE on the new rows", number(comparison.old_rmse), number(comparison.new_rmse)),
    ]
    terminal.table(f"before and after, {comparison.rows:,} new rows", ("coefficient", "before", "after"), rows)


def show_terms(model: Model, losses: dict[str, float]) -> None:
    """Print the coefficients, what the inputs are, and what each costs when it is lost.

    With a section ``estimate/1`` two costs: the missing input is estimated from the others, or its default is used.
    `losses` is for models without.
    """
    for m, output in enumerate(model.outputs):
        missing = missing_losses(model, m) if ESTIMATE in model.sections else {}
        rows = [("(intercept)", number(output.intercept, 6), "", "", "", "")]
        shown = set()
        for term in output.terms:
            feature = model.inputs[term.factors[0].input]
            alone = len(term.factors) == 1
            shown |= {factor.input for factor in term.factors}
            rows.append((term_text(model, term), number(term.coef, 6), *_input_cells(feature, alone, losses, missing)))
        sources = {feature.stream[1] for feature in model.inputs if feature.stream is not None}
        for i, feature in enumerate(model.inputs):
            if i not in shown and feature.name in sources:
                rows.append((feature.name, "", *_input_cells(feature, True, losses, missing)))
        title = f"{output.name}{f' [{output.unit}]' if output.unit else ''}"
        columns = ["input", "coefficient", "default", "range", "squared error if lost", "without an estimate"]
        count = len(columns) - (0 if missing else 1 if losses else 2)
        terminal.table(title, tuple(columns[:count]), [row[:count] for row in rows])
    for line in stream_lines(model):
        terminal.say(line)


def _input_cells(
    one: Input, alone: bool, losses: dict[str, float], missing: dict[str, tuple[float, float]]
) -> tuple[str, str, str, str]:
    span = f"{number(one.low)} to {number(one.high)}" if one.categories is None else ""
    lost = missing.get(one.name) or ((losses[one.name],) if one.name in losses else ())
    cells = [f"+{number(loss, 3)} %" for loss in lost if alone]
    return (number(one.default), span, *[*cells, "", ""][:2])  # type: ignore[return-value]


def stream_lines(model: Model) -> list[str]:
    """What the board computes from earlier rows."""
    names = [feature.name for feature in model.inputs if feature.stream is not None]
    if not names:
        return []
    rows = warm_up(model)
    return [f"computed on the board from earlier rows: {', '.join(names)}; complete after {rows} row{'s' * (rows > 1)}"]


def show_trust(model: Model) -> None:
    """Print how often each input was chosen, and between what its coefficient may lie."""
    for statement in model.provenance.get("trust", []):
        title = f"{statement['target']}: from {statement['blocks']} blocks of rows"
        if "chosen" in statement:
            title += f"; of those chosen 90 % of the time {statement['expected_noise_at_0.9']:.2g} are noise, at most"
        terminal.table(title, ("input", "chosen by halves", "coefficient, 90 %"), trust_rows(statement))


def trust_rows(one: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Input, how often it was chosen, and between what its coefficient may lie."""
    chosen, ends = one.get("chosen", {}), one.get("coefficients", {})
    return [
        (
            name,
            f"{100.0 * chosen[name]:.0f} %" if name in chosen else "-",
            f"{number(ends[name][0])} to {number(ends[name][1])}" if name in ends else "-",
        )
        for name in list(dict.fromkeys([*ends, *chosen]))[: len(ends) + 10]
    ]


def show_model(model: Model, statistics: FoldStatistics | None, as_json: bool) -> None:
    """Print a model."""
    if "detector/1" in model.sections:
        from edge_lasso.reporting.show_detector import show_detector

        return show_detector(model, as_json)
    alone = ESTIMATE in model.sections and all(feature.categories is None for feature in model.inputs)
    losses = {} if alone and not as_json else importance(model, statistics)  # those with an estimate tell more
    if as_json:
        terminal.say_json({
            **to_dict(model), "hash": model_hash(model), "percent_error_if_lost": losses, "warm_up": warm_up(model),
            "percent_error_if_missing": {
                output.name: {
                    name: {"estimated": estimated, "default": plain}
                    for name, (estimated, plain) in missing_losses(model, m).items()
                }
                for m, output in enumerate(model.outputs)
            } if ESTIMATE in model.sections else {},
        })  # fmt: skip
        return
    show_terms(model, losses)
    show_trust(model)
    policy = model.policy
    if "fixed_point/1" in model.sections and policy == "extrapolate":
        policy = "clamp in integers, else extrapolate"
    facts = [("hash", model_hash(model)[:16]), ("readings out of range", policy)]
    about = model.provenance
    data = about.get("data", {})
    if data:
        facts.append(("trained on", f"{data.get('file')}, {data.get('rows'):,} rows"))
    if "from" in data:
        facts.append(("from, to", f"{data['from']}, {data['to']}"))
    for fit in about.get("fits", []):
        target = fit.get("target", model.outputs[0].name)
        known = [("", fit.get("method")), ("alpha ", number(fit["alpha"]) if "alpha" in fit else None)]
        known.append(("gamma ", fit.get("gamma")))
        if words := [f"{name}{value}" for name, value in known if value is not None]:
            facts.append((f"{target}: method", ", ".join(words)))
        if fit.get("cv_log_loss"):
            facts.append((f"{target}: cross-validated log-loss", number(fit["cv_log_loss"])))
        if fit.get("cv_mse"):
            facts.append((f"{target}: cross-validated RMSE as trained", number(fit["cv_mse"] ** 0.5)))
    pruned = about.get("pruned")
    if pruned and pruned["error_rise_percent"] is not None:
        facts.append(("pruned", f"{', '.join(pruned['dropped'])}: squared error {pruned['error_rise_percent']:+.1f} %"))
    for name, entry in reliabilities(model):
        facts.append((f"accuracy, log-loss, Brier: {name}", ", ".join(map(number, quality_of(entry)[:3]))))
    held = about.get("held_out")
    if held and "r2" in held:
        facts.append(("held-out R2, RMSE", f"{held['r2']:.4f}, {number(held['rmse'])} ({held['rows']:,.0f} rows)"))
    facts += [("labels", line) for line in decision_lines(model)]
    facts += [("interval", line) for line in interval_lines(model)]
    facts += section_facts(model)
    facts += fixed_facts(model)
    terminal.table("", ("", ""), facts, text_columns=2)


def show_change(before: Model, after: Model, file: Path, as_json: bool) -> None:
    """Print what `prune` did."""
    names = [feature.name for feature in after.inputs]
    dropped = [feature.name for feature in before.inputs if feature.name not in names]
    if as_json:
        terminal.say_json(
            {"model": str(file), "kept": names, "dropped": dropped, "pruned": after.provenance.get("pruned")}
        )
        return
    pruned = after.provenance.get("pruned") or {}
    rise = pruned.get("error_rise_percent")
    cost = f"; squared error {rise:+.1f} % on {pruned['measured_on']}" if dropped and rise is not None else ""
    terminal.say(f"{len(names)} of {len(before.inputs)} inputs kept; dropped: {', '.join(dropped) or 'none'}{cost}")
    terminal.say(f"wrote {file}")
