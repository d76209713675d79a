"""`edge-lasso bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands.shared import parse_budgets
from edge_lasso.errors import VerificationError


def bench(
    subjects: Annotated[
        list[Path], typer.Argument(metavar="MODEL|ARTIFACT ...", help="Model files or artifact folders.")
    ],
    link: Annotated[str, typer.Option(help="Where to measure: local, or a link to a board.")] = "local",
    budget: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE, such as p95_us=200; exit 1 when it is missed.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Time for each measurement.")] = 4.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the measurements here.")
    ] = None,
) -> None:
    """Measure latency, cold start, memory and size.

    Example: edge-lasso bench artifacts/python-double --budget p95_us=200
    """
    import json

    from edge_lasso.atomic import write_text
    from edge_lasso.bench import bench as run
    from edge_lasso.bench import check_budgets
    from edge_lasso.show import show_budgets, show_measurements

    budgets = parse_budgets(budget)
    measurements = run(subjects, link=link, seconds=seconds)
    if json_file is not None:
        data = [one.to_json() for one in measurements]
        write_text(json_file, json.dumps(data, indent=1, allow_nan=False) + "\n")
    show_measurements(measurements)
    if budgets:
        rows = check_budgets(measurements, budgets)
        show_budgets(rows)
        if not all(row.ok for row in rows):
            raise VerificationError("a budget is missed; see the table above")
