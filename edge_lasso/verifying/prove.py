"""Proofs by tools that are not ours, on the integers of an artifact: Frama-C's Eva and ESBMC, where they are here.

Eva, an abstract interpreter of C, follows all values at once, so that no alarm means: no row whatever overflows, shifts
too far, reads or writes out of bounds, or reads what was never written. ESBMC, a bounded model checker, unwinds all
loops and asks a solver for a row that does. What they are asked is one C file (`harness`), kept with their answers.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_lasso.verifying.artifact_files import write_files
from edge_lasso.verifying.prove_step import step_harness
from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.processes import execute
from edge_lasso_devices.tools import esbmc, here, require
from edge_lasso_exporters.c_layout import names_of
from edge_lasso_exporters.options import Options
from edge_lasso_runtime.fixed_point import KEY
from edge_lasso_runtime.model import Model

PROOFS = "c-fixed-proofs"
"""The folder beside an artifact with what the tools were asked and what they answered."""
TIMEOUT = 300.0
EVA = ("frama-c", "-machdep", "gcc_x86_64", "-eva", "-eva-precision", "5", "-warn-special-float", "none")
"""NaN and infinity are values like others; a cast to fewer bits is what GCC and Clang define."""
ASSUMED = "int of 32 bits, double is binary64, arithmetic rounds to nearest"
NO_ANSWER = "no answer in time"
HARNESS = """/* What is asked of {name}.c: frama-c -eva -main prove_predict, and
   esbmc --overflow-check --ub-shift-check --function prove_predict; the same of the other functions. */
#include <stdint.h>
#ifdef __FRAMAC__
#include "__fc_builtin.h"
/* Eva's own make a long of them, which hides what overflows in an int */
#undef INT32_C
#undef UINT32_C
#define INT32_C(c) c
#define UINT32_C(c) c##U
#define SOME(cell, low, high) (cell) = Frama_C_interval((low), (high))
#define SOME_COUNT(cell) (cell) = Frama_C_unsigned_int_interval(0U, 4294967295U)
#define SOME_DOUBLE() Frama_C_double_interval(-1.7976931348623157e308, 1.7976931348623157e308)
#define MAYBE(cell, none) if (Frama_C_interval(0, 1) == 1) {{ (cell) = (none); }}
#define CHECK_RANGE(cell, low, high) /* the line of ACSL beside it does */
#define CHECK_RANGE_OR(cell, low, high, none) /* esbmc does */
#else
int nondet_int(void);
unsigned nondet_uint(void);
double nondet_double(void);
#define SOME(cell, low, high) \\
    {{ const int some = nondet_int(); __ESBMC_assume(((low) <= some) && (some <= (high))); (cell) = some; }}
#define SOME_COUNT(cell) (cell) = nondet_uint()
#define SOME_DOUBLE() nondet_double()
#define MAYBE(cell, none) if (nondet_int() == 1) {{ (cell) = (none); }}
#define CHECK_RANGE(cell, low, high) __ESBMC_assert(((low) <= (cell)) && ((cell) <= (high)), "in its range")
#define CHECK_RANGE_OR(cell, low, high, none) \\
    __ESBMC_assert(((cell) == (none)) || (((low) <= (cell)) && ((cell) <= (high))), "in its range, or none")
#endif
{contract}#include "{name}.c"

void prove_predict(void)
{{
    int16_t q[{P}_INPUTS];
{assumed}
    {call}
}}

void prove_encode(void)
{{
    double x[{P}_INPUTS];
    int16_t q[{P}_INPUTS];
    int i;
    for (i = 0; i < {P}_INPUTS; i++) {{
        x[i] = SOME_DOUBLE();
    }}
    (void){name}_encode(x, q);
{asserted}
}}
{step}"""


@dataclass(frozen=True)
class Prover:
    """A tool that proves.

    Attributes
    ----------
    method : str
        How, for the certificate.
    questions : dict
        What its answer means, by the function that it is asked about, and the options for that.
    command : callable
        Its command, to which options, the harness's function and file are added; None where it is not here.
    function : str
        The option that names the function.
    version : callable
        What it calls itself, from that command.
    verdict : callable
        Exit status and output to "proven", or what is missing.
    """

    method: str
    questions: Mapping[str, tuple[str, tuple[str, ...]]]
    command: Callable[[], list[str] | None]
    function: str
    version: Callable[[list[str]], str]
    verdict: Callable[[int, str], str]


def harness(model: Model, name: str, places: list[int], source: str) -> str:
    """The C file that says what is to be proven of a quantized C artifact, one function a proof."""
    ranges = []
    for place, entry in zip(places, model.sections[KEY]["inputs"], strict=True):
        ends = (-1, entry["categories"] - 1) if "categories" in entry else (entry["low"], entry["high"])
        ranges.append((place, *ends))
    upper = name.upper()
    several = len(model.outputs) > 1
    call = f"int32_t r[{upper}_OUTPUTS];\n    {name}_predict(q, r);" if several else f"(void){name}_predict(q);"
    assumed = [f"    SOME(q[{place}], {low}, {high});" for place, low, high in ranges]
    asserted = [
        f"    //@ assert {low} <= q[{place}] <= {high};\n    CHECK_RANGE(q[{place}], {low}, {high});"
        for place, low, high in ranges
    ]
    contract, step = step_harness(model, name, source)
    return HARNESS.format(
        name=name, P=upper, call=call, assumed="\n".join(assumed), asserted="\n".join(asserted), contract=contract,
        step=step,
    )  # fmt: skip


def prove_integers(
    model: Model, files: Mapping[str, bytes], options: Options
) -> tuple[dict[str, bytes], list[dict[str, str]]]:
    """Ask every prover that is here about a C artifact, variant ``fixed``: `predict`, `encode`, and `step_q` of some.

    Parameters
    ----------
    model : Model
    files : mapping
        The artifact's.
    options : Options
        That it was rendered with.

    Returns
    -------
    asked : dict
        What is kept in `PROOFS`: the harness, and for each tool and question all that was printed.
    proofs : list of dict
        For the certificate, a tool and question each: ``name``, ``method``, ``statement``, ``status`` ("proven", or
        what is missing), ``tool``, ``seconds``, ``assumed``.

    Raises
    ------
    BoardError
        No prover is here.
    """
    commands = {title: command for title, prover in PROVERS.items() if (command := prover.command())}
    if not commands:
        require("frama-c", "--prove")
    name = options.name
    text = harness(model, name, names_of(model, options).places, files[f"{name}.c"].decode())
    asked = {"harness.c": text.encode()}
    proofs = []
    with tempfile.TemporaryDirectory(prefix="edge-lasso-") as away:
        write_files(Path(away), {**files, **asked})
        for title, command in commands.items():
            prover = PROVERS[title]
            for question, (statement, more) in prover.questions.items():
                if f"void prove_{question}(" not in text:
                    continue
                start = time.monotonic()
                words = [*(word.format(name=name) for word in more), prover.function, f"prove_{question}"]
                status, said = _answer(prover, [*command, *words, str(Path(away, "harness.c"))])
                asked[f"{title}_{question}.log"] = said.replace(f"{away}/", "").encode()
                proofs.append({
                    "name": f"{name}_{question}", "method": prover.method, "statement": statement, "status": status,
                    "tool": prover.version(command), "seconds": f"{time.monotonic() - start:.1f}", "assumed": ASSUMED,
                })  # fmt: skip
    return asked, proofs


def proven(proof: Mapping[str, str]) -> bool:
    """Whether an entry of a certificate's ``proofs`` holds: what no tool was asked, holds by construction."""
    return proof.get("status", "proven") == "proven"


