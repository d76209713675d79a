"""Render, execute, compare: no artifact leaves this module without having been run, or without saying so."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_lasso.verifying.artifact_files import files_of, folders, hashes, write_files
from edge_lasso.verifying.certificate import (
    CERTIFICATE,
    FAILED,
    FOREIGN,
    NOT_EXECUTED,
    PASSED,
    Certificate,
    Execution,
    today,
)
from edge_lasso.verifying.compare_rows import Outcome, compare
from edge_lasso.verifying.compare_steps import PROMISES, compare_steps
from edge_lasso.verifying.compare_verdicts import compare_verdicts, promised
from edge_lasso.verifying.executions import Runtime, opened, runtimes
from edge_lasso.verifying.foreign import foreign, other_version
from edge_lasso.verifying.materials import materials
from edge_lasso.verifying.prove import PROOFS, prove_integers
from edge_lasso.verifying.trial_rows import full_rows, replaced
from edge_lasso.verifying.trials import Rows, Trials
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import ExportError, Options
from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.artifact import FILE, Artifact
from edge_lasso_runtime.artifact import read as read_artifact
from edge_lasso_runtime.atomic import Together, json_bytes, together
from edge_lasso_runtime.errors import MissingRuntimeError, SessionError
from edge_lasso_runtime.interpreter_session import InterpreterSession
from edge_lasso_runtime.sessions import first_line

# What holds instead of bit-equality where MicroPython reads decimals inexactly, or has 32-bit floats.
ULP_OFF = {"kind": "bound", "bound": None, "text": "each constant within an ulp: a bound per row"}


def export(
    model: Model,
    to: str | Sequence[str],
    out: Path | str,
    *,
    inputs: str = "selected",
    name: str = "model",
    data: Any = None,
    version: str = "",
    allow_unverified: bool = False,
    seed: int = 0,
    prove: bool = False,
    missing: str = "artifact",
) -> Certificate:
    """Write verified artifacts to ``OUT/<target>-<variant>/`` and what was found to ``OUT/certificate.json``.

    Each artifact is rendered, executed and compared with the reference; those that passed, the certificate, a bill of
    materials (``bom.json``, CycloneDX) and a model card (``card.md``) take their names together.
    One that failed is not written; one that could not be executed here only with `allow_unverified`.

    Parameters
    ----------
    model : Model
    to : str or sequence of str
        Targets and variants, such as ``"python,c:float,onnx"``.
    out : path
        Made if need be. An artifact of the same target and variant in it is replaced.
    inputs : {"selected", "all"}
        Rows of the model's inputs alone, or whole training rows.
    name : str
        Prefix of files and C symbols.
    data : table, array or path, optional
        Real rows to try as well; see `verify`.
    version : str
        The model's own, such as ``"1.4.0"``; by default the day it was trained.
    allow_unverified : bool
        Write what this machine cannot execute, too.
    seed : int
        Of the random rows.
    prove : bool
        Have Frama-C prove what it can of ``c:fixed``; what it was asked and answered goes to ``OUT/c-fixed-proofs/``.
    missing : {"artifact", "caller"}
        Who replaces missing readings; the caller in ONNX and TFLite alone.

    Returns
    -------
    Certificate
        Its `status` says whether all was well; nothing is raised for an artifact that fails.

    Raises
    ------
    ExportError
        A target that is unknown, or that cannot express the model.
    OSError
        `out` cannot be written.
    """
    out = Path(out)
    existed = out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with together(out) as files:
            return export_to(files, "", model, to, inputs, name, data, version, allow_unverified, seed, prove, missing)
    finally:
        if not existed:
            _remove_if_empty(out)


def export_to(
    files: Together,
    prefix: str,
    model: Model,
    to: str | Sequence[str],
    inputs: str = "selected",
    name: str = "model",
    data: Any = None,
    version: str = "",
    allow_unverified: bool = False,
    seed: int = 0,
    prove: bool = False,
    missing: str = "artifact",
) -> Certificate:
    """Do what `export` does, as part of a larger set of files whose names begin with `prefix` (empty, or ends in /)."""
    wanted = registry.parse(to if isinstance(to, str) else ",".join(to), model)
    if inputs not in ("selected", "all"):
        raise ExportError(f"inputs is {inputs!r}; allowed are 'selected' and 'all'")
    if missing not in ("artifact", "caller"):
        raise ExportError(f"missing is {missing!r}; allowed are 'artifact' and 'caller'")
    trials = Trials(model, data, seed)
    executions: list[Execution] = []
    rendered = {}
    proofs: dict[str, bytes] = {}
    if prove and ("c", "fixed") not in wanted:
        raise ExportError("proofs are of the integers of c:fixed: add it to the targets, of a quantized model")
    for target, variant in wanted:
        options = Options(variant, inputs, name, missing=missing)
        artifact = registry.render(model, target, variant, inputs, name, version, missing)
        rendered[f"{target}:{variant}"] = artifact
        with tempfile.TemporaryDirectory() as away:
            write_files(Path(away), artifact)
            executed = _execute(model, target, options, Path(away), trials)
        if prove and (target, variant) == ("c", "fixed"):
            proofs, entries = prove_integers(model, artifact, options)
            executed = [replace(execution, proofs=[*execution.proofs, *entries]) for execution in executed]
        executions += executed
    certificate = Certificate(model_hash(model), today(), trials.counts, tuple(executions))
    allowed = (PASSED, NOT_EXECUTED) if allow_unverified else (PASSED,)
    passed = [title for title, status in certificate.verdicts.items() if status in allowed]
    for title in passed:
        write_files(Path(files.path(prefix + title.replace(":", "-"))), rendered[title])
    if proofs:
        write_files(Path(files.path(prefix + PROOFS)), proofs)
    if passed:
        whole = certificate.with_earlier(Path(files.folder, prefix))
        files.write(prefix + CERTIFICATE, json_bytes(whole.to_json()))
        delivered = {title for title in whole.verdicts if title in passed or title not in certificate.verdicts}
        for material, content in materials(model, whole, delivered).items():
            files.write(prefix + material, content)
    return certificate


def verify(
    model: Model,
    artifacts: Path | str | Sequence[Path | str] | None = None,
    data: Any = None,
    *,
    seed: int = 0,
    run_foreign: bool = False,
) -> Certificate:
    """Execute existing artifacts, or all default targets freshly rendered, and compare them with the reference.

    Verifying executes code. An artifact is executed only if its files are, byte for byte, what the model renders to
    with the artifact's options: nothing else was put in, nothing is missing.

    Parameters
    ----------
    model : Model
    artifacts : path or sequence of path, optional
        Artifact folders, or folders that hold some. None: render every target's default variant into a temporary
        folder and verify that.
    data : optional
        Real rows: a path or table with the model's columns, or an array with the model's inputs in order.
    seed : int
        Of the random rows.
    run_foreign : bool
        Execute artifacts that are something else, too: code of whoever wrote them, with your rights. One that answers
        as it should is ``foreign``, never ``passed``.

    Returns
    -------
    Certificate

    Raises
    ------
    SessionError
        A folder holds no artifact.
    """
    trials = Trials(model, data, seed)
    executions: list[Execution] = []
    if artifacts is None:
        for target in registry.usual():
            executions += _rendered(model, target, trials)
        return Certificate(model_hash(model), today(), trials.counts, tuple(executions))
    for folder in folders([artifacts] if isinstance(artifacts, (str, Path)) else artifacts):
        executions += _existing(model, folder, trials, run_foreign)
    return Certificate(model_hash(model), today(), trials.counts, tuple(executions))


def _existing(model: Model, folder: Path, trials: Trials, run_foreign: bool) -> list[Execution]:
    """A copy of an artifact's files is compared with what the model renders to, and that copy is executed."""
    artifact = read_artifact(folder)
    whole = artifact.inputs != [feature.name for feature in model.inputs]
    options = Options(artifact.variant, "all" if whole else "selected", artifact.name, artifact.version)
    if registry.handles_missing(artifact.target, options) and not artifact.handles_missing:
        options = replace(options, missing="caller")
    files = files_of(folder)
    strange = "" if artifact.model_hash != model_hash(model) else foreign(model, artifact.target, options, files)
    version = other_version(files) if strange else ""
    if strange and not run_foreign:
        reason = f"{version}: export it again" if version else strange
        reason += "; nothing was executed (--run-foreign executes it all the same, with your rights)"
        status = NOT_EXECUTED if version else FAILED
        return [Execution(artifact.target, artifact.variant, hashes(files), status, "", reason=reason)]
    with tempfile.TemporaryDirectory() as away:
        write_files(Path(away), files)
        try:
            result = _execute(model, artifact.target, options, Path(away), trials)
        except ExportError as error:
            return [Execution(artifact.target, artifact.variant, hashes(files), FAILED, "", reason=str(error))]
    if not strange:
        return result
    return [
        replace(
            entry,
            status=FOREIGN if entry.status == PASSED else entry.status,
            reason="; ".join(filter(None, (strange, version, entry.reason))),
        )
        for entry in result
    ]


