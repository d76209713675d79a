"""Where MicroPython is: the unix port, or the WebAssembly port through node."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from .folders import cache_folder
from .tools import MICROPYTHON, TOOLS, here, trouble

PACKAGE = Path("@micropython", "micropython-webassembly-pyscript", "micropython.mjs")
RUNNER = Path(__file__).with_name("micropython_node.mjs")
VERSION = Path(MICROPYTHON.asks[0])


def find_micropython() -> list[str] | None:
    """The command that runs the script whose path is appended to it; None where no MicroPython works.

    Looked for in ``EDGE_LASSO_MICROPYTHON`` (a command), on PATH, and as an npm package in `node_modules`.
    """
    named = os.environ.get("EDGE_LASSO_MICROPYTHON")
    if named:
        command = shlex.split(named)
        return command if trouble(command, MICROPYTHON) is None else None
    if here("micropython"):
        return ["micropython"]
    node = find_node()
    for folder in node_modules() if node else []:
        if (folder / PACKAGE).is_file():
            command = [str(node), str(RUNNER), str(folder / PACKAGE)]
            return command if trouble(command, MICROPYTHON) is None else None
    return None


def no_micropython() -> str:
    """Why there is no MicroPython, in one line, and how to get it."""
    named = os.environ.get("EDGE_LASSO_MICROPYTHON")
    if named:
        return f"EDGE_LASSO_MICROPYTHON: {trouble(shlex.split(named), MICROPYTHON)}"
    wrong = trouble(["micropython"], MICROPYTHON)
    said = "no MicroPython here" if wrong == "no micropython here" else f"no MicroPython here ({wrong})"
    return f"{said}; install it with: {TOOLS['micropython'].get}, or, with node: {npm_install(PACKAGE.parent)}"


def find_node() -> str | None:
    """The program that runs JavaScript, node 18 or later; None where there is none."""
    return next((name for name in ("node", "nodejs") if here(name)), None)


def node_modules() -> list[Path]:
    """Folders that may hold npm packages: the one that ``EDGE_LASSO_NODE_MODULES`` names, then the user's cache."""
    named = os.environ.get("EDGE_LASSO_NODE_MODULES")
    return [*([Path(named)] if named else []), *([_cached()] if _cached().is_dir() else [])]


def npm_install(package: Path | str) -> str:
    """The command that brings an npm package to where `node_modules` finds it."""
    folder, home = cache_folder(), Path.home()
    shown = f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else folder
    return f"npm install --prefix {shown} {package}"


def _cached() -> Path:
    return cache_folder() / "node_modules"
