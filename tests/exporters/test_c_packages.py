"""The C folder as a package: a real Arduino build on a simulated Uno; CMake as ESP-IDF and Zephyr call it."""

import json
import subprocess
import threading

import pytest
import yaml

from edge_lasso.compressing.quantize import quantize
from edge_lasso_exporters import registry
from edge_lasso_runtime import Factor, Input, Model, Output, Term, predict
from edge_lasso_runtime.fixed_point import encode, predict_q

CORE = "/usr/share/arduino/hardware/arduino/avr"
# As platform.txt calls avr-gcc for an Uno; Debian's float.h hides DECIMAL_DIG from C++.
FLAGS = [
    "-Os", "-w", "-ffunction-sections", "-fdata-sections", "-flto", "-mmcu=atmega328p", "-DF_CPU=16000000L",
    "-DARDUINO=10819", "-DARDUINO_AVR_UNO", "-DARDUINO_ARCH_AVR", "-DDECIMAL_DIG=__DECIMAL_DIG__",
    f"-I{CORE}/cores/arduino", f"-I{CORE}/variants/standard",
]  # fmt: skip
CPP = ["-std=gnu++11", "-fpermissive", "-fno-exceptions", "-fno-threadsafe-statics"]
MODEL = Model(
    ("a", "b"),
    (Input("a", 0, 2.5, 0.0, 10.0, "V"), Input("b", 1, 50.0, -20.0, 100.0)),
    (Output("y", 0.5, (Term(0.31, (Factor(0),)), Term(0.02, (Factor(1),)), Term(-0.7, (Factor(0, hinge=1.5),)))),),
)


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def written(folder, model=MODEL, variant="double"):
    for name, data in registry.render(model, "c", variant, name="pm25").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """Arduino's core for an Uno, compiled once."""
    folder = tmp_path_factory.mktemp("core")
    source = f"{CORE}/cores/arduino"
    wanted = ["wiring", "wiring_digital", "hooks", "WInterrupts"]
    classes = ["main", "HardwareSerial", "HardwareSerial0", "Print", "WString", "new", "abi"]
    run(["avr-gcc", "-c", *FLAGS, "-std=gnu11", *(f"{source}/{name}.c" for name in wanted)], folder)
    run(["avr-g++", "-c", *FLAGS, *CPP, *(f"{source}/{name}.cpp" for name in classes)], folder)
    return [str(path) for path in sorted(folder.glob("*.o"))]


def first_line(firmware, folder):
    """The first whole line that a simulated Uno writes to its serial port."""
    command = ["simavr", "-m", "atmega328p", "-f", "16000000", firmware]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as board:
        timer = threading.Timer(120.0, board.kill)
        timer.start()
        try:
            return next((line for line in board.stdout if "prediction" in line), "")
        finally:
            timer.cancel()
            board.kill()


@pytest.mark.needs("avr-gcc", "simavr", "arduino-core-avr")
@pytest.mark.parametrize("variant", ["float", "fixed"])
def test_the_sketch_runs_on_an_uno(tmp_path, core, variant):
    model = MODEL if variant == "float" else quantize(MODEL.replace(outputs=(_straight(MODEL.outputs[0]),)), "int16")
    folder = written(tmp_path / "libraries" / "pm25", model, variant)
    sketch = (folder / "examples" / "timing" / "timing.ino").read_text()
    (tmp_path / "timing.cpp").write_text(f"#include <Arduino.h>\n{sketch}")
    library = f"-I{folder}"
    run(["avr-gcc", "-c", *FLAGS, library, "-std=gnu11", str(folder / "pm25.c")], tmp_path)
    run(["avr-g++", "-c", *FLAGS, library, *CPP, "timing.cpp"], tmp_path)
    run(["avr-gcc", *FLAGS, "-Wl,--gc-sections", "-o", "timing.elf", "timing.o", "pm25.o", *core, "-lm"], tmp_path)
    words = first_line("timing.elf", tmp_path).replace(",", " ").split()
    value = float(words[words.index("prediction") + 1] if "prediction" in words else words[1])
    if variant == "float":
        assert value == pytest.approx(predict(MODEL, [2.5, 50.0]).values[0], abs=0.006)  # two decimals
    else:
        assert value == predict_q(model.sections["fixed_point/1"], encode(model, [2.5, 50.0])[0])[0]


def _straight(output):
    return output.replace(terms=output.terms[:2])


@pytest.mark.needs("cmake", "cc")
def test_cmake_as_esp_idf_and_zephyr_call_it(tmp_path):
    folder = written(tmp_path / "pm25")
    (tmp_path / "sources.cmake").write_text(
        "set(CMAKE_CURRENT_SOURCE_DIR ${FOLDER})\nset(ESP_PLATFORM 1)\nset(CONFIG_PM25_MODEL 1)\nset(COMPONENT_LIB idf)\n"
        "function(idf_component_register)\n"
        '  cmake_parse_arguments(A "" "" "SRCS;INCLUDE_DIRS" ${ARGN})\n'
        '  message("idf ${A_SRCS} ${A_INCLUDE_DIRS} ${A_UNPARSED_ARGUMENTS}")\nendfunction()\n'
        'function(target_compile_options target)\n  message("options ${target} ${ARGN}")\nendfunction()\n'
        "foreach(name library_named library_sources library_compile_options include_directories)\n"
        '  function(zephyr_${name})\n    message("zephyr ${ARGN}")\n  endfunction()\nendforeach()\n'
        "include(${FOLDER}/CMakeLists.txt)\ninclude(${FOLDER}/zephyr/CMakeLists.txt)\n"
    )
    command = ["cmake", f"-DFOLDER={folder}", "-P", "sources.cmake"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines() == [
        "idf pm25.c . ", "options idf PRIVATE;-ffp-contract=off", "zephyr pm25", "zephyr ../pm25.c",
        "zephyr -ffp-contract=off", "zephyr ..",
    ]  # fmt: skip
    assert (folder / "zephyr" / ".." / "pm25.c").is_file()


def test_what_each_package_manager_reads(tmp_path):
    folder = written(tmp_path)
    about = json.loads((folder / "library.json").read_text())
    assert about["headers"] == "pm25.h"
    assert about["build"]["srcFilter"] == ["+<pm25.c>"]
    for example in about["examples"]:
        assert all((folder / example["base"] / name).is_file() for name in example["files"])
    module = yaml.safe_load((folder / "zephyr" / "module.yml").read_text())
    assert module == {"name": "pm25", "build": {"cmake": "zephyr", "kconfig": "zephyr/Kconfig"}}
    assert yaml.safe_load((folder / "idf_component.yml").read_text())["version"] == about["version"]
    keywords = dict(line.split("\t") for line in (folder / "keywords.txt").read_text().splitlines())
    assert keywords["pm25_predict"] == "KEYWORD2"
    assert keywords["pm25_input"] == "KEYWORD1"
    assert keywords["PM25_INPUTS"] == "LITERAL1"
    properties = dict(line.split("=", 1) for line in (folder / "library.properties").read_text().splitlines())
    assert properties["includes"] == "pm25.h"
