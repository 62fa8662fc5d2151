"""Both bodies on position-first images: right on every shape, to the last border."""

import numpy as np
import pytest

from identity_edu.conv import direct, gathered, winograd
from identity_edu.conv.layout import PaddedImages
from identity_edu.conv.team import Team, Workspace, available_cores

# n, h, w, c_in, c_out
SHAPES = [
    (1, 1, 1, 1, 1),
    (1, 8, 8, 1, 1),
    (3, 8, 8, 5, 7),
    (2, 10, 7, 4, 3),
    (7, 2, 2, 3, 9),
    (5, 3, 13, 2, 2),
    (19, 4, 4, 8, 6),
    (2, 8, 6, 3, 2),
    (1, 64, 60, 2, 3),  # one image in several chunks
]
# Those of the net itself, at full width.
WIDE = [(3, 32, 32, 64, 64), (9, 16, 16, 128, 128), (33, 8, 8, 256, 256)]
LARGEST_ERROR = 4e-6  # of the largest output, for inputs of unit variance
threads = pytest.mark.parametrize("n_threads", [1, 2, 3])


def problem(rng, shape, stride=1):
    """Draw float32 images, kernel and output gradient; outputs of unit variance."""
    n, h, w, c_in, c_out = shape
    x = rng.standard_normal((n, h, w, c_in), dtype=np.float32)
    W = rng.standard_normal((3, 3, c_in, c_out), dtype=np.float32)
    W /= np.float32(3 * c_in**0.5)
    size = -(-h // stride), -(-w // stride)
    return x, W, rng.standard_normal((n, *size, c_out), dtype=np.float32)


def in_float64(x, W, grad_y, stride=1):
    """Return output and both gradients from the definition in float64."""
    x, W, grad_y = (a.astype(np.float64) for a in (x, W, grad_y))
    y = direct.conv2d(x, W, stride=stride)
    return y, *direct.conv2d_backward(grad_y, x, W, stride=stride)


def padded(x):
    return PaddedImages(*x.shape).load(x)


def quick_products(x, W, grad_y, team):
    y, grad_x = PaddedImages(*grad_y.shape), PaddedImages(*x.shape)
    winograd.convolve(padded(x), winograd.transform_kernel(W, team), y, team)
    U = winograd.transform_kernel(W, team, transposed=True)
    winograd.convolve(padded(grad_y), U, grad_x, team)
    grad_W = np.empty_like(W)
    winograd.weight_gradient(padded(x), padded(grad_y), grad_W, team)
    assert_border_is_clear(y, grad_x)
    return y.images(), grad_x.images(), grad_W


def assert_border_is_clear(*buffers):
    for buffer in buffers:
        outside = buffer.array.copy()
        outside[1 : 1 + buffer.height, 1 : 1 + buffer.width] = 0
        assert not outside.any()


def relative_error(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@threads
@pytest.mark.parametrize("shape", SHAPES)
def test_the_three_products_agree_with_the_definition(rng, shape, n_threads):
    arrays = problem(rng, shape)
    found = quick_products(*arrays, Team(n_threads))
    for product, expected in zip(found, in_float64(*arrays), strict=True):
        assert relative_error(product, expected) <= LARGEST_ERROR


@pytest.mark.parametrize("shape", WIDE)
def test_the_three_products_are_accurate_at_the_nets_own_shapes(rng, shape):
    arrays = problem(rng, shape)
    found = quick_products(*arrays, Team(2))
    for product, expected in zip(found, in_float64(*arrays), strict=True):
        assert relative_error(product, expected) <= LARGEST_ERROR


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("shape", [*SHAPES, (40, 6, 5, 3, 4)])
def test_gathering_agrees_with_the_definition(rng, shape, stride):
    x, W, grad_y = problem(rng, shape, stride)
    team = Team(2)
    y, grad_x = PaddedImages(*grad_y.shape), PaddedImages(*x.shape)
    grad_x.array[:] = 7  # what an earlier call may have left
    gathered.convolve(padded(x), W, y, team, stride=stride)
    gathered.input_gradient(padded(grad_y), W, grad_x, team, stride=stride)
    grad_W = np.empty_like(W)
    gathered.weight_gradient(padded(x), padded(grad_y), grad_W, team, stride=stride)
    assert_border_is_clear(y, grad_x)
    expected = in_float64(x, W, grad_y, stride)
    found = y.images(), grad_x.images(), grad_W
    for product, right in zip(found, expected, strict=True):
        assert relative_error(product, right) <= 2e-6


def test_scratch_memory_of_other_shapes_leaves_no_trace(rng):
    team, fresh = Team(2), Team(2)
    quick_products(*problem(rng, (9, 16, 16, 12, 20)), team)
    arrays = problem(rng, (5, 6, 7, 4, 3))
    for used, clean in zip(
        quick_products(*arrays, team), quick_products(*arrays, fresh), strict=True
    ):
        np.testing.assert_array_equal(used, clean)


@threads
def test_the_number_of_threads_alone_settles_every_bit(rng, n_threads):
    arrays = problem(rng, (21, 9, 8, 16, 8))
    team = Team(n_threads)
    first, second = (
        [np.array(p) for p in quick_products(*arrays, team)] for _ in range(2)
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@threads
@pytest.mark.parametrize("body", [winograd, gathered])
@pytest.mark.parametrize("size", [(32, 32), (7, 9), (1, 1)])
def test_an_epilogue_meets_every_pixel_once(rng, body, size, n_threads):
    x, W, _ = problem(rng, (37, *size, 2, 3))
    team, y = Team(n_threads), PaddedImages(37, *size, 3)
    kernel = winograd.transform_kernel(W, team) if body is winograd else W
    body.convolve(padded(x), kernel, y, team)
    plain = y.interior.copy()

    def add_one(pixels, region):
        assert pixels.shape == y.interior[region].shape
        assert np.shares_memory(pixels, y.interior[region])
        pixels += 1

    body.convolve(padded(x), kernel, y, team, epilogue=add_one)
    np.testing.assert_array_equal(y.interior, plain + 1)
    assert_border_is_clear(y)


@threads
@pytest.mark.parametrize("n", [1, 2, 5, 16, 33, 128])
@pytest.mark.parametrize("size", [(32, 32), (16, 16), (8, 8), (5, 70), (1, 1)])
def test_chunks_cover_the_batch_once_and_stay_small(n, size, n_threads):
    x = PaddedImages(n, *size, 1)
    covered = np.zeros((x.n_tile_rows, n), int)
    pieces = winograd.chunks(x, n_threads)
    for chunk in pieces:
        covered[chunk.top : chunk.bottom, chunk.first : chunk.last] += 1
        tiles = (chunk.bottom - chunk.top) * (chunk.last - chunk.first)
        one_row_each = winograd.RUN_IMAGES * x.n_tile_columns
        most = max(winograd.CHUNK_TILES, one_row_each)
        assert tiles * x.n_tile_columns <= most
    assert (covered == 1).all()
    assert len({(c.first, c.last) for c in pieces}) >= min(n, n_threads)


def test_a_kernel_is_transformed_and_restored_by_adjoint_maps(rng):
    team = Team(2)
    W = rng.standard_normal((3, 3, 50, 400), dtype=np.float32)  # several pieces
    U = winograd.transform_kernel(W, team).copy()
    G = winograd.G.astype(np.float64)
    exact = np.einsum("ap,bq,pqio->abio", G, G, W).reshape(36, 50, 400)
    assert relative_error(U, exact) <= 1e-6
    turned = winograd.transform_kernel(W, team, transposed=True)
    expected = winograd.transform_kernel(
        np.ascontiguousarray(W[::-1, ::-1].transpose(0, 1, 3, 2)), Team(1)
    )
    np.testing.assert_array_equal(turned, expected)
    Z = rng.standard_normal(U.shape, dtype=np.float32)
    left = np.vdot(U.astype(np.float64), Z)
    restored = np.empty_like(W)
    winograd.restore_kernel([Z], restored, team)
    right = np.vdot(W.astype(np.float64), restored)
    assert left == pytest.approx(right, rel=1e-4, abs=1.0)


def test_an_infinite_pixel_stays_in_its_image(rng):
    x, W, grad_y = problem(rng, (6, 8, 8, 8, 8))
    x[4, 3, 3, 2] = np.inf
    with np.errstate(invalid="ignore"):
        y, _, _ = quick_products(x, W, grad_y, Team(2))
    clean = [i for i in range(6) if i != 4]
    assert np.isfinite(y[clean]).all()
    assert not np.isfinite(y[4]).all()


# Images, position first


def test_images_come_back_as_they_were_loaded(rng):
    x = rng.standard_normal((3, 5, 6, 2), dtype=np.float32)
    images = padded(x)
    np.testing.assert_array_equal(images.images(), x)
    assert images.array.shape == (10, 10, 3, 2)
    assert images.array.nbytes == 10 * 10 * 3 * 2 * 4
    assert_border_is_clear(images)


def test_windows_overlap_by_two_pixels_and_tiles_do_not(rng):
    images = padded(rng.standard_normal((2, 8, 12, 3), dtype=np.float32))
    flat = images.array.reshape(10, 14, 6)
    assert images.windows.shape == (10, 3, 6, 6)
    assert images.tiles.shape == (8, 3, 4, 6)
    for i, t in np.ndindex(8, 3):
        np.testing.assert_array_equal(images.windows[i, t], flat[i, 4 * t : 4 * t + 6])
        np.testing.assert_array_equal(
            images.tiles[i, t], flat[1 + i, 1 + 4 * t : 5 + 4 * t]
        )
    with pytest.raises(ValueError, match="read-only"):
        images.windows[0, 0, 0, 0] = 1.0


# Threads


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("n_items", [0, 1, 4, 11])
def test_every_item_is_done_once_by_a_fixed_part(n_threads, n_items):
    team = Team(n_threads)
    for _ in range(2):
        done = {}
        team.run(done.__setitem__, range(n_items))
        assert sorted(done) == list(range(n_items))
        owners = [team.workspaces.index(done[i]) for i in range(n_items)]
        assert owners == sorted(owners)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_in_a_thread_reaches_the_caller(n_threads):
    def fail(item, _):
        if item == 3:
            raise ZeroDivisionError("item 3")

    team = Team(n_threads)
    with pytest.raises(ZeroDivisionError, match="item 3"):
        team.run(fail, range(8))
    team.run(lambda *_: None, range(8))  # and the team goes on


def test_a_team_has_at_least_one_thread():
    with pytest.raises(ValueError, match="n_threads must be at least 1; got 0"):
        Team(0)
    assert Team().n_threads == available_cores() >= 1


def test_scratch_arrays_of_one_name_share_memory_and_grow():
    workspace = Workspace()
    small = workspace.array("V", (2, 3))
    assert np.shares_memory(small, workspace.array("V", (3, 2)))
    large = workspace.array("V", (10, 10))
    assert not np.shares_memory(small, large)
    assert np.shares_memory(large, workspace.array("V", (5,)))
    assert not np.shares_memory(large, workspace.array("M", (5,)))
