"""The report: one offline page, readable at desktop and phone width, safe against names from a table."""

import re
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from edge_lasso.certificate import Certificate, Execution
from edge_lasso.errors import DataError
from edge_lasso.fit import TrainOptions
from edge_lasso.quantize import quantize
from edge_lasso.report import ReportData, collect, render, shares, write
from edge_lasso.report_classes import class_quality
from edge_lasso.show import importance
from edge_lasso.train_classes import train_classes
from edge_lasso.train_table import train_table
from edge_lasso_runtime import model_hash, predict, save

EVIL = '<script>alert("x")</script>'
CHROMIUM = [
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=3000",
]


@pytest.fixture(scope="module")
def result():
    import pyarrow as pa

    rng = np.random.default_rng(1)
    X = rng.normal(10.0, 3.0, (400, 8))
    columns = {name: X[:, j] for j, name in enumerate([EVIL, "a_very_long_name.of_a_sensor.PM2.5", *"cdefgh"])}
    columns["y & z"] = X[:, 0] - 2.0 * X[:, 1] + rng.normal(0.0, 1.0, 400)
    return train_table(pa.table(columns), "y & z", holdout=0.3)


@pytest.fixture(scope="module")
def data(result):
    model = quantize(result.model, "int16")
    promised = {"kind": "bound", "bound": 0.02, "text": "within"}
    executions = (
        Execution("c", "fixed", {}, "passed", "cc", 10, 0.01, 0.5, promised),
        Execution("python", "fixed", {}, "not_executed", "MicroPython", reason="no MicroPython here"),
    )
    figures = {
        "p50_us": {"value": 1.5, "unit": "us", "kind": "measured"},
        "size_bytes": {"value": 1234, "unit": "bytes"},
    }
    measurements = [
        {"name": "c:fixed", "kind": "measured", "machine": "this", "figures": figures},
        {"name": "c:fixed", "kind": "modelled", "machine": "a board", "figures": figures},
    ]
    return ReportData(
        model, "A story.", result.fits[0], importance(result.model, result.folds), shares(result.model, result.folds),
        result.held, [Certificate(model_hash(model), "2026-01-01T00:00:00Z", {"real": 10}, executions)], measurements,
    )  # fmt: skip


class Page(HTMLParser):
    """Well-formedness, and what the page would fetch."""

    VOID = frozenset(("meta", "link", "br", "hr", "img", "input"))

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.fetched = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "href", "action", "data")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_whole_offline_and_small(data):
    html = render(data)
    page = Page()
    page.feed(html)
    assert page.open == []
    assert page.fetched == []
    assert "script" not in page.tags
    assert not re.search(r"url\(|@import|https?://", html)
    assert len(html.encode()) < 2_000_000
    assert page.tags.count("svg") >= 4


def test_names_are_escaped(data):
    html = render(data)
    assert EVIL not in html
    assert "&lt;script&gt;" in html
    assert "y &amp; z" in html


def test_kinds_have_tables_of_their_own_and_gaps_are_said(data):
    html = render(data)
    assert html.count("<caption>Measured on this") == 1
    assert html.count("<caption>Modelled on a board") == 1
    assert "python:fixed not executed: no MicroPython here" in html
    assert "never saw" in html


def test_missing_parts_say_how_to_get_them(result):
    html = render(ReportData(result.model))
    for command in ("edge-lasso bench", "edge-lasso verify", "edge-lasso report MODEL --data", "MODEL.stats.npz"):
        assert command in html


def test_collect_reads_what_lies_beside_the_model(result, tmp_path):
    save(result.model, tmp_path / "m.json")
    result.folds.save(tmp_path / "m.stats.npz")
    found = collect(tmp_path / "m.json")
    assert found.fit.alpha == pytest.approx(result.fits[0].alpha)
    assert set(found.losses) == {one.name for one in result.model.inputs}
    write(found, tmp_path / "m.html")
    assert (tmp_path / "m.html").read_text().startswith("<!doctype html>")


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("width", [1280, 360])
def test_no_sideways_scrolling(data, tmp_path, width):
    probe = (
        "<script>addEventListener('load', () => parent.postMessage([document.documentElement.scrollWidth, innerWidth, "
        "document.querySelectorAll('svg').length, document.body.innerText.length].join(' '), '*'))</script>"
    )
    (tmp_path / "page.html").write_text(render(data).replace("</body>", f"{probe}</body>"))
    (tmp_path / "frame.html").write_text(
        "<body><script>addEventListener('message', e => document.body.append('found ' + e.data + ' end'))</script>"
        f'<iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe></body>'
    )
    command = [*CHROMIUM, f"--user-data-dir={tmp_path}/profile", "--dump-dom", f"file://{tmp_path}/frame.html"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    scroll, inner, charts, letters = map(int, re.search(r"found ([\d ]+) end", done.stdout).group(1).split())
    assert inner == width
    assert scroll <= width
    assert charts >= 4
    assert letters > 1000
    assert "Uncaught" not in done.stderr


def test_a_classifier_is_told_by_who_is_taken_for_whom(tmp_path, result):
    import pandas

    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4))
    labels = np.array(["<low>", "middle", "high"])[np.digitize(X[:, 0] + 0.5 * rng.normal(size=600), [-0.5, 0.5])]
    table = pandas.DataFrame(X, columns=list("abcd")).assign(level=labels)
    made = train_classes(table, "level", options=TrainOptions(alphas=10), holdout=0.2)
    save(made.model, tmp_path / "m.json")
    page = render(collect(tmp_path / "m.json", table))
    assert "<h1>level from" in page
    assert "taken for &lt;low&gt;" in page
    assert "<low>" not in page
    assert "last 120 rows" in page
    assert "RMSE" not in page
    predicted = [predict(made.model, row).label for row in X.tolist()] if len(made.model.inputs) == 4 else None
    counts = class_quality(made.model, table).counts
    assert counts.sum(axis=1).tolist() == [int((labels == name).sum()) for name in made.model.classes]
    assert predicted is None or counts.trace() == sum(a == b for a, b in zip(predicted, labels, strict=True))
    assert counts.trace() / 600 == pytest.approx(class_quality(made.model, table).quality["accuracy"])
    with pytest.raises(DataError, match="no row of the table has one of the classes"):
        class_quality(made.model, table.assign(level="other"))


def test_how_firm_a_model_is(tmp_path):
    import pandas

    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 4))
    table = pandas.DataFrame(X, columns=list("abcd")).assign(y=X[:, 0] + 0.3 * rng.normal(size=800))
    made = train_table(table, "y", holdout=0.4, interval=0.9, stability=10, bootstrap=50)
    save(made.model, tmp_path / "m.json")
    page = render(collect(tmp_path / "m.json"))
    assert "How firm it is" in page
    assert "0.9 of truths within" in page
    assert "<td>100 %</td>" in page
