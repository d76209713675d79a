"""What an artifact costs on a board that is not here: counted in emulation, and times worked out from the counts.

Two measurements an artifact: one ``emulated`` (instructions, cycles, stack, flash, RAM: the same on every run) and one
``modelled`` (microseconds with a band). C is compiled and called on the board's emulated core; Python runs on real
CPython for the board's architecture under QEMU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from edge_lasso.errors import BoardError, DataError
from edge_lasso.measuring.bench import from_path, rendered
from edge_lasso.measuring.core_calls import Files, calling_program, count_call, emulated_figure
from edge_lasso.measuring.measurement import Measurement, Subject, alone, measure, runtime_files
from edge_lasso.measuring.runtime_counts import kept_line
from edge_lasso_devices.boards import Board, calibrated_profile, targets
from edge_lasso_devices.cores import STAND_IN
from edge_lasso_devices.cross import linux_program
from edge_lasso_devices.qemu import MARK, QemuShell
from edge_lasso_devices.time_model import calibration, energy_figure, model_time
from edge_lasso_runtime import load
from edge_lasso_runtime.artifact import FILE
from edge_lasso_runtime.atomic import write_text

CALLS = 2000
RUNTIMES = ("onnx", "tflite")
RUNTIME_CALLS = 100
RUNTIME_TIMEOUT = 900.0
MARKED = """
import os, sys
from edge_lasso_runtime.subject import subject
def mark():
    try:
        os.getpgid(int(sys.argv[2]))
    except ProcessLookupError:
        pass
def loop(function, argument):
    for _ in calls:
        function(argument)
calls = range(int(sys.argv[1]))
for path in sys.argv[3:]:
    function, arguments = subject(path, None).open()
    loop(function, arguments[0])
    mark()
    loop(function, arguments[0])
    mark()
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    for name, module in list(sys.modules.items()):  # the next subject may have modules of the same names
        if os.path.dirname(getattr(module, "__file__", None) or "") == folder:
            del sys.modules[name]
mark()
for _ in calls:
    pass
mark()
"""
DEFAULT_BUDGETS = {
    "linux": {"size_bytes": 1e6, "ram_bytes": 1e7, "p95_us": 2e5},
    "microcontroller": {"flash_bytes": 1e6, "ram_bytes": 1e7, "p95_us": 2e5},
}
"""What the field asks of a model on the edge; a microcontroller's own memories are smaller limits."""
LOOP = """
import sys
from edge_lasso_runtime.subject import subject
def loop(function, argument, calls):
    for _ in range(calls):
        CALL
function, arguments = subject(PATH, None).open()
loop(function, arguments[0], int(sys.argv[1]))
"""


def subjects_of(paths: Iterable[Path]) -> list[Subject]:
    """Artifacts as they are; of a model file, Python and what C variants there are."""
    subjects: list[Subject] = []
    for path in paths:
        if path.is_file() and path.name != FILE:
            model = load(path)
            wanted = ["python", "c:float", *(["c:fixed"] if "fixed_point/1" in model.sections else [])]
            subjects += rendered(model, ",".join(wanted))
        else:
            subjects += from_path(path)
    return subjects


def on_boards(
    boards: Sequence[Board], subjects: Sequence[Subject], progress: Callable[[str], None] | None = None
) -> list[Measurement]:
    """Count what subjects cost, and work out the times on boards.

    Parameters
    ----------
    boards : sequence of Board
    subjects : sequence of Subject
        See `subjects_of`.
    progress : callable, optional
        Told what is counted next.

    Returns
    -------
    list of Measurement
        ``link`` is the board's name. What cannot run or be counted there carries a `reason`.
    """
    results = []
    with Emulators() as emulators:
        for board in boards:
            for subject in subjects:
                if progress is not None:
                    progress(f"{board.name} {subject.name}")
                results += emulators.costs(board, subject)
    return results


def calibrated(board: Board, subject: Subject, link: str, seconds: float = 4.0) -> tuple[Path, float, float]:
    """Measure one subject on a real board and store the speed that this means for the board's profile.

    Returns
    -------
    path, cycles_per_instruction, band
    """
    emulated = on_boards([board], [subject])[0]
    instructions = emulated.value("instructions")
    if instructions is None:
        raise BoardError(f"{board.name}: {emulated.reason or 'nothing was counted'}")
    measured = measure([subject], link, seconds)[0]
    figure = measured.figures.get("p50_us", {})
    if figure.get("value") is None:
        raise BoardError(f"{link}: {measured.reason or 'no latency was measured'}")
    if measured.kind != "measured":
        raise BoardError(f"{link} is {measured.kind}; a board is calibrated by what is measured on it")
    middle = float(figure["value"])
    band = max(float(figure.get("high", middle)) / middle, middle / float(figure.get("low", middle)), 1.1)
    speed = calibration(board, instructions, middle)
    source = f"measured on {measured.machine}: {subject.name}, {instructions:,.0f} instructions in {middle:.4g} us"
    write_text(*(profile := calibrated_profile(board, speed, band, source)))
    return profile[0], speed, band


