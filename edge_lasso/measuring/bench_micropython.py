"""Measuring a Python artifact under MicroPython, which has neither the probe's modules nor processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.shells import Shell

SCRIPT = """
import gc, sys, time
SOURCE = {source}
gc.collect()
before = gc.mem_alloc()
start = time.ticks_us()
ns = {{'__name__': 'artifact'}}
exec(SOURCE, ns)
loaded = time.ticks_diff(time.ticks_us(), start)
gc.collect()
heap = gc.mem_alloc() - before
predict = ns['predict']
row = {row}
if 'encode' in ns:
    row = ns['encode'](row)[0]
predict(row)
gc.collect()
gc.disable()
before = gc.mem_alloc()
for i in range(20):
    predict(row)
allocated = (gc.mem_alloc() - before) // 20
gc.enable()
def batch(n):
    start = time.ticks_us()
    for i in range(n):
        predict(row)
    return time.ticks_diff(time.ticks_us(), start)
n = 1
while batch(n) < 20000 and n < 1000000:
    n = n * 2
times = sorted([batch(n) / n for i in range({batches})])
pick = lambda share: times[min(int(share * len(times)), len(times) - 1)]
print('PROBE', loaded, heap, allocated, n, len(times), pick(0.5), pick(0.95), pick(0.99), times[-1])
"""


def micropython_probe(
    shell: Shell, folder: str, files: Mapping[str, bytes], seconds: float
) -> tuple[dict[str, dict[str, Any]], str]:
    """Time one prediction and count what it allocates.

    Returns
    -------
    figures : dict
        Latency, load time, heap of the module and bytes allocated per prediction.
    machine : str
        What the interpreter says it is.

    Raises
    ------
    BoardError
        The artifact does not run there.
    """
    import json

    name = next(file for file in files if file.endswith(".py"))
    source = files[name].decode()
    about = json.loads(files["artifact.json"])
    rows = [vector["row"] for vector in about["self_test"] if None not in vector["row"]]
    literal = "(" + "\n".join(ascii(source[i : i + 1000]) for i in range(0, len(source), 1000)) + ")"
    text = SCRIPT.format(source=literal, row=repr(rows[0]), batches=max(int(seconds / 0.03), 10))
    shell.put({f"{folder}.probe.py": text.encode()})
    done = shell.run([*shell.python, f"{folder}.probe.py"], timeout=120.0 + 10.0 * seconds)
    words = next((line.split()[1:] for line in done.stdout.splitlines() if line.startswith("PROBE ")), None)
    if words is None:
        lines = done.stderr.strip().splitlines() or [f"MicroPython ended with {done.returncode}"]
        raise BoardError(f"MicroPython cannot run {name}: {lines[-1]}")
    loaded, heap, allocated, size, count = map(int, words[:5])
    figures: dict[str, dict[str, Any]] = {}
    for key, value in zip(("p50_us", "p95_us", "p99_us", "max_us"), map(float, words[5:]), strict=True):
        figures[key] = _figure(shell, round(value, 4), "us", samples=count, batch=size)
    figures["load_ms"] = _figure(shell, loaded / 1e3, "ms")
    figures["ram_bytes"] = _figure(shell, heap, "bytes", of="the module's heap")
    figures["allocated_bytes"] = _figure(shell, allocated, "bytes", per="prediction")
    figures["size_bytes"] = {"value": len(files[name]), "unit": "bytes", "kind": "measured", "of": name}
    return figures, shell.describe()


def _figure(shell: Shell, value: float, unit: str, **more: Any) -> dict[str, Any]:
    return {"value": value, "unit": unit, "kind": shell.kind, **more}
