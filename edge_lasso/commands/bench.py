"""`edge-lasso bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands.shared import check_folder, parse_budgets, write_files
from edge_lasso.errors import DataError, VerificationError


def bench(
    subjects: Annotated[
        list[Path], typer.Argument(metavar="MODEL|ARTIFACT ...", help="Model files or artifact folders.")
    ],
    link: Annotated[str, typer.Option(help="Where to measure: local, or a link to a board.")] = "local",
    board: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.toml|all", help="Count what it costs on a board that is not here, and work out the time."
        ),
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="With --board and --link: keep the speed measured there for this board.")
    ] = False,
    budget: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE, such as p95_us=200; exit 1 when it is missed.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="With --board: draw the times of all boards and artifacts.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Time for each measurement.")] = 4.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the measurements here.")
    ] = None,
) -> None:
    """Measure latency, cold start, memory and size; or say what a board that is not here would need.

    Example: edge-lasso bench artifacts/python-double --budget p95_us=200

    Before buying: edge-lasso bench model.json --board pi-zero-2w
    """
    from edge_lasso.measuring.bench import bench as run
    from edge_lasso.measuring.bench import check_budgets
    from edge_lasso.reporting.show_measured import show_budgets, show_measurements
    from edge_lasso_runtime.atomic import json_bytes

    budgets = parse_budgets(budget)
    check_budgets([], budgets)
    for path in filter(None, (json_file, picture)):
        check_folder(path)
    if calibrate and board in (None, "all"):
        raise DataError("--calibrate needs one --board NAME, and --link to reach it")
    if board is not None:
        return _on_boards(subjects, board, link if calibrate else None, budgets, seconds, json_file, picture)
    if picture is not None:
        raise DataError("--picture draws boards; give --board NAME or --board all")
    measurements = run(subjects, link=link, seconds=seconds)
    if json_file is not None:
        write_files({json_file: json_bytes([measurement.to_json() for measurement in measurements])})
    show_measurements(measurements)
    if budgets:
        rows = check_budgets(measurements, budgets)
        show_budgets(rows)
        if not all(row.ok for row in rows):
            raise VerificationError("a budget is missed; see the table above")


def _on_boards(
    paths: list[Path],
    board: str,
    link: str | None,
    budgets: dict[str, float],
    seconds: float,
    json_file: Path | None,
    picture: Path | None,
) -> None:
    from edge_lasso.measuring.bench import check_budgets
    from edge_lasso.measuring.board_costs import calibrated, default_budgets, for_calibration, on_boards, subjects_of
    from edge_lasso.measuring.measurement import together
    from edge_lasso.reporting import terminal
    from edge_lasso.reporting.show_boards import costs_picture, show_costs
    from edge_lasso.reporting.show_measured import show_budgets
    from edge_lasso_devices.boards import boards, load_board
    from edge_lasso_runtime.atomic import json_bytes

    chosen = boards() if board == "all" else [load_board(board)]
    subjects = subjects_of(paths)
    if link is not None:
        file, speed, band = calibrated(chosen[0], for_calibration(subjects), link, seconds)
        terminal.say(f"{board}: {speed:.3g} cycles an instruction, within a factor {band:.2g}; kept in {file}")
        chosen = [load_board(board)]
    with terminal.progress("counting") as advance:
        measurements = on_boards(chosen, subjects, lambda name: advance(0, None, name))
    files = {}
    if json_file is not None:
        files[json_file] = json_bytes([measurement.to_json() for measurement in measurements])
    if picture is not None:
        files[picture] = costs_picture(measurements).encode()
    write_files(files)
    show_costs(measurements)
    if all(measurement.reason for measurement in measurements):
        raise VerificationError(f"nothing could be counted for {board}; see the table above")
    rows = []
    for entry in chosen:
        here = [each for each in measurements if each.link == entry.name and not each.reason]
        result = check_budgets(together(here), budgets or default_budgets(entry))
        rows += [row for row in result if budgets or row.value is not None]
    missed = [row for row in rows if not row.ok]
    show_budgets(rows if budgets or len(chosen) == 1 else missed)
    if missed:
        raise VerificationError("a budget is missed; see the table above")
