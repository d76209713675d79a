"""What a process that streams tells the outside while it lives: figures for an operator, signs of life for systemd."""

from __future__ import annotations

from time import perf_counter

from .notify import Watchdog, notify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .metrics import Metrics
    from .model import Model
    from .step import State
    from .step_result import Step


class Pulse:
    """Beats while a process works or waits.

    Parameters
    ----------
    model : Model
    path : str or None
        File of figures; None: none are written.
    source : str
        The model's file.
    """

    def __init__(self, model: Model, path: str | None = None, source: str = "") -> None:
        self.metrics: Metrics | None = None
        if path is not None:
            from .metrics import Metrics

            self.metrics = Metrics(model, path, source)
        self._watchdog = Watchdog()

    def ready(self) -> None:
        """The process can work now."""
        from .format import model_hash

        notify(f"READY=1\nSTATUS=model {model_hash(self.metrics.model)[:12]}" if self.metrics else "READY=1")

    def stopping(self) -> None:
        """The process ends: the last figures are written."""
        if self.metrics is not None:
            self.metrics.write()
        notify("STOPPING=1")

    def timed(self, work: Callable[[], list[Step]], state: State) -> list[Step]:
        """Do some work, and count what came of it."""
        if self.metrics is None:
            return work()
        began = perf_counter()
        results = work()
        self.metrics.take(results, state, perf_counter() - began)
        return results

    def errors(self, results: Sequence[Step], truths: Sequence[float | None]) -> None:
        """Count the errors of the first output, where the truth is known: one per result, or None."""
        if self.metrics is not None:
            self.metrics.count_errors(results, truths)

    def wait(self, *others: float | None) -> float | None:
        """The least of some waits and of what is due here; None for ever."""
        mine: Sequence[float | None] = (
            self._watchdog.wait(),
            None if self.metrics is None else self.metrics.wait(),
            *others,
        )
        due = [seconds for seconds in mine if seconds is not None]
        return min(due) if due else None

    def beat(self) -> None:
        """Tell what is due."""
        self._watchdog.beat()
        if self.metrics is not None:
            self.metrics.write_if_due()
