"""The frames between examiner and student: exact both ways, and nothing else."""

import collections
import enum
import json
import math
import socket
import struct
import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from identity_edu.grading.isolation import wire

quickly = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
DTYPES = st.one_of(
    npst.boolean_dtypes(),
    npst.integer_dtypes(endianness="?"),
    npst.unsigned_integer_dtypes(endianness="?"),
    npst.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    npst.complex_number_dtypes(endianness="?", sizes=(64, 128)),
)
SHAPES = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@st.composite
def arrays(draw):
    """Arrays of every dtype in C order, in Fortran's, and as views with gaps."""
    dtype, shape = draw(DTYPES), draw(SHAPES)
    size = math.prod(shape) * dtype.itemsize
    content = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), np.uint8)
    if dtype.kind == "b":
        content = content % 2
    array = (
        content.copy().view(dtype).reshape(shape) if size else np.empty(shape, dtype)
    )
    layout = draw(st.sampled_from(["C", "F", "gaps", "backwards"]))
    if layout == "F":
        return np.asfortranarray(array) if array.ndim else array
    if layout == "gaps" and array.ndim:
        return array[::2]
    return array[::-1] if layout == "backwards" and array.ndim else array


keys = st.one_of(
    st.text(max_size=5), st.integers(), st.booleans(), st.tuples(st.integers())
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters(exclude_categories=["Cs"])),
    arrays(),
    arrays().filter(lambda a: a.ndim == 0).map(lambda a: a[()]),
)
plain = st.recursive(
    leaves,
    lambda inside: st.one_of(
        st.lists(inside, max_size=4),
        st.lists(inside, max_size=4).map(tuple),
        st.dictionaries(keys, inside, max_size=4),
    ),
    max_leaves=12,
)


def there_and_back(value):
    """Pack a value and read the frame."""
    frame = wire.pack(value)
    n_text, n_data = wire.HEAD.unpack(frame[: wire.HEAD.size])
    rest = frame[wire.HEAD.size :]
    assert len(rest) == n_text + n_data
    return wire.decode(rest[:n_text], rest[n_text:])


def identical(a, b):
    """Tell whether values agree in type and in every bit (but a float NaN's)."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        a, b = ([x for pair in d.items() for x in pair] for d in (a, b))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(identical, a, b))
    if isinstance(a, (np.ndarray, np.generic)):
        is_same = (a.dtype.str, a.shape, order(a)) == (b.dtype.str, b.shape, order(b))
        return is_same and a.tobytes() == b.tobytes()
    if isinstance(a, (float, complex)):
        return bits(a) == bits(b)
    return a == b


def bits(number):
    """Return the bits of a float or a complex number; those of any NaN are one."""
    parts = complex(number).real, complex(number).imag
    return ["nan" if math.isnan(x) else struct.pack("d", x) for x in parts]


def order(array):
    """Say in which order an array arrives: only one in Fortran's alone is in that."""
    flags = array.flags
    return "F" if flags.f_contiguous and not flags.c_contiguous else "C"


@settings(quickly, max_examples=25)
@given(plain)
def test_plain_values_come_back_as_they_were(value):
    assert identical(there_and_back(value), value)


@pytest.mark.slow
@settings(quickly, max_examples=2000)
@given(plain)
def test_many_plain_values_come_back_as_they_were(value):
    assert identical(there_and_back(value), value)


@quickly
@given(arrays())
def test_arrays_own_their_memory_and_can_be_written(array):
    back = there_and_back(array)
    assert back.flags.owndata
    assert back.flags.writeable
    assert back.flags.aligned


@pytest.mark.parametrize(
    "value",
    [-0.0, 5e-324, math.inf, -math.inf, math.nan, 2**64, -(10**900), complex(-0.0)],
)
def test_odd_numbers_come_back(value):
    assert identical(there_and_back(value), value)


def test_the_payload_of_a_nan_in_an_array_survives():
    bits = np.array([0x7FF8_0000_DEAD_BEEF, 0xFFF0_0000_0000_0001], np.uint64)
    assert (there_and_back(bits.view(float)).view(np.uint64) == bits).all()


def test_long_doubles_travel_as_doubles():
    assert there_and_back(np.array([1.5], np.longdouble)).dtype == np.float64


