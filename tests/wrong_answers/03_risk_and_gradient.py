"""Mistakes that the graders of assignment 03 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

WRONG_ANSWERS = {
    "shifted-answer": [
        WrongAnswer(
            "forgets-the-mean",
            """
def shifted_risk(E, C, mu, Gamma):
    return np.sum((E @ C) * E) + np.trace(Gamma)
""",
            r"mean of the input is missing",
        ),
        WrongAnswer(
            "forgets-the-noise",
            """
def shifted_risk(E, C, mu, Gamma):
    return np.sum((E @ (C + np.outer(mu, mu))) * E)
""",
            r"noise is missing",
        ),
        WrongAnswer(
            "white-floor",
            """
def shifted_risk(E, C, mu, Gamma):
    return np.sum((E @ (C + np.outer(mu, mu))) * E) + len(E)
""",
            r"not white",
        ),
        WrongAnswer(
            "error-transposed",
            """
def shifted_risk(E, C, mu, Gamma):
    return np.trace(E.T @ (C + np.outer(mu, mu)) @ E) + np.trace(Gamma)
""",
            r"acts on x from the left",
        ),
        WrongAnswer(
            "mean-not-mapped",
            """
def shifted_risk(E, C, mu, Gamma):
    return np.sum((E @ C) * E) + mu @ mu + np.trace(Gamma)
""",
            r"passes through E as well",
        ),
        WrongAnswer(
            "changes-its-input",
            """
def shifted_risk(E, C, mu, Gamma):
    C += np.outer(mu, mu)
    return np.sum((E @ C) * E) + np.trace(Gamma)
""",
            r"argument number 2 in place",
        ),
    ],
    "shifted-why-answer": [
        WrongAnswer("says-nine", "shifted_why = 9", r"only through E mu"),
        WrongAnswer("says-three", "shifted_why = 3", r"only through E mu"),
        WrongAnswer("says-zero", "shifted_why = 0", r"risk vanishes"),
    ],
    "tied-answer": [
        WrongAnswer(
            "first-layer-only",
            """
def tied_gradient(B, n_layers, R, Sigma):
    return linear.excess_risk_gradient(np.stack([B] * n_layers), R, Sigma)[0]
""",
            r"first layer alone",
        ),
        WrongAnswer(
            "times-the-first",
            """
def tied_gradient(B, n_layers, R, Sigma):
    M = np.eye(len(B)) + B
    E = np.linalg.matrix_power(M, n_layers) - R
    return n_layers * 2 * np.linalg.matrix_power(M, n_layers - 1).T @ E @ Sigma
""",
            r"contribute differently",
        ),
        WrongAnswer(
            "forgotten-transposes",
            """
def tied_gradient(B, n_layers, R, Sigma):
    M = np.eye(len(B)) + B
    P = [np.linalg.matrix_power(M, i) for i in range(n_layers + 1)]
    E = 2 * (P[-1] - R) @ Sigma
    return sum(P[n_layers - 1 - i] @ E @ P[i] for i in range(n_layers))
""",
            r"transposed factors",
        ),
        WrongAnswer(
            "difference-quotient",
            """
def tied_gradient(B, n_layers, R, Sigma):
    return numerics.difference_gradient(
        lambda M: linear.excess_risk(np.stack([M] * n_layers), R, Sigma), B, 1e-4
    )
""",
            r"entry \[",
        ),
        WrongAnswer(
            "half-the-square",
            """
def tied_gradient(B, n_layers, R, Sigma):
    grads = linear.excess_risk_gradient(np.stack([B] * n_layers), R, Sigma)
    return 0.5 * grads.sum(0)
""",
            r"0\.5 times",
        ),
        WrongAnswer(
            "transposed",
            """
def tied_gradient(B, n_layers, R, Sigma):
    grads = linear.excess_risk_gradient(np.stack([B] * n_layers), R, Sigma)
    return grads.sum(0).T
""",
            r"transposed",
        ),
        WrongAnswer(
            "four-layers-always",
            """
def tied_gradient(B, n_layers, R, Sigma):
    return linear.excess_risk_gradient(np.stack([B] * 4), R, Sigma).sum(0)
""",
            r"entry \[\d, \d\]|not right|wrong factor",
        ),
    ],
    "tied-why-answer": [
        WrongAnswer("says-minus-four", "tied_why = -4", r"how many factors"),
        WrongAnswer("says-minus-48", "tied_why = -48", r"how many factors"),
        WrongAnswer("says-a-word", 'tied_why = "zero"', r"must be a number"),
    ],
    "bottleneck-answer": [
        WrongAnswer(
            "swapped-pair",
            """
