"""Mistakes that the graders of assignment 12 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

WRONG_ANSWERS = {
    "rounds-answer": [
        WrongAnswer(
            "part-of-a-tile",
            """
def product_clocks(size, tile, chip):
    (M, N, K), (tile_m, tile_n) = size, tile
    n_rounds = M / tile_m * N / tile_n / chip[0]
    computing = 2 * tile_m * tile_n * K / chip[1]
    copying = 2 * (tile_m + tile_n) * K / chip[2]
    return n_rounds * max(computing, copying)
""",
            r"over the edge",
        ),
        WrongAnswer(
            "drops-what-is-left-over",
            """
def product_clocks(size, tile, chip):
    (M, N, K), (tile_m, tile_n) = size, tile
    n_rounds = -(-(M // tile_m) * (N // tile_n) // chip[0])
    computing = 2 * tile_m * tile_n * K / chip[1]
    copying = 2 * (tile_m + tile_n) * K / chip[2]
    return n_rounds * max(computing, copying)
""",
            r"left over",
        ),
        WrongAnswer(
            "numbers-for-bytes",
            """
def product_clocks(size, tile, chip):
    (M, N, K), (tile_m, tile_n) = size, tile
    n_rounds = -(-(-(-M // tile_m) * -(-N // tile_n)) // chip[0])
    computing = 2 * tile_m * tile_n * K / chip[1]
    copying = (tile_m + tile_n) * K / chip[2]
    return n_rounds * max(computing, copying)
""",
            r"one byte",
        ),
        WrongAnswer(
            "adds-the-two-times",
            """
def product_clocks(size, tile, chip):
    (M, N, K), (tile_m, tile_n) = size, tile
    n_rounds = -(-(-(-M // tile_m) * -(-N // tile_n)) // chip[0])
    computing = 2 * tile_m * tile_n * K / chip[1]
    copying = 2 * (tile_m + tile_n) * K / chip[2]
    return n_rounds * (computing + copying)
""",
            r"not added",
        ),
        WrongAnswer(
            "takes-the-shorter-time",
            """
def product_clocks(size, tile, chip):
    (M, N, K), (tile_m, tile_n) = size, tile
    n_rounds = -(-(-(-M // tile_m) * -(-N // tile_n)) // chip[0])
    computing = 2 * tile_m * tile_n * K / chip[1]
    copying = 2 * (tile_m + tile_n) * K / chip[2]
    return n_rounds * min(computing, copying)
""",
            r"before both",
        ),
        WrongAnswer(
            "one-multiprocessor",
            """
def product_clocks(size, tile, chip):
    (M, N, K), (tile_m, tile_n) = size, tile
    n_blocks = -(-M // tile_m) * -(-N // tile_n)
    computing = 2 * tile_m * tile_n * K / chip[1]
    copying = 2 * (tile_m + tile_n) * K / chip[2]
    return n_blocks * max(computing, copying)
""",
            r"at the same time",
        ),
        WrongAnswer(
            "part-of-a-round",
            """
def product_clocks(size, tile, chip):
    (M, N, K), (tile_m, tile_n) = size, tile
    n_blocks = -(-M // tile_m) * -(-N // tile_n)
    computing = 2 * tile_m * tile_n * K / chip[1]
    copying = 2 * (tile_m + tile_n) * K / chip[2]
    return n_blocks / chip[0] * max(computing, copying)
""",
            r"last round",
        ),
        WrongAnswer(
            "shares-the-rates-out",
            """
def product_clocks(size, tile, chip):
    (M, N, K), (tile_m, tile_n) = size, tile
    n_rounds = -(-(-(-M // tile_m) * -(-N // tile_n)) // chip[0])
    computing = 2 * tile_m * tile_n * K / chip[1]
    copying = 2 * (tile_m + tile_n) * K / chip[2]
    return n_rounds * max(computing, copying) / chip[0]
""",
            r"each multiprocessor has",
        ),
        WrongAnswer(
            "counts-the-results-too",
            """
def product_clocks(size, tile, chip):
    (M, N, K), (tile_m, tile_n) = size, tile
    n_rounds = -(-(-(-M // tile_m) * -(-N // tile_n)) // chip[0])
    computing = 2 * tile_m * tile_n * K / chip[1]
    copying = 2 * ((tile_m + tile_n) * K + tile_m * tile_n) / chip[2]
    return n_rounds * max(computing, copying)
""",
            r"numbers of the factors count",
        ),
        WrongAnswer(
            "one-round-too-many",
            """
def product_clocks(size, tile, chip):
    (M, N, K), (tile_m, tile_n) = size, tile
    n_rounds = -(-M // tile_m) * -(-N // tile_n) // chip[0] + 1
    computing = 2 * tile_m * tile_n * K / chip[1]
    copying = 2 * (tile_m + tile_n) * K / chip[2]
    return n_rounds * max(computing, copying)
""",
            r"not right|how many rounds",
        ),
        WrongAnswer(
            "rounds-up-the-product-of-tiles",
            """
def product_clocks(size, tile, chip):
    (M, N, K), (tile_m, tile_n) = size, tile
    n_blocks = -(-M * N // (tile_m * tile_n))
    computing = 2 * tile_m * tile_n * K / chip[1]
    copying = 2 * (tile_m + tile_n) * K / chip[2]
    return -(-n_blocks // chip[0]) * max(computing, copying)
""",
            r"how many tiles cover",
        ),
        WrongAnswer(
            "square-tiles",
            """
def product_clocks(size, tile, chip):
    (M, N, K), (tile_m, tile_n) = size, tile
    n_rounds = -(-(-(-M // tile_m) * -(-N // tile_n)) // chip[0])
    copying = 4 * tile_m * K / chip[2]
    return n_rounds * max(2 * tile_m * tile_n * K / chip[1], copying)
""",
            r"the clocks for",
        ),
    ],
    "rounds-why-answer": [
        WrongAnswer("says-32", "rounds_why = 32", r"square tile, or"),
        WrongAnswer("says-16", "rounds_why = 16", r"square tile, and"),
        WrongAnswer("says-128", "rounds_why = 128", r"2 bytes"),
        WrongAnswer("says-no-limit", "rounds_why = np.inf", r"infinite"),
    ],
    "gather-answer": [
        WrongAnswer(
            "columns-of-taps-first",
            """
def addresses(m, k, shape, side, stride):
    n, h, w, c = shape
    out_h, out_w = -(-h // stride), -(-w // stride)
    image, pixel = np.divmod(m[:, None], out_h * out_w)
    tap, channel = np.divmod(k, c)
    p = stride * (pixel // out_w) + tap % side - side // 2
    q = stride * (pixel % out_w) + tap // side - side // 2
    inside = (image < n) & (tap < side**2) & (p % h == p) & (q % w == q)
    return np.where(inside, ((image * h + p) * w + q) * c + channel, -1)
""",
            r"row by row",
        ),
        WrongAnswer(
            "forgets-the-middle",
            """
def addresses(m, k, shape, side, stride):
    n, h, w, c = shape
    out_h, out_w = -(-h // stride), -(-w // stride)
    image, pixel = np.divmod(m[:, None], out_h * out_w)
    tap, channel = np.divmod(k, c)
    p = stride * (pixel // out_w) + tap // side
    q = stride * (pixel % out_w) + tap % side
    inside = (image < n) & (tap < side**2) & (p % h == p) & (q % w == q)
    return np.where(inside, ((image * h + p) * w + q) * c + channel, -1)
""",
            r"sees the pixel itself",
        ),
        WrongAnswer(
            "turned-taps",
            """
def addresses(m, k, shape, side, stride):
    n, h, w, c = shape
    out_h, out_w = -(-h // stride), -(-w // stride)
    image, pixel = np.divmod(m[:, None], out_h * out_w)
    tap, channel = np.divmod(k, c)
    p = stride * (pixel // out_w) - tap // side + side // 2
    q = stride * (pixel % out_w) - tap % side + side // 2
    inside = (image < n) & (tap < side**2) & (p % h == p) & (q % w == q)
    return np.where(inside, ((image * h + p) * w + q) * c + channel, -1)
""",
            r"down and right",
        ),
        WrongAnswer(
            "wraps-around-the-edge",
            """
def addresses(m, k, shape, side, stride):
    n, h, w, c = shape
    out_h, out_w = -(-h // stride), -(-w // stride)
    image, pixel = np.divmod(m[:, None], out_h * out_w)
    tap, channel = np.divmod(k, c)
    p = stride * (pixel // out_w) + tap // side - side // 2
    q = stride * (pixel % out_w) + tap % side - side // 2
    inside = (image < n) & (tap < side**2) & (p % h == p)
    return np.where(inside, ((image * h + p) * w + q) * c + channel, -1)
""",
            r"past the left edge",
        ),
        WrongAnswer(
            "channels-before-taps",
            """
def addresses(m, k, shape, side, stride):
    n, h, w, c = shape
    out_h, out_w = -(-h // stride), -(-w // stride)
    image, pixel = np.divmod(m[:, None], out_h * out_w)
    channel, tap = np.divmod(k, side**2)
    p = stride * (pixel // out_w) + tap // side - side // 2
    q = stride * (pixel % out_w) + tap % side - side // 2
    inside = (image < n) & (channel < c) & (p % h == p) & (q % w == q)
    return np.where(inside, ((image * h + p) * w + q) * c + channel, -1)
""",
            r"before the next tap",
        ),
        WrongAnswer(
            "channels-first-in-memory",
            """
def addresses(m, k, shape, side, stride):
    n, h, w, c = shape
    out_h, out_w = -(-h // stride), -(-w // stride)
    image, pixel = np.divmod(m[:, None], out_h * out_w)
    tap, channel = np.divmod(k, c)
    p = stride * (pixel // out_w) + tap // side - side // 2
    q = stride * (pixel % out_w) + tap % side - side // 2
    inside = (image < n) & (tap < side**2) & (p % h == p) & (q % w == q)
    return np.where(inside, ((image * c + channel) * h + p) * w + q, -1)
""",
            r"channels are last",
        ),
        WrongAnswer(
            "goes-on-behind-the-batch",
            """
def addresses(m, k, shape, side, stride):
    n, h, w, c = shape
    out_h, out_w = -(-h // stride), -(-w // stride)
    image, pixel = np.divmod(m[:, None], out_h * out_w)
    tap, channel = np.divmod(k, c)
    p = stride * (pixel // out_w) + tap // side - side // 2
    q = stride * (pixel % out_w) + tap % side - side // 2
    inside = (tap < side**2) & (p % h == p) & (q % w == q)
    return np.where(inside, ((image * h + p) * w + q) * c + channel, -1)
""",
            r"beyond the last image",
        ),
        WrongAnswer(
            "rounds-the-output-down",
            """
def addresses(m, k, shape, side, stride):
    n, h, w, c = shape
    out_h, out_w = h // stride, w // stride
    image, pixel = np.divmod(m[:, None], out_h * out_w)
    tap, channel = np.divmod(k, c)
    p = stride * (pixel // out_w) + tap // side - side // 2
    q = stride * (pixel % out_w) + tap % side - side // 2
    inside = (image < n) & (tap < side**2) & (p % h == p) & (q % w == q)
    return np.where(inside, ((image * h + p) * w + q) * c + channel, -1)
""",
            r"how many output rows",
        ),
        WrongAnswer(
            "strides-the-taps-too",
            """
def addresses(m, k, shape, side, stride):
    n, h, w, c = shape
    out_h, out_w = -(-h // stride), -(-w // stride)
    image, pixel = np.divmod(m[:, None], out_h * out_w)
    tap, channel = np.divmod(k, c)
    p = stride * (pixel // out_w + tap // side - side // 2)
    q = stride * (pixel % out_w + tap % side - side // 2)
    inside = (image < n) & (tap < side**2) & (p % h == p) & (q % w == q)
    return np.where(inside, ((image * h + p) * w + q) * c + channel, -1)
""",
            r"a tap moves by one",
        ),
        WrongAnswer(
            "three-taps-always",
            """
def addresses(m, k, shape, side, stride):
    n, h, w, c = shape
    out_h, out_w = -(-h // stride), -(-w // stride)
    image, pixel = np.divmod(m[:, None], out_h * out_w)
    tap, channel = np.divmod(k, c)
    p = stride * (pixel // out_w) + tap // side - 1
    q = stride * (pixel % out_w) + tap % side - 1
    inside = (image < n) & (tap < side**2) & (p % h == p) & (q % w == q)
    return np.where(inside, ((image * h + p) * w + q) * c + channel, -1)
""",
            r"middle one of 5 x 5",
        ),
        WrongAnswer(
            "looks-the-addresses-up",
            """
def addresses(m, k, shape, side, stride):
    n, h, w, c = shape
    r, ids = side // 2, np.arange(n * h * w * c).reshape(shape)
    ids = np.pad(ids, [(0, 0), (r, r), (r, r), (0, 0)], constant_values=-1)
    parts = [
        ids[:, a : a + h : stride, b : b + w : stride].reshape(-1, c)
        for a in range(side)
        for b in range(side)
    ]
    whole = np.concatenate(parts, axis=1)
    whole = np.pad(whole, ((0, max(m) + 1), (0, max(k) + 1)), constant_values=-1)
    return whole[np.ix_(m, k)]
""",
            r"look nothing up",
        ),
        WrongAnswer(
            "counts-in-32-bits",
            """
def addresses(m, k, shape, side, stride):
    n, h, w, c = shape
    m, k = np.asarray(m, np.int32), np.asarray(k, np.int32)
    out_h, out_w = -(-h // stride), -(-w // stride)
    image, pixel = np.divmod(m[:, None], out_h * out_w)
    tap, channel = np.divmod(k, c)
    p = stride * (pixel // out_w) + tap // side - side // 2
    q = stride * (pixel % out_w) + tap % side - side // 2
    inside = (image < n) & (tap < side**2) & (p % h == p) & (q % w == q)
    return np.where(inside, ((image * h + p) * w + q) * c + channel, -1)
""",
            r"long enough",
        ),
    ],
    "gather-why-answer": [
        WrongAnswer("says-a-quarter", "gather_why = 0.25", r"not zero"),
        WrongAnswer("says-a-half", "gather_why = 0.5", r"there are two"),
        WrongAnswer("says-5-of-9", "gather_why = 5 / 9", r"four taps"),
        WrongAnswer("says-8-of-9", "gather_why = 8 / 9", r"one tap"),
    ],
    "banks-answer": [
        WrongAnswer(
            "plain-order",
            """
def places(rows, chunks):
    return np.arange(rows * chunks).reshape(rows, chunks)
""",
            r"in one group",
        ),
        WrongAnswer(
            "the-turn-of-wide-rows",
            """
def places(rows, chunks):
    row, chunk = np.indices((rows, chunks))
    return row * chunks + (chunk ^ row % 8)
""",
            r"outside its row",
        ),
        WrongAnswer(
            "turns-with-every-row",
            """
def places(rows, chunks):
    row, chunk = np.indices((rows, chunks))
    return row * chunks + (chunk + row) % chunks
""",
            r"in one group",
        ),
        WrongAnswer(
            "the-tile-lies-on-its-side",
            """
def places(rows, chunks):
    row, chunk = np.indices((rows, chunks))
    return chunk * rows + row
""",
            r"outside its row",
        ),
        WrongAnswer(
            "a-gap-after-each-row",
            """
def places(rows, chunks):
    row, chunk = np.indices((rows, chunks))
    return row * (chunks + 1) + chunk
""",
            r"outside its row",
        ),
        WrongAnswer(
            "two-chunks-in-one-place",
            """
def places(rows, chunks):
    row, chunk = np.indices((rows, chunks))
    return row * chunks + (chunk & ~1)
""",
            r"at one place",
        ),
        WrongAnswer(
            "powers-of-two-only",
            """
def places(rows, chunks):
    row, chunk = np.indices((rows, chunks))
    turn = row // max(1, 8 // chunks) % min(chunks, 8)
    return row * chunks + (chunk ^ turn)
""",
            r"leave their row",
        ),
        WrongAnswer(
            "three-widths-only",
            """
def places(rows, chunks):
    row, chunk = np.indices((rows, chunks))
    turn = {2: row // 4 % 2, 4: row // 2 % 4, 8: row % 8}.get(chunks, 0 * row)
    return row * chunks + (chunk ^ turn)
""",
            r"more than one wavefront",
        ),
    ],
    "banks-why-answer": [
        WrongAnswer("says-none", "banks_why = 0", r"width of 7"),
        WrongAnswer("says-all", "banks_why = 16", r"9 places apart"),
        WrongAnswer("says-2", "banks_why = 2", r"more than one"),
        WrongAnswer("says-4", "banks_why = 4", r"more than one"),
    ],
    "rest-answer": [
        WrongAnswer(
            "cuts-bits-off",
            """
def resting_weight(start, target, rate, bits):
    w, before = start, None
    while w != before:
        before = w
        fraction, exponent = np.frexp(w - rate * (w - target))
        w = float(np.ldexp(np.trunc(fraction * 2.0**bits), exponent - bits))
    return w
""",
            r"cut off",
        ),
        WrongAnswer(
            "half-is-always-up",
            """
def resting_weight(start, target, rate, bits):
    w, before = start, None
    while w != before:
        before = w
        fraction, exponent = np.frexp(w - rate * (w - target))
        m = np.floor(fraction * 2.0**bits + 0.5)
        w = float(np.ldexp(m, exponent - bits))
    return w
""",
            r"halfway",
        ),
        WrongAnswer(
            "half-is-always-down",
            """
def resting_weight(start, target, rate, bits):
    w, before = start, None
    while w != before:
        before = w
        fraction, exponent = np.frexp(w - rate * (w - target))
        m = np.ceil(fraction * 2.0**bits - 0.5)
        w = float(np.ldexp(m, exponent - bits))
    return w
""",
            r"halfway",
        ),
        WrongAnswer(
            "bits-after-the-leading-one",
            """
def resting_weight(start, target, rate, bits):
    w, before = start, None
    while w != before:
        before = w
        fraction, exponent = np.frexp(w - rate * (w - target))
        m = np.rint(fraction * 2.0 ** (bits + 1))
        w = float(np.ldexp(m, exponent - bits - 1))
    return w
""",
            r"leading 1",
        ),
        WrongAnswer(
            "one-gap-for-all-sizes",
            """
def resting_weight(start, target, rate, bits):
    w, before = start, None
    while w != before:
        before = w
        step = w - rate * (w - target)
        w = float(np.rint(step * 2 ** (bits - 1)) / 2 ** (bits - 1))
    return w
""",
            r"as dense as between 1 and 2",
        ),
        WrongAnswer(
            "one-step",
            """
def resting_weight(start, target, rate, bits):
    w = start - rate * (start - target)
    fraction, exponent = np.frexp(w)
    return float(np.ldexp(np.rint(fraction * 2.0**bits), exponent - bits))
""",
            r"first step",
        ),
        WrongAnswer(
            "rounds-the-step",
            """
def resting_weight(start, target, rate, bits):
    w, before = start, None
    while w != before:
        before = w
        fraction, exponent = np.frexp(rate * (w - target))
        w -= float(np.ldexp(np.rint(fraction * 2.0**bits), exponent - bits))
    return w
""",
            r"this is the target",
        ),
        WrongAnswer(
            "rounds-on-the-way",
            """
def resting_weight(start, target, rate, bits):
    def short(x):
        fraction, exponent = np.frexp(x)
        return float(np.ldexp(np.rint(fraction * 2.0**bits), exponent - bits))

    w, before = start, None
    while w != before:
        before = w
        w = short(w - short(rate * short(w - target)))
    return w
""",
            r"on the way",
        ),
        WrongAnswer(
            "twenty-steps",
            """
def resting_weight(start, target, rate, bits):
    w = start
    for _ in range(20):
        fraction, exponent = np.frexp(w - rate * (w - target))
        m = np.rint(fraction * 2.0**bits)
        w = float(np.ldexp(m, exponent - bits))
    return w
""",
            r"\d bits",
        ),
    ],
    "rest-why-answer": [
        WrongAnswer("says-4", "rest_why = 4", r"halfway"),
        WrongAnswer("says-8", "rest_why = 8", r"\*nearest\*"),
        WrongAnswer("says-1", "rest_why = 1", r"float32 alone"),
        WrongAnswer("says-3", "rest_why = 3", r"leading 1"),
    ],
}
