"""Mistakes that the graders of assignment 08 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

WRONG_ANSWERS = {
    "line-answer": [
        WrongAnswer(
            "kinks-at-the-numbers",
            """
def line_net(x, y):
    order = np.argsort(x)
    t = x[order]
    v = np.diff(np.diff(y[order], prepend=0.0), prepend=0.0)
    return t, v
""",
            r"off at its own kink",
        ),
        WrongAnswer(
            "unsorted",
            """
def line_net(x, y):
    t = np.array([x.min() - 1, *x[:-1]])
    v = np.linalg.lstsq(np.maximum(x[:, None] - t, 0), y, rcond=None)[0]
    return t, v
""",
            r"kinks",
        ),
        WrongAnswer(
            "values-not-sorted",
            """
def line_net(x, y):
    ends = np.sort(x)
    t = np.concatenate([[ends[0] - 1], ends[:-1]])
    slopes = np.diff(y, prepend=0.0) / (ends - t)
    return t, np.diff(slopes, prepend=0.0)
""",
            r"sorted along with their numbers",
        ),
        WrongAnswer(
            "slopes",
            """
def line_net(x, y):
    order = np.argsort(x)
    ends = x[order]
    t = np.concatenate([[ends[0] - 1], ends[:-1]])
    return t, np.diff(y[order], prepend=0.0) / (ends - t)
""",
            r"By how much does each unit change",
        ),
        WrongAnswer(
            "differences",
            """
def line_net(x, y):
    order = np.argsort(x)
    t = np.concatenate([[x.min() - 1], x[order][:-1]])
    return t, np.diff(np.diff(y[order], prepend=0.0), prepend=0.0)
""",
            r"differences of values are no slopes",
        ),
        WrongAnswer(
            "sorts-in-place",
            """
def line_net(x, y):
    y[:] = y[np.argsort(x)]
    x.sort()
    t = np.concatenate([[x[0] - 1], x[:-1]])
    slopes = np.diff(y, prepend=0.0) / (x - t)
    return t, np.diff(slopes, prepend=0.0)
""",
            r"in place",
        ),
        WrongAnswer(
            "one-array",
            """
def line_net(x, y):
    return np.sort(x)
""",
            r"two arrays",
        ),
        WrongAnswer(
            "four-numbers-only",
            """
def line_net(x, y):
    order = np.argsort(x)
    t = np.concatenate([[x.min() - 1], x[order][:-1]])
    v = np.zeros(len(x))
    for j in range(min(len(x), 4)):
        rest = y[order][j] - np.maximum(x[order][j] - t, 0) @ v
        v[j] = rest / (x[order][j] - t[j])
    return t, v
""",
            r"entry \[\d+\]|off by",
        ),
    ],
    "line-why-answer": [
        WrongAnswer("says-one", "line_why = 1", r"which slope"),
        WrongAnswer("says-a-million", "line_why = 10**6", r"here a slope counts"),
        WrongAnswer("says-a-thousandth", "line_why = 0.001", r"above 1"),
        WrongAnswer("says-a-word", 'line_why = "large"', r"must be a number"),
    ],
    "single-answer": [
        WrongAnswer(
            "swapped",
            """
def single_thresholds(H, subset):
    G = H[subset] @ H.T
    own = G[np.arange(len(subset)), subset].copy()
    G[np.arange(len(subset)), subset] = -np.inf
    return own.min(), G.max()
""",
            r"swapped",
        ),
        WrongAnswer(
            "largest-own-score",
            """
def single_thresholds(H, subset):
    G = H[subset] @ H.T
    own = G[np.arange(len(subset)), subset].copy()
    G[np.arange(len(subset)), subset] = -np.inf
    return G.max(), own.max()
""",
            r"even the lowest of them",
        ),
        WrongAnswer(
            "own-score-counted",
            """
def single_thresholds(H, subset):
    G = H[subset] @ H.T
    return G.max(), np.sum(H[subset] ** 2, axis=1).min()
""",
            r"no score of another point",
        ),
        WrongAnswer(
            "all-points-are-rows",
            """
def single_thresholds(H, subset):
    G = H @ H.T
    own = np.diag(G).copy()
    np.fill_diagonal(G, -np.inf)
    return G.max(), own.min()
""",
            r"only the points of the subset are rows",
        ),
        WrongAnswer(
            "diagonal-of-the-subset",
            """
def single_thresholds(H, subset):
    G = H[subset] @ H.T
    own = np.diag(G).copy()
    np.fill_diagonal(G, -np.inf)
    return G.max(), own.min()
""",
            r"belongs to the point subset\[i\]",
        ),
        WrongAnswer(
            "rivals-outside-only",
            """
def single_thresholds(H, subset):
    rest = np.setdiff1d(np.arange(len(H)), subset)
    lo = (H[subset] @ H[rest].T).max() if len(rest) else -np.inf
    return lo, np.sum(H[subset] ** 2, axis=1).min()
""",
            r"other points of the subset too",
        ),
        WrongAnswer(
            "zero-for-the-own-score",
            """
