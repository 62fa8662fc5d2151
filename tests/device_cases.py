"""A call of every public function of the theory that takes arrays.

`CASES` names the function and holds the call, on a small problem: `t` moves an array to
the device, and random numbers are drawn on the host. What comes out is one of a kind:
no basis of a space, no sign of a singular vector. `EXEMPT` says why others are absent.
"""

import numpy as np

from identity_edu import data, factorization, factors, linear, memorization, nets, relu

MODULES = {
    "factorization": factorization,
    "factors": factors,
    "linear": linear,
    "memorization": memorization,
    "relu": relu,
}
NUMBERS, HOST, RECORD = "takes numbers", "draws on the host", "a record or an error"
EXEMPT = {
    "factorization.Part": RECORD,
    "factors.Factor": RECORD,
    "linear.Descent": RECORD,
    "memorization.MarginError": RECORD,
    "memorization.MemorizingBlock": RECORD,
    "memorization.random_projection": HOST,
    "memorization.sufficient_width": NUMBERS,
    "memorization.surrogate_labels": HOST,
    "relu.dense_block": NUMBERS,
    "relu.init_net": HOST,
    "relu.residual_block": NUMBERS,
}


def normal(t, *shape, seed=0):
    """Draw an array and move it."""
    return t(np.random.default_rng(seed).standard_normal(shape))


def problem(t):
    """Residual matrices, a target and a second moment."""
    rng = np.random.default_rng(1)
    R, Sigma = data.linear_problem(rng, 4)
    return t(0.1 * rng.standard_normal((3, 4, 4))), t(R), t(Sigma)


def target(t):
    return t(data.random_map(np.random.default_rng(2), 6, condition=5.0))


def descent(t, **settings):
    """Where a run of gradient descent ends, and its history, which is the host's."""
    run = linear.gradient_descent(*problem(t), n_steps=30, **settings)
    history = run.excess_risk.tolist() + run.max_spectral_norm.tolist()
    return run.A, history, run.outcome


def net_and_batch(t):
    """A residual ReLU net, five inputs and a gradient at its output."""
    net = relu.init_net(np.random.default_rng(4), [4, 4, 6, 3], n_outputs=2, init="he")
    params = {name: t(array) for name, array in net.params.items()}
    net = nets.Net(net.blocks, params)
    return net, normal(t, 5, 4), normal(t, 5, 2, seed=5)


def passed(t):
    """A net with its output, its cache and a gradient at the output."""
    net, X, grad = net_and_batch(t)
    output, cache = nets.forward(net, X)
    return net, output, cache, grad


def sample(t):
    rng = np.random.default_rng(6)
    X = memorization.unit_rows(rng.standard_normal((12, 20)))
    return t(X), t(rng.integers(3, size=12))


def memorized(t):
    X, labels = sample(t)
    rng = np.random.default_rng(7)
    net, margin = memorization.memorize(X, labels, n_classes=3, width=8, rng=rng)
    return net, margin, X


def factor_values(factor):
    root = factor.root_minus_identity(3)
    return factor.amount, factor.layers_needed(0.1), factor.norm(2), root


def two_factors(t):
    U, s, Vt = np.linalg.svd(target(np.asarray))
    Q = t(U @ Vt)
    return factors.stretch_factor(t(Vt.T), t(s)), factors.rotation_factor(Q)


def rotation(t):
    """A rotation by general angles and by two half turns."""
    rng = np.random.default_rng(3)
    S, Q = data.random_rotation(rng, 9), np.eye(9)
    Q[:5, :5] = data.random_rotation(rng, 5)
    Q[5:, 5:] *= -1.0
    return t(S @ Q @ S.T)


def backward(t):
    """The gradient, and what a watcher of the backward pass is shown."""
    net, _, cache, grad = passed(t)
    seen = []
    return nets.backward(net, cache, grad, lambda i, g: seen.append(g)), seen


def backward_sweep(t):
    net, _, cache, grad = passed(t)
    return list(nets.backward_sweep(net, cache, grad))


CASES = {
    "factorization.compose_parts": lambda t: factorization.compose_parts(
        factorization.near_identity_parts(target(t), 40, method="svd")
    ),
    "factorization.flip_determinant": lambda t: factorization.flip_determinant(
        target(t)
    ),
    "factorization.log_condition": lambda t: factorization.log_condition(target(t)),
    "factorization.near_identity_factorization": lambda t: (
        factorization.near_identity_factorization(target(t), 12)
    ),
    "factorization.near_identity_parts": lambda t: [
        factorization.near_identity_parts(t(R), n_layers)
        for R in (target(np.asarray), np.eye(3))
        for n_layers in (1, 2, 12)
    ],
    "factorization.norm_bound": lambda t: factorization.norm_bound(target(t), 9),
    "factors.rotation_factor": lambda t: factor_values(
        factors.rotation_factor(rotation(t))
    ),
    "factors.share_layers": lambda t: factors.share_layers(two_factors(t), 20),
    "factors.stretch_factor": lambda t: factor_values(two_factors(t)[0]),
    "linear.descend": lambda t: next(linear.descend(*problem(t), step_size=0.1)),
    "linear.excess_risk": lambda t: linear.excess_risk(*problem(t)),
    "linear.excess_risk_gradient": lambda t: linear.excess_risk_gradient(*problem(t)),
    "linear.gradient_descent": lambda t: [
        descent(t, step_size=0.01),
        descent(t, step_size=10.0),
        descent(t, step_size=0.01, tol=1e9),
    ],
    "linear.gradient_norm_bound": lambda t: linear.gradient_norm_bound(*problem(t)),
    "linear.max_spectral_norm": lambda t: linear.max_spectral_norm(problem(t)[0]),
    "linear.network_map": lambda t: linear.network_map(problem(t)[0]),
    "linear.population_risk_sample": lambda t: linear.population_risk_sample(
        *problem(t), 50, np.random.default_rng(9)
    ),
    "memorization.memorize": lambda t: (memorized(t)[0].params, memorized(t)[1]),
    "memorization.memorizing_block": lambda t: memorization.memorizing_block(
        sample(t)[0], t(np.array([7, 2, 5])), normal(t, 3, 20)
    ),
    "memorization.n_parameters": lambda t: memorization.n_parameters(memorized(t)[0]),
    "memorization.predict": lambda t: memorization.predict(*memorized(t)[::2]),
    "memorization.unit_rows": lambda t: memorization.unit_rows(normal(t, 4, 3)),
    "relu.backward": backward,
    "relu.backward_sweep": backward_sweep,
    "relu.block_states": lambda t: relu.block_states(*passed(t)[1:3]),
    "relu.evaluate": lambda t: relu.evaluate(*net_and_batch(t)[:2], batch_size=2),
    "relu.forward": lambda t: relu.forward(*net_and_batch(t)[:2])[0],
    "relu.n_parameters": lambda t: relu.n_parameters(net_and_batch(t)[0]),
    "relu.predict": lambda t: relu.predict(*net_and_batch(t)[:2]),
}
