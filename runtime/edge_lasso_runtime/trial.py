"""How a version is tried: its own self-test, rows that have been, and the process that uses it.

A version is *in use* once the running process has answered with its model's hash: the process writes ``--metrics``
every few seconds, and the answer is read from there.
"""

from __future__ import annotations

import json
import os
import sys

from .errors import UpdateError
from .model import Record
from .shadow import LIMIT, beyond

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .manifest import Manifest

SELFTEST_LIMIT = 300


class Trial(Record):
    """How a version is tried.

    Parameters
    ----------
    rows : str
        A file of rows that have been, for the shadow; empty: none.
    most : int
        So many of them.
    restart : tuple of str
        The command that makes the running process take the version in use; empty: none.
    metrics : str
        Where the running process writes its figures; empty: it is not asked.
    patience : float
        Seconds within which it answers.
    watch : float
        Seconds for which its figures are watched.
    """

    __slots__ = ("metrics", "most", "patience", "restart", "rows", "watch")

    def __init__(
        self,
        rows: str = "",
        most: int = 1000,
        restart: tuple[str, ...] = (),
        metrics: str = "",
        patience: float = 60.0,
        watch: float = 0.0,
    ) -> None:
        self.rows = rows
        self.most = most
        self.restart = restart
        self.metrics = metrics
        self.patience = patience
        self.watch = watch

    def shadow(self, folder: str) -> dict[str, Any]:
        """What a version says of the rows."""
        words = ["shadow", "model.json", os.path.abspath(self.rows), "--last", str(self.most)]
        figures: dict[str, Any] = json.loads(run_in(folder, words, "it cannot be taken over rows", LIMIT))
        return figures

    def answer(self, folder: str) -> str:
        """Wait until the running process answers with a version's model; returns what is wrong, or nothing."""
        if not self.metrics:
            return ""
        from time import monotonic, sleep

        from .format import load, model_hash

        wanted = model_hash(load(os.path.join(folder, "model.json")))
        until = monotonic() + self.patience
        while True:
            figures = read_figures(self.metrics)
            if figures is not None and figures["model"] == wanted:
                return ""
            if monotonic() > until:
                told = f"it tells of {figures['model'][:12]}" if figures else f"{self.metrics} cannot be read"
                return f"no process has answered with {wanted[:12]} within {self.patience:g} s ({told})"
            sleep(0.1)


def judged(folder: str, manifest: Manifest, trial: Trial) -> str:
    """Restart, wait for the answer, watch; returns why a version must be left, or nothing."""
    earlier = read_figures(trial.metrics) if trial.metrics else None
    why = restart(trial) or trial.answer(folder)
    if why or not trial.metrics or not trial.watch:
        return why
    from time import sleep

    first = read_figures(trial.metrics)
    sleep(trial.watch)
    last = read_figures(trial.metrics)
    if first is None or last is None or last["model"] != manifest.model_hash:
        return "the process has stopped answering"
    if last["written"] <= first["written"]:
        return "the process has stopped writing its figures"
    if earlier is not None and earlier["model"] == manifest.model_hash:
        earlier = None
    old = {"error": earlier["error_sum"] / earlier["error_rows"]} if earlier and earlier["error_rows"] else None
    return "; ".join(beyond(_between(first, last), old, manifest.limits))


def restart(trial: Trial) -> str:
    """Run the restart command; returns what is wrong, or nothing."""
    import subprocess

    if not trial.restart:
        return ""
    try:
        done = subprocess.run(trial.restart, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{trial.restart[0]} cannot be run: {error}"
    if done.returncode:
        return f"{trial.restart[0]} ended with {done.returncode}: {_last_line(done.stderr)}"
    return ""


def run_in(folder: str, words: Sequence[str], what: str, limit: float = SELFTEST_LIMIT) -> str:
    """What a version's own runtime prints; ours where it brings none.

    Raises
    ------
    UpdateError
        It failed.
    """
    import subprocess

    own = os.path.isdir(os.path.join(folder, "edge_lasso_runtime"))
    path = folder if own else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-s", "-m", "edge_lasso_runtime", *words], cwd=folder, env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UpdateError(f"{what}: it did not end within {limit:g} s") from None
    if done.returncode:
        raise UpdateError(f"{what}: {_last_line(done.stderr) or _last_line(done.stdout) or f'exit {done.returncode}'}")
    return done.stdout.decode("utf-8", "replace")


def read_figures(path: str) -> dict[str, Any] | None:
    """What the running process says about itself; None when it says nothing that can be read."""
    from .figures import read

    try:
        return read(path)
    except (OSError, ValueError, LookupError, StopIteration):
        return None


def _between(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Figures of the time between two readings, as `shadow` gives them."""
    from .figures import quantile

    restarted = after["start"] != before["start"]
    base = {key: 0 for key in after} if restarted else before
    counts = {key: after[key] - base[key] for key in ("rows", "degraded", "alarms")}
    rows = after["error_rows"] - base["error_rows"]
    buckets = [(edge, count - (0 if restarted else earlier)) for (edge, count), (_, earlier) in
               zip(after["buckets"], before["buckets"])]  # fmt: skip
    p95 = quantile(buckets, 0.95)
    return {
        **counts,
        "error": (after["error_sum"] - base["error_sum"]) / rows if rows else None,
        "p95_us": None if p95 is None else p95 * 1e6,
    }


def _last_line(data: bytes) -> str:
    lines = data.decode("utf-8", "replace").strip().split("\n")
    return lines[-1].strip()[:200]
