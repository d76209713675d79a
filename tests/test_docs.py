"""The documentation: links that lead somewhere, a reference that is up to date, a site that builds and works offline."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import errors
import generate
import pytest

from edge_lasso.commands.main import main
from edge_lasso_exporters.targets import TARGETS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_and_the_reference_have_one_table_of_targets():
    tables = [
        re.findall(r"^\| (?:target|`\w+`) \|.*", (ROOT / page).read_text(), re.MULTILINE)
        for page in ("README.md", "docs/reference/targets.md")
    ]
    assert tables[0] == tables[1]
    assert len(tables[0]) == 1 + len(TARGETS)


@pytest.mark.long
def test_the_commands_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "-c", "import runpy; print(runpy.run_path('docs/generate.py')['commands'](), end='')"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == (ROOT / "docs" / "reference" / "commands.md").read_text(), "run: python docs/generate.py"


def test_the_python_reference_is_up_to_date():
    import edge_lasso

    text = (ROOT / "docs" / "reference" / "python.md").read_text()
    assert [name for name in edge_lasso.__all__ if f"\n## {name}\n" not in text] == []
    assert text == generate.python(), "run: python docs/generate.py"


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "zensical.toml").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        assert f'"{page.relative_to(ROOT / "docs")}"' in navigation


@pytest.mark.needs("module:zensical")
def test_the_site_builds_and_needs_no_network(tmp_path):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "build.py", tmp_path],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site" / "index.html").read_text()
    assert "From a CSV to a Pi" in page
    fetched = re.findall(
        r'<(?:script|img)[^>]+src="(https?://[^"]+)"|<link[^>]+rel="stylesheet"[^>]+href="(https?://[^"]+)"', page
    )
    assert fetched == []
    assert list((tmp_path / "site").rglob("search*"))
    assert (tmp_path / "site" / "assets" / "iframe-worker.js").exists()


@pytest.mark.long
def test_every_error_message_is_listed_with_a_cure(capsys, tmp_path, monkeypatch):
    """Kinds that users meet have a cure, every text in the source is in the page, and what commands say is found there."""
    page, texts = errors.page(), [text for _, _, text in errors.messages()]
    assert len(texts) > 700
    kinds = set(re.findall(r"^class (\w+Error)\(", "".join(path.read_text() for folder in errors.SOURCES.values()
                                                          for path in folder.rglob("*.py")), re.MULTILINE))  # fmt: skip
    assert kinds <= set(errors.kinds())
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert all(line.count(" | ") == 1 and not line.endswith("|  |") for line in rows)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("x,y\n1,2\n2,3\n3,5\n")
    (tmp_path / "model.json").write_text('{"format": "other"}')
    patterns = [re.compile(".*".join(map(re.escape, text.split("…")))) for text in texts]
    for command in (["train", "a.csv", "--target", "z"], ["show", "model.json"], ["check", "b.csv"],
                    ["check", "a.csv", "--every", "1min"], ["export", "model.json", "--to", "cobol"]):  # fmt: skip
        assert main(command) == 2
        said = capsys.readouterr().err.strip()
        assert any(pattern.search(said) for pattern in patterns), said


def test_the_picture_of_the_readme_is_drawn_by_its_command():
    import picture

    drawn, kept = picture.picture(), picture.OUT.read_text(encoding="utf-8")
    assert (
        re.sub(r"\d", "", drawn)[:2000] == re.sub(r"\d", "", kept)[:2000]
    )  # digits: of another BLAS the last may differ
    assert f"]({picture.OUT.relative_to(ROOT)})" in (ROOT / "README.md").read_text()
