"""Names of CuPy 14.2 that the package may use, with their parameters in CuPy's order.

The stand-in offers these and no others; a name is added here when the package needs
it. `test_stand_in_cupy.py` compares every line with CuPy itself, where it is installed.
"""

import inspect

STARRED = {
    "*": inspect.Parameter.VAR_POSITIONAL,
    "**": inspect.Parameter.VAR_KEYWORD,
}


def words(text):
    """Return the words of a text."""
    return tuple(text.split())


def signature(text):
    """Return the signature that a table's line describes."""
    parameters, kind = [], inspect.Parameter.POSITIONAL_OR_KEYWORD
    for word in text.split():
        name = word.lstrip("*")
        is_kind = STARRED.get(word[: len(word) - len(name)], kind)
        if name:
            parameters.append(inspect.Parameter(name, is_kind))
        if is_kind == inspect.Parameter.VAR_POSITIONAL:  # "*shape", or "*" alone
            kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(parameters)


COMPARISONS = words("greater greater_equal less less_equal equal not_equal")
UFUNCS = COMPARISONS + words(
    """
    abs absolute add arccos arcsin arctan arctan2 bitwise_and bitwise_or bitwise_xor
    ceil conj conjugate copysign cos cosh divide exp expm1 floor floor_divide fmax fmin
    hypot invert isfinite isinf isnan left_shift log log1p log2 logaddexp logical_and
    logical_not logical_or matmul maximum minimum mod multiply negative positive power
    reciprocal remainder right_shift rint sign sin sinc sinh sqrt square subtract tan
    tanh true_divide
    """
)
CONSTANTS = words(
    """
    bool_ complex64 complex128 dtype e finfo float16 float32 float64 iinfo inf int8
    int16 int32 int64 nan newaxis pi uint8 uint16 uint32 uint64
    """
)
CREATORS = {  # of arrays from numbers alone
    "arange": "start stop step dtype",
    "empty": "shape dtype order",
    "eye": "N M k dtype order",
    "full": "shape fill_value dtype order",
    "identity": "n dtype",
    "linspace": "start stop num endpoint retstep dtype axis",
    "ones": "shape dtype order",
    "zeros": "shape dtype order",
}
FUNCTIONS = {  # of arrays on the device
    "all": "a axis out keepdims",
    "any": "a axis out keepdims",
    "argmax": "a axis dtype out keepdims",
    "argmin": "a axis dtype out keepdims",
    "argsort": "a axis kind",
    "array_equal": "a1 a2 equal_nan",
    "ascontiguousarray": "a dtype",
    "broadcast_to": "array shape",
    "clip": "a a_min a_max out",
    "concatenate": "tup axis out * dtype casting",
    "count_nonzero": "a axis",
    "cumsum": "a axis dtype out",
    "diag": "v k",
    "diagonal": "a offset axis1 axis2",
    "diff": "a n axis prepend append",
    "dot": "a b out",
    "einsum": "*operands **kwargs",
    "empty_like": "prototype dtype order subok shape",
    "expand_dims": "a axis",
    "flatnonzero": "a",
    "flip": "a axis",
    "full_like": "a fill_value dtype order subok shape",
    "hstack": "tup * dtype casting",
    "imag": "val",
    "kron": "a b",
    "max": "a axis out keepdims",
    "mean": "a axis dtype out keepdims",
    "min": "a axis out keepdims",
    "moveaxis": "a source destination",
    "ndim": "a",
    "nonzero": "a",
    "ones_like": "a dtype order subok shape",
    "outer": "a b out",
    "pad": "array pad_width mode **kwargs",
    "prod": "a axis dtype out keepdims",
    "ravel": "a order",
    "real": "val",
    "repeat": "a repeats axis",
    "roll": "a shift axis",
    "shape": "a",
    "sort": "a axis kind",
    "squeeze": "a axis",
    "stack": "tup axis out * dtype casting",
    "std": "a axis dtype out ddof keepdims",
    "sum": "a axis dtype out keepdims",
    "swapaxes": "a axis1 axis2",
    "take": "a indices axis out",
    "tensordot": "a b axes",
    "tile": "A reps",
    "trace": "a offset axis1 axis2 dtype out",
    "transpose": "a axes",
    "tril": "m k",
    "triu": "m k",
    "var": "a axis dtype out ddof keepdims",
    "vstack": "tup * dtype casting",
    "where": "condition x y",
    "zeros_like": "a dtype order subok shape",
    "fft.fft2": "a s axes norm",
    "fft.ifft2": "a s axes norm",
    "fft.irfft2": "a s axes norm",
    "fft.rfft2": "a s axes norm",
    "linalg.cholesky": "a",
    "linalg.det": "a",
    "linalg.eigh": "a UPLO",
    "linalg.eigvalsh": "a UPLO",
    "linalg.inv": "a",
    "linalg.lstsq": "a b rcond",
    "linalg.matrix_power": "M n",
    "linalg.norm": "x ord axis keepdims",
    "linalg.pinv": "a rcond",
    "linalg.qr": "a mode",
    "linalg.slogdet": "a",
    "linalg.solve": "a b",
    "linalg.svd": "a full_matrices compute_uv",
}
METHODS = {
    "all": "axis out keepdims",
    "any": "axis out keepdims",
    "argmax": "axis out dtype keepdims",
    "argmin": "axis out dtype keepdims",
    "argsort": "axis kind",
    "astype": "dtype order casting subok copy",
    "clip": "min max out",
    "conj": "",
    "copy": "order",
    "cumsum": "axis dtype out",
    "diagonal": "offset axis1 axis2",
    "dot": "b out",
    "flatten": "order",
    "max": "axis out keepdims",
    "mean": "axis dtype out keepdims",
    "min": "axis out keepdims",
    "nonzero": "",
    "prod": "axis dtype out keepdims",
    "ravel": "order",
    "repeat": "repeats axis",
    "reshape": "*shape order copy",
    "round": "decimals out",
    "squeeze": "axis",
    "std": "axis dtype out ddof keepdims",
    "sum": "axis dtype out keepdims",
    "swapaxes": "axis1 axis2",
    "take": "indices axis out",
    "trace": "offset axis1 axis2 dtype out",
    "transpose": "*axes",
    "var": "axis dtype out ddof keepdims",
    "view": "dtype type",
}
TO_HOST = {"item": "", "tobytes": "order", "tolist": ""}  # methods that copy
IN_HOST_MEMORY = words("dtype flags itemsize nbytes ndim shape size strides")
VIEWS = words("T imag mT real")  # that stay on the device
