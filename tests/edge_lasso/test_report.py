"""The report: one offline page, readable at desktop and phone width, safe against names from a table."""

import re
import subprocess
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso.detecting.fit_detector import DetectorOptions
from edge_lasso.detecting.missing_sensors import missing_sensors
from edge_lasso.detecting.train_detector import train_detector
from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.predicting.estimates import missing_losses
from edge_lasso.reporting.facts import number
from edge_lasso.reporting.page import collect, render, shares, write
from edge_lasso.reporting.page_classes import class_quality
from edge_lasso.reporting.report_data import ReportData
from edge_lasso.reporting.show import importance
from edge_lasso.tables.series import lags
from edge_lasso.training.options import Training
from edge_lasso.training.train_classes import train_classes
from edge_lasso.training.train_table import train_table
from edge_lasso.verifying.certificate import Certificate, Execution
from edge_lasso_runtime import load, model_hash, predict, save
from edge_lasso_runtime.step import start, step

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
    return train_table(pa.table(columns), "y & z", Training.of(holdout=0.3))


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
    assert page.tags.count("script") <= 1  # the exported model, inline
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
    made = train_classes(table, "level", Training.of(method=TrainOptions(alphas=10), holdout=0.2))
    save(made.model, tmp_path / "m.json")
    page = render(collect(tmp_path / "m.json", table))
    assert "<h1>level from" in page
    assert "taken for &lt;low&gt;" in page
    assert "<low>" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
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
    made = train_table(table, "y", Training.of(holdout=0.4, interval=0.9, stability=10, bootstrap=50))
    save(made.model, tmp_path / "m.json")
    page = render(collect(tmp_path / "m.json"))
    assert "How firm it is" in page
    assert "0.9 of truths within" in page
    assert "<td>100 %</td>" in page


def stream(n, seed=0):
    """Readings of a plant, one a minute, with names that would break a page."""
    import pandas

    rng = np.random.default_rng(seed)
    names = [EVIL, "a_very_long_name.of_a_sensor.PM2.5", "x & y", "s3", "s4", "s5"]
    X = rng.normal(size=(n, 2)) @ np.random.default_rng(9).normal(size=(2, 6)) + 0.3 * rng.normal(size=(n, 6))
    time = pandas.date_range("2024-01-01", periods=n, freq="min")
    return pandas.DataFrame(X, columns=names).assign(time=time)


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detector")
    found = train_detector(
        stream(1500),
        training=Training.of(time="time", holdout=0.2, past=lags(1)),
        options=DetectorOptions(max_coefs=12),
    )
    save(found.model, folder / "d.json")
    return folder / "d.json"


@pytest.fixture(scope="module")
def faulty():
    table = stream(6000, seed=1)
    table.loc[2000:2300, "s3"] += 6.0
    table.loc[4000:4100, "s5"] -= 5.0
    table.loc[3000:3050, "s4"] = np.nan
    return table.drop(index=range(3300, 3600))


def words(page):
    """What the page says, without its markup."""
    return " ".join(re.sub("<[^>]*>", " ", page).replace("&nbsp;", " ").split())


def test_a_detector_is_told_by_its_alarms(detector, faulty):
    page = render(collect(detector, faulty))
    said = words(page)
    view = collect(detector, faulty).detector.scored
    assert "<h1>Detector: 6 sensors, 12 coefficients" in page
    assert re.search(r"false alarms, per day ≤ [\d.]+", said)
    assert f"alarms in this table {len(view.alarms)} " in said
    assert "on the last 300 rows, never seen: " in said.lower()
    assert "5,700 rows of the table; 51 of them lack a reading; 1 gap in time, left open" in said
    for name, row, hour in (("s3", 2000, "2024-01-02 09:"), ("s5", 3700, "2024-01-03 18:")):
        (alarm,) = [one for one in view.alarms if row <= one.first < row + 60]
        assert name in dict(alarm.shares)
        told = ", ".join(f"{sensor} {100.0 * share:.0f} %" for sensor, share in alarm.shares)
        assert re.search(rf"{hour}\d\d {re.escape(escape(told))}", said)
    assert "Where a curve crosses the dashed line" in said
    assert page.count('class="limit"') == 2
    assert page.count("<svg") == 3
    assert "No alarm in the first 60 rows, or after a long gap." in said
    for heading in ("What it is", "What each missing sensor costs", "What it costs", "Certificate", "Provenance"):
        assert f"<h2>{heading}</h2>" in page


@pytest.mark.long
def test_a_detectors_page_is_whole_offline_small_and_escaped(detector, faulty):
    for given in (None, faulty, faulty.drop(columns="time"), faulty.iloc[:3], stream(100)):
        html = render(collect(detector, given))
        page = Page()
        page.feed(html)
        assert page.open == []
        assert page.fetched == []
        assert page.tags.count("script") == 1  # the exported model, inline
        shown = re.sub(r"<script type='module'>.*?</script>", "", html, flags=re.DOTALL)
        assert not re.search(r"url\(|@import|https?://|NaN|\bnan\b|Infinity", shown)
        assert "url(" not in html
        assert EVIL not in shown
        assert "&lt;script&gt;" in html
        assert "x &amp; y" in html
        assert len(shown.encode()) < 60_000
        assert len(html.encode()) < 120_000


