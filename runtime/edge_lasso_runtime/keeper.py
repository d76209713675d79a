"""The state of a stream between starts, and how a process that streams comes to an end."""

from __future__ import annotations

import os
import signal
import sys
from time import monotonic

from . import snapshot
from .errors import SnapshotError
from .locks import LockedError, hold
from .printable import report
from .rows import RowError
from .step import start
from .truth import truths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .adapt import Adapter
    from .learn import Learner
    from .model import Model
    from .step import State
    from .step_result import Step


class Keeper:
    """Keeps the state of a stream: restores it at the start, saves it when it is due; one process at a time.

    In a folder, the state of another model that reads the same inputs is carried over as far as it fits: what is known
    of the sensors and the histories of derived inputs. Scores and drift are counted anew.

    Parameters
    ----------
    model : Model
    path : str or None
        The snapshot, or a folder with one per model; None: nothing is kept.
    every : str
        Readings (``1000``) or seconds (``10s``) between two snapshots.
    fresh : bool
        Do not read what is there.
    learn : str, optional
        File or folder of a `Learner`. It is saved after every snapshot, so that no row that comes again after a crash
        is learned twice.
    adapt, within : optional
        See `Adapter`; None: nothing is corrected.

    Attributes
    ----------
    state : State
    more : dict
        What else travels in the snapshot.
    learner : Learner or None
    adapter : Adapter or None
    """

    def __init__(
        self,
        model: Model,
        path: str | None,
        every: str = "10s",
        fresh: bool = False,
        learn: str | None = None,
        adapt: str | None = None,
        within: float = 0.0,
    ) -> None:
        from .format import model_hash

        self._model = model
        self.adapter: Adapter | None = None

        self.learner: Learner | None = None
        if learn is not None:
            from .learn import Learner

            self.learner = Learner(model, learn)
        self._hash = model_hash(model)
        self._inputs = [[feature.name, list(feature.stream) if feature.stream else None] for feature in model.inputs]
        folder = path if path is not None and os.path.isdir(path) else ""
        if folder:
            path = os.path.join(folder, f"{self._hash[:16]}.json")
        self._path = path
        if path is not None:
            try:
                self._lock = hold(os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.lock"))
            except LockedError as error:
                raise SnapshotError(f"{error}; two processes cannot keep one state") from None
        self._rows, self._seconds = _every(every)
        self._failed = False
        self.state = start(model)
        self.more: dict[str, Any] = {}
        if path is not None and not fresh:
            self._restore(path, folder)
        if adapt is not None:
            from .adapt import Adapter

            self.adapter = Adapter(model, adapt, within, self.more.get("adapt"))
        if path is not None:
            self.save()  # a folder that cannot be written to is refused before the work begins
        self._saved_rows, self._saved_at = self.state.rows, monotonic()

    def _restore(self, path: str, folder: str) -> None:
        content = snapshot.load(path, self._hash)
        if content is None:
            if folder:
                self._carry_over(folder)
            return
        try:
            self.state.restore(content["state"])
            self.more = dict(content["more"])
        except snapshot.WRONG as error:
            raise SnapshotError(f"{path} does not fit the model: {error}; {snapshot.ADVICE}") from None

    def _carry_over(self, folder: str) -> None:
        """Begin with what the model before has learned about the same inputs."""
        names = [name for name in os.listdir(folder) if len(name) == 21 and name.endswith(".json")]
        paths = [os.path.join(folder, name) for name in names]
        for path in sorted(paths, key=os.path.getmtime, reverse=True):
            try:
                content = snapshot.load(path, None)
                if content["inputs"] != self._inputs:
                    report("the model before read other inputs; the state begins afresh")
                    return
                self.state.carry_over(content["state"])
            except (OSError, *snapshot.WRONG):
                continue
            report(f"the model is new; sensors and histories go on from {path}, scores and drift begin afresh")
            return

    @property
    def follows(self) -> bool:
        """Whether the truths of rows are learned from: `follow` wants to see each row."""
        return self.learner is not None or self.adapter is not None

    def follow(self, result: Step, values: Sequence[Any]) -> tuple[list[float | None], list[float]]:
        """A row, after its `step`: it is corrected, and its truths are learned from.

        Parameters
        ----------
        result : Step
            Changed in place.
        values : sequence
            The truth of each output, as it came; empty where none can.

        Returns
        -------
        truths : list of float or None
            Per output.
        corrections : list of float
            By how much each output was corrected; empty where nothing is.
        """
        known = truths(self._model, values)
        corrections: list[float] = []
        if self.learner is not None:
            self.learner.follow(self.state, result, values)
        if self.adapter is not None:
            corrections = self.adapter.correct(result, self.state.inputs)
            self.adapter.learn(result, self.state.inputs, known)
        return known, corrections

    def save(self) -> None:
        """Write the snapshot now."""
        if self._path is not None:
            snapshot.save(self._path, self._hash, self._content())
        self._saved_rows, self._saved_at = self.state.rows, monotonic()
        if self.learner is not None:
            self.learner.save()

    def _content(self) -> dict[str, Any]:
        more = self.more if self.adapter is None else {**self.more, "adapt": self.adapter.to_dict()}
        return {"state": self.state.to_dict(), "more": more, "inputs": self._inputs}

    def save_if_due(self) -> None:
        """Write the snapshot when it is time."""
        if self._path is None and self.learner is not None:
            self.learner.save_if_due()
        wait = self.wait()
        if self._path is not None and (self.rows_left() <= 0 or (wait is not None and wait <= 0.0)):
            self.save_or_report()

    def save_or_report(self) -> bool:
        """Write the snapshot; a disk that is full is reported once, and tried again when the next is due."""
        try:
            self.save()
        except OSError as error:
            if not self._failed:
                report(f"{self._path}: {error.strerror}; the state is not saved, scoring goes on")
            self._failed = True
            self._saved_rows, self._saved_at = self.state.rows, monotonic()
            return False
        self._failed = False
        return True

    def rows_left(self) -> int:
        """How many readings until the next snapshot; many where seconds count."""
        return self._rows - (self.state.rows - self._saved_rows) if self._rows and self._path is not None else 1 << 30

    def wait(self) -> float | None:
        """How many seconds until the next snapshot; None when there is nothing to save, or readings count."""
        if self._path is None or not self._seconds or self.state.rows == self._saved_rows:
            return None
        return max(self._saved_at + self._seconds - monotonic(), 0.0)

    def until_due(self) -> float:
        """How many seconds until the next snapshot, whatever there is to save; 0 where nothing is kept."""
        if self._path is None or self.rows_left() <= 0:
            return 0.0
        return max(self._saved_at + self._seconds - monotonic(), 0.0) if self._seconds else 1e9


class Stop:
    """SIGTERM and interrupts end a wait, and nothing else: the work at hand is finished.

    Parameters
    ----------
    told : callable or None
        Called when the signal comes.

    Attributes
    ----------
    asked : int
        The signal; 0 before it comes.
    again : bool
        SIGHUP has come: the process should begin anew, with the version in use then.
    wake : int or None
        A descriptor from which something can be read once it has come.
    """

    def __init__(self, told: Callable[[], object] | None = None) -> None:
        self.asked = 0
        self.again = False
        self._told = told
        self.wake = None
        if os.name == "posix":
            self.wake, write = os.pipe()
            os.set_blocking(write, False)
            signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._ask)

    @property
    def code(self) -> int:
        """The exit code: 130 after an interrupt, 0 after SIGTERM or at the end of the input."""
        return 130 if self.asked == signal.SIGINT else 0

    def _ask(self, number: int, frame: Any) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self.asked = number
        else:
            self.again = True
        if self._told is not None:
            self._told()


