"""Mistakes that the graders of assignment 11 must reject, and what they must say."""

from identity_edu.grading.wrong_answers import WrongAnswer

WRONG_ANSWERS = {
    "work-answer": [
        WrongAnswer(
            "image-never-shrinks",
            """
def multiplications(side, colours, stem, stages):
    total, c = 9 * side**2 * colours * stem, stem
    for n_blocks, channels, stride in stages:
        total += 9 * side**2 * channels * (c + (2 * n_blocks - 1) * channels)
        c = channels
    return total
""",
            r"skips output pixels",
        ),
        WrongAnswer(
            "shrinks-after-the-first-convolution",
            """
def multiplications(side, colours, stem, stages):
    total, c = 9 * side**2 * colours * stem, stem
    for n_blocks, channels, stride in stages:
        total += 9 * side**2 * c * channels
        side //= stride
        total += 9 * side**2 * (2 * n_blocks - 1) * channels**2
        c = channels
    return total
""",
            r"smaller image already",
        ),
        WrongAnswer(
            "stride-divides-the-pixels-once",
            """
def multiplications(side, colours, stem, stages):
    pixels, c = side**2, stem
    total = 9 * pixels * colours * stem
    for n_blocks, channels, stride in stages:
        pixels //= stride
        total += 9 * pixels * channels * (c + (2 * n_blocks - 1) * channels)
        c = channels
    return total
""",
            r"height and width",
        ),
        WrongAnswer(
            "forgets-the-stem",
            """
def multiplications(side, colours, stem, stages):
    total, c = 0, stem
    for n_blocks, channels, stride in stages:
        side //= stride
        total += 9 * side**2 * channels * (c + (2 * n_blocks - 1) * channels)
        c = channels
    return total
""",
            r"stem counts",
        ),
        WrongAnswer(
            "old-channels-in-every-block",
            """
def multiplications(side, colours, stem, stages):
    total, c = 9 * side**2 * colours * stem, stem
    for n_blocks, channels, stride in stages:
        side //= stride
        total += n_blocks * 9 * side**2 * channels * (c + channels)
        c = channels
    return total
""",
            r"only the first block",
        ),
        WrongAnswer(
            "stem-channels-into-every-stage",
            """
def multiplications(side, colours, stem, stages):
    total, c = 9 * side**2 * colours * stem, stem
    for n_blocks, channels, stride in stages:
        side //= stride
        total += 9 * side**2 * channels * (c + (2 * n_blocks - 1) * channels)
    return total
""",
            r"the one before",
        ),
        WrongAnswer(
            "every-stage-from-the-first-image",
            """
def multiplications(side, colours, stem, stages):
    total, c = 9 * side**2 * colours * stem, stem
    for n_blocks, channels, stride in stages:
        here = side // stride
        total += 9 * here**2 * channels * (c + (2 * n_blocks - 1) * channels)
        c = channels
    return total
""",
            r"the one before",
        ),
    ],
    "work-why-answer": [
        WrongAnswer("says-a-quarter", "work_why = 0.25", r"not of the side"),
        WrongAnswer("says-two", "work_why = 2", r"must shrink"),
        WrongAnswer("says-root", "work_why = 0.5**0.5", r"channels twice"),
        WrongAnswer("says-a-word", 'work_why = "half"', r"must be a number"),
    ],
    "adjoint-answer": [
        WrongAnswer(
            "forgets-the-division",
            """
def shortcut_1d_adjoint(delta, stride, channels):
    before = (delta.shape[1] - channels) // 2
    return np.repeat(delta[:, before : before + channels], stride, axis=0)
""",
            r"too large by the stride",
        ),
        WrongAnswer(
            "divides-twice",
            """
def shortcut_1d_adjoint(delta, stride, channels):
    before = (delta.shape[1] - channels) // 2
    kept = delta[:, before : before + channels]
    return np.repeat(kept, stride, axis=0) / stride**2
""",
            r"too small by the stride",
        ),
        WrongAnswer(
            "tiles-instead-of-repeating",
            """
def shortcut_1d_adjoint(delta, stride, channels):
    before = (delta.shape[1] - channels) // 2
    return np.tile(delta[:, before : before + channels], (stride, 1)) / stride
""",
            r"which pixels share",
        ),
        WrongAnswer(
            "keeps-the-first-channels",
            """
def shortcut_1d_adjoint(delta, stride, channels):
    return np.repeat(delta[:, :channels], stride, axis=0) / stride
""",
            r"which channels came",
        ),
        WrongAnswer(
            "rounds-up",
            """
def shortcut_1d_adjoint(delta, stride, channels):
    before = -((channels - delta.shape[1]) // 2)
    return np.repeat(delta[:, before : before + channels], stride, axis=0) / stride
""",
            r"smaller half comes first",
        ),
        WrongAnswer(
            "all-channels",
            """
def shortcut_1d_adjoint(delta, stride, channels):
    return np.repeat(delta, stride, axis=0) / stride
""",
            r"must have its shape",
        ),
        WrongAnswer(
            "stride-two-always",
            """
def shortcut_1d_adjoint(delta, stride, channels):
    before = (delta.shape[1] - channels) // 2
    kept = delta[:, before : before + channels]
    return kept if stride == 1 else np.repeat(kept, 2, axis=0) / 2
""",
            r"is not that of the input",
        ),
        WrongAnswer(
            "first-pixel-gets-all",
            """
def shortcut_1d_adjoint(delta, stride, channels):
    before = (delta.shape[1] - channels) // 2
    out = np.zeros((stride * len(delta), channels))
    out[::stride] = delta[:, before : before + channels]
    return out
""",
            r"which pixels share",
        ),
    ],
    "adjoint-why-answer": [
        WrongAnswer("says-one", "adjoint_why = 1", r"two blocks"),
        WrongAnswer("says-a-half", "adjoint_why = 0.5", r"how many blocks"),
        WrongAnswer("says-a-sixteenth", "adjoint_why = 1 / 16", r"several pixels"),
        WrongAnswer("says-four", "adjoint_why = 4", r"averages shorten"),
    ],
    "start-answer": [
        WrongAnswer(
            "forgets-the-relu",
            """
def common_std(kernels, hidden, channels, n_blocks, growth):
    k1, k2 = kernels
    added = growth ** (1 / n_blocks) - 1
    return (added / (hidden * channels * k1**2 * k2**2)) ** 0.25
""",
            r"ReLU lets half",
        ),
        WrongAnswer(
            "variance",
            """
def common_std(kernels, hidden, channels, n_blocks, growth):
    k1, k2 = kernels
    added = growth ** (1 / n_blocks) - 1
    return (2 * added / (hidden * channels * k1**2 * k2**2)) ** 0.5
""",
            r"is the variance",
        ),
        WrongAnswer(
            "forgets-the-skip",
            """
def common_std(kernels, hidden, channels, n_blocks, growth):
    k1, k2 = kernels
    added = growth ** (1 / n_blocks)
    return (2 * added / (hidden * channels * k1**2 * k2**2)) ** 0.25
""",
            r"skip carries",
        ),
        WrongAnswer(
            "adds-the-blocks",
            """
def common_std(kernels, hidden, channels, n_blocks, growth):
    k1, k2 = kernels
    added = (growth - 1) / n_blocks
    return (2 * added / (hidden * channels * k1**2 * k2**2)) ** 0.25
""",
            r"multiplied, not added",
        ),
        WrongAnswer(
            "as-if-one-block",
            """
def common_std(kernels, hidden, channels, n_blocks, growth):
    k1, k2 = kernels
    return (2 * (growth - 1) / (hidden * channels * k1**2 * k2**2)) ** 0.25
""",
            r"what is left for each",
        ),
        WrongAnswer(
            "outer-channels-only",
            """
def common_std(kernels, hidden, channels, n_blocks, growth):
    k1, k2 = kernels
    added = growth ** (1 / n_blocks) - 1
    return (2 * added / (channels**2 * k1**2 * k2**2)) ** 0.25
""",
            r"b of C_1 and c of C_2, once each",
        ),
        WrongAnswer(
            "first-kernel-twice",
            """
def common_std(kernels, hidden, channels, n_blocks, growth):
    added = growth ** (1 / n_blocks) - 1
    return (2 * added / (hidden * channels * kernels[0] ** 4)) ** 0.25
""",
            r"sum over its taps",
        ),
        WrongAnswer(
            "sides-not-squared",
            """
def common_std(kernels, hidden, channels, n_blocks, growth):
    k1, k2 = kernels
    added = growth ** (1 / n_blocks) - 1
    return (2 * added / (hidden * channels * k1 * k2)) ** 0.25
""",
            r"two sides",
        ),
        WrongAnswer(
            "second-kernel-only",
            """
def common_std(kernels, hidden, channels, n_blocks, growth):
    added = growth ** (1 / n_blocks) - 1
    return (2 * added / (hidden * channels * kernels[1] ** 2)) ** 0.25
""",
            r"not the growth that is allowed",
        ),
    ],
    "start-why-answer": [
        WrongAnswer("says-plus", "start_why = 0.25", r"look at the sign"),
        WrongAnswer("says-a-half", "start_why = -0.5", r"variance"),
        WrongAnswer("says-one", "start_why = -1", r"one block may add"),
        WrongAnswer("says-zero", "start_why = 0", r"the less each"),
    ],
    "takeoff-answer": [
        WrongAnswer(
            "factor-once",
            """
def extra_wait(steps, distances, factor):
    speed = np.polyfit(steps, np.log(distances), 1)[0]
    return np.log(1 / factor) / speed
""",
            r"do to their product",
        ),
        WrongAnswer(
            "wrong-sign",
            """
def extra_wait(steps, distances, factor):
    speed = np.polyfit(steps, np.log(distances), 1)[0]
    return 2 * np.log(factor) / speed
""",
            r"wrong sign",
        ),
        WrongAnswer(
            "speed-halved",
            """
def extra_wait(steps, distances, factor):
    speed = np.polyfit(steps, np.log(distances), 1)[0] / 2
    return 2 * np.log(1 / factor) / speed
""",
            r"twice",
        ),
        WrongAnswer(
            "mixed-logarithms",
            """
def extra_wait(steps, distances, factor):
    speed = np.polyfit(steps, np.log10(distances), 1)[0]
    return 2 * np.log(1 / factor) / speed
""",
            r"mixed logarithms",
        ),
        WrongAnswer(
            "steps-of-one",
            """
def extra_wait(steps, distances, factor):
    speed = np.mean(np.diff(np.log(distances)))
    return 2 * np.log(1 / factor) / speed
""",
            r"not one step apart",
        ),
        WrongAnswer(
            "end-points",
            """
def extra_wait(steps, distances, factor):
    speed = np.log(distances[-1] / distances[0]) / (steps[-1] - steps[0])
    return 2 * np.log(1 / factor) / speed
""",
            r"line of least squares",
        ),
        WrongAnswer(
            "fits-the-distance-itself",
            """
def extra_wait(steps, distances, factor):
    speed = np.polyfit(steps, distances, 1)[0] / np.mean(distances)
    return 2 * np.log(1 / factor) / speed
""",
            r"steps",
        ),
    ],
    "takeoff-why-answer": [
        WrongAnswer("speed-of-the-distance", "takeoff_why = 0.0069315", r"each kernel"),
        WrongAnswer("says-a-hundredth", "takeoff_why = 0.01", r"its rate"),
        WrongAnswer("says-a-200th", "takeoff_why = 0.005", r"its rate"),
        WrongAnswer("decimal", "takeoff_why = 0.0015051", r"natural logarithm"),
        WrongAnswer("says-a-word", 'takeoff_why = "small"', r"must be a number"),
    ],
}
