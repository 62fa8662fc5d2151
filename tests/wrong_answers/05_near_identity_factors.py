"""Mistakes that the graders of assignment 05 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

WRONG_ANSWERS = {
    "left-answer": [
        WrongAnswer(
            "chapters-own-order",
            """
def rotate_then_stretch(R, p):
    U, s, Vt = np.linalg.svd(R)
    return U @ Vt, (Vt.T * np.expm1(np.log(s) / p)) @ Vt
""",
            r"in front of the rotation",
        ),
        WrongAnswer(
            "layer-not-residual",
            """
def rotate_then_stretch(R, p):
    U, s, Vt = np.linalg.svd(R)
    return U @ Vt, (U * s ** (1 / p)) @ U.T
""",
            r"the layer I \+ B, not B",
        ),
        WrongAnswer(
            "divided-not-rooted",
            """
def rotate_then_stretch(R, p):
    U, s, Vt = np.linalg.svd(R)
    return U @ Vt, (U * ((s - 1) / p)) @ U.T
""",
            r"multiplied, not added",
        ),
        WrongAnswer(
            "swapped-pair",
            """
def rotate_then_stretch(R, p):
    U, s, Vt = np.linalg.svd(R)
    return (U * np.expm1(np.log(s) / p)) @ U.T, U @ Vt
""",
            r"order \(rotation, B\)",
        ),
        WrongAnswer(
            "adds-the-identity",
            """
def rotate_then_stretch(R, p):
    U, s, Vt = np.linalg.svd(R)
    return U @ Vt, (U * s ** (1 / p)) @ U.T - np.eye(len(R))
""",
            r"loses digits",
        ),
        WrongAnswer(
            "two-layers-always",
            """
def rotate_then_stretch(R, p):
    U, s, Vt = np.linalg.svd(R)
    return U @ Vt, (U * (np.sqrt(s) - 1)) @ U.T
""",
            r"entry \[",
        ),
    ],
    "left-why-answer": [
        WrongAnswer("says-b", 'left_why = "b"', r"which eigenvalues"),
        WrongAnswer("says-c", 'left_why = "c"', r"which eigenvalues"),
        WrongAnswer("says-d", 'left_why = "d"', r"which eigenvalues"),
    ],
    "pairs-answer": [
        WrongAnswer(
            "principal-root",
            """
def root_of_signs(signs, q):
    return np.diag(signs.astype(complex) ** (1 / q)) - np.eye(len(signs))
""",
            r"complex.*in pairs",
        ),
        WrongAnswer(
            "layer-not-residual",
            """
def root_of_signs(signs, q):
    W = np.diag(np.where(signs < 0, np.cos(np.pi / q), 1.0))
    negative = np.flatnonzero(signs < 0)
    for a, b in zip(negative[0::2], negative[1::2]):
        W[b, a], W[a, b] = np.sin(np.pi / q), -np.sin(np.pi / q)
    return W
""",
            r"I \+ B, not B",
        ),
        WrongAnswer(
            "neighbouring-columns",
            """
def root_of_signs(signs, q):
    B = np.zeros((len(signs), len(signs)))
    for a in range(0, len(signs) - 1, 2):
        if signs[a] < 0:
            B[a, a] = B[a + 1, a + 1] = np.cos(np.pi / q) - 1
            B[a + 1, a], B[a, a + 1] = np.sin(np.pi / q), -np.sin(np.pi / q)
    return B
""",
            r"is not diag\(signs\)",
        ),
        WrongAnswer(
            "symmetric-plane",
            """
def root_of_signs(signs, q):
    B = np.diag(np.where(signs < 0, np.cos(np.pi / q) - 1, 0.0))
    negative = np.flatnonzero(signs < 0)
    for a, b in zip(negative[0::2], negative[1::2]):
        B[b, a] = B[a, b] = np.sin(np.pi / q)
    return B
""",
            r"is not diag\(signs\)",
        ),
        WrongAnswer(
            "three-half-turns",
            """
