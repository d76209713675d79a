"""What generated code costs, in counts that repeat exactly: cycles, bytes, instructions. (Times are in benchmarks/.)"""

import struct

import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso_devices.cores import open_core
from edge_lasso_devices.cross import cross_build
from edge_lasso_devices.qemu import QemuShell
from edge_lasso_exporters import fixed_c_sums, registry

# core: what compiles for it, and the most cycles and bytes of flash for ten inputs from q
BUDGETS = {"rp2040": ("cortex-m0plus", 120, 150), "avr": ("avr", 500, 400)}
CORES = [pytest.param(name, marks=pytest.mark.needs(f"core:{name}")) for name in BUDGETS]


def cost(model, core):
    """Cycles and flash of one prediction from the integers on."""
    files = registry.render(model, "c", "fixed")
    files = {name: data for name, data in files.items() if name.endswith((".c", ".h")) and "/" not in name}
    image = cross_build(files, BUDGETS[core][0], ["model_predict"])
    q = [(one["low"] + one["high"]) // 2 + 7 for one in model.sections["fixed_point/1"]["inputs"]]
    done = open_core(core).call(image, "model_predict", [struct.pack(f"<{len(q)}h", *q)], "int32")
    return done.cycles, image.flash_bytes


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("seed", range(4))
def test_ten_inputs_in_int16_stay_within_the_budget(make, core, seed):
    model = quantize(make(seed, 10, extra=0), to="int16")
    cycles, flash = cost(model, core)
    assert cycles <= BUDGETS[core][1]
    assert flash <= BUDGETS[core][2]


@pytest.mark.parametrize("core", CORES)
def test_a_line_per_term_is_quicker_and_a_loop_smaller(make, monkeypatch, core):
    """So up to `LONGEST_LINE` terms get lines (each within the budget above), and more get a loop."""
    model = quantize(make(0, 10, extra=0), to="int16")
    line = cost(model, core)
    monkeypatch.setattr(fixed_c_sums, "LONGEST_LINE", 0)
    loop = cost(model, core)
    assert line[0] < loop[0]
    assert line[1] > loop[1]
    few = quantize(make(0, 2, extra=0), to="int16")
    monkeypatch.undo()
    line = cost(few, core)
    monkeypatch.setattr(fixed_c_sums, "LONGEST_LINE", 0)
    loop = cost(few, core)
    assert line[0] <= loop[0]  # where lines win in both, lines are what is written
    assert line[1] <= loop[1]


@pytest.mark.needs("qemu-x86_64", "cc")
def test_the_guard_costs_less_than_a_tenth(make):
    """Instructions of CPython for a prediction of ten inputs, with the guard on the result and without."""
    model = make(3, 10, extra=0)
    source = registry.render(model, "python", "double")["model.py"].decode()
    (guard,) = [line for line in source.splitlines(keepends=True) if " < y < " in line]
    plain = source.replace(guard + "            return y\n", "        return y\n")
    assert len(plain) < len(source)
    row = [one.default for one in model.inputs]
    loop = f"\nimport sys\nrow = {row!r}\nfor _ in range(int(sys.argv[1])):\n    predict(row)\n"
    counts = []
    with QemuShell("amd64") as shell:
        for text in (source, plain):
            shell.put({"loop.py": (text + loop).encode()})
            counts.append(shell.count_per_call(lambda calls: ["-s", "-S", "loop.py", str(calls)], 5000))
    assert counts[1] < counts[0] < 1.1 * counts[1]
