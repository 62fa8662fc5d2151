"""Mistakes that the graders of assignment 07 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

WRONG_ANSWERS = {
    "insert-answer": [
        WrongAnswer(
            "means-instead-of-medians",
            """
def inserted_block(H, U):
    return -np.mean(H @ U.T, axis=0), np.zeros((H.shape[1], len(U)))
""",
            r"above their mean|skewed examples",
        ),
        WrongAnswer(
            "threshold-with-the-wrong-sign",
            """
def inserted_block(H, U):
    return np.median(H @ U.T, axis=0), np.zeros((H.shape[1], len(U)))
""",
            r"sign of the threshold",
        ),
        WrongAnswer(
            "small-but-not-zero",
            """
def inserted_block(H, U):
    s = -np.median(H @ U.T, axis=0)
    return s, 1e-3 * np.ones((H.shape[1], len(U)))
""",
            r"changes some inputs",
        ),
        WrongAnswer(
            "silent-on-the-examples-only",
            """
def inserted_block(H, U):
    return -np.max(H @ U.T, axis=0), np.ones((H.shape[1], len(U)))
""",
            r"changes some inputs",
        ),
        WrongAnswer(
            "all-units-off",
            """
def inserted_block(H, U):
    return -np.max(H @ U.T, axis=0), np.zeros((H.shape[1], len(U)))
""",
            r"half of them is asked for",
        ),
        WrongAnswer(
            "one-threshold-for-all",
            """
def inserted_block(H, U):
    s = np.full(len(U), -np.median(H @ U.T))
    return s, np.zeros((H.shape[1], len(U)))
""",
            r"each unit has its own",
        ),
        WrongAnswer(
            "shape-of-u",
            """
def inserted_block(H, U):
    return -np.median(H @ U.T, axis=0), np.zeros(U.shape)
""",
            r"so \(2, 3\)",
        ),
        WrongAnswer(
            "no-thresholds-moved",
            """
def inserted_block(H, U):
    return np.zeros(len(U)), np.zeros((H.shape[1], len(U)))
""",
            r"half of them is asked for",
        ),
        WrongAnswer(
            "forgets-v",
            """
def inserted_block(H, U):
    return -np.median(H @ U.T, axis=0)
""",
            r"return two arrays",
        ),
        WrongAnswer(
            "four-examples-always",
            """
def inserted_block(H, U):
    s = -np.median((H @ U.T)[:4], axis=0)
    return s, np.zeros((H.shape[1], len(U)))
""",
            r"with skewed examples",
        ),
        WrongAnswer(
            "threshold-on-an-example",
            """
