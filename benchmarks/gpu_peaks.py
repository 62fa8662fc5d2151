"""What a GPU reaches at best, measured: a large matrix product, and a large copy.

A kernel is then judged by what its own chip can do, and not by a data sheet. PyTorch
does both where it is installed with CUDA; otherwise CuPy does, whose products are of
float16, at the same rate on every GPU that has both types.
"""

import importlib.util

from gpu_setup import seconds_of

SIDE = 8192  # of the matrices: 1.1 million million operations
COPIED_BYTES = 2**30
N_ROUNDS, N_REPEATS = 10, 10


def measured_peaks(*, side=SIDE, n_bytes=COPIED_BYTES):
    """Measure the GPU's two rates with the library that is there.

    Parameters
    ----------
    side : int >= 1
        Rows and columns of the matrices.
    n_bytes : int >= 4
        Of the array that is copied.

    Returns
    -------
    dict
        ``"tflops_bf16_matmul"``, in 10^12 operations a second;
        ``"bytes_per_second_copy"``, bytes read and bytes written both counted; and
        ``"by"``, the library.
    """
    if importlib.util.find_spec("torch") is not None:
        import torch

        if torch.cuda.is_available():
            return by_torch("cuda", side=side, n_bytes=n_bytes)
    return by_cupy(side=side, n_bytes=n_bytes)


def by_torch(device, *, side, n_bytes):
    """Measure both rates with PyTorch.

    Parameters
    ----------
    device : str
        As PyTorch names it.
    side, n_bytes : int >= 1
        As for `measured_peaks`.

    Returns
    -------
    dict
        As `measured_peaks` returns it.
    """
    import torch

    wait = torch.cuda.synchronize if device == "cuda" else bool
    a, b = (torch.randn(side, side, device=device).to(torch.bfloat16) for _ in range(2))
    c = torch.empty_like(a)
    x = torch.randn(n_bytes // 4, device=device)
    y = torch.empty_like(x)
    work = lambda: torch.matmul(a, b, out=c), lambda: y.copy_(x)
    return _rates(*work, wait, side, n_bytes) | {"by": f"PyTorch {torch.__version__}"}


def by_cupy(*, side, n_bytes):
    """Measure both rates with CuPy, the product in float16.

    Parameters
    ----------
    side, n_bytes : int >= 1
        As for `measured_peaks`.

    Returns
    -------
    dict
        As `measured_peaks` returns it.
    """
    import cupy

    wait = cupy.cuda.Device().synchronize
    a, b = (
        cupy.random.standard_normal((side, side), dtype=cupy.float32).astype("float16")
        for _ in range(2)
    )
    c = cupy.empty_like(a)
    x = cupy.random.standard_normal(n_bytes // 4, dtype=cupy.float32)
    y = cupy.empty_like(x)
    work = lambda: cupy.matmul(a, b, out=c), lambda: cupy.copyto(y, x)
    by = f"CuPy {cupy.__version__}, float16"
    return _rates(*work, wait, side, n_bytes) | {"by": by}


def _rates(product, copy, wait, side, n_bytes):
    """Take the best of some rounds: a peak is what was reached, not what is usual."""
    best = [
        min(seconds_of(start, wait, N_REPEATS) for _ in range(N_ROUNDS))
        for start in (product, copy)
    ]
    return {
        "tflops_bf16_matmul": 2 * side**3 / best[0] / 1e12,
        "bytes_per_second_copy": 2 * n_bytes / best[1],
    }