class Number(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__

    def __str__(self):
        return "7"

    __repr__ = __index__ = __int__ = __str__


class Real(float):
    def __float__(self):
        return 7.0

    def __repr__(self):
        return "7.0"


class Text(str):
    def __str__(self):
        return "seven"


class Sequence(list):
    def __iter__(self):
        return iter([7])

    def __len__(self):
        return 1


class Pair(tuple):
    def __iter__(self):
        return iter([7])


class Table(dict):
    def items(self):
        return [("seven", 7)]


class Array(np.ndarray):
    def tobytes(self, *_):
        return b"7777777"

    dtype = property(lambda self: np.dtype("u1"))


Point = collections.namedtuple("Point", "x y")
Colour = enum.IntEnum("Colour", {"RED": 3})


@pytest.mark.parametrize(
    ("value", "base"),
    [
        (Number(3), 3),
        (Real(3.0), 3.0),
        (Text("three"), "three"),
        (Sequence([1, 2]), [1, 2]),
        (Pair((1, 2)), (1, 2)),
        (Table(a=1), {"a": 1}),
        (np.array([1.0, 2.0]).view(Array), np.array([1.0, 2.0])),
        (Point(1, 2), (1, 2)),
        (Colour.RED, 3),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.Counter("a"), {"a": 1}),
        (np.array(["a", "b"])[1], "b"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), np.array([1.0, 2.0])),
    ],
)
def test_subclasses_travel_as_what_they_derive_from(value, base):
    assert identical(there_and_back(value), base)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({1}, "set"),
        (b"bytes", "bytes"),
        (lambda: 1, "function"),
        (object(), "object"),
        (range(3), "range"),
        (np.array([None]), "dtype object"),
        (np.array(["text"]), "dtype <U4"),
        (np.datetime64("2020"), "dtype datetime64"),
        (np.zeros(1, "i4,f8"), "dtype"),
        ([1, {"a": {2}}], "set"),
        pytest.param(10**5000, "cannot be sent", id="long"),
    ],
)
def test_what_is_not_plain_is_named(value, named):
    with pytest.raises(wire.PlainDataError, match=named):
        wire.pack(value)


def nested(depth, inside=1):
    for _ in range(depth):
        inside = [inside]
    return inside


def test_depth_is_bounded_on_both_sides():
    assert there_and_back(nested(wire.MAX_DEPTH)) == nested(wire.MAX_DEPTH)
    with pytest.raises(wire.PlainDataError, match="nested"):
        wire.pack(nested(wire.MAX_DEPTH + 1))
    cycle = []
    cycle.append(cycle)
    with pytest.raises(wire.PlainDataError, match="nested"):
        wire.pack(cycle)
    tree = 1
    for _ in range(wire.MAX_DEPTH + 1):
        tree = ["l", [tree]]
    with pytest.raises(wire.WireError, match="nested"):
        wire.decode(json.dumps(tree), b"")


def test_an_unhashable_key_is_not_a_key():
    with pytest.raises(wire.WireError):
        wire.decode(b'["d", [[["l", []], 1]]]', b"")


def test_text_that_no_file_can_hold_is_replaced():
    assert there_and_back(["a\ud800b"]) == ["a?b"]


trees = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 2**70),
        st.floats(),
        st.sampled_from(["a", "s", "c", "l", "t", "d", "<f8", "|b1", "C", "F", "O"]),
    ),
    lambda inside: st.lists(inside, max_size=5),
    max_leaves=20,
)
ARRAY = ["a", "<f8", [2], "C"]


@quickly
@given(trees, st.binary(max_size=40))
def test_a_hostile_tree_is_plain_data_or_refused(tree, data):
    try:
        value = wire.decode(json.dumps(tree).encode(), data)
    except wire.WireError:
        return
    wire.pack(value)


@quickly
@given(st.data())
def test_a_mutated_frame_is_plain_data_or_refused(data):
    frame = wire.pack([np.eye(2), {"a": (1, 2.5)}, "text", np.float32(1)])
    n_text, _ = wire.HEAD.unpack(frame[: wire.HEAD.size])
    content = bytearray(frame[wire.HEAD.size :])
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    try:
        value = wire.decode(bytes(content[:n_text]), bytes(content[n_text:]))
    except wire.WireError:
        return
    wire.pack(value)


@pytest.mark.parametrize(
    ("tree", "data"),
    [
        (["a", "O", [1], "C"], bytes(8)),
        (["a", "<U2", [1], "C"], bytes(8)),
        (["a", "<M8[s]", [1], "C"], bytes(8)),
        (["a", "V8", [1], "C"], bytes(8)),
        (["a", "<f16", [1], "C"], bytes(16)),
        (["a", "<f8,<f8", [1], "C"], bytes(16)),
        (["a", ["<f8"], [1], "C"], bytes(8)),
        (["a", "<f8", 1, "C"], bytes(8)),
        (["a", "<f8", [-1], "C"], b""),
        (["a", "<f8", [True], "C"], bytes(8)),
        (["a", "<f8", [1.0], "C"], bytes(8)),
        (["a", "<f8", [2**31], "C"], b""),
        (["a", "<f8", [2**30] * 4, "C"], b""),
        (["a", "<f8", [1] * 70, "C"], bytes(8)),
        (["a", "<f8", [2**31 - 1] * 300_000, "C"], b""),
        (["a", "<f8", [1], "K"], bytes(8)),
        (["a", "<f8", [1], ["C"]], bytes(8)),
        (["a", "<f8", [1]], bytes(8)),
        (["s", "<f8", [1], "C"], bytes(8)),
        (["c", 1, 2], b""),
        (["c", 1.0], b""),
        (["d", [[1]]], b""),
        (["d", [1]], b""),
        (["d", {}], b""),
        ({"l": []}, b""),
        (["x", []], b""),
        ([["l"], []], b""),
        ([], b""),
        (ARRAY, bytes(15)),
        (ARRAY, bytes(17)),
        (1, b"left over"),
    ],
)
def test_what_is_no_plain_data_is_refused(tree, data):
    with pytest.raises(wire.WireError):
        wire.decode(json.dumps(tree).encode(), data)


