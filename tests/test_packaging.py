"""The wheels: what they put in site-packages, and what they require."""

import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser

import pytest


@pytest.fixture(scope="module")
def dist(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    for project in (root / "runtime", root):
        subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(project)],
            check=True,
            capture_output=True,
        )
    return folder


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
def test_built_twice_is_the_same(dist, root, tmp_path):
    for project in (root / "runtime", root):
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(project)]
        subprocess.run(command, check=True, capture_output=True)
    built = {path.name: path.read_bytes() for path in dist.iterdir()}
    again = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(built) == 4
    assert {name: built[name] == again.get(name) for name in built} == dict.fromkeys(built, True)
