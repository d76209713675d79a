"""The commands of a board in a fleet: ``update``, ``status``, ``shadow``, ``serve``."""

from __future__ import annotations

import os

from .errors import UpdateError
from .printable import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DONE, FAILED = 0, 1


def add(commands: Any, layout: Any, positive: Callable[[str], float], count: Callable[[str], int]) -> None:
    """Add the commands to the parser's."""
    update = commands.add_parser(
        "update",
        help="bring this board to the newest signed bundle, or back to the version before",
        description="Verify a bundle, unpack it beside the version in use, try it, switch at once, watch it, and go "
        "back by itself when it leaves its limits. Needs ssh-keygen. Exit code 1: refused or gone back; the version "
        "from before is in use.",
        epilog="examples:\n  python -m edge_lasso_runtime update --enroll boilers --signers allowed_signers\n"
        "  python -m edge_lasso_runtime update --from https://updates.example/boilers.elb \\\n"
        "      --restart 'systemctl restart edge-lasso-boiler' --metrics /var/lib/edge-lasso/boiler.prom --watch 60\n"
        "  python -m edge_lasso_runtime update --rollback",
        formatter_class=layout,
    )
    what = update.add_mutually_exclusive_group(required=True)
    what.add_argument("--from", dest="source", metavar="DIR|URL|ssh://", help="where bundles are: a folder, a file, "
                      "http(s)://host/name.elb, ssh://user@host/path/name.elb")  # fmt: skip
    what.add_argument("--rollback", action="store_true", help="switch to the version before")
    what.add_argument(
        "--enroll", metavar="FLEET", help="once: what this board is for, and whom it believes (--signers)"
    )
    _add_home(update)
    update.add_argument("--signers", metavar="FILE", help="with --enroll: OpenSSH's allowed_signers, see ssh-keygen(1)")
    update.add_argument("--threshold", type=count, default=1, metavar="N", help="with --enroll: so many must sign")
    update.add_argument("--board", metavar="NAME", help="with --enroll: this board's name (default: the host's)")
    update.add_argument("--rows", default="", metavar="FILE", help="readings that have been: the new version predicts "
                        "them beside the old one first")  # fmt: skip
    update.add_argument("--last", type=count, default=1000, metavar="M", help="so many of them (default 1000)")
    update.add_argument("--restart", default="", metavar="COMMAND", help="makes the process take the version in use")
    update.add_argument("--metrics", default="", metavar="FILE", help="where that process writes its figures: it has "
                        "to answer there with the new hash")  # fmt: skip
    update.add_argument("--within", type=positive, default=60.0, metavar="S", help="seconds to answer (default 60)")
    update.add_argument("--watch", type=positive, default=0.0, metavar="S", help="then watch its figures so long")
    update.add_argument(
        "--keep", type=count, default=3, metavar="N", help="versions on the disk (default 3, at least 2)"
    )
    update.add_argument("--patience", type=positive, default=600.0, metavar="S", help="seconds for reading the source")
    update.add_argument(
        "--wait", type=positive, default=0.0, metavar="S", help="wait so long for another update to end"
    )
    update.add_argument("--unsigned", action="store_true", help="you answer for the bundle: no signature is asked for")
    update.set_defaults(run=_update)

    status = commands.add_parser(
        "status",
        help="which version is in use on this board, since when, and what happened",
        description="Which version is in use, whole and not expired; exit code 1 when it is damaged or expired.",
        epilog="example:\n  python -m edge_lasso_runtime status --json",
        formatter_class=layout,
    )
    _add_home(status)
    status.add_argument("--json", action="store_true", help="print JSON")
    status.add_argument("--any-age", action="store_true", help="an expired version is no failure")
    status.set_defaults(run=_status)

    shadow = commands.add_parser(
        "shadow",
        help="what a model says of rows that have been, in figures",
        description="Take a model through the last rows of a file; prints rows, degraded, alarms, error, latency.",
        epilog="example:\n  python -m edge_lasso_runtime shadow model.json readings.csv --last 500",
        formatter_class=layout,
    )
    shadow.add_argument("model", metavar="MODEL", help="model file")
    shadow.add_argument(
        "rows", metavar="ROWS", help="CSV with a header, or JSON lines; the output's column is the truth"
    )
    shadow.add_argument("--last", type=count, default=1000, metavar="M", help="so many of them (default 1000)")
    shadow.set_defaults(run=_shadow)

    serve = commands.add_parser(
        "serve",
        help="answer requests over HTTP: the Open Inference Protocol, and figures for Prometheus",
        description="Serve a model over HTTP/1.1: /v2 (Open Inference Protocol, JSON), /metrics. On loopback or a Unix "
        "socket; beyond it with a token or clients' certificates. SIGTERM ends it.",
        epilog="example:\n  python -m edge_lasso_runtime serve model.json --listen 127.0.0.1:8080",
        formatter_class=layout,
    )
    serve.add_argument("model", metavar="MODEL", help="model file")
    serve.add_argument(
        "--listen", default="127.0.0.1:8080", metavar="HOST:PORT|unix:/PATH", help="default 127.0.0.1:8080"
    )
    serve.add_argument("--name", default="", metavar="NAME", help="by which requests name it (default: the file's)")
    serve.add_argument(
        "--token", metavar="FILE", help="clients must bring what is in this file (Authorization: Bearer)"
    )
    serve.add_argument("--certificate", metavar="FILE", help="serve over TLS with this certificate")
    serve.add_argument("--key", metavar="FILE", help="and its private key")
    serve.add_argument("--client-ca", metavar="FILE", help="clients must have a certificate of this authority")
    serve.add_argument("--metrics", metavar="FILE.prom", help="also write the figures to a file")
    serve.set_defaults(run=_serve)


