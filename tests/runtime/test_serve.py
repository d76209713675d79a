"""`serve`: the Open Inference Protocol over real sockets, and every bound; the same answers under ASGI."""

import asyncio
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time

import pytest

from edge_lasso_runtime import Factor, Input, Model, Output, Term, asgi, predict, save
from edge_lasso_runtime.inference import loaded

pytestmark = pytest.mark.long

COMMAND = [sys.executable, "-m", "edge_lasso_runtime", "serve"]
TOKEN = "a-token-of-16-and-more"


def model():
    inputs = (Input("a", 0, 0.25, -1.0, 1.0), Input("kind", 1, None, None, None, "", ("red", "green")))
    terms = (Term(2.0, (Factor(0),)), Term(1.0, (Factor(1, 1),)))
    return Model(("a", "kind"), inputs, (Output("y", 0.5, terms),))


@pytest.fixture
def file(tmp_path):
    save(model(), tmp_path / "heat.json")
    return tmp_path / "heat.json"


class Served:
    """A serving process."""

    def __init__(self, file, *options, listen="127.0.0.1:0"):
        self.process = subprocess.Popen(
            [*COMMAND, str(file), "--listen", listen, *map(str, options)], stderr=subprocess.PIPE, text=True
        )
        line = self.process.stderr.readline()
        assert "listening on" in line, line
        self.place = line.split("listening on ")[1].strip()
        self.port = int(self.place.rpartition(":")[2]) if ":" in self.place else 0

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.process.terminate()
        assert self.process.wait(20) == 0
        self.process.stderr.close()

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, None if body is None else json.dumps(body), headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content) if answer.headers["Content-Type"] == "application/json" else content

    def raw(self, data, patience=20.0):
        with socket.create_connection(("127.0.0.1", self.port), patience) as sender:
            sender.sendall(data)
            sender.shutdown(socket.SHUT_WR)
            found = b""
            while piece := sender.recv(65536):
                found += piece
        return found


def tensors(a=(0.5, None), kinds=("green", "red")):
    return {
        "id": "42",
        "inputs": [
            {"name": "a", "shape": [len(a), 1], "datatype": "FP64", "data": list(a)},
            {"name": "kind", "shape": [len(kinds)], "datatype": "BYTES", "data": list(kinds)},
        ],
    }


@pytest.fixture
def served(file):
    with Served(file) as served:
        yield served


def test_the_protocol(served):
    assert served.ask("GET", "/v2/health/live") == (200, {"live": True})
    assert served.ask("GET", "/v2/health/ready") == (200, {"ready": True})
    assert served.ask("GET", "/v2")[1]["name"] == "edge-lasso"
    about = served.ask("GET", "/v2/models/heat")[1]
    assert [one["name"] for one in about["inputs"]] == ["a", "kind"]
    assert [one["datatype"] for one in about["outputs"]] == ["FP64", "BYTES"]
    assert served.ask("GET", f"/v2/models/heat/versions/{about['versions'][0]}/ready") == (
        200,
        {"name": "heat", "ready": True},
    )
    status, answer = served.ask("POST", "/v2/models/heat/infer", tensors())
    assert (status, answer["id"], answer["model_name"]) == (200, "42", "heat")
    assert answer["outputs"][0]["data"] == [
        predict(model(), row).values[0] for row in ({"a": 0.5, "kind": "green"}, {"kind": "red"})
    ]
    assert answer["outputs"][1]["data"] == ["ok", "degraded"]
    status, answer = served.ask("POST", "/v2/models/heat/infer", {**tensors(), "outputs": [{"name": "y"}]})
    assert [one["name"] for one in answer["outputs"]] == ["y"]
    figures = served.ask("GET", "/metrics")[1].decode()
    assert "edge_lasso_rows_total 4\n" in figures
    assert "edge_lasso_degraded_rows_total 2\n" in figures


def test_tensors_in_binary_are_refused_by_name(served):
    status, answer = served.ask("POST", "/v2/models/heat/infer", tensors(), {"Inference-Header-Content-Length": "10"})
    assert (status, answer) == (
        400, {"error": "tensors in binary are an extension that is not here; send their data as JSON"}
    )  # fmt: skip
    assert served.ask("GET", "/v2")[1]["extensions"] == []


def test_one_connection_many_requests(served):
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    for _ in range(50):
        connection.request("POST", "/v2/models/heat/infer", json.dumps(tensors()))
        assert connection.getresponse().read().startswith(b'{"model_name":"heat"')
    connection.close()


