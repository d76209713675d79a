"""Cores: the value, its exact cost twice, memory of the image, and errors that name what to install."""

import functools
import struct

import pytest

from edge_lasso_devices.cores import CORES, open_core, open_nearest
from edge_lasso_devices.cross import cross_build
from edge_lasso_devices.errors import BoardError

SOURCE = rb"""
#include <stdint.h>
static const int16_t weights[4] = {3, -5, 7, 11};
static int32_t calls;
int32_t dot(const int16_t q[4]);
float scaled(const float x[4], int32_t n);
double wide(const double x[2]);
void twice(const int16_t q[3], int16_t r[3]);
int32_t count(void);
int16_t small(void);
int32_t deep(int32_t n);
int32_t forever(void);
int32_t wild(const int32_t *at);
int32_t dot(const int16_t q[4])
{
    int32_t sum = 100;
    for (int i = 0; i < 4; i++)
        sum += (int32_t)weights[i] * q[i];
    return sum;
}
float scaled(const float x[4], int32_t n)
{
    float sum = 0.5f;
    for (int i = 0; i < n; i++)
        sum += 0.25f * x[i];
    return sum;
}
double wide(const double x[2]) { return x[0] * x[1] + 1.0; }
void twice(const int16_t q[3], int16_t r[3])
{
    for (int i = 0; i < 3; i++)
        r[i] = (int16_t)(2 * q[i]);
}
int32_t count(void) { return ++calls; }
int16_t small(void) { return -7; }
int32_t deep(int32_t n)
{
    volatile int32_t room[8];
    for (int i = 0; i < 8; i++)
        room[i] = n + i;
    return n > 0 ? deep(n - 1) + room[7] : room[0];
}
int32_t forever(void) { for (volatile int i = 0;; i++) {} }
int32_t wild(const int32_t *at) { return *(volatile const int32_t *)at; }
"""
EVERY = [pytest.param(name, marks=pytest.mark.needs(f"core:{name}")) for name in CORES]
SYMBOLS = ("dot", "scaled", "wide", "twice", "count", "small", "deep", "forever", "wild")


@functools.cache
def image(target, *symbols):
    return cross_build({"code.c": SOURCE}, target, symbols or SYMBOLS)


@pytest.mark.parametrize("name", EVERY)
def test_values_and_exact_costs_twice(name):
    core = open_core(name)
    assert core.describe()
    built = image(core.target)
    q = struct.pack("<4h", 1, -2, 3, 1000)
    first = core.call(built, "dot", [q])
    assert first.value == 100 + 3 + 10 + 21 + 11000
    assert first.memory == (q,)
    assert 10 < first.instructions < 300
    assert (first.cycles is None) == (name not in ("avr", "rp2040"))
    assert first.cycles is None or first.cycles >= first.instructions
    assert core.call(built, "dot", [q]) == first
    assert open_core(name).call(cross_build({"code.c": SOURCE}, core.target, SYMBOLS), "dot", [q]) == first


@pytest.mark.parametrize("name", EVERY)
def test_every_kind_of_argument_and_value(name):
    core = open_core(name)
    built = image(core.target)
    assert core.call(built, "scaled", [struct.pack("<4f", 1, 2, 3, 5), 4], "float32").value == 0.5 + 11 / 4
    assert core.call(built, "small", [], "int16").value == -7
    assert core.call(built, "count").value == 1
    assert core.call(built, "count").value == 1, "each call starts from the image"
    done = core.call(built, "twice", [struct.pack("<3h", 1, -2, 300), bytes(6)], "void")
    assert done.value is None
    assert struct.unpack("<3h", done.memory[1]) == (2, -4, 600)
    form = "<2f" if name == "avr" else "<2d"
    if name != "cortex-m33":
        assert core.call(built, "wide", [struct.pack(form, 1.5, 2.5)], "float64").value == 4.75


@pytest.mark.parametrize("name", EVERY)
def test_stack_counts_callees(name):
    core = open_core(name)
    built = image(core.target)
    used = [core.call(built, "deep", [depth]).stack_bytes for depth in (0, 1, 2)]
    assert used[0] >= 32
    assert used[2] - used[1] == used[1] - used[0] >= 32


