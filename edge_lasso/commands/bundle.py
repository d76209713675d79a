"""`edge-lasso bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_lasso.commands.shared import check_folder, parse_budgets, write_files
from edge_lasso.errors import DataError
from edge_lasso.reporting import terminal

ENDING = ".elb"


def bundle(
    subjects: Annotated[
        list[Path] | None,
        typer.Argument(metavar="MODEL|ARTIFACT..", help="A model, and artifacts of it; or a bundle, to sign it, too."),
    ] = None,
    serial: Annotated[int | None, typer.Option(metavar="N", help="Higher than that of every bundle before.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="DATE", help="Boards refuse it from then on (UTC).")] = None,
    fleet: Annotated[str | None, typer.Option("--for", metavar="NAME", help="The fleet that it is for.")] = None,
    rollout: Annotated[str, typer.Option(metavar="P%", help="The part of the boards that takes it.")] = "100%",
    limit: Annotated[
        list[str] | None,
        typer.Option(help="What makes boards go back: degraded=, alarms= (shares), error= (times the old), p95_us=."),
    ] = None,
    sign: Annotated[
        list[Path] | None, typer.Option(metavar="KEY", help="Sign with an OpenSSH key; can be repeated.")
    ] = None,
    no_runtime: Annotated[bool, typer.Option("--no-runtime", help="Boards use the runtime installed there.")] = False,
    signers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write new signers instead (an allowed_signers file).")
    ] = None,
    signers_version: Annotated[int, typer.Option(metavar="N", help="Theirs: the one before and one.")] = 2,
    threshold: Annotated[int, typer.Option(metavar="N", help="So many of them must sign.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Default: NAME-SERIAL.elb, or signers.N.json.")] = None,
) -> None:
    """Write a signed bundle for a fleet: model, certified artifacts and runtime in one archive; boards `update` from it.

    Example: edge-lasso bundle model.json artifacts/python-double --serial 7 --expires 2027-06-01 --for boilers --sign ~/.ssh/id_ed25519
    """
    from edge_lasso.watching import bundle as making
    from edge_lasso_runtime import load
    from edge_lasso_runtime.atomic import write_bytes
    from edge_lasso_runtime.trust import SIGNERS

    supplied = subjects or []
    if signers is not None:
        if supplied or fleet is None:
            raise DataError("--signers goes with --for NAME, and without a model")
        path = out or Path(f"signers.{signers_version}.json")
        data = making.signers_file(fleet, signers_version, threshold, signers.read_text(encoding="utf-8"), serial)
        check_folder(path)
        files = {path: data}
        if sign:
            files[path.with_name(f"{path.name}.sig")] = making.signed(data, sign, SIGNERS)
        write_files(files)
        terminal.say(f"wrote {path}{' and its signatures' if sign else ', not signed'}")
        return
    if len(supplied) == 1 and supplied[0].suffix == ENDING:
        if not sign:
            raise DataError(f"{supplied[0]} is a bundle: --sign KEY adds a signature to it")
        path, data = out or supplied[0], supplied[0].read_bytes()
        about = making.read_manifest(data)
    else:
        if not supplied or serial is None or expires is None or fleet is None:
            raise DataError("a bundle needs a model, --serial N, --expires DATE and --for NAME")
        model, *artifacts = supplied
        if model.is_dir():
            raise DataError(f"{model} is a folder; the model comes first, then its artifacts")
        plan = making.Plan(fleet, serial, _date(expires), _share(rollout), parse_budgets(limit))
        data = making.bundle(load(model), artifacts, plan, not no_runtime)
        about = making.read_manifest(data)
        path = out or Path(f"{fleet}-{serial}{ENDING}")
    check_folder(path)
    if sign:
        data = making.sign(data, sign)
    write_bytes(path, data)
    size = f"{len(data) / 1024:.0f} KB in {len(about.files)} files"
    terminal.say(f"wrote {path}: serial {about.serial} for {about.fleet}, model {about.model_hash[:12]}, {size}")
    if not sign:
        terminal.note(f"it is not signed, and no board takes it: edge-lasso bundle {path} --sign KEY")


def _date(text: str) -> float:
    """A date, or a moment, as seconds since 1970."""
    from edge_lasso_runtime.times import seconds

    moment = seconds(f"{text}T00:00:00Z" if len(text) == 10 else text) if "-" in text else None
    if moment is None:
        raise DataError(f"--expires {text!r} is not a date such as 2027-06-01 or 2027-06-01T12:00:00Z")
    return float(int(moment))


def _share(text: str) -> int:
    """A part of the boards in ten thousandths."""
    try:
        part = float(text.removesuffix("%")) if text.endswith("%") else -1.0
    except ValueError:
        part = -1.0
    if not 0.0 <= part <= 100.0:
        raise DataError(f"--rollout {text!r} is not a part of the boards, such as 10%")
    return round(part * 100)
