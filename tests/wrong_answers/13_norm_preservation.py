"""Mistakes that the graders of assignment 13 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

SWEEP = """
def leaky_ratios(U, V, alpha, H, g):
    ratios = np.empty(len(U))
    for i in reversed(range(len(U))):
        slopes = np.where(U[i] @ H[i] > 0, 1.0, alpha)
        back = g + U[i].T @ (slopes * (V[i].T @ g))
        ratios[i] = np.linalg.norm(back) / np.linalg.norm(g)
        g = back
    return ratios
"""
REACH = """
def reaching_block(h, g, delta, sign):
    direction = g / np.linalg.norm(g)
    if direction @ h < 0:
        direction = -direction
    U = direction[None, :]
    V = sign * delta * direction[:, None]
    return U, V
"""
CIRCLE = """
def bound_with_zeros(W, n):
    r = len(W) // 2
    offsets, largest = np.arange(-r, r + 1), 0.0
    for f in range(n + r):
        wave = np.exp(2j * np.pi * f * offsets / (n + r))
        W_hat = np.tensordot(wave, W, axes=1)
        largest = max(largest, np.linalg.norm(W_hat, 2))
    return largest
"""
MEAN = """
def typical_ratio(U, s, h, std):
    is_on = U @ h + s > 0
    added = std**2 * np.sum(U[is_on] ** 2)
    return np.sqrt(1.0 + added)
"""


def changed(source, old, new):
    """Put one mistake into a right answer."""
    assert source.count(old) == 1, f"{old!r} must stand there once."
    return source.replace(old, new)


WRONG_ANSWERS = {
    "sweep-answer": [
        WrongAnswer(
            "no-skip", changed(SWEEP, "back = g + U", "back = U"), r"branch alone"
        ),
        WrongAnswer(
            "relu-not-leaky",
            changed(SWEEP, "1.0, alpha", "1.0, 0.0"),
            r"passes something",
        ),
        WrongAnswer(
            "always-on", changed(SWEEP, "1.0, alpha", "1.0, 1.0"), r"which slope"
        ),
        WrongAnswer(
            "upside-down",
            changed(
                SWEEP,
                "np.linalg.norm(back) / np.linalg.norm(g)",
                "np.linalg.norm(g) / np.linalg.norm(back)",
            ),
            r"turn it round",
        ),
        WrongAnswer(
            "forward-order",
            changed(SWEEP, "reversed(range(len(U)))", "range(len(U))"),
            r"handed back",
        ),
        WrongAnswer(
            "same-gradient-everywhere",
            changed(SWEEP, "        g = back\n", ""),
            r"handed back",
        ),
        WrongAnswer(
            "reversed-result",
            changed(SWEEP, "return ratios", "return ratios[::-1]"),
            r"reverse order",
        ),
        WrongAnswer(
            "not-transposed",
            changed(
                SWEEP,
                "U[i].T @ (slopes * (V[i].T @ g))",
                "V[i] @ (slopes * (U[i] @ g))",
            ),
            r"transposes",
        ),
        WrongAnswer(
            "against-the-last",
            changed(
                changed(SWEEP, "np.linalg.norm(g)", "end"),
                "    ratios = np.empty(len(U))\n",
                "    ratios = np.empty(len(U))\n    end = np.linalg.norm(g)\n",
            ),
            r"output of that block",
        ),
        WrongAnswer(
            "kink-counts-as-on",
            changed(SWEEP, "@ H[i] > 0", "@ H[i] >= 0"),
            r"the ratios of",
        ),
    ],
    "sweep-why-answer": [
        WrongAnswer("slope-once", "sweep_why = 0.9", r"how many activations"),
        WrongAnswer("slope-thrice", "sweep_why = 0.6", r"how many activations"),
        WrongAnswer("no-slope", "sweep_why = 0.95", r"may lengthen"),
        WrongAnswer("ceiling", "sweep_why = 1.2", r"floor"),
    ],
    "reach-answer": [
        WrongAnswer(
            "unit-may-be-off",
            changed(
                REACH,
                "    if direction @ h < 0:\n        direction = -direction\n",
                "",
            ),
            r"no unit is on",
        ),
        WrongAnswer(
            "along-the-state",
            changed(
                changed(REACH, "g / np.linalg.norm(g)", "h / np.linalg.norm(h)"),
                "    if direction @ h < 0:\n        direction = -direction\n",
                "",
            ),
            r"stretch most",
        ),
        WrongAnswer(
            "not-normalised",
            changed(REACH, "g / np.linalg.norm(g)", "1.0 * g"),
            r"multiply to delta",
        ),
        WrongAnswer(
            "delta-twice",
            changed(REACH, "U = direction", "U = delta * direction"),
            r"multiply to delta",
        ),
        WrongAnswer(
            "forgets-the-sign",
            changed(REACH, "V = sign * delta", "V = delta"),
            r"look at the signs",
        ),
        WrongAnswer(
            "turns-only-one",
            changed(
                changed(REACH, "direction = -direction", "pass"),
                "U = direction[None, :]",
                "U = np.sign(direction @ h) * direction[None, :]",
            ),
            r"look at the signs",
        ),
        WrongAnswer(
            "transposed",
            changed(REACH, "return U, V", "return V, U"),
            r"must be \(k, 2\)",
        ),
        WrongAnswer(
            "vectors",
            changed(
                changed(REACH, "direction[None, :]", "direction"),
                "direction[:, None]",
                "direction",
            ),
            r"two indices",
        ),
    ],
    "reach-why-answer": [
        WrongAnswer("first-order-only", "reach_why = 0.01", r"second order"),
        WrongAnswer("second-order-only", "reach_why = 0.0025", r"J is not random"),
        WrongAnswer("along-u", "reach_why = 1.25", r"squared part"),
        WrongAnswer("not-minus-one", "reach_why = 1.0125", r"less 1"),
    ],
    "circle-answer": [
        WrongAnswer(
            "own-size",
            changed(
                changed(CIRCLE, "range(n + r)", "range(n)"),
                "offsets / (n + r)",
                "offsets / n",
            ),
            r"by how much larger",
        ),
        WrongAnswer(
            "too-large-a-circle",
            changed(
                changed(CIRCLE, "range(n + r)", "range(n + 2 * r)"),
                "offsets / (n + r)",
                "offsets / (n + 2 * r)",
            ),
            r"n \+ r pixels will do",
        ),
        WrongAnswer(
            "transform-cuts-the-kernel",
            """
