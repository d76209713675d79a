"""What a release is made of, as a CycloneDX 1.6 bill of materials: its files, and what they require, as it was tried.

python docs/sbom.py DIST > edge-lasso.cdx.json     DIST holds the wheels and source archives of both distributions

Requirements come from the wheels' own metadata, versions and further requirements from what is installed here, which
`constraints.txt` pins. The same files and the same environment give the same text.
"""

import json
import sys
import uuid
import zipfile
from email.parser import Parser
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OWN = ("edge-lasso", "edge-lasso-runtime")


def bill(folder: Path) -> str:
    """The bill of the distributions in a folder."""
    files = sorted(path for path in folder.iterdir() if path.name.endswith((".whl", ".tar.gz")))
    wheels = [path for path in files if path.suffix == ".whl"]
    if len(wheels) != len(OWN):
        raise SystemExit(f"{folder} holds {len(wheels)} wheels; python -m build makes one of each of {', '.join(OWN)}")
    own, graph = {}, {}
    for path in wheels:
        about = _metadata(path)
        name = canonicalize_name(about["Name"])
        own[name] = about
        graph[name] = _wanted(about.get_all("Requires-Dist") or [], set(about.get_all("Provides-Extra") or []))
    others = _closure(set().union(*graph.values()) - set(OWN), graph)
    version = own["edge-lasso"]["Version"]
    digest = sha256("".join(sha256(path.read_bytes()).hexdigest() for path in files).encode()).hexdigest()
    content = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": "release", "name": "edge-lasso", "version": version}
        },
        "components": [_file(path) for path in files]
        + [_library(name, own.get(name)) for name in sorted({*own, *others})],
        "dependencies": [{"ref": "release", "dependsOn": sorted(OWN)}]
        + [{"ref": name, "dependsOn": sorted(graph[name])} for name in sorted(graph)],
    }
    return json.dumps(content, indent=1) + "\n"


def _metadata(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def _wanted(lines: list[str], extras: set[str]) -> set[str]:
    """Names that are required here, by any of the extras."""
    wanted = set()
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            wanted.add(canonicalize_name(requirement.name))
    return wanted


def _closure(names: set[str], graph: dict[str, set[str]]) -> set[str]:
    """What is required, directly or not, and is installed here."""
    waiting, result = sorted(names), set()
    while waiting:
        name = waiting.pop()
        if name in result:
            continue
        try:
            required = distribution(name).requires or []
        except PackageNotFoundError:
            raise SystemExit(f"{name} is required and not installed here; make test installs everything") from None
        result.add(name)
        graph[name] = {other for other in _wanted(required, set()) if _installed(other)}
        waiting += graph[name]
    return result


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _file(path: Path) -> dict[str, object]:
    return {
        "type": "file",
        "bom-ref": path.name,
        "name": path.name,
        "hashes": [{"alg": "SHA-256", "content": sha256(path.read_bytes()).hexdigest()}],
    }


def _library(name: str, about: dict[str, str] | None) -> dict[str, object]:
    about = about or distribution(name).metadata
    version, licence = about["Version"], about["License-Expression"]
    component = {
        "type": "library",
        "bom-ref": name,
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
    }
    return {**component, "licenses": [{"expression": licence}]} if licence else component


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.stdout.write(bill(Path(sys.argv[1])))
