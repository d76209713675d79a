"""Run the tests that count what they try, and write the table of `docs/reliability.md` from what they counted.

python docs/reliability.py             as `make test` tries them
python docs/reliability.py --whole     every point of every command, every bit (hours)
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"
TESTS = (
    "tests/test_interrupted.py",
    "tests/runtime/test_update_cuts.py",
    "tests/runtime/test_seals.py",
    "tests/test_hostile.py",
    "tests/edge_lasso/test_sandbox.py",
)


def main():
    """Run and write."""
    started = time.strftime("%Y-%m-%d", time.gmtime())
    with tempfile.TemporaryDirectory() as away:
        counted = Path(away, "counted.json")
        chosen = [] if "--whole" in sys.argv else ["-m", "not slow"]
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *chosen, *TESTS]
        environment = {**os.environ, "EDGE_LASSO_TRIED": str(counted)}
        if not chosen:
            environment["EDGE_LASSO_CUTS"] = "all"
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        if code:
            sys.exit("tests failed; the page is as it was")
        rows = json.loads(counted.read_text())
    lines = ["| area | cases tried | failures | command |", "| --- | ---: | ---: | --- |"]
    for area, (count, file) in sorted(rows.items()):
        lines.append(f"| {area} | {count:,} | 0 | `pytest {file}` |")
    total = sum(count for count, _ in rows.values())
    lines.append(
        f"| all, on {started}, Python {sys.version.split()[0]} | {total:,} | 0 | `python docs/reliability.py` |"
    )
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