def test_a_million_rows_stay_a_small_page(detector, faulty):
    """As many marks as there are pixels, however many rows: here the picture alone, of ever more rows."""
    from edge_lasso.reporting import charts_detector as charts

    scores = np.random.default_rng(0).exponential(size=1_000_000)
    hits = scores > 6.0
    onsets = np.flatnonzero(hits).tolist()
    span = charts.Span(np.arange(1e6) * 60.0 + 1.7e9, True, np.array([400_000]))
    picture = charts.timeline(span, scores, np.full(len(scores), 6.0), hits, onsets)
    assert len(picture) < 80_000
    shares = np.random.default_rng(1).random((120, 25)) ** 3
    assert len(charts.heat_map(span, [f"sensor {k}" for k in range(25)], shares, charts.levels(25), hits)) < 80_000


def test_gaps_in_time_are_open(detector, faulty):
    from edge_lasso.reporting import charts_detector as charts

    x = np.concatenate([np.arange(50.0), np.arange(150.0, 200.0)])
    for breaks, pieces in ((np.zeros(0, dtype=int), 1), (np.array([50]), 2)):
        span = charts.Span(x, False, breaks)
        picture = charts.timeline(span, np.ones(100), np.full(100, 2.0), np.zeros(100, dtype=bool), [])
        assert picture.count('class="line"') == pieces
        assert 'class="alarm"' not in picture


@pytest.mark.parametrize(
    ("low", "high", "first", "last"),
    [
        ("2024-01-01T00:00:00", "2024-01-01T00:00:02", "0 s", "2 s"),
        ("2024-01-01T00:00:00", "2024-01-01T00:00:20", "01-01", "00:00:20"),
        ("2024-01-01T00:00:00", "2024-01-01T03:10:00", "01-01", "03:00"),
        ("2024-01-01T00:00:00", "2024-01-02T23:57:00", "01-01", "12:00"),
        ("2024-01-30T00:00:00", "2024-02-20T00:00:00", "02-01", "02-15"),
        ("2024-01-01T00:00:00", "2024-12-31T00:00:00", "2024-01", "2024-11"),
        ("2010-03-01T00:00:00", "2024-12-31T00:00:00", "2015", "2020"),
        ("1850-03-01T00:00:00", "2024-12-31T00:00:00", "1860", "2020"),
    ],
)
def test_ticks_of_time(low, high, first, last):
    from edge_lasso.reporting.charts_detector import time_marks

    ends = [float(np.datetime64(one, "s").astype(int)) for one in (low, high)]
    marks = time_marks(*ends)
    assert 2 <= len(marks) <= 24
    assert all(ends[0] <= value <= ends[1] for value, _ in marks)
    assert [marks[0][1], marks[-1][1]] == [first, last]


def test_what_a_missing_sensor_costs(detector, tmp_path):
    model = load(detector)
    plain = model.replace(sections={key: one for key, one in model.sections.items() if key != "estimate/1"})
    for some in (model, plain):
        lost = {one.name: one for one in missing_sensors(some)}
        assert set(lost) == {one.name for one in some.inputs if one.stream is None}
        for one in lost.values():
            state = start(some)
            row = {i.name: i.default for i in some.inputs if i.stream is None and i.name != one.name}
            for _ in range(3):  # so that its past is missing, too
                result, state = step(some, state, row)
            widths = dict(zip([o.name for o in some.outputs], result.widths, strict=True))
            if one.widths is None:
                assert {name for name, width in widths.items() if width != width} == set(one.readers)
            else:
                assert {name: widths[name] for name in one.readers} == pytest.approx(one.widths)
    page = words(render(collect(detector)))
    assert ("estimated from the other sensors" in page) == ("estimate/1" in model.sections)
    save(plain, tmp_path / "p.json")
    assert "still watched" in words(render(collect(tmp_path / "p.json")))


def test_what_a_missing_input_costs_a_model(result):
    page = render(ReportData(result.model))
    assert "What each missing sensor costs" in page
    for name, (estimated, plain) in missing_losses(result.model).items():
        assert f"+{number(estimated, 3)} %</td><td>+{number(plain, 3)} %" in page, name


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_detectors_page_fits_the_screen(detector, faulty, tmp_path, width):
    """No sideways scrolling, and no words of a picture over each other."""
    probe = """<script>addEventListener('load', () => {
      let over = [];
      for (const svg of document.querySelectorAll('svg')) {
        const boxes = [...svg.querySelectorAll('text')].map(e => [e.textContent, e.getBoundingClientRect()]);
        for (let i = 0; i < boxes.length; i++) for (let j = 0; j < i; j++) {
          const a = boxes[i][1], b = boxes[j][1];
          if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
              && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3) over.push(boxes[i][0] + '/' + boxes[j][0]);
        }
      }
      parent.postMessage([document.documentElement.scrollWidth, innerWidth, over.join(';') || 'none'].join(' '), '*');
    })</script>"""
    (tmp_path / "page.html").write_text(render(collect(detector, faulty)).replace("</body>", f"{probe}</body>"))
    (tmp_path / "frame.html").write_text(
        "<body><script>addEventListener('message', e => document.body.append('found ' + e.data + ' end'))</script>"
        f'<iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe></body>'
    )
    command = [*CHROMIUM, f"--user-data-dir={tmp_path}/profile", "--dump-dom", f"file://{tmp_path}/frame.html"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    scroll, inner, over = re.search(r"found (\d+) (\d+) (.*?) end", done.stdout).groups()
    assert int(inner) == width
    assert int(scroll) <= width
    assert over == "none"
