"""Calls of what the theory stands on and of the other themes, as in `device_cases`."""

import numpy as np
from device_cases import (
    HOST,
    NUMBERS,
    RECORD,
    backward,
    backward_sweep,
    net_and_batch,
    normal,
    passed,
    problem,
    rotation,
)

from identity_edu import (
    lanczos,
    linalg,
    nets,
    norm_preservation,
    numerics,
    ops,
    optim,
    procrustes,
)
from identity_edu.conv import direct, spectrum

MODULES = {
    "conv.direct": direct,
    "conv.spectrum": spectrum,
    "lanczos": lanczos,
    "linalg": linalg,
    "nets": nets,
    "norm_preservation": norm_preservation,
    "numerics": numerics,
    "ops": ops,
    "optim": optim,
    "procrustes": procrustes,
}
EXEMPT = {
    "lanczos.Ritz": RECORD,
    "linalg.Rotation": RECORD,
    "nets.Block": RECORD,
    "nets.Layer": RECORD,
    "nets.Net": RECORD,
    "nets.look_away": "looks at nothing",
    "norm_preservation.composed_bound": NUMBERS,
    "optim.step_decay": NUMBERS,
    "procrustes.procrustes_net": HOST,
    "procrustes.projection_of": NUMBERS,
    "procrustes.transition_scale": NUMBERS,
}


def kernel(t):
    return normal(t, 3, 3, 3, 4)


def images(t):
    return normal(t, 2, 5, 6, 3, seed=8)


def wide(t):
    return normal(t, 2, 3, 5)


def tall(t):
    return normal(t, 5, 3)


def gram(t):
    K = wide(t)
    return K @ K.swapaxes(-1, -2)


def bowl(x):
    return (x**4).sum()


def predicted(t):
    return normal(t, 5, 4), normal(t, 5, 4, seed=1)


def eigenpair(t):
    """An eigenvalue with its vector, up to sign, and its residual's size."""
    Sigma = problem(t)[2]
    pair = lanczos.extreme_eigenpair(lambda v: Sigma @ v, normal(t, 4), n_steps=4)
    return pair.value, abs(pair.vector), pair.residual < 1e-12


def stepped(t):
    """Parameters after two steps with momentum and decay."""
    params = {"W": normal(t, 2, 3), "b": normal(t, 3)}
    grad = {"W": normal(t, 2, 3, seed=1), "b": normal(t, 3, seed=1)}
    descent = optim.SGD(params, 0.1, momentum=0.9, weight_decay=0.01)
    descent.step(grad)
    descent.step(grad)
    return params


def projected(t):
    """A kernel after the projection that training calls."""
    params = {"W": kernel(t)}
    procrustes.Projection({"W": (5, 6)}).project(params)
    return params


