"""``identity-edu doctor``: what works on this machine, what is missing."""

import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata

import typer

from identity_edu.cli.root import app

ABSENT = "absent"
INSTALL = "python -m pip install -r requirements.txt"


@dataclass(frozen=True)
class Part:
    """One line of the doctor's report."""

    name: str
    state: str
    advice: str = ""
    is_essential: bool = False


@app.command()
def doctor() -> None:
    """Say what works on this machine, what is missing, and what to do next."""
    parts = [*essential_parts(), *optional_parts()]
    for part in parts:
        typer.echo(f"{part.name:<13} {part.state}")
    typer.echo("\nWhat to do next")
    for advice in [part.advice for part in parts if part.advice]:
        typer.echo(f"- {advice}")
    missing = [part.name for part in parts if part.is_essential and part.advice]
    if missing:
        typer.echo(f"missing: {', '.join(missing)}", err=True)
        raise typer.Exit(1)
    if all(part.state != ABSENT for part in parts):
        typer.echo("- All that the course needs is here: make test, then make book.")


def essential_parts() -> list[Part]:
    """Check what the package itself cannot do without.

    Returns
    -------
    list of Part
        Python, NumPy and matplotlib; a part that fails has advice.
    """
    return [_python(), _numpy(), _package("matplotlib", is_essential=True)]


def optional_parts() -> list[Part]:
    """Check what serves only the book, grading or a GPU.

    Returns
    -------
    list of Part
    """
    return [
        *_blas_variables(),
        _package("jupyter-book"),
        _package("nbgrader"),
        _bubblewrap(),
        _gpu(),
    ]


def _gpu() -> Part:
    """Try what training needs: a GPU that is new enough, and a kernel compiled."""
    from identity_edu.backend import gpu_status

    status = gpu_status()
    if not status.startswith("ready"):
        return Part("GPU", status)
    from identity_edu.device import CudaDevice

    try:
        device = CudaDevice()
        _run_a_kernel(device)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        return Part(
            "GPU",
            f"{status}; cannot train: {reason}",
            "To train on the GPU, mend what its line names; README.md says what it "
            "needs. All else that CuPy can do works without.",
        )
    return Part("GPU", f"ready: {device.name}; trains with --backend cupy")


def _run_a_kernel(device) -> None:
    import numpy as np

    from identity_edu.allconv.cuda import SQUARE_BLOCKS, sum_squares

    x = device.zeros((1,), np.float32)
    device.run([sum_squares(x, device.empty((SQUARE_BLOCKS,), np.float32))])
    device.synchronize()


def _python() -> Part:
    advice = "" if sys.version_info >= (3, 11) else "Install Python 3.11 or later."
    return Part("Python", platform.python_version(), advice, is_essential=True)


def _package(name: str, is_essential: bool = False) -> Part:
    try:
        return Part(name, metadata.version(name), is_essential=is_essential)
    except metadata.PackageNotFoundError:
        advice = f"{name} is absent: {INSTALL}"
        return Part(name, ABSENT, advice, is_essential)


def _bubblewrap() -> Part:
    try:
        from identity_edu.grading.isolation.sandbox import isolation_problem
    except ModuleNotFoundError:  # a student's copy
        return Part("bubblewrap", "not needed (only grading is isolated)")
    problem = isolation_problem("bubblewrap")
    state = "none (only grading needs it)" if problem else "works"
    return Part("bubblewrap", state, problem)


def _numpy() -> Part:
    try:
        import numpy as np
    except ImportError as error:
        return Part("NumPy", f"fails ({error})", f"Repair NumPy: {INSTALL}", True)
    advice = "" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else INSTALL
    return Part("NumPy", f"{np.__version__}, {_blas(np)}", advice, True)


def _blas(np) -> str:
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    text = f"{built['name']} {built['version']}"
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return f"{text} (threadpoolctl would tell its threads)"
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            kernels = pool.get("architecture", "unknown")
            text += f", kernels for {kernels}, {pool['num_threads']} threads"
    return text


def _blas_variables() -> list[Part]:
    """Report the settings of OpenBLAS, which can cost a factor of two unnoticed."""
    parts = []
    for name, value in sorted(os.environ.items()):
        if not name.startswith("OPENBLAS_"):
            continue
        advice = ""
        if name == "OPENBLAS_CORETYPE":
            advice = (
                f"{name}={value} fixes the kernels, whatever the processor could do: "
                "unset it before you measure speed."
            )
        parts.append(Part("environment", f"{name}={value}", advice))
    return parts
