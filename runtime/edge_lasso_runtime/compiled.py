"""A fast stream, compiled: what we render from its model, built here, in our own cache, checked at its start.

A library is never found: its name is the hash of its source, the compiler and the flags; its folder and file belong to
this user and nobody else can write to them; and trial rows must give what Python gives, to the bit.
"""

from __future__ import annotations

import os
from array import array
from itertools import chain
from stat import S_IFDIR, S_IFMT, S_IFREG, S_ISVTX

from .predict import label, link
from .step import start, step
from .step_result import Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from .model import Model
    from .readings import Form
    from .step import State

MOST = 256
"""Rows at most that are taken in together."""
FLAGS = ("-std=c99", "-O3", "-ffp-contract=off", "-fPIC", "-shared")
COMPILERS = ("cc", "gcc", "clang")
TIMEOUT = 60
KEPT = 16
"""Libraries that stay in the cache, the newest."""
TRIALS = 96


class NotCompiled(RuntimeError):
    """Why a stream is not compiled; Python computes the same."""


def compiled(model: Model) -> Compiled | None:
    """What computes a model's stream; None for a model that needs Python for every row.

    Raises
    ------
    NotCompiled
        There is no compiler or no place for what it makes, or what it made computes something else.
    """
    state = start(model)
    state.history = 1 << 30
    if not state.settled(model) or state.delays is not None or os.name != "posix":
        return None
    from .compiled_text import render

    result = Compiled(model, _library(render(model, state)))
    if not _is_same(result, model):
        raise NotCompiled("what the compiler made computes something else")
    return result