def default_budgets(board: Board) -> dict[str, float]:
    """Budgets of a board's class, not above what the board has."""
    budgets = dict(DEFAULT_BUDGETS[board.kind])
    budgets["ram_bytes"] = min(budgets["ram_bytes"], float(board.ram_bytes.value))
    if board.flash_bytes is not None:
        budgets["flash_bytes"] = min(budgets["flash_bytes"], float(board.flash_bytes.value))
    return budgets


class Emulators:
    """Emulated systems and cores: each is opened once, and what is the same for two boards is counted once.

    Parameters
    ----------
    calibrated : bool
        Where onnx and tflite cannot be counted here, they have a kept count (see `runtime_counts`) instead of a
        `reason`.
    """

    def __init__(self, calibrated: bool = False) -> None:
        self._open: dict[str, QemuShell] = {}
        self._counts: dict[tuple[str, str, Files], int] = {}
        self._call = cache(count_call)
        self._calibrated = calibrated
        self._refused: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Emulators:
        return self

    def __exit__(self, *_: object) -> None:
        for shell in self._open.values():
            shell.close()

    def costs(self, board: Board, one: Subject) -> list[Measurement]:
        """What a subject costs on a board: counted, and worked out from that; or one that says why not."""
        target, _, variant = one.name.partition(":")
        why = targets(board).get("python" if target == "runtime" else target, f"no {target} there")
        figures: Mapping[str, Any] = {}
        if why is None:
            try:
                figures = self._system(board, one) if board.kind == "linux" else self._core(board, one, target, variant)
            except BoardError as error:
                why = str(error)
        return _two(board, one, figures, why)

    def _core(self, board: Board, one: Subject, target: str, variant: str) -> Mapping[str, Any]:
        """Cost of one call of a C artifact on the board's core."""
        if target != "c":
            raise BoardError(f"{target} is not counted on a core; bench --link micropython times it")
        if board.core is None:
            raise BoardError("no emulated core stands for this board")
        return self._call(board.core, Files(one.files), variant)

    def count_together(self, board: Board, subjects: Sequence[Subject]) -> None:
        """Count artifacts that the same program runs in one process: starting it in emulation takes longer than all."""
        for target in ("python", *RUNTIMES):
            here = [subject for subject in subjects if subject.name.partition(":")[0] == target]
            if here and board.kind == "linux" and targets(board)[target] is None:
                self._together(_system_of(board), target, here)

    def _system(self, board: Board, one: Subject) -> Mapping[str, Any]:
        """Instructions of one call, in the board's architecture."""
        name, target = _system_of(board), one.name.partition(":")[0]
        size = {"value": sum(len(data) for data in one.files.values()), "unit": "bytes", "kind": "measured"}
        if target in RUNTIMES and (name, one.name, Files(one.files)) not in self._counts:
            self._together(name, target, [one])
            refusal = self._refused.get((name, target), "")
            line = kept_line(one.name) if self._calibrated else None
            if refusal and line is None:
                raise BoardError(refusal)
            if refusal and line is not None:
                value = line.at(int(one.figures["inputs"]["value"]))
                figure = {**emulated_figure(value, "instructions", f"{line.source}; {refusal}"), "kind": "modelled"}
                return {"instructions": figure, "size_bytes": size, "by": line.source}
        how = self._shell(name).describe()
        return {
            "instructions": emulated_figure(self._count(name, one), "instructions", how),
            "size_bytes": size,
            "by": how,
        }

    def _shell(self, name: str) -> QemuShell:
        if name not in self._open:
            self._open[name] = QemuShell(name)
            self._open[name].put(runtime_files())
        return self._open[name]

    def _count(self, name: str, one: Subject) -> int:
        """Instructions of one call, counted in an architecture's emulated system."""
        target, _, variant = one.name.partition(":")
        shell, key = self._shell(name), (name, one.name, Files(one.files))
        if key in self._counts:
            return self._counts[key]
        folder = f"subject{len(self._counts)}"
        if target == "c":
            program = linux_program(calling_program(one.files, variant), name)
            shell.put({f"{folder}/program": program})
            self._counts[key] = shell.count_per_call(lambda calls: [str(calls)], CALLS, 300.0, f"{folder}/program")
        else:
            shell.put({f"{folder}/{file}": data for file, data in one.files.items()})
            path = f"{folder}/{one.entry}" if one.entry else folder
            script = LOOP.replace("PATH", repr(path))
            whole, empty = (
                shell.count_per_call(_running(script.replace("CALL", line)), CALLS, 300.0)
                for line in ("function(argument)", "pass")
            )
            self._counts[key] = whole - empty
        return self._counts[key]

    def _together(self, name: str, target: str, subjects: Sequence[Subject]) -> None:
        """Count artifacts of one target in one process, or note why that cannot be."""
        if (name, target) in self._refused:
            return
        try:
            counts = self.instructions(name, target, subjects)
        except BoardError as error:
            self._refused[name, target] = str(error)
            return
        for subject, count in zip(subjects, counts, strict=True):
            self._counts[name, subject.name, Files(subject.files)] = count

    def instructions(self, system: str, target: str, subjects: Sequence[Subject]) -> list[int]:
        """Instructions of one call of each subject, all in one process of an emulated system's Python.

        Parameters
        ----------
        system : str
            See `edge_lasso_devices.qemu.architectures`.
        target : str
            Whose runtime all of them need.
        subjects : sequence of Subject
            No C.

        Raises
        ------
        BoardError
            The system or the runtime cannot be had, or does not run them.
        """
        shell = self._shell(system)
        shell.install(target)
        folders = [f"{target}{len(self._counts) + i}" for i in range(len(subjects))]
        for folder, subject in zip(folders, subjects, strict=True):
            shell.put({f"{folder}/{file}": data for file, data in subject.files.items()})
        # whole paths: a peer's code changes the folder
        paths = [
            str(Path(shell.folder, folder, subject.entry)) for folder, subject in zip(folders, subjects, strict=True)
        ]
        done, marks = shell.marks(["-c", MARKED, str(RUNTIME_CALLS), str(MARK), *paths], RUNTIME_TIMEOUT)
        if done.returncode != 0 or len(marks) != 2 * len(folders) + 2:
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise BoardError(f"link 'qemu:{system}': {target} does not run there: {last}")
        *pairs, empty = (b - a for a, b in zip(marks[::2], marks[1::2], strict=True))
        return [round((count - empty) / RUNTIME_CALLS) for count in pairs]


