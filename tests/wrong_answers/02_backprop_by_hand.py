"""Mistakes that the graders of assignment 02 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

WRONG_ANSWERS = {
    "filter-answer": [
        WrongAnswer(
            "filters-forwards-again",
            """
def smooth_backward(grad_Y, X, c):
    grad_c = np.zeros(len(c))
    for k in range(len(c)):
        grad_c[k] = np.sum(grad_Y[:, k:] * X[:, : X.shape[1] - k])
    return smooth(grad_Y, c), grad_c
""",
            r"filter itself.*to which outputs",
        ),
        WrongAnswer(
            "wraps-around",
            """
def smooth_backward(grad_Y, X, c):
    grad_X = sum(c[k] * np.roll(grad_Y, -k, axis=1) for k in range(len(c)))
    grad_c = [np.sum(grad_Y * np.roll(X, k, axis=1)) for k in range(len(c))]
    return grad_X, np.array(grad_c)
""",
            r"gradient in X: what leaves a row",
        ),
        WrongAnswer(
            "wraps-around-in-c",
            """
def smooth_backward(grad_Y, X, c):
    grad_X = smooth(grad_Y[:, ::-1], c)[:, ::-1]
    grad_c = [np.sum(grad_Y * np.roll(X, k, axis=1)) for k in range(len(c))]
    return grad_X, np.array(grad_c)
""",
            r"gradient in c: what leaves a row",
        ),
        WrongAnswer(
            "reverses-the-weights",
            """
def smooth_backward(grad_Y, X, c):
    grad_X = smooth(grad_Y[:, ::-1], c[::-1])[:, ::-1]
    grad_c = [np.sum(grad_Y[:, k:] * X[:, : X.shape[1] - k]) for k in range(len(c))]
    return grad_X, np.array(grad_c)
""",
            r"reverse order",
        ),
        WrongAnswer(
            "c-for-each-example",
            """
def smooth_backward(grad_Y, X, c):
    d = X.shape[1]
    grad_X = smooth(grad_Y[:, ::-1], c)[:, ::-1]
    grad_c = [np.sum(grad_Y[:, k:] * X[:, : d - k], axis=1) for k in range(len(c))]
    return grad_X, np.array(grad_c).T
""",
            r"one row for each example",
        ),
        WrongAnswer(
            "shifts-the-wrong-factor",
            """
def smooth_backward(grad_Y, X, c):
    d = X.shape[1]
    grad_X = smooth(grad_Y[:, ::-1], c)[:, ::-1]
    grad_c = [np.sum(grad_Y[:, : d - k] * X[:, k:]) for k in range(len(c))]
    return grad_X, np.array(grad_c)
""",
            r"changed places",
        ),
        WrongAnswer(
            "swapped-pair",
            """
def smooth_backward(grad_Y, X, c):
    d = X.shape[1]
    grad_X = smooth(grad_Y[:, ::-1], c)[:, ::-1]
    grad_c = [np.sum(grad_Y[:, k:] * X[:, : d - k]) for k in range(len(c))]
    return np.array(grad_c), grad_X
""",
            r"order \(X, c\)",
        ),
        WrongAnswer(
            "three-weights-always",
            """
def smooth_backward(grad_Y, X, c):
    d = X.shape[1]
    c = np.append(c, [0.0, 0.0])[:3]
    grad_X, grad_c = np.zeros(X.shape), np.zeros(3)
    for k in range(min(3, d)):
        grad_X[:, : d - k] += c[k] * grad_Y[:, k:]
        grad_c[k] = np.sum(grad_Y[:, k:] * X[:, : d - k])
    return grad_X, grad_c
""",
            r"must have shape",
        ),
        WrongAnswer(
            "difference-quotient",
            """
def smooth_backward(grad_Y, X, c):
    h, grad_X = 1e-7, np.zeros(X.shape)
    base = np.sum(grad_Y * smooth(X, c))
    for i in np.ndindex(*X.shape):
        moved = X.copy()
        moved[i] += h
        grad_X[i] = (np.sum(grad_Y * smooth(moved, c)) - base) / h
    d = X.shape[1]
    grad_c = [np.sum(grad_Y[:, k:] * X[:, : d - k]) for k in range(len(c))]
    return grad_X, np.array(grad_c)
""",
            r"loses digits|entry \[",
        ),
        WrongAnswer(
            "central-difference-quotient",
            """
def smooth_backward(grad_Y, X, c):
    return (
        numerics.difference_gradient(lambda M: np.sum(grad_Y * smooth(M, c)), X, 1.0),
        numerics.difference_gradient(lambda k: np.sum(grad_Y * smooth(X, k)), c, 1.0),
    )
