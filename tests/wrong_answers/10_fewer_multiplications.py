"""Mistakes that the graders of assignment 10 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

WRONG_ANSWERS = {
    "inputs-answer": [
        WrongAnswer(
            "overwrites-shared-inputs",
            """
def inputs_gradient(z, g, AT, G, BT):
    m, n = AT.shape
    grad = np.zeros(len(z) + n - m)
    for s in range(0, len(z), m):
        grad[s : s + n] = BT.T @ ((G @ g) * (AT.T @ z[s : s + m]))
    return grad
""",
            r"later tile's share only",
        ),
        WrongAnswer(
            "first-tile-keeps-shared-inputs",
            """
def inputs_gradient(z, g, AT, G, BT):
    m, n = AT.shape
    grad = np.zeros(len(z) + n - m)
    for s in reversed(range(0, len(z), m)):
        grad[s : s + n] = BT.T @ ((G @ g) * (AT.T @ z[s : s + m]))
    return grad
""",
            r"earlier tile's share only",
        ),
        WrongAnswer(
            "forgets-to-transpose-back",
            """
def inputs_gradient(z, g, AT, G, BT):
    m, n = AT.shape
    grad = np.zeros(len(z) + n - m)
    for s in range(0, len(z), m):
        grad[s : s + n] += BT @ ((G @ g) * (AT.T @ z[s : s + m]))
    return grad
""",
            r"Which way do you go",
        ),
        WrongAnswer(
            "forgets-the-taps",
            """
def inputs_gradient(z, g, AT, G, BT):
    m, n = AT.shape
    grad = np.zeros(len(z) + n - m)
    for s in range(0, len(z), m):
        grad[s : s + n] += BT.T @ (AT.T @ z[s : s + m])
    return grad
""",
            r"taps do not enter",
        ),
        WrongAnswer(
            "uses-the-definition",
            """
def inputs_gradient(z, g, AT, G, BT):
    return np.convolve(z, g)
""",
            r"no filter",
        ),
        WrongAnswer(
            "difference-quotient",
            """
def inputs_gradient(z, g, AT, G, BT):
    m, n = AT.shape
    grad, d = np.zeros(len(z) + n - m), np.zeros(len(z) + n - m)
    base = z @ filter_tiles(d, g, AT, G, BT)
    for i in range(len(d)):
        moved = np.ones(len(d))
        moved[i] += 1
        here = z @ filter_tiles(np.ones(len(d)), g, AT, G, BT)
        grad[i] = z @ filter_tiles(moved, g, AT, G, BT) - here - base
    return grad
""",
            r"entries of the gradient",
        ),
        WrongAnswer(
            "two-tiles-only",
            """
def inputs_gradient(z, g, AT, G, BT):
    m, n = AT.shape
    grad = np.zeros(len(z) + n - m)
    for s in (0, len(z) - m):
        grad[s : s + n] += BT.T @ ((G @ g) * (AT.T @ z[s : s + m]))
    return grad
""",
            r"every tile",
        ),
    ],
    "inputs-why-answer": [
        WrongAnswer("says-200", "inputs_why = 200", r"count the seams"),
        WrongAnswer("says-99", "inputs_why = 99", r"how many inputs"),
        WrongAnswer("says-2", "inputs_why = 2", r"one seam"),
    ],
    "third-answer": [
        WrongAnswer(
            "one-sided-shift",
            """
def third_matrix(AT, G):
    pairs = [(k, j) for k in range(len(AT)) for j in range(G.shape[1])]
    K = np.array([AT[k] * G[:, j] for k, j in pairs])
    full = np.eye(len(AT) + G.shape[1] - 1)
    E = np.array([full[j - k] if j >= k else 0 * full[0] for k, j in pairs])
    BT = np.linalg.lstsq(K, E, rcond=None)[0]
    return BT, np.abs(K @ BT - E).max()
""",
            r"reads input k \+ j|copy one input",
        ),
        WrongAnswer(
            "returns-it-transposed",
            """
def third_matrix(AT, G):
    pairs = [(k, j) for k in range(len(AT)) for j in range(G.shape[1])]
    K = np.array([AT[k] * G[:, j] for k, j in pairs])
    E = np.eye(len(AT) + G.shape[1] - 1)[[k + j for k, j in pairs]]
    BT = np.linalg.lstsq(K, E, rcond=None)[0]
    return BT.T, np.abs(K @ BT - E).max()