class Compiled:
    """A model's library.

    Parameters
    ----------
    model : Model
    path : str
        Of the library.
    """

    def __init__(self, model: Model, path: str) -> None:
        try:
            from ctypes import CDLL, c_char, c_size_t, c_void_p

            library = CDLL(path)
        except (ImportError, OSError) as error:
            raise NotCompiled(f"{path} cannot be loaded ({error})") from None
        self._model = model
        self._scan, self._follow = library.scan, library.follow
        self._scan.restype = self._follow.restype = c_size_t
        self._scan.argtypes = [c_void_p, c_void_p, c_char, c_void_p, c_size_t, c_size_t, c_void_p]
        self._follow.argtypes = [c_void_p, c_size_t, c_void_p, c_void_p, c_void_p]
        self._width, self._outputs = len(model.inputs), len(model.outputs)
        self._detects = "detector/1" in model.sections
        self._stride = self._outputs * (2 if self._detects else 1) + self._detects
        self._x = array("d", bytes(8 * MOST * self._width))
        self._out = array("d", bytes(8 * MOST * self._stride))

    def scan(self, lines: Sequence[bytes], form: Form) -> int:
        """Read lines, at most `MOST`, up to the first that is more than plain numbers; `steps` takes them in.

        Parameters
        ----------
        lines : sequence of bytes
        form : (keys, sign, places)
            JSON's keys in quotes, each with a zero behind it, or the sign between cells of CSV; and where each field
            goes in a row, or -1.
        """
        keys, sign, places = form
        text = b"\n".join(lines) + b"\n"
        at = array("i", places)
        return int(self._scan(text, keys, sign or b"\0", at.buffer_info()[0], len(at), len(lines), self._address()))

    def rows(self, count: int) -> list[list[float]]:
        """What `scan` or `fill` took."""
        return [self._x[at : at + self._width].tolist() for at in range(0, count * self._width, self._width)]

    def _address(self, row: int = 0) -> int:
        return self._x.buffer_info()[0] + 8 * self._width * row

    def fill(self, rows: Sequence[Sequence[Any]]) -> bool:
        """Take rows over, at most `MOST`, for `steps`; whether all are numbers."""
        try:
            values = array("d", map(float, chain.from_iterable(rows)))
        except (TypeError, ValueError, OverflowError):
            return False
        if any(len(row) != self._width for row in rows):
            return False
        self._x[: len(values)] = values
        return True

    def steps(self, state: State, count: int, brief: bool = False) -> list[Step]:
        """What `batch.steps` gives for the rows that `scan` or `fill` took.

        Parameters
        ----------
        state : State
            Changed in place.
        count : int
        brief : bool
            Of rows of a detector that are in order and not in alarm the score alone is wanted: values and parts are
            empty.
        """
        model, width = self._model, self._width
        results: list[Step] = []
        while len(results) < count:
            row = len(results)
            if state.settled(model) and not (state.detector is not None and state.detector.young):
                results += self._whole(state, row, count - row, brief)
                row = len(results)
            if row < count:
                results.append(step(model, state, self._x[row * width : (row + 1) * width].tolist())[0])
        return results

    def _whole(self, state: State, row: int, most: int, brief: bool) -> Iterable[Step]:
        """Rows in order, up to the first that is not."""
        health, detector, drift, width = state.health, state.detector, state.drift, self._width
        charts = [] if detector is None else [detector.level, detector.slow, detector.evidence]
        memory = array("d", chain(health.last, *charts))
        bins = 0 if drift is None else max((len(edges) for _, edges in drift.bins), default=0) + 1
        tallies = 0 if drift is None else len(drift.bins)
        whole = array("q", chain(health.run, bytes(bins * tallies)))
        count = int(
            self._follow(self._address(row), most, *(each.buffer_info()[0] for each in (memory, whole, self._out)))
        )
        if not count:
            return []
        health.last, health.run = memory[:width].tolist(), whole[:width].tolist()
        if detector is not None:
            size = self._outputs
            detector.level, detector.slow, detector.evidence = (
                memory[at : at + size].tolist() for at in range(width, len(memory), size)
            )
        if drift is not None:
            found = [whole[width + i * bins : width + (i + 1) * bins].tolist() for i in range(tallies)]
            drift.add_tallies([part[: len(edges) + 1] for part, (_, edges) in zip(found, drift.bins)], count)
        state.inputs = self._x[(row + count - 1) * width : (row + count) * width].tolist()
        return [self._step(state, t * self._stride, brief) for t in range(count)]

    def _step(self, state: State, at: int, brief: bool) -> Step:
        out, size, model = self._out, self._outputs, self._model
        if not self._detects:
            linear = out[at : at + size].tolist()
            warm, alarm, onset = state.count(linear[0], None, None)
            status = "ok" if warm else "warming up"
            values, name = link(model, linear), label(model, linear)
            return Step(linear, values, name, {}, status, None, None, alarm, onset, [])
        score = out[at + 2 * size]
        warm, alarm, onset = state.count(0.0, score, None)
        status = "ok" if warm else "warming up"
        if brief and not alarm:
            return Step([], [], None, {}, status, None, score, alarm, onset, [])
        linear, parts = out[at : at + size].tolist(), out[at + size : at + 2 * size].tolist()
        return Step(linear, link(model, linear), label(model, linear), {}, status, None, score, alarm, onset, parts)


def _is_same(library: Compiled, model: Model) -> bool:
    """Whether trial rows, as text and as numbers, give what Python gives."""
    ours, theirs = start(model), start(model)
    for state in (ours, theirs):
        state.history = 1 << 30
        if state.detector is not None:
            state.detector.young = 0
    rows = list(_trials(ours))
    names = [bytes(f'"{i}"', "ascii") for i in range(len(model.inputs))]
    places = list(range(len(names)))
    csv = [",".join(map(repr, row)).encode() for row in rows]
    json = [b"{" + b", ".join(b"%s: %r" % pair for pair in zip(names, row)) + b"}" for row in rows]
    forms = ((b"", b",", places), (b"".join(name + b"\0" for name in names), b"", places))
    for lines, form in zip((csv, json), forms):
        if library.scan(lines, form) != len(rows) or library.rows(len(rows)) != rows:
            return False
    results = library.steps(ours, len(rows))
    expected = [step(model, theirs, row)[0] for row in rows]
    return repr(results) == repr(expected) and repr(ours.to_dict()) == repr(theirs.to_dict())


