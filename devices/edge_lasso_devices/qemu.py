"""Real CPython of another architecture through user-mode QEMU, on a system unpacked from Debian's packages.

No root is needed: apt works on a state of its own, packages are unpacked into the user's cache and never configured.
"""

from __future__ import annotations

import fcntl
import platform
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .cache import compiled
from .errors import BoardError
from .folders import cache_folder
from .processes import Completed, execute
from .shells import Kind, LocalShell
from .tools import require

PACKAGES = ("python3", "libstdc++6", "libgomp1")
# Newer ones (onnxruntime 1.32 with numpy 2, ai-edge-litert) crash under user-mode QEMU.
WHEELS = {
    "onnx": (
        "numpy==1.26.4", "onnxruntime==1.23.2", "flatbuffers==25.12.19", "protobuf==4.25.8", "packaging==24.2",
        "coloredlogs==15.0.1", "humanfriendly==10.0",
    ),
    "tflite": ("numpy==1.26.4", "tflite-runtime==2.14.0"),
}  # fmt: skip
# SHA-256 of each, for Debian 12's Python 3.11; packages are what apt's signed indexes say they are
HASHES = {
    "coloredlogs==15.0.1": "612ee75c546f53e92e70049c9dbfcc18c935a2b9a53b66085ce9ef6a6e5c0934",
    "flatbuffers==25.12.19": "7634f50c427838bb021c2d66a3d1168e9d199b0607e6329399f04846d42e20b4",
    "humanfriendly==10.0": "1697e1a8a8f550fd43c2865cd84542fc175a61dcb779b6fee18cf6b6ccba1477",
    "numpy==1.26.4": "7ab55401287bfec946ced39700c053796e7cc0e3acbef09993a9ad2adba6ca6e",
    "onnxruntime==1.23.2": "bbfd2fca76c855317568c1b36a885ddea2272c13cb0e395002c402f2360429a6",
    "packaging==24.2": "09abb1bccd265c01f4a3aa3f7a7db064b36514d2cba19a2f694fe6150451a759",
    "protobuf==4.25.8": "9ad7ef62d92baf5a8654fbb88dac7fa5594cfa70fd3440488a5ca3bfc6d795a7",
    "tflite-runtime==2.14.0": "ce9fa5d770a9725c746dcbf6f59f3178233b3759f09982e8b2db8d2234c333b0",
}
PLATFORMS = ("manylinux2014", "manylinux_2_17", "manylinux_2_27", "manylinux_2_28", "manylinux_2_34")
PLUGIN = Path(__file__).with_name("qemu_plugin.c")
NO_COMPILER = "counting instructions needs a C compiler; install gcc or clang, or: pip install ziglang"
MARK = 0x45444745
"""Of the plugin: ``os.getpgid(MARK)``, which always fails, notes the instructions so far."""
TIMEOUT = 600
# Nothing of this machine's environment may reach the guest: counts would depend on it.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
}


@dataclass(frozen=True)
class Architecture:
    """How an architecture is emulated: QEMU's program, the processor, and whether this machine runs it anyway."""

    program: str
    cpu: str
    native: bool = False


def architectures() -> dict[str, Architecture]:
    """The architectures that can follow ``qemu:``, Debian's names for them."""
    known = {
        "arm64": Architecture("qemu-aarch64", "cortex-a72"),
        "armel": Architecture("qemu-arm", "arm1176"),
    }
    if platform.machine() == "x86_64":
        known["amd64"] = Architecture("qemu-x86_64", "max", native=True)
    return known


