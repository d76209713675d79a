"""Putting files on a board for good: a new folder beside the old, checked and tried there, then an atomic switch.

Under the folder of the link (``edge-lasso`` in the user's home by default)::

    versions/<id>/   one deployed set of files; the id is the hash of their names and contents
    current          link to the version in use
    previous         link to the one before, for `rollback`

Until the switch nothing that is in use is touched, so a connection lost at any step leaves the old version running.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import BoardError
from .folders import relative
from .ssh import SshLink

DEFAULT_FOLDER = "edge-lasso"
TIMEOUT = 300
# os.replace of a fresh link is atomic, which no portable ln or mv is.
LINK = (
    "import os,sys; t,n=sys.argv[1:]; x=n+'.new'; os.path.lexists(x) and os.remove(x); os.symlink(t,x); os.replace(x,n)"
)


@dataclass(frozen=True)
class Deployed:
    """What is in use on a board: its version, where it is, and the version before (None when there is none)."""

    version: str
    folder: str
    previous: str | None


def version_of(files: Mapping[str, bytes]) -> str:
    """The id of a set of files: equal names and contents give the same."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def deploy(spec: str, files: Mapping[str, bytes], selftest: Sequence[str]) -> Deployed:
    """Upload files to a board, check them there, run a self-test there, and switch to them.

    Parameters
    ----------
    spec : str
        ``ssh://user@host[:port][/folder]``.
    files : mapping
        Relative path to content.
    selftest : sequence of str
        Run in the new folder before the switch; any exit status but 0 refuses the version.

    Raises
    ------
    BoardError
        Any step failed; the version in use is the one from before.
    """
    for name in files:
        if any(char < " " or char == "\\" for char in str(relative(name))):
            raise BoardError(f"file name {name!r} has a control character or a backslash")
    if not files or not selftest:
        raise BoardError("nothing to deploy: give at least one file and the command of its self-test")
    version = version_of(files)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {relative(name)}\n" for name, data in files.items())
    link = SshLink(spec)
    staging = f"versions/.new-{version}"
    try:
        base = _base(link)
        link.script(f"mkdir -p {base}/versions && cd {base} && rm -rf versions/.new-* && mkdir {staging}", lines=True)
        try:
            folder = link.script(f"cd {base}/{staging} && pwd", lines=True).stdout.strip()
            link.send(files, folder)
            checked = link.script(f"cd {base}/{staging} && sha256sum -c --quiet -", sums, lines=False)
            if checked.returncode != 0:
                raise BoardError(
                    f"{spec}: what arrived is not what was sent: {(checked.stdout.split(chr(10)) or ['?'])[0]}"
                )
            tried = link.script(f"cd {base}/{staging} && {shlex.join(selftest)}", timeout=TIMEOUT)
            if tried.returncode != 0:
                last = (tried.stderr.strip() or tried.stdout.strip() or f"exit status {tried.returncode}").splitlines()[
                    -1
                ]
                raise BoardError(f"{spec}: the self-test failed on the board, nothing was switched: {last}")
            link.script(_switch(base, staging, version), lines=True)
        except BaseException:
            _discard(link, base, staging)
            raise
        return _state(link, base)
    finally:
        link.close()


def rollback(spec: str) -> Deployed:
    """Switch back to the version before; a second rollback switches forth again."""
    link = SshLink(spec)
    try:
        base = _base(link)
        state = _state(link, base)
        if state.previous in (None, state.version):
            raise BoardError(f"{spec}: no earlier version is kept there")
        back = _point("current", f"versions/{state.previous}")
        forth = _point("previous", f"versions/{state.version}")
        link.script(f"cd {base} && {back} && {forth}", lines=True)
        return _state(link, base)
    finally:
        link.close()


def unit(description: str, folder: str, command: Sequence[str], user: str, state: str = "") -> str:
    """The text of a systemd unit that runs a command in the version in use, restarted when it fails.

    Parameters
    ----------
    description, folder : str
    command : sequence of str
    user : str
    state : str
        A folder of this name in /var/lib is made for the user, and outlives versions; none by default.
    """
    for value in (description, folder, user, state, *command):
        if any(char < " " for char in value):
            raise BoardError(f"{value!r} has a control character; a unit holds one line per setting")
    words = " ".join(
        '"' + part.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$") + '"'
        for part in command
    )
    directory = f"StateDirectory={state}\n" if state else ""
    return (
        f"[Unit]\nDescription={description}\n\n[Service]\nUser={user}\nWorkingDirectory={folder}/current\n{directory}"
        f"ExecStart={words}\nRestart=on-failure\nNoNewPrivileges=true\n\n[Install]\nWantedBy=multi-user.target\n"
    )


def _base(link: SshLink) -> str:
    return shlex.quote(link.folder or DEFAULT_FOLDER)


def _point(name: str, target: str) -> str:
    """Shell that makes a link name a target, itself a word of shell."""
    return f"python3 -c {shlex.quote(LINK)} {target} {name}"


def _switch(base: str, staging: str, version: str) -> str:
    """Shell that keeps the version in use as the previous one, switches, and clears what neither link names."""
    new = f"versions/{version}"
    steps = (
        f"cd {base}",
        f"{{ if [ -d {new} ]; then rm -rf {staging}; else mv {staging} {new}; fi; }}",
        "old=$(readlink current || true)",
        f'{{ if [ -n "$old" ] && [ "$old" != {new} ]; then {_point("previous", chr(34) + "$old" + chr(34))}; fi; }}',
        _point("current", new),
        "now=$(readlink current) && before=$(readlink previous || true)",
        '{ for v in versions/*; do [ "$v" = "$now" ] || [ "$v" = "$before" ] || rm -rf "$v"; done; }',
    )
    return " && ".join(steps)


def _state(link: SshLink, base: str) -> Deployed:
    done = link.script(f"cd {base} 2>/dev/null && pwd && readlink current && {{ readlink previous || true; }}")
    lines = done.stdout.splitlines()
    if len(lines) < 2:
        raise BoardError(f"{link.spec}: nothing is deployed there")
    names = [line.removeprefix("versions/") for line in lines[1:]]
    return Deployed(names[0], lines[0], names[1] if len(names) > 1 else None)


def _discard(link: SshLink, base: str, staging: str) -> None:
    try:
        link.script(f"rm -rf {base}/{staging}", lines=True)
    except BoardError:
        # The connection is gone: the next deployment clears it, and what failed first matters more.
        return