@pytest.mark.parametrize(
    "text",
    [b"", b"[", b"\xff\xfe", b"nul", b"[" * 100_000, b"1" * 5000, b'{"a":' * 50_000],
)
def test_what_is_no_json_is_refused(text):
    with pytest.raises(wire.WireError):
        wire.decode(text, b"")


def test_pairs_of_dicts_are_bounded_since_keys_may_collide():
    pairs = [[k, 0] for k in range(wire.MAX_PAIRS + 1)]
    with pytest.raises(wire.WireError, match="pairs"):
        wire.decode(json.dumps(["d", pairs]).encode(), b"")
    spread = ["l", [["d", pairs[: wire.MAX_PAIRS // 2 + 1]]] * 2]
    with pytest.raises(wire.WireError, match="pairs"):
        wire.decode(json.dumps(spread).encode(), b"")


def test_forged_truth_values_are_true_or_false():
    back = wire.decode(b'["a", "|b1", [3], "C"]', b"\x00\x01\x02")
    assert back.view(np.uint8).tolist() == [0, 1, 1]


@pytest.fixture
def ends():
    """Give both ends of a connection: ours with small bounds, and a bare socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield wire.Channel(ours, max_data=1 << 20, max_text=1 << 16), theirs


def test_a_channel_carries_values_both_ways(ends):
    channel, other = ends
    peer = wire.Channel(other, 1 << 20)
    peer.send(["ready", np.arange(3)])
    assert identical(channel.receive(1), ["ready", np.arange(3)])
    channel.send({"a": 1}, 1)
    assert peer.receive(1) == {"a": 1}


def test_a_frame_that_comes_in_pieces_is_whole(ends):
    channel, other = ends
    frame = wire.pack(np.arange(50))

    def drip():
        for k in range(0, len(frame), 7):
            other.sendall(frame[k : k + 7])

    thread = threading.Thread(target=drip)
    thread.start()
    assert identical(channel.receive(30), np.arange(50))
    thread.join()


@pytest.mark.parametrize("cut", [0, 1, 11, 12, 13, 40])
def test_a_truncated_frame_is_the_end(ends, cut):
    channel, other = ends
    other.sendall(wire.pack(np.arange(50))[:cut])
    other.close()
    with pytest.raises(wire.ClosedError):
        channel.receive(1)


def test_half_a_frame_is_not_waited_for_longer_than_asked(ends):
    channel, other = ends
    other.sendall(wire.pack(np.arange(50))[:40])
    with pytest.raises(TimeoutError):
        channel.receive(0.05)


def test_one_who_does_not_read_is_not_waited_for_longer_than_asked(ends):
    channel, _ = ends
    with pytest.raises(TimeoutError):
        channel.send(np.zeros(1 << 22), 0.05)


def test_sending_to_nobody_is_the_end(ends):
    channel, other = ends
    other.close()
    with pytest.raises(wire.ClosedError):
        channel.send(1, 1)


@pytest.mark.parametrize(
    "sizes", [(2**32 - 1, 0), (0, 2**64 - 1), (1 << 17, 0), (1, (1 << 20) + 1)]
)
def test_a_lying_head_is_refused_before_anything_is_allocated(ends, sizes):
    channel, other = ends
    other.sendall(wire.HEAD.pack(*sizes))
    tracemalloc.start()
    try:
        with pytest.raises(wire.WireError, match="at most"):
            channel.receive(1)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_an_array_that_claims_more_than_came_allocates_nothing():
    tree = json.dumps(["a", "<f8", [2**30, 2**28], "C"]).encode()
    tracemalloc.start()
    try:
        with pytest.raises(wire.WireError):
            wire.decode(tree, bytes(64))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_value_that_is_not_plain_is_not_sent_in_part(ends):
    channel, other = ends
    with pytest.raises(wire.PlainDataError):
        channel.send([np.zeros(10), {1}], 1)
    channel.send("next", 1)
    assert wire.Channel(other, 100).receive(1) == "next"