def _trials(state: State) -> Iterable[list[float]]:
    """Rows all over their ranges, some stuck, some that jump, some out of range, with few digits and with many."""
    seed = 1
    limits = state.health.limits()
    row: list[float] = []
    for t in range(TRIALS):
        before, row = row, []
        for low, high, _, farthest in limits:
            seed = (seed * 1103515245 + 12345) % (1 << 31)
            wide = min(high - low, farthest) if t % 16 else high - low
            value = low + wide * (seed / (1 << 31))
            row.append(float(f"{value:.3g}") if t % 3 else value)
        if before and t % 5 == 0:
            row[0] = before[0]
        if t % 24 == 23:
            row[-1] = limits[-1][1] + 1.0 + abs(limits[-1][1])
        yield row


def _library(source: str) -> str:
    """The path of the library, built where it is not there yet."""
    import shutil
    import subprocess
    from hashlib import sha256

    why = "there is no C compiler (Debian: gcc)"
    try:
        folder = _folder()
        for compiler in filter(None, map(shutil.which, COMPILERS)):
            version = _run([compiler, "--version"])
            about = repr((source, compiler, version.stdout, FLAGS, os.uname().machine))
            path = os.path.join(folder, f"stream-{sha256(about.encode()).hexdigest()[:32]}.so")
            if not os.path.lexists(path):
                why = _build(compiler, source, folder, path)
                if why:  # a name on PATH may be no compiler
                    continue
            _check_ours(path, S_IFREG)
            return path
    except (OSError, subprocess.SubprocessError) as error:
        raise NotCompiled(f"{error}") from None
    raise NotCompiled(why)


def _run(command: list[str], text: str = "") -> Any:
    import subprocess

    return subprocess.run(command, input=text.encode(), capture_output=True, check=False, timeout=TIMEOUT)


def _folder() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(os.environ.get("EDGE_LASSO_CACHE") or os.path.join(base, "edge-lasso"), "streams")
    os.makedirs(folder, 0o700, exist_ok=True)
    _check_ours(folder, S_IFDIR)
    above = os.path.realpath(folder)
    while above != (above := os.path.dirname(above)):  # nobody else can put another folder in its place
        about = os.stat(above)
        if about.st_uid not in (0, os.geteuid()) or (about.st_mode & 0o022 and not about.st_mode & S_ISVTX):
            raise NotCompiled(f"others can write to {above}; name a cache of your own with EDGE_LASSO_CACHE")
    return folder


def _check_ours(path: str, kind: int) -> None:
    about = os.lstat(path)
    if S_IFMT(about.st_mode) != kind or about.st_uid != os.geteuid() or about.st_mode & 0o022:
        raise NotCompiled(f"{path} is not this user's alone; remove it")


def _build(compiler: str, source: str, folder: str, path: str) -> str:
    """Put the library there; says why the compiler did not make it."""
    from tempfile import TemporaryDirectory

    from .atomic import replacing

    old = sorted((entry.stat().st_mtime, entry.path) for entry in os.scandir(folder) if entry.name.endswith(".so"))
    for _, name in old[: max(len(old) + 1 - KEPT, 0)]:
        os.unlink(name)
    with TemporaryDirectory(prefix="making-", dir=folder) as away:
        library = os.path.join(away, "stream.so")
        done = _run([compiler, *FLAGS, "-o", library, "-x", "c", "-"], source)
        if done.returncode or not os.path.exists(library):
            lines = done.stderr.decode("utf-8", "replace").splitlines() or [f"exit {done.returncode}, and no library"]
            return f"{compiler}: {next((line for line in lines if 'error' in line), lines[0])[:200]}"
        with open(library, "rb") as content, replacing(path, 0o700) as copy:
            copy.write(content.read())
    return ""
