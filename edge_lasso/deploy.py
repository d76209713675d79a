"""A model on a board for good: its file, its Python artifact and the runtime package, which need no installation."""

from __future__ import annotations

import getpass
from urllib.parse import urlsplit

from edge_lasso.bench import runtime_files
from edge_lasso_devices import deploy as devices
from edge_lasso_devices.deploy import Deployed
from edge_lasso_exporters import registry
from edge_lasso_runtime import Model, dumps

SELF_TEST = ("python3", "-m", "edge_lasso_runtime", "selftest", "artifact")


def deploy(model: Model, board: str) -> Deployed:
    """Deploy a model.

    Parameters
    ----------
    model : Model
    board : str
        ``ssh://user@host[:port][/folder]``.

    Returns
    -------
    Deployed
        The version now in use.

    Raises
    ------
    BoardError
        Any step failed; what was in use there still is.
    """
    [(target, variant)] = registry.parse("python", model)
    artifact = registry.render(model, target, variant)
    files = {
        **runtime_files(),
        "model.json": dumps(model).encode(),
        **{f"artifact/{name}": data for name, data in artifact.items()},
    }
    return devices.deploy(board, files, SELF_TEST)


def service(model: Model, deployed: Deployed, board: str) -> str:
    """The text of a systemd unit that predicts the lines of its standard input, in the version in use."""
    user = urlsplit(board).username or getpass.getuser()
    command = ("/usr/bin/python3", "-m", "edge_lasso_runtime", "predict", "model.json", "-")
    return devices.unit(f"edge-lasso: {model.outputs[0].name}", deployed.folder, command, user)
