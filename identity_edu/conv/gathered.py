"""Convolutions of any stride, position first: gather what a row sees, and multiply.

The k^2 pixels that an output pixel depends on are copied side by side, and the whole
convolution of a row is one matrix product. As many multiplications as the definition:
for the few convolutions that skip pixels, or see one alone.

Symbols: `columns` is (pixels, k^2 c_in), one row for each output pixel of each image.
"""

GROUP = 16  # images whose columns are gathered at once


def convolve(x, W, y, team, *, stride=1, epilogue=None):
    """Convolve padded images with a kernel.

    Parameters
    ----------
    x : PaddedImages
    W : array, shape (k, k, c_in, c_out), float32, k 1 or 3
    y : PaddedImages
        Its interior is overwritten. Not `x`.
    team : Team
    stride : int >= 1
    epilogue : callable, optional
        ``epilogue(pixels, region)`` changes ``y.interior[region]`` in place as soon as
        it is there.
    """
    flat = W.reshape(-1, W.shape[3])

    def task(images, workspace):
        for i in range(y.height):
            columns = _columns(x, i, images, (len(W), stride, y.width), workspace)
            region = (slice(i, i + 1), slice(None), images)
            row = y.interior[region]
            row[...] = (columns @ flat).reshape(row.shape)
            if epilogue is not None:
                epilogue(row, region)

    team.run(task, _groups(x.n))


def input_gradient(grad_y, W, grad_x, team, *, stride=1, epilogue=None):
    """Carry a gradient from the output to the input: the gathering run backwards.

    Parameters
    ----------
    grad_y : PaddedImages
    W : array, shape (k, k, c_in, c_out), float32, k 1 or 3
    grad_x : PaddedImages
        Overwritten.
    team : Team
    stride : int >= 1
    epilogue : callable, optional
        As for `convolve`, on ``grad_x.interior[region]``.
    """
    flat = W.reshape(-1, W.shape[3])

    def task(images, _):
        grad_x.array[:, :, images] = 0
        for i in range(grad_y.height):
            row = grad_y.interior[i, :, images]
            columns = row.reshape(-1, row.shape[2]) @ flat.T
            columns = columns.reshape(*row.shape[:2], *W.shape[:2], -1)
            for a, b, seen in _taps(i, images, (len(W), stride, grad_y.width)):
                grad_x.array[seen] += columns[:, :, a, b]
        _clear_frame(grad_x, images)
        if epilogue is not None:
            region = (slice(0, grad_x.height), slice(None), images)
            epilogue(grad_x.interior[region], region)

    team.run(task, _groups(grad_y.n))


def weight_gradient(x, grad_y, grad_W, team, *, stride=1):
    """Compute the gradient of a kernel.

    Parameters
    ----------
    x, grad_y : PaddedImages
    grad_W : array, shape (k, k, c_in, c_out), float32, k 1 or 3
        C-contiguous; overwritten.
    team : Team
    stride : int >= 1
    """
    totals, reach = {}, (len(grad_W), stride, grad_y.width)

    def task(images, workspace):
        total = totals.setdefault(workspace, 0)
        for i in range(grad_y.height):
            columns = _columns(x, i, images, reach, workspace)
            row = grad_y.interior[i, :, images]
            total = total + columns.T @ row.reshape(-1, row.shape[2])
        totals[workspace] = total

    team.run(task, _groups(x.n))
    total = sum(totals[w] for w in team.workspaces if w in totals)
    grad_W[...] = total.reshape(grad_W.shape)


def _groups(n):
    return [slice(first, min(first + GROUP, n)) for first in range(0, n, GROUP)]


def _columns(x, i, images, reach, workspace):
    """Gather what the pixels of output row i see: (width n', k^2 c)."""
    (k, _, width), n_images = reach, images.stop - images.start
    columns = workspace.array("columns", (width, n_images, k, k, x.channels))
    for a, b, seen in _taps(i, images, reach):
        columns[:, :, a, b] = x.array[seen]
    return columns.reshape(width * n_images, -1)


def _taps(i, images, reach):
    """Yield (a, b, index) of the padded pixels that tap (a, b) of row i sees."""
    k, stride, width = reach
    first = 1 - k // 2  # the border is one pixel wide
    for a in range(k):
        for b in range(k):
            left = first + b
            columns = slice(left, left + stride * width, stride)
            yield a, b, (first + stride * i + a, columns, images)


def _clear_frame(x, images):
    """Drop what taps have written outside the image."""
    x.array[0, :, images] = 0
    x.array[:, 0, images] = 0
    x.array[1 + x.height :, :, images] = 0
    x.array[:, 1 + x.width :, images] = 0
