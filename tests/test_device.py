"""The device asks CuPy for what it must, in the right order: of a pretended CuPy."""

import gc
import sys
import types
import weakref
from pathlib import Path

import numpy as np
import pytest

from identity_edu import device as module
from identity_edu.launch import Kernel, Launch, PaperDevice, by_source, cuda_source


class CompileException(Exception):  # noqa: N818
    """As CuPy names it."""


class FakeStream:
    def __init__(self, cupy, *, non_blocking):
        assert non_blocking
        self.cupy, self.is_capturing = cupy, False

    def __enter__(self):
        self.cupy.current.append(self)
        return self

    def __exit__(self, *_):
        self.cupy.current.pop()

    def synchronize(self):
        assert not self.is_capturing
        self.cupy.calls.append("synchronize")

    def begin_capture(self):
        self.is_capturing = True
        self.cupy.calls.append("begin capture")

    def end_capture(self):
        self.is_capturing = False
        self.cupy.calls.append("end capture")
        return types.SimpleNamespace(
            launch=lambda stream: self.cupy.calls.append(("replay", stream is self))
        )


class FakeFunction:
    max_dynamic_shared_size_bytes = None

    def __init__(self, cupy, name):
        self.cupy, self.name = cupy, name

    def __call__(self, grid, block, args, *, shared_mem):
        assert self.cupy.current, "launched on nobody's stream"
        limit = self.max_dynamic_shared_size_bytes or 48 * 1024
        assert shared_mem <= limit
        self.cupy.calls.append((self.name, grid, block, args))


class FakeArray:
    def __init__(self, cupy, host):
        self.cupy, self.host = cupy, host
        self.shape, self.dtype = host.shape, host.dtype

    def set(self, host, stream):
        assert host.flags.c_contiguous
        assert stream is not None
        self.host = host.copy()

    def get(self, stream):
        assert self.cupy.current == [stream]
        return self.host.copy()


class FakeCupy(types.ModuleType):
    """What `identity_edu.device` uses of CuPy, and a list of what it asked for."""

    def __init__(self, capability=(9, 0)):
        super().__init__("cupy")
        self.calls, self.current, self.modules = [], [], []
        self.__version__ = "14.2.0"
        major, minor = capability
        properties = {"name": b"Fake GPU", "major": major, "minor": minor}
        runtime = types.SimpleNamespace(
            getDeviceProperties=lambda _: properties,
            driverGetVersion=lambda: 13020,
            memGetInfo=lambda: (123, 456),
        )
        self.cuda = types.SimpleNamespace(
            runtime=runtime,
            Device=lambda: types.SimpleNamespace(id=0),
            Stream=lambda non_blocking: FakeStream(self, non_blocking=non_blocking),
            compiler=types.SimpleNamespace(CompileException=CompileException),
        )

    def empty(self, shape, dtype):
        assert self.current, "allocated on nobody's stream"
        return FakeArray(self, np.empty(shape, dtype))

    def zeros(self, shape, dtype):
        assert self.current, "allocated on nobody's stream"
        return FakeArray(self, np.zeros(shape, dtype))

    def RawModule(self, *, code, options, name_expressions):  # noqa: N802 - CuPy's name
        assert options == ("-std=c++17",)
        self.modules.append((code, name_expressions))
        return types.SimpleNamespace(get_function=self._function)

    def _function(self, name):
        assert not any(s.is_capturing for s in self.current), "compiled in a capture"
        if name == "broken":
            raise CompileException("line 1: no")
        return FakeFunction(self, name)


@pytest.fixture
def cupy(monkeypatch):
    fake = FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(module, "gpu_status", lambda: "ready: Fake GPU")
    return fake


@pytest.fixture
def source(tmp_path):
    (tmp_path / "head.cuh").write_text("int head;\n")
    path = tmp_path / "it.cu"
    path.write_text('#include "head.cuh"\nint tail;\n')
    return path


def launch(path, name="f<1>", shared_bytes=0):
    return Launch(Kernel(path, name), (2, 1, 1), 64, (np.int32(3),), shared_bytes)


def test_without_a_gpu_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(module, "gpu_status", lambda: "CuPy found no GPU")
    with pytest.raises(RuntimeError, match="needs a usable GPU: CuPy found no GPU"):
        module.CudaDevice()


