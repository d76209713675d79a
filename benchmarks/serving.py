"""`serve` under load: requests per second, what is lost, how long answers take, the server's memory and processor time.

    python benchmarks/serving.py [--server serve|uvicorn|granian] [--seconds 60] [--connections 200]

"serve" is the runtime's own server, the others run `edge_lasso_runtime.asgi:app`: in processes of their own. Clients
are threads of this one with `http.client`, each with one connection that asks again as soon as it has its answer, which
is compared. Both share the machine: the clients take the larger part.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edge_lasso.reporting import terminal
from edge_lasso_runtime import Factor, Input, Model, Output, Term, predict, save

WARM_UP = 3.0
ROWS = ([0.5, "green"], [None, "red"])


def model() -> Model:
    """A number and a category."""
    inputs = (Input("a", 0, 0.25, -1.0, 1.0), Input("kind", 1, None, None, None, "", ("red", "green")))
    terms = (Term(2.0, (Factor(0),)), Term(1.0, (Factor(1, 1),)))
    return Model(("a", "kind"), inputs, (Output("y", 0.5, terms),))


def load(port: int, connections: int, seconds: float) -> tuple[int, int, list[float]]:
    """Answers, requests without the right one, and how long answers took (s, in rising order)."""
    names = ("a", "kind")
    tensors = [
        {"name": name, "shape": [len(ROWS)], "datatype": kind, "data": [row[k] for row in ROWS]}
        for k, (name, kind) in enumerate(zip(names, ("FP64", "BYTES"), strict=True))
    ]
    body = json.dumps({"inputs": tensors})
    wanted = [predict(model(), dict(zip(names, row, strict=True))).values[0] for row in ROWS]
    times: list[float] = []
    lost: list[int] = []
    over = time.monotonic() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.monotonic() < over:
            began = time.monotonic()
            try:
                connection.request("POST", "/v2/models/model/infer", body)
                answer = json.loads(connection.getresponse().read())
                assert answer["outputs"][0]["data"] == wanted
                times.append(time.monotonic() - began)
            except (OSError, ValueError, KeyError, AssertionError, http.client.HTTPException):
                lost.append(1)
                connection.close()
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(times), len(lost), sorted(times)


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def served(kind: str, path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A server's port and process; it must end well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = {
        "serve": ["edge_lasso_runtime", "serve", str(path), "--listen", f"127.0.0.1:{port}"],
        "uvicorn": ["uvicorn", "--log-level", "warning", "--port", str(port), "edge_lasso_runtime.asgi:app"],
        "granian": ["granian", "--interface", "asgi", "--log-level", "warning", "--port", str(port),
                    "edge_lasso_runtime.asgi:app"],
    }[kind]  # fmt: skip
    environment = {**os.environ, "EDGE_LASSO_MODEL": str(path)}
    with subprocess.Popen([sys.executable, "-m", *command], env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            while not answers(port):
                assert process.poll() is None, f"{kind} has ended"
                time.sleep(0.05)
            yield port, process
        finally:
            process.terminate()
            process.wait(20)


def used(pid: int) -> tuple[int, float]:
    """Resident memory (bytes) and processor time (s) of a process and those that it started."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    own = (pages * os.sysconf("SC_PAGE_SIZE"), sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"))
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return tuple(map(sum, zip(own, *(used(int(child)) for child in children), strict=True)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", choices=("serve", "uvicorn", "granian"), default="serve")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--connections", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        save(model(), path)
        with served(options.server, path) as (port, server):
            load(port, options.connections, min(WARM_UP, options.seconds))
            before, busy = used(server.pid)
            count, lost, times = load(port, options.connections, options.seconds)
            after, busier = used(server.pid)
    terminal.table(
        f"{options.server}, {options.connections} connections, {options.seconds:g} s; two rows a request",
        ["answers", "lost", "answers/s", "p50, ms", "p99, ms", "CPU us/answer", "MB before", "MB after", "growth, kB"],
        [[f"{count:,}", str(lost), f"{count / options.seconds:,.0f}", f"{times[len(times) // 2] * 1e3:.1f}",
          f"{times[len(times) * 99 // 100] * 1e3:.1f}", f"{(busier - busy) / count * 1e6:.0f}", f"{before / 1e6:.2f}",
          f"{after / 1e6:.2f}", f"{(after - before) / 1e3:,.0f}"]],
    )  # fmt: skip
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
