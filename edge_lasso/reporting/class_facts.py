"""What is known of a classifier's probabilities and labels, in words and rows, for terminal and page."""

from __future__ import annotations

from typing import Any

from edge_lasso.reporting.facts import number
from edge_lasso_runtime import Model


def judged_on(model: Model) -> tuple[str, dict[str, Any]]:
    """What is known best of a classifier, and on which rows: those held out last, or else those of the folds."""
    held = model.provenance.get("held_out") or {}
    if "by_class" in held:
        return f"last {held['rows']:,.0f} rows", held
    return "held-out folds", (model.provenance.get("fits") or [{}])[0].get("calibration") or {}


def believed(model: Model) -> list[tuple[str, tuple[str, ...], list[tuple[str, str, str, str]]]]:
    """Tables of how far probabilities can be believed: title, head, rows."""
    where, result = judged_on(model)
    classes = result.get("by_class") or {}
    if len(classes) == 1:
        ((name, entry),) = classes.items()
        lines = [
            (
                f"{row['from']:g} to {row['to']:g}",
                f"{row['rows']:,}",
                number(row["mean_probability"]),
                number(row["share"]),
            )
            for row in entry["table"]
        ]
        return [(f"how often it is '{name}', {where}", ("says", "rows", "says on average", "is"), lines)]
    lines = [
        (name, number(entry["share"]), number(entry["mean_probability"]), number(entry["calibration_error"]))
        for name, entry in classes.items()
    ]
    head = ("class", "is", "says on average", "calibration error")
    return [(f"probabilities by class, {where}", head, lines)] if lines else []


def absent_lines(model: Model) -> list[str]:
    """Which classes no row was of that probabilities were judged on."""
    where, result = judged_on(model)
    shares = {name: entry["share"] for name, entry in (result.get("by_class") or {}).items()}
    if len(shares) == 1 and model.classes:  # of two classes the second is told
        shares[model.classes[0]] = 1.0 - shares[model.classes[1]]
    absent = " or ".join(f"'{name}'" for name in model.classes or () if shares.get(name) == 0.0)
    return [f"no row of the {where} is {absent}: these figures say nothing about it"] if absent else []


def decision_lines(model: Model) -> list[str]:
    """What labels of least cost are, and what they bring."""
    labels = model.provenance.get("labels")
    if not labels:
        return []
    where, result = judged_on(model)
    costs = ", ".join(f"'{name}' {number(cost)}" for name, cost in labels["miss_cost"].items())
    lines = [
        f"labels cost least where a miss costs {costs}; the model's odds count these costs: divide by them for the odds of "
        "the data"
    ]
    if labels["threshold"] is not None:
        name = (model.classes or ("", ""))[1]
        lines[0] += f" ('{name}' where its probability is above {number(labels['threshold'])})"
    decisions = result.get("decisions")
    if decisions:
        missed = ", ".join(f"'{name}' {part:.1%}" for name, part in decisions["missed"].items())
        lines.append(
            f"missed, {where}: {missed}; a row costs {number(decisions['cost_per_row'])} (the most probable class: "
            f"{number(decisions['cost_per_row_of_the_most_probable'])}, always the same: "
            f"{number(decisions['cost_per_row_of_one_class'])})"
        )
    return lines


def reliabilities(model: Model) -> list[tuple[str, dict[str, Any]]]:
    """Quality of a classifier's probabilities, by the rows it was found on."""
    about = model.provenance
    result = (about.get("fits") or [{}])[0].get("calibration") or {}
    named = [("held-out folds", result.get("before")), ("calibrated", result.get("after"))]
    held = about.get("held_out")
    if held and "log_loss" in held:
        named.append((f"last {held['rows']:,.0f} rows", held))
    return [(name, entry) for name, entry in named if entry]


def quality_of(entry: dict[str, Any]) -> list[float]:
    """Accuracy, log-loss, Brier score and calibration error."""
    return [entry[key] for key in ("accuracy", "log_loss", "brier", "expected_calibration_error")]
