"""What is proven of an artifact before it is written: statements for its certificate, each with how it was shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from edge_lasso_runtime.fixed_point import KEY, reach
from edge_lasso_runtime.model import Model

from .options import ExportError, Options
from .programs.lemmas import LEMMAS
from .programs.nodes import Function, Spec
from .programs.prove import SMALL, prove
from .programs.values import WORD, ProofError, Proven

INTERVALS, LEMMA = "intervals", "lemma"
ROOMS = {"step_q": SMALL}
"""Integers of a program stay below this; of others below 2^31."""


class Printer(Protocol):
    """A program that is going to be printed."""

    functions: dict[str, Function]
    spec: Spec


def artifact_proofs(model: Model, options: Options, printers: Mapping[str, Printer | None]) -> list[dict[str, str]]:
    """What is proven of an artifact: of the integers of its ``predict``, and of the programs that it holds."""
    return (_predict_proofs(model) if options.variant == "fixed" else []) + step_proofs(printers)


def _predict_proofs(model: Model) -> list[dict[str, str]]:
    section: dict[str, Any] = model.sections[KEY]
    most = max((reach(section["inputs"], output) for output in section["outputs"]), default=0)
    return [_proof("predict", "integers", f"no partial sum, in any order, exceeds {most:,} in magnitude, below 2^30")]


def step_proofs(printers: Mapping[str, Printer | None]) -> list[dict[str, str]]:
    """Prove what an artifact's programs do, and say it.

    Parameters
    ----------
    printers : dict of str to printer
        By the name of the program; None for one that the artifact has not.

    Returns
    -------
    list of dict
        ``name``, ``method`` ("intervals", or "lemma": tested, not proven here) and ``statement``.

    Raises
    ------
    ExportError
        A value may leave its room.
    """
    results, lemmas = [], set()
    for name, printer in printers.items():
        if printer is not None:
            room = ROOMS.get(name, WORD)
            try:
                proven = prove(printer.functions, printer.spec, room)
            except ProofError as error:
                raise ExportError(f"{name} is not proven, so it is not exported: {error}") from None
            results += _stated(name, proven, room)
            lemmas |= proven.lemmas
    return results + [{"name": name, "method": LEMMA, "statement": LEMMAS[name]} for name in sorted(lemmas)]


def _stated(program: str, proven: Proven, room: int) -> list[dict[str, str]]:
    where = f", in {proven.where}" if proven.where else ""
    power = f"2^{room.bit_length() - 1}"
    statements = {
        "integers": f"{proven.operations} operations: no result leaves 32 bits; the largest has magnitude "
        f"{proven.largest:,}{where}, below {power}",
        "arrays": f"{proven.indices} indices: each is inside its array or table",
        "shifts": f"{proven.shifts} shifts: each is by 0 to 31 bits",
        "divisors": f"{proven.divisors} divisions: no divisor is 0",
        "state": f"{proven.members} members of whole numbers begin in their ranges and are there after every row",
    }
    counts = vars(proven) | {"integers": proven.operations, "arrays": proven.indices, "state": proven.members}
    return [_proof(program, what, text) for what, text in statements.items() if counts[what]]


def _proof(program: str, what: str, statement: str) -> dict[str, str]:
    return {"name": f"{program}: {what}", "method": INTERVALS, "statement": statement}