""",
            r"gradient in X, row 0",
        ),
        WrongAnswer(
            "turned-weights",
            """
def smooth_backward(grad_Y, X, c):
    d = X.shape[1]
    grad_c = [np.sum(grad_Y[:, k:] * X[:, : d - k]) for k in range(len(c))]
    return smooth(grad_Y, c[::-1]), np.array(grad_c)
""",
            r"turned round, but every entry",
        ),
        WrongAnswer(
            "slopes-of-the-weights-reversed",
            """
def smooth_backward(grad_Y, X, c):
    d = X.shape[1]
    grad_X = smooth(grad_Y[:, ::-1], c)[:, ::-1]
    grad_c = [np.sum(grad_Y[:, k:] * X[:, : d - k]) for k in range(len(c))]
    return grad_X, np.array(grad_c)[::-1]
""",
            r"weight of the entry itself",
        ),
    ],
    "filter-why-answer": [
        WrongAnswer("says-100", "filter_why = 100", r"what cancels"),
        WrongAnswer("says-99", "filter_why = 99", r"what cancels"),
        WrongAnswer("says-none", "filter_why = 0", r"both ends"),
        WrongAnswer("says-two", "filter_why = 2", r"before the first entry"),
    ],
    "gate-answer": [
        WrongAnswer(
            "outer-path-only",
            """
def gate_backward(grad_Y, X, W):
    return grad_Y * (X @ W.T), (grad_Y * X).T @ X
""",
            r"factor outside alone",
        ),
        WrongAnswer(
            "inner-path-only",
            """
def gate_backward(grad_Y, X, W):
    return (grad_Y * X) @ W, (grad_Y * X).T @ X
""",
            r"inside W alone",
        ),
        WrongAnswer(
            "forgotten-transpose",
            """
def gate_backward(grad_Y, X, W):
    return grad_Y * (X @ W.T) + (grad_Y * X) @ W.T, (grad_Y * X).T @ X
""",
            r"other way round",
        ),
        WrongAnswer(
            "gate-after-the-matrix",
            """
def gate_backward(grad_Y, X, W):
    return grad_Y * (X @ W.T) + X * (grad_Y @ W), (grad_Y * X).T @ X
""",
            r"two steps come in the wrong order",
        ),
        WrongAnswer(
            "gate-forgotten-on-the-way-in",
            """
def gate_backward(grad_Y, X, W):
    return grad_Y * (X @ W.T) + grad_Y @ W, (grad_Y * X).T @ X
""",
            r"gradient in X: what arrives .* has passed a factor",
        ),
        WrongAnswer(
            "gate-forgotten-in-the-weight",
            """
def gate_backward(grad_Y, X, W):
    return grad_Y * (X @ W.T) + (grad_Y * X) @ W, grad_Y.T @ X
""",
            r"gradient in W: what arrives .* has passed a factor",
        ),
        WrongAnswer(
            "weight-transposed",
            """
def gate_backward(grad_Y, X, W):
    return grad_Y * (X @ W.T) + (grad_Y * X) @ W, X.T @ (grad_Y * X)
""",
            r"transposed",
        ),
        WrongAnswer(
            "twice-the-outer",
            """
def gate_backward(grad_Y, X, W):
    return 2 * grad_Y * (X @ W.T), (grad_Y * X).T @ X
""",
            r"contribute differently",
        ),
        WrongAnswer(
            "swapped-pair",
            """
def gate_backward(grad_Y, X, W):
    return (grad_Y * X).T @ X, grad_Y * (X @ W.T) + (grad_Y * X) @ W
""",
            r"order \(X, W\)",
        ),
        WrongAnswer(
            "four-rows-always",
            """
def gate_backward(grad_Y, X, W):
    grad_W = np.zeros(W.shape)
    for n in range(min(len(X), 4)):
        grad_W = grad_W + np.outer(grad_Y[n] * X[n], X[n])
    return grad_Y * (X @ W.T) + (grad_Y * X) @ W, grad_W
""",
            r"gradient in W: entry",
        ),
        WrongAnswer(
            "difference-quotient",
            """
def gate_backward(grad_Y, X, W):
    return (
        numerics.difference_gradient(
            lambda M: np.sum(grad_Y * M * (M @ W.T)), X, 1.0
        ),
        (grad_Y * X).T @ X,
    )
""",
            r"gradient in X, row",
        ),
        WrongAnswer(
            "wrong-factor-in-the-weight",
            """
def gate_backward(grad_Y, X, W):
    grad_X = grad_Y * (X @ W.T) + (grad_Y * X) @ W
    return grad_X, (grad_Y * (X @ W.T)).T @ X
