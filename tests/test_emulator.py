"""The device for kernels where there is no GPU: it finds what a GPU forgives."""

from pathlib import Path

import numpy as np
import pytest
from emulator import CompileError, EmulatedDevice, KernelError, compiler

from identity_edu.launch import NULL, Kernel, Launch

EXAMPLES = Path(__file__).parent / "emulator" / "examples.cu"
ORDERS = ["forward", "backward", "shuffled"]
COPIES = ["late", "early"]
LANES = 32

needs_compiler = pytest.mark.skipif(
    compiler() is None, reason="needs a C++ compiler: g++, on Linux"
)
every_order = pytest.mark.parametrize("order", ORDERS)
every_timing = pytest.mark.parametrize("copies", COPIES)


@pytest.fixture
def device():
    return EmulatedDevice()


def launch(name, *args, blocks=1, threads=LANES, shared_bytes=0):
    kernel = Kernel(EXAMPLES, name)
    return Launch(kernel, (blocks, 1, 1), threads, args, shared_bytes)


def as_bf16(x):
    """Round to the nearest bf16, ties to even, in exact arithmetic of integers."""
    bits = x.astype(np.float32).view(np.uint32).astype(np.int64)
    below, rest = bits >> 16, bits & 0xFFFF
    up = (rest > 0x8000) | ((rest == 0x8000) & (below % 2 == 1))
    return (below + up).astype(np.uint16)


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


# What instructions do


@needs_compiler
def test_numbers_are_rounded_to_the_nearest_bf16(device, rng):
    ties = (np.arange(1000, dtype=np.uint32) << 15) + np.uint32(0x3F800000)
    x = np.concatenate([rng.standard_normal(1000), ties.view(np.float32)])
    x = np.append(x, [0, -0.0, 1e-40, 3.4e38, np.inf, -np.inf, np.nan]).astype(
        np.float32
    )
    y = device.empty(x.shape, np.uint16)
    args = device.upload(x), y, np.int32(len(x))
    device.run([launch("round_to_bf16", *args, blocks=16, threads=128)])
    np.testing.assert_array_equal(device.download(y)[:-1], as_bf16(x)[:-1])
    assert device.download(y)[-1] == 0x7FFF  # the one NaN that the PTX manual allows


@needs_compiler
@pytest.mark.parametrize("is_transposed", [False, True])
def test_matrices_are_loaded_as_the_ptx_manual_draws_it(device, is_transposed):
    # Its figure of an 8 x 8 matrix: row 0 belongs to lanes 0, 0, 1, 1, 2, 2, 3, 3, row
    # 1 to lanes 4, 4, ..., row 7 to ..., 31, 31; .trans: the same for columns.
    matrices = np.arange(4 * 64, dtype=np.uint16).reshape(4, 8, 8)
    r = device.empty((LANES, 4), np.uint32)
    args = device.upload(matrices.view(np.uint32)), r, np.int32(is_transposed)
    device.run([launch("load<NO_FAULT>", *args, np.int32(1), shared_bytes=512)])
    loaded = device.download(r).view(np.uint16).reshape(LANES, 4, 2)
    for i, matrix in enumerate(matrices):
        pairs = (matrix.T if is_transposed else matrix).reshape(LANES, 2)
        np.testing.assert_array_equal(loaded[:, i], pairs)