def bound_with_zeros(W, n):
    W_hat = np.fft.fft(W, n + len(W) // 2, axis=0)
    return np.linalg.norm(W_hat, 2, axis=(1, 2)).max()
""",
            r"no tap may be lost",
        ),
        WrongAnswer(
            "true-norm",
            """
def bound_with_zeros(W, n):
    return np.linalg.norm(zeros_matrix(W, n), 2)
""",
            r"the norm itself",
        ),
        WrongAnswer(
            "reshaped",
            """
def bound_with_zeros(W, n):
    return np.linalg.norm(W.reshape(-1, W.shape[2]), 2)
""",
            r"reshaped kernel",
        ),
        WrongAnswer(
            "sum-of-norms",
            """
def bound_with_zeros(W, n):
    return sum(np.linalg.norm(tap, 2) for tap in W)
""",
            r"add the norms",
        ),
        WrongAnswer(
            "real-part",
            changed(
                CIRCLE,
                "np.exp(2j * np.pi * f * offsets / (n + r))",
                "np.cos(2 * np.pi * f * offsets / (n + r))",
            ),
            r"sine counts",
        ),
        WrongAnswer(
            "frobenius",
            changed(CIRCLE, "np.linalg.norm(W_hat, 2)", "np.linalg.norm(W_hat)"),
            r"Frobenius",
        ),
        WrongAnswer(
            "frequency-zero",
            changed(CIRCLE, "range(n + r)", "range(1)"),
            r"not the frequency 0 alone",
        ),
    ],
    "circle-why-answer": [
        WrongAnswer("reshaped", "circle_why = 0.09", r"reshaped"),
        WrongAnswer("one-kernel", "circle_why = 0.9", r"the branch has two"),
        WrongAnswer("sum", "circle_why = 1.8", r"multiplied"),
        WrongAnswer("one-tap", "circle_why = 0.01", r"nine taps"),
    ],
    "mean-answer": [
        WrongAnswer(
            "mean-square",
            changed(MEAN, "np.sqrt(1.0 + added)", "1.0 + added"),
            r"take the root",
        ),
        WrongAnswer("no-skip", changed(MEAN, "1.0 + added", "added"), r"branch alone"),
        WrongAnswer(
            "adds-lengths",
            changed(MEAN, "np.sqrt(1.0 + added)", "1.0 + np.sqrt(added)"),
            r"no mixed term",
        ),
        WrongAnswer("all-units", changed(MEAN, "U[is_on]", "U"), r"which units"),
        WrongAnswer(
            "no-thresholds", changed(MEAN, "U @ h + s > 0", "U @ h > 0"), r"thresholds"
        ),
        WrongAnswer(
            "largest-stretch",
            changed(
                MEAN,
                "np.sum(U[is_on] ** 2)",
                "np.linalg.norm(is_on[:, None] * U, 2) ** 2",
            ),
            r"largest stretch",
        ),
        WrongAnswer(
            "std-once",
            changed(MEAN, "std**2", "std"),
            r"deviation",
        ),
        WrongAnswer(
            "mean-over-units",
            changed(
                MEAN, "np.sum(U[is_on] ** 2)", "np.mean(np.sum(U[is_on] ** 2, axis=1))"
            ),
            r"not their mean",
        ),
        WrongAnswer(
            "one-draw",
            """
def typical_ratio(U, s, h, std):
    V = std * np.random.default_rng(0).standard_normal((U.shape[1], U.shape[0]))
    J = (V * (U @ h + s > 0)) @ U
    return np.sqrt(1 + np.sum(J**2) / U.shape[1])
""",
            r"std 1\.41",
        ),
    ],
    "mean-why-answer": [
        WrongAnswer("worst-case", "mean_why = 0.0025", r"square of b"),
        WrongAnswer("length", "mean_why = 0.0707", r"mean square"),
        WrongAnswer("one-block", "mean_why = 1.31", r"four hundred"),
        WrongAnswer("added", "mean_why = 0.0655", r"multiplied"),
    ],
}
