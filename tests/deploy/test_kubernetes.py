"""The container's command in the folder that the Dockerfile lays out, and the manifest's probes; no container, no cluster."""

import http.client
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import edge_lasso_runtime
from edge_lasso_runtime import Factor, Input, Model, Output, Term, model_hash, save

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
DOCKERFILE = [line.split(" ", 1) for line in (FOLDER / "Dockerfile").read_text().splitlines()]
DEPLOYMENT, SERVICE = yaml.safe_load_all((FOLDER / "model.yaml").read_text())
POD = DEPLOYMENT["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
TOKEN = "a-token-of-16-and-more"
MODEL = Model(("a",), (Input("a", 0, 0.25, -1.0, 1.0),), (Output("y", 0.5, (Term(2.0, (Factor(0),)),)),))


def image(root, context):
    """What the Dockerfile makes: its folder, command and environment, `root` standing for ``/``."""
    folder, command, environment = root, [], {}
    for word, rest in DOCKERFILE:
        if word == "COPY":
            source, target = rest.split()
            place = root / target.lstrip("/")
            if (context / source).is_dir():
                shutil.copytree(context / source, place)
            else:
                shutil.copy(context / source, place / source if target.endswith("/") else place)
        elif word == "WORKDIR":
            folder = root / rest.lstrip("/")
        elif word == "ENV":
            environment.update([rest.split("=")])
        elif word == "CMD":
            command = json.loads(rest)
    return folder, command, environment


@pytest.fixture
def served(tmp_path):
    """The process, and its port."""
    context, root = tmp_path / "context", tmp_path / "root"
    package = Path(edge_lasso_runtime.__file__).parent
    shutil.copytree(package, context / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    save(MODEL, context / "model.json")
    folder, command, environment = image(root, context)
    [mount] = CONTAINER["volumeMounts"]
    token = root / mount["mountPath"].lstrip("/") / "token"
    token.parent.mkdir(parents=True)
    token.write_text(TOKEN)
    assert command[0] == "python"
    assert command[command.index("--token") + 1] == f"{mount['mountPath']}/token"
    [port] = CONTAINER["ports"]
    assert command[command.index("--listen") + 1] == f"0.0.0.0:{port['containerPort']}"
    words = [
        str(token) if word.endswith("/token") else word.replace(f":{port['containerPort']}", ":0") for word in command
    ]
    before = sorted(root.rglob("*"))
    process = subprocess.Popen(
        [sys.executable, "-S", *words[1:]],
        cwd=folder,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )  # -S: no site-packages, so that the folder's package is the only one
    try:
        line = process.stderr.readline()
        assert "listening on" in line, line
        yield process, int(line.rpartition(":")[2])
        process.terminate()
        assert process.wait(POD["terminationGracePeriodSeconds"]) == 0
        assert sorted(root.rglob("*")) == before, "the root file system is read-only"
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def ask(port, method, path, body=None, token=""):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_container(served):
    _, port = served
    for probe in PROBES:
        assert ask(port, "GET", CONTAINER[probe]["httpGet"]["path"])[0] == 200
    body = {"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [0.5]}]}
    assert ask(port, "POST", "/v2/models/model/infer", body)[0] == 401
    status, content = ask(port, "POST", "/v2/models/model/infer", body, TOKEN)
    answer = json.loads(content)
    assert (status, answer["outputs"][0]["data"], answer["model_version"]) == (200, [1.5], model_hash(MODEL)[:12])
    assert ask(port, "GET", "/metrics")[0] == 401
    assert b"edge_lasso_rows_total 1\n" in ask(port, "GET", "/metrics", token=TOKEN)[1]


def test_the_manifest_holds_together():
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == labels == SERVICE["spec"]["selector"]
    ports = {port["name"] for port in CONTAINER["ports"]}
    assert {CONTAINER[probe]["httpGet"]["port"] for probe in PROBES} == ports
    assert {port["targetPort"] for port in SERVICE["spec"]["ports"]} == ports
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == {volume["name"] for volume in POD["volumes"]}
    assert ["USER", str(POD["securityContext"]["runAsUser"])] in DOCKERFILE
    [secret] = [volume["secret"] for volume in POD["volumes"]]
    assert secret["defaultMode"] == 0o440


def test_the_page_shows_these_files():
    page = (ROOT / "docs" / "fleet" / "kubernetes.md").read_text()
    for name in ("Dockerfile", "model.yaml"):
        assert (FOLDER / name).read_text() in page
