"""A net of near-identities in 16 bits: what its stream keeps, and whether it learns.

The arithmetic of a step on a GPU, on a processor: images, states, activations and the
gradients that run back are stored in bf16, kernels are rounded for the products, and
sums are taken in float32. First the untrained net for CIFAR-10, block by block, on four
enlarged digits. Then short trainings on the digits, with weights kept in float32 or in
bf16; and how far both kinds of weights get in a few steps, by the rate. Chapter 12.
"""

from dataclasses import replace

import numpy as np

from identity_edu import allconv, data, nets
from identity_edu.bf16 import rounded_to_bf16
from identity_edu.nets import Block, Layer, Net
from identity_edu.optim import SGD
from identity_edu.runner import Runner
from identity_edu.train import loop, recipes
from identity_edu.train.examples import INIT, load_data_set, training_batch

SEEDS = [120, 121, 122]
STARTS = ["near_identity", "usual"]
# What is rounded: nothing; all but the weights that are kept; those too.
KINDS = ["float32", "bf16", "bf16 weights"]
WIDTH, N_STEPS, WINDOW = 0.5, 660, 30
RATES = [0.1, 0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4]
TRAVEL_STEPS = 30


def measure():
    """Return what blocks do to the stream, losses by kind, and distances by rate."""
    wide = replace(allconv.CIFAR10, stem=allconv.CIFAR10.stages[0].channels)
    return {
        "blocks": {start: stream(allconv.CIFAR10, start) for start in STARTS},
        "wide_stem": stream(wide, STARTS[0]),
        "n_steps": N_STEPS,
        "window": WINDOW,
        "runs": {
            kind: [trained(kind, _recipe(), seed) for seed in SEEDS] for kind in KINDS
        },
        "rates": RATES,
        "travel_steps": TRAVEL_STEPS,
        "travel": {
            kind: [[travelled(kind, rate, seed) for seed in SEEDS] for rate in RATES]
            for kind in KINDS[1:]
        },
    }


def in_bf16(net):
    """Store a net's stream and activations in bf16, forwards and backwards.

    Parameters
    ----------
    net : Net
        Blocks of an all-convolutional net, the last one its read-out.

    Returns
    -------
    Net
        With the same parameters, in their own precision. Behind every block but the
        last there is one more, which rounds its output.
    """
    blocks = []
    for block in net.blocks[:-1]:
        branch = [part for layer in block.branch for part in _rounded(layer)]
        # A skip that is computed is stored before the branch is added to it.
        skip = block.skip and (*block.skip, ROUNDING)
        blocks += [Block(tuple(branch), skip), Block((ROUNDING,), skip=None)]
    return Net((*blocks, net.blocks[-1]), net.params)


def stream(architecture, start):
    """Measure what each block of an untrained net changes, when it is stored in bf16.

    Parameters
    ----------
    architecture : identity_edu.allconv.Architecture
        For images of 32 x 32 pixels.
    start : {"near_identity", "usual"}

    Returns
    -------
    dict
        By block: ``"branch"``, length of the branch relative to its input;
        ``"changed"``, the fraction of entries that it changes, and ``"changed_stem"``,
        of those in the channels that the stem fills; ``"lost"``, the part of the branch
        that rounding takes, relative to its length. And ``"gradient_error"``, the
        relative error of every kernel's gradient.
    """
    rng = np.random.default_rng(SEEDS[0])
    net, x = allconv.init_net(rng, architecture, init=start), _pictures()
    rounded = in_bf16(net)
    output, cache = nets.forward(rounded, x)
    states = nets.block_states(output, cache)
    # Entry 2 i is the input of block i, and 2 i + 1 its output before it is rounded.
    found = {"branch": [], "changed": [], "changed_stem": [], "lost": []}
    for i in range(1, len(net.blocks) - 1):
        h, exact, after = states[2 * i : 2 * i + 3]
        stride, channels = h.shape[1] // exact.shape[1], exact.shape[3]
        skipped = rounded_to_bf16(allconv.shortcut(h, stride=stride, channels=channels))
        branch, changed = exact - skipped, after != skipped
        first = (exact.shape[3] - architecture.stem) // 2  # the shortcut centres them
        stem = changed[..., first : first + architecture.stem]
        norm = np.linalg.norm(branch)
        found["branch"].append(norm / np.linalg.norm(h))
        found["changed"].append(changed.mean())
        found["changed_stem"].append(stem.mean())
        found["lost"].append(np.linalg.norm(after - exact) / norm)
    return found | {"gradient_error": _gradient_errors(net, rounded, x)}


