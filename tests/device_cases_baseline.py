"""Calls of `linear_baseline` and of the all-conv net's parts, as in `device_cases`."""

from dataclasses import replace

import numpy as np
from device_cases import HOST, NUMBERS, RECORD, normal

from identity_edu import allconv, nets
from identity_edu import linear_baseline as baseline

MODULES = {"allconv": allconv, "linear_baseline": baseline}
PARTS = "a description"
CPU = "for the CPU alone: it fuses, in threads"
EXEMPT = {
    "allconv.Architecture": PARTS,
    "allconv.AllConvNet": RECORD,
    "allconv.CIFAR10": PARTS,
    "allconv.CIFAR100": PARTS,
    "allconv.Convolution": PARTS,
    "allconv.DIGITS": PARTS,
    "allconv.FusedRunner": CPU,
    "allconv.IMAGENET": PARTS,
    "allconv.INITS": PARTS,
    "allconv.Stage": PARTS,
    "allconv.init_net": HOST,
    "allconv.residual_block": PARTS,
    "linear_baseline.Curvature": RECORD,
    "linear_baseline.Inner": RECORD,
    "linear_baseline.LinearFit": RECORD,
    "linear_baseline.Loss": RECORD,
    "linear_baseline.OnlineRun": RECORD,
    "linear_baseline.Problem": RECORD,
    "linear_baseline.Stationarity": RECORD,
    "linear_baseline.bad_minimum": HOST,
    "linear_baseline.best_iterate_gap": NUMBERS,
    "linear_baseline.readout_net": HOST,
    "linear_baseline.regret_bound": NUMBERS,
    "linear_baseline.stationary_gap": NUMBERS,
}
SQUARED = baseline.SQUARED
SMALL = allconv.Architecture(
    (6, 5, 2), (allconv.Stage(1, 4), allconv.Stage(2, 6, 2)), n_classes=3, stem=4
)


def all_conv(t):
    """A small all-conv net, its read-out moved as well, with a batch of images."""
    net = allconv.init_net(np.random.default_rng(0), SMALL, dtype=np.float64)
    blocks = (*net.blocks[:-1], allconv.readout_block(t(net.readout)))
    params = {name: t(W) for name, W in net.params.items()}
    return replace(net, params=params, blocks=blocks), normal(t, 3, 6, 5, 2)


def all_conv_passes(t):
    net, x = all_conv(t)
    runner = allconv.runner(net, batch_size=3)
    output = runner.forward(x)
    return output, runner.backward(output), runner.block_states(), runner.evaluate(x)


def small_problem(t, loss=SQUARED, r=2):
    Y = normal(np.asarray, 20, r, seed=2)
    Y = np.where(Y > 0, 1.0, -1.0) if loss.has_signs else Y
    features = abs(normal(np.asarray, 20, 4, seed=1))
    return baseline.Problem(normal(t, 20, 3), t(features), t(Y), loss)


def point(t, r=2):
    return small_problem(t, r=r), normal(t, r, 3, seed=3), normal(t, 3, 4, seed=4)


def moved(t, n_outputs=1):
    """A net of one block with its read-out."""
    net = baseline.readout_net(np.random.default_rng(5), 3, 4, n_outputs=n_outputs)
    return nets.Net(net.blocks, {name: t(array) for name, array in net.params.items()})


def every_part(t, loss):
    """Value, derivatives and conjugate of a loss."""
    P, Y = normal(t, 6, 1), t(np.array([[1.0], [-1.0]] * 3))
    S = loss.slope(P, Y)
    parts = [loss.value(P, Y), S, loss.curvature(P, Y), loss.conjugate(S, Y)]
    return [*parts, loss.domain(Y), loss.peak(Y)]


def best(t, loss, ridge=0.0):
    problem = small_problem(t, loss, r=1)
    return baseline.best_linear(problem.X, problem.Y, loss, ridge=ridge)


def one_readout(t):
    return (*point(t, r=1), best(t, SQUARED).W)


def stream(t):
    return normal(t, 12, 3), normal(t, 12, seed=1)


def online(t):
    theta = normal(t, 4, 3, seed=2), normal(t, 4, seed=3)
    inner = baseline.Inner(theta, baseline.relu_features, lambda theta, *_: theta)
    return baseline.projected_sgd(
        stream(t), SQUARED, inner, radius=2.0, slope_bound=3.0
    )


def narrow(t):
    """One input, one feature, two outputs."""
    X, features = normal(t, 8, 1), normal(t, 8, 1, seed=1)
    return baseline.Problem(X, features, normal(t, 8, 2, seed=2), SQUARED)


def sample(t):
    return normal(t, 20, 3), normal(t, 20, 2, seed=1)


def curvature(found):
    """What does not depend on a direction's sign."""
    return found.value, found.dW @ found.dV


def fresh():
    return np.random.default_rng(6)