def fragment(matrix, n_numbers, place):
    """Return each lane's numbers, by the PTX manual's formulas for row and column."""
    lanes = [
        [matrix[place(lane // 4, lane % 4, i)] for i in range(n_numbers)]
        for lane in range(LANES)
    ]
    return np.array(lanes)


def place_a(group, thread_in_group, i):
    row = group if 0 <= i < 2 or 4 <= i < 6 else group + 8
    column = thread_in_group * 2 + (i & 1)
    return row, column if i < 4 else column + 8


def place_b(group, thread_in_group, i):
    row = thread_in_group * 2 + (i & 1)
    return row if i < 2 else row + 8, group


def place_c(group, thread_in_group, i):
    row = group if i < 2 else group + 8
    return row, thread_in_group * 2 + (i & 1)


@needs_compiler
@every_order
def test_a_product_of_matrices_agrees_with_numpy(rng, order):
    device = EmulatedDevice(order)
    a, b = (as_bf16(rng.standard_normal(shape)) for shape in [(16, 16), (16, 8)])
    c = rng.standard_normal((16, 8)).astype(np.float32)
    exact = c + from_bf16(a).astype(float) @ from_bf16(b).astype(float)
    given = device.upload(fragment(c, 4, place_c))
    args = [fragment(a, 8, place_a), fragment(b, 4, place_b)]
    pairs = [device.upload(part.view(np.uint32)) for part in args]
    device.run([launch("multiply", *pairs, given)])
    got = device.download(given)
    np.testing.assert_allclose(got, fragment(exact, 4, place_c), rtol=0, atol=4e-6)
    assert device.counts[0].multiply_adds == 1


@needs_compiler
def test_every_lane_gets_the_same_sum(device, rng):
    x = rng.standard_normal((3, 2, LANES)).astype(np.float32)
    sums = device.empty(x.shape, np.float32)
    device.run([launch("add_lanes", device.upload(x), sums, blocks=3, threads=64)])
    got = device.download(sums)
    np.testing.assert_array_equal(got, np.broadcast_to(got[..., :1], got.shape))
    # Five additions in float32 of numbers about 5 apart: a few units of 2**-22.
    np.testing.assert_allclose(got[..., 0], x.sum(-1, dtype=float), atol=3e-6)


# Waiting


def reversed_in_shared_memory(device, fault, rng):
    """Return what the kernel `reverse` makes, and what is right."""
    x = rng.standard_normal((3, 96)).astype(np.float32)
    y = device.empty(x.shape, np.float32)
    args = device.upload(x), y
    device.run(
        [launch(f"reverse<{fault}>", *args, blocks=3, threads=96, shared_bytes=384)]
    )
    return device.download(y), x[:, ::-1]


def reversed_by_copies(device, fault, rng):
    """Return what the kernel `reverse_all` makes, and what is right."""
    x = rng.integers(0, 2**31, (5, 64, 4), np.uint32)
    y = device.empty(x.shape, np.uint32)
    args = device.upload(x), y, np.int32(len(x))
    device.run([launch(f"reverse_all<{fault}>", *args, threads=64, shared_bytes=2048)])
    return device.download(y), x[:, ::-1]


@needs_compiler
@every_order
@every_timing
@pytest.mark.parametrize("run", [reversed_in_shared_memory, reversed_by_copies])
def test_a_right_kernel_gives_the_same_bits_in_every_order(rng, run, order, copies):
    got, right = run(EmulatedDevice(order, copies=copies), "NO_FAULT", rng)
    np.testing.assert_array_equal(got, right)


@needs_compiler
@every_order
def test_a_missing_barrier_shows(rng, order):
    got, right = reversed_in_shared_memory(EmulatedDevice(order), "NO_BARRIER", rng)
    assert np.isnan(got[got != right]).all()
    assert np.isnan(got).any()


@needs_compiler
@every_order
@pytest.mark.parametrize(
    "fault", ["NO_BARRIER", "NO_WAIT", "NO_COMMIT", "NO_SECOND_BARRIER"]
)
def test_copies_that_nobody_waits_for_show(rng, order, fault):
    got, right = reversed_by_copies(EmulatedDevice(order), fault, rng)
    unwritten = np.uint32(0xFFFFFFFF)
    assert (got[got != right] == unwritten).all()
    assert (got == unwritten).any()


@needs_compiler
@every_order
def test_a_stage_that_is_overwritten_too_early_shows_new_numbers(rng, order):
    device = EmulatedDevice(order, copies="early")
    got, right = reversed_by_copies(device, "NO_SECOND_BARRIER", rng)
    assert (got != right).any()
    assert np.isin(got, np.append(right, 0)).all()


@needs_compiler
@pytest.mark.parametrize("order", ["forward", "backward"])
def test_a_lane_does_not_see_what_another_wrote_without_waiting(order):
    device = EmulatedDevice(order)
    rows = device.zeros((LANES, 4), np.uint32)
    r = device.empty((LANES, 4), np.uint32)
    args = rows, r, np.int32(0), np.int32(1)
    device.run([launch("load<NO_BARRIER>", *args, shared_bytes=512)])
    assert device.download(r).any()


@needs_compiler
@pytest.mark.parametrize(
    ("kernel", "first", "message"),
    [
        ("part<BARRIER, END>", 40, "waits at __syncthreads, but thread 40 has ended"),
        ("part<SUM, END>", 40, "waits in warp_sum, but thread 40 has ended"),
        ("part<SUM, BARRIER>", 40, "in warp_sum, but thread 40 waits at __syncthr"),
        (
            "part<END, SUM>",
            64,
            "in warp_sum, but its warp has fewer than 32",
        ),
        ("part<SUM, PRODUCT>", 40, "calls multiply_add while .* in warp_sum"),
    ],
)
def test_a_deadlock_says_who_waits_for_whom(device, kernel, first, message):
    y = device.zeros(1, np.float32)
    with pytest.raises(KernelError, match=rf"part<.*block \(0, 0, 0\).*{message}"):
        device.run([launch(kernel, y, np.int32(first), threads=80)])


@needs_compiler
def test_after_an_error_the_device_works(device, rng):
    y = device.zeros(1, np.float32)
    with pytest.raises(KernelError, match="deadlock"):
        device.run([launch("part<BARRIER, END>", y, np.int32(1))])
    got, right = reversed_in_shared_memory(device, "NO_FAULT", rng)
    np.testing.assert_array_equal(got, right)


@needs_compiler
def test_orders_are_what_they_say():
    last = {}
    for order, seed in [*((order, 0) for order in ORDERS), ("shuffled", 1)]:
        device = EmulatedDevice(order, seed)
        y = device.zeros(1, np.int32)
        device.run([launch("write_who_comes_last", y, blocks=50, threads=100)])
        last[order, seed] = int(device.download(y)[0])
    assert (last["forward", 0], last["backward", 0]) == (4999, 0)
    assert len(set(last.values())) == 4


# Memory


def copied(device, n_bytes=512, **places):
    """Run the kernel `copy` on bytes 0, 1, ...; return what came back."""
    places = {"from": 0, "to": 0, "step": 16, "inside": 1} | places
    x = device.upload(np.arange(n_bytes, dtype=np.uint8))
    y = device.empty(512, np.uint8)
    numbers = (np.int32(places[n]) for n in ("from", "to", "step", "inside"))
    device.run([launch("copy", x, y, *numbers, shared_bytes=4096)])
    return device.download(y)


@needs_compiler
def test_a_copy_brings_16_bytes_or_zeros(device):
    np.testing.assert_array_equal(copied(device), np.arange(512) % 256)
    assert device.counts[0].copied_bytes == 512
    assert not copied(device, inside=0).any()
    assert device.counts[0].zero_bytes == 512


@needs_compiler
@every_timing
@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"from": 16}, "thread 31: copy_async: .* 0 bytes after the end of array ar"),
        ({"from": -16}, "thread 0: copy_async: .* 16 bytes before the start of array"),
        ({"n_bytes": 510}, "thread 31: copy_async: .* at byte 496 of array argument 0"),
        ({"from": 8}, "copy_async: global address not a multiple of 16"),
        ({"to": 8, "inside": 0}, "copy_async: shared address not a multiple of 16"),
        ({"to": 3600, "inside": 0}, "thread 31: .* has 4096 bytes.*from byte 4096 on"),
    ],
)
def test_a_copy_past_an_end_or_out_of_line_is_an_error(copies, places, message):
    with pytest.raises(KernelError, match=message):
        copied(EmulatedDevice(copies=copies), **places)


