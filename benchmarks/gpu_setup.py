"""What every GPU benchmark begins with: a GPU, or one line that says why there is none.

Without one nothing is measured and nothing is written. That is no failure of `make
bench`, so the exit status is 0; with ``--require`` it is 1.
"""

import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

import identity_edu
from identity_edu.device import CudaDevice
from identity_edu.launch import cuda_source

REQUIRE = "--require"
TESTS = Path(__file__).resolve().parents[1] / "tests"  # checks that hold on any device


def device_or_exit(script):
    """Return the GPU, or say why there is none and leave.

    Parameters
    ----------
    script : str or Path
        Who asks.

    Returns
    -------
    identity_edu.device.CudaDevice
    """
    try:
        return CudaDevice()
    except RuntimeError as error:
        print(f"{Path(script).name}: not measured; {error}")
        sys.exit(int(REQUIRE in sys.argv))


def facts(device):
    """Describe the GPU and its driver.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice

    Returns
    -------
    dict of str to str
    """
    found = {"device": device.name, "driver": _driver()}
    return found | {"kernels_digest": kernels_digest()}


def kernels_digest():
    """Hash all CUDA sources, comments left out: by it a result knows its kernels.

    Returns
    -------
    str
    """
    paths = sorted(Path(identity_edu.__file__).parent.rglob("*.cu"))
    lines = "\n".join(map(cuda_source, paths)).splitlines()
    code = (line.partition("//")[0].strip() for line in lines)
    digest = hashlib.sha256("\n".join(filter(None, code)).encode())
    return f"sha256:{digest.hexdigest()}"


def _driver():
    """Return the driver's version, as its own tool names it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "unknown: nvidia-smi is not on the path"
    command = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().partition("\n")[0]


def seconds_of(start, wait, n):
    """Time n repetitions on the host's clock, from a device at rest to its rest.

    Parameters
    ----------
    start : callable
        Starts the work, and need not wait for it.
    wait : callable
        Waits for all that was started.
    n : int >= 1

    Returns
    -------
    float
        Seconds for one repetition.
    """
    wait()
    begin = time.perf_counter()
    for _ in range(n):
        start()
    wait()
    return (time.perf_counter() - begin) / n


def one_line(error):
    """Return what an exception says, short enough for a table.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:200]
