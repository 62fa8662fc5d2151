"""The one command for a GPU: every check, every kernel, and the step, in ten minutes.

Each in a process of its own, with a time limit; a failure does not stop the others. The
exit status is 0 only if all of them passed. What they measured is in ``book/results``,
and the book shows it when it is built again. `make bench` runs the three itself.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from gpu_setup import REQUIRE, device_or_exit

from identity_edu.experiments.results import FOLDER

HERE = Path(__file__).resolve().parent
# Arguments and seconds. The step compiles PyTorch's ways for two batch sizes; what does
# not fit is named as not ready, and `gpu_step.py` alone takes longer.
PARTS = {
    "gpu_checks": ([], 240.0),
    "gpu_kernels": ([], 70.0),
    "gpu_step": (["--seconds=110"], 280.0),
}


def run(command, seconds):
    """Run a command, and end it with all that it started if it takes too long.

    Parameters
    ----------
    command : list of str
    seconds : float > 0

    Returns
    -------
    str
        ``"passed"``, or what went wrong.
    """
    process = subprocess.Popen(command, start_new_session=True)
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"not done after {seconds:.0f} s"
    finally:
        if process.poll() is None:  # too late, or Ctrl-C
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return "passed" if status == 0 else f"failed with status {status}"


def main():
    """Run the parts, and say what they wrote."""
    sys.argv.append(REQUIRE)
    device_or_exit(__file__)
    begin, words = time.time(), {}
    for name, (options, seconds) in PARTS.items():
        print(f"== {name}, at most {seconds:.0f} s", flush=True)
        command = [sys.executable, str(HERE / f"{name}.py"), REQUIRE, *options]
        started = time.time()
        words[name] = run(command, seconds)
        print(f"== {name}: {words[name]}, {time.time() - started:.0f} s", flush=True)
    paths = [FOLDER / f"benchmark_{name}.json" for name in PARTS]
    for path in paths:
        if path.exists() and path.stat().st_mtime >= begin:
            print(f"written: {path}")
    print(f"{time.time() - begin:.0f} s in all. The book shows them after `make book`.")
    if any(word != "passed" for word in words.values()):
        sys.exit(f"not all passed: {words}.")


if __name__ == "__main__":
    main()
