"""The documentation: links that lead somewhere, a reference that is up to date, a site that builds and works offline."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")


def generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


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
    assert text == generator().python(), "run: python docs/generate.py"


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