def others(out: Path, model: Model) -> list[str]:
    """Names of the artifacts in a folder that were made from another model."""
    return [folder.name for folder in folders([out]) if read_artifact(folder).model_hash != model_hash(model)]


def _rendered(model: Model, target: str, trials: Trials) -> list[Execution]:
    """A target's default variant, rendered into a temporary folder; what cannot be rendered is not executed."""
    try:
        ((_, variant),) = registry.parse(target, model)
        with tempfile.TemporaryDirectory() as away:
            write_files(Path(away), registry.render(model, target, variant))
            return _execute(model, target, Options(variant), Path(away), trials)
    except ExportError as error:
        return [Execution(target, "-", {}, NOT_EXECUTED, "", reason=str(error))]


def _execute(model: Model, target: str, options: Options, folder: Path, trials: Trials) -> list[Execution]:
    files = files_of(folder)
    facts: dict[str, Any] = {"target": target, "variant": options.variant, "files": hashes(files)}
    artifact = read_artifact(folder)
    if artifact.model_hash != model_hash(model) or not _names_its_model(files, artifact):
        reason = f"made from another model ({artifact.model_hash[:12]}...), not from {model_hash(model)[:12]}..."
        return [Execution(**facts, status=FAILED, runtime="", reason=reason)]
    module = registry.target(target)
    facts["promised"] = {**module.promise(model, options), **promised(model, options)}
    facts["proofs"] = registry.proofs(model, target, options)
    if artifact.step is not None:
        facts["promised"] = {**facts["promised"], "step": PROMISES.get(options.variant, PROMISES["double"])}
    plain = trials.rows if artifact.handles_missing else replaced(model, trials.rows)
    if hasattr(module, "exempt"):
        plain = [row for row in plain if not module.exempt(model, options, row)]
    rows = plain if options.inputs == "selected" else full_rows(model, plain, trials.seed)
    if not artifact.handles_missing and options.inputs == "all":
        rows = [[x if abs(x) <= model.limit else 0.0 for x in row] for row in rows]
    values, tolerances = module.expected(model, options, rows)
    table = (plain, rows, values, tolerances)
    return [
        _run(runtime, model, options, facts, table, trials.sequences) for runtime in runtimes(target, folder, files)
    ]


