"""The command line says what is there, what is missing, and how to mend it."""

import subprocess
import sys
import types
from importlib import metadata

import numpy as np
import pytest
from typer.testing import CliRunner

from identity_edu import __version__, cli
from identity_edu.cli import doctor


def run(*arguments):
    return CliRunner().invoke(cli.app, list(arguments))


def without(monkeypatch, *absent):
    """Let the named distributions look as if they were not installed."""
    version = metadata.version

    def find(name):
        if name in absent:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", find)


def test_version_is_the_package_version():
    assert run("--version").output == f"identity-edu {__version__}\n"


def test_doctor_reports_numpy_with_its_blas_and_succeeds():
    result = run("doctor")
    assert result.exit_code == 0
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    line = next(row for row in result.output.splitlines() if row.startswith("NumPy"))
    assert np.__version__ in line
    assert blas in line
    assert "threads" in line
    assert "All that the course needs is here" in result.output


@pytest.mark.parametrize("part", ["GPU", "bubblewrap", "nbgrader", "jupyter-book"])
def test_doctor_names_the_optional_parts(part):
    assert any(row.startswith(part) for row in run("doctor").output.splitlines())


def test_doctor_fails_and_names_an_essential_part_that_is_absent(monkeypatch):
    without(monkeypatch, "matplotlib")
    result = run("doctor")
    assert result.exit_code == 1
    assert "missing: matplotlib" in result.output
    assert "pip install -r requirements.txt" in result.output


def test_doctor_fails_when_numpy_cannot_be_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    part = doctor._numpy()
    assert part.is_essential
    assert part.advice


def test_doctor_succeeds_without_the_grader_but_says_so(monkeypatch):
    without(monkeypatch, "nbgrader")
    result = run("doctor")
    assert result.exit_code == 0
    assert "nbgrader is absent" in result.output
    assert "All that the course needs" not in result.output


def test_doctor_says_what_keeps_students_code_from_being_isolated(monkeypatch):
    where = "identity_edu.grading.isolation.sandbox.isolation_problem"
    monkeypatch.setattr(where, lambda level: f"{level} failed: install it.")
    result = run("doctor")
    assert result.exit_code == 0
    assert "bubblewrap    none (only grading needs it)" in result.output
    assert "- bubblewrap failed: install it." in result.output


@pytest.mark.parametrize("command", ["grade", "regrade", "release"])
def test_a_students_copy_says_that_grading_is_not_in_it(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "identity_edu.grading", None)
    monkeypatch.setitem(sys.modules, "identity_edu.grading.course", None)
    result = run(command, "05_near_identity_factors")
    assert result.exit_code == 1
    assert result.stderr.startswith("grading is the instructor's part")


class Gpu:
    """Stands for `identity_edu.device.CudaDevice`."""

    name = "Imagined GPU, CUDA 13.0 in its driver, CuPy 14.0.0"
    old, uncompiled = False, False

    def __init__(self):
        if self.old:
            raise RuntimeError("these kernels need compute capability 8.0; got 7.5.")

    def zeros(self, *_):
        return np.zeros((1,), np.float32)

    empty = zeros

    def run(self, launches):
        if self.uncompiled:
            raise RuntimeError("libnvrtc is not found\n  in this folder\n  in that")
        assert [launch.kernel.name for launch in launches] == ["sum_squares<float>"]

    def synchronize(self):
        pass


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr("identity_edu.backend.gpu_status", lambda: "ready: Imagined")
    monkeypatch.setattr("identity_edu.device.CudaDevice", Gpu)
    return lambda name: monkeypatch.setattr(Gpu, name, True)


@pytest.mark.usefixtures("gpu")
def test_doctor_tries_a_gpu_and_says_what_it_is_good_for():
    output = run("doctor").output
    assert f"GPU           ready: {Gpu.name}; trains with --backend cupy\n" in output
    assert "mend" not in output


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("old", "ready: Imagined; cannot train: these kernels need compute capability"),
        ("uncompiled", "ready: Imagined; cannot train: libnvrtc is not found\n"),
    ],
)
def test_doctor_says_why_a_gpu_cannot_train(name, reason, gpu):
    gpu(name)
    result = run("doctor")
    assert result.exit_code == 0
    assert reason in result.output
    assert "in this folder" not in result.output
    assert "- To train on the GPU, mend what its line names" in result.output


def test_doctor_warns_of_blas_kernels_fixed_by_the_environment(monkeypatch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    assert "unset it" not in run("doctor").output
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    assert "OPENBLAS_CORETYPE=Prescott fixes the kernels" in run("doctor").output


@pytest.fixture
def experiments(monkeypatch):
    """Replace the experiments with one that says that it ran."""
    module = types.ModuleType("fake", doc="Measure one thing.\n\nMore.")
    fake = types.ModuleType("identity_edu.experiments")
    fake.registry = lambda: {"one_thing": module}
    fake.run = lambda name: f"ran {name}"
    monkeypatch.setitem(sys.modules, "identity_edu.experiments", fake)
    monkeypatch.setattr("identity_edu.experiments", fake, raising=False)


@pytest.mark.usefixtures("experiments")
def test_experiment_lists_runs_and_refuses():
    assert run("experiment").output.split() == ["one_thing", "Measure", "one", "thing."]
    assert run("experiment", "one_thing").output == "ran one_thing\n"
    refused = run("experiment", "other")
    assert refused.exit_code == 2
    assert "NAME must be one of one_thing; got 'other'." in refused.output


def test_importing_the_command_line_loads_nothing_heavy():
    heavy = "{'numpy', 'matplotlib', 'cupy', 'scipy', 'nbgrader'}"
    code = f"import sys, identity_edu.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_module_runs_as_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "identity_edu", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"identity-edu {__version__}"
