"""Mistakes that the graders of assignment 14 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

WRONG_ANSWERS = {
    "fit-answer": [
        WrongAnswer(
            "scale-one",
            """
def fit_transition(X, Y):
    U, s, Vt = np.linalg.svd(Y.T @ X, full_matrices=False)
    return U @ Vt
""",
            r"scale is free",
        ),
        WrongAnswer(
            "transposed",
            """
def fit_transition(X, Y):
    U, s, Vt = np.linalg.svd(X.T @ Y, full_matrices=False)
    return s.sum() / np.sum(X**2) * (U @ Vt)
""",
            r"yours is transposed",
        ),
        WrongAnswer(
            "nearest-to-least-squares",
            """
def fit_transition(X, Y):
    L = np.linalg.lstsq(X, Y, rcond=None)[0].T
    U, s, Vt = np.linalg.svd(L, full_matrices=False)
    return s.mean() * (U @ Vt)
""",
            r"fit the map of least squares",
        ),
        WrongAnswer(
            "direction-of-least-squares",
            """
def fit_transition(X, Y):
    L = np.linalg.lstsq(X, Y, rcond=None)[0].T
    U, s, Vt = np.linalg.svd(L, full_matrices=False)
    Q = U @ Vt
    return np.sum((X @ Q.T) * Y) / np.sum(X**2) * Q
""",
            r"third problem",
        ),
        WrongAnswer(
            "keeps-the-length-of-y",
            """
def fit_transition(X, Y):
    U, s, Vt = np.linalg.svd(Y.T @ X, full_matrices=False)
    return np.linalg.norm(Y) / np.linalg.norm(X) * (U @ Vt)
""",
            r"need not make X as long",
        ),
        WrongAnswer(
            "divides-by-the-length",
            """
def fit_transition(X, Y):
    U, s, Vt = np.linalg.svd(Y.T @ X, full_matrices=False)
    return s.sum() / np.linalg.norm(X) * (U @ Vt)
""",
            r"divide by a square",
        ),
        WrongAnswer(
            "no-isometry",
            """
def fit_transition(X, Y):
    return np.linalg.lstsq(X, Y, rcond=None)[0].T
""",
            r"diag\(3, 1\)",
        ),
        WrongAnswer(
            "forgets-to-transpose-v",
            """
def fit_transition(X, Y):
    U, s, Vt = np.linalg.svd(Y.T @ X, full_matrices=False)
    return s.sum() / np.sum(X**2) * (U @ Vt.T)
""",
            r"channels and \d+ pixels",
        ),
    ],
    "fit-why-answer": [
        WrongAnswer("explained", "fit_why = 0.8", r"it explains"),
        WrongAnswer("absolute", "fit_why = 2", r"not its share"),
        WrongAnswer("scale-one", "fit_why = 0.5", r"which scale is best"),
        WrongAnswer("nothing", "fit_why = 0", r"no single scale"),
    ],
    "stretch-answer": [
        WrongAnswer(
            "plain",
            """
def lower_end(smallest, n_steps):
    low = smallest
    for _ in range(n_steps):
        low = f(low)
    return low
""",
            r"plain steps",
        ),
        WrongAnswer(
            "always-the-root-of-three",
            """
def lower_end(smallest, n_steps):
    low = smallest
    for _ in range(n_steps):
        low = f(3**0.5 * low)
    return low
""",
            r"nothing to stretch",
        ),
        WrongAnswer(
            "one-stretch-for-all-steps",
            """
def lower_end(smallest, n_steps):
    low = smallest
    rho = np.sqrt(3 / (1 + low + low**2))
    for _ in range(n_steps):
        low = f(rho * low)
    return low
""",
            r"stretch of its own",
        ),
        WrongAnswer(
            "square-of-the-stretch",
            """
def lower_end(smallest, n_steps):
    low = smallest
    for _ in range(n_steps):
        low = f(3 / (1 + low + low**2) * low)
    return low
""",
            r"square of the stretch",
        ),
        WrongAnswer(
            "no-step",
            """
def lower_end(smallest, n_steps):
    low = smallest
    for _ in range(n_steps):
        low = np.sqrt(3 / (1 + low + low**2)) * low
    return low
""",
            r"where is the step",
        ),
        WrongAnswer(
            "search-on-a-grid",
            """
def lower_end(smallest, n_steps):
    low, grid = smallest, np.linspace(1, 3**0.5, 20001)
    for _ in range(n_steps):
        low = np.minimum(f(grid * low), f(grid)).max()
    return low
""",
            r"lower end after",
        ),
        WrongAnswer(
            "forgets-the-middle-term",
            """
def lower_end(smallest, n_steps):
    low = smallest
    for _ in range(n_steps):
        low = f(np.sqrt(3 / (1 + low + low**2)) * low) if low > 0.4 else f(3**0.5 * low)
    return low
""",
            r"lower end after",
        ),
    ],
    "stretch-why-answer": [
        WrongAnswer("plain", "stretch_why = 1.5", r"plain step"),
        WrongAnswer("stretch-alone", "stretch_why = 1.732", r"stretch alone"),
        WrongAnswer("squared", "stretch_why = 4.5", r"square of the stretch"),
    ],
    "pool-answer": [
        WrongAnswer(
            "forgets-the-sign",
            """
