"""Where MicroPython is: the unix port, or the WebAssembly port through node."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

PACKAGE = Path("@micropython", "micropython-webassembly-pyscript", "micropython.mjs")
RUNNER = Path(__file__).with_name("micropython_node.mjs")


def find_micropython() -> list[str] | None:
    """The command that runs the script whose path is appended to it; None where there is no MicroPython.

    Looked for in ``EDGE_LASSO_MICROPYTHON`` (a command), on PATH, and in a ``node_modules`` of the current folder, one
    above it, or the folder that ``EDGE_LASSO_NODE_MODULES`` names.
    """
    if os.environ.get("EDGE_LASSO_MICROPYTHON"):
        return shlex.split(os.environ["EDGE_LASSO_MICROPYTHON"])
    if shutil.which("micropython"):
        return ["micropython"]
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        return None
    for folder in node_modules():
        if (folder / PACKAGE).is_file():
            return [node, str(RUNNER), str(folder / PACKAGE)]
    return None


def node_modules() -> list[Path]:
    """Folders that may hold npm packages: ``EDGE_LASSO_NODE_MODULES``, then those of this folder and the ones above."""
    here = Path.cwd()
    named = os.environ.get("EDGE_LASSO_NODE_MODULES")
    return [*([Path(named)] if named else []), *(one / "node_modules" for one in (here, *here.parents))]
