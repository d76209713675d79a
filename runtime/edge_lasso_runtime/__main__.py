"""The command line on a board: ``python -m edge_lasso_runtime predict|probe|selftest``."""

from __future__ import annotations

import argparse
import sys

from .errors import ModelFormatError, SessionError
from .rows import RowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: list[str] | None = None, bundle: str | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 a check failed, 2 bad usage or input, 130 interrupted.

    Parameters
    ----------
    argv : list of str, optional
        By default what this process was given.
    bundle : str, optional
        The bundle that is running: it is every command's MODEL, so none is named.
    """
    words = sys.argv[1:] if argv is None else argv
    parser = _parser(bundle)
    if bundle and words and not words[0].startswith("-"):
        words = [words[0], bundle, *words[1:]]
    options = parser.parse_args(words)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except (ModelFormatError, SessionError, RowError) as error:
        return _refuse(str(error))
    except BrokenPipeError:
        sys.stdout = None  # type: ignore[assignment]  # whoever read the output has left; nothing more to say
        return DONE
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except UnicodeDecodeError as error:
        return _refuse(f"the data is not UTF-8 text (byte {error.start})")
    except KeyboardInterrupt:
        return INTERRUPTED


def _refuse(text: str) -> int:
    print(f"edge_lasso_runtime: error: {text}", file=sys.stderr)
    return BAD_INPUT


def _parser(bundle: str | None = None) -> argparse.ArgumentParser:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog=f"python3 {bundle.rpartition('/')[2]}" if bundle else "python -m edge_lasso_runtime",
        description="Run, check and measure edge-lasso models on a board; needs the standard library alone.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    predict = commands.add_parser(
        "predict",
        help="predict rows of a CSV file or standard input",
        description="Predict rows: CSV with a header, or one JSON object per line. Writes CSV to standard output.",
        epilog="example:\n  python -m edge_lasso_runtime predict model.json readings.csv\n"
        "  echo '{\"temperature\": 21.5}' | python -m edge_lasso_runtime predict model.json -",
        formatter_class=layout,
    )
    predict.add_argument("model", metavar="MODEL", help="model file")
    predict.add_argument("data", metavar="DATA", help="CSV or JSON lines; - is standard input")
    predict.add_argument("--interval", action="store_true", help="also the ends of the prediction interval")
    predict.set_defaults(run=_predict)

    probe = commands.add_parser(
        "probe",
        help="measure cold start, latency and memory on this machine",
        description="Measure a model file or an artifact on this machine, beside a bare interpreter.",
        epilog="example:\n  python -m edge_lasso_runtime probe model.json\n"
        "  python -m edge_lasso_runtime probe artifacts/c-float --json",
        formatter_class=layout,
    )
    probe.add_argument("subject", metavar="MODEL|ARTIFACT", help="model file, or an artifact's folder")
    probe.add_argument("--json", action="store_true", help="print JSON")
    probe.add_argument("--seconds", type=float, default=4.0, metavar="S", help="about how long to take (default 4)")
    probe.add_argument("--interpreter", metavar="COMMAND", help="how to start Python, such as 'qemu-aarch64 python3'")
    probe.set_defaults(run=_probe)

    selftest = commands.add_parser(
        "selftest",
        help="check a model or artifact with its test vectors",
        description="Load a model file, or run an artifact's test vectors in its own runtime.",
        epilog="example:\n  python -m edge_lasso_runtime selftest artifacts/python-double",
        formatter_class=layout,
    )
    selftest.add_argument("subject", metavar="MODEL|ARTIFACT", help="model file, or an artifact's folder")
    selftest.set_defaults(run=_selftest)
    if bundle:
        for command in commands.choices.values():
            _without_model(command, parser.prog)
    return parser


def _without_model(command: Any, prog: str) -> None:
    """A command's help in a bundle: the model is not named."""
    for action in command._actions:
        if str(action.metavar).startswith("MODEL"):
            action.help = argparse.SUPPRESS
    text = (command.epilog or "").replace("python -m edge_lasso_runtime", prog).replace(" model.json", "")
    command.epilog = "\n".join(line for line in text.split("\n") if "artifacts/" not in line)


def _predict(options: Any) -> int:
    from csv import writer

    from .format import load
    from .interval import interval
    from .predict import predict
    from .rows import read_rows, result_header, result_row

    model = load(options.model)
    if options.interval and "interval/1" not in model.sections:
        return _refuse("the model has no interval; train it with --holdout 0.2 --interval 0.9")
    streaming = options.data == "-"
    if streaming:
        source = open(0, encoding="utf-8-sig", newline="", closefd=False)  # noqa: SIM115
    else:
        source = open(options.data, encoding="utf-8-sig", newline="")  # noqa: SIM115
    with source:
        out = writer(sys.stdout, lineterminator="\n")
        for i, row in enumerate(read_rows(source, model)):
            if i == 0:
                out.writerow(result_header(model, options.interval))
            found = predict(model, row)
            out.writerow(result_row(found, interval(model, found) if options.interval else ()))
            if streaming:
                sys.stdout.flush()
    return DONE


def _probe(options: Any) -> int:
    from shlex import split

    from .probe import probe

    found = probe(options.subject, options.seconds, split(options.interpreter) if options.interpreter else None)
    if options.json:
        import json

        print(json.dumps(found, indent=1, allow_nan=False))
        return DONE
    subject, machine, before = found["subject"], found["machine"], found["before"]
    print(f"{subject['target']}:{subject['variant']}  {subject['file']}  on {machine['board'] or machine['cpu']}")
    print(f"{machine['python']}, {machine['bits']} bit, {machine['cores']} cores; "
          f"governor {before['governor'] or 'unknown'}, {before['frequency_mhz'] or '?'} MHz")  # fmt: skip
    for name, figure in found["figures"].items():
        if figure["value"] is None:
            print(f"  {name:26} -   ({figure['reason']})")
        else:
            more = [f"{key} {figure[key]}" for key in ("low", "high", "samples", "batch", "bare") if key in figure]
            print(f"  {name:26} {figure['value']:>14,} {figure['unit']:6} {figure['kind']}  {', '.join(more)}")
    for text in found["warnings"]:
        print(f"warning: {text}", file=sys.stderr)
    return DONE


def _selftest(options: Any) -> int:
    from .artifact import FILE

    if options.subject.endswith(".pyz"):
        from .bundle import selftest as vectors

        return _tell(*vectors(options.subject))
    if options.subject.endswith(".json") and not options.subject.endswith(FILE):
        from .format import load, model_hash

        print(f"ok: {options.subject} is a valid model, hash {model_hash(load(options.subject))}")
        return DONE
    from .selftest import selftest

    return _tell(*selftest(options.subject))


def _tell(failures: list[str], text: str) -> int:
    for line in failures:
        print(f"failed: {line}")
    if not failures:
        print(f"ok: {text}")
    return FAILED if failures else DONE


if __name__ == "__main__":
    sys.exit(main())