def inserted_block(H, U):
    products = np.sort(H @ U.T, axis=0)
    return -products[len(H) // 2 - 1], np.zeros((H.shape[1], len(U)))
""",
            r"Keep off both ends",
        ),
    ],
    "insert-why-answer": [
        WrongAnswer("says-eight", "insert_why = 8", r"not their ratio"),
        WrongAnswer("says-one", "insert_why = 1", r"both norms count"),
        WrongAnswer("says-zero", "insert_why = 0", r"a little more"),
        WrongAnswer("says-squared", "insert_why = 1 / 64", r"not squared"),
        WrongAnswer("says-a-word", 'insert_why = "small"', r"must be a number"),
    ],
    "undo-answer": [
        WrongAnswer(
            "looks-at-the-move",
            """
def undo_block(y, U, s, V, tol):
    k, rounds, move = y, 0, np.inf
    while move > tol:
        new = y - V @ np.maximum(U @ k + s, 0)
        move, k, rounds = np.linalg.norm(new - k), new, rounds + 1
    return k, rounds
""",
            r"not the move itself",
        ),
        WrongAnswer(
            "error-before-the-move",
            """
def undo_block(y, U, s, V, tol):
    delta = np.linalg.norm(U, 2) * np.linalg.norm(V, 2)
    k, rounds, bound = y, 0, np.inf
    while bound > tol:
        new = y - V @ np.maximum(U @ k + s, 0)
        bound = np.linalg.norm(new - k) / (1 - delta)
        k, rounds = new, rounds + 1
    return k, rounds
""",
            r"you stop too late",
        ),
        WrongAnswer(
            "only-the-next-move",
            """
def undo_block(y, U, s, V, tol):
    delta = np.linalg.norm(U, 2) * np.linalg.norm(V, 2)
    k, rounds, bound = y, 0, np.inf
    while bound > tol:
        new = y - V @ np.maximum(U @ k + s, 0)
        bound = delta * np.linalg.norm(new - k)
        k, rounds = new, rounds + 1
    return k, rounds
""",
            r"too early",
        ),
        WrongAnswer(
            "a-hundred-rounds",
            """
def undo_block(y, U, s, V, tol):
    k = y
    for _ in range(100):
        k = y - V @ np.maximum(U @ k + s, 0)
    return k, 100
""",
            r"certain to be at most tol",
        ),
        WrongAnswer(
            "starts-from-the-last-guess",
            """
def undo_block(y, U, s, V, tol):
    delta = np.linalg.norm(U, 2) * np.linalg.norm(V, 2)
    k, rounds, bound = y, 0, np.inf
    while bound > tol and rounds < 99:
        new = k - V @ np.maximum(U @ k + s, 0)
        bound = delta / (1 - delta) * np.linalg.norm(new - k)
        k, rounds = new, rounds + 1
    return k, rounds
""",
            r"certain to be at most tol",
        ),
        WrongAnswer(
            "frobenius-norms",
            """
def undo_block(y, U, s, V, tol):
    delta = min(np.linalg.norm(U) * np.linalg.norm(V), 0.999)
    k, rounds, bound = y, 0, np.inf
    while bound > tol:
        new = y - V @ np.maximum(U @ k + s, 0)
        bound = delta / (1 - delta) * np.linalg.norm(new - k)
        k, rounds = new, rounds + 1
    return k, rounds
""",
            r"right at width 1",
        ),
        WrongAnswer(
            "guess-before-the-move",
            """
def undo_block(y, U, s, V, tol):
    delta = np.linalg.norm(U, 2) * np.linalg.norm(V, 2)
    k, rounds, bound = y, 0, np.inf
    while bound > tol:
        old = k
        k = y - V @ np.maximum(U @ k + s, 0)
        bound, rounds = delta / (1 - delta) * np.linalg.norm(k - old), rounds + 1
    return old, rounds
""",
            r"after the last move",
        ),
        WrongAnswer(
            "bound-from-the-first-move",
            """
def undo_block(y, U, s, V, tol):
    delta = np.linalg.norm(U, 2) * np.linalg.norm(V, 2)
    k = y - V @ np.maximum(U @ y + s, 0)
    rounds, bound = 1, delta / (1 - delta) * np.linalg.norm(k - y)
    while bound > tol:
        k = y - V @ np.maximum(U @ k + s, 0)
        rounds, bound = rounds + 1, delta * bound
    return k, rounds
""",
            r"too early|too late|right at width 1|not the first round",
        ),
        WrongAnswer(
            "first-round-not-tested",
            """
def undo_block(y, U, s, V, tol):
    delta = np.linalg.norm(U, 2) * np.linalg.norm(V, 2)
    k, rounds, bound = y - V @ np.maximum(U @ y + s, 0), 1, np.inf
    while bound > tol:
        new = y - V @ np.maximum(U @ k + s, 0)
        bound = delta / (1 - delta) * np.linalg.norm(new - k)
        k, rounds = new, rounds + 1
    return k, rounds
""",
            r"is the first round tested",
        ),
    ],
    "undo-why-answer": [
        WrongAnswer("says-one", "undo_why = 1", r"many times the last one"),
        WrongAnswer("says-none", "undo_why = 0", r"a little above 0"),
        WrongAnswer("says-a-third", "undo_why = 1 / 3", r"there is room left"),
        WrongAnswer("says-three-quarters", "undo_why = 0.75", r"three times"),
    ],
    "angles-answer": [
        WrongAnswer(
            "plain-blocks",
            """
def expected_cosines(c, a, n_blocks):
    cosines = [c]
    for _ in range(n_blocks):
        t = np.arccos(min(cosines[-1], 1.0))
        cosines.append((np.sin(t) + (np.pi - t) * np.cos(t)) / np.pi)
    return np.array(cosines)
""",
            r"where is the skip",
        ),
        WrongAnswer(
            "not-divided",
            """
def expected_cosines(c, a, n_blocks):
    cosines = [c]
    for _ in range(n_blocks):
        t = np.arccos(np.clip(cosines[-1], -1, 1))
        kappa = (np.sin(t) + (np.pi - t) * np.cos(t)) / np.pi
        cosines.append(cosines[-1] + a**2 * kappa)
    return np.array(cosines)
""",
            r"squared length",
        ),
        WrongAnswer(
            "scale-not-squared",
            """
def expected_cosines(c, a, n_blocks):
    cosines = [c]
    for _ in range(n_blocks):
        t = np.arccos(min(cosines[-1], 1.0))
        kappa = (np.sin(t) + (np.pi - t) * np.cos(t)) / np.pi
        cosines.append((cosines[-1] + a * kappa) / (1 + a))
    return np.array(cosines)
""",
            r"how often does a stand",
        ),
        WrongAnswer(
            "lengths-added-before-squaring",
            """
def expected_cosines(c, a, n_blocks):
    cosines = [c]
    for _ in range(n_blocks):
        t = np.arccos(min(cosines[-1], 1.0))
        kappa = (np.sin(t) + (np.pi - t) * np.cos(t)) / np.pi
        cosines.append((cosines[-1] + a**2 * kappa) / (1 + a) ** 2)
    return np.array(cosines)
""",
            r"square each length",
        ),
        WrongAnswer(
            "branches-keep-the-cosine",
            """
def expected_cosines(c, a, n_blocks):
    return np.full(n_blocks + 1, c)
""",
            r"entry \[1\]|which is off",
        ),
        WrongAnswer(
            "every-block-from-the-start",
            """
def expected_cosines(c, a, n_blocks):
    t = np.arccos(c)
    kappa = (np.sin(t) + (np.pi - t) * np.cos(t)) / np.pi
    return np.array([c] + [(c + a**2 * kappa) / (1 + a**2)] * n_blocks)
""",
            r"what the first one left",
        ),
        WrongAnswer(
            "cosine-taken-for-the-angle",
            """
def expected_cosines(c, a, n_blocks):
    cosines = [c]
    for _ in range(n_blocks):
        c = cosines[-1]
        kappa = (np.sin(c) + (np.pi - c) * np.cos(c)) / np.pi
        cosines.append((c + a**2 * kappa) / (1 + a**2))
    return np.array(cosines)
""",
            r"from the angle",
        ),
        WrongAnswer(
            "start-left-out",
            """
def expected_cosines(c, a, n_blocks):
    cosines = [c]
    for _ in range(n_blocks):
        t = np.arccos(min(cosines[-1], 1.0))
        kappa = (np.sin(t) + (np.pi - t) * np.cos(t)) / np.pi
        cosines.append((cosines[-1] + a**2 * kappa) / (1 + a**2))
    return np.array(cosines[1:])
""",
            r"must have shape",
        ),
        WrongAnswer(
            "all-blocks-at-once",
            """
def expected_cosines(c, a, n_blocks):
    t = np.arccos(c)
    kappa = (np.sin(t) + (np.pi - t) * np.cos(t)) / np.pi
    power = (1 + a**2) ** np.arange(n_blocks + 1)
    return kappa + (c - kappa) / power
""",
            r"opposite inputs",
        ),
    ],
    "angles-why-answer": [
        WrongAnswer("says-one-block", "angles_why = 1.5", r"one of the two blocks"),
        WrongAnswer("adds", "angles_why = 2", r"do not add"),
        WrongAnswer("says-four", "angles_why = 4", r"for a = 1"),
        WrongAnswer(
            "adds-lengths", "angles_why = (1 + 0.5**0.5) ** 4", r"are perpendicular"
        ),
    ],
    "matrix-answer": [
        WrongAnswer(
            "wrong-order",
            """
def local_map(x, blocks):
    h, M = x, np.eye(len(x))
    for U, s, V in blocks:
        z = U @ h + s
        M = M @ (np.eye(len(x)) + (V * (z > 0)) @ U)
        h = h + V @ np.maximum(z, 0)
    return M, h - M @ x
""",
            r"wrong order",
        ),
        WrongAnswer(
            "no-mask",
            """
def local_map(x, blocks):
    h, M = x, np.eye(len(x))
    for U, s, V in blocks:
        M = M + V @ U @ M
        h = h + V @ np.maximum(U @ h + s, 0)
    return M, h - M @ x
""",
            r"units that are off",
        ),
        WrongAnswer(
            "no-skips",
            """
def local_map(x, blocks):
    h, M = x, np.eye(len(x))
    for U, s, V in blocks:
        z = U @ h + s
        M = (V * (z > 0)) @ U @ M
        h = h + V @ np.maximum(z, 0)
    return M, h - M @ x
""",
            r"where are the skips",
        ),
        WrongAnswer(
            "every-block-sees-x",
            """
def local_map(x, blocks):
    h, M = x, np.eye(len(x))
    for U, s, V in blocks:
        M = M + (V * (U @ x + s > 0)) @ U @ M
        h = h + V @ np.maximum(U @ h + s, 0)
    return M, h - M @ x
""",
            r"what the first one hands on",
        ),
        WrongAnswer(
            "output-instead-of-c",
            """
def local_map(x, blocks):
    h, M = x, np.eye(len(x))
    for U, s, V in blocks:
        z = U @ h + s
        M = M + (V * (z > 0)) @ U @ M
        h = h + V @ np.maximum(z, 0)
    return M, h
""",
            r"Take away what M makes of x",
        ),
        WrongAnswer(
            "shifts-only-added",
            """
def local_map(x, blocks):
    h, M, c = x, np.eye(len(x)), np.zeros(len(x))
    for U, s, V in blocks:
        on = U @ h + s > 0
        M = M + (V * on) @ U @ M
        c = c + (V * on) @ s
        h = h + V @ np.maximum(U @ h + s, 0)
    return M, c
""",
            r"multiplies what the first one has added",
        ),
        WrongAnswer(
            "transposed",
            """
def local_map(x, blocks):
    h, M = x, np.eye(len(x))
    for U, s, V in blocks:
        z = U @ h + s
        M = M + (V * (z > 0)) @ U @ M
        h = h + V @ np.maximum(z, 0)
    return M.T, h - M @ x
""",
            r"transposed",
        ),
        WrongAnswer(
            "difference-quotients",
            """
def local_map(x, blocks):
    M = slopes_of(x, blocks)
    return M, outputs_of(x, blocks) - M @ x
""",
            r"loses digits|entry \[|must have shape|not right",
        ),
    ],
    "matrix-why-answer": [
        WrongAnswer("says-five", "matrix_why = 5", r"nearer"),
        WrongAnswer("says-four", "matrix_why = 4", r"half way"),
        WrongAnswer("says-a-word", 'matrix_why = "three"', r"must be a number"),
    ],
}
