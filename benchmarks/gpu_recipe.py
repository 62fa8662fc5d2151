"""The recipe from the command line, on a GPU: killed on the way, resumed, to the end.

``identity-edu train cifar10 --backend cupy`` reads generated images, in CIFAR's shape
and in the official files' format. One run is killed without warning behind its first
checkpoint and goes on; another is left alone; their last checkpoints must be equal to
the bit.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from identity_edu.data import cifar
from identity_edu.train import checkpoint
from identity_edu.train.folder import RunFolder

# At the recipe's rate, 0.05, the net diverges on these images within 100 steps, with
# NumPy too. At this one all steps together go less far; each costs the same.
ON_A_GPU = ("--backend=cupy", "--learning-rate=2e-5")
TRAIN = (sys.executable, "-m", "identity_edu", "train")
N_TEST_SHARE = 5  # one held-out image for so many training images
SEED = 3


def in_two_ways(n_images, n_steps, *, seconds, options=ON_A_GPU):
    """Run part of the recipe twice: killed and resumed, and left alone.

    Parameters
    ----------
    n_images : int >= 5
        For training.
    n_steps : int >= 4
        The recipe's falls of the rate move in proportion.
    seconds : float > 0
        That a process may take.
    options : sequence of str
        For the command.

    Returns
    -------
    dict
        What `killed_and_resumed` and `left_alone` found.

    Raises
    ------
    RuntimeError
        If a run fails, or the two end with different numbers.
    """
    checkpoints = f"--checkpoint-every={n_steps // 4}"
    options = (f"--steps={n_steps}", checkpoints, *options)
    with tempfile.TemporaryDirectory() as folder:
        data = write_images(Path(folder), n_images, SEED)
        runs = Path(folder, "killed"), Path(folder, "alone")
        found = {
            "killed_and_resumed": killed_and_resumed(runs[0], data, options, seconds),
            "left_alone": left_alone(runs[1], data, options, seconds),
        }
        require_equal(*runs)
    return found


def at_full_length(n_images, *, seconds, options=ON_A_GPU):
    """Run the recipe to its end, killed and resumed on the way.

    Parameters
    ----------
    n_images : int >= 5
        For training.
    seconds : float > 0
        That a process may take.
    options : sequence of str
        For the command.

    Returns
    -------
    dict
        What `killed_and_resumed` found.

    Raises
    ------
    RuntimeError
        If the run fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = write_images(Path(folder), n_images, SEED)
        return killed_and_resumed(Path(folder, "run"), data, options, seconds)


def write_images(folder, n_train, seed):
    """Write generated images as the official files.

    Parameters
    ----------
    folder : pathlib.Path
    n_train : int >= 5
    seed : int >= 0

    Returns
    -------
    pathlib.Path
        Of the files.
    """
    rng = np.random.default_rng(seed)
    images = cifar.generated_images(rng, "cifar10", n_train, n_train // N_TEST_SHARE)
    return cifar.write_cifar(folder, images, "cifar10")


def killed_and_resumed(folder, data, options, limit):
    """Begin a run, kill it behind its first checkpoint, and let it go on to the end.

    Parameters
    ----------
    folder, data : pathlib.Path
        Of the run, and of the files.
    options : sequence of str
        For the command, beside these.
    limit : float > 0
        Seconds for either part.

    Returns
    -------
    dict
        ``"killed_at"``, the steps of the checkpoint; ``"wall_seconds"`` of the rest,
        and what `outcome` says.

    Raises
    ------
    RuntimeError
        If the command fails, or ends before it could be killed.
    """
    process = _start("cifar10", f"--run={folder}", f"--data={data}", *options)
    end = time.monotonic() + limit
    while not (folder / checkpoint.NEWEST).exists():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise RuntimeError(f"no checkpoint came: {_last_words(process)}")
        time.sleep(0.01)
    process.kill()
    process.communicate()
    if (folder / "result.json").exists():
        raise RuntimeError("the run ended before it was killed: take more steps.")
    _, record = checkpoint.load(folder / checkpoint.NEWEST)
    seconds = run_to_the_end(f"--resume={folder}", f"--data={data}", limit=limit)
    found = {"killed_at": record["n_steps"], "wall_seconds": seconds}
    return found | outcome(folder)


def left_alone(folder, data, options, limit):
    """Run the recipe to the end.

    Parameters
    ----------
    folder, data, options, limit
        As for `killed_and_resumed`.

    Returns
    -------
    dict
        ``"wall_seconds"``, and what `outcome` says.

    Raises
    ------
    RuntimeError
        If the command fails.
    """
    arguments = "cifar10", f"--run={folder}", f"--data={data}", *options
    return {"wall_seconds": run_to_the_end(*arguments, limit=limit)} | outcome(folder)


def run_to_the_end(*arguments, limit):
    """Run the command, and return its seconds.

    Parameters
    ----------
    *arguments : str
    limit : float > 0
        Seconds.

    Returns
    -------
    float

    Raises
    ------
    RuntimeError
        If it fails or takes longer.
    """
    begin, process = time.monotonic(), _start(*arguments)
    words = _last_words(process, limit)
    if process.returncode != 0:
        raise RuntimeError(f"training ended badly: {words}")
    return time.monotonic() - begin


def outcome(folder):
    """Return what a finished run says of itself.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    dict
        ``"n_steps"``, ``"held_out_accuracy"``, and ``"seconds"``, in steps alone.
    """
    result = RunFolder(folder).result()
    return {key: result[key] for key in ("n_steps", "held_out_accuracy", "seconds")}


def require_equal(folder, other):
    """Compare the last checkpoints of two runs, to the bit.

    Parameters
    ----------
    folder, other : pathlib.Path

    Raises
    ------
    RuntimeError
        If an array differs.
    """
    (mine, _), (theirs, _) = (
        checkpoint.load(Path(path) / checkpoint.NEWEST) for path in (folder, other)
    )
    for name, array in mine.items():
        if array.tobytes() != theirs[name].tobytes():
            n = np.count_nonzero(array != theirs[name])
            raise RuntimeError(f"{name} differs in {n} of {array.size} numbers.")


def _start(*arguments):
    log = subprocess.DEVNULL  # its progress; errors are short, and wanted
    return subprocess.Popen(
        [*TRAIN, *arguments], stdout=log, stderr=subprocess.PIPE, text=True
    )


def _last_words(process, limit=None):
    """Wait for the end, or bring it about; return the status and the last line."""
    try:
        said = process.communicate(timeout=limit)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        said = process.communicate()[1]
    lines = said.splitlines()
    return f"status {process.returncode}, {lines[-1] if lines else 'no word'}"