CASES = {
    "allconv.can_fuse": lambda t: allconv.can_fuse(all_conv(t)[0]),
    "allconv.global_average": lambda t: allconv.global_average(all_conv(t)[1]),
    "allconv.global_average_backward": lambda t: allconv.global_average_backward(
        normal(t, 3, 2), all_conv(t)[1]
    ),
    "allconv.readout_block": lambda t: nets.evaluate(*all_conv(t), batch_size=2),
    "allconv.runner": all_conv_passes,
    "allconv.shortcut": lambda t: [
        allconv.shortcut(all_conv(t)[1], stride=2, channels=c) for c in (1, 5)
    ],
    "allconv.shortcut_backward": lambda t: allconv.shortcut_backward(
        normal(t, 3, 3, 3, 5), all_conv(t)[1], stride=2
    ),
    "linear_baseline.LOGISTIC": lambda t: every_part(t, baseline.LOGISTIC),
    "linear_baseline.SQUARED": lambda t: every_part(t, SQUARED),
    "linear_baseline.best_linear": lambda t: [
        vars(best(t, loss, ridge)) | {"n_steps": 0}  # rounding may add a step
        for loss in (SQUARED, baseline.LOGISTIC, baseline.pseudo_huber(0.5))
        for ridge in (0.0, 0.1)
    ],
    "linear_baseline.descend": lambda t: list(
        baseline.descend(moved(t, 2), sample(t), SQUARED, rate=0.01, n_steps=5)
    ),
    "linear_baseline.direction_length": lambda t: baseline.direction_length(
        *one_readout(t)[1:]
    ),
    "linear_baseline.direction_to": lambda t: baseline.direction_to(
        *one_readout(t)[1:]
    ),
    "linear_baseline.escape_direction": lambda t: curvature(
        baseline.escape_direction(
            small_problem(t, r=1), t(np.zeros((1, 3))), point(t)[2]
        )
    ),
    "linear_baseline.excess_bound": lambda t: baseline.excess_bound(*one_readout(t)),
    "linear_baseline.gradient": lambda t: baseline.gradient(*point(t)),
    "linear_baseline.gradient_norm": lambda t: baseline.gradient_norm(*point(t)),
    "linear_baseline.gradient_norm_bound": lambda t: baseline.gradient_norm_bound(
        *one_readout(t)
    ),
    "linear_baseline.hessian": lambda t: baseline.hessian(*point(t)),
    "linear_baseline.hessian_product": lambda t: baseline.hessian_product(
        *point(t), *point(t)[1:]
    ),
    "linear_baseline.linear_objective": lambda t: baseline.linear_objective(
        *point(t)[:2]
    ),
    "linear_baseline.lipschitz_constants": lambda t: baseline.lipschitz_constants(
        small_problem(t, r=1), 2.0
    ),
    "linear_baseline.lower_bound": lambda t: baseline.lower_bound(
        normal(t, 20, 3), normal(t, 20, 1, seed=2), SQUARED, normal(t, 20, 1, seed=3)
    ),
    "linear_baseline.objective": lambda t: baseline.objective(*point(t)),
    "linear_baseline.pair_norm": lambda t: baseline.pair_norm(*point(t)[1:]),
    "linear_baseline.predictions": lambda t: baseline.predictions(*point(t)),
    "linear_baseline.problem_of": lambda t: baseline.problem_of(
        moved(t, 2), *sample(t), SQUARED
    )[1:],
    "linear_baseline.profile": lambda t: baseline.profile(
        narrow(t), t(np.array([-1.0, 0.5, 2.0]))
    ),
    "linear_baseline.project": lambda t: baseline.project(
        normal(t, 3), normal(t, 4), 0.1
    ),
    "linear_baseline.projected_sgd": online,
    "linear_baseline.pseudo_huber": lambda t: every_part(t, baseline.pseudo_huber(0.5)),
    "linear_baseline.readout_curvature": lambda t: baseline.readout_curvature(
        *point(t), fresh()
    ),
    "linear_baseline.regret": lambda t: baseline.regret(
        online(t), stream(t), SQUARED, normal(t, 3)
    ),
    "linear_baseline.relu_features": lambda t: baseline.relu_features(
        (normal(t, 4, 3), normal(t, 4)), normal(t, 5, 3)
    ),
    "linear_baseline.silence": lambda t: (
        baseline.silence(moved(t), 2.0, n_units=2).params
    ),
    "linear_baseline.slope_moment": lambda t: baseline.slope_moment(*point(t)),
    "linear_baseline.smallest_curvature": lambda t: (
        baseline.smallest_curvature(*point(t), fresh()).value
    ),
    "linear_baseline.stationarity": lambda t: baseline.stationarity(*point(t), fresh()),
    "linear_baseline.weighted": lambda t: every_part(
        t, baseline.weighted(SQUARED, t(np.arange(6.0)[:, None]))
    ),
    "linear_baseline.zero_readout_bound": lambda t: baseline.zero_readout_bound(
        small_problem(t, r=1), point(t)[2], best(t, SQUARED).W, fresh()
    ),
}
