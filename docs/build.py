"""Builds the documentation into site/: the generated pages, the site, and a search that needs no network.

usage: python docs/build.py [FOLDER WITH zensical.toml]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from errors import page

ERRORS = "reference/errors.md"
SHIM = "https://unpkg.com/iframe-worker/shim"
"""What lets a page search itself when it is opened as a file; the theme would fetch it."""


def build(folder: Path) -> None:
    """Build `folder`/site from `folder`/docs."""
    (folder / "docs" / ERRORS).write_text(page(), encoding="utf-8")
    zensical = Path(sys.executable).with_name("zensical")
    subprocess.run([zensical, "build", "--clean", "--strict"], cwd=folder, check=True)
    site = folder / "site"
    for path in site.rglob("*.html"):
        up = "../" * (len(path.relative_to(site).parts) - 1)
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(SHIM, f"{up}assets/iframe-worker.js"), encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