@needs_compiler
@pytest.mark.parametrize(
    ("n", "index", "message"),
    [
        (1000, 1000, "touched 0 bytes after the end of array argument 0"),
        (1000, 20000, "touched 76000 bytes after the end of array argument 0"),
        (1000, -1, "wrote 1 bytes before the start of array argument 0"),
        (1000, -2000, "touched 8000 bytes before the start of array argument 0"),
        (1001, 1001, "wrote 0 bytes after the end of array argument 0"),
        (1, -(2**31), "touched at an address far from every array"),
    ],
)
def test_a_write_outside_an_array_is_an_error(device, n, index, message):
    y = device.zeros(n, np.float32)
    with pytest.raises(KernelError, match=rf"^write.* {message}"):
        device.run([launch("write", y, np.int32(index), threads=1)])


@needs_compiler
def test_the_surroundings_of_two_arrays_differ(device):
    x, y = (device.zeros(33, np.float32) for _ in range(2))
    with pytest.raises(KernelError, match="wrote 0 bytes after the end of array arg"):
        device.run([launch("repeat", x, y, threads=34)])


@needs_compiler
@pytest.mark.parametrize(
    ("index", "message"),
    [(32, "0 bytes after the end of shared"), (-2000, "before the start of shared")],
)
def test_shared_memory_is_as_large_as_asked_for(device, index, message):
    y = device.zeros(1, np.float32)
    last, given = (y, np.int32(31)), (y, np.int32(index))
    device.run([launch("write_shared", *last, threads=1, shared_bytes=128)])
    with pytest.raises(KernelError, match=message):
        device.run([launch("write_shared", *given, threads=1, shared_bytes=128)])
    with pytest.raises(KernelError, match="after the end of shared memory, 124 bytes"):
        device.run([launch("write_shared", *last, threads=1, shared_bytes=124)])


@needs_compiler
def test_misaligned_reads_wild_indices_and_divisions_by_zero_are_errors(device):
    y, n = device.zeros(4, np.float32), device.zeros(1, np.int32)
    with pytest.raises(KernelError, match="misaligned"):
        device.run([launch("read_wide", device.zeros(8, np.float32), y, np.int32(1))])
    with pytest.raises(KernelError, match="outside a local array"):
        device.run([launch("index_a_local_array", y, np.int32(4))])
    with pytest.raises(KernelError, match="division by zero"):
        device.run([launch("divide", n, np.int32(0))])
    with pytest.raises(KernelError, match="never was"):
        device.run([launch("write", NULL, np.int32(0))])