def open_questions(proofs: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """What is not proven; where one tool gave no answer in time, the proof of another is enough."""
    names = {proof["name"] for proof in proofs if proven(proof)}
    return [p for p in proofs if not proven(p) and (p["status"] != NO_ANSWER or p["name"] not in names)]


def _answer(prover: Prover, command: list[str]) -> tuple[str, str]:
    """A verdict, and all that was printed."""
    try:  # by the harness's whole path: Frama-C asks PWD where it is
        done = execute(command, timeout=TIMEOUT)
    except BoardError as error:
        return NO_ANSWER, f"{error}\n"
    said = done.stdout + done.stderr
    return prover.verdict(done.returncode, said), said


def _eva_verdict(status: int, said: str) -> str:
    """What is missing, or that nothing is."""
    alarms = re.search(r"^\s*(\d+) alarms? generated by the analysis", said, re.MULTILINE)
    open_ = [int(count) for count in re.findall(r"(\d+) unknown\s+(?=\d+ invalid)", said)]
    wrong = [int(count) for count in re.findall(r"(\d+) invalid\s+\d+ total", said)]
    if status != 0 or alarms is None:
        return "not proven: Eva did not end its analysis"
    if int(alarms.group(1)) or any(open_) or any(wrong):
        return f"not proven: {alarms.group(1)} alarms, {sum(open_)} assertions unknown, {sum(wrong)} invalid"
    return "proven"


def _esbmc_verdict(status: int, said: str) -> str:
    """The same of ESBMC."""
    failed = re.search(r"^\*\* (\d+) of \d+ properties failed", said, re.MULTILINE)
    if status == 0 and "VERIFICATION SUCCESSFUL" in said and failed is not None and failed.group(1) == "0":
        return "proven"
    if failed is None or "VERIFICATION FAILED" not in said:
        return "not proven: ESBMC did not end its analysis"
    return f"not proven: {failed.group(1)} properties failed"


def _esbmc_command() -> list[str] | None:
    program = esbmc()
    return None if program is None else [program, "--overflow-check", "--ub-shift-check"]


PROVERS = {
    "eva": Prover(
        "abstract interpretation",
        {
            "predict": (
                "for all integers of the inputs' ranges: no overflow, no undefined shift, no access out of bounds, "
                "nothing read that was not written",
                (),
            ),
            "encode": ("for all finite doubles: the same, and every integer is in its range", ()),
            "step_q": (
                "for all integers and every state within its ranges, the first among them: the same, and the next "
                "state is within them, if averages stay between what they were and what is new (average) and "
                "integers in memory in their ranges (memory), which ESBMC is asked",
                ("-eva-use-spec", "{name}_move_q"),
            ),
        },
        lambda: list(EVA) if here("frama-c") else None,
        "-main",
        lambda command: f"Frama-C {execute([command[0], '-version']).stdout.strip()}, Eva",
        _eva_verdict,
    ),
    "esbmc": Prover(
        "bounded model checking, all loops unwound",
        {
            "predict": (
                "for all integers of the inputs' ranges: no overflow, no undefined shift, no access out of bounds",
                (),
            ),
            "encode": ("for all doubles, NaN and infinity among them: the same, and every integer is in its range", ()),
            "average": ("a moving average stays between what it was and what is new; no overflow", ()),
            "memory": (
                "for all integers and every state within its ranges: no overflow, no access out of bounds, and what "
                "memory holds next is none, or in its range",
                (),
            ),
        },
        _esbmc_command,
        "--function",
        lambda command: " ".join(execute([command[0], "--version"]).stdout.replace("version ", "").split()[:2]),
        _esbmc_verdict,
    ),
}
"""By the beginning of their logs' names."""
