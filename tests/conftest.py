"""Fixtures that every test may ask for."""

import functools
import os
import sys
import threading

import numpy as np
import pytest
import stand_in_cupy
from threadpoolctl import threadpool_limits

os.environ.setdefault("MPLBACKEND", "Agg")  # no test opens a window


@pytest.fixture(scope="session", autouse=True)
def _one_blas_thread():
    """Keep small matrices off a second thread, which only waits on a busy machine."""
    with threadpool_limits(1, "blas"):
        yield


@pytest.fixture(scope="session", autouse=True)
def _gradebooks_ask_for_their_version_once():
    """Start `alembic` once, not for every gradebook that a test makes."""
    if api := sys.modules.get("nbgrader.api"):
        api.get_alembic_version = functools.cache(api.get_alembic_version)


MANY = 2000  # tests: such a run takes minutes, and does not end while this is at work


def pytest_collection_finish(session):
    """Compile the kernels on another core, while tests run that need none of them."""
    from emulator import compiler

    if compiler() is not None and len(session.items) > MANY:
        threading.Thread(target=_compile_kernels, daemon=True).start()


def _compile_kernels():
    from emulator.build import libraries
    from kernels.catalogue import all_launches

    libraries(list(dict.fromkeys(launch.kernel for launch in all_launches())))


@pytest.fixture
def rng():
    """Give the same random numbers to every test, whatever ran before it."""
    return np.random.default_rng(1611_04231)


def _cupy():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("CuPy finds no GPU")
    return cupy


@pytest.fixture
def stand_in(monkeypatch):
    """Give the arrays that refuse what CuPy's refuse, under CuPy's name."""
    monkeypatch.setitem(sys.modules, "cupy", stand_in_cupy.cupy)
    return stand_in_cupy.cupy


@pytest.fixture(
    params=["numpy", "stand-in", pytest.param("cupy", marks=pytest.mark.gpu)]
)
def xp(request):
    """Give NumPy, the stand-in for CuPy, and CuPy itself in runs with ``-m gpu``."""
    if request.param == "stand-in":
        return request.getfixturevalue("stand_in")
    return np if request.param == "numpy" else _cupy()
