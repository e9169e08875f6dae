"""The compiled kernels: built with the machine's own C++ compiler at first use, kept in the user's cache."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from filelock import FileLock

KERNELS = Path(__file__).with_name("kernels")  # all .cpp files of this folder, and the .h files that they include
FLAGS = ["-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fno-math-errno", "-fno-trapping-math"]
FLAGS += ["-ffp-contract=off"]  # a sum of one product less that product is 0, as in the plain form


class NoCompiler(Exception):
    """Why there are no kernels."""


@cache
def load() -> ctypes.CDLL:
    """The kernels. Compiles them, in some seconds, where this machine has not yet. Raises NoCompiler."""
    if sys.platform == "win32":
        raise NoCompiler("Windows is not supported")
    command = compiler()
    try:
        built = folder() / f"kernels-{_key(command)}.so"
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(built.with_suffix(".lock"), timeout=120):
            if built.exists():
                with suppress(OSError):
                    return ctypes.CDLL(str(built))
            _compile(command, built)  # or again, what was damaged
            return ctypes.CDLL(str(built))
    except (OSError, RuntimeError) as error:
        raise NoCompiler(f"the kernels could not be built: {error}") from error


def compiler() -> list[str]:
    """The command: $CXX, or the first of the usual ones. Raises NoCompiler."""
    if chosen := shlex.split(os.environ.get("CXX", "")):
        names, found = chosen[:1], chosen if shutil.which(chosen[0]) else None
    else:
        names = ["g++", "clang++", "c++"]
        found = next(([name] for name in names if shutil.which(name)), None)
    if found is None:
        raise NoCompiler(f"no C++ compiler ({', '.join(names)}) is installed")
    return found


def folder() -> Path:
    """Where compiled kernels are kept: the user's own cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ctr"


def _compile(command: list[str], built: Path) -> None:
    """Whole or not at all. Without OpenMP the kernels run on one thread, where they still beat plain PyTorch."""
    partial = built.with_suffix(f".{os.getpid()}")
    program = "".join(f'#include "{path}"\n' for path in sorted(KERNELS.glob("*.cpp")))  # as one: headers are read once
    try:
        for threading in (["-fopenmp"], []):
            line = [*command, *FLAGS, *threading, "-x", "c++", "-", "-o", str(partial)]
            done = subprocess.run(line, input=program, capture_output=True, text=True)  # noqa: S603
            if done.returncode == 0:
                os.replace(partial, built)
                return
        lines = done.stderr.splitlines()
        first = next((line for line in lines if "error" in line), next(iter(lines), "no message"))
        raise NoCompiler(f"{' '.join(command)} failed: {first}")
    finally:
        partial.unlink(missing_ok=True)


def _key(command: list[str]) -> str:
    """Another source, compiler or processor is another build."""
    version = subprocess.run([*command, "--version"], capture_output=True, text=True).stdout  # noqa: S603
    sources = [path.read_text(encoding="utf-8") for path in sorted(KERNELS.glob("*.*"))]
    facts = [*sources, *FLAGS, version, platform.machine(), _processor()]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _processor() -> str:
    """What `-march=native` looks at."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))