def _add_home(parser: Any) -> None:
    home = os.environ.get("EDGE_LASSO_HOME", "~/edge-lasso")
    parser.add_argument("--home", default=home, metavar="DIR", help=f"the board's folder (default {home})")


def _update(options: Any) -> int:
    from shlex import split
    from sys import stderr
    from time import time

    from .trial import Trial
    from .update import rollback, update

    home = os.path.expanduser(options.home)
    if options.enroll:
        return _enroll(home, options)
    trial = Trial(
        options.rows, options.last, tuple(split(options.restart)), options.metrics, options.within, options.watch
    )
    now = time()
    if options.rollback:
        say(rollback(home, now, trial, options.wait).text)
        return DONE
    outcome = update(
        home, options.source, now, trial, max(options.keep, 2), options.patience, options.unsigned, options.wait
    )
    for note in outcome.notes:
        say(f"edge_lasso_runtime: warning: left out {note}", file=stderr)
    say(outcome.text)
    return DONE


def _enroll(home: str, options: Any) -> int:
    from socket import gethostname

    from .board import enroll
    from .errors import ModelFormatError
    from .manifest import name_of
    from .trust import Trust, read_signers

    if not options.signers:
        raise UpdateError("--enroll goes with --signers FILE, OpenSSH's allowed_signers")
    with open(options.signers, encoding="utf-8") as file:
        signers = read_signers(file.read(1 << 20))
    people = len({line.split()[0] for line in signers})
    if not 1 <= options.threshold <= people:
        raise UpdateError(f"--threshold {options.threshold}: the file names {people}; 1 to {people} are possible")
    try:
        fleet, board = name_of(options.enroll, "--enroll"), name_of(options.board or gethostname(), "--board")
    except ModelFormatError as error:
        raise UpdateError(str(error)) from None
    enroll(home, Trust(fleet, board, 1, options.threshold, signers))
    say(f"{home}: board {board} of {fleet} believes {', '.join(sorted({line.split()[0] for line in signers}))}")
    return DONE


def _status(options: Any) -> int:
    from time import time

    from .board import status

    standing = status(os.path.expanduser(options.home), time())
    if options.json:
        import json

        print(json.dumps(standing, indent=1))
    else:
        name = f"{standing['board']} of {standing['fleet']}" if standing["fleet"] else "believes nobody"
        say(f"{name}: version {standing['version'] or 'none'}")
        if standing["version"]:
            end = "EXPIRED at" if standing["expired"] else "expires"
            say(f"  serial {standing['serial']}, model {standing['model_hash'][:12]}, {end} {standing['expires']}")
        say(f"  before it: {standing['previous'] or 'none'}; signers: {', '.join(standing['signers']) or 'none'}")
        for version, why in standing["bad"].items():
            say(f"  not used again: {version}: {why}")
        for line in standing["history"][-5:]:
            say(f"  {line}")
    return FAILED if standing["expired"] and not options.any_age else DONE


def _shadow(options: Any) -> int:
    import json

    from .format import load
    from .shadow import shadow

    print(json.dumps(shadow(load(options.model), options.rows, options.last)))
    return DONE


def _serve(options: Any) -> int:
    from .format import load
    from .inference import Inference, name_of_file
    from .metrics import Metrics
    from .rows import RowError
    from .serve import serve

    if (options.key or options.client_ca) and not options.certificate:
        raise RowError("--key and --client-ca go with --certificate")
    token = ""
    if options.token:
        with open(options.token, encoding="ascii") as file:
            token = file.read(4096).strip()
        if len(token) < 16:
            raise RowError(f"{options.token} holds {len(token)} characters; a token has 16 or more")
    model = load(options.model)
    metrics = Metrics(model, options.metrics, options.model)
    try:
        inference = Inference(model, options.name or name_of_file(options.model), metrics, token)
    except ValueError as error:
        raise RowError(str(error)) from None
    certificates = {"certfile": options.certificate, "keyfile": options.key, "ca": options.client_ca}
    named = bool(token or options.client_ca)
    return serve(inference, metrics, options.listen, certificates if options.certificate else None, named)
