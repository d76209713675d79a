"""Whom a board believes: its fleet, its own name, and who signs; verified with OpenSSH's ``ssh-keygen -Y``.

The signers are lines of an ``allowed_signers`` file (ssh-keygen(1)): one name, options such as
``valid-before="20270101"``, a public key. They are replaced by a file that enough of the old and enough of the new
signers have signed, one version after another.
"""

from __future__ import annotations

import json
import os

from .checks import parse, refuse_constant, take_keys, take_list, take_object, take_text, unique_pairs
from .errors import ModelFormatError, UpdateError
from .manifest import LARGEST_SERIAL, name_of, whole
from .model import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = "edge-lasso-trust/1"
SIGNERS_FORMAT = "edge-lasso-signers/1"
FILE = "trust.json"
BUNDLES, SIGNERS = "edge-lasso-bundle", "edge-lasso-signers"
"""Namespaces of signatures: what is signed as the one is never taken for the other."""
BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
MOST_SIGNATURES = 16


class Trust(Record):
    """Whom a board believes.

    Parameters
    ----------
    fleet, board : str
    version : int
        Of the signers; rises by one with each replacement.
    threshold : int
        So many of them must have signed.
    signers : list of str
        Lines of an ``allowed_signers`` file.
    """

    __slots__ = ("board", "fleet", "signers", "threshold", "version")

    def __init__(self, fleet: str, board: str, version: int, threshold: int, signers: list[str]) -> None:
        self.fleet = fleet
        self.board = board
        self.version = version
        self.threshold = threshold
        self.signers = signers


def dumps(trust: Trust) -> bytes:
    """The file's bytes."""
    data = {
        "format": FORMAT,
        "fleet": trust.fleet,
        "board": trust.board,
        "version": trust.version,
        "threshold": trust.threshold,
        "signers": trust.signers,
    }
    return (json.dumps(data, indent=1) + "\n").encode()


def load(home: str) -> Trust:
    """Whom the board with this folder believes.

    Raises
    ------
    UpdateError
        Nobody yet, or the file is damaged.
    """
    path = os.path.join(home, FILE)
    try:
        with open(path, "rb") as file:
            data = _parsed(file.read(1 << 20), FILE, FORMAT, ("fleet", "board", "version", "threshold", "signers"))
        return Trust(
            name_of(data["fleet"], "fleet"),
            name_of(data["board"], "board"),
            whole(data["version"], "version", 1, LARGEST_SERIAL),
            *_signers(data),
        )
    except FileNotFoundError:
        raise UpdateError(f"{path} does not exist; say whom to believe: update --enroll FLEET --signers FILE") from None
    except ModelFormatError as error:
        raise UpdateError(f"{path}: {error}; enroll the board again") from None