def bottleneck_gradients(U, V, G):
    return G @ U.T, V.T @ G
""",
            r"order \(U, V\)",
        ),
        WrongAnswer(
            "gradient-transposed",
            """
def bottleneck_gradients(U, V, G):
    return V.T @ G.T, G.T @ U.T
""",
            r"G is transposed",
        ),
        WrongAnswer(
            "second-transposed",
            """
def bottleneck_gradients(U, V, G):
    return V.T @ G, U @ G.T
""",
            r"must have shape",
        ),
        WrongAnswer(
            "normalised",
            """
def bottleneck_gradients(U, V, G):
    return V.T @ G / np.linalg.norm(V), G @ U.T
""",
            r"wrong factor|entry",
        ),
    ],
    "bottleneck-why-answer": [
        WrongAnswer("says-a", 'bottleneck_why = "a"', r"put V = 0"),
        WrongAnswer("says-c", 'bottleneck_why = "c"', r"put V = 0"),
        WrongAnswer("says-d", 'bottleneck_why = "D"', r"put V = 0"),
        WrongAnswer("says-a-number", "bottleneck_why = 2", r"one of the letters"),
    ],
    "suspect-answer": [
        WrongAnswer(
            "always-accuses",
            """
def suspect_layer(claimed, directions, ahead, behind, steps):
    slopes = (ahead - behind) / (2 * steps)
    errors = np.abs(slopes - np.sum(claimed * directions, axis=(1, 2))[:, None])
    return int(np.argmax(errors[:, -1]))
""",
            r"all four claims are right",
        ),
        WrongAnswer(
            "first-step-only",
            """
def suspect_layer(claimed, directions, ahead, behind, steps):
    slopes = (ahead[:, 0] - behind[:, 0]) / (2 * steps[0])
    errors = np.abs(slopes - np.sum(claimed * directions, axis=(1, 2)))
    return int(np.argmax(errors)) if errors.max() > 1.0 else -1
""",
            r"nobody is accused|falls as it should|all four",
        ),
        WrongAnswer(
            "absolute-threshold",
            """
def suspect_layer(claimed, directions, ahead, behind, steps):
    slopes = (ahead - behind) / (2 * steps)
    errors = np.abs(slopes - np.sum(claimed * directions, axis=(1, 2))[:, None])
    return int(np.argmax(errors[:, -1])) if errors[:, -1].max() > 1e-3 else -1
""",
            r"with losses of order",
        ),
        WrongAnswer(
            "one-step-relative-tolerance",
            """
def suspect_layer(claimed, directions, ahead, behind, steps):
    slopes = (ahead - behind)[:, -1] / (2 * steps[-1])
    promised = np.sum(claimed * directions, axis=(1, 2))
    errors = np.abs(slopes - promised) / np.abs(promised)
    return int(np.argmax(errors)) if errors.max() > 0.01 else -1
""",
            r"Judge by how the error shrinks",
        ),
        WrongAnswer(
            "half-is-enough",
            """
def suspect_layer(claimed, directions, ahead, behind, steps):
    slopes = (ahead - behind) / (2 * steps)
    errors = np.abs(slopes - np.sum(claimed * directions, axis=(1, 2))[:, None])
    shrink = errors[:, -1] / errors[:, 0]
    return int(np.argmax(shrink)) if shrink.max() > 0.5 else -1
""",
            r"nobody is accused|Judge by how the error shrinks",
        ),
        WrongAnswer(
            "forgets-the-half",
            """
def suspect_layer(claimed, directions, ahead, behind, steps):
    slopes = (ahead - behind) / steps
    errors = np.abs(slopes - np.sum(claimed * directions, axis=(1, 2))[:, None])
    shrink = errors[:, -1] / errors[:, 0]
    return int(np.argmax(shrink)) if shrink.max() > 0.1 else -1
""",
            r"all four claims are right.*divided by 2h|falls as it should",
        ),
        WrongAnswer(
            "counts-from-one",
            """
def suspect_layer(claimed, directions, ahead, behind, steps):
    slopes = (ahead - behind) / (2 * steps)
    errors = np.abs(slopes - np.sum(claimed * directions, axis=(1, 2))[:, None])
    shrink = errors[:, -1] / errors[:, 0]
    return int(np.argmax(shrink)) + 1 if shrink.max() > 0.1 else -1
""",
            r"count from 0",
        ),
    ],
}
