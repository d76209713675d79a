"""Proofs by a tool that is not ours: Frama-C's Eva, an abstract interpreter of C, on the integers of an artifact.

Eva follows all values at once, so that no alarm means: no row whatever overflows, shifts too far, reads or writes out
of bounds, or reads what was never written. What it is asked is a C file (`harness`), which is kept with what it
answered.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from edge_lasso.verifying.artifact_files import write_files
from edge_lasso_devices.processes import execute
from edge_lasso_devices.tools import require
from edge_lasso_exporters.c_layout import names_of
from edge_lasso_exporters.options import Options
from edge_lasso_runtime.fixed_point import KEY
from edge_lasso_runtime.model import Model

PROOFS = "c-fixed-proofs"
"""The folder beside an artifact with what a tool was asked and what it answered."""
TIMEOUT = 300.0
EVA = (
    "frama-c", "-machdep", "gcc_x86_64", "-eva", "-eva-precision", "5", "-warn-signed-downcast", "-warn-special-float",
    "none",
)  # fmt: skip
"""Also a conversion that cuts a number off is an alarm; NaN and infinity are values like others."""
ASSUMED = "int of 32 bits, double is binary64, arithmetic rounds to nearest"
STATEMENTS = {
    "predict": "for all integers of the inputs' ranges: no overflow, no undefined shift, no access out of bounds, "
    "nothing read that was not written",
    "encode": "for all finite doubles: the same, and every integer is in its range (NaN and infinity are executed, "
    "not proven)",
}
HARNESS = """/* What Eva is asked of {name}.c: frama-c -eva -main prove_predict (or prove_encode). */
#include "__fc_builtin.h"
#include "{name}.c"

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
        x[i] = Frama_C_double_interval(-1.7976931348623157e308, 1.7976931348623157e308);
    }}
    (void){name}_encode(x, q);
{asserted}
}}
"""


def harness(model: Model, name: str, places: list[int]) -> str:
    """The C file that says what is to be proven of a quantized C artifact, one function a proof."""
    ranges = []
    for place, entry in zip(places, model.sections[KEY]["inputs"], strict=True):
        ends = (-1, entry["categories"] - 1) if "categories" in entry else (entry["low"], entry["high"])
        ranges.append((place, *ends))
    upper = name.upper()
    several = len(model.outputs) > 1
    call = f"int32_t r[{upper}_OUTPUTS];\n    {name}_predict(q, r);" if several else f"(void){name}_predict(q);"
    assumed = [f"    q[{place}] = (int16_t)Frama_C_interval({low}, {high});" for place, low, high in ranges]
    asserted = [f"    //@ assert {low} <= q[{place}] <= {high};" for place, low, high in ranges]
    return HARNESS.format(name=name, P=upper, call=call, assumed="\n".join(assumed), asserted="\n".join(asserted))


def prove_integers(
    model: Model, files: Mapping[str, bytes], options: Options
) -> tuple[dict[str, bytes], list[dict[str, str]]]:
    """Ask Eva about ``NAME_predict`` and ``NAME_encode`` of a C artifact, variant ``fixed``.

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
        What is kept in `PROOFS`: the harness, and for each question all that the tool printed.
    proofs : list of dict
        For the certificate, a question each: ``name``, ``method``, ``statement``, ``status`` ("proven", or what is
        missing), ``tool``, ``seconds``, ``assumed``.

    Raises
    ------
    BoardError
        Frama-C is not here, or does not end.
    """
    require("frama-c", "--prove")
    version = execute(["frama-c", "-version"]).stdout.strip()
    name = options.name
    asked = {"harness.c": harness(model, name, names_of(model, options).places).encode()}
    proofs = []
    with tempfile.TemporaryDirectory(prefix="edge-lasso-") as away:
        write_files(Path(away), {**files, **asked})
        for question, statement in STATEMENTS.items():
            start = time.monotonic()
            # by its whole path: Frama-C asks PWD where it is
            done = execute([*EVA, "-main", f"prove_{question}", str(Path(away, "harness.c"))], timeout=TIMEOUT)
            asked[f"{question}.log"] = (done.stdout + done.stderr).replace(f"{away}/", "").encode()
            proofs.append({
                "name": f"{name}_{question}", "method": "abstract interpretation", "statement": statement,
                "status": _verdict(done.returncode, done.stdout), "tool": f"Frama-C {version}, Eva",
                "seconds": f"{time.monotonic() - start:.1f}", "assumed": ASSUMED,
            })  # fmt: skip
    return asked, proofs


def proven(proof: Mapping[str, str]) -> bool:
    """Whether an entry of a certificate's ``proofs`` holds: what no tool was asked, holds by construction."""
    return proof.get("status", "proven") == "proven"


def _verdict(status: int, said: str) -> str:
    """What is missing, or that nothing is."""
    alarms = re.search(r"^\s*(\d+) alarms? generated by the analysis", said, re.MULTILINE)
    open_ = [int(count) for count in re.findall(r"(\d+) unknown\s+(?=\d+ invalid)", said)]
    wrong = [int(count) for count in re.findall(r"(\d+) invalid\s+\d+ total", said)]
    if status != 0 or alarms is None:
        return "not proven: Eva did not end its analysis"
    if int(alarms.group(1)) or any(open_) or any(wrong):
        return f"not proven: {alarms.group(1)} alarms, {sum(open_)} assertions unknown, {sum(wrong)} invalid"
    return "proven"
