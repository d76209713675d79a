"""A bundle on one board, over ssh: what is sent is checked there, and the runtime that was sent installs it.

Verifying, trying, switching and going back are the board's own (`edge_lasso_runtime.update`), the same as for a fleet:
until the switch nothing that is in use is touched, so a connection lost at any step leaves the old version running.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import BoardError
from .folders import relative
from .processes import Completed
from .ssh import SshLink

DEFAULT_FOLDER = "edge-lasso"
TIMEOUT = 900
WAIT = 300
"""Seconds to wait for another deployment to the same board."""
PROGRAM = "edge_lasso_runtime"
BUNDLE = "new.elb"


@dataclass(frozen=True)
class Deployed:
    """What is in use on a board: its version, where it is, and the version before (None when there is none)."""

    version: str
    folder: str
    previous: str | None
    text: str = ""


def deploy(spec: str, runtime: Mapping[str, bytes], bundle: bytes, options: Sequence[str] = ()) -> Deployed:
    """Send a bundle and let the board install it.

    Parameters
    ----------
    spec : str
        ``ssh://user@host[:port][/folder]``.
    runtime : mapping
        Files of the runtime package that installs it.
    bundle : bytes
    options : sequence of str
        Of the command `update` on the board.

    Raises
    ------
    BoardError
        Any step failed; the version in use is the one from before.
    """
    with _Visit(spec, {**runtime, BUNDLE: bundle}) as visit:
        done = visit.run("update", "--from", BUNDLE, "--wait", str(WAIT), *options)
        return visit.deployed(done.stdout)


def rollback(spec: str, runtime: Mapping[str, bytes], options: Sequence[str] = ()) -> Deployed:
    """Switch back to the version before, which is read again first; a second rollback switches forth again."""
    with _Visit(spec, runtime) as visit:
        done = visit.run("update", "--rollback", "--wait", str(WAIT), *options)
        return visit.deployed(done.stdout)


def status(spec: str, runtime: Mapping[str, bytes]) -> dict[str, Any]:
    """Where a board stands, as `edge_lasso_runtime.board.status` has it."""
    with _Visit(spec, runtime) as visit:
        return visit.status()


class _Visit:
    """A working folder on a board with files of ours, while something is done there."""

    def __init__(self, spec: str, files: Mapping[str, bytes]) -> None:
        for name in files:
            if any(char < " " or char == "\\" for char in str(relative(name))):
                raise BoardError(f"file name {name!r} has a control character or a backslash")
        self._files = files
        self._link = SshLink(spec)
        self._away = self._home = ""

    def __enter__(self) -> _Visit:
        try:
            self._prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *why: object) -> None:
        try:
            if self._away:
                self._link.script(f"rm -rf {self._away}", lines=True)
        except BoardError:
            # The connection is gone: a later visit clears it, and what failed first matters more.
            pass
        finally:
            self._link.close()

    def _prepare(self) -> None:
        link = self._link
        base = shlex.quote(link.folder or DEFAULT_FOLDER)
        python = "command -v python3 >/dev/null || { echo 'no python3 there; install it on the board' >&2; exit 3; }; "
        stale = (
            'find "${TMPDIR:-/tmp}" -maxdepth 1 -name \'edge-lasso-??????\' -user "$(id -un)" -mtime +0 '
            "-exec rm -rf {} + 2>/dev/null; "
        )
        place = f'case {base} in /*) echo {base};; *) echo "$(pwd)"/{base};; esac; '
        result = link.script(python + stale + place + 'mktemp -d "${TMPDIR:-/tmp}/edge-lasso-XXXXXX"', lines=True)
        home, away = result.stdout.strip().splitlines()[-2:]
        self._home, self._away = home, shlex.quote(away)
        link.send(self._files, away)
        sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {relative(name)}\n" for name, data in self._files.items())
        checked = link.script(f"cd {self._away} && sha256sum -c --quiet -", sums)
        if checked.returncode != 0:
            first = (checked.stdout.splitlines() or ["?"])[0]
            raise BoardError(f"{link.spec}: what arrived is not what was sent: {first}")

    def run(self, *words: str) -> Completed:
        """Run the runtime that was sent, on the board's folder."""
        command = shlex.join(["python3", "-B", "-m", PROGRAM, *words, "--home", self._home])
        done = self._link.script(f"umask 022; cd {self._away} && {command}", timeout=TIMEOUT)
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]
            raise BoardError(f"{self._link.spec}: {said.removeprefix(f'{PROGRAM}: error: ')}")
        return done

    def status(self) -> dict[str, Any]:
        """What the board says about its versions."""
        entry: dict[str, Any] = json.loads(self.run("status", "--json", "--any-age").stdout)
        return entry

    def deployed(self, said: str) -> Deployed:
        """What is in use now."""
        standing = self.status()
        return Deployed(standing["version"], self._home, standing["previous"], said.strip())
