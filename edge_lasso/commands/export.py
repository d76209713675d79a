"""`edge-lasso export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands import table_options as table
from edge_lasso.commands.shared import Json, ModelFile, parse_names, write_files
from edge_lasso.errors import VerificationError
from edge_lasso.reporting import terminal

PIPELINES = (".skops", ".pkl", ".pickle", ".joblib")


@table.reads_tables
def export(
    model: ModelFile,
    to: Annotated[list[str], typer.Option(help="Of {targets}; variants as c:float, tflite:int8.")],
    inputs: Annotated[
        str, typer.Option(help="selected: only what the model reads; all: whole training rows.")
    ] = "selected",
    name: Annotated[str, typer.Option(help="Name of files and C symbols.")] = "model",
    model_version: Annotated[
        str, typer.Option(metavar="VERSION", help="The model's own, such as 1.4.0 (default: the day it was trained).")
    ] = "",
    data: Annotated[Path | None, typer.Option(help="Real rows to verify with, too.")] = None,
    allow_unverified: Annotated[
        bool, typer.Option("--allow-unverified", help="Write what cannot be run here.")
    ] = False,
    leave_missing: Annotated[
        bool, typer.Option("--leave-missing", help="onnx, tflite: the caller replaces missing readings; smaller.")
    ] = False,
    prove: Annotated[
        bool, typer.Option("--prove", help="Have Frama-C and ESBMC prove that c:fixed cannot overflow.")
    ] = False,
    adapt: Annotated[
        str | None, typer.Option(metavar="offset|all", help="Also NAME_adapt.h: corrects on a board what C computes.")
    ] = None,
    within: Annotated[float, typer.Option(metavar="R", help="With --adapt: by at most R, in the output's unit.")] = 0.0,
    out: Annotated[Path, typer.Option(help="Folder for the artifacts.")] = Path("artifacts"),
    as_json: Json = False,
    *,
    read: table.Reader,
) -> None:
    """Write artifacts, each run in its own runtime and compared with the model first.

    A scikit-learn pipeline in a .skops file is turned into a model first; --data, its training rows, gives the ranges.

    Example: edge-lasso export model.json --to python,c,onnx,tflite --out artifacts
    """
    from edge_lasso.reporting.show_measured import show_certificate
    from edge_lasso.verifying.prove import PROOFS, open_questions
    from edge_lasso.verifying.verify import export as run
    from edge_lasso_exporters import registry
    from edge_lasso_exporters.metadata import stream_facts
    from edge_lasso_runtime import load

    if model.suffix in PIPELINES:
        from edge_lasso.estimators.skops_file import from_skops

        loaded = from_skops(model, data)
    else:
        loaded = load(model)
    header = None
    if adapt is not None:
        from edge_lasso.verifying.adapting import adapting

        header = adapting(loaded, adapt, within, name)
        out.mkdir(parents=True, exist_ok=True)
    certificate = run(
        loaded,
        ",".join(parse_names(to)),
        out,
        inputs=inputs,
        name=name,
        data=None if data is None else read(data)[0],
        version=model_version,
        allow_unverified=allow_unverified,
        prove=prove,
        missing="caller" if leave_missing else "artifact",
    )
    if header is not None:
        write_files({out / f"{name}_adapt.h": header})
    show_certificate(certificate, as_json)
    bare = {artifact.target for artifact in certificate.artifacts if not registry.steps(artifact.target)}
    left = stream_facts(loaded, False).get("caller", [])
    if bare and left:
        terminal.note(
            f"{' and '.join(sorted(bare))} predict, and nothing else; their caller's part is {', '.join(left)} "
            '("caller" in artifact.json)'
        )
    unproven = [proof for artifact in certificate.artifacts for proof in open_questions(artifact.proofs)]
    if unproven:
        raise VerificationError(f"{unproven[0]['name']} is {unproven[0]['status']}; see the logs in {out / PROOFS}")
    status = certificate.status
    if status == "failed" or (status == "not_executed" and not allow_unverified):
        raise VerificationError(
            f"not all artifacts passed, and {out} holds those that did; see the table above"
            + ("" if status == "failed" else " (--allow-unverified writes what cannot be run here)")
        )
