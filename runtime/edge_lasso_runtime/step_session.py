"""Sequences of rows through an artifact's own ``start`` and ``step``, in its own runtime.

An artifact that keeps state says so in `artifact.json`: ``step`` names its readings and which parts a result has. A
result travels as one list of numbers: status, a fault per reading, values, then linear predictor and label (with a
link), widths (with estimates), score, alarm, onset and parts (of a detector), and the shares that an alarm names.
What ``step_q`` gives is a list of whole numbers: score, total, alarm, onset, whether it warms up and all is well,
parts, a fault per reading.
"""

from __future__ import annotations

from .errors import SessionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from .artifact import Artifact

    Sequences = Sequence[Sequence[Sequence[float]]]

STATUS = ("ok", "warming up", "degraded")
FAULTS = ("", "missing", "stuck", "jump", "out of range")

# Joins the worker of `interpreter_session`: a row's first number says whether to start anew.
WORKER = """
STATUS = ('ok', 'warming up', 'degraded')
FAULTS = ('', 'missing', 'stuck', 'jump', 'out of range')
MEMORY = []
def step(ns, x):
    if x[0] != 0.0:
        MEMORY[:] = [ns['start']()]
    found = ns['step'](MEMORY[0], [v if v == v else None for v in x[1:]])
    y = [STATUS.index(found['status'])] + [FAULTS.index(found['faults'].get(name, '')) for name in ns['READINGS']]
    y += flat(found['value'])
    if 'linear' in found:
        y += flat(found['linear'])
    if 'label' in found:
        y += [ns['CLASSES'].index(found['label'])]
    if 'widths' in found:
        y += found['widths'] or [1.0] * len(ns['OUTPUTS'])
    if 'score' in found:
        y += [found['score'], found['alarm'], found['onset']] + found['parts']
        for name, share in found['shares']:
            y += [ns['WATCHED_NAMES'].index(name), share]
    return y
OPS['step'] = step
def step_q(ns, x):
    if x[0] != 0.0:
        MEMORY[:] = [ns['start_q']()]
    found = ns['step_q'](MEMORY[0], [int(v) for v in x[1:]])
    y = [found['score'], found['total'], found['alarm'], found['onset'], found['status'] == 'warming up']
    return y + found['parts'] + [FAULTS.index(found['faults'].get(name, '')) for name in ns['READINGS']]
OPS['step_q'] = step_q
"""


class Answer:
    """What an artifact's ``step`` gave for a row.

    Attributes
    ----------
    status : str
    faults : list of str
        Per reading, "" where all is well.
    values, linear, widths, parts : list of float
        `linear` is `values` where there is no link; `widths` and `parts` are empty where the model has none.
    label : int or None
        Position among the classes.
    score : float or None
    alarm, onset : bool
    shares : list of (int, float)
        The watched sensors that an alarm names, where the artifact names them.
    """

    __slots__ = (
        "alarm",
        "faults",
        "label",
        "linear",
        "onset",
        "parts",
        "score",
        "shares",
        "status",
        "values",
        "widths",
    )

    def __init__(self, numbers: Sequence[float], about: dict[str, Any], outputs: int) -> None:
        rest = list(numbers)
        status, *faults = (int(entry) for entry in take(rest, 1 + len(about["readings"])))
        self.status = STATUS[status]
        self.faults = [FAULTS[fault] for fault in faults]
        self.values = take(rest, outputs)
        self.linear, self.label = self.values, None
        if about["linear"]:
            self.linear = take(rest, outputs)
        if about["label"]:
            self.label = int(take(rest, 1)[0])
        self.widths = take(rest, outputs) if about["estimate"] else []
        self.score, self.alarm, self.onset, self.parts = None, False, False, []
        if about["detector"]:
            self.score, alarm, onset = take(rest, 3)
            self.alarm, self.onset = alarm != 0.0, onset != 0.0
            self.parts = take(rest, outputs)
        self.shares = list(zip((int(entry) for entry in rest[::2]), rest[1::2]))