def read_signers(text: str) -> list[str]:
    """The lines of an ``allowed_signers`` file that name somebody.

    Raises
    ------
    UpdateError
        A line names a pattern or several people at once: a threshold counts people.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in lines:
        name = line.split()[0]
        if any(char in '*?!,"' for char in name) or len(line.split()) < 3:
            raise UpdateError(f"signer {line[:60]!r} is not a line 'NAME [OPTIONS] KEYTYPE KEY' with one plain name")
        if "cert-authority" in line:
            raise UpdateError(f"signer {name!r} is a certificate authority; name the keys themselves")
    if not lines:
        raise UpdateError("there are no signers; a line is: NAME KEYTYPE KEY, as ssh-keygen(1) has it")
    return lines


def replaced(trust: Trust, data: bytes, signatures: bytes, now: float) -> tuple[Trust, int | None]:
    """Take new signers over: signed by enough of the old and enough of the new.

    Returns
    -------
    trust : Trust
    serial : int or None
        Where serials go on: the way back after a stolen key has signed a serial near the largest.

    Raises
    ------
    UpdateError
    """
    name = f"signers.{trust.version + 1}.json"
    verify(trust, data, signatures, SIGNERS, now, name)
    try:
        content = _parsed(data, name, SIGNERS_FORMAT, ("for", "version", "threshold", "signers"), ("serial",))
        if content["for"] != trust.fleet:
            raise ModelFormatError(f"for is {str(content['for'])[:40]!r}; this board is of {trust.fleet!r}")
        if content["version"] != trust.version + 1:
            raise ModelFormatError(f"version is {content['version']!s:.20}; the next is {trust.version + 1}")
        new = Trust(trust.fleet, trust.board, trust.version + 1, *_signers(content))
        serial = whole(content["serial"], "serial", 0, LARGEST_SERIAL) if "serial" in content else None
    except ModelFormatError as error:
        raise UpdateError(f"{name}: {error}") from None
    verify(new, data, signatures, SIGNERS, now, f"{name} (by the new signers)")
    return new, serial


def signers_file(fleet: str, version: int, threshold: int, signers: list[str], serial: int | None = None) -> bytes:
    """What `replaced` reads, to be signed."""
    data: dict[str, Any] = {"format": SIGNERS_FORMAT, "for": fleet, "version": version, "threshold": threshold}
    data["signers"] = signers
    if serial is not None:
        data["serial"] = serial
    return (json.dumps(data, indent=1) + "\n").encode()


def verify(trust: Trust, data: bytes, signatures: bytes, namespace: str, now: float, what: str) -> list[str]:
    """Check that enough signers have signed data.

    Parameters
    ----------
    trust : Trust
    data, signatures : bytes
        Signatures one after another, as ``ssh-keygen -Y sign`` writes them.
    namespace : str
    now : float
        Seconds since 1970 at which keys must be valid.
    what : str
        For messages.

    Returns
    -------
    list of str
        Who has signed.

    Raises
    ------
    UpdateError
    """
    import tempfile

    people: dict[str, str] = {}
    why = "it carries no signature"
    with tempfile.TemporaryDirectory(prefix="edge-lasso-") as away:
        allowed = os.path.join(away, "allowed_signers")
        with open(allowed, "w", encoding="utf-8") as file:
            file.write("\n".join(trust.signers) + "\n")
        for text in _split(signatures, what):
            signature = os.path.join(away, "signature")
            with open(signature, "w", encoding="ascii") as file:
                file.write(text)
            name, key = _verified(allowed, signature, data, namespace, now)
            if key:
                people.setdefault(key, name)
            else:
                why = name
    names = sorted(set(people.values()))
    if len(names) < trust.threshold:
        if names:
            why = f"{', '.join(names)} signed it, {trust.threshold} signers are needed"
        raise UpdateError(f"{what} is not signed by whom this board believes: {why}")
    return names


def _verified(allowed: str, signature: str, data: bytes, namespace: str, now: float) -> tuple[str, str]:
    """The signer's name and key; or why not, and no key."""
    from time import gmtime, strftime

    when = f"-Overify-time={strftime('%Y%m%d%H%M%S', gmtime(now))}"
    code, out, err = _keygen(["find-principals", when, "-s", signature, "-f", allowed])
    names = out.split("\n")[0].strip()
    if code or not names:
        if "expired" in err or "not yet valid" in err:
            return f"the key {'has expired' if 'expired' in err else 'is not valid yet'}", ""
        return "the key is not among its signers" if "No principal" in err else "the signature is damaged", ""
    code, out, err = _keygen(["verify", when, "-n", namespace, "-I", names, "-s", signature, "-f", allowed], data)
    if code or "SHA256:" not in out:
        return (err.strip() or out.strip() or "the signature is wrong").split("\n")[-1][:120], ""
    return names, out.rpartition("SHA256:")[2].split()[0]


def _keygen(arguments: list[str], data: bytes = b"") -> tuple[int, str, str]:
    import subprocess

    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["ssh-keygen", "-Y", *arguments], input=data, capture_output=True, env=environment, timeout=60, check=False
        )
    except FileNotFoundError:
        raise UpdateError("no ssh-keygen here, so nothing can be verified; install Debian's openssh-client") from None
    except subprocess.TimeoutExpired:
        raise UpdateError("ssh-keygen did not answer within 60 s") from None
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def _split(signatures: bytes, what: str) -> list[str]:
    try:
        text = signatures.decode("ascii")
    except UnicodeDecodeError:
        raise UpdateError(f"the signatures of {what} are damaged") from None
    parts = text.split(f"{END}\n")
    if parts.pop().strip() or any(not part.startswith(f"{BEGIN}\n") for part in parts):
        raise UpdateError(f"the signatures of {what} are damaged or cut off")
    if len(parts) > MOST_SIGNATURES:
        raise UpdateError(f"{what} has {len(parts)} signatures; {MOST_SIGNATURES} are allowed")
    return [f"{part}{END}\n" for part in parts]


def _parsed(
    data: bytes, name: str, expected: str, keys: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    try:
        content = take_object(parse(data.decode("utf-8"), unique_pairs, refuse_constant), name)
    except ModelFormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(f"it is damaged ({str(error)[:80]})") from None
    if content.get("format") != expected:
        raise ModelFormatError(f"format is {str(content.get('format'))[:60]!r}; this version reads {expected!r}")
    take_keys(content, name, ("format", *keys), optional)
    return content


def _signers(data: dict[str, Any]) -> tuple[int, list[str]]:
    lines = [take_text(line, "signers") for line in take_list(data["signers"], "signers")]
    try:
        lines = read_signers("\n".join(lines))
    except UpdateError as error:
        raise ModelFormatError(str(error)) from None
    people = len({line.split()[0] for line in lines})
    return whole(data["threshold"], "threshold", 1, people), lines