def _run(
    runtime: Runtime,
    model: Model,
    options: Options,
    facts: dict[str, Any],
    table: tuple[Rows, Rows, Rows, Rows],
    streams: list[list[list[float]]],
) -> Execution:
    if runtime.values is not None and table[1]:
        step = -(-len(table[1]) * len(table[1][0]) // runtime.values)
        table = tuple(part[:: max(step, 1)] for part in table)  # type: ignore[assignment]
    plain, rows, values, tolerances = table
    stepped = 0
    try:
        with opened(runtime) as session:
            outcome = compare(session, model, plain, rows, values, tolerances)
            outcome.faults += [] if outcome.faults else compare_verdicts(session, model)
            if streams and not outcome.faults:
                stepped, outcome.faults = compare_steps(session, model, options, streams)
            name = session.runtime
            inexact = isinstance(session, InterpreterSession) and not session.exact
            if inexact and facts["promised"]["kind"] == "bit-equal":
                facts = {**facts, "promised": ULP_OFF}
    except MissingRuntimeError as error:
        return Execution(**facts, status=NOT_EXECUTED, runtime=runtime.name, reason=str(error))
    except SessionError as error:
        return Execution(**facts, status=FAILED, runtime=runtime.name, reason=str(error))
    except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        reason = f"it answers what is no answer ({type(error).__name__}: {first_line(error)})"
        return Execution(**facts, status=FAILED, runtime=runtime.name, reason=reason)
    return Execution(
        **facts,
        status=FAILED if outcome.faults else PASSED,
        runtime=name,
        rows=len(rows) + stepped,
        largest_error=_finite(outcome.largest_error),
        largest_ratio=_finite(outcome.largest_ratio),
        reason="; ".join(outcome.faults),
        worst_row=_worst(outcome, plain),
    )


def _names_its_model(files: Mapping[str, bytes], artifact: Artifact) -> bool:
    # artifact.json travels beside the files; the files themselves must tell the same model.
    return any(artifact.model_hash.encode() in data for name, data in files.items() if name != FILE)


def _finite(value: float) -> float | None:
    return value if value < float("inf") else None


def _worst(outcome: Outcome, rows: Rows) -> list[float | None] | None:
    if outcome.worst is None:
        return None
    return [None if x != x else max(min(x, 1.7e308), -1.7e308) for x in rows[outcome.worst]]


def _remove_if_empty(out: Path) -> None:
    if out.is_dir() and not any(out.iterdir()):
        shutil.rmtree(out)