def take(numbers: list[float], count: int) -> list[float]:
    """The first numbers, taken out."""
    if len(numbers) < count:
        raise SessionError("a result of step is too short")
    number = numbers[:count]
    del numbers[:count]
    return number


def marked(sequences: Sequences) -> list[list[float]]:
    """All rows, each behind a number that says whether a sequence begins."""
    return [[0.0 if t else 1.0, *row] for rows in sequences for t, row in enumerate(rows)]


def answers(lines: Sequence[Sequence[float]], artifact: Artifact) -> list[Answer]:
    """Results as they travelled."""
    assert artifact.step is not None
    return [Answer(line, artifact.step, len(artifact.outputs)) for line in lines]


def c_answers(session: Any, sequences: Sequences) -> list[Answer]:
    """Sequences through a shared library's ``NAME_start`` and ``NAME_step``; `session` is a `CSession`."""
    artifact, ct = session.artifact, session.ctypes
    about, outputs = artifact.step, len(artifact.outputs)
    fields = [("values", session.real * outputs)]
    fields += [("linear", session.real * outputs)] if about["linear"] else []
    fields += [("widths", session.real * outputs)] if about["estimate"] else []
    fields += [("score", session.real), ("parts", session.real * outputs)] if about["detector"] else []
    fields += [("label", ct.c_int32)] if about["label"] else []
    fields += [("alarm", ct.c_uint8), ("onset", ct.c_uint8)] if about["detector"] else []
    fields += [("warming_up", ct.c_uint8), ("faults", ct.c_uint8 * max(len(about["readings"]), 1))]
    result = type("Result", (ct.Structure,), {"_fields_": fields})()
    results = []
    for status, faults in _stepped(session, sequences, "", session.real, result):
        line = [2.0 if status else float(result.warming_up), *faults, *result.values]
        line += list(result.linear) if about["linear"] else []
        line += [result.label] if about["label"] else []
        line += list(result.widths) if about["estimate"] else []
        line += [result.score, result.alarm, result.onset, *result.parts] if about["detector"] else []
        results.append(Answer(line, about, outputs))
    return results


def c_answers_q(session: Any, sequences: Sequence[Sequence[Sequence[int]]]) -> list[list[int]]:
    """Sequences of integers through a shared library's ``NAME_start_q`` and ``NAME_step_q``."""
    artifact, ct = session.artifact, session.ctypes
    width, outputs = max(len(artifact.step["readings"]), 1), len(artifact.outputs)
    fields = [("score", ct.c_int32), ("total", ct.c_int32), ("parts", ct.c_int32 * outputs), ("alarm", ct.c_uint8),
              ("onset", ct.c_uint8), ("warming_up", ct.c_uint8), ("faults", ct.c_uint8 * width)]  # fmt: skip
    result = type("ResultQ", (ct.Structure,), {"_fields_": fields})()
    results = []
    for status, faults in _stepped(session, sequences, "_q", ct.c_int16, result):
        warms = int(result.warming_up and not status)
        results.append([result.score, result.total, result.alarm, result.onset, warms, *result.parts, *faults])
    return results


def _stepped(
    session: Any, sequences: Sequence[Sequence[Sequence[float]]], suffix: str, kind: Any, result: Any
) -> Iterator[tuple[int, list[int]]]:
    """Take in rows of `kind`, each sequence from a start: status and faults after each; the rest is in `result`."""
    ct = session.ctypes
    state = ct.create_string_buffer(session.symbol(f"state{suffix}_size", ct.c_size_t)() + 16)
    at = ct.c_void_p(-(-ct.addressof(state) // 16) * 16)
    start, step = session.symbol(f"start{suffix}"), session.symbol(f"step{suffix}", ct.c_uint32)
    for rows in sequences:
        start(at)
        for row in rows:
            status = step(at, (kind * max(len(row), 1))(*row), ct.byref(result))
            faults = list(result.faults)[: len(row)]
            if status != sum({1 << min(k, 31) for k, fault in enumerate(faults) if fault}):
                raise SessionError(f"step{suffix} returns the status {status:#x} for the faults {faults}")
            yield status, faults
