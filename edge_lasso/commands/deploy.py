"""`edge-lasso deploy`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_lasso.commands.shared import Json, check_folder, write_files
from edge_lasso.errors import DataError, VerificationError
from edge_lasso.reporting import terminal

if TYPE_CHECKING:
    from edge_lasso_devices.deploy import Deployed

LINK = "ssh://"


def deploy(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL|BUNDLE ssh://user@host[/path]", help="What, and where to; ~/edge-lasso by default."
        ),
    ],
    rollback: Annotated[bool, typer.Option("--rollback", help="Switch back to the version before.")] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Tell where boards stand; nothing is sent for good.")
    ] = False,
    restart: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Run there, so that the process takes the new version.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(metavar="FILE", help="Where that process writes its figures: it has to answer there.")
    ] = None,
    watch: Annotated[float, typer.Option(metavar="S", help="Then watch its figures so long.")] = 0.0,
    unit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write NAME.service (and its socket or timer) for systemd.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Of the unit: mqtt://HOST/TOPIC, fifo:/run/NAME, socket:/run/NAME, file:/PATH with --every.",
        ),
    ] = None,
    every: Annotated[str, typer.Option(metavar="TIME", help="With a file: how often, such as 15min.")] = "",
    as_json: Json = False,
) -> None:
    """Put a model, or a signed bundle, on a board: checked and tried there, then switched at once; nothing is installed.

    Example: edge-lasso deploy model.json ssh://pi@raspberrypi.local
    """
    boards = [word for word in words if word.startswith(LINK)]
    subjects = [Path(word) for word in words if not word.startswith(LINK)]
    if not boards or len(subjects) > 1 or (not status and len(boards) > 1):
        raise DataError(
            "deploy takes one model or bundle and one ssh://user@host, with --status several; for many boards: deploy/ansible"
        )
    if status:
        return _tell(boards, as_json)
    if not subjects and not rollback:
        raise DataError(f"nothing to deploy: name a model or a bundle before {boards[0]}")
    if (unit is None) != (source is None) or (unit is not None and unit.suffix != ".service"):
        raise DataError("--unit NAME.service goes with --source: a unit without a source would wait for ever")
    if unit is not None:
        check_folder(unit)
    options = [*(["--restart", restart] if restart else []), *(["--metrics", metrics] if metrics else [])]
    options += ["--watch", str(watch)] if watch else []
    deployed, service = _deployed(boards[0], subjects[0] if subjects else None, rollback, options)
    written = _write(service(deployed.folder, unit.stem, source, every), unit) if unit and source else []
    if as_json:
        terminal.say_json(vars(deployed))
        return
    terminal.say(f"{boards[0]}: {deployed.text}")
    terminal.say(
        f"the version before is {deployed.previous}; --rollback switches to it"
        if deployed.previous
        else "it is the first version there"
    )
    if written:
        first = written[-1].name
        names = " ".join(path.name for path in written)
        terminal.say(
            f"wrote {', '.join(map(str, written))}; on the board: sudo cp {names} /etc/systemd/system/ && "
            f"sudo systemctl enable --now {first}"
        )


def _deployed(
    board: str, subject: Path | None, back: bool, options: list[str]
) -> tuple[Deployed, Callable[[str, str, str, str], dict[str, str]]]:
    """Do it; and what writes units for the model."""
    from edge_lasso.commands.bundle import ENDING
    from edge_lasso.watching import deploy as run
    from edge_lasso_runtime import load

    if subject is not None and subject.suffix == ENDING:
        deployed = run.rollback(board, options) if back else run.deploy_bundle(subject.read_bytes(), board, options)

        def none(*_: str) -> dict[str, str]:
            raise DataError("--unit needs the model, not a bundle of it")

        return deployed, none
    if subject is None:
        return run.rollback(board, options), lambda *_: {}
    model = load(subject)
    deployed = run.rollback(board, options) if back else run.deploy(model, board, options)
    return deployed, lambda folder, name, source, every: run.service(model, folder, board, source, every, name)


def _write(files: dict[str, str], unit: Path) -> list[Path]:
    paths = {unit.with_name(name): text.encode() for name, text in files.items()}
    write_files(paths)
    return list(paths)


def _tell(boards: list[str], as_json: bool) -> None:
    from edge_lasso.watching.deploy import statuses

    entries: list[dict[str, Any]] = statuses(boards)
    if as_json:
        terminal.say_json(entries)
    else:
        for standing in entries:
            if standing["problem"]:
                terminal.say(f"{standing['link']}: {standing['problem']}")
                continue
            more = f", serial {standing['serial']} of {standing['fleet']}" if standing["fleet"] else ""
            bad = f", left {len(standing['bad'])}" if standing["bad"] else ""
            terminal.say(
                f"{standing['link']}: {standing['version']}{more}, before it {standing['previous'] or 'none'}{bad}"
            )
    wrong = [standing["link"] for standing in entries if standing["problem"] or standing.get("expired")]
    if wrong:
        raise VerificationError(
            f"{len(wrong)} of {len(entries)} boards cannot be asked, or are expired: {', '.join(wrong)}"
        )