def trained(kind, recipe, seed):
    """Train one net on the digits.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    recipe : identity_edu.train.recipes.Recipe
    seed : int

    Returns
    -------
    dict
        ``"loss"``, means over windows of `WINDOW` steps; and ``"accuracy"`` on the
        held-out part.
    """
    runner, losses = _descended(kind, recipe, seed)
    examples = load_data_set(recipe.name)
    right = runner.evaluate(examples.x_test).argmax(axis=1) == examples.labels_test
    windows = np.reshape(losses[: len(losses) // WINDOW * WINDOW], (-1, WINDOW))
    return {"loss": windows.mean(axis=1), "accuracy": right.mean()}


def travelled(kind, rate, seed):
    """Measure how far a few steps take the kernels of the blocks.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    rate : float > 0
    seed : int

    Returns
    -------
    float
        Distance from the start, relative to the length of the start.
    """
    recipe = replace(_recipe(), n_steps=TRAVEL_STEPS, learning_rate=rate, drops=())
    start = _start(kind, recipe, seed).params
    end = _descended(kind, recipe, seed)[0].net.params
    names = [name for name in start if name.startswith("blocks")]
    moved = sum(np.sum((end[name] - start[name]) ** 2.0) for name in names)
    return float((moved / sum(np.sum(start[name] ** 2.0) for name in names)) ** 0.5)


def summary(found):
    """Reduce what was measured to the numbers that the book prints.

    Parameters
    ----------
    found : dict
        From `measure`.

    Returns
    -------
    dict of str to float
        Shares of entries and of lengths, errors, losses at the end, and how many times
        farther weights in float32 get, by the names that chapter 12 uses.
    """
    near, wide = found["blocks"][STARTS[0]], found["wide_stem"]
    first = slice(1, allconv.CIFAR10.stages[0].n_blocks)  # that keep the shape
    ends = {
        kind: np.mean([run["loss"][-1] for run in runs])
        for kind, runs in found["runs"].items()
    }
    kept, rounded = (np.mean(found["travel"][kind], axis=1) for kind in KINDS[1:])
    return {
        "stem-low": min(near["changed_stem"][first]),
        "stem-high": max(near["changed_stem"][first]),
        "near-first": np.median(near["changed"][first]),
        "near-last": near["changed"][-1],
        "near-lost": np.median(near["lost"][first]),
        "wide-changed": np.median(wide["changed"][first]),
        "wide-lost": np.median(wide["lost"][first]),
        "gradient-middle": np.median(near["gradient_error"]),
        "gradient-inner": max(near["gradient_error"][1:]),
        "gradient-stem": near["gradient_error"][0],
        "loss-float32": ends[KINDS[0]],
        "loss-bf16": ends[KINDS[1]],
        "loss-weights": ends[KINDS[2]],
        "behind-recipe": (kept / rounded)[RATES.index(recipes.DIGITS.learning_rate)],
        "behind-least": (kept / rounded)[-1],
    }


def _recipe():
    return recipes.adapted(recipes.DIGITS, width=WIDTH, n_steps=N_STEPS)


def _start(kind, recipe, seed):
    """Draw a net, its weights rounded where they are kept so."""
    rng = np.random.default_rng([seed, INIT])
    net = allconv.init_net(rng, recipe.architecture, init=recipe.init)
    if kind == KINDS[2]:
        _round(net.params)
    return net


def _descended(kind, recipe, seed):
    """Take all steps of a recipe; return what ran the net, and the losses."""
    net, examples = _start(kind, recipe, seed), load_data_set(recipe.name)
    runner = Runner(net if kind == KINDS[0] else in_bf16(net))
    optimiser = SGD(
        net.params,
        recipe.rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
    )
    losses = []
    for t in range(recipe.n_steps):
        x, labels = training_batch(examples, recipe, seed=seed, step=t)
        losses.append(loop.step(runner, x, labels, optimiser)[0])
        if kind == KINDS[2]:
            _round(net.params)
    return runner, losses


def _round(params):
    for W in params.values():
        W[...] = rounded_to_bf16(W)


def _rounded(layer):
    """Follow a ReLU by rounding; let a convolution use rounded kernels."""
    if not layer.params:
        return layer, ROUNDING

    def forward(h, W):
        return layer.forward(h, rounded_to_bf16(W))

    def backward(delta, h, W):
        return layer.backward(delta, h, rounded_to_bf16(W))

    return (Layer(forward, backward, layer.params),)


def _round_backward(delta, _h):
    return rounded_to_bf16(delta)


ROUNDING = Layer(rounded_to_bf16, _round_backward)


def _pictures():
    """Enlarge four held-out digits to the size of CIFAR-10, and standardise them."""
    x = np.kron(data.split_digit_images()[2][:4], np.ones((1, 4, 4, 3), np.float32))
    return rounded_to_bf16((x - x.mean()) / x.std())


def _gradient_errors(net, rounded, x):
    """Compare the gradients of half the squared distance of the scores from 1."""
    grads = []
    for one in (net, rounded):
        output, cache = nets.forward(one, x)
        grads.append(nets.backward(one, cache, output - 1))
    exact, ours = grads
    return [
        np.linalg.norm(ours[name] - exact[name]) / np.linalg.norm(exact[name])
        for name in exact
    ]