@pytest.mark.parametrize("name", EVERY)
def test_the_image_holds_what_its_functions_need(name):
    target = open_core(name).target
    alone, calling = image(target, "dot"), image(target, "count")
    assert 20 <= alone.flash_bytes <= 200
    assert alone.ram_bytes == (8 if target == "avr" else 0)
    assert calling.ram_bytes == 4
    if target in ("cortex-m0plus", "riscv32"):
        assert image(target, "scaled").flash_bytes > 500, "soft float is part of the cost"


@pytest.mark.parametrize("name", EVERY)
def test_calls_that_cannot_be_made(name, monkeypatch):
    core = open_core(name)
    built = image(core.target)
    with pytest.raises(BoardError, match="has no function 'absent'"):
        core.call(built, "absent")
    with pytest.raises(BoardError, match="at most 4"):
        core.call(built, "dot", [b""] * 5)
    other = image("riscv32" if core.target != "riscv32" else open_core("cortex-m33").target)
    with pytest.raises(BoardError, match=f"runs images for {core.target}, this one is for {other.target}"):
        core.call(other, "dot", [bytes(8)])
    module = {"avr": "avr_core", "rp2040": "rp2040_core"}.get(name, "unicorn_core")
    monkeypatch.setattr(f"edge_lasso_devices.{module}.LIMIT", 1000)
    with pytest.raises(BoardError, match="did not return"):
        core.call(built, "forever")
    if name in ("cortex-m0plus", "cortex-m33", "riscv32"):
        with pytest.raises(BoardError, match=r"'wild' failed on .* after 1 instructions"):
            core.call(built, "wild", [0x70000000])


@pytest.mark.needs("core:avr")
def test_what_does_not_fit_into_an_arduino():
    with pytest.raises(BoardError, match="do not fit into the 2048 bytes of RAM"):
        open_core("avr").call(image("avr"), "dot", [bytes(1800)])


@pytest.mark.needs("avr-gcc", "module:elftools")
def test_sources_that_do_not_compile():
    with pytest.raises(BoardError, match=r"avr: code\.c:1.*error"):
        cross_build({"code.c": b"int f(void) { return x; }\n"}, "avr", ["f"])
    with pytest.raises(BoardError, match="the sources define no function 'g'"):
        cross_build({"code.c": b"int f(void); int f(void) { return 1; }\n"}, "avr", ["g"])
    with pytest.raises(BoardError, match="give at least one"):
        cross_build({"code.h": b""}, "avr", ["g"])
    with pytest.raises(BoardError, match="no toolchain for 'z80'; there are cortex-m0plus, "):
        cross_build({"code.c": b""}, "z80", ["g"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cortex-m3", "core 'cortex-m3' is unknown; did you mean 'cortex-m33'"),
        ("z80", "core 'z80' is unknown; there are cortex-m0plus, "),
    ],
)
def test_unknown_core(name, message):
    with pytest.raises(BoardError, match=message):
        open_core(name)


def test_missing_tools_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EDGE_LASSO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGE_LASSO_NODE_MODULES", raising=False)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BoardError, match="install it with: apt-get install libsimavr-dev gcc"):
        open_core("avr")
    with pytest.raises(BoardError, match=r"npm install --prefix .* rp2040js"):
        open_core("rp2040")
    with pytest.raises(BoardError, match="needs Unicorn; install it with: pip install"):
        open_core("riscv32")
    with pytest.raises(BoardError, match="needs zig; install it with: pip install"):
        cross_build({"code.c": b""}, "riscv32", ["f"])
    with pytest.raises(
        BoardError, match="target 'avr': no avr-gcc here; install it with: apt-get install gcc-avr avr-libc"
    ):
        cross_build({"code.c": b""}, "avr", ["f"])


@pytest.mark.needs("module:unicorn")
def test_a_core_whose_emulator_is_missing_has_a_stand_in_that_is_named(monkeypatch, programs):
    programs()
    core, by = open_nearest("rp2040")
    assert (core.name, by) == ("cortex-m0plus", f"{core.describe()}, in place of rp2040")
    with pytest.raises(BoardError, match="core 'rp2400' is unknown; did you mean 'rp2040'"):
        open_nearest("rp2400")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BoardError, match="core 'rp2040' needs node 18 or later and rp2040js"):
        open_nearest("rp2040")
