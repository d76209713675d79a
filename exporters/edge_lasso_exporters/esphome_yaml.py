"""``example.yaml``, and ``host.yaml``: the component inside ESPHome on this machine, which is what verifying runs.

In the latter, operations, rows and answers travel as those of the workers for interpreters do (`python_worker` of the
runtime): a line ``ops width count``, then rows of binary64; per row and operation a line of hexadecimal binary64.
"""

from __future__ import annotations

import json

from edge_lasso_runtime import Model
from edge_lasso_runtime.detector import KEY as DETECTOR
from edge_lasso_runtime.estimate import KEY as ESTIMATE
from edge_lasso_runtime.stream import keeps_state

from . import SPDX
from .c_layout import c_float
from .esphome_names import binaries, categories, classes, component, literal, numbers, sources, spoken, texts
from .templates import filled

EXAMPLE = """# @SPDX@
# An example that is complete: stand-ins for sensors publish the model's defaults. Put your sensors in their place, and
# your board and network beside them. `esphome run example.yaml` builds it.
esphome:
  name: @HOST@

esp32:
  board: esp32dev
  framework:
    type: esp-idf

logger:

external_components:
  - source: {type: local, path: components}
    components: [@NAME@]

@NAME@:
@UPDATE@  expire_after: 10min  # a source that has published nothing for so long is missing
"""

HOST = """# @SPDX@
# What `edge-lasso verify` builds and runs: the component inside ESPHome on this machine, rows from standard input.
esphome:
  name: host
  on_boot:
    priority: -100
    then:
      - lambda: |-
          static const size_t WIDTH = @COUNT@, OUTPUTS = @UPPER@_OUTPUTS;
@TABLES@
          char ops[64] = "";
          int width = 0, count = 0;
          if (scanf("%63s %d %d", ops, &width, &count) != 3 || getchar() != '\\n' || width > 4096)
            _exit(1);
          if (strcmp(ops, "about") == 0) {
            printf("ESPHome %s %.17g %s 1 %d @HAS@\\n", ESPHOME_VERSION, (double) 0x1p-23, @UPPER@_HASH,
                   @NAME@_selftest());
            fflush(stdout);
            _exit(0);
          }
          const auto number = [](double value) {
            unsigned char bytes[sizeof(value)];
            memcpy(bytes, &value, sizeof(value));
            for (unsigned char byte : bytes)
              printf("%02x", byte);
          };
          const auto take_in = [&](const double *x) {
            for (size_t k = 0; k < WIDTH; k++) {
              if (NUMBERS[k] != nullptr)
                NUMBERS[k]->publish_state((float) x[k]);
@SPEAK@            }
            id(the_model).update();
          };
          std::vector<double> row(width);
          std::vector<float> x(width), z(OUTPUTS);
          while (count-- > 0 && fread(row.data(), sizeof(double), width, stdin) == (size_t) width) {
            for (int k = 0; k < width; k++)
              x[k] = (float) row[k];
            char words[64];
            strcpy(words, ops);
            for (char *op = strtok(words, ","); op != nullptr; op = strtok(nullptr, ",")) {
              putchar(':');
              if (strcmp(op, "linear") == 0 || strcmp(op, "predict") == 0) {
                @DENSE@
                for (float value : z)
                  number(value);
@OPS@              }
              putchar('\\n');
            }
          }
          fflush(stdout);
          _exit(0);

host:

external_components:
  - source: {type: local, path: components}
    components: [@NAME@]

@NAME@:
  id: the_model
  update_interval: never
  self_test: true
"""
UPDATE = "  update_interval: 5min  # a row: the interval of the table that the model was trained on\n"
SPEAK = """\
              if (WORDS[k] != nullptr) {
                const float place = (float) x[k];
                const bool known = place >= 0 && place < COUNTS[k] && place == (size_t) place;
                WORDS[k]->publish_state(known ? CATEGORIES[k][(size_t) place] : "no such word");
              }
"""
ROW_OPS = """\
              } else if (strcmp(op, "row") == 0) {
                take_in(row.data());
                for (size_t m = 0; m < OUTPUTS; m++)
                  number(VALUES[m]->state);
              } else if (strcmp(op, "degraded") == 0) {
                take_in(row.data());
                const bool well = id(the_status).state == "ok";
                if (well == id(the_problem).state)
                  break;
                number(!well);
"""
LABEL_OPS = """\
              } else if (strcmp(op, "label") == 0) {
                take_in(row.data());
                number(std::find(CLASSES, std::end(CLASSES), id(the_label).state) - CLASSES);
"""
STEP_LABEL_OPS = """\
              } else if (strcmp(op, "label") == 0) {
                number(@NAME@_label(x.data()));
"""
STEP_OPS = """\
              } else if (strcmp(op, "step") == 0) {
                if (row[0] != 0.0)
                  id(the_model).restart();
                take_in(row.data() + 1);
                const auto &result = id(the_model).result();
                const std::string &status = id(the_status).state;
                const bool degraded = status.rfind("degraded: ", 0) == 0;
                if (degraded != id(the_problem).state)
                  break;
                number(degraded ? 2 : status == "warming up" ? 1 : status == "ok" ? 0 : NAN);
                for (size_t k = 0; k < WIDTH; k++)
                  number(result.faults[k]);
                for (size_t m = 0; m < OUTPUTS; m++)
                  number(VALUES[m]->state);
@PARTS@"""
PARTS = {
    "linear": "for (float value : result.linear) number(value);",
    "label": "number(std::find(CLASSES, std::end(CLASSES), id(the_label).state) - CLASSES);",
    "widths": "for (float value : result.widths) number(value);",
    "detector": (
        "number(id(the_score).state), number(id(the_alarm).state), number(result.onset);\n"
        "                for (float value : result.parts) number(value);"
    ),
}


