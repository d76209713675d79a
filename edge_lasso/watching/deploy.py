"""A model on a board for good: its file, its Python artifact and the runtime package, which need no installation."""

from __future__ import annotations

import getpass
from urllib.parse import urlsplit

from edge_lasso.measuring.measurement import runtime_files
from edge_lasso_devices import deploy as devices
from edge_lasso_devices.deploy import Deployed
from edge_lasso_exporters import registry
from edge_lasso_runtime import Model
from edge_lasso_runtime.format import file_text

STATE = "edge-lasso"
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
        "model.json": file_text(model).encode(),
        **{f"artifact/{name}": data for name, data in artifact.items()},
    }
    return devices.deploy(board, files, SELF_TEST)


def service(model: Model, deployed: Deployed, board: str) -> str:
    """The text of a systemd unit that works on the lines of its standard input, in the version in use.

    A model that remembers (a detector, lags, drift counters) scores, and keeps its state in ``/var/lib/edge-lasso``, a
    file per model; others predict.
    """
    user = urlsplit(board).username or getpass.getuser()
    runtime = ("/usr/bin/python3", "-m", "edge_lasso_runtime")
    title = f"edge-lasso: {model.outputs[0].name}"
    if not remembers(model):
        return devices.unit(title, deployed.folder, (*runtime, "predict", "model.json", "-"), user)
    command = (*runtime, "score", "model.json", "--state", f"/var/lib/{STATE}")
    return devices.unit(title, deployed.folder, command, user, STATE)


def remembers(model: Model) -> bool:
    """Whether a model's answers depend on earlier rows."""
    return not {"detector/1", "drift/1"}.isdisjoint(model.sections) or any(
        one.stream is not None for one in model.inputs
    )
