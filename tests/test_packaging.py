"""The wheels: what they put in site-packages, and what they require."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from hashlib import sha256

import pytest
from packaging.utils import canonicalize_name

from edge_lasso_runtime import save

pytestmark = pytest.mark.long


def build(root, folder):
    for project in (root / "runtime", root):
        subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(project)],
            check=True,
            capture_output=True,
        )
    return folder


@pytest.fixture(scope="module")
def dist(root, tmp_path_factory):
    return build(root, tmp_path_factory.mktemp("dist"))


def wheel(dist, name):
    (path,) = dist.glob(f"{name}-[0-9]*.whl")
    return zipfile.ZipFile(path)


def metadata(archive):
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(archive.read(name).decode())


@pytest.mark.parametrize(
    ("name", "packages"),
    [
        ("edge_lasso", {"edge_lasso", "edge_lasso_exporters", "edge_lasso_devices"}),
        ("edge_lasso_runtime", {"edge_lasso_runtime"}),
    ],
)
def test_top_level_names(dist, name, packages):
    with wheel(dist, name) as archive:
        tops = {entry.split("/")[0] for entry in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == packages


def test_runtime_requires_nothing(dist):
    with wheel(dist, "edge_lasso_runtime") as archive:
        required = metadata(archive).get_all("Requires-Dist")
    assert required == ["paho-mqtt>=2; extra == 'mqtt'"], "nothing but what is asked for by name"


def test_workbench_requires_the_same_runtime(dist):
    with wheel(dist, "edge_lasso") as archive, wheel(dist, "edge_lasso_runtime") as runtime:
        version = metadata(runtime)["Version"]
        assert f"edge-lasso-runtime=={version}" in metadata(archive).get_all("Requires-Dist")
        assert metadata(archive)["Version"] == version


def test_data_and_licence_travel(dist):
    with wheel(dist, "edge_lasso") as archive:
        names = archive.namelist()
    assert "edge_lasso/data/beijing_air.csv.gz" in names
    assert "edge_lasso/data/README.md" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_source_archives_hold_the_sources(dist):
    (path,) = dist.glob("edge_lasso-[0-9]*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {"pyproject.toml", "edge_lasso/__init__.py", "devices/edge_lasso_devices/__init__.py"} <= names


@pytest.mark.slow
def test_built_twice_is_the_same(dist, root, tmp_path, monkeypatch):
    """At another time, in another zone, under another umask and hash seed."""
    for name, value in (("TZ", "Asia/Tokyo"), ("PYTHONHASHSEED", "7"), ("LC_ALL", "C")):
        monkeypatch.setenv(name, value)
    before = os.umask(0o077)
    try:
        build(root, tmp_path)
    finally:
        os.umask(before)
    files = sorted(path.name for path in dist.iterdir())
    assert len(files) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert [name for name in files if (dist / name).read_bytes() != (tmp_path / name).read_bytes()] == []


RENDER = """
import sys
from hashlib import sha256
from edge_lasso_exporters import registry
from edge_lasso_runtime import load
for model in map(load, sys.argv[1:]):
    for target in registry.usual():
        for _, variant in registry.parse(target, model):
            for name, data in sorted(registry.render(model, target, variant).items()):
                print(target, variant, name, sha256(data).hexdigest())
"""


def test_generated_files_are_the_same_in_every_process(stateful_model, tmp_path):
    paths = []
    for seed in (3, 8):
        save(stateful_model(seed), tmp_path / f"{seed}.json")
        paths.append(str(tmp_path / f"{seed}.json"))
    said = []
    for i, zone in enumerate(("UTC", "Asia/Tokyo")):
        folder = tmp_path / zone.replace("/", "-")
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": str(i), "TZ": zone, "LC_ALL": "C"}
        done = subprocess.run(
            [sys.executable, "-c", RENDER, *paths],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stdout.splitlines())
    assert said[0] == said[1]
    assert len(said[0]) > 10


@pytest.mark.needs("module:cyclonedx")
def test_the_bill_of_a_release(dist, root):
    """CycloneDX's validator takes it; it names every file by hash, and everything that is required at its version."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    done = subprocess.run(
        [sys.executable, str(root / "docs" / "sbom.py"), str(dist)], capture_output=True, text=True, check=True
    )
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(done.stdout) is None
    data = json.loads(done.stdout)
    parts = {part["bom-ref"]: part for part in data["components"]}
    for path in dist.iterdir():
        assert parts[path.name]["hashes"][0]["content"] == sha256(path.read_bytes()).hexdigest()
    required = next(entry["dependsOn"] for entry in data["dependencies"] if entry["ref"] == "edge-lasso")
    assert {"numpy", "scipy", "edge-lasso-runtime", "onnx"} <= set(required)
    pinned = dict(line.split("==") for line in (root / "constraints.txt").read_text().splitlines() if "==" in line)
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    others = [part for ref, part in parts.items() if part["type"] == "library" and not ref.startswith("edge-lasso")]
    assert [part["name"] for part in others if pinned.get(part["name"]) != part["version"]] == []
