"""What `search` prints and draws: the front, its knee, and the choice."""

from __future__ import annotations

from typing import Any

from edge_lasso.measuring.search import COSTS, Candidate, Front
from edge_lasso.reporting import terminal
from edge_lasso.reporting.charts import Axes, svg_file
from edge_lasso.reporting.facts import number
from edge_lasso_devices.boards import Board

HEADS = {"instructions": "instr.", "energy_nj": "nJ", "price": "price of 1e6 rows"}


def show_front(front: Front, board: Board, as_json: bool) -> None:
    """Print the front, most accurate first."""
    if as_json:
        terminal.say_json(front_json(front, board))
        return
    keys = [
        (key, kind)
        for key in COSTS
        for kind in sorted({candidate.kind(key) for candidate in front.best if candidate.cost(key) is not None})
    ]  # counted and calibrated figures never stand in one column
    if any(key == "cycles" for key, _ in keys):
        keys = [(key, kind) for key, kind in keys if key != "instructions"]
    rows = []
    for candidate in front.best:
        mark = " ".join(word for word, at in (("choice", front.choice), ("knee", front.knee)) if at is candidate)
        costs = [
            number(candidate.cost(key) if candidate.kind(key) == kind else None, 3 if kind == "modelled" else 9)
            for key, kind in keys
        ]
        rows.append(
            (
                str(candidate.inputs),
                candidate.precision,
                candidate.artifact,
                number(candidate.error),
                number(candidate.bound, 3),
                *costs,
                mark,
            )
        )
    heads = [f"{HEADS.get(key, key.replace('_', ' '))}, {kind}" for key, kind in keys]
    columns = ("inputs", "precision", "artifact", "error", "proven bound", *heads, "")
    title = f"{board.title}: {len(front.candidates)} candidates; error is cross-validated RMSE plus the proven bound"
    terminal.table(title, columns, rows)
    if front.choice is not None and front.choice not in front.best:
        terminal.say(f"choice: {front.choice.title}, error {number(front.choice.error)}")
    for name, why in front.lost[:3]:
        terminal.note(f"note: {name}: {why}")


def front_json(front: Front, board: Board) -> dict[str, Any]:
    """Every candidate with its costs and their kinds."""

    def task(candidate: Candidate) -> dict[str, Any]:
        costs = {key: {"value": candidate.cost(key), "kind": candidate.kind(key)} for key in COSTS}
        costs = {key: {**cost, **candidate.source(key)} for key, cost in costs.items()}
        [fit] = candidate.model.provenance["fits"]
        return {
            "lambda": fit["alpha"],
            "gamma": fit["gamma"],
            "inputs": [each.name for each in candidate.model.inputs],
            "precision": candidate.precision,
            "artifact": candidate.artifact,
            "error": candidate.error,
            "bound": candidate.bound,
            "costs": {key: cost for key, cost in costs.items() if cost["value"] is not None},
            "front": candidate in front.best,
            "knee": candidate is front.knee,
            "choice": candidate is front.choice,
        }

    return {"board": board.name, "candidates": [task(each) for each in front.candidates]}


def front_picture(front: Front, board: Board) -> str:
    """Error against modelled time (or bytes), as one SVG file."""
    key = "p50_us" if all(candidate.cost("p50_us") for candidate in front.candidates) else "size_bytes"
    points = [(float(candidate.cost(key) or 1.0), candidate) for candidate in front.candidates]
    costs, errors = [cost for cost, _ in points], [candidate.error for candidate in front.candidates]
    kind = front.best[0].kind(key)
    axes = Axes(
        (min(costs) / 1.2, max(costs) * 1.2), (0.0, 1.1 * max(errors)), f"{key.replace('_', ' ')}, {kind}", "error",
        f"Accuracy against cost on {board.title}", "Error of every candidate against its cost.",
        log_x=True,
    )  # fmt: skip
    line: list[tuple[float, float]] = []
    for cost, entry in sorted(points, key=lambda point: (point[0], point[1].error)):
        if not line or entry.error < line[-1][1]:
            line.append((cost, entry.error))
    axes.line([cost for cost, _ in line], [error for _, error in line], "line")
    for cost, entry in points:
        axes.dot(cost, entry.error, "point" if entry in front.best else "other", f"{entry.title}: {entry.error:.4g}")
        if entry is front.knee:
            axes.dot(cost, entry.error, "knee", "knee", 7.0)
        if entry is front.choice:
            axes.dot(cost, entry.error, "choice", "choice", 10.0)
    return svg_file(axes)
