"""What telemetry and the projection add to a training step, side by side in one run.

Telemetry is what a run does at a step that has it: the norms that `Telemetry.watch`
takes during the backward pass, and `Telemetry.measure`. How long that takes depends on
how far the weights have moved since the last time, so real steps lie between two
measurements: 50 on the digits, 10 on images of noise in CIFAR's format. The first
measurement starts from noise, and is given apart. The projection is that of the
procrustes net, whose recipe has one after every second step.

Promised: telemetry taken every 50 steps adds less than 5 %.
"""

import statistics
import time
from dataclasses import replace

import numpy as np
from children import measure_both_ways

from identity_edu.data import augment
from identity_edu.experiments import write_result
from identity_edu.train import recipes
from identity_edu.train.environment import blas_threads
from identity_edu.train.examples import DataSet, load_data_set
from identity_edu.train.telemetry import Telemetry
from identity_edu.train.trainer import Trainer

N_THREADS = 2
TELEMETRY_EVERY, PROMISED_SHARE = 50, 0.05
CIFAR32 = replace(recipes.CIFAR10, batch_size=32)
SETTINGS = {  # the recipe, steps between two measurements, and how many of those
    "digits, batch 32": (recipes.DIGITS, 50, 20),
    "cifar10, batch 32": (CIFAR32, 10, 3),
    "cifar10, batch 128": (recipes.CIFAR10, 10, 2),
}
N_PROJECTIONS = 12
N_NOISE = 1280
SEED = 0


def measure():
    """Measure both extras for every setting.

    Returns
    -------
    dict
        By setting: medians in seconds, their spread, and the shares of a step.
    """
    with blas_threads(N_THREADS):
        return {
            name: {"telemetry": _telemetry(*row), "projection": _projection(row[0])}
            for name, row in SETTINGS.items()
        }


def _telemetry(recipe, gap, n_times):
    trainer = Trainer(recipe, _examples(recipe), seed=SEED, threads=N_THREADS)
    first = trainer.examples.x_train[:1].astype(np.float32)
    rng = np.random.default_rng(SEED)
    telemetry = Telemetry(trainer.net, first, rng, n_threads=N_THREADS)
    steps, extras = [], []
    _timed(trainer.step)  # allocates what the others use again
    for _ in range(n_times + 1):
        spent = []

        def watch(i, gradient, spent=spent):
            spent.append(_timed(telemetry.watch, i, gradient))

        def observe(grad, spent=spent):
            states = trainer.runner.block_states()
            spent.append(_timed(telemetry.measure, states, grad))

        trainer.step(observe, watch)
        extras.append(sum(spent))
        steps += [_timed(trainer.step) for _ in range(gap)]
    from_noise, *later = extras
    return _shares(steps, later, TELEMETRY_EVERY) | {"seconds_from_noise": from_noise}


def _projection(recipe):
    recipe = recipes.with_net(recipe, "procrustes")
    trainer = Trainer(recipe, _examples(recipe), seed=SEED, threads=N_THREADS)
    projection, trainer.optimiser.projection = trainer.optimiser.projection, None
    steps, extras = [], []
    _timed(trainer.step)
    for _ in range(N_PROJECTIONS):
        steps.append(_timed(trainer.step))
        extras.append(_timed(projection.project, trainer.net.params))
    return _shares(steps, extras, recipe.project_every)


def _shares(steps, extras, every):
    step, extra = statistics.median(steps), statistics.median(extras)
    return {
        "every": every,
        "step_seconds": step,
        "seconds": extra,
        "quartiles": [float(q) for q in np.quantile(extras, [0.25, 0.75])],
        "n_times": len(extras),
        "in_steps": extra / step,
        "share": extra / (every * step),
    }


def _examples(recipe):
    if recipe.name == "digits":
        return load_data_set("digits")
    rng = np.random.default_rng(SEED)
    x = rng.integers(256, size=(N_NOISE, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(10, size=N_NOISE)
    return DataSet(x, labels, x[:1], labels[:1], augment.channel_statistics(x))


def _timed(function, *args):
    started = time.perf_counter()
    function(*args)
    return time.perf_counter() - started


def main():
    """Measure with both settings, print the table and write the results file."""
    settings = measure_both_ways(__file__, measure)
    for setting, found in settings.items():
        print(f"{setting}: OpenBLAS for {found['architecture']}")
        for name in SETTINGS:
            for extra, row in found[name].items():
                print(
                    f"  {name:<18} {extra:<10} {1e3 * row['seconds']:8.1f} ms, "
                    f"{row['in_steps']:5.2f} steps, {row['share']:6.2%} when taken "
                    f"every {row['every']}"
                )
    path = write_result(
        "benchmark_step_extras",
        {
            "promised_telemetry_share": PROMISED_SHARE,
            "n_threads": N_THREADS,
            "settings": settings,
        },
        command="python benchmarks/step_extras.py",
        seeds=[SEED],
        script=__file__,
    )
    print(path)


if __name__ == "__main__":
    main()
