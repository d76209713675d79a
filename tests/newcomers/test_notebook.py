"""A data scientist opens the notebook of the documentation and runs all of it, with a kernel of her own."""

import json
import subprocess
import sys

import generate
import pytest

RUN = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], as_version=4)
nbformat.validate(book)
NotebookClient(book, timeout=300, kernel_name="python3").execute()
nbformat.write(book, sys.argv[2])
"""


def test_it_is_generated_from_its_page():
    assert generate.NOTEBOOK.read_text(encoding="utf-8") == generate.notebook(), "python docs/generate.py"


@pytest.mark.needs("cc", "module:nbclient", "module:ipykernel", "module:matplotlib", "module:pandas")
def test_it_goes_the_whole_way(tmp_path):
    subprocess.run(
        [sys.executable, "-c", RUN, str(generate.NOTEBOOK), "done.ipynb"], cwd=tmp_path, check=True, timeout=600
    )
    cells = [cell for cell in json.loads((tmp_path / "done.ipynb").read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(output["output_type"] != "error" for cell in cells for output in cell["outputs"])
    kinds = [kind for cell in cells for output in cell["outputs"] for kind in output.get("data", {})]
    assert kinds.count("text/html") >= 3  # two results and a table
    assert kinds.count("image/png") >= 4  # pictures
    assert {"air.json", "air.stats.npz", "air.html", "air-artifacts"} <= {path.name for path in tmp_path.iterdir()}