def example(model: Model, name: str) -> str:
    """A complete configuration, with stand-ins for the sensors."""
    words = {
        "SPDX": SPDX, "NAME": component(name), "HOST": name.lower().replace("_", "-")[:24].strip("-"),
        "UPDATE": UPDATE if keeps_state(model) else "",
    }  # fmt: skip
    standins = {}
    for key, i in sources(model).items():
        feature = model.inputs[i]
        code = f"return {c_float(feature.default or 0.0)};"
        if feature.categories is not None:
            code = f"return std::string({literal(next(iter(feature.categories), ''))});"
        standins[f"{key}_source"] = f"update_interval: 10s, lambda: {json.dumps(code)}"
    shown = {key: f"name: {key}" for key in numbers(model) + texts(model) + binaries(model)}
    return filled(EXAMPLE, words) + _entities(model, component(name), standins, shown)


def host(model: Model, name: str) -> str:
    """The component on this machine; see above."""
    steps, several, words = keeps_state(model), len(model.outputs) > 1, spoken(model)
    common = {"SPDX": SPDX, "NAME": name, "UPPER": name.upper()}
    ids = [f"id(source_{k})" for k in range(len(words))]
    of_numbers = ["nullptr" if word else source for source, word in zip(ids, words, strict=True)]
    of_words = [source if word else "nullptr" for source, word in zip(ids, words, strict=True)]
    tables = [
        _array("sensor::Sensor", "NUMBERS", of_numbers),
        _array("sensor::Sensor", "VALUES", [f"id(value_{m})" for m in range(len(model.outputs))]),
        *([_array("text_sensor::TextSensor", "WORDS", of_words)] if any(words) else []),
        *categories(model),
    ]
    if model.classes is not None:
        tables.append(classes(model))
    ops = STEP_OPS.replace("@PARTS@", _parts(model)) if steps else ROW_OPS
    if model.classes is not None:
        ops += filled(STEP_LABEL_OPS, common) if steps else LABEL_OPS
    call = "(x.data(), z.data());" if several else "(x.data());"
    dense = [f"{'' if several else 'z[0] = '}{name}_{function}{call}" for function in ("linear", "predict")]
    has = [*([] if steps else ["predict_row"]), *(["label"] if model.classes is not None else [])]
    fills = {
        **common, "COUNT": str(len(words)), "TABLES": "\n".join(f"          {line}" for line in tables),
        "HAS": ",".join(has), "SPEAK": SPEAK if any(words) else "", "OPS": ops,
        "DENSE": f"if (op[0] == 'l') {dense[0]} else {dense[1]}",
    }  # fmt: skip
    outputs = dict(zip(numbers(model), [f"id: value_{m}" for m in range(len(model.outputs))], strict=False))
    others = {key: f"id: the_{key}" for key in numbers(model) + texts(model) + binaries(model) if key not in outputs}
    standins = {f"source_{k}": "update_interval: never" for k in range(len(words))}
    return filled(HOST, fills) + _entities(model, name, standins, {**outputs, **others})


def _parts(model: Model) -> str:
    """What a row's answer has behind its values (`step_session` of the runtime)."""
    wanted = {
        "linear": model.outputs[0].link != "identity", "label": model.classes is not None,
        "widths": ESTIMATE in model.sections, "detector": DETECTOR in model.sections,
    }  # fmt: skip
    return "".join(f"                {text}\n" for part, text in PARTS.items() if wanted[part])


def _entities(model: Model, name: str, standins: dict[str, str], shown: dict[str, str]) -> str:
    """The sources of a component that was begun, stand-ins for them by their ids, and all that it publishes."""
    lines = ["  sources:", *(f"    {key}: {source}" for key, source in zip(sources(model), standins, strict=True))]
    kinds = {"sensor": numbers(model), "text_sensor": texts(model), "binary_sensor": binaries(model)}
    for kind, keys in kinds.items():
        lines += ["", f"{kind}:"]
        for (source, more), word in zip(standins.items(), spoken(model), strict=True):
            if kind == ("text_sensor" if word else "sensor"):
                lines.append(f"  - {{platform: template, id: {source}, {more}}}")
        lines += [f"  - platform: {name}", *(f"    {key}: {{{shown[key]}}}" for key in keys)]
    return "\n".join(lines) + "\n"


def _array(kind: str, name: str, ids: list[str]) -> str:
    return f"{kind} *const {name}[] = {{{', '.join(ids)}}};"
