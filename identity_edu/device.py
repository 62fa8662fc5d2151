"""A GPU on which launches run: compiled, started, and replayed as one graph.

With `backend` the only module that knows CuPy.
"""

from itertools import pairwise

import numpy as np

from identity_edu.backend import gpu_status
from identity_edu.launch import by_source, cuda_source

LEAST_CAPABILITY = (8, 0)  # the first with bf16 in tensor cores, and copy_async
PLAIN_SHARED_BYTES = 48 * 1024  # of a block that does not ask for more


class CudaDevice:
    """The GPU that CuPy uses, with a stream of its own.

    Attributes
    ----------
    name : str
        Model, driver and CuPy, in one line.

    Raises
    ------
    RuntimeError
        If no GPU can be used, or it is older than compute capability 8.0.
    """

    def __init__(self):
        status = gpu_status()
        if not status.startswith("ready"):
            raise RuntimeError(f'backend "cupy" needs a usable GPU: {status}.')
        import cupy

        self._cupy = cupy
        properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
        capability = properties["major"], properties["minor"]
        driver = cupy.cuda.runtime.driverGetVersion()
        self.name = (
            f"{properties['name'].decode()}, CUDA {driver // 1000}."
            f"{driver % 1000 // 10} in its driver, CuPy {cupy.__version__}"
        )
        if capability < LEAST_CAPABILITY:
            least, found = (
                ".".join(map(str, c)) for c in (LEAST_CAPABILITY, capability)
            )
            raise RuntimeError(
                f"these kernels need compute capability {least} or later (2020); "
                f"got {found}: {self.name}."
            )
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._functions = {}

    def empty(self, shape, dtype):
        """Return an uninitialised array on the device.

        Parameters
        ----------
        shape : tuple of int
        dtype : dtype

        Returns
        -------
        cupy.ndarray
        """
        with self._stream:
            return self._cupy.empty(shape, dtype)

    def zeros(self, shape, dtype):
        """Return an array of zeros on the device.

        Parameters
        ----------
        shape : tuple of int
        dtype : dtype

        Returns
        -------
        cupy.ndarray
        """
        with self._stream:
            return self._cupy.zeros(shape, dtype)

    def upload(self, host, out=None):
        """Copy an array to the device.

        Parameters
        ----------
        host : numpy.ndarray
        out : cupy.ndarray, optional
            Where to; its shape and dtype are those of `host`.

        Returns
        -------
        cupy.ndarray
        """
        host = np.ascontiguousarray(host)
        out = self.empty(host.shape, host.dtype) if out is None else out
        out.set(host, stream=self._stream)
        self._stream.synchronize()  # `host` may change or go away after this
        return out

    def download(self, array):
        """Copy an array to the host, once all that was asked for before is done.

        Parameters
        ----------
        array : cupy.ndarray

        Returns
        -------
        numpy.ndarray
        """
        with self._stream:
            host = array.get(stream=self._stream)
        self._stream.synchronize()
        return host

    def run(self, launches):
        """Start kernels one after the other, and do not wait for them.

        Parameters
        ----------
        launches : sequence of Launch

        Raises
        ------
        RuntimeError
            If a source does not compile, or the driver refuses a launch.
        """
        self._compile(launches)
        with self._stream:
            for launch in launches:
                self._functions[launch.kernel](
                    launch.grid,
                    (launch.block, 1, 1),
                    launch.args,
                    shared_mem=launch.shared_bytes,
                )

    def capture(self, launches):
        """Record kernels as one CUDA graph.

        Parameters
        ----------
        launches : sequence of Launch

        Returns
        -------
        CudaGraph
        """
        self._compile(launches)  # nothing may be loaded or allocated while it records
        with self._stream:
            self._stream.begin_capture()
            try:
                self.run(launches)
            finally:
                graph = self._stream.end_capture()
        return CudaGraph(graph, self._stream, launches)

    def synchronize(self):
        """Wait until all that was asked for is done.

        Raises
        ------
        RuntimeError
            If a kernel failed.
        """
        self._stream.synchronize()

    def free_bytes(self):
        """Return how much memory of the device nobody uses.

        Returns
        -------
        int
        """
        return int(self._cupy.cuda.runtime.memGetInfo()[0])

    def milliseconds(self, start, n):
        """Time n repetitions on the device's own clock, one by one.

        Parameters
        ----------
        start : callable
            Starts the work on this device's stream, and does not wait.
        n : int >= 1

        Returns
        -------
        numpy.ndarray, shape (n,)
        """
        events = [self._cupy.cuda.Event() for _ in range(n + 1)]
        events[0].record(self._stream)
        for event in events[1:]:
            start()
            event.record(self._stream)
        self._stream.synchronize()
        elapsed = self._cupy.cuda.get_elapsed_time
        return np.array([elapsed(a, b) for a, b in pairwise(events)])

    def _compile(self, launches):
        """Compile what is not compiled yet, one module for each source."""
        new = [one for one in launches if one.kernel not in self._functions]
        for path, kernels in by_source(new).items():
            names = [kernel.name for kernel in kernels]
            module = self._cupy.RawModule(
                code=cuda_source(path), options=("-std=c++17",), name_expressions=names
            )
            try:
                functions = [module.get_function(name) for name in names]
            except self._cupy.cuda.compiler.CompileException as error:
                first = str(error).partition("\n")[0]
                raise RuntimeError(f"{path.name} does not compile: {first}") from error
            self._functions |= dict(zip(kernels, functions, strict=True))
        for launch in new:
            if launch.shared_bytes > PLAIN_SHARED_BYTES:
                function = self._functions[launch.kernel]
                function.max_dynamic_shared_size_bytes = launch.shared_bytes


class CudaGraph:
    """A recorded list of launches.

    Parameters
    ----------
    graph : cupy.cuda.Graph
    stream : cupy.cuda.Stream
    launches : sequence of Launch
        What was recorded. The graph knows addresses alone: as long as it can be
        replayed, the arrays that lie there must not be given back.
    """

    def __init__(self, graph, stream, launches):
        self._graph, self._stream = graph, stream
        self._launches = tuple(launches)

    def replay(self):
        """Start the whole list, and do not wait for it."""
        self._graph.launch(self._stream)