CASES = {
    "conv.direct.check_shapes": lambda t: direct.check_shapes(images(t), kernel(t), 2),
    "conv.direct.conv2d": lambda t: direct.conv2d(images(t), kernel(t), stride=2),
    "conv.direct.conv2d_backward": lambda t: direct.conv2d_backward(
        normal(t, 2, 3, 3, 4), images(t), kernel(t), stride=2
    ),
    "conv.direct.conv2d_input_gradient": lambda t: direct.conv2d_input_gradient(
        normal(t, 2, 3, 3, 4), images(t), kernel(t), stride=2
    ),
    "conv.direct.output_size": lambda t: direct.output_size(images(t), 2),
    "conv.spectrum.circular_norm": lambda t: spectrum.circular_norm(kernel(t), (5, 6)),
    "conv.spectrum.circular_singular_values": lambda t: (
        spectrum.circular_singular_values(kernel(t), (5, 6))
    ),
    "conv.spectrum.operator_matrix": lambda t: [
        spectrum.operator_matrix(kernel(t), (4, 3), stride=2, padding=padding)
        for padding in spectrum.PADDINGS
    ],
    "conv.spectrum.operator_norm": lambda t: spectrum.operator_norm(
        kernel(t), (5, 6), stride=2
    ),
    "lanczos.extreme_eigenpair": eigenpair,
    "linalg.compose_minus_identity": lambda t: linalg.compose_minus_identity(
        normal(t, 3, 3), normal(t, 3, 3, seed=1)
    ),
    "linalg.layer_power": lambda t: [
        linalg.layer_power(scale * normal(t, 3, 3), 5) for scale in (1.0, 1e-4)
    ],
    "linalg.rotation_angles": lambda t: linalg.rotation_angles(rotation(t)).max_angle,
    "linalg.rotation_root_minus_identity": lambda t: [
        linalg.rotation_root_minus_identity(linalg.rotation_angles(t(Q)), 1)
        for Q in (rotation(np.asarray), -np.eye(4), np.eye(3))
    ],
    "linalg.spectral_norm": lambda t: linalg.spectral_norm(normal(t, 2, 3, 4)),
    "norm_preservation.backward_norms": lambda t: norm_preservation.backward_norms(
        *net_and_batch(t)
    ),
    "norm_preservation.backward_ratios": lambda t: norm_preservation.backward_ratios(
        abs(normal(t, 3, 2))
    ),
    "norm_preservation.block_bounds": lambda t: norm_preservation.block_bounds(
        *net_and_batch(t)[:2]
    ).tolist(),
    "norm_preservation.branch_bound": lambda t: norm_preservation.branch_bound(
        abs(normal(t, 3, 2)), lipschitz=0.5
    ),
    "norm_preservation.forward_norms": lambda t: norm_preservation.forward_norms(
        *net_and_batch(t)[:2]
    ),
    "norm_preservation.forward_ratios": lambda t: norm_preservation.forward_ratios(
        abs(normal(t, 3, 2))
    ),
    "norm_preservation.linear_backward_norms": lambda t: (
        norm_preservation.linear_backward_norms(problem(t)[0], normal(t, 2, 4))
    ),
    "numerics.central_difference": lambda t: numerics.central_difference(
        bowl, normal(t, 3), normal(t, 3, seed=1), 0.1
    ),
    "numerics.convergence_order": lambda t: numerics.convergence_order(
        bowl, 4 * normal(t, 3) ** 3, normal(t, 3), normal(t, 3, seed=1)
    )[0],
    "numerics.difference_gradient": lambda t: numerics.difference_gradient(
        bowl, normal(t, 3)
    ),
    "ops.dense": lambda t: ops.dense(normal(t, 5, 4), normal(t, 3, 4), normal(t, 3)),
    "ops.dense_backward": lambda t: ops.dense_backward(
        normal(t, 5, 3), normal(t, 5, 4), normal(t, 3, 4), normal(t, 3)
    ),
    "ops.relu": lambda t: ops.relu(normal(t, 5, 4)),
    "ops.relu_backward": lambda t: ops.relu_backward(
        normal(t, 5, 4), normal(t, 5, 4, seed=1)
    ),
    "ops.resize": lambda t: [ops.resize(normal(t, 5, 4), width) for width in (2, 6)],
    "ops.resize_backward": lambda t: ops.resize_backward(
        normal(t, 5, 6), normal(t, 5, 4)
    ),
    "ops.softmax": lambda t: ops.softmax(normal(t, 5, 4)),
    "ops.softmax_cross_entropy": lambda t: ops.softmax_cross_entropy(
        normal(t, 5, 4), t(np.arange(5) % 4)
    ),
    "ops.softmax_cross_entropy_backward": lambda t: ops.softmax_cross_entropy_backward(
        normal(t, 5, 4), t(np.arange(5) % 4)
    ),
    "ops.squared_loss": lambda t: ops.squared_loss(*predicted(t)),
    "ops.squared_loss_backward": lambda t: ops.squared_loss_backward(*predicted(t)),
    "optim.SGD": stepped,
    "nets.backward": backward,
    "nets.backward_sweep": backward_sweep,
    "nets.block_states": lambda t: nets.block_states(*passed(t)[1:3]),
    "nets.evaluate": lambda t: nets.evaluate(*net_and_batch(t)[:2], batch_size=2),
    "nets.forward": lambda t: nets.forward(*net_and_batch(t)[:2])[0],
    "nets.n_parameters": lambda t: nets.n_parameters(net_and_batch(t)[0]),
    "procrustes.Projection": projected,
    "procrustes.alternating_projection": lambda t: next(
        procrustes.alternating_projection(kernel(t), (5, 6))
    ),
    "procrustes.copy_channels": lambda t: procrustes.copy_channels(images(t)),
    "procrustes.copy_channels_backward": lambda t: procrustes.copy_channels_backward(
        normal(t, 2, 5, 6, 6), images(t)
    ),
    "procrustes.gram_inverse_root": lambda t: procrustes.gram_inverse_root(gram(t)),
    "procrustes.gram_newton_schulz": lambda t: [
        procrustes.gram_newton_schulz(K) for K in (wide(t), tall(t))
    ],
    "procrustes.l2_pool": lambda t: procrustes.l2_pool(images(t)),
    "procrustes.l2_pool_backward": lambda t: procrustes.l2_pool_backward(
        normal(t, 2, 3, 3, 3), images(t)
    ),
    "procrustes.nearest_isometry": lambda t: procrustes.nearest_isometry(tall(t)),
    "procrustes.newton_schulz": lambda t: [
        procrustes.newton_schulz(K) for K in (wide(t), tall(t))
    ],
    "procrustes.project_kernel": lambda t: [
        procrustes.project_kernel(W, (5, 6)) for W in (kernel(t), kernel(t)[:1, :1])
    ],
    "procrustes.spread": lambda t: procrustes.spread(kernel(t), (5, 6)),
    "procrustes.whiten": lambda t: [procrustes.whiten(K) for K in (wide(t), tall(t))],
}