def root_of_signs(signs, q):
    B = np.diag(np.where(signs < 0, np.cos(3 * np.pi / q) - 1, 0.0))
    negative = np.flatnonzero(signs < 0).tolist()
    while negative:
        a, b = negative.pop(0), negative.pop()
        B[b, a], B[a, b] = np.sin(3 * np.pi / q), -np.sin(3 * np.pi / q)
    return B
""",
            r"more than it needs",
        ),
        WrongAnswer(
            "pairs-neighbours",
            """
def root_of_signs(signs, q):
    B = np.diag(np.where(signs < 0, np.cos(np.pi / q) - 1, 0.0))
    negative = np.flatnonzero(signs < 0)
    for a, b in zip(negative[0::2], negative[1::2]):
        B[b, a], B[a, b] = np.sin(np.pi / q), -np.sin(np.pi / q)
    return B
""",
            r"pairs are not those asked for",
        ),
        WrongAnswer(
            "turns-back",
            """
def root_of_signs(signs, q):
    B = np.diag(np.where(signs < 0, np.cos(np.pi / q) - 1, 0.0))
    negative = np.flatnonzero(signs < 0).tolist()
    while negative:
        a, b = negative.pop(0), negative.pop()
        B[a, b], B[b, a] = np.sin(np.pi / q), -np.sin(np.pi / q)
    return B
""",
            r"turns the other way",
        ),
        WrongAnswer(
            "borrowed-from-the-package",
            """
def root_of_signs(signs, q):
    return factorization.near_identity_factorization(np.diag(signs), q)[0]
""",
            r"pairs are not those|turns the other way",
        ),
        WrongAnswer(
            "signs-themselves",
            """
def root_of_signs(signs, q):
    return np.diag(signs) - np.eye(len(signs))
""",
            r"more than it needs",
        ),
    ],
    "pairs-why-answer": [
        WrongAnswer("says-a", 'pairs_why = "a"', r"odd power"),
        WrongAnswer("says-b", 'pairs_why = "b"', r"odd power"),
        WrongAnswer("says-d", 'pairs_why = "d"', r"odd power"),
    ],
    "spiral-answer": [
        WrongAnswer(
            "layer-not-residual",
            """
def spiral_layer(r, theta, n_layers):
    a, m = theta / n_layers, r ** (1 / n_layers)
    return m * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
""",
            r"I \+ B, not B",
        ),
        WrongAnswer(
            "loses-digits",
            """
def spiral_layer(r, theta, n_layers):
    a, m = theta / n_layers, r ** (1 / n_layers)
    T = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return m * T - np.eye(2)
""",
            r"loses digits|off by .e-",
        ),
        WrongAnswer(
            "adds-the-two",
            """
def spiral_layer(r, theta, n_layers):
    a, m = theta / n_layers, np.expm1(np.log(r) / n_layers)
    T = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return m * np.eye(2) + T - np.eye(2)
""",
            r"third term",
        ),
        WrongAnswer(
            "turns-back",
            """
def spiral_layer(r, theta, n_layers):
    a, m = -theta / n_layers, np.expm1(np.log(r) / n_layers)
    c, s = m - 2 * (1 + m) * np.sin(a / 2) ** 2, (1 + m) * np.sin(a)
    return np.array([[c, -s], [s, c]])
""",
            r"wrong way round",
        ),
        WrongAnswer(
            "first-order",
            """
def spiral_layer(r, theta, n_layers):
    m, a = np.log(r) / n_layers, theta / n_layers
    return np.array([[m, -a], [a, m]])
""",
            r"B: entry",
        ),
        WrongAnswer(
            "forgets-the-stretch",
            """
def spiral_layer(r, theta, n_layers):
    a = theta / n_layers
    c, s = -2 * np.sin(a / 2) ** 2, np.sin(a)
    return np.array([[c, -s], [s, c]])
