"""Mistakes that the graders of assignment 09 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

WRONG_ANSWERS = {
    "reach-answer": [
        WrongAnswer(
            "from-the-input-up",
            """
def seen_interval(layers, p):
    first = last = p
    for k, stride in layers:
        first, last = stride * first - k // 2, stride * last + k // 2
    return first, last
""",
            r"look at first",
        ),
        WrongAnswer(
            "all-taps-to-each-side",
            """
def seen_interval(layers, p):
    first = last = p
    for k, stride in reversed(layers):
        first, last = stride * first - k, stride * last + k
    return first, last
""",
            r"\*one\* side",
        ),
        WrongAnswer(
            "forgets-the-strides",
            """
def seen_interval(layers, p):
    reach = sum(k // 2 for k, stride in layers)
    return p - reach, p + reach
""",
            r"where in the layer before",
        ),
        WrongAnswer(
            "looks-before-it-steps",
            """
def seen_interval(layers, p):
    first = last = p
    for k, stride in reversed(layers):
        first, last = stride * (first - k // 2), stride * (last + k // 2)
    return first, last
""",
            r"stands at s p",
        ),
        WrongAnswer(
            "divides-by-the-stride",
            """
def seen_interval(layers, p):
    first = last = p
    for k, stride in reversed(layers):
        first, last = first // stride - k // 2, last // stride + k // 2
    return first, last
""",
            r"spread or shrink",
        ),
        WrongAnswer(
            "the-centre-only",
            """
def seen_interval(layers, p):
    for k, stride in reversed(layers):
        p = stride * p
    return p, p
""",
            r"How far does it see",
        ),
        WrongAnswer(
            "clips-at-zero",
            """
def seen_interval(layers, p):
    first = last = p
    for k, stride in reversed(layers):
        first, last = stride * first - k // 2, stride * last + k // 2
    return max(first, 0), last
""",
            r"below 0 count",
        ),
        WrongAnswer(
            "half-open",
            """
def seen_interval(layers, p):
    first = last = p
    for k, stride in reversed(layers):
        first, last = stride * first - k // 2, stride * last + k // 2
    return first, last + 1
""",
            r"not the one after it",
        ),
        WrongAnswer(
            "length-of-the-interval",
            """
def seen_interval(layers, p):
    reach = 0
    for k, stride in reversed(layers):
        reach = stride * reach + k // 2
    return 2 * reach + 1
""",
            r"return two places",
        ),
        WrongAnswer(
            "three-layers-always",
            """
def seen_interval(layers, p):
    first = last = p
    for k, stride in reversed(layers[-3:]):
        first, last = stride * first - k // 2, stride * last + k // 2
    return first, last
""",
            r"chain of 4 layers",
        ),
    ],
    "reach-why-answer": [
        WrongAnswer("says-nine", "reach_why = 9", r"one of the three"),
        WrongAnswer("says-the-same", "reach_why = 49", r"equally many taps"),
        WrongAnswer("says-the-product", "reach_why = 729", r"added"),
        WrongAnswer("says-a-word", 'reach_why = "27"', r"must be a number"),
    ],
    "count-answer": [
        WrongAnswer(
            "counts-the-zeros-too",
            """
def net_cost(side, c_in, layers):
    weights = products = 0
    for c_out, stride in layers:
        side = -(-side // stride)
        weights += 9 * c_in * c_out
        products += 9 * side**2 * c_in * c_out
        c_in = c_out
    return weights, products
""",
            r"zeros outside do not count",
        ),
        WrongAnswer(
            "one-direction",
            """
def net_cost(side, c_in, layers):
    weights = products = 0
    for c_out, stride in layers:
        places = np.arange(0, side, stride)[:, None] + [-1, 0, 1]
        weights += 9 * c_in * c_out
        products += int(np.sum((places >= 0) & (places < side))) * c_in * c_out
        side, c_in = len(places), c_out
    return weights, products
""",
            r"there are two",
        ),
        WrongAnswer(
            "two-taps-off-at-every-stride",
            """
def net_cost(side, c_in, layers):
    weights = products = 0
    for c_out, stride in layers:
        side = -(-side // stride)
        weights += 9 * c_in * c_out
        products += (3 * side - 2) ** 2 * c_in * c_out
        c_in = c_out
    return weights, products
""",
            r"which taps of the last pixel",
        ),
        WrongAnswer(
            "one-tap-off-at-stride-two",
            """
def net_cost(side, c_in, layers):
    weights = products = 0
    for c_out, stride in layers:
        side = -(-side // stride)
        weights += 9 * c_in * c_out
        products += (3 * side - (2 if stride == 1 else 1)) ** 2 * c_in * c_out
        c_in = c_out
    return weights, products
""",
            r"last place miss a tap|table_count",
        ),
        WrongAnswer(
            "forgets-the-stride",
            """
def net_cost(side, c_in, layers):
    weights = products = 0
    for c_out, stride in layers:
        weights += 9 * c_in * c_out
        products += (3 * side - 2) ** 2 * c_in * c_out
        c_in = c_out
    return weights, products
""",
            r"fewer pixels",
        ),
        WrongAnswer(
            "keeps-the-first-channels",
            """
def net_cost(side, c_in, layers):
    weights = products = 0
    for c_out, stride in layers:
        places = np.arange(0, side, stride)[:, None] + [-1, 0, 1]
        inside = int(np.sum((places >= 0) & (places < side)))
        weights += 9 * c_in * c_out
        products += inside**2 * c_in * c_out
        side = len(places)
    return weights, products
""",
            r"how many channels",
        ),
        WrongAnswer(
            "keeps-the-first-side",
            """
def net_cost(side, c_in, layers):
    weights = products = 0
    for c_out, stride in layers:
        places = np.arange(0, side, stride)[:, None] + [-1, 0, 1]
        inside = int(np.sum((places >= 0) & (places < side)))
        weights += 9 * c_in * c_out
        products += inside**2 * c_in * c_out
        c_in = c_out
    return weights, products
""",
            r"how many pixels does the second",
        ),
        WrongAnswer(
            "no-channels",
            """
def net_cost(side, c_in, layers):
    weights = products = 0
    for c_out, stride in layers:
        places = np.arange(0, side, stride)[:, None] + [-1, 0, 1]
        weights += 9 * c_out
        products += int(np.sum((places >= 0) & (places < side))) ** 2 * c_out
        side = len(places)
    return weights, products
""",
            r"table_count|c_in x c_out",
        ),
        WrongAnswer(
            "other-way-round",
            """
def net_cost(side, c_in, layers):
    weights = products = 0
    for c_out, stride in layers:
        places = np.arange(0, side, stride)[:, None] + [-1, 0, 1]
        inside = int(np.sum((places >= 0) & (places < side)))
        weights += 9 * c_in * c_out
        products += inside**2 * c_in * c_out
        side, c_in = len(places), c_out
    return products, weights
""",
            r"weights first",
        ),
        WrongAnswer(
            "right-up-to-stride-two",
            """
def net_cost(side, c_in, layers):
    weights = products = 0
    for c_out, stride in layers:
        places = list(range(0, side, min(stride, 2)))
        inside = sum(0 <= p + a < side for p in places for a in (-1, 0, 1))
        weights += 9 * c_in * c_out
        products += inside**2 * c_in * c_out
        side, c_in = len(places), c_out
    return weights, products
""",
            r"the multiplications",
        ),
    ],
    "count-why-answer": [
        WrongAnswer("says-every-pixel", "count_why = 64", r"middle tap"),
        WrongAnswer("says-one-edge", "count_why = 56", r"off twice"),
        WrongAnswer("says-both-edges", "count_why = 36", r"one side in each"),
        WrongAnswer("says-once", "count_why = 1", r"many places"),
    ],
    "nearest-answer": [
        WrongAnswer(
            "sums",
            """
def nearest_taps(T, r):
    p = np.arange(len(T))
    return np.array([T[p, (p + a) % len(T)].sum() for a in range(-r, r + 1)])
""",
            r"this is a sum",
        ),
        WrongAnswer(
            "reversed",
            """
def nearest_taps(T, r):
    p = np.arange(len(T))
    return np.array([T[p, (p - a) % len(T)].mean() for a in range(-r, r + 1)])
""",
            r"looks \*ahead\*",
        ),
        WrongAnswer(
            "diagonals-that-end-at-the-edge",
            """
def nearest_taps(T, r):
    return np.array([np.diagonal(T, a).mean() for a in range(-r, r + 1)])
""",
            r"goes on round the circle",
        ),
        WrongAnswer(
            "short-diagonals-over-d",
            """
def nearest_taps(T, r):
    return np.array([np.trace(T, a) / len(T) for a in range(-r, r + 1)])
""",
            r"which entry is left",
        ),
        WrongAnswer(
            "the-first-row",
            """
def nearest_taps(T, r):
    return np.array([T[0, a % len(T)] for a in range(-r, r + 1)])
""",
            r"taps of radius 0: entry|others have",
        ),
        WrongAnswer(
            "the-middle-row",
            """
def nearest_taps(T, r):
    d, p = len(T), len(T) // 2
    taps = [T[p, (p + a) % d] for a in range(-r, r + 1)]
    taps[r] = np.trace(T) / d
    return np.array(taps)
""",
            r"taps of radius 1",
        ),
        WrongAnswer(
            "medians",
            """
def nearest_taps(T, r):
    d, p = len(T), np.arange(len(T))
    return np.array([np.median(T[p, (p + a) % d]) for a in range(-r, r + 1)])
""",
            r"radius 1: entry|radius 1: right",
        ),
        WrongAnswer(
            "one-neighbour-always",
            """
def nearest_taps(T, r):
    d, p = len(T), np.arange(len(T))
    taps = [T[p, (p + a) % d].mean() for a in (-1, 0, 1)]
    return np.array(taps if r else taps[1:2])
""",
            r"must have shape",
        ),
    ],
    "nearest-why-answer": [
        WrongAnswer("says-the-variance", "nearest_why = 1 / 64", r"variance"),
        WrongAnswer("says-one", "nearest_why = 1", r"how many entries"),
        WrongAnswer("says-eight", "nearest_why = 8", r"becomes smaller"),
        WrongAnswer("says-all-entries", "nearest_why = 1 / 64**2", r"in each row"),
    ],
    "stride-answer": [
        WrongAnswer(
            "outer-taps-exchanged",
            """
def stride_two_backward(grad_y, W):
    spread = np.zeros((2 * len(grad_y), grad_y.shape[1]))
    spread[::2] = grad_y
    ahead, behind = (np.roll(spread, a, axis=0) for a in (-1, 1))
    return spread @ W[1].T + ahead @ W[2].T + behind @ W[0].T
""",
            r"odd numbers are wrong",
        ),
        WrongAnswer(
            "zeros-at-the-edge",
            """
def stride_two_backward(grad_y, W):
    grad_x = np.zeros((2 * len(grad_y) + 2, W.shape[1]))
    for p in range(len(grad_y)):
        for a in range(3):
            grad_x[2 * p + a] += grad_y[p] @ W[a].T
    return grad_x[1:-1]
""",
            r"next one the first",
        ),
        WrongAnswer(
            "forgotten-transpose",
            """
def stride_two_backward(grad_y, W):
    spread = np.zeros((2 * len(grad_y), grad_y.shape[1]))
    spread[::2] = grad_y
    ahead, behind = (np.roll(spread, a, axis=0) for a in (-1, 1))
    return spread @ W[1] + ahead @ W[0] + behind @ W[2]
""",
            r"channels are not",
        ),
        WrongAnswer(
            "the-middle-tap-alone",
            """
def stride_two_backward(grad_y, W):
    grad_x = np.zeros((2 * len(grad_y), W.shape[1]))
    grad_x[::2] = grad_y @ W[1].T
    return grad_x
""",
            r"odd numbers are seen",
        ),
        WrongAnswer(
            "writes-over",
            """
def stride_two_backward(grad_y, W):
    grad_x = np.zeros((2 * len(grad_y), W.shape[1]))
    for p in range(len(grad_y)):
        for a in range(3):
            grad_x[2 * p + a - 1] = grad_y[p] @ W[a].T
    return grad_x
""",
            r"kept the share of one",
        ),
        WrongAnswer(
            "the-tap-ahead-forgotten",
            """
def stride_two_backward(grad_y, W):
    grad_x = np.zeros((2 * len(grad_y), W.shape[1]))
    grad_x[::2] = grad_y @ W[1].T
    grad_x[1::2] = np.roll(grad_y, -1, axis=0) @ W[0].T
    return grad_x
""",
            r"kept the share of one",
        ),
        WrongAnswer(
            "one-row-for-each-output",
            """
def stride_two_backward(grad_y, W):
    ahead, behind = (np.roll(grad_y, a, axis=0) for a in (-1, 1))
    return grad_y @ W[1].T + ahead @ W[0].T + behind @ W[2].T
""",
            r"twice as many",
        ),
        WrongAnswer(
            "repeats-the-gradient",
            """
def stride_two_backward(grad_y, W):
    return np.repeat(grad_y, 2, axis=0) @ W.sum(axis=0).T
""",
            r"through every tap",
        ),
        WrongAnswer(
            "moved-by-one-output",
            """
def stride_two_backward(grad_y, W):
    spread = np.zeros((2 * len(grad_y), grad_y.shape[1]))
    spread[::2] = np.roll(grad_y, -1, axis=0)
    ahead, behind = (np.roll(spread, a, axis=0) for a in (-1, 1))
    return spread @ W[1].T + ahead @ W[0].T + behind @ W[2].T
""",
            r"all is moved",
        ),
        WrongAnswer(
            "spread-on-odd-pixels",
            """
def stride_two_backward(grad_y, W):
    spread = np.zeros((2 * len(grad_y), grad_y.shape[1]))
    spread[1::2] = grad_y
    ahead, behind = (np.roll(spread, a, axis=0) for a in (-1, 1))
    return spread @ W[1].T + ahead @ W[0].T + behind @ W[2].T
""",
            r"all is moved",
        ),
        WrongAnswer(
            "right-for-as-many-channels-out-as-in",
            """
def stride_two_backward(grad_y, W):
    grad_x = np.zeros((2 * len(grad_y), grad_y.shape[1]))
    for p in range(len(grad_y)):
        for a in range(3):
            moved = np.zeros(grad_y.shape[1])
            moved[: W.shape[1]] = (W[a] @ grad_y[p])[: len(moved)]
            grad_x[(2 * p + a - 1) % len(grad_x)] += moved
    return grad_x
""",
            r"must have shape",
        ),
        WrongAnswer(
            "difference-quotient",
            """
def stride_two_backward(grad_y, W):
    return numerics.difference_gradient(
        lambda x: np.sum(grad_y * stride_two(x, W)),
        np.zeros((2 * len(grad_y), W.shape[1])),
        1.0,
    )
""",
            r"runs the layer forwards",
        ),
    ],
    "stride-why-answer": [
        WrongAnswer("says-two", "stride_why = 2", r"one direction"),
        WrongAnswer("says-nine", "stride_why = 9", r"all nine taps"),
        WrongAnswer("says-one", "stride_why = 1", r"equally often"),
        WrongAnswer("says-three", "stride_why = 3", r"not added"),
    ],
}
