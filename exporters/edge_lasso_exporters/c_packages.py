"""What makes a folder of C files a package where people build: Arduino, PlatformIO, CMake, ESP-IDF and Zephyr.

The sources lie in the folder itself, which all five take: Arduino reads ``library.properties``, PlatformIO
``library.json``, CMake and ESP-IDF ``CMakeLists.txt`` (ESP-IDF's branch comes first), Zephyr ``zephyr/module.yml``.
"""

from __future__ import annotations

import json

from . import LICENCE, SPDX
from .c_layout import Names
from .options import Options

ESP_IDF = """# {spdx}
if(ESP_PLATFORM)
  idf_component_register(SRCS "{name}.c" INCLUDE_DIRS ".")
  target_compile_options(${{COMPONENT_LIB}} PRIVATE -ffp-contract=off)
  return()
endif()

"""
COMPONENT = """# {spdx}
version: "{version}"
license: "{licence}"
description: {text}
"""
MODULE = """# {spdx}
name: {name}
build:
  cmake: zephyr
  kconfig: zephyr/Kconfig
"""
KCONFIG = """# {spdx}
config {upper}_MODEL
\tbool "The linear model {name}"
\tdefault y
\thelp
\t  {text}
"""
ZEPHYR = """# {spdx}
if(CONFIG_{upper}_MODEL)
  zephyr_library_named({name})
  zephyr_library_sources(../{name}.c)
  zephyr_library_compile_options(-ffp-contract=off)
  zephyr_include_directories(..)
endif()
"""
TEXT = "A sparse linear model that runs without heap or libc."


def packaged(names: Names, options: Options, files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of the C target, and those that the other builds ask for."""
    words = {
        "name": names.prefix, "upper": names.upper, "version": options.version, "text": TEXT,
        "spdx": SPDX, "licence": LICENCE,
    }  # fmt: skip
    return {
        **files,
        "CMakeLists.txt": ESP_IDF.format(**words).encode() + files["CMakeLists.txt"],
        "library.json": _platformio(words),
        "keywords.txt": _keywords(names, files[f"{names.prefix}.h"].decode()),
        "idf_component.yml": COMPONENT.format(**words).encode(),
        "zephyr/module.yml": MODULE.format(**words).encode(),
        "zephyr/Kconfig": KCONFIG.format(**words).encode(),
        "zephyr/CMakeLists.txt": ZEPHYR.format(**words).encode(),
    }


def _platformio(words: dict[str, str]) -> bytes:
    name = words["name"]
    about = {
        "name": name, "version": words["version"], "license": LICENCE, "description": words["text"],
        "keywords": "model, sensor",
        "frameworks": "*", "platforms": "*", "headers": f"{name}.h",
        "build": {"srcDir": ".", "includeDir": ".", "srcFilter": [f"+<{name}.c>"], "flags": ["-ffp-contract=off"]},
        "examples": [{"name": "timing", "base": "examples/timing", "files": ["timing.ino"]}],
    }  # fmt: skip
    return (json.dumps(about, indent=2) + "\n").encode()


def _keywords(names: Names, header: str) -> bytes:
    """The header's types, functions and constants, as Arduino's editor colours them."""
    words = sorted({word for word in _words(header) if word.lower().startswith(f"{names.prefix.lower()}_")})
    kinds = []
    for word in words:
        constant = word.startswith(f"{names.upper}_") and word.isupper()
        kind = "LITERAL1" if constant else "KEYWORD1" if f"}} {word};" in header else "KEYWORD2"
        kinds.append(f"{word}\t{kind}")
    return ("\n".join(kinds) + "\n").encode()


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() or letter == "_" else " " for letter in text if letter.isascii()).split()
