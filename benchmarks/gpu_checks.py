"""Every check that needs a GPU, with what it found; one that fails says why.

One product of a tensor core; each kernel on every case of `tests/kernels`, against the
definition in float64; ends of a convolution inside it and after it, to the bit; a graph
and the same launches one by one, to the bit; 20 steps of training against NumPy; the
seconds that the compiler takes; the suite's tests marked ``gpu``; and the recipe from
the command line, killed and resumed.

Of the recipe's 64,000 steps `RECIPE_STEPS` are taken, and twice; with ``--full`` all of
them are, once, with a kill and a resumption on the way.
"""

import argparse
import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import gpu_correct
import gpu_recipe
from gpu_setup import REQUIRE, TESTS, device_or_exit, facts, one_line

from identity_edu.conv.cuda import Shape
from identity_edu.experiments import write_result
from identity_edu.experiments.results import sources_hash
from identity_edu.launch import by_source
from identity_edu.train import recipes
from identity_edu.train.device_trainer import DeviceTrainer

RECIPE_STEPS, RECIPE_IMAGES, FULL_IMAGES = 4000, 10_000, 50_000
MOST_SECONDS = 300.0  # in the steps of the full recipe
TESTS_SECONDS, RUN_SECONDS = 120.0, 900.0  # that a child process may take
# 20 steps in which the loss falls by a third, and roundings do not grow.
SMALL = replace(
    recipes.adapted(recipes.CIFAR10, n_blocks=1, batch_size=32, n_steps=20),
    init="usual",
    learning_rate=0.015,
    drops=(),
)
EDGY = Shape(3, 15, 13, 24, 72)
NO_CACHE = "CUPY_CACHE_IN_MEMORY"  # else a disk might answer for the compiler


def main():
    """Run all checks, print them and write the results file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="all 64,000 steps")
    parser.add_argument(REQUIRE, action="store_true", help="fail without a GPU")
    given, sources = parser.parse_args(), sources_hash(__file__)
    device = device_or_exit(__file__)
    checks = [run(name, check) for name, check in _checks(device, given.full).items()]
    path = write_result(
        "benchmark_gpu_checks",
        facts(device) | {"checks": checks},
        command="python benchmarks/gpu_checks.py",
        seeds=[gpu_correct.SEED],
        script=__file__,
        sources=sources,
    )
    print(path)
    failed = [check["name"] for check in checks if not check["passed"]]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}.")


def _checks(device, is_full):
    """Name the checks, in order."""
    found = {"compiler": partial(compiler, device, SMALL)}
    found |= on_a_device(device, recipes_of=SMALL, shape=EDGY)
    found["tests marked gpu"] = suite
    recipe = partial(
        gpu_recipe.in_two_ways, RECIPE_IMAGES, RECIPE_STEPS, seconds=RUN_SECONDS
    )
    if is_full:
        recipe = partial(_full_recipe, FULL_IMAGES)
    return found | {"recipe, killed and resumed": recipe}


def on_a_device(device, *, recipes_of, shape, most=None):
    """Name the checks that any device can run, an emulated one too.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
    recipes_of : identity_edu.train.recipes.Recipe
        Of a few steps.
    shape : identity_edu.conv.cuda.Shape
        Of stride 1.
    most : int, optional
        Cases of each kernel; all unless given.

    Returns
    -------
    dict of str to callable
        Each returns what it found, or raises.
    """
    return {
        "one product of a tensor core": partial(gpu_correct.one_product, device),
        "every kernel": partial(gpu_correct.every_kernel, device, most),
        "inside and after": partial(gpu_correct.ends_inside_and_after, device, shape),
        "graph and launches": partial(
            gpu_correct.graph_and_launches, device, recipes_of
        ),
        "curve, fp32": partial(gpu_correct.curve, device, recipes_of, "fp32"),
        "curve, bf16": partial(gpu_correct.curve, device, recipes_of, "bf16"),
    }


def run(name, check):
    """Run one check, and print a line.

    Parameters
    ----------
    name : str
    check : callable
        Returns what it found; whatever it raises is a failure.

    Returns
    -------
    dict
        ``"name"``, ``"passed"``, ``"seconds"``, and ``"found"`` or ``"error"``.
    """
    begin = time.perf_counter()
    try:
        result = {"passed": True, "found": check()}
    except Exception as error:  # the other checks must run
        result = {"passed": False, "error": one_line(error)}
    seconds = time.perf_counter() - begin
    word = "passed" if result["passed"] else f"FAILED: {result['error']}"
    print(f"{name}: {word} ({seconds:.1f} s)", flush=True)
    return {"name": name, "seconds": seconds, **result}


def compiler(device, recipe):
    """Compile the kernels of a training step, and say how long that took.

    Parameters
    ----------
    device : identity_edu.device.CudaDevice
        That has compiled nothing yet.
    recipe : identity_edu.train.recipes.Recipe

    Returns
    -------
    dict
        Seconds by source.
    """
    examples = gpu_correct.generated_examples(recipe, 2 * recipe.batch_size)
    trainer = DeviceTrainer(device, recipe, examples)
    launches = trainer.on_device.observed
    seconds, before = {}, os.environ.get(NO_CACHE, "")
    os.environ[NO_CACHE] = "1"
    for path in by_source(launches):
        begin = time.perf_counter()
        device.capture([one for one in launches if one.kernel.path == path])
        seconds[path.name] = time.perf_counter() - begin
    os.environ[NO_CACHE] = before
    return {"seconds": seconds}


def suite():
    """Run the tests that are marked ``gpu``.

    Returns
    -------
    dict
        What pytest says last.

    Raises
    ------
    RuntimeError
        If one fails, or none runs.
    """
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q"]
    done = subprocess.run(
        command,
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=TESTS_SECONDS,
    )
    last = (done.stdout.strip() or "it said nothing").splitlines()[-1]
    if done.returncode != 0:
        raise RuntimeError(f"pytest ended with {done.returncode}: {last}")
    return {"summary": last}


def _full_recipe(n_images):
    """Take all steps, killed once; more than `MOST_SECONDS` in them is a failure."""
    found = gpu_recipe.at_full_length(n_images, seconds=RUN_SECONDS)
    if found["seconds"] > MOST_SECONDS:
        raise RuntimeError(f"{found['seconds']:.0f} s in steps, not {MOST_SECONDS:.0f}")
    return found


if __name__ == "__main__":
    main()
