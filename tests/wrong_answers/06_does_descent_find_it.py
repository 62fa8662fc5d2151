"""Mistakes that the graders of assignment 06 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

WRONG_ANSWERS = {
    "passing-answer": [
        WrongAnswer(
            "nearer-end",
            """
def passing_distance(r):
    return np.minimum(1.0, np.abs(r))
""",
            r"nearer end of each segment",
        ),
        WrongAnswer(
            "divides-by-zero",
            """
def passing_distance(r):
    with np.errstate(all="ignore"):
        share = np.clip(-np.real(r - 1) / np.abs(r - 1) ** 2, 0, 1)
    return np.abs(1 + share * (r - 1))
""",
            r"r = 1 is NaN",
        ),
        WrongAnswer(
            "whole-line",
            """
def passing_distance(r):
    length = np.where(r == 1, 1.0, np.abs(r - 1))
    return np.where(r == 1, 1.0, np.abs(np.imag(r)) / length)
""",
            r"entry \[1\]|entry \[2\]",
        ),
        WrongAnswer(
            "one-end-only",
            """
def passing_distance(r):
    way = r - 1
    size = np.where(way == 0, 1.0, np.abs(way) ** 2)
    return np.abs(1 + np.maximum(-np.real(way) / size, 0.0) * way)
""",
            r"entry \[2\]",
        ),
        WrongAnswer(
            "coarse-sampling",
            """
def passing_distance(r):
    share = np.linspace(0, 1, 31)[:, None]
    return np.abs(1 + share * (r - 1)).min(0)
""",
            r"entry \[\d+\]",
        ),
        WrongAnswer(
            "complex-point",
            """
def passing_distance(r):
    way = r - 1
    size = np.where(way == 0, 1.0, np.abs(way) ** 2)
    return 1 + np.clip(-np.real(way) / size, 0.0, 1.0) * way
""",
            r"a distance is real",
        ),
    ],
    "passing-why-answer": [
        WrongAnswer("says-nine", "passing_why = 9", r"two eigenvalues"),
        WrongAnswer("says-32", "passing_why = 32", r"at the start"),
        WrongAnswer("says-zero", "passing_why = 0", r"stop before"),
        WrongAnswer("says-a-word", 'passing_why = "two"', r"must be a number"),
    ],
    "speeds-answer": [
        WrongAnswer(
            "forgets-the-speeds",
            """
def conserved(A, v):
    W = np.eye(A.shape[1]) + A
    WT = W.transpose(0, 2, 1)
    return WT[1:] @ W[1:] - W[:-1] @ WT[:-1]
""",
            r"speeds are missing",
        ),
        WrongAnswer(
            "speeds-upside-down",
            """
def conserved(A, v):
    W = np.eye(A.shape[1]) + A
    WT = W.transpose(0, 2, 1)
    ratio = (v[1:] / v[:-1])[:, None, None]
    return ratio * (WT[1:] @ W[1:]) - W[:-1] @ WT[:-1]
""",
            r"wrong way round",
        ),
        WrongAnswer(
            "residuals-not-layers",
            """
def conserved(A, v):
    AT = A.transpose(0, 2, 1)
    ratio = (v[:-1] / v[1:])[:, None, None]
    return ratio * (AT[1:] @ A[1:]) - A[:-1] @ AT[:-1]
""",
            r"built from A",
        ),
        WrongAnswer(
            "transposes-swapped",
            """
def conserved(A, v):
    W = np.eye(A.shape[1]) + A
    WT = W.transpose(0, 2, 1)
    ratio = (v[:-1] / v[1:])[:, None, None]
    return ratio * (W[1:] @ WT[1:]) - WT[:-1] @ W[:-1]
""",
            r"which factor is transposed",
        ),
        WrongAnswer(
            "first-pair-for-all",
            """
def conserved(A, v):
    W = np.eye(A.shape[1]) + A
    WT = W.transpose(0, 2, 1)
    return v[0] / v[1] * (WT[1:] @ W[1:]) - W[:-1] @ WT[:-1]
""",
            r"own two speeds",
        ),
        WrongAnswer(
            "divides-both-terms",
            """
def conserved(A, v):
    W = np.eye(A.shape[1]) + A
    WT = W.transpose(0, 2, 1)
    u = v[:, None, None]
    return WT[1:] @ W[1:] / u[1:] - W[:-1] @ WT[:-1] / u[:-1]
""",
            r"must have the factor 1",
        ),
        WrongAnswer(
            "root-of-the-speeds",
            """
def conserved(A, v):
    W = np.eye(A.shape[1]) + A
    WT = W.transpose(0, 2, 1)
    ratio = np.sqrt(v[:-1] / v[1:])[:, None, None]
    return ratio * (WT[1:] @ W[1:]) - W[:-1] @ WT[:-1]
""",
            r"entry \[0, \d, \d\]",
        ),
    ],
    "speeds-why-answer": [
        WrongAnswer("says-five", "speeds_why = 5", r"equal speeds"),
        WrongAnswer("says-nine", "speeds_why = 9", r"twice the way"),
        WrongAnswer("says-root-13", "speeds_why = 13**0.5", r"wrong way round"),
    ],
    "sharp-answer": [
        WrongAnswer(
            "forgets-the-moment",
            """
