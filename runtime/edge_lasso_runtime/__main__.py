"""The command line on a board: ``python -m edge_lasso_runtime COMMAND``; ``--help`` lists the commands."""

from __future__ import annotations

import argparse
import sys

from .errors import ModelFormatError, SessionError, SnapshotError, UpdateError
from .printable import NO_OUTPUT, open_streams, say
from .row_options import add_cascade, add_learn, add_truths
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
    if not open_streams():
        return _refuse(NO_OUTPUT)
    words = sys.argv[1:] if argv is None else argv
    parser = _parser(bundle)
    if bundle and words and not words[0].startswith("-"):
        words = [words[0], bundle, *words[1:]]
    options = parser.parse_args(words)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except (ModelFormatError, SessionError, SnapshotError, RowError) as error:
        return _refuse(str(error))
    except UpdateError as error:
        _refuse(str(error))
        return FAILED
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
    say(f"edge_lasso_runtime: error: {' '.join(text.split())}", sys.stderr)
    return BAD_INPUT


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, as everything here does."""

    def error(self, message: str) -> Any:
        if "--long" in message or "--hold" in message:
            message += " (a board takes a row a line; edge-lasso predict reads long tables and makes grids)"
        self.exit(_refuse(f"{message}; see: {self.prog} --help"))


def _parser(bundle: str | None = None) -> argparse.ArgumentParser:
    layout = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog=f"python3 {bundle.rpartition('/')[2]}" if bundle else "python -m edge_lasso_runtime",
        description="Run, check and measure edge-lasso models on a board; needs the standard library alone.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    predict = commands.add_parser(
        "predict",
        help="predict rows of a CSV file or standard input",
        description="Predict rows, each by itself: CSV with a header, or one JSON object per line. Writes CSV to "
        "standard output. Missing readings are at their defaults; score estimates them from the others.",
        epilog="example:\n  python -m edge_lasso_runtime predict model.json readings.csv\n"
        "  echo '{\"temperature\": 21.5}' | python -m edge_lasso_runtime predict model.json -",
        formatter_class=layout,
    )
    predict.add_argument("model", metavar="MODEL", help="model file")
    predict.add_argument("data", metavar="DATA", help="CSV or JSON lines; - is standard input")
    predict.add_argument("--interval", action="store_true", help="also the ends of the prediction interval")
    predict.add_argument("--explain", action="store_true", help="also what each input adds to each output")
    _add_reading(predict)
    predict.add_argument("--out", metavar="FILE", help="write there instead: the whole of it, or nothing")
    _add_metrics(predict)
    add_learn(predict)
    add_cascade(predict)
    predict.set_defaults(run=_predict)

    score = commands.add_parser(
        "score",
        help="score a stream of readings: one JSON line each, state kept across restarts",
        description="Score readings as they come: CSV with a header, or one JSON object per line. Writes one JSON line "
        "per reading. Missing fields and text where a number belongs are missing readings; what cannot be read is "
        "reported and left out. SIGTERM: the lines that were read are finished, the state is saved.",
        epilog="example:\n  python -m edge_lasso_runtime score model.json readings.csv\n"
        "  sensors | python -m edge_lasso_runtime score model.json --state state.json --time time",
        formatter_class=layout,
    )
    score.add_argument("model", metavar="MODEL", help="model file")
    score.add_argument(
        "data", nargs="?", default="-", metavar="DATA", help="CSV or JSON lines; standard input by default"
    )
    _add_state(score)
    score.add_argument("--time", metavar="FIELD", help="field of times: copied to the result; gaps are noticed")
    score.add_argument("--step", type=_positive, metavar="S", help="seconds between readings (default: the model's)")
    score.add_argument("--explain", type=_count, metavar="N", help="name N sensors of an alarm (default 5), or N "
                       "contributions to a prediction (default none)")  # fmt: skip
    score.add_argument("--values", action="store_true", help="also the predictions of a detector")
    _add_reading(score)
    _add_metrics(score)
    add_truths(score)
    add_cascade(score)
    score.add_argument("--digest", action="store_true", help="the digest of the drift counters at the end, on stderr")
    score.set_defaults(run=_score)

    mqtt = commands.add_parser(
        "mqtt",
        help="score what sensors publish on an MQTT broker, and publish the results there",
        description="Subscribe to sensors on an MQTT broker and publish PREFIX/score, PREFIX/alarm and PREFIX/status "
        "(retained, QoS 1). Nothing that the broker accepted is lost. User and password: from a file, or from "
        "EDGE_LASSO_MQTT_USERNAME and EDGE_LASSO_MQTT_PASSWORD.",
        epilog="example:\n  python -m edge_lasso_runtime mqtt model.json --broker localhost --topic 'sensors/#' "
        "--publish edge-lasso/boiler --state state.json",
        formatter_class=layout,
    )
    mqtt.add_argument("model", metavar="MODEL", help="model file")
    mqtt.add_argument("--broker", required=True, metavar="HOST[:PORT]", help="port 1883 by default, with TLS 8883")
    mqtt.add_argument("--topic", required=True, action="append", metavar="FILTER", help="sensors; can be repeated")
    mqtt.add_argument("--publish", required=True, metavar="PREFIX", help="where results go")
    mqtt.add_argument("--period", type=_positive, metavar="S", help="a row every S seconds (default: when all sensors "
                      "have reported, or one again)")  # fmt: skip
    mqtt.add_argument("--max-age", type=_positive, metavar="S", help="a reading holds S seconds, where sensors report "
                      "changes; with --period or --when")  # fmt: skip
    mqtt.add_argument("--when", metavar="SENSOR", help="a row whenever this sensor (or topic) reports")
    mqtt.add_argument("--sources", metavar="FILE", help='TOML lines: input = "topic" or input = "topic#field"')
    mqtt.add_argument("--time", metavar="FIELD", help="of JSON messages: when they were read; disorder is reported")
    mqtt.add_argument("--discovery", nargs="?", const="homeassistant", metavar="PREFIX",
                      help="tell Home Assistant of the results (default prefix: homeassistant)")  # fmt: skip
    _add_state(mqtt, "1s")
    _add_metrics(mqtt)
    add_truths(mqtt)
    mqtt.add_argument("--explain", type=_count, metavar="N", help="as score has it")
    mqtt.add_argument("--values", action="store_true", help="also the predictions of a detector")
    mqtt.add_argument("--client-id", metavar="ID", help="the session's name (default: from PREFIX)")
    mqtt.add_argument("--credentials", metavar="FILE", help="lines username=... and password=...")
    mqtt.add_argument("--tls", action="store_true", help="encrypt; also implied by the next three")
    mqtt.add_argument("--ca", metavar="FILE", help="certificates of the authorities (default: the system's)")
    mqtt.add_argument("--certificate", metavar="FILE", help="the client's certificate")
    mqtt.add_argument("--key", metavar="FILE", help="its private key")
    mqtt.set_defaults(run=_mqtt)

    digest = commands.add_parser(
        "digest",
        help="print the digest of the drift counters of a snapshot",
        description="Print what a board sends home about drift: about 100 bytes as hexadecimal digits.",
        epilog="example:\n  python -m edge_lasso_runtime digest model.json --state state.json",
        formatter_class=layout,
    )
    digest.add_argument("model", metavar="MODEL", help="model file")
    digest.add_argument("--state", required=True, metavar="FILE", help="the snapshot that score or mqtt keeps")
    digest.set_defaults(run=_digest)

    probe = commands.add_parser(
        "probe",
        help="measure cold start, latency and memory on this machine",
        description="Measure a model file or an artifact on this machine, beside a bare interpreter. "
        "That executes the artifact.",
        epilog="example:\n  python -m edge_lasso_runtime probe model.json\n"
        "  python -m edge_lasso_runtime probe artifacts/c-float --json",
        formatter_class=layout,
    )
    probe.add_argument("subject", metavar="MODEL|ARTIFACT", help="model file, or an artifact's folder")
    probe.add_argument("--json", action="store_true", help="print JSON")
    probe.add_argument("--seconds", type=_positive, default=4.0, metavar="S", help="about how long to take (default 4)")
    probe.add_argument("--interpreter", metavar="COMMAND", help="how to start Python, such as 'qemu-aarch64 python3'")
    probe.add_argument("--strings", action="store_true", help="MODEL|ARTIFACT is a .stages.json: execute the Python "
                       "that is in its strings, with your rights")  # fmt: skip
    probe.set_defaults(run=_probe)

    selftest = commands.add_parser(
        "selftest",
        help="check a model or artifact with its test vectors",
        description="Load a model file, or run an artifact's test vectors in its own runtime. "
        "That executes the artifact.",
        epilog="example:\n  python -m edge_lasso_runtime selftest artifacts/python-double",
        formatter_class=layout,
    )
    selftest.add_argument("subject", metavar="MODEL|ARTIFACT", help="model file, or an artifact's folder")
    selftest.set_defaults(run=_selftest)

    if not bundle:
        from .fleet_commands import add

        add(commands, layout, _positive, _count)
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


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--encoding", metavar="NAME", help="of a file (default: found out)")
    parser.add_argument("--missing", type=lambda text: text.split(","), default=[], metavar="MARK,..",
                        help="what else stands for a missing reading, such as -999")  # fmt: skip


def _add_state(parser: argparse.ArgumentParser, every: str = "10s") -> None:
    parser.add_argument("--state", metavar="FILE", help="snapshot: read at the start, saved as --every "
                        "says; in a folder: a file per model")  # fmt: skip
    parser.add_argument("--every", default=every, metavar="N|Ns", help=f"readings or seconds (default {every})")
    parser.add_argument("--fresh", action="store_true", help="start afresh whatever the snapshot holds")


def _add_metrics(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metrics", metavar="FILE.prom", help="figures for Prometheus, every 5 s: for node_exporter's "
                        "textfile collector")  # fmt: skip


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1e12:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def _score(options: Any) -> int:
    from .format import load
    from .score import score

    return score(
        load(options.model), options.data, options.state, options.every, options.fresh, options.time, options.step,
        options.explain, options.values, options.digest, options.missing, options.metrics, options.model,
        options.learn, options.cascade, options.adapt, options.within, options.encoding,
    )  # fmt: skip


def _mqtt(options: Any) -> int:
    from .format import load
    from .mqtt import bridge

    tls = {"ca_certs": options.ca, "certfile": options.certificate, "keyfile": options.key}
    return bridge(
        load(options.model), options.broker, options.topic, options.publish, options.state, options.every,
        options.fresh, options.period, options.explain, options.values, options.client_id, options.credentials,
        tls if options.tls or any(tls.values()) else None, options.metrics, options.model, options.max_age,
        options.when, options.sources, options.discovery, options.learn, options.time, options.adapt, options.within,
    )  # fmt: skip


def _digest(options: Any) -> int:
    from .format import load
    from .keeper import saved_state, state_digest

    model = load(options.model)
    print(state_digest(model, saved_state(model, options.state)).hex())
    return DONE


def _predict(options: Any) -> int:
    from .predict_command import run

    return run(options)


def _probe(options: Any) -> int:
    from shlex import split

    from .probe import probe

    interpreter = split(options.interpreter) if options.interpreter else None
    result = probe(options.subject, options.seconds, interpreter, options.strings)
    if options.json:
        import json

        print(json.dumps(result, indent=1, allow_nan=False))
        return DONE
    subject, machine, before = result["subject"], result["machine"], result["before"]
    say(f"{subject['target']}:{subject['variant']}  {subject['file']}  on {machine['board'] or machine['cpu']}")
    say(f"{machine['python']}, {machine['bits']} bit, {machine['cores']} cores; "
          f"governor {before['governor'] or 'unknown'}, {before['frequency_mhz'] or '?'} MHz")  # fmt: skip
    for name, figure in result["figures"].items():
        if figure["value"] is None:
            say(f"  {name:26} -   ({figure['reason']})")
        else:
            more = [f"{key} {figure[key]}" for key in ("low", "high", "samples", "batch", "bare") if key in figure]
            say(f"  {name:26} {figure['value']:>14,} {figure['unit']:6} {figure['kind']}  {', '.join(more)}")
    for text in result["warnings"]:
        say(f"warning: {text}", sys.stderr)
    return DONE


def _selftest(options: Any) -> int:
    from .artifact import FILE

    if options.subject.endswith(".pyz"):
        from .bundle_selftest import selftest as vectors

        return _tell(*vectors(options.subject))
    if options.subject.endswith(".json") and not options.subject.endswith(FILE):
        from .format import load, model_hash

        say(f"ok: {options.subject} is a valid model, hash {model_hash(load(options.subject))}")
        return DONE
    from .selftest import selftest

    return _tell(*selftest(options.subject))


def _tell(failures: list[str], text: str) -> int:
    for line in failures:
        say(f"failed: {line}")
    if not failures:
        say(f"ok: {text}")
    return FAILED if failures else DONE


if __name__ == "__main__":
    sys.exit(main())