def single_thresholds(H, subset):
    G = H[subset] @ H.T
    own = G[np.arange(len(subset)), subset].copy()
    G[np.arange(len(subset)), subset] = 0
    return G.max(), own.min()
""",
            r"may be negative",
        ),
        WrongAnswer(
            "own-score-taken-for-the-largest",
            """
def single_thresholds(H, subset):
    G = H[subset] @ H.T
    own = G[np.arange(len(subset)), subset]
    return np.sort(G, axis=1)[:, -2].max(), own.min()
""",
            r"need not be its largest",
        ),
        WrongAnswer(
            "own-score-masked-by-minus-one",
            """
def single_thresholds(H, subset):
    G = H[subset] @ H.T
    own = G[np.arange(len(subset)), subset].copy()
    G[np.arange(len(subset)), subset] = -1.0
    return G.max(), own.min()
""",
            r"below -1",
        ),
    ],
    "single-why-answer": [
        WrongAnswer("says-b", 'single_why = "b"', r"own score of a vector"),
        WrongAnswer("says-d", 'single_why = "D"', r"own score of a vector"),
        WrongAnswer("says-true", "single_why = True", r"one of the letters"),
    ],
    "chance-answer": [
        WrongAnswer(
            "counts",
            """
def failure_share(A, x, y, mu):
    z, rival = A @ x, A @ y
    own = np.sum(z * z, axis=1)
    return np.sum(own - np.sum(z * rival, axis=1) <= mu * own)
""",
            r"count divided by",
        ),
        WrongAnswer(
            "successes",
            """
def failure_share(A, x, y, mu):
    z, rival = A @ x, A @ y
    own = np.sum(z * z, axis=1)
    return np.mean(own - np.sum(z * rival, axis=1) > mu * own)
""",
            r"not those in which it holds",
        ),
        WrongAnswer(
            "forgets-mu",
            """
def failure_share(A, x, y, mu):
    z, rival = A @ x, A @ y
    return np.mean(np.sum(z * (z - rival), axis=1) <= 0)
""",
            r"does mu enter",
        ),
        WrongAnswer(
            "absolute-margin",
            """
def failure_share(A, x, y, mu):
    z, rival = A @ x, A @ y
    return np.mean(np.sum(z * (z - rival), axis=1) <= mu)
""",
            r"squared length of Ax",
        ),
        WrongAnswer(
            "margin-of-the-other",
            """
def failure_share(A, x, y, mu):
    z, rival = A @ y, A @ x
    own = np.sum(z * z, axis=1)
    return np.mean(own - np.sum(z * rival, axis=1) <= mu * own)
""",
            r"x must stand out from y|not right",
        ),
        WrongAnswer(
            "each-entry-for-itself",
            """
def failure_share(A, x, y, mu):
    z, rival = A @ x, A @ y
    return np.mean(z * (z - rival) <= mu * z * z)
""",
            r"not right",
        ),
        WrongAnswer(
            "ties-hold",
            """
def failure_share(A, x, y, mu):
    z, rival = A @ x, A @ y
    own = np.sum(z * z, axis=1)
    return np.mean(own - np.sum(z * rival, axis=1) < mu * own)
""",
            r"exactly that fail",
        ),
    ],
    "chance-why-answer": [
        WrongAnswer("squares-the-half", "chance_why = 2.5e-5", r"only the power"),
        WrongAnswer("halves", "chance_why = 0.0025", r"stands in the exponent"),
        WrongAnswer("forgets-the-half", "chance_why = 1e-4", r"still there"),
    ],
    "leeway-answer": [
        WrongAnswer(
            "scores",
            """
def leeway(U, s, X):
    return np.maximum(-(X @ U.T + s).max(axis=1), 0.0)
""",
            r"a score is no length",
        ),
        WrongAnswer(
            "negative-inside",
            """
def leeway(U, s, X):
    return (-(X @ U.T + s) / np.linalg.norm(U, axis=1)).min(axis=1)
""",
            r"noticed already has leeway 0",
        ),
        WrongAnswer(
            "farthest-line",
            """
def leeway(U, s, X):
    gaps = -(X @ U.T + s) / np.linalg.norm(U, axis=1)
    return np.maximum(gaps, 0).max(axis=1)
""",
            r"nearest line counts",
        ),
        WrongAnswer(
            "absolute-distance",
            """
def leeway(U, s, X):
    gaps = (X @ U.T + s) / np.linalg.norm(U, axis=1)
    return np.abs(gaps).min(axis=1)
""",
            r"however far beyond",
        ),
        WrongAnswer(
            "unit-rows-assumed-from-the-first",
            """
def leeway(U, s, X):
    gaps = -(X @ U.T + s) / np.linalg.norm(U[0])
    return np.maximum(gaps.min(axis=1), 0.0)
""",
            r"entry \[\d\]",
        ),
    ],
    "leeway-why-answer": [
        WrongAnswer("whole-margin", "leeway_why = 0.2", r"below the point's own score"),
        WrongAnswer("where-it-lies", "leeway_why = 0.9", r"where the line lies"),
        WrongAnswer("doubles", "leeway_why = 0.4", r"does not double"),
        WrongAnswer("largest-rival", "leeway_why = 0.8", r"another point"),
    ],
}
