"""`edge-lasso cascade`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands.shared import DataFile, Json, ModelFile, check_folder
from edge_lasso.reporting import terminal


def cascade(
    model: ModelFile,
    data: DataFile,
    target: Annotated[str, typer.Option(metavar="COL", help="Column that says what a row is.")],
    yes: Annotated[
        str | None, typer.Option(metavar="VALUE", help="What is looked for; of a classifier by default the 2nd class.")
    ] = None,
    miss: Annotated[float, typer.Option(metavar="PART", help="Of these rows, so many may be called 'no'.")] = 0.01,
    false_alarm: Annotated[
        float, typer.Option(metavar="PART", help="Of the others, so many may be called 'yes'.")
    ] = 0.01,
    confidence: Annotated[float, typer.Option(metavar="PART", help="That each of the two holds.")] = 0.95,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Model file; by default the given one.")] = None,
    as_json: Json = False,
) -> None:
    """Make a classifier or detector the first stage: it decides the clear rows, the others go on to a heavier model.

    DATA are rows that training did not see; half of them find the two thresholds, half say what came of it.

    Example: edge-lasso cascade model.json heldout.csv --target state --yes fault --miss 0.01
    """
    from edge_lasso.detecting.cascade import Promise
    from edge_lasso.detecting.cascade import cascade as run
    from edge_lasso.statistics.beside import load_statistics, save_both
    from edge_lasso_runtime import load, model_hash
    from edge_lasso_runtime.cascade import KEY

    place = out or model
    check_folder(place, data)
    before = load(model)
    after = run(before, data, target, yes, Promise(miss, false_alarm, confidence))
    save_both(after, load_statistics(model, before, missing_ok=True) if place == model else None, place)
    section = after.sections[KEY]
    if as_json:
        return terminal.say_json({"model": str(place), "hash": model_hash(after), **section})
    for key, what in (
        ("missed", f"missed, at most {miss:g}"),
        ("false_alarms", f"false alarms, at most {false_alarm:g}"),
    ):
        count, rows = section["found"][key]
        part = f" ({count / rows:.4f})" if rows else ""
        terminal.say(f"{what} with confidence {confidence:g}: on the second half {count:,} of {rows:,}{part}")
    ahead = section["goes_on"]
    terminal.say(f"goes on: {ahead['predicted']:.1%} of the rows predicted, {ahead['found']:.1%} on the second half")
    terminal.say(f"wrote {place}")
