"""A model on a board for good: a bundle of its file, its Python artifact and the runtime; and the unit that uses it."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from edge_lasso.errors import BoardError, DataError
from edge_lasso.measuring.measurement import runtime_files
from edge_lasso.watching.bundle import PYTHON, packed
from edge_lasso_devices import deploy as devices
from edge_lasso_devices.deploy import Deployed
from edge_lasso_devices.units import Service, units
from edge_lasso_exporters import registry
from edge_lasso_runtime import Model, manifest, model_hash
from edge_lasso_runtime.format import file_text

AT_ONCE = 8
SOURCES = "mqtt://HOST[:PORT]/TOPIC, mqtts://.., fifo:/run/NAME, socket:/run/NAME, or file:/PATH with --every 15min"


def deploy(model: Model, board: str, options: Sequence[str] = ()) -> Deployed:
    """Deploy a model; whoever may log in there answers for it, nothing is signed.

    Parameters
    ----------
    model : Model
    board : str
        ``ssh://user@host[:port][/folder]``.
    options : sequence of str
        Of the board's ``update``: ``--restart``, ``--metrics``, ``--watch``.

    Returns
    -------
    Deployed
        The version now in use.

    Raises
    ------
    BoardError
        Any step failed; what was in use there still is.
    """
    return devices.deploy(board, runtime_files(), unsigned(model), ("--unsigned", *options))


def deploy_bundle(bundle: bytes, board: str, options: Sequence[str] = ()) -> Deployed:
    """Deploy a bundle that the board's signers have signed."""
    return devices.deploy(board, runtime_files(), bundle, options)


def rollback(board: str, options: Sequence[str] = ()) -> Deployed:
    """Switch a board back to the version before."""
    return devices.rollback(board, runtime_files(), options)


def statuses(boards: Sequence[str]) -> list[dict[str, Any]]:
    """Where boards stand, several asked at once; what cannot be asked says why (``problem``)."""

    def ask(board: str) -> dict[str, Any]:
        try:
            return {"link": board, "problem": None, **devices.status(board, runtime)}
        except BoardError as error:
            return {"link": board, "problem": str(error).removeprefix(f"{board}: ")}

    runtime = runtime_files()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, boards))


def unsigned(model: Model) -> bytes:
    """A bundle of one model: the same model and version of edge-lasso give the same bytes, and so the same version."""
    [(target, variant)] = registry.parse("python", model)
    artifact = registry.render(model, target, variant)
    files = {
        **runtime_files(),
        "model.json": file_text(model).encode(),
        **{f"artifacts/{target}-{variant}/{name}": data for name, data in artifact.items()},
    }
    about = manifest.Manifest(
        "local", 1, 0.0, manifest.LAST_MOMENT, 10_000, model_hash(model), PYTHON, manifest.UPDATER,
        sorted(model.sections), {}, [],
    )  # fmt: skip
    return packed(about, files)


def service(model: Model, folder: str, board: str, source: str, every: str, name: str) -> dict[str, str]:
    """Units that take readings from a source through the version in use.

    Parameters
    ----------
    model : Model
    folder : str
        The board's, as `Deployed` has it.
    board : str
        Whose user runs it where the folder is in a home.
    source : str
        See `SOURCES`.
    every : str
        With a file: how often.
    name : str
        Of the unit.

    Returns
    -------
    dict
        File names to texts.

    Raises
    ------
    DataError
        The source is none.
    """
    kind, _, place = source.partition(":")
    if (kind == "file") != bool(every):
        raise DataError("--every goes with --source file:/PATH, and a file needs it")
    state, figures = f"%S/edge-lasso/{name}", f"%t/edge-lasso/{name}/edge-lasso.prom"
    words = ["/usr/bin/python3", "-m", "edge_lasso_runtime"]
    fifo, socket, online = "", "", False
    if kind in ("mqtt", "mqtts"):
        parts = urlsplit(source)
        if not parts.hostname or len(parts.path) < 2 or parts.username or parts.query:
            raise DataError(f"--source {source!r} is not {kind}://HOST[:PORT]/TOPIC; credentials come by a file")
        topic = source.split("/", 3)[3]
        words += ["mqtt", "model.json", "--broker", parts.netloc, "--topic", topic, "--publish", f"edge-lasso/{name}"]
        words += ["--state", state, "--metrics", figures, *(["--tls"] if kind == "mqtts" else [])]
        online = True
    elif kind in ("fifo", "socket") and place.startswith("/"):
        words += ["score", "model.json", "--state", state, "--metrics", figures]
        fifo, socket = (place, "") if kind == "fifo" else ("", place)
    elif kind == "file" and place.startswith("/"):
        results = f"{state}/results.csv"
        words += ["predict", "model.json", place, "--out", results, "--metrics", figures]
    else:
        raise DataError(f"--source {source!r} is none; a unit needs {SOURCES}")
    user = urlsplit(board).username or getpass.getuser()
    title = f"edge-lasso: {model.outputs[0].name}"
    return units(Service(name, title, folder, words, user, fifo, socket, every, online))
