"""Builds the documentation into site/: the generated pages, the site, and a search that needs no network.

usage: python docs/build.py [FOLDER WITH zensical.toml]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SHIM = "https://unpkg.com/iframe-worker/shim"
"""What lets a page search itself when it is opened as a file; the theme would fetch it."""


def build(folder: Path) -> None:
    """Build `folder`/site from `folder`/docs."""
    zensical = Path(sys.executable).with_name("zensical")
    subprocess.run([zensical, "build", "--clean", "--strict"], cwd=folder, check=True)
    site = folder / "site"
    for page in site.rglob("*.html"):
        up = "../" * (len(page.relative_to(site).parts) - 1)
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(SHIM, f"{up}assets/iframe-worker.js"), encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
