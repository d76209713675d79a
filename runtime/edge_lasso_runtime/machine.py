"""What is known about the machine: CPU, clock, temperature, throttling, load. Linux files, nothing imported.

Whatever cannot be read is absent, with the reason; it is never zero.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FREQUENCY = "/sys/devices/system/cpu/cpu{0}/cpufreq/{1}"
THROTTLED = (
    (0, "under-voltage now"),
    (1, "frequency capped now"),
    (2, "throttled now"),
    (3, "soft temperature limit now"),
    (16, "under-voltage since boot"),
    (17, "frequency capped since boot"),
    (18, "throttled since boot"),
    (19, "soft temperature limit since boot"),
)


def machine() -> dict[str, Any]:
    """What does not change: CPU, board, memory, operating system, Python."""
    import os
    import platform
    import struct

    uname = platform.uname()
    cpuinfo = read("/proc/cpuinfo") or ""
    names = [_field(cpuinfo, key) for key in ("model name", "Hardware", "Processor", "cpu model", "isa")]
    board = read("/proc/device-tree/model") or _field(cpuinfo, "Model")
    total = _field(read("/proc/meminfo") or "", "MemTotal")
    return {
        "cpu": next((name for name in names if name), None) or platform.processor() or None,
        "board": board.strip("\0 \n") if board else None,
        "architecture": uname.machine,
        "cores": os.cpu_count(),
        "memory_bytes": int(total.split()[0]) * 1024 if total else None,
        "os": f"{uname.system} {uname.release}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "bits": 8 * struct.calcsize("P"),
    }


def state(cpu: int = 0) -> dict[str, Any]:
    """What changes while measuring: load, clock, governor, temperature, throttling; with `absent` reasons."""
    import os

    entry: dict[str, Any] = {}
    absent: dict[str, str] = {}

    def keep(name: str, value: Any, reason: str) -> None:
        entry[name] = value
        if value is None:
            absent[name] = reason

    try:
        load = round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        load = None
    keep("load_1min", load, "this system tells no load average")
    keep("governor", read(FREQUENCY.format(cpu, "scaling_governor")), "no cpufreq here")
    mhz = read(FREQUENCY.format(cpu, "scaling_cur_freq"))
    clock = round(float(mhz) / 1000.0) if mhz and mhz.isdigit() else None
    if clock is None:
        shown = _field(read("/proc/cpuinfo") or "", "cpu MHz")
        clock = round(float(shown)) if shown else None
    keep("frequency_mhz", clock, "neither cpufreq nor /proc/cpuinfo tells it")
    keep("temperature_c", temperature(), "no thermal zone here")
    keep("throttled", throttled(), "no vcgencmd here (only Raspberry Pi OS has it)")
    entry["absent"] = absent
    return entry


def temperature() -> float | None:
    """The hottest thermal zone, in degrees Celsius."""
    results = []
    for zone in range(32):
        text = read(f"/sys/class/thermal/thermal_zone{zone}/temp")
        if text is None:
            break
        if text.lstrip("-").isdigit():
            results.append(int(text) / 1000.0)
    return max(results) if results else None


def throttled() -> list[str] | None:
    """What the Raspberry Pi's firmware says about throttling; None elsewhere."""
    import shutil
    import subprocess

    command = shutil.which("vcgencmd")
    if command is None:
        return None
    try:
        done = subprocess.run([command, "get_throttled"], capture_output=True, timeout=2.0, check=False)
        bits = int(done.stdout.decode("ascii", "replace").strip().partition("=")[2], 16)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return [text for bit, text in THROTTLED if bits >> bit & 1]


def busy(seconds: float = 0.1) -> float | None:
    """The share of all cores that others keep busy, watched for a moment; None where /proc/stat is not there."""
    import time

    before = _jiffies()
    time.sleep(seconds)
    after = _jiffies()
    if before is None or after is None or after[1] <= before[1]:
        return None
    return round(1.0 - (after[0] - before[0]) / (after[1] - before[1]), 3)


def read(path: str) -> str | None:
    """A small file's text without the space around it; None when it cannot be read or is empty."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20).strip() or None
    except OSError:
        return None


def _field(text: str, key: str) -> str | None:
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip() == key and value.strip():
            return value.strip()
    return None


def _jiffies() -> tuple[int, int] | None:
    line = (read("/proc/stat") or "").split("\n")[0].split()
    if len(line) < 6 or line[0] != "cpu":
        return None
    counts = [int(entry) for entry in line[1:9]]
    return counts[3] + counts[4], sum(counts)