def begin_anew() -> None:
    """Become the version in use: the same command in a fresh interpreter, with the descriptors that are open."""
    home = os.environ.get("EDGE_LASSO_HOME")
    if home:
        os.chdir(os.path.join(home, "current"))
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "edge_lasso_runtime", *sys.argv[1:]])


def state_digest(model: Model, state: State) -> bytes:
    """The digest of what a stream has counted.

    Raises
    ------
    RowError
        The model counts nothing.
    """
    from .drift import digest

    if state.drift is None:
        raise RowError("the model counts no drift (it has no section drift/1), so there is no digest")
    return digest(model, state.drift, 0 if state.detector is None else state.detector.onsets)


def saved_state(model: Model, path: str) -> State:
    """The state in a snapshot that is there.

    Raises
    ------
    SnapshotError, OSError
    """
    from .format import model_hash

    content = snapshot.load(path, model_hash(model))
    if content is None:
        raise SnapshotError(f"{path} does not exist; score --state writes it")
    state = start(model)
    try:
        state.restore(content["state"])
    except snapshot.WRONG as error:
        raise SnapshotError(f"{path} does not fit the model: {error}; {snapshot.ADVICE}") from None
    return state


def _every(text: str) -> tuple[int, float]:
    try:
        if text.endswith("s"):
            amount = float(text[:-1])
            if 0.0 < amount < 1e9:
                return 0, amount
        elif int(text) > 0:
            return int(text), 0.0
    except ValueError:
        pass
    raise RowError(f"--every {text} is neither readings nor seconds; for example: --every 1000, or --every 10s")