REFUSED = {
    "no JSON": (b"{", "the body is no JSON"),
    "NaN": (b'{"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [NaN]}]}', "null is a missing reading"),
    "nested deeply": (b"[" * 100_000, "the body is no JSON"),
    "a list": (b"[1]", "must be a JSON object"),
    "no inputs": (b"{}", "inputs must be a list"),
    "unknown inputs": (b'{"inputs": [{"name": "b"}, {"name": "c"}]}', "no input is one of the model's: a, kind"),
    "a wrong shape": (b'{"inputs": [{"name": "a", "shape": [2, 2], "datatype": "FP64", "data": [1]}]}', "it must be [rows, 1]"),
    "a shape of text": (b'{"inputs": [{"name": "a", "shape": ["x"], "datatype": "FP64", "data": [1]}]}', "whole numbers"),
    "a shape too large": (b'{"inputs": [{"name": "a", "shape": [99999999], "datatype": "FP64", "data": [1]}]}', "up to 10000"),
    "too few values": (b'{"inputs": [{"name": "a", "shape": [2], "datatype": "FP64", "data": [1]}]}', "has 1 values"),
    "values that are lists": (b'{"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [[[1]]]}]}', "values"),
    "an unknown type": (b'{"inputs": [{"name": "a", "shape": [1], "datatype": "X", "data": [1]}]}', "datatype of 'a'"),
    "twice": (b'{"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}, {"name": "a"}]}', "comes twice"),
    "different lengths": (json.dumps(tensors((1.0,), ("red", "red"))).encode(), "different numbers of rows"),
    "an unknown output": (json.dumps({**tensors(), "outputs": [{"name": "z"}]}).encode(), "outputs must be among y, status"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_requests_that_are_refused(file, name):
    body, message = REFUSED[name]
    status, _, content = loaded(str(file)).answer("POST", "/v2/models/heat/infer", {}, body)
    assert (status, message in json.loads(content)["error"]) == (400, True), content


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 100 + b"\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"DELETE /v2 HTTP/1.1\r\nConnection: close\r\n\r\n", 405),
        (b"GET /etc/passwd HTTP/1.1\r\nConnection: close\r\n\r\n", 404),
        (b"GET /v2/models/../x HTTP/1.1\r\nConnection: close\r\n\r\n", 404),
    ],
)
def test_what_is_no_request(served, data, status):
    assert served.raw(data).startswith(f"HTTP/1.1 {status} ".encode())
    assert served.ask("GET", "/v2/health/live")[0] == 200


def test_one_that_sends_a_byte_a_second_does_not_hold_others_up(served):
    slow = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(50)]
    for sender in slow:
        sender.sendall(b"POST /v2/mod")
    began = time.monotonic()
    assert served.ask("POST", "/v2/models/heat/infer", tensors())[0] == 200
    assert time.monotonic() - began < 5.0
    slow[0].settimeout(25)
    assert slow[0].recv(100).startswith(b"HTTP/1.1 408 "), "and is told so in the end"
    for sender in slow:
        sender.close()


