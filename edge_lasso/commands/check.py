"""`edge-lasso check`."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_lasso.commands import table_options as table
from edge_lasso.commands.shared import DataFile, Json
from edge_lasso.reporting import terminal


def check(
    data: DataFile,
    target: Annotated[str | None, typer.Option(metavar="COL", help="Column that is to be predicted.")] = None,
    time: table.Time = None,
    time_format: table.TimeFormat = None,
    zone: table.Zone = None,
    missing: table.Missing = None,
    encoding: table.Encoding = None,
    long: table.Long = None,
    every: table.Every = None,
    hold: table.Hold = None,
    as_json: Json = False,
) -> None:
    """Say what is in a table, what is wrong with it, and which command to type next.

    Example: edge-lasso check readings.csv --target temperature

    Or: edge-lasso check history.csv --long entity_id,state,last_changed --every 5min
    """
    from edge_lasso.tables.described import counted
    from edge_lasso.tables.examine import examine
    from edge_lasso.tables.next_commands import typed_option

    rows, when = table.open_data(
        data, time, time_format=time_format, zone=zone, missing=missing, encoding=encoding, long=long, every=every,
        hold=hold,
    )  # fmt: skip
    typed = {
        "time": time, "time-format": time_format, "zone": zone, "missing": ",".join(missing or ()), "encoding": encoding,
        "long": long, "every": every, "hold": hold,
    }  # fmt: skip
    how = "".join(typed_option(name, value) for name, value in typed.items() if value)
    result = examine(rows, data, target, when, how)
    if as_json:
        columns = [
            {"name": c.name, "kind": c.kind, "unit": c.unit, "missing": c.missing, "holds": c.holds}
            for c in result.columns
        ]
        terminal.say_json(
            {"title": result.title, "rows": result.rows, "whole": result.whole, "columns": columns,
             "findings": result.findings, "commands": result.commands}
        )  # fmt: skip
        return
    looked = "" if result.whole else "the first "
    terminal.table(
        f"{result.title}: {looked}{counted(result.rows, 'row')}, {counted(len(result.columns), 'column')}",
        ("column", "holds", "unit", "missing", "values"),
        [(c.name, c.kind, c.unit, f"{c.missing:.1%}" if c.missing else "", c.holds) for c in result.columns],
        text_columns=3,
    )
    for line in result.findings:
        terminal.say(f"- {line}")
    terminal.say("next:")
    for command in result.commands:
        terminal.say(f"  {command}")