@needs_compiler
def test_a_forgotten_zero_is_a_large_number(device):
    y = device.zeros(1, np.float32)
    device.run([launch("forget_a_zero", y, np.int32(3))])
    assert abs(device.download(y)[0]) > 1e30


# Counts


@needs_compiler
@pytest.mark.parametrize(("stride", "wavefronts"), [(1, 1), (2, 2), (8, 8), (9, 1)])
def test_bank_conflicts_are_counted(device, stride, wavefronts):
    # Rows 16 * stride bytes apart: eight at once, of which so many share a bank.
    rows = device.zeros((LANES, 4), np.uint32)
    args = rows, device.zeros((LANES, 4), np.uint32), np.int32(0), np.int32(stride)
    device.run([launch("load<NO_FAULT>", *args, shared_bytes=512 * stride)])
    counts = device.counts[0]
    assert (counts.loads, counts.load_wavefronts) == (1, 4 * wavefronts)
    assert counts.barriers == 1


@needs_compiler
@pytest.mark.parametrize("stride", [1, 2, 8])
def test_bank_conflicts_of_copies_are_counted(device, stride):
    copied(device, step=16 * stride)
    assert device.counts[0].copies == LANES
    assert device.counts[0].copy_wavefronts == 4 * stride


# What the device refuses


@needs_compiler
@pytest.mark.parametrize(
    "args",
    [
        lambda y: (y, np.int64(0)),
        lambda y: (y, np.uint32(0)),
        lambda y: (y, 0),
        lambda y: (y,),
        lambda y: (y.view(np.uint32), np.int32(0)),
        lambda y: (np.int32(0), np.int32(0)),
        lambda y: (np.zeros(4, np.float32), np.int32(0)),
    ],
)
def test_an_argument_of_another_type_is_refused(device, args):
    y = device.zeros(4, np.float32)
    with pytest.raises(TypeError, match=r"write takes \(\*f4, i4\); got \(.*\)\."):
        device.run([launch("write", *args(y))])


@needs_compiler
@pytest.mark.parametrize(
    "size",
    [
        {"threads": 1025},
        {"threads": 0},
        {"blocks": 0},
        {"shared_bytes": 227 * 1024 + 1},
    ],
)
def test_a_launch_that_no_gpu_starts_is_refused(device, size):
    with pytest.raises(KernelError, match=r"write: at most .*; got "):
        device.run([launch("write", device.zeros(4, np.float32), np.int32(0), **size)])


@needs_compiler
def test_a_source_that_does_not_compile_is_refused_with_its_line(device):
    with pytest.raises(CompileError, match="no_such_kernel"):
        device.run([launch("no_such_kernel")])


@needs_compiler
def test_a_graph_runs_its_launches_again(device):
    y = device.zeros(4, np.float32)
    graph = device.capture([launch("write", y, np.int32(i)) for i in (0, 2)])
    assert not device.download(y).any()
    for _ in range(2):
        device.upload(np.zeros(4, np.float32), out=y)
        graph.replay()
        np.testing.assert_array_equal(device.download(y), [1, 0, 1, 0])


def test_arrays_stay_on_the_device():
    device = EmulatedDevice()
    host = np.arange(6, dtype=np.int32).reshape(2, 3)
    array = device.upload(host)
    with pytest.raises(TypeError, match=r"download\(\)"):
        np.asarray(array)
    with pytest.raises(TypeError):
        host + array
    device.download(array)[:] = 7
    host[:] = 8
    np.testing.assert_array_equal(device.download(array[1]), [3, 4, 5])
    np.testing.assert_array_equal(device.download(array.reshape(-1)), np.arange(6))
    with pytest.raises(ValueError, match="contiguous"):
        array[:, 1]
    with pytest.raises(ValueError, match=r"out is \(2, 3\) int32; got \(3,\) int32"):
        device.upload(host[0], out=array)
    assert np.isnan(device.download(device.empty(5, np.float32))).all()


def test_memory_is_counted():
    device = EmulatedDevice(memory_bytes=1000)
    array = device.zeros((10, 10), np.float32)
    assert device.free_bytes() == 600
    with pytest.raises(MemoryError, match="604 bytes asked for; the device has 600"):
        device.empty(151, np.float32)
    del array
    assert device.free_bytes() == 1000


def test_a_device_has_an_order_that_exists():
    with pytest.raises(ValueError, match="got 'sideways', 'late'"):
        EmulatedDevice("sideways")
