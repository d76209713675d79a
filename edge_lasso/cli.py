"""The `edge-lasso` command: options in, one call into the workbench, a table or JSON out."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_lasso import terminal
from edge_lasso.errors import (
    BoardError,
    DataError,
    ExportError,
    ModelFormatError,
    SessionError,
    VerificationError,
)

app = typer.Typer(
    name="edge-lasso",
    help="Sparse linear models for small boards: train, prune, quantize with a proven bound, export, verify, measure.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

BAD_INPUT = (BoardError, DataError, ExportError, ModelFormatError, SessionError, OSError, MemoryError)
CLICK_ERROR: Any = typer.BadParameter.__mro__[2]  # older Typers import click, newer ones carry it

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A model file (JSON) that edge-lasso wrote.")]
DataFile = Annotated[
    Path, typer.Argument(metavar="DATA", help="CSV, .csv.gz, Parquet or Arrow IPC; a file or a folder.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : list of str, optional
        Arguments without the program's name; default: those of the process.

    Returns
    -------
    int
        0 done; 1 a check or budget failed; 2 bad usage or bad input; 130 interrupted.
    """
    warnings.simplefilter("default")
    try:
        code = app(args=argv, standalone_mode=False)
        sys.stdout.flush()
        if code == 130:  # newer Typers turn an interruption into a code
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except VerificationError as error:
        return _fail(str(error), 1)
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as error:  # newer Typers turn a closed pipe into one
        if isinstance(error.__context__, BrokenPipeError):
            return _reader_left()
        raise
    except BAD_INPUT as error:
        return _fail(_one_line(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted; nothing half-written was left", 130)
    except CLICK_ERROR as error:
        message = str(error.format_message())
        if type(error).__name__ == "NoArgsIsHelpError":
            terminal.say(message)
            return 2
        return _fail(f"{message.rstrip('.')}; see 'edge-lasso --help'", 2)


def _reader_left() -> int:
    """Whoever reads standard output, such as ``head``, has seen enough: no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _fail(message: str, code: int) -> int:
    print(f"edge-lasso: error: {message}", file=sys.stderr)
    return code


def _one_line(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"not enough memory ({error}); use fewer columns, or --degree 1" if str(error) else "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        advice = {
            errno.ENOSPC: "free some space or choose another folder with --out",
            errno.EACCES: "choose another place with --out, or change its permissions",
            errno.EROFS: "choose another place with --out",
            errno.ENOENT: "check the path",
        }.get(error.errno or 0, "check the path")
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; {advice}"
    return " ".join(str(error).split())


def _list(values: list[str] | None) -> list[str]:
    return [name.strip() for value in values or [] for name in value.split(",") if name.strip()]


def _budgets(values: list[str] | None) -> dict[str, float]:
    budgets = {}
    for value in values or []:
        key, _, amount = value.partition("=")
        try:
            budgets[key] = float(amount)
        except ValueError:
            raise DataError(f"--budget {value!r} is not KEY=NUMBER; for example: --budget p95_us=200") from None
    return budgets


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the model, the artifacts and the report.")] = Path(
        "edge-lasso-demo"
    ),
) -> None:
    """Rebuild a failed air-quality sensor from other stations: train, prune, quantize, export, verify, measure.

    Example: edge-lasso demo
    """
    from edge_lasso.demo import demo as run

    raise typer.Exit(run(out))


@app.command()
def train(
    data: DataFile,
    target: Annotated[list[str], typer.Option(help="Column to predict; several, with commas: several outputs.")],
    task: Annotated[str, typer.Option(help="regression")] = "regression",
    time: Annotated[str | None, typer.Option(help="Column of times: rows in its order, forward-chained folds.")] = None,
    inputs: Annotated[list[str] | None, typer.Option(help="Columns to use (names or patterns like 'A.*').")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Columns to leave out (names or patterns).")] = None,
    categorical: Annotated[list[str] | None, typer.Option(help="Columns that hold categories.")] = None,
    degree: Annotated[int, typer.Option(help="2: squares and products of inputs compete, too.")] = 1,
    l1_ratio: Annotated[float, typer.Option(help="1 is the lasso; less is the elastic net.")] = 1.0,
    cv: Annotated[int, typer.Option(help="Folds of cross-validation; 0: none.")] = 5,
    select: Annotated[str, typer.Option(help="1se, min, knee, aic, bic or ebic.")] = "1se",
    max_inputs: Annotated[int | None, typer.Option(help="Budget of inputs.")] = None,
    holdout: Annotated[float, typer.Option(help="Part of the rows, the last ones, kept for an honest test.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Written into the model.")] = 0,
    out: Annotated[Path, typer.Option(help="Model file; statistics go beside it.")] = Path("model.json"),
    as_json: Json = False,
) -> None:
    """Train a sparse model from a table of sensor readings.

    Example: edge-lasso train air.csv --target pm25 --time time --max-inputs 6 --out air.json
    """
    from edge_lasso.fit import TrainOptions
    from edge_lasso.show import show_training
    from edge_lasso.train_table import train_table

    if task != "regression":
        raise DataError(f"--task is '{task}'; this version trains regression")
    _check_folder(out)
    options = TrainOptions(l1_ratio=l1_ratio, select=select, max_inputs=max_inputs, workers=os.cpu_count() or 1)
    with terminal.progress("reading") as advance:
        result = train_table(
            data, _list(target), time=time, inputs=_list(inputs), drop=_list(drop), categorical=_list(categorical),
            degree=degree, cv=cv, holdout=holdout, seed=seed, options=options, progress=advance,
        )  # fmt: skip
    _save_both(result.model, result.folds, out)
    show_training(result, out, _statistics_file(out), as_json)


@app.command()
def show(model: ModelFile, as_json: Json = False) -> None:
    """Show a model: inputs, coefficients, ranges, provenance, quality.

    Example: edge-lasso show model.json
    """
    from edge_lasso.show import show_model
    from edge_lasso_runtime import load

    show_model(load(model), _statistics(model, missing_ok=True), as_json)


@app.command()
def predict(
    model: ModelFile,
    data: DataFile,
    out: Annotated[Path | None, typer.Option(help="CSV file; standard output by default.")] = None,
) -> None:
    """Predict every row of a table; only the model's columns are read.

    Example: edge-lasso predict model.json readings.csv --out predictions.csv
    """
    from edge_lasso.predict_table import predict_table
    from edge_lasso_runtime import load

    if out is not None:
        _check_folder(out)
    with terminal.progress("predicting") as advance:
        counts = predict_table(load(model), data, out, advance)
    terminal.note(f"{counts['rows']:,} rows, {counts['degraded']:,} degraded (a reading missing or out of range)")


@app.command()
def prune(
    model: ModelFile,
    max_inputs: Annotated[int | None, typer.Option(help="Keep at most so many inputs.")] = None,
    max_loss: Annotated[float | None, typer.Option(help="Percent of cross-validated squared error to give up.")] = None,
    out: Annotated[Path | None, typer.Option(help="Model file; by default the given one.")] = None,
    as_json: Json = False,
) -> None:
    """Drop the inputs a model can do without, on its training statistics.

    Example: edge-lasso prune model.json --max-loss 2 --out small.json
    """
    from edge_lasso.prune import prune as run
    from edge_lasso.show import show_change
    from edge_lasso_runtime import load

    if (max_inputs is None) == (max_loss is None):
        raise DataError("prune needs --max-inputs or --max-loss, one of the two; for example: --max-loss 2")
    before = load(model)
    statistics = _statistics(model)
    after = run(before, statistics, max_inputs=max_inputs, max_loss=max_loss)
    target = out or model
    _check_folder(target)
    _save_both(after, statistics, target)
    show_change(before, after, target, as_json)


@app.command()
def quantize(
    model: ModelFile,
    to: Annotated[str | None, typer.Option(help="float16, int16 or int8; by default what --max-error allows.")] = None,
    max_error: Annotated[
        float | None, typer.Option(help="Largest allowed error, proven, in the target's unit.")
    ] = None,
    ranges: Annotated[
        list[str] | None, typer.Option("--range", help="NAME=LOW:HIGH, what a sensor can deliver.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Model file; by default the given one.")] = None,
    as_json: Json = False,
) -> None:
    """Turn a model into integers, with a proven worst-case error.

    Example: edge-lasso quantize model.json --to int16 --max-error 0.05 --out int16.json
    """
    from edge_lasso.quantize import quantize as run
    from edge_lasso.ranges import parse_range
    from edge_lasso.show import show_quantized
    from edge_lasso_runtime import load, save

    declared = dict(parse_range(one) for one in ranges or [])
    after = run(load(model), to, ranges=declared, max_error=max_error)
    target = out or model
    _check_folder(target)
    save(after, target)
    show_quantized(after, target, as_json)


@app.command()
def export(
    model: ModelFile,
    to: Annotated[list[str], typer.Option(help="Targets, such as python,c:float,onnx,tflite:int8.")],
    inputs: Annotated[
        str, typer.Option(help="selected: only what the model reads; all: whole training rows.")
    ] = "selected",
    name: Annotated[str, typer.Option(help="Name of files and C symbols.")] = "model",
    data: Annotated[Path | None, typer.Option(help="Real rows to verify with, too.")] = None,
    allow_unverified: Annotated[
        bool, typer.Option("--allow-unverified", help="Write what cannot be run here.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the artifacts.")] = Path("artifacts"),
    as_json: Json = False,
) -> None:
    """Write artifacts, each run in its own runtime and compared with the model first.

    Example: edge-lasso export model.json --to python,c,onnx,tflite --out artifacts
    """
    from edge_lasso.show import show_certificate
    from edge_lasso.verify import export as run
    from edge_lasso_runtime import load

    certificate = run(
        load(model), ",".join(_list(to)), out, inputs=inputs, name=name, data=data, allow_unverified=allow_unverified
    )
    show_certificate(certificate, as_json)
    status = certificate.status
    if status == "failed" or (status == "not_executed" and not allow_unverified):
        raise VerificationError(
            f"not all artifacts passed, and {out} holds those that did; see the table above"
            + ("" if status == "failed" else " (--allow-unverified writes what cannot be run here)")
        )


@app.command()
def verify(
    model: ModelFile,
    artifacts: Annotated[
        list[Path] | None, typer.Argument(help="Artifact folders; by default all targets, rendered anew.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Real rows to try, too.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the certificate here.")
    ] = None,
) -> None:
    """Run artifacts in their own runtimes and compare them with the model.

    Example: edge-lasso verify model.json artifacts --data readings.csv --json certificate.json
    """
    import json

    from edge_lasso.atomic import write_text
    from edge_lasso.show import show_certificate
    from edge_lasso.verify import verify as run
    from edge_lasso_runtime import load

    certificate = run(load(model), artifacts or None, data)
    if json_file is not None:
        write_text(json_file, json.dumps(certificate.to_json(), indent=1, allow_nan=False) + "\n")
    show_certificate(certificate, as_json=False)
    if certificate.status != "passed":
        raise VerificationError(f"verification {certificate.status.replace('_', ' ')}; see the table above")


@app.command()
def bench(
    subjects: Annotated[
        list[Path], typer.Argument(metavar="MODEL|ARTIFACT ...", help="Model files or artifact folders.")
    ],
    link: Annotated[str, typer.Option(help="Where to measure: local, or a link to a board.")] = "local",
    budget: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE, such as p95_us=200; exit 1 when it is missed.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Time for each measurement.")] = 4.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the measurements here.")
    ] = None,
) -> None:
    """Measure latency, cold start, memory and size.

    Example: edge-lasso bench artifacts/python-double --budget p95_us=200
    """
    import json

    from edge_lasso.atomic import write_text
    from edge_lasso.bench import bench as run
    from edge_lasso.bench import check_budgets
    from edge_lasso.show import show_budgets, show_measurements

    budgets = _budgets(budget)
    measurements = run(subjects, link=link, seconds=seconds)
    if json_file is not None:
        data = [one.to_json() for one in measurements]
        write_text(json_file, json.dumps(data, indent=1, allow_nan=False) + "\n")
    show_measurements(measurements)
    if budgets:
        rows = check_budgets(measurements, budgets)
        show_budgets(rows)
        if not all(row.ok for row in rows):
            raise VerificationError("a budget is missed; see the table above")


@app.command()
def report(
    model: ModelFile,
    data: Annotated[Path | None, typer.Option(help="Table to show predictions on.")] = None,
    out: Annotated[Path | None, typer.Option(help="HTML file; MODEL.html by default.")] = None,
) -> None:
    """Write one self-contained HTML page about a model.

    Example: edge-lasso report model.json --out report.html
    """
    from edge_lasso.report import collect, write

    target = out or model.with_suffix(".html")
    _check_folder(target)
    write(collect(model, data), target)
    terminal.say(f"wrote {target}")


def _statistics_file(model: Path) -> Path:
    return model.with_name(f"{model.name.removesuffix('.json')}.stats.npz")


def _statistics(model: Path, missing_ok: bool = False) -> Any:
    from edge_lasso.folds import FoldStatistics

    path = _statistics_file(model)
    if not path.exists():
        if missing_ok:
            return None
        raise DataError(f"{path.name} is not beside {model.name}; train writes both, keep them together")
    return FoldStatistics.load(path)


def _save_both(model: Any, statistics: Any, path: Path) -> None:
    """Write a model and its statistics, or neither."""
    from edge_lasso.atomic import staged
    from edge_lasso_runtime import save

    with staged(_statistics_file(path)) as kept:
        statistics.save(kept)
        save(model, path)


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise DataError(f"folder {path.parent} does not exist; make it, or choose another place with --out")
    if path.is_dir():
        raise DataError(f"{path} is a folder; --out wants a file")