""",
            r"stretch is missing",
        ),
    ],
    "spiral-why-answer": [
        WrongAnswer("says-one", "spiral_why = 1.0", r"they differ"),
        WrongAnswer("says-five-thirds", "spiral_why = 5 / 3", r"which length"),
        WrongAnswer("says-turned-over", "spiral_why = 0.721", r"turned over"),
        WrongAnswer("says-five", "spiral_why = 5", r"polar route's number alone"),
    ],
    "fewest-answer": [
        WrongAnswer(
            "adds-the-bounds",
            """
def fewest_layers(R, tau):
    U, s, Vt = np.linalg.svd(R)
    grow = max(np.log(s[0]) / np.log1p(tau), np.log(s[-1]) / np.log1p(-tau))
    angles = np.arccos(np.clip(np.sum(U * Vt.T, axis=0), -1, 1))
    return max(0, int(np.ceil(grow + angles.max() / np.arcsin(tau) - 1e-4)))
""",
            r"do not add the bounds",
        ),
        WrongAnswer(
            "log-condition",
            """
def fewest_layers(R, tau):
    U, s, Vt = np.linalg.svd(R)
    gamma = np.abs(np.log(s)).max()
    angles = np.arccos(np.clip(np.sum(U * Vt.T, axis=0), -1, 1))
    bound = max(gamma / np.log1p(tau), angles.max() / np.arcsin(tau))
    return max(0, int(np.ceil(bound - 1e-4)))
""",
            r"shrink lengths by 1 - tau",
        ),
        WrongAnswer(
            "forgets-shrinking",
            """
def fewest_layers(R, tau):
    U, s, Vt = np.linalg.svd(R)
    angles = np.arccos(np.clip(np.sum(U * Vt.T, axis=0), -1, 1))
    bound = max(np.log(s[0]) / np.log1p(tau), angles.max() / np.arcsin(tau))
    return max(0, int(np.ceil(bound - 1e-4)))
""",
            r"must get smaller as well",
        ),
        WrongAnswer(
            "rotations-chord",
            """
def fewest_layers(R, tau):
    U, s, Vt = np.linalg.svd(R)
    stretch = max(np.log(s[0]) / np.log1p(tau), np.log(s[-1]) / np.log1p(-tau))
    angles = np.arccos(np.clip(np.sum(U * Vt.T, axis=0), -1, 1))
    turn = angles.max() / (2 * np.arcsin(tau / 2))
    return max(0, int(np.ceil(max(stretch, turn) - 1e-4)))
""",
            r"width \d|turn by more than a rotation",
        ),
        WrongAnswer(
            "rows-of-u",
            """
def fewest_layers(R, tau):
    U, s, Vt = np.linalg.svd(R)
    stretch = max(np.log(s[0]) / np.log1p(tau), np.log(s[-1]) / np.log1p(-tau))
    angles = np.arccos(np.clip(np.sum(U * Vt, axis=1), -1, 1))
    return max(0, int(np.ceil(max(stretch, angles.max() / np.arcsin(tau)) - 1e-4)))
""",
            r"turn|rows and columns",
        ),
        WrongAnswer(
            "forgets-turning",
            """
def fewest_layers(R, tau):
    s = np.linalg.svd(R, compute_uv=False)
    stretch = max(np.log(s[0]) / np.log1p(tau), np.log(s[-1]) / np.log1p(-tau))
    return max(0, int(np.ceil(stretch - 1e-4)))
""",
            r"which angle can one layer turn",
        ),
        WrongAnswer(
            "rounds-down",
            """
def fewest_layers(R, tau):
    U, s, Vt = np.linalg.svd(R)
    stretch = max(np.log(s[0]) / np.log1p(tau), np.log(s[-1]) / np.log1p(-tau))
    angles = np.arccos(np.clip(np.sum(U * Vt.T, axis=0), -1, 1))
    return int(max(0, stretch, angles.max() / np.arcsin(tau)))
""",
            r"layers are possible",
        ),
    ],
}
