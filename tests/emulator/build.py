"""Compile kernels for this machine's processor, each instantiation once.

What comes out is a shared library with two functions, ``types`` and ``launch``. It is
kept in ``_build/emulator`` under a hash of everything that went into it.
"""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from identity_edu.launch import cuda_source

HERE = Path(__file__).resolve().parent
LIBRARIES = HERE.parents[1] / "_build" / "emulator"
N_COMPILERS = 2  # at once

COMMON = "-std=c++20 -fPIC -shared -ffp-contract=off -U_FORTIFY_SOURCE -fmax-errors=5"
MACHINE_FLAGS = f"{COMMON} -O2 -Wno-deprecated-declarations".split()
KERNEL_FLAGS = (
    f"{COMMON} -O1 -fno-exceptions -fno-rtti -fno-strict-aliasing"
    # What nobody wrote is seen: a forgotten zero is a large number.
    " -ftrivial-auto-var-init=pattern"
    " -fsanitize=alignment,bounds,integer-divide-by-zero,shift"
    " -fsanitize-undefined-trap-on-error"
    # Fibers have small stacks.
    " -Werror=frame-larger-than=32768 -Werror=return-type"
    # The machine is found beside the kernel, wherever that lies.
    " -Wl,-rpath,$ORIGIN"
).split()

ENTRY = """
extern "C" void types(char *to) {{ emulator::write_types(&{name}, to); }}
extern "C" bool launch(emulator::Request &request, void **arguments) {{
  auto thread = [](void *of) {{ emulator::call(&{name}, static_cast<void **>(of)); }};
  return emulator::run(request, thread, arguments);
}}
"""


def compiler():
    """Return the path of g++ on Linux, or None."""
    return shutil.which("g++") if sys.platform == "linux" else None


@functools.cache
def _machine():
    """Return the path of the library that runs the threads."""
    texts = [
        (HERE / name).read_text("utf-8") for name in ("machine.hpp", "machine.cpp")
    ]
    path = _path(MACHINE_FLAGS, *texts)
    if not path.exists():
        _compile(path, [*MACHINE_FLAGS, str(HERE / "machine.cpp")])
    return path


@functools.cache
def _version():
    done = subprocess.run(
        [compiler(), "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout


def _path(*parts):
    digest = hashlib.sha256(repr((_version(), parts)).encode()).hexdigest()
    return LIBRARIES / f"{digest[:24]}.so"


def _compile(path, arguments):
    """Run the compiler; its library appears under `path` when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(f"{path}.{os.getpid()}.{threading.get_ident()}")
    command = [compiler(), *arguments, "-o", str(unfinished)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(done.stderr)
    unfinished.replace(path)


class CompileError(Exception):
    """The C++ compiler refused a kernel; the message is what it said."""


def _text(kernel):
    primitives = (HERE / "primitives.cuh").read_text("utf-8")
    source = cuda_source(kernel.path, {"primitives.cuh": primitives})
    here = f'#line 1 "{kernel.path.name}"\n'
    return f'#include "shim.hpp"\n{here}{source}{ENTRY.format(name=kernel.name)}'


def libraries(kernels):
    """Return the loaded library of each kernel, compiled where it has to be.

    Parameters
    ----------
    kernels : iterable of Kernel

    Returns
    -------
    list of ctypes.CDLL

    Raises
    ------
    CompileError
        If the compiler refuses one.
    """
    machine = _machine()
    texts = [_text(kernel) for kernel in kernels]
    shim = (HERE / "shim.hpp").read_text("utf-8")
    paths = [_path(KERNEL_FLAGS, machine.name, shim, text) for text in texts]
    missing = {p: t for p, t in zip(paths, texts, strict=True) if not p.exists()}
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(N_COMPILERS) as pool,
    ):
        sources = [Path(folder, f"{path.stem}.cpp") for path in missing]
        for source, text in zip(sources, missing.values(), strict=True):
            source.write_text(text, "utf-8")
        places = [f"-I{HERE}", f"-L{LIBRARIES}", f"-l:{machine.name}"]
        arguments = ([*KERNEL_FLAGS, str(source), *places] for source in sources)
        list(pool.map(_compile, missing, arguments))
    return [_load(path) for path in paths]


@functools.cache
def _load(path):
    return ctypes.CDLL(str(path))