""",
            r"should copy one input",
        ),
        WrongAnswer(
            "sum-of-squares",
            """
def third_matrix(AT, G):
    pairs = [(k, j) for k in range(len(AT)) for j in range(G.shape[1])]
    K = np.array([AT[k] * G[:, j] for k, j in pairs])
    E = np.eye(len(AT) + G.shape[1] - 1)[[k + j for k, j in pairs]]
    BT = np.linalg.lstsq(K, E, rcond=None)[0]
    return BT, np.linalg.norm(K @ BT - E)
""",
            r"not a sum of squares",
        ),
        WrongAnswer(
            "largest-without-absolute-value",
            """
def third_matrix(AT, G):
    pairs = [(k, j) for k in range(len(AT)) for j in range(G.shape[1])]
    K = np.array([AT[k] * G[:, j] for k, j in pairs])
    E = np.eye(len(AT) + G.shape[1] - 1)[[k + j for k, j in pairs]]
    BT = np.linalg.lstsq(K, E, rcond=None)[0]
    return BT, (E - K @ BT).max()
""",
            r"absolute values",
        ),
        WrongAnswer(
            "square-systems-only",
            """
def third_matrix(AT, G):
    n = len(G)
    pairs = [(k, j) for k in range(len(AT)) for j in range(G.shape[1])]
    K = np.array([AT[k] * G[:, j] for k, j in pairs])
    E = np.eye(n)[[min(k + j, n - 1) for k, j in pairs]]
    BT = np.linalg.lstsq(K, E, rcond=None)[0]
    return BT, np.abs(K @ BT - E).max()
""",
            r"second worked case",
        ),
        WrongAnswer(
            "as-many-products-as-inputs",
            """
def third_matrix(AT, G):
    (m, n), r = AT.shape, G.shape[1]
    if n > m + r - 1:
        AT, G = AT[:, : m + r - 1], G[: m + r - 1]
    pairs = [(k, j) for k in range(m) for j in range(r)]
    K = np.array([AT[k] * G[:, j] for k, j in pairs])
    E = np.eye(m + r - 1)[[k + j for k, j in pairs]]
    BT = np.linalg.lstsq(K, E, rcond=None)[0]
    return BT, np.abs(K @ BT - E).max()
""",
            r"BT must have shape",
        ),
    ],
    "third-why-answer": [
        WrongAnswer("says-minus-2", "third_why = -2", r"gave before"),
        WrongAnswer("says-half", "third_why = 0.5", r"sign"),
        WrongAnswer("says-quarter", "third_why = 0.25", r"two of the three"),
    ],
    "border-answer": [
        WrongAnswer(
            "outputs-of-unit-inputs",
            """
def term_growth(AT, G, BT, sigma):
    squares = AT**2 @ ((G**2).sum(axis=1) * (BT**2 @ sigma**2))
    return np.sqrt(squares / G.shape[1])
""",
            r"sigma|smaller",
        ),
        WrongAnswer(
            "forgets-sigma",
            """
def term_growth(AT, G, BT, sigma):
    squares = AT**2 @ ((G**2).sum(axis=1) * (BT**2).sum(axis=1))
    return np.sqrt(squares / G.shape[1])
""",
            r"random draws",
        ),
        WrongAnswer(
            "sigma-not-squared",
            """
def term_growth(AT, G, BT, sigma):
    squares = AT**2 @ ((G**2).sum(axis=1) * (BT**2 @ sigma))
    r = G.shape[1]
    outputs = [np.sum(sigma[k : k + r]) for k in range(len(AT))]
    return np.sqrt(squares / outputs)
""",
            r"squared",
        ),
        WrongAnswer(
            "forgets-the-root",
            """
def term_growth(AT, G, BT, sigma):
    squares = AT**2 @ ((G**2).sum(axis=1) * (BT**2 @ sigma**2))
    r = G.shape[1]
    outputs = [np.sum(sigma[k : k + r] ** 2) for k in range(len(AT))]
    return squares / outputs
""",
            r"these are the squares",
        ),
        WrongAnswer(
            "two-taps-always",
            """