class QemuShell(LocalShell):
    """Another architecture's Python on files of this machine. Processes that it starts itself are not emulated."""

    kind: Kind = "emulated"

    def __init__(self, name: str) -> None:
        self.name = name
        how = architectures()[name]
        require(how.program, f"link 'qemu:{name}'")
        root = None if how.native else sysroot(name)
        system = [] if root is None else ["-L", str(root)]
        self._emulator = [how.program, "-cpu", how.cpu, "-seed", "1", *system]
        self._python = sys.executable if root is None else str(root / "usr" / "bin" / "python3")
        self._described = ""
        super().__init__()
        self.python = (*self._emulator, self._python)

    def run(self, argv: Sequence[str], stdin: str | None = None, timeout: float | None = None) -> Completed:
        """Run a command; the guest sees a small fixed environment."""
        return execute(argv, stdin, timeout, cwd=self.folder, env=ENVIRONMENT)

    def count(
        self,
        arguments: Sequence[str],
        stdin: str | None = None,
        timeout: float | None = None,
        program: str | None = None,
    ) -> tuple[Completed, int]:
        """Run the guest's Python, or a program of the working folder, and count its instructions, start-up included."""
        done, counts = self._counted(arguments, stdin, timeout, program)
        return done, counts[0]

    def marks(self, arguments: Sequence[str], timeout: float | None = None) -> tuple[Completed, list[int]]:
        """Run the guest's Python; the instructions up to each ``os.getpgid(MARK)`` that it calls."""
        done, counts = self._counted(arguments, None, timeout, None)
        return done, counts[1:]

    def _counted(
        self, arguments: Sequence[str], stdin: str | None, timeout: float | None, program: str | None
    ) -> tuple[Completed, list[int]]:
        plugin = compiled(PLUGIN, ["-shared", "-fPIC"], NO_COMPILER)
        out = Path(self.folder, ".instructions")
        out.unlink(missing_ok=True)
        if program is not None:
            Path(self.folder, program).chmod(0o755)
        argv = ["setarch", "-R", *self._emulator, "-plugin", f"{plugin},out={out}", program or self._python, *arguments]
        done = self.run(argv, stdin, timeout)
        if not out.is_file():
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise BoardError(f"link 'qemu:{self.name}' counted nothing: {last}")
        return done, [int(line) for line in out.read_text(encoding="ascii").split()]

    def count_per_call(
        self,
        arguments: Callable[[int], Sequence[str]],
        calls: int = 1000,
        timeout: float | None = None,
        program: str | None = None,
    ) -> int:
        """Instructions of one call: runs of `calls` and of twice as many, their difference divided by `calls`.

        Rounded to whole instructions: start-up differs by a few from run to run where the guest divides times of day
        in software.

        Parameters
        ----------
        arguments : callable
            The arguments of Python, or of `program`, for a number of calls.
        calls : int
            How many the shorter run makes.
        program : str, optional
            A static program in the working folder, in place of Python.

        Raises
        ------
        BoardError
            A run failed: a difference of failed runs would still be a plausible number.
        """
        counts = []
        for number in (calls, 2 * calls):
            done, count = self.count(arguments(number), timeout=timeout, program=program)
            if done.returncode != 0:
                last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
                raise BoardError(f"link 'qemu:{self.name}': the counted run failed: {last}")
            counts.append(count)
        return round((counts[1] - counts[0]) / calls)

    def install(self, target: str) -> None:
        """Unpack the wheels that run a target's artifacts into the system; made once, kept in the cache.

        Raises
        ------
        BoardError
            There are no wheels for this architecture, or they cannot be fetched.
        """
        if self.name == "amd64" or target not in WHEELS:
            return
        if self.name != "arm64":
            raise BoardError(f"there are no wheels of what runs {target} for {self.name}; use python or c")
        root = sysroot(self.name)
        version = next((root / "usr" / "bin").glob("python3.*")).name
        packages = root / "usr" / "local" / "lib" / version / "dist-packages"
        packages.mkdir(parents=True, exist_ok=True)
        with (root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be unpacking the same wheels
            self._unpack(target, packages, version)

    def _unpack(self, target: str, packages: Path, version: str) -> None:
        done = packages / f".{target}-{'-'.join(WHEELS[target])}"
        if done.exists():
            return
        platforms = [part for platform_tag in PLATFORMS for part in ("--platform", f"{platform_tag}_aarch64")]
        kind = ["--only-binary=:all:", "--implementation", "cp", "--python-version", version.removeprefix("python")]
        with tempfile.TemporaryDirectory(dir=packages) as away:
            listed = Path(away, "wheels.txt")
            lines = [f"{wheel} --hash=sha256:{HASHES[wheel]}\n" for wheel in WHEELS[target]]
            listed.write_text("".join(lines), encoding="utf-8")
            fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
            fetched = execute([*fetch, "--dest", away, *kind, *platforms, "-r", str(listed)], timeout=TIMEOUT)
            if fetched.returncode != 0:
                lines = [line for line in fetched.stderr.splitlines() if line.startswith("ERROR")] or ["?"]
                raise BoardError(f"cannot fetch what runs {target} on {self.name}: {lines[0]}")
            for wheel in sorted(Path(away).glob("*.whl")):
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(packages)
        done.touch()

    def describe(self) -> str:
        """Emulator, architecture and Python; asked once, since every start is emulated."""
        if self._described:
            return self._described
        version = execute([self._emulator[0], "--version"]).stdout.partition("\n")[0]
        python = self.run([*self.python, "--version"], timeout=60).stdout.strip()
        self._described = f"{self.name}, C{python} under {version}" if python else f"{self.name} under {version}"
        return self._described


def sysroot(name: str) -> Path:
    """The unpacked system of an architecture, with Python and the C++ and OpenMP libraries that wheels need.

    Made on first use (some 16 MB to download, 80 MB on disk) and kept in the cache.
    """
    folder = cache_folder() / f"system-{name}"
    if folder.is_dir():
        return folder
    for tool in ("apt-get", "dpkg-deb"):
        require(tool, f"link 'qemu:{name}'")
    with tempfile.TemporaryDirectory(prefix="making-", dir=folder.parent) as away:
        for part in ("state/lists/partial", "cache/archives/partial", "root"):
            Path(away, part).mkdir(parents=True)
        Path(away, "status").touch()
        settings = {
            "APT::Architecture": name,
            "APT::Architectures": name,
            "APT::Install-Recommends": "0",
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "Debug::NoLocking": "1",
            "Dir::State": f"{away}/state",
            "Dir::State::status": f"{away}/status",
            "Dir::Cache": f"{away}/cache",
        }
        options = [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]
        _tool(name, ["apt-get", *options, "update", "-q"])
        _tool(name, ["apt-get", *options, "install", "-q", "-y", "--download-only", *PACKAGES])
        for package in sorted(Path(away, "cache", "archives").glob("*.deb")):
            _tool(name, ["dpkg-deb", "-x", str(package), f"{away}/root"])
        try:
            Path(away, "root").rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def _tool(name: str, argv: Sequence[str]) -> None:
    done = execute(argv, timeout=TIMEOUT)
    if done.returncode != 0:
        lines = (
            [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines() or ["?"]
        )
        raise BoardError(f"cannot unpack a system for 'qemu:{name}': {argv[0]}: {lines[0]}")
