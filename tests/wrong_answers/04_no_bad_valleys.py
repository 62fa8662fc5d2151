"""Mistakes that the graders of assignment 04 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

WRONG_ANSWERS = {
    "shares-answer": [
        WrongAnswer(
            "counts-itself",
            """
def layer_bounds(taus, sigma_min, excess):
    shrink = np.prod(np.maximum(1 - taus, 0))
    return np.full(len(taus), 4 * shrink**2 * sigma_min * excess)
""",
            r"own factor does not count",
        ),
        WrongAnswer(
            "not-squared",
            """
def layer_bounds(taus, sigma_min, excess):
    keep = np.maximum(1 - taus, 0)
    products = np.array([np.prod(np.delete(keep, i)) for i in range(len(keep))])
    return 4 * products * sigma_min * excess
""",
            r"square the factors",
        ),
        WrongAnswer(
            "divides-by-zero",
            """
def layer_bounds(taus, sigma_min, excess):
    keep = np.maximum(1 - taus, 0)
    return 4 * (np.prod(keep) / keep) ** 2 * sigma_min * excess
""",
            r"NaN or infinite",
        ),
        WrongAnswer(
            "lets-large-layers-count",
            """
def layer_bounds(taus, sigma_min, excess):
    keep = 1 - taus
    products = np.array([np.prod(np.delete(keep, i)) for i in range(len(keep))])
    return 4 * products**2 * sigma_min * excess
""",
            r"below zero counts as 0",
        ),
        WrongAnswer(
            "squares-sigma",
            """
def layer_bounds(taus, sigma_min, excess):
    keep = np.maximum(1 - taus, 0)
    products = np.array([np.prod(np.delete(keep, i)) for i in range(len(keep))])
    return 4 * products**2 * sigma_min**2 * excess
""",
            r"once, not squared",
        ),
    ],
    "shares-why-answer": [
        WrongAnswer("says-one", "shares_why = 1", r"not from itself"),
        WrongAnswer("says-four", "shares_why = 4", r"does not meet the factor 0"),
        WrongAnswer("says-two", "shares_why = 2", r"factors of the others"),
    ],
    "certificate-answer": [
        WrongAnswer(
            "slope-not-squared",
            """
def certified_risk(slope, A, Sigma):
    tau, n = linear.max_spectral_norm(A), len(A)
    sigma = np.linalg.eigvalsh(Sigma)[0]
    factor = 4 * n * max(1 - tau, 0) ** (2 * n - 2) * sigma
    return slope / factor if factor > 0 else np.inf
""",
            r"slope must be squared",
        ),
        WrongAnswer(
            "printed-exponent",
            """
def certified_risk(slope, A, Sigma):
    tau, n = linear.max_spectral_norm(A), len(A)
    sigma = np.linalg.eigvalsh(Sigma)[0]
    factor = 4 * n * max(1 - tau, 0) ** (n - 1) * sigma
    return slope**2 / factor if factor > 0 else np.inf
""",
            r"exponent 2\(l - 1\)",
        ),
        WrongAnswer(
            "largest-eigenvalue",
            """
def certified_risk(slope, A, Sigma):
    tau, n = linear.max_spectral_norm(A), len(A)
    factor = 4 * n * max(1 - tau, 0) ** (2 * n - 2) * np.linalg.norm(Sigma, 2)
    return slope**2 / factor if factor > 0 else np.inf
""",
            r"smallest eigenvalue",
        ),
        WrongAnswer(
            "bound-beyond-the-ball",
            """
def certified_risk(slope, A, Sigma):
    tau, n = linear.max_spectral_norm(A), len(A)
    sigma = np.linalg.eigvalsh(Sigma)[0]
    factor = 4 * n * (1 - tau) ** (2 * n - 2) * sigma
    return slope**2 / factor if factor > 1e-30 else np.inf
""",
            r"no bound, so infinity",
        ),
    ],
    "certificate-why-answer": [
        WrongAnswer("says-a", 'certificate_why = "a"', r"no statement about the risk"),
        WrongAnswer("says-b", 'certificate_why = "b"', r"no statement about the risk"),
        WrongAnswer("says-d", 'certificate_why = "d"', r"no statement about the risk"),
    ],
    "deadend-answer": [
        WrongAnswer(
            "hides-once",
            """
def dead_end(r):
    A = np.stack([np.diag(r - 1), np.zeros((len(r), len(r)))])
    A[0, 0, 0] = -1.0
    return A
""",
            r"layer 0 has the slope",
        ),
        WrongAnswer(
            "maps-all-to-zero",
            """
def dead_end(r):
    return np.stack([-np.eye(len(r))] * 2)
""",
            r"more than the first coordinate is wrong",
        ),
        WrongAnswer(
            "learns-twice",
            """
def dead_end(r):
    A = np.stack([np.diag(r - 1)] * 2)
    A[:, 0, 0] = -1.0
    return A
""",
            r"not right yet",
        ),
        WrongAnswer(
            "hides-the-last-coordinate",
            """
def dead_end(r):
    A = np.zeros((2, len(r), len(r)))
    A[0] = np.diag(r - 1)
    A[:, -1, -1] = -1.0
    return A
""",
            r"is it the \*first\* coordinate",
        ),
        WrongAnswer(
            "a-minimum",
            """
def dead_end(r):
    return np.stack([np.diag(r - 1), np.zeros((len(r), len(r)))])
""",
            r"a minimum, no dead end",
        ),
        WrongAnswer(
            "a-distant-minimum-elsewhere",
            """
def dead_end(r):
    A = np.stack([np.diag(4 * r - 1), np.diag(np.full(len(r), -0.75))])
    A[:, 0, 0] = -1.0
    return A
""",
            r"further than 1",
        ),
    ],
    "deadend-why-answer": [
        WrongAnswer("says-a", 'deadend_why = "a"', r"no layer hides its own"),
        WrongAnswer("says-c", 'deadend_why = "c"', r"no layer hides its own"),
        WrongAnswer("says-d", 'deadend_why = "d"', r"no layer hides its own"),
    ],
    "radius-answer": [
        WrongAnswer(
            "forgets-the-square",
            """
def largest_radius(n_layers, keep):
    return np.inf if n_layers == 1 else -np.expm1(np.log(keep) / (n_layers - 1))
""",
            r"factor is squared",
        ),
        WrongAnswer(
            "counts-all-layers",
            """
def largest_radius(n_layers, keep):
    return np.inf if n_layers == 1 else -np.expm1(np.log(keep) / (2 * n_layers))
""",
            r"not 2l",
        ),
        WrongAnswer(
            "loses-digits",
            """
def largest_radius(n_layers, keep):
    return np.inf if n_layers == 1 else 1 - keep ** (1 / (2 * (n_layers - 1)))
""",
            r"use expm1",
        ),
        WrongAnswer(
            "wrong-sign",
            """
def largest_radius(n_layers, keep):
    return np.inf if n_layers == 1 else np.expm1(np.log(keep) / (2 * (n_layers - 1)))
""",
            r"wrong sign",
        ),
    ],
    "radius-why-answer": [
        WrongAnswer("says-four", "radius_why = 4", r"is a square"),
        WrongAnswer("says-zero", "radius_why = 0", r"multiplied by the depth"),
        WrongAnswer("says-one", "radius_why = 1", r"let l grow"),
    ],
}
