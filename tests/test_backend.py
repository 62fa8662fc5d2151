"""One module knows about GPUs: namespaces, dtypes, and what it says without one."""

import sys
import types

import numpy as np
import pytest

from identity_edu import backend


def fake_cupy(monkeypatch, count):
    """Put a CuPy into place whose driver answers with `count`, or raises it."""

    class CUDARuntimeError(RuntimeError):
        pass

    def device_count():
        if isinstance(count, str):
            raise CUDARuntimeError(count)
        return count

    runtime = types.SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=device_count,
        getDeviceProperties=lambda index: {"name": b"Imagined GPU"},
    )
    module = types.ModuleType("cupy")
    module.__version__ = "14.0.0"
    module.cuda = types.SimpleNamespace(runtime=runtime)
    module.asarray = lambda array: ("on the GPU", array)
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


class OnGpu:
    """Counts as a CuPy array: its class says that it lives there."""

    def get(self):
        return np.arange(3.0)


OnGpu.__module__ = "cupy"


@pytest.mark.parametrize("arrays", [(), (np.ones(2),), ([1, 2], 3.0), (1, np.ones(2))])
def test_lists_numbers_and_arrays_belong_to_numpy(arrays):
    assert backend.array_namespace(*arrays) is np


def test_the_namespace_is_that_of_the_arrays(xp):
    assert backend.array_namespace(xp.ones(2), xp.ones(3)) is xp


def test_gpu_arrays_belong_to_cupy(monkeypatch):
    cupy = fake_cupy(monkeypatch, 1)
    assert backend.array_namespace(OnGpu(), OnGpu()) is cupy


@pytest.mark.parametrize("arrays", [(np.ones(2), OnGpu()), (OnGpu(), 1.0)])
@pytest.mark.parametrize("function", [backend.array_namespace, backend.as_floating])
def test_mixed_devices_are_refused_and_both_are_named(function, arrays):
    with pytest.raises(TypeError, match="on one device; got") as caught:
        function(*arrays)
    assert "cupy.OnGpu" in str(caught.value)
    assert "to_device(...) or to_numpy(...)" in str(caught.value)


@pytest.mark.parametrize(
    ("dtypes", "common"),
    [
        (["float32"], "float32"),
        (["float64"], "float64"),
        (["float16"], "float16"),
        (["float32", "float32"], "float32"),
        (["float32", "float64"], "float64"),
        (["int64"], "float64"),
        (["int8", "bool"], "float64"),
        (["float32", "int32"], "float64"),
        (["uint8", "float64"], "float64"),
    ],
)
def test_floating_dtypes_are_kept_and_integers_become_float64(xp, dtypes, common):
    arrays = [xp.ones(3, dtype=d) for d in dtypes]
    namespace, converted = backend.as_floating(*arrays)
    assert namespace is xp
    assert [a.dtype for a in converted] == [np.dtype(common)] * len(arrays)
    assert [a.dtype for a in arrays] == [np.dtype(d) for d in dtypes]


def test_an_array_of_the_right_dtype_is_not_copied(xp):
    x = xp.ones(3, dtype="float32")
    assert backend.as_floating(x)[1][0] is x


def test_lists_and_numbers_become_arrays():
    _, (row, number) = backend.as_floating([1, 2], 3)
    np.testing.assert_array_equal(row, [1.0, 2.0])
    assert row.dtype == number.dtype == np.float64


@pytest.mark.parametrize("bad", [1j, np.ones(2) + 1j, "text", [None], [object()]])
def test_what_is_not_real_is_refused_with_its_dtype(bad):
    dtype = str(np.asarray(bad).dtype)
    with pytest.raises(TypeError, match="real numbers are required; got an array") as e:
        backend.as_floating(np.ones(2), bad)
    assert dtype in str(e.value)


def test_host_memory_is_reached_without_a_copy():
    x = np.ones(3)
    assert backend.to_numpy(x) is x
    assert backend.to_device(x, "numpy") is x
    np.testing.assert_array_equal(backend.to_numpy([1, 2]), [1, 2])
    np.testing.assert_array_equal(backend.to_numpy(OnGpu()), [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(backend.to_device(OnGpu(), "numpy"), [0.0, 1.0, 2.0])


@pytest.mark.parametrize("name", ["cuda", "NumPy", "", None])
def test_an_unknown_backend_is_refused_with_the_known_ones(name):
    with pytest.raises(ValueError, match='must be "numpy" or "cupy"; got') as caught:
        backend.to_device(np.ones(2), name)
    assert repr(name) in str(caught.value)


@pytest.fixture(params=["absent", "no driver", "no GPU"])
def unusable(request, monkeypatch):
    """Make CuPy unusable, in each way there is; give what the status must say."""
    if request.param == "absent":
        monkeypatch.setitem(sys.modules, "cupy", None)
        return "not installed"
    if request.param == "no driver":
        fake_cupy(monkeypatch, "cudaErrorInsufficientDriver: too old")
        return "cudaErrorInsufficientDriver"
    fake_cupy(monkeypatch, 0)
    return "found no GPU"


def test_the_status_without_a_gpu_is_one_line_that_says_why(unusable):
    status = backend.gpu_status()
    assert unusable in status
    assert "\n" not in status
    assert not status.startswith("ready")


def test_asking_for_a_gpu_that_is_absent_says_why(unusable):
    with pytest.raises(RuntimeError, match='"cupy" needs a usable GPU: ') as caught:
        backend.to_device(np.ones(2), "cupy")
    assert unusable in str(caught.value)


def test_a_usable_gpu_is_named_and_receives_the_array(monkeypatch):
    fake_cupy(monkeypatch, 1)
    assert backend.gpu_status() == "ready: Imagined GPU, CuPy 14.0.0"
    assert backend.to_device([1.0], "cupy") == ("on the GPU", [1.0])


def test_the_status_of_this_machine_is_one_line():
    assert backend.gpu_status().count("\n") == 0


@pytest.mark.gpu
def test_an_array_comes_back_from_the_gpu_unchanged(rng):
    pytest.importorskip("cupy", reason="CuPy is not installed")
    x = rng.standard_normal((3, 4))
    there = backend.to_device(x, "cupy")
    assert type(there).__module__.startswith("cupy")
    np.testing.assert_array_equal(backend.to_numpy(there), x)
