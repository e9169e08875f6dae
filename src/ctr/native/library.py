"""The compiled kernels: built with the machine's own C++ compiler at first use, kept in the user's cache."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from filelock import FileLock

SOURCE = Path(__file__).with_name("kernels.cpp")
FLAGS = ["-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fno-math-errno", "-fno-trapping-math"]


class NoCompiler(Exception):
    """Why there are no kernels."""


@cache
def load() -> ctypes.CDLL:
    """The kernels. Compiles them, in some seconds, where this machine has not yet. Raises NoCompiler."""
    if sys.platform == "win32":
        raise NoCompiler("Windows is not supported")
    command = compiler()
    built = folder() / f"kernels-{_key(command)}.so"
    try:
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(built.with_suffix(".lock"), timeout=120):
            if not built.exists():
                _compile(command, built)
        return ctypes.CDLL(str(built))
    except OSError as error:
        raise NoCompiler(f"{built}: {error}") from error


def compiler() -> str:
    """$CXX, or the first of the usual ones. Raises NoCompiler."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "c++"]
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise NoCompiler(f"no C++ compiler ({', '.join(names)}) is installed")
    return found


def folder() -> Path:
    """Where compiled kernels are kept: the user's own cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ctr"


def _compile(command: str, built: Path) -> None:
    """Whole or not at all. Without OpenMP the kernels run on one thread, where they still beat plain PyTorch."""
    partial = built.with_suffix(f".{os.getpid()}")
    try:
        for threading in (["-fopenmp"], []):
            line = [command, *FLAGS, *threading, str(SOURCE), "-o", str(partial)]
            done = subprocess.run(line, capture_output=True, text=True)  # noqa: S603
            if done.returncode == 0:
                os.replace(partial, built)
                return
        first = next(iter(done.stderr.splitlines()), "no message")
        raise NoCompiler(f"{command} failed: {first}")
    finally:
        partial.unlink(missing_ok=True)


def _key(command: str) -> str:
    """Another source, compiler or processor is another build."""
    version = subprocess.run([command, "--version"], capture_output=True, text=True).stdout  # noqa: S603
    facts = [SOURCE.read_text(encoding="utf-8"), *FLAGS, version, platform.machine(), _processor()]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _processor() -> str:
    """What `-march=native` looks at."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))
