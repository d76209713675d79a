"""What a model costs inside ESPHome, beside ESPHome's own `combination: linear`: bytes of the program, time of a row.

Programs for ESPHome's platform `host` on this machine, with -Os and what is not called left out; a row is all sources
publishing, the model and its estimate published.
"""

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

from bytecode import five_inputs
from detector_bytes import detector

from edge_lasso_devices.build import compiler_version
from edge_lasso_devices.esphome import find_cxx, host_program
from edge_lasso_exporters import registry
from edge_lasso_exporters.esphome_names import numbers, sources

FLAGS = ("-Os", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
HEAD = """
esphome:
  name: bench
  on_boot:
    priority: -100
    then:
      - lambda: |-
          const uint32_t start = micros();
          for (int i = 0; i < {rows}; i++) {{
            {row}
          }}
          printf("%.0f\\n", 1000.0 * (micros() - start) / {rows});
          fflush(stdout);
          _exit(0);
host:
"""
COMPONENT = """
external_components:
  - {{source: {{type: local, path: components}}, components: [edge_lasso_air]}}
edge_lasso_air:
  id: the_model
  update_interval: never
  sources: {{{sources}}}
"""
STANDIN = "  - {{platform: template, id: s{0}, update_interval: never}}\n"


def configuration(model, kind, rows):
    """A program with sources alone, with `combination`, or with the component."""
    keys = list(sources(model))
    row = " ".join(f"id(s{k}).publish_state({k} + 0.001f * i);" for k in range(len(keys)))
    text = HEAD.format(rows=rows, row=row + (" id(the_model).update();" if kind == "model" else ""))
    if kind == "model":
        text += COMPONENT.format(sources=", ".join(f"{key}: s{k}" for k, key in enumerate(keys)))
    text += "sensor:\n" + "".join(STANDIN.format(k) for k in range(len(keys)))
    if kind == "combination":
        parts = ", ".join(f"{{source: s{k}, coefficient: {0.1 * (k + 1):.3f}}}" for k in range(len(keys)))
        text += f"  - {{platform: combination, type: linear, name: y, sources: [{parts}]}}\n"
    if kind == "model":
        shown = "".join(f"    {key}: {{name: {key}}}\n" for key in numbers(model))
        text += f"  - platform: edge_lasso_air\n{shown}"
        for kind_of, key in (("text_sensor", "status"), ("binary_sensor", "problem")):
            text += f"{kind_of}:\n  - {{platform: edge_lasso_air, {key}: {{name: {key}}}}}\n"
    return text


def measured(model, kind, rows):
    """Bytes of text and data, nanoseconds a row."""
    with tempfile.TemporaryDirectory() as away:
        folder = Path(away)
        for name, data in registry.render(model, "esphome", "float", name="air").items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        (folder / "bench.yaml").write_text(configuration(model, kind, rows))
        program = folder / "program"
        program.write_bytes(host_program(folder / "bench.yaml", FLAGS))
        program.chmod(0o755)
        size = subprocess.run(["size", program], capture_output=True, text=True, check=True).stdout
        text, data = map(int, re.findall(r"\d+", size.splitlines()[1])[:2])
        done = subprocess.run([program], env={"HOME": away}, capture_output=True, text=True, check=True)
    return text + data, float(done.stdout)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000, help="timed")
    rows = parser.parse_args().rows
    cases = [
        ("five sources, no model", five_inputs(), "sources"),
        ("combination: linear", five_inputs(), "combination"),
        ("edge_lasso, five inputs", five_inputs(), "model"),
        ("edge_lasso, a detector", detector(False), "model"),
    ]
    bare = None
    print(f"ESPHome's platform host, {' '.join(FLAGS[:1])}, {compiler_version(find_cxx())}")
    print(f"{'':26}{'bytes':>10}{'more':>9}{'ns a row':>10}")
    for name, model, kind in cases:
        size, spent = measured(model, kind, 1 if kind == "combination" else rows)  # its results wait for a loop
        bare = bare or size
        shown = "" if kind == "combination" else f"{spent:,.0f}"
        print(f"{name:26}{size:10,}{size - bare:9,}{shown:>10}")


if __name__ == "__main__":
    main()
