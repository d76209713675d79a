"""How rules, views, sheets and integrations are used."""

from __future__ import annotations

from edge_lasso_exporters.esphome_names import component, numbers, sources, spoken
from edge_lasso_exporters.options import Options
from edge_lasso_runtime import Model
from edge_lasso_runtime.stream import keeps_state

from .sample import MOST

SQL = """```sql
-- once, in the database that has the table "readings" with the columns below
{load}

-- then, as of any table
SELECT * FROM "{name}";
```

A reading that is NULL, no number or beyond the limit counts as missing.
`{name}.columns.json` names what the view adds."""
LOAD = {
    "sqlite": ".read {name}.sql",
    "duckdb": ".read {name}.sql",
    "postgres": "\\i {name}.sql",
}
FORMULA = """Open `{name}.csv` in Excel, LibreOffice or another spreadsheet. Put readings into the columns of the second
line and copy the formulas down as far as there are rows. A cell that is empty or text counts as missing."""
PROMQL = """```yaml
# prometheus.yml
rule_files:
- {name}.rules.yml
```

Readings are the metric `reading{{input="NAME"}}` (a word: `reading{{input="NAME", value="WORD"}} 1`); the rules record
`{name}:value`, and `{name}:degraded` where a reading is missing or out of range.
`promtool check rules {name}.rules.yml` looks them over."""

HOMEASSISTANT = """```sh
cp -r custom_components/{name} ~/homeassistant/custom_components/  # the folder that has configuration.yaml
```

Restart Home Assistant and add *{name}* under *Settings > Devices & services*: it asks which entity each reading comes
from. It needs no package. `unknown`, `unavailable`, and what has not been reported for too long, count as missing."""

ESPHOME = """```yaml
# your configuration, beside the folder components/; example.yaml is a complete one
external_components:
  - source: {{type: local, path: components}}
    components: [{component}]

{component}:
{period}  expire_after: 10min
  sources:
{sources}

sensor:
  - platform: {component}
{values}
```

Each source is the id of a sensor{words}. One that is left out, has published no number, or has published nothing within
`expire_after`, is missing: the model's {missing} is used, and the text sensor `status` and the binary sensor `problem`
say so. {rows}"""
EVERY_CHANGE = "The model runs whenever a source publishes, and every `update_interval` (60s)."
EVERY_ROW = """The model takes a row every `update_interval`: give it the interval of the table that it was trained on
(or `never`, and call `component.update` when a row is complete)."""


def sql_usage(model: Model, options: Options) -> tuple[str, dict[str, bytes]]:
    """The README's text of ``sql``."""
    load = LOAD[options.variant].format(name=options.name)
    return SQL.format(name=options.name, load=load), {}


def formula_usage(model: Model, options: Options) -> tuple[str, dict[str, bytes]]:
    """The README's text of ``formula``."""
    return FORMULA.format(name=options.name), {}


def promql_usage(model: Model, options: Options) -> tuple[str, dict[str, bytes]]:
    """The README's text of ``promql``."""
    return PROMQL.format(name=options.name), {}


def homeassistant_usage(model: Model, options: Options) -> tuple[str, dict[str, bytes]]:
    """The README's text of ``homeassistant``."""
    return HOMEASSISTANT.format(name=options.name), {}


def esphome_usage(model: Model, options: Options) -> tuple[str, dict[str, bytes]]:
    """The README's text of ``esphome``."""
    steps, keys = keeps_state(model), sources(model)
    return ESPHOME.format(
        component=component(options.name),
        period="  update_interval: 5min\n" if steps else "",
        sources="\n".join(f"    {key}: my_{key}" for key in list(keys)[:MOST]),
        values="\n".join(f"    {key}: {{name: {key}}}" for key in numbers(model)[:MOST]),
        words=" (of words: a text sensor)" if any(spoken(model)) else "",
        missing="estimate or default" if "estimate/1" in model.sections else "default",
        rows=EVERY_ROW if steps else EVERY_CHANGE,
    ), {}
