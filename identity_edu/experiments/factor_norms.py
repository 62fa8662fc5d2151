"""How exact and how small near-identity layers are, over the whole promised range.

Widths 1 to 33 with 1 to 1,024 layers and condition numbers up to 1e8, special maps
with up to a million layers, and maps of width 512 and 1,024; each by both routes.
Shown in chapter 05.
"""

import math

import numpy as np

from identity_edu import data, factorization

SEEDS = [5]
METHODS = ("polar", "svd")
DEPTHS = (1, 2, 3, 4, 5, 8, 21, 64, 257, 1024)


def measure():
    """Return the worst error and the worst norms of each family, and one curve."""
    rng = np.random.default_rng(SEEDS[0])
    families = {
        "grid": _random_maps(rng),
        "special": _special_maps(rng),
        "large": _large_maps(rng),
    }
    worst = {name: _worst(family) for name, family in families.items()}
    return {"worst": worst, "curve": _curve(rng)}


def _random_maps(rng):
    """Yield (R, n_layers) for every width, depth and condition."""
    for d in range(1, 34):
        for n_layers in DEPTHS:
            for condition in (1.0, 10.0, 10 ** rng.uniform(0, 8), 1e8):
                yield data.random_map(rng, d, condition=condition), n_layers


def _special_maps(rng):
    """Yield the maps on which a careless construction stumbles."""
    maps = [np.eye(5), 2 * np.eye(5), -np.eye(2), -np.eye(8), np.eye(4)[[1, 0, 3, 2]]]
    maps += [np.roll(np.eye(7), 1, axis=0), np.diag([1e4, 1, 1, 1e-4])]
    maps += [data.random_covariance(rng, 6, condition=1e4)]
    for angles in ([5e-10], [np.pi - 5e-10], [np.pi, np.pi], [2.6, 2.6, 3.0]):
        maps.append(_rotation(rng, 9, angles))
    maps.append(_rotation(rng, 6, [1.0, 2.0]) @ np.diag([3.0, 3, 3, 1, 1, 0.5]))
    for R in maps:
        for n_layers in (5, 32, 1024, 10**6):
            yield R, n_layers


def _large_maps(rng):
    """Yield maps of the sizes at which speed is promised too."""
    for d, condition in ((512, 100.0), (512, 1e8), (1024, 10.0)):
        R = data.random_map(rng, d, condition=condition)
        for n_layers in (8, 64):
            yield R, n_layers


def _rotation(rng, d, angles):
    """Turn by the given angles in random orthogonal planes."""
    S, D = data.random_rotation(rng, d), np.eye(d)
    for i, theta in enumerate(angles):
        plane = slice(2 * i, 2 * i + 2)
        c, s = np.cos(theta), np.sin(theta)
        D[plane, plane] = [[c, -s], [s, c]]
    return S @ D @ S.T


def _worst(family):
    """Factor every map both ways, and keep the worst of each figure."""
    rows = [_factor(R, n_layers) for R, n_layers in family]
    found = {"n_maps": len(rows)}
    for key in rows[0]:
        found[key] = max(row[key] for row in rows)
    return found


def _factor(R, n_layers):
    """Return errors relative to the norm of R, and norms relative to the promises."""
    s = np.linalg.svd(R, compute_uv=False)
    gamma = max(abs(math.log(s[0])), abs(math.log(s[-1])))
    is_deep = n_layers >= 3 + 2 * math.pi + 1.5 * gamma  # what the theorem asks for
    found, norms = {}, {}
    for method in METHODS:
        parts = factorization.near_identity_parts(R, n_layers, method=method)
        product = factorization.compose_parts(parts)
        found[f"error_{method}"] = np.linalg.norm(product - R) / s[0]
        norms[method] = max(np.linalg.norm(part.residual, 2) for part in parts)
        promised = max(part.norm for part in parts)
        found[f"over_promise_{method}"] = norms[method] / promised if promised else 0.0
        over_bound = norms[method] * n_layers / (4 * math.pi + 3 * gamma)
        found[f"over_bound_{method}"] = over_bound if is_deep else 0.0
    is_compared = n_layers >= 3 and norms["svd"] > 0
    found["polar_over_svd"] = norms["polar"] / norms["svd"] if is_compared else 0.0
    return found


def _curve(rng):
    """Return the norms for one map against the number of layers, with both bounds."""
    R = data.random_map(rng, 8, condition=100.0)
    n_layers = np.unique(np.round(np.geomspace(3, 1024, 40)).astype(int))
    curve = {"d": len(R), "gamma": factorization.log_condition(R)}
    curve["n_layers"] = n_layers
    for method in METHODS:
        curve[method] = [
            max(
                np.linalg.norm(part.residual, 2)
                for part in factorization.near_identity_parts(R, n, method=method)
            )
            for n in n_layers.tolist()
        ]
    curve["bound"] = [factorization.norm_bound(R, n) for n in n_layers.tolist()]
    curve["least"] = _least_norm(R, n_layers)
    parts = factorization.near_identity_parts(R, int(n_layers[-1]))
    curve["counts"] = [part.count for part in parts]
    return curve


def _least_norm(R, n_layers):
    """Return what no factorization can beat: stretch, shrink and turn."""
    U, s, Vt = np.linalg.svd(R)
    # R maps the right singular vector v_i to a multiple of u_i.
    turned = np.arccos(np.clip(np.sum(U * Vt.T, axis=0), -1.0, 1.0)).max()
    grow = np.expm1(np.log(s[0]) / n_layers)
    shrink = -np.expm1(np.log(s[-1]) / n_layers)
    turn = np.sin(np.minimum(turned / n_layers, np.pi / 2))
    return np.maximum(np.maximum(grow, shrink), turn)