def pooled_gradient(g, x, side, p):
    groups = np.abs(x).reshape(-1, side)
    y = np.sum(groups**p, axis=1, keepdims=True) ** (1 / p)
    return (g[:, None] * (groups / y) ** (p - 1)).ravel()
""",
            r"below zero",
        ),
        WrongAnswer(
            "shares",
            """
def pooled_gradient(g, x, side, p):
    groups = x.reshape(-1, side)
    y = np.sum(np.abs(groups) ** p, axis=1, keepdims=True) ** (1 / p)
    return (g[:, None] * groups / y).ravel()
""",
            r"slopes of it",
        ),
        WrongAnswer(
            "forgets-the-outer-power",
            """
def pooled_gradient(g, x, side, p):
    groups = x.reshape(-1, side)
    slopes = np.sign(groups) * np.abs(groups) ** (p - 1)
    return (g[:, None] * slopes).ravel()
""",
            r"outer power",
        ),
        WrongAnswer(
            "too-large-by-p",
            """
def pooled_gradient(g, x, side, p):
    groups = x.reshape(-1, side)
    y = np.sum(np.abs(groups) ** p, axis=1, keepdims=True) ** (1 / p)
    slopes = p * np.sign(groups) * (np.abs(groups) / y) ** (p - 1)
    return (g[:, None] * slopes).ravel()
""",
            r"too large by p",
        ),
        WrongAnswer(
            "groups-far-apart",
            """
def pooled_gradient(g, x, side, p):
    groups = x.reshape(side, -1).T
    y = np.sum(np.abs(groups) ** p, axis=1, keepdims=True) ** (1 / p)
    slopes = np.sign(groups) * (np.abs(groups) / y) ** (p - 1)
    return (g[:, None] * slopes).T.ravel()
""",
            r"p = 2",
        ),
        WrongAnswer(
            "central-difference",
            """
def pooled_gradient(g, x, side, p):
    out = np.zeros(len(x))
    for i in range(len(x)):
        up, down = x.copy(), x.copy()
        up[i], down[i] = x[i] + 1e-6, x[i] - 1e-6
        many = np.abs(np.stack([up, down])).reshape(2, -1, side)
        y = np.sum(many**p, axis=2) ** (1 / p)
        out[i] = (y[0] - y[1]) @ g / 2e-6
    return out
""",
            r"the gradient for",
        ),
        WrongAnswer(
            "whole-orders-only",
            """
def pooled_gradient(g, x, side, p):
    p = int(p)
    groups = x.reshape(-1, side)
    y = np.sum(np.abs(groups) ** p, axis=1, keepdims=True) ** (1 / p)
    slopes = np.sign(groups) * (np.abs(groups) / y) ** (p - 1)
    return (g[:, None] * slopes).ravel()
""",
            r"p = 2\.5",
        ),
    ],
    "pool-why-answer": [
        WrongAnswer("one-pooling", "pool_why = 3", r"one pooling"),
        WrongAnswer("squared", "pool_why = 81", r"square of the length"),
        WrongAnswer("kept", "pool_why = 1", r"whole gradient"),
        WrongAnswer("averaged", "pool_why = 1 / 9", r"whole gradient"),
    ],
    "move-answer": [
        WrongAnswer(
            "wrong-part",
            """
def followed_by_move(K, V):
    moves = V @ V.T @ K
    taps = np.zeros((len(K) + 1, *K.shape[1:]))
    taps[:-1] += K - moves
    taps[1:] += moves
    return taps
""",
            r"wrong part moves",
        ),
        WrongAnswer(
            "move-first",
            """
def followed_by_move(K, V):
    stays = K @ V @ V.T
    taps = np.zeros((len(K) + 1, *K.shape[1:]))
    taps[:-1] += stays
    taps[1:] += K - stays
    return taps
""",
            r"not before it",
        ),
        WrongAnswer(
            "overwrites",
            """
def followed_by_move(K, V):
    stays = V @ V.T @ K
    taps = np.zeros((len(K) + 1, *K.shape[1:]))
    taps[:-1] = stays
    taps[1:] = K - stays
    return taps
""",
            r"second tap is lost",
        ),
        WrongAnswer(
            "only-the-last",
            """
def followed_by_move(K, V):
    stays = V @ V.T @ K
    taps = np.zeros((len(K) + 1, *K.shape[1:]))
    taps[:-1] += stays
    taps[-1] += (K - stays)[-1]
    return taps
""",
            r"every tap moves",
        ),
        WrongAnswer(
            "copies",
            """
def followed_by_move(K, V):
    taps = np.zeros((len(K) + 1, *K.shape[1:]))
    taps[:-1] += K
    taps[1:] += K - V @ V.T @ K
    return taps
""",
            r"no longer where it was",
        ),
        WrongAnswer(
            "one-tap-only",
            """
def followed_by_move(K, V):
    stays = V @ V.T @ K
    if len(K) == 1:
        return np.concatenate([stays, K - stays])
    middle = stays[1] + K[0] - stays[0]
    return np.stack([stays[0], middle, K[1] - stays[1]])
""",
            r"shape must be",
        ),
    ],
    "move-why-answer": [
        WrongAnswer("one", "move_why = 1", r"how many channels"),
        WrongAnswer("by-taps", "move_why = 24", r"share what one"),
        WrongAnswer("all-entries", "move_why = 36", r"columns of length 1"),
    ],
}
