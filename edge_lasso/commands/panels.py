"""Help that fits on 80 columns: options in panels, common ones first, no word cut."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

PANELS = ("", "Table", "Time", "Model", "Trust", "Output")
"""In this order; the first is headed "Options"."""


class Command(TyperCommand):
    """A command whose options stand in panels."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then each panel."""
        arguments: list[tuple[str, str]] = []
        panels: dict[str, list[tuple[str, str]]] = {name: [] for name in PANELS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if "{targets}" in record[1]:
                record = record[0], record[1].replace("{targets}", _targets())
            if parameter.param_type_name == "argument":
                arguments.append(record)
            else:
                panels.setdefault(getattr(parameter, "rich_help_panel", None) or "", []).append(record)
        for name, records in (("Arguments", arguments), *panels.items()):
            if records:
                with formatter.section(name or "Options"):
                    formatter.write_dl(records)


def _targets() -> str:
    from edge_lasso_exporters.targets import modules  # it looks through what is installed

    return ", ".join(modules())