""",
            r"Which of the two",
        ),
    ],
    "gate-why-answer": [
        WrongAnswer("says-one", "gate_why = 1", r"slope of x \* x"),
        WrongAnswer("says-twenty", "gate_why = 20", r"does not add"),
        WrongAnswer("says-two", "gate_why = 2", r"one gate"),
        WrongAnswer("says-a-word", 'gate_why = "twice"', r"must be a number"),
    ],
    "logistic-answer": [
        WrongAnswer(
            "as-on-paper",
            """
def logistic_loss(scores, labels):
    margins = labels * scores
    loss = np.mean(np.log(1 + np.exp(-margins)))
    return loss, -labels / (1 + np.exp(margins)) / len(scores)
""",
            r"overflow.*no exponent is positive",
        ),
        WrongAnswer(
            "both-branches-of-where",
            """
def logistic_loss(scores, labels):
    m = labels * scores
    loss = np.where(m > 0, np.log1p(np.exp(-m)), -m + np.log1p(np.exp(m)))
    return loss.mean(), -labels / (1 + np.exp(m)) / len(scores)
""",
            r"both of its branches",
        ),
        WrongAnswer(
            "digits-lost-in-the-loss",
            """
def logistic_loss(scores, labels):
    m = labels * scores
    small = np.exp(-np.abs(m))
    loss = np.maximum(-m, 0) + np.log(1 + small)
    return loss.mean(), -labels * np.where(m > 0, small, 1) / (1 + small) / len(m)
""",
            r"digits are lost where 1 \+ e",
        ),
        WrongAnswer(
            "digits-lost-in-the-slope",
            """
def logistic_loss(scores, labels):
    m = labels * scores
    small = np.exp(-np.abs(m))
    loss = np.maximum(-m, 0) + np.log1p(small)
    sure = np.where(m > 0, 1, small) / (1 + small)
    return loss.mean(), -labels * (1 - sure) / len(m)
""",
            r"difference of near numbers",
        ),
        WrongAnswer(
            "clipped-scores",
            """
def logistic_loss(scores, labels):
    m = np.clip(labels * scores, -500, 500)
    loss = np.logaddexp(0, -m)
    return loss.mean(), -labels * np.exp(-np.logaddexp(0, m)) / len(m)
""",
            r"scores 1000 and -1000",
        ),
        WrongAnswer(
            "clipped-above",
            """
def logistic_loss(scores, labels):
    m = np.minimum(labels * scores, 45.0)
    loss = np.logaddexp(0, -m)
    return loss.mean(), -labels * np.exp(-np.logaddexp(0, m)) / len(m)
""",
            r"on the right side|scores 1000",
        ),
        WrongAnswer(
            "sum-not-mean",
            """
def logistic_loss(scores, labels):
    m = labels * scores
    return np.logaddexp(0, -m).sum(), -labels * np.exp(-np.logaddexp(0, m))
""",
            r"sum over the examples",
        ),
        WrongAnswer(
            "slopes-of-the-sum",
            """
def logistic_loss(scores, labels):
    m = labels * scores
    return np.logaddexp(0, -m).mean(), -labels * np.exp(-np.logaddexp(0, m))
""",
            r"loss is a mean",
        ),
        WrongAnswer(
            "slope-in-the-margin",
            """
def logistic_loss(scores, labels):
    m = labels * scores
    return np.logaddexp(0, -m).mean(), -np.exp(-np.logaddexp(0, m)) / len(m)
""",
            r"not in the margin",
        ),
        WrongAnswer(
            "turned-exponent-in-the-slope",
            """
def logistic_loss(scores, labels):
    m = labels * scores
    return np.logaddexp(0, -m).mean(), -labels * np.exp(-np.logaddexp(0, -m)) / len(m)
""",
            r"smaller slope",
        ),
        WrongAnswer(
            "labels-zero-and-one",
            """
def logistic_loss(scores, labels):
    m = labels * scores
    p = np.exp(-np.logaddexp(0, -scores))
    return np.logaddexp(0, -m).mean(), (p - labels) / len(m)
""",
            r"fits labels 0 and 1",
        ),
        WrongAnswer(
            "one-largest-exponent-for-all",
            """
def logistic_loss(scores, labels):
    m = labels * scores
    top = max(0.0, np.max(-m))
    total = np.log(np.exp(-top) + np.exp(-m - top)) + top
    return total.mean(), -labels * np.exp(-np.logaddexp(0, m)) / len(m)
""",
            r"own largest exponent|underflow|right side",
        ),
        WrongAnswer(
            "one-by-one-with-math",
            """
