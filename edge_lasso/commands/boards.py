"""`edge-lasso boards`."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_lasso.commands.shared import Json
from edge_lasso.reporting import terminal


def boards(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE.toml]", help="A board, or a profile of yours.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the boards that are known, or show one with the source of every figure.

    Example: edge-lasso boards pi-zero-2w
    """
    from edge_lasso.reporting.show_boards import board_json, show_board, show_boards
    from edge_lasso_devices.boards import boards as known
    from edge_lasso_devices.boards import load_board

    if name is None:
        every = known()
        if as_json:
            terminal.say_json([board_json(member) for member in every])
        else:
            show_boards(every)
    elif as_json:
        terminal.say_json(board_json(load_board(name)))
    else:
        show_board(load_board(name))