def largest_stable_step(w, sigma):
    others = [np.prod(np.delete(w, i)) for i in range(len(w))]
    return 1 / np.sum(np.square(others))
""",
            r"second moment of the input is missing",
        ),
        WrongAnswer(
            "one-over-lambda",
            """
def largest_stable_step(w, sigma):
    others = [np.prod(np.delete(w, i)) for i in range(len(w))]
    return 1 / (2 * sigma * np.sum(np.square(others)))
""",
            r"1 / lambda_max",
        ),
        WrongAnswer(
            "largest-entry",
            """
def largest_stable_step(w, sigma):
    others = [np.prod(np.delete(w, i)) for i in range(len(w))]
    return 1 / (sigma * np.max(np.square(others)))
""",
            r"moving one layer alone",
        ),
        WrongAnswer(
            "divides-by-a-layer",
            """
def largest_stable_step(w, sigma):
    return 1 / (sigma * np.sum((np.prod(w) / w) ** 2))
""",
            r"Do you divide by a layer",
        ),
        WrongAnswer(
            "balanced-formula",
            """
def largest_stable_step(w, sigma):
    n, r = len(w), abs(np.prod(w))
    return 1 / (sigma * n * r ** (2 - 2 / n))
""",
            r"for balanced layers",
        ),
        WrongAnswer(
            "half-the-hessian",
            """
def largest_stable_step(w, sigma):
    others = [np.prod(np.delete(w, i)) for i in range(len(w))]
    return 2 / (sigma * np.sum(np.square(others)))
""",
            r"factor 2 is missing in the Hessian",
        ),
    ],
    "sharp-why-answer": [
        WrongAnswer("says-a", 'sharp_why = "a"', r"compare with 0\.1"),
        WrongAnswer("says-c", 'sharp_why = "c"', r"compare with 0\.1"),
        WrongAnswer("says-d", 'sharp_why = "d"', r"compare with 0\.1"),
    ],
    "diagnose-answer": [
        WrongAnswer(
            "sees-no-oscillation",
            """
def diagnose(risk):
    half = risk[len(risk) // 2:]
    if not risk[-1] <= 5 * risk[0]:
        return "diverged"
    if risk[-1] <= 1e-12 * risk[0]:
        return "converged"
    return "stuck" if abs(half[-1] / half[0] - 1) < 0.02 else "running"
""",
            r"count the rises|which it is not",
        ),
        WrongAnswer(
            "absolute-sizes",
            """
def diagnose(risk):
    half = risk[len(risk) // 2:]
    if not risk[-1] <= 10:
        return "diverged"
    if risk[-1] <= 1e-12:
        return "converged"
    if np.mean(half[1:] > 1.005 * half[:-1]) > 0.1:
        return "oscillating"
    return "stuck" if half[-1] > 0.97 * half[0] else "running"
""",
            r"Judge by ratios|which it is not",
        ),
        WrongAnswer(
            "nan-is-no-number",
            """
def diagnose(risk):
    half = risk[len(risk) // 2:]
    if risk[-1] > 5 * risk[0]:
        return "diverged"
    if risk[-1] <= 1e-12 * risk[0]:
        return "converged"
    if np.mean(half[1:] > 1.005 * half[:-1]) > 0.1:
        return "oscillating"
    return "stuck" if half[-1] > 0.97 * half[0] else "running"
""",
            r"comparison with NaN is false",
        ),
        WrongAnswer(
            "counts-rounding-as-rises",
            """
def diagnose(risk):
    half = risk[len(risk) // 2:]
    if not risk[-1] <= 5 * risk[0]:
        return "diverged"
    if risk[-1] <= 1e-12 * risk[0]:
        return "converged"
    if np.mean(half[1:] > half[:-1]) > 0.1:
        return "oscillating"
    return "stuck" if half[-1] > 0.97 * half[0] else "running"
""",
            r"rounding noise",
        ),
        WrongAnswer(
            "looks-at-the-whole-run",
            """
def diagnose(risk):
    if not risk[-1] <= 5 * risk[0]:
        return "diverged"
    if risk[-1] <= 1e-12 * risk[0]:
        return "converged"
    if np.mean(risk[1:] > 1.005 * risk[:-1]) > 0.1:
        return "oscillating"
    return "stuck" if risk[-1] > 0.97 * risk[0] else "running"
""",
            r"which it is not",
        ),
        WrongAnswer(
            "stuck-before-converged",
            """
def diagnose(risk):
    half = risk[len(risk) // 2:]
    if not risk[-1] <= 5 * risk[0]:
        return "diverged"
    if abs(half[-1] - half[0]) < 0.03 * risk[0]:
        return "stuck"
    if np.mean(half[1:] > 1.005 * half[:-1]) > 0.1:
        return "oscillating"
    return "converged" if risk[-1] <= 1e-12 * risk[0] else "running"
""",
            r"test for convergence first",
        ),
    ],
}