def logistic_loss(scores, labels):
    import math
    m = [float(t * s) for t, s in zip(labels, scores)]
    loss = sum(math.log(1 + math.exp(-x)) for x in m) / len(m)
    slopes = [-t / (1 + math.exp(x)) / len(m) for t, x in zip(labels, m)]
    return loss, np.array(slopes)
""",
            r"no exponent is positive",
        ),
    ],
    "logistic-why-answer": [
        WrongAnswer("says-half", "logistic_why = 0.5", r"label 0 into the formula"),
        WrongAnswer("says-minus-half", "logistic_why = -0.5", r"label 0 into"),
        WrongAnswer("says-a-word", 'logistic_why = "0"', r"must be a number"),
    ],
    "clean-answer": [
        WrongAnswer(
            "no-margin",
            """
def clean_rows(inputs, speeds, step):
    clean = np.ones(len(inputs[0]), dtype=bool)
    for z, speed in zip(inputs, speeds):
        clean = clean & (np.abs(z) >= step * np.abs(speed)).all(axis=1)
    return clean
""",
            r"nearer than the rule",
        ),
        WrongAnswer(
            "any-unit",
            """
def clean_rows(inputs, speeds, step):
    clean = np.ones(len(inputs[0]), dtype=bool)
    for z, speed in zip(inputs, speeds):
        clean = clean & (np.abs(z) >= 10 * step * np.abs(speed)).any(axis=1)
    return clean
""",
            r"example 1 is kept",
        ),
        WrongAnswer(
            "last-layer-only",
            """
def clean_rows(inputs, speeds, step):
    for z, speed in zip(inputs, speeds):
        clean = (np.abs(z) >= 10 * step * np.abs(speed)).all(axis=1)
    return clean
""",
            r"example 1 is kept",
        ),
        WrongAnswer(
            "first-layer-only",
            """
def clean_rows(inputs, speeds, step):
    return (np.abs(inputs[0]) >= 10 * step * np.abs(speeds[0])).all(axis=1)
""",
            r"second layer",
        ),
        WrongAnswer(
            "two-layers-only",
            """
def clean_rows(inputs, speeds, step):
    first = (np.abs(inputs[0]) >= 10 * step * np.abs(speeds[0])).all(axis=1)
    last = (np.abs(inputs[-1]) >= 10 * step * np.abs(speeds[-1])).all(axis=1)
    return first & last
""",
            r"are kept that come too near",
        ),
        WrongAnswer(
            "sign-of-the-input",
            """
def clean_rows(inputs, speeds, step):
    clean = np.ones(len(inputs[0]), dtype=bool)
    for z, speed in zip(inputs, speeds):
        clean = clean & (z >= 10 * step * np.abs(speed)).all(axis=1)
    return clean
""",
            r"sign of z",
        ),
        WrongAnswer(
            "sign-of-the-speed",
            """
def clean_rows(inputs, speeds, step):
    clean = np.ones(len(inputs[0]), dtype=bool)
    for z, speed in zip(inputs, speeds):
        clean = clean & (np.abs(z) >= 10 * step * speed).all(axis=1)
    return clean
""",
            r"direction of its move",
        ),
        WrongAnswer(
            "distance-alone",
            """
def clean_rows(inputs, speeds, step):
    clean = np.ones(len(inputs[0]), dtype=bool)
    for z in inputs:
        clean = clean & (np.abs(z) >= 10 * step).all(axis=1)
    return clean
""",
            r"near its kink, but slow|do not move",
        ),
        WrongAnswer(
            "those-to-drop",
            """
def clean_rows(inputs, speeds, step):
    clean = np.ones(len(inputs[0]), dtype=bool)
    for z, speed in zip(inputs, speeds):
        clean = clean & (np.abs(z) >= 10 * step * np.abs(speed)).all(axis=1)
    return ~clean
""",
            r"True must mean",
        ),
        WrongAnswer(
            "largest-step-of-the-worst",
            """
def clean_rows(inputs, speeds, step):
    z, speed = np.hstack(inputs), np.hstack(speeds)
    return np.abs(z).min(axis=1) >= 10 * step * np.abs(speed).max(axis=1)
""",
            r"near its kink, but slow|do not move",
        ),
    ],
    "clean-why-answer": [
        WrongAnswer("says-the-slope", "clean_why = -5", r"slope at 0"),
        WrongAnswer("says-unit-off", "clean_why = 1.25", r"on at 0"),
        WrongAnswer("says-h-not-2h", "clean_why = -7.5", r"distance between"),
        WrongAnswer("says-plus", "clean_why = 3.75", r"wrong sign"),
    ],
}