def test_an_old_gpu_is_refused(cupy, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", FakeCupy((7, 5)))
    with pytest.raises(RuntimeError, match=r"capability 8\.0 or later .* got 7\.5: Fa"):
        module.CudaDevice()


def test_a_device_has_a_name_and_memory(cupy):
    device = module.CudaDevice()
    assert device.name == "Fake GPU, CUDA 13.2 in its driver, CuPy 14.2.0"
    assert device.free_bytes() == 123


def test_arrays_go_there_and_back(cupy):
    device, host = module.CudaDevice(), np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(device.download(device.upload(host)), host)
    turned = device.upload(host.T)  # its rows are not contiguous
    np.testing.assert_array_equal(device.download(turned), host.T)
    room = device.zeros((2, 3), float)
    assert device.upload(host, out=room) is room
    np.testing.assert_array_equal(device.download(room), host)
    assert "synchronize" in cupy.calls


def test_a_source_is_compiled_once_with_all_its_kernels(cupy, source):
    device = module.CudaDevice()
    device.run([launch(source), launch(source, "f<2>"), launch(source)])
    device.run([launch(source)])
    assert cupy.modules == [("int head;\n\nint tail;\n", ["f<1>", "f<2>"])]
    names = [call[0] for call in cupy.calls]
    assert names == ["f<1>", "f<2>", "f<1>", "f<1>"]
    assert cupy.calls[0] == ("f<1>", (2, 1, 1), (64, 1, 1), (np.int32(3),))


def test_more_shared_memory_than_usual_is_asked_for(cupy, source):
    device = module.CudaDevice()
    device.run([launch(source, shared_bytes=80_000)])
    with pytest.raises(AssertionError):  # the fake refuses what was not asked for
        cupy._function("f")((1, 1, 1), (1, 1, 1), (), shared_mem=80_000)


def test_a_source_that_does_not_compile_is_named(cupy, source):
    with pytest.raises(RuntimeError, match=r"it\.cu does not compile: line 1: no"):
        module.CudaDevice().run([launch(source, "broken")])


def test_a_graph_records_compiled_kernels_and_is_replayed_on_the_stream(cupy, source):
    device = module.CudaDevice()
    graph = device.capture([launch(source), launch(source)])
    recorded = [call if isinstance(call, str) else call[0] for call in cupy.calls]
    assert recorded == ["begin capture", "f<1>", "f<1>", "end capture"]
    graph.replay()
    assert cupy.calls[-1] == ("replay", True)


def test_a_graph_keeps_the_arrays_that_it_reads_and_writes(cupy, source):
    device = module.CudaDevice()
    array = device.zeros((4,), np.float32)
    gone = weakref.ref(array)
    launches = [Launch(Kernel(source, "f<1>"), (1, 1, 1), 64, (array,))]
    graph = device.capture(launches)
    cupy.calls.clear()  # the fake remembers what it was given; CuPy does not
    del array, launches
    gc.collect()
    assert gone() is not None
    del graph
    gc.collect()
    assert gone() is None


def test_a_capture_that_fails_is_ended(cupy, source):
    device = module.CudaDevice()
    device.run([launch(source)])
    with pytest.raises(AssertionError):
        device.capture([launch(source, shared_bytes=80_000)])
    assert cupy.calls[-1] == "end capture"


def test_a_header_is_put_in_place_once_and_may_be_replaced(tmp_path):
    (tmp_path / "a.cuh").write_text('#include "b.cuh"\nint a;\n')
    (tmp_path / "b.cuh").write_text("int b;\n")
    path = tmp_path / "c.cu"
    path.write_text('#include "a.cuh"\n#include "b.cuh"\nint c;\n')
    assert " ".join(cuda_source(path).split()) == "int b; int a; int c;"
    replaced = cuda_source(path, {"b.cuh": "int d;"})
    assert " ".join(replaced.split()) == "int d; int a; int c;"


def test_kernels_are_grouped_by_source_in_order():
    a, b = Path("a.cu"), Path("b.cu")
    launches = [launch(b), launch(a, "g"), launch(b, "h"), launch(b)]
    grouped = by_source(launches)
    assert list(grouped) == [b, a]
    assert [kernel.name for kernel in grouped[b]] == ["f<1>", "h"]


def test_paper_counts_what_would_be_allocated():
    paper = PaperDevice()
    array = paper.empty((3, 4), np.float32)
    assert (array.shape, array.size, array.nbytes) == ((3, 4), 12, 48)
    paper.upload(np.zeros(5, np.uint8))
    paper.zeros((2,), np.int32)
    assert paper.n_bytes == 48 + 5 + 8