def test_more_than_all_connections(served):
    senders = []
    try:
        for _ in range(1100):
            senders.append(socket.create_connection(("127.0.0.1", served.port), 20))
        senders[-1].settimeout(20)
        assert senders[-1].recv(100).startswith(b"HTTP/1.1 503 ")
    finally:
        for sender in senders:
            sender.close()
    deadline = time.monotonic() + 20
    while True:
        try:
            assert served.ask("GET", "/v2/health/live")[0] == 200
            return
        except (AssertionError, OSError):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_token(file, tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    with Served(file, "--token", tmp_path / "token", listen="0.0.0.0:0") as served:
        assert served.ask("GET", "/v2/health/live")[0] == 200
        assert served.ask("GET", "/metrics")[0] == 401
        for given in ("Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer \xfc"):
            assert served.ask("POST", "/v2/models/heat/infer", tensors(), {"Authorization": given})[0] == 401
        assert served.ask("POST", "/v2/models/heat/infer", tensors(), {"Authorization": f"Bearer {TOKEN}"})[0] == 200


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")
def test_a_unix_socket(file, tmp_path):
    with Served(file, listen=f"unix:{tmp_path}/s"):
        with socket.socket(socket.AF_UNIX) as sender:
            sender.connect(str(tmp_path / "s"))
            sender.sendall(b"GET /v2/health/live HTTP/1.1\r\n\r\n")
            assert sender.recv(1000).startswith(b"HTTP/1.1 200 OK")
        assert oct((tmp_path / "s").stat().st_mode & 0o777) == "0o660"
    assert not (tmp_path / "s").exists()


@pytest.mark.needs("openssl")
def test_certificates_of_clients(file, tmp_path):
    for name in ("server", "client", "stranger"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    options = (
        "--certificate",
        tmp_path / "server.pem",
        "--key",
        tmp_path / "server.key",
        "--client-ca",
        tmp_path / "client.pem",
    )

    def ask(port, name):
        context = ssl.create_default_context(cafile=str(tmp_path / "server.pem"))
        if name:
            context.load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
        try:
            connection.request("GET", "/v2/health/live")
            return connection.getresponse().status
        finally:
            connection.close()

    with Served(file, *options, listen="0.0.0.0:0") as served:
        assert ask(served.port, "client") == 200
        for name in ("", "stranger"):
            with pytest.raises(OSError):  # noqa: PT011
                ask(served.port, name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--listen", "0.0.0.0:0"], "beyond this machine"),
        (["--listen", "8080"], "is not HOST:PORT or unix:/PATH"),
        (["--key", "x"], "--key and --client-ca go with --certificate"),
        (["--token", "SHORT"], "a token has 16 or more"),
        (["--certificate", "absent.pem"], "no certificates or keys"),
    ],
)
def test_bad_usage(file, tmp_path, options, message):
    (tmp_path / "short").write_text("abc")
    words = [str(tmp_path / "short") if word == "SHORT" else word for word in options]
    done = subprocess.run([*COMMAND, str(file), *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_model_that_looks_back_is_refused(tmp_path):
    inputs = (Input("a", 0, 0.0, -1.0, 1.0), Input("b", 1, 0.0, -1.0, 1.0, stream=("lag", "a", 1)))
    save(Model(("a", "b"), inputs, (Output("y", 0.0, (Term(1.0, (Factor(1),)),)),)), tmp_path / "m.json")
    done = subprocess.run([*COMMAND, str(tmp_path / "m.json")], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "use score or mqtt" in done.stderr) == (2, True)


def test_under_asgi_and_as_a_function(file, monkeypatch):
    monkeypatch.setenv("EDGE_LASSO_MODEL", str(file))
    monkeypatch.setattr(asgi, "_LOADED", [])
    sent = []

    async def send(message):
        sent.append(message)

    async def ask(*bodies):
        waiting = [
            {"type": "http.request", "body": body, "more_body": i + 1 < len(bodies)} for i, body in enumerate(bodies)
        ]

        async def receive():
            return waiting.pop(0)

        scope = {"type": "http", "method": "POST", "path": "/v2/models/heat/infer", "headers": [(b"Host", b"x")]}
        await asgi.app(scope, receive, send)

    data = json.dumps(tensors()).encode()
    asyncio.run(ask(data[:10], data[10:]))
    assert sent[0]["status"] == 200
    wanted = json.loads(sent[1]["body"])
    assert wanted["outputs"][0]["data"] == [2.5, 1.0]
    sent.clear()
    asyncio.run(ask(*[b"x" * 300_000] * 4))
    assert sent[0]["status"] == 413
    event = {"requestContext": {"http": {"method": "POST"}}, "rawPath": "/v2/models/heat/infer", "body": data.decode()}
    answer = asgi.handler(event)
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, wanted)


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(["uvicorn", "--log-level", "warning"], marks=pytest.mark.needs("module:uvicorn"), id="uvicorn"),
        pytest.param(
            ["granian", "--interface", "asgi", "--no-ws", "--log-level", "warning"],
            marks=pytest.mark.needs("module:granian"),
            id="granian",
        ),
    ],
)
def test_under_servers_of_others(file, server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", *server, "--port", str(port), "edge_lasso_runtime.asgi:app"]
    process = subprocess.Popen(command, env={**os.environ, "EDGE_LASSO_MODEL": str(file)})
    try:
        deadline = time.monotonic() + 30
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            try:
                connection.request("POST", "/v2/models/heat/infer", json.dumps(tensors()))
                assert json.loads(connection.getresponse().read())["outputs"][0]["data"] == [2.5, 1.0]
                return
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            finally:
                connection.close()
    finally:
        process.terminate()
        process.wait(20)