def term_growth(AT, G, BT, sigma):
    squares = AT**2 @ ((G**2).sum(axis=1) * (BT**2 @ sigma**2))
    outputs = [np.sum(sigma[k : k + 2] ** 2) for k in range(len(AT))]
    return np.sqrt(squares / outputs)
""",
            r"kappa with m",
        ),
        WrongAnswer(
            "many-random-draws",
            """
def term_growth(AT, G, BT, sigma):
    draws = np.random.default_rng(0)
    g = draws.standard_normal((G.shape[1], 100_000))
    d = sigma[:, None] * draws.standard_normal((len(sigma), 100_000))
    terms = AT[:, :, None] * ((G @ g) * (BT @ d))
    squares = (terms**2).sum(axis=1).mean(axis=1)
    y = [sum(g[j] * d[k + j] for j in range(len(g))) for k in range(len(AT))]
    return np.sqrt(squares / (np.array(y) ** 2).mean(axis=1))
""",
            r"square of kappa_0",
        ),
    ],
    "border-why-answer": [
        WrongAnswer("says-root-two", "border_why = 2**0.5", r"independent inputs"),
        WrongAnswer("says-two", "border_why = 2", r"squared"),
        WrongAnswer("says-zero", "border_why = 0", r"one of the two terms"),
    ],
    "second-answer": [
        WrongAnswer(
            "inputs-in-blocks",
            """
def every_second(even, odd):
    n = len(even[1])
    G = np.zeros((n + len(odd[1]), even[1].shape[1] + odd[1].shape[1]))
    G[:n, 0::2], G[n:, 1::2] = even[1], odd[1]
    BT = np.zeros((len(G), len(G)))
    BT[:n, : even[2].shape[1]], BT[n:, even[2].shape[1] :] = even[2], odd[2]
    return np.hstack([even[0], odd[0]]), G, BT
""",
            r"with tap . alone",
        ),
        WrongAnswer(
            "taps-in-blocks",
            """
def every_second(even, odd):
    n = len(even[1])
    G = np.zeros((n + len(odd[1]), even[1].shape[1] + odd[1].shape[1]))
    G[:n, : even[1].shape[1]], G[n:, even[1].shape[1] :] = even[1], odd[1]
    BT = np.zeros((len(G), len(G)))
    BT[:n, 0::2], BT[n:, 1::2] = even[2], odd[2]
    return np.hstack([even[0], odd[0]]), G, BT
""",
            r"with tap . alone|does not reach",
        ),
        WrongAnswer(
            "outputs-one-after-another",
            """
def every_second(even, odd):
    n = len(even[1])
    G = np.zeros((n + len(odd[1]), even[1].shape[1] + odd[1].shape[1]))
    G[:n, 0::2], G[n:, 1::2] = even[1], odd[1]
    BT = np.zeros((len(G), len(G)))
    BT[:n, 0::2], BT[n:, 1::2] = even[2], odd[2]
    m = len(even[0])
    AT = np.zeros((2 * m, len(G)))
    AT[:m, :n], AT[m:, n:] = even[0], odd[0]
    return AT, G, BT
""",
            r"AT must have shape",
        ),
        WrongAnswer(
            "three-taps-always",
            """
def every_second(even, odd):
    n = len(even[1])
    G = np.zeros((n + len(odd[1]), 3))
    G[:n, [0, 2]], G[n:, 1] = even[1], odd[1][:, 0]
    BT = np.zeros((len(G), len(G)))
    BT[:n, 0::2], BT[n:, 1::2] = even[2], odd[2]
    return np.hstack([even[0], odd[0]]), G, BT
""",
            r"G must have shape",
        ),
        WrongAnswer(
            "odd-tile-first",
            """
def every_second(even, odd):
    n = len(odd[1])
    G = np.zeros((n + len(even[1]), even[1].shape[1] + odd[1].shape[1]))
    G[n:, 0::2], G[:n, 1::2] = even[1], odd[1]
    BT = np.zeros((len(G), len(G)))
    BT[n:, 0::2], BT[:n, 1::2] = even[2], odd[2]
    return np.hstack([odd[0], even[0]]), G, BT
""",
            r"even tile come first",
        ),
    ],
    "second-why-answer": [
        WrongAnswer("says-6", "second_why = 6", r"stride 1"),
        WrongAnswer("says-9", "second_why = 9", r"stride 2"),
        WrongAnswer("says-18", "second_why = 18", r"one tap need"),
    ],
}