def _system_of(board: Board) -> str:
    """The emulated system that stands for a board."""
    name = {"local": "amd64"}.get(board.link or "", (board.link or "").removeprefix("qemu:"))
    if not name:
        raise BoardError("no emulated system stands for this board")
    return name


def _running(script: str) -> Callable[[int], list[str]]:
    """The arguments of Python for a script and a number of calls."""
    return lambda calls: ["-c", script, str(calls)]


def _two(board: Board, one: Subject, figures: Mapping[str, Any], why: str | None) -> list[Measurement]:
    """The emulated measurement and, from it, the modelled one."""
    if why is not None:
        return [Measurement(one.name, board.name, "emulated", board.title, dict(one.figures), reason=why)]
    table = {**figures, **one.figures}
    by = str(table.pop("by"))
    warnings = _too_large(board, one.name, table)
    if STAND_IN in by:
        warnings.append(f"{board.name} was counted by {by}: instructions, and times within the band of cycles for each")
    if board.kind == "linux":  # a core counts steps
        warnings += alone(one)
    time = model_time(board, table["instructions"]["value"], table.get("cycles", {}).get("value"))
    us = {"unit": "us", "kind": "modelled", "low": time.low, "high": time.high, "of": time.source}
    modelled = {key: table.pop(key) for key in [*table] if table[key].get("kind") == "modelled" and key != "max_error"}
    modelled |= {
        "p50_us": {"value": time.us, **us},
        "p95_us": {**us, "value": time.high, "of": "upper end of the band"},
        **energy_figure(board, time),
    }
    return [
        Measurement(one.name, board.name, "emulated", by, table, warnings),
        Measurement(one.name, board.name, "modelled", board.title, modelled),
    ]


def _too_large(board: Board, name: str, figures: Mapping[str, Any]) -> list[str]:
    warnings = []
    for key, room in (("flash_bytes", board.flash_bytes), ("ram_bytes", board.ram_bytes)):
        value = figures.get(key, {}).get("value")
        if value is not None and room is not None and value > room.value:
            what = key.removesuffix("_bytes")
            warnings.append(f"{name} does not fit {board.title}: {value:,} bytes of {what}, {room.value:,} are there")
    return warnings


def for_calibration(subjects: Sequence[Subject]) -> Subject:
    """The subject to calibrate with: the first that is Python."""
    for subject in subjects:
        if subject.name.partition(":")[0] in ("python", "runtime"):
            return subject
    raise DataError("--calibrate needs a model or a python artifact: its instructions are counted under QEMU")
