"""Bugs in the kernels that need no tensor cores."""

from kernels.bugs import Bug

PLAIN_FORWARD = [
    Bug("taps are off", "tap / side - side / 2", "tap / side - (side - 1)"),
    Bug(
        "channels by the wrong remainder",
        "width + q) * c_in + k % c_in",
        "width + q) * c_in + k % c_out",
    ),
    Bug("no end of outputs", "pixel >= n_outputs || c >= c_out", "c >= c_out"),
    Bug(
        "a row too many",
        "if (p < 0 || p >= height || q",
        "if (p < 0 || p > height || q",
    ),
    Bug(
        "pixels of other images",
        "image = pixel / out_width() / out_height();",
        "image = pixel / out_width() / height;",
    ),
    Bug(
        "the stride is forgotten", "pixel % out_width() * stride", "pixel % out_width()"
    ),
    Bug(
        "W has c_in columns", "to_float(W[k * c_out + c])", "to_float(W[k * c_in + c])"
    ),
    Bug(
        "W has no last row",
        "first + k_b < end ? b(first + k_b, column) : 0",
        "b(first + k_b, column)",
    ),
    Bug(
        "no barrier before the products",
        "}\n    __syncthreads();\n    for (int k = 0",
        "}\n    for (int k = 0",
    ),
    Bug(
        "no barrier after the products",
        "left[i] * right[j];\n    }\n    __syncthreads();",
        "left[i] * right[j];\n    }",
    ),
    Bug("rows of the slab overlap", "ROW = TILE + 1", "ROW = TILE - 1"),
    Bug(
        "the same columns four times",
        "slab_b[k * ROW + c.x + i * SIDE_THREADS]",
        "slab_b[k * ROW + c.x]",
    ),
    Bug(
        "ReLU comes before the skip",
        "rounded<T>(relu ? fmaxf(value, 0) : value);",
        "rounded<T>(relu ? fmaxf(value - to_float(added[index]), 0) + "
        "to_float(added[index]) : value);",
    ),
]
PLAIN_INPUT_GRADIENT = [
    Bug("rows between outputs count", "|| p % stride || q % stride", "|| q % stride"),
    Bug(
        "a tap off",
        "pixel % width + side / 2 - tap % side",
        "pixel % width + side / 2 - tap % side - 1",
    ),
    Bug(
        "W by the wrong channel",
        "W[row * c_out + k % c_out]",
        "W[row * c_out + k % c_in]",
    ),
    Bug(
        "columns between outputs count", "|| p % stride || q % stride", "|| p % stride"
    ),
    Bug("outputs have no last row", "p / stride >= out_height() || q", "q"),
    Bug(
        "the kernel is not turned",
        "height + side / 2 - tap / side",
        "height - side / 2 + tap / side",
    ),
    Bug("W by the wrong tap", "k / c_out * c_in + c;", "k / c_out * c_out + c;"),
    Bug("no end of inputs", "pixel >= n_inputs || c >= c_in", "c >= c_in"),
    Bug(
        "the mask lets all pass",
        "if (mask && !(to_float(mask[index]) > 0)) value = 0;",
        "",
    ),
]
PLAIN_WEIGHT_GRADIENT = [
    Bug(
        "parts overlap",
        "begin = blockIdx.z * pixels_each",
        "begin = blockIdx.z * (pixels_each - 1)",
    ),
    Bug(
        "grad_y has c_in columns",
        "grad_y[pixel * c_out + c]",
        "grad_y[pixel * c_in + c]",
    ),
    Bug("no end of rows", "if (r < n_rows && c < c_out) part", "if (c < c_out) part"),
    Bug(
        "parts have no end",
        "min(begin + pixels_each, shape.n_outputs())",
        "shape.n_outputs()",
    ),
    Bug(
        "the last part has no end",
        "min(begin + pixels_each, shape.n_outputs())",
        "begin + pixels_each",
    ),
    Bug("all parts in one place", "parts + blockIdx.z * n_rows * c_out", "parts"),
    Bug(
        "no end of columns", "if (r < n_rows && c < c_out) part", "if (r < n_rows) part"
    ),
]
NAIVE_LADDER = [
    Bug(
        "the kernel is transposed",
        "at.p + tap / SIDE - CENTRE, q = at.q",
        "at.p + tap % SIDE - CENTRE, q = at.q",
    ),
    Bug(
        "W's axes are swapped",
        "W[(tap * c_in + i) * c_out + c]",
        "W[(tap * c_out + i) * c_in + c]",
    ),
    Bug("no end", "if (index >= n * height * width * c_out) return;", ""),
    Bug("pixel and channel are swapped", "at(index / c_out,", "at(index % c_out,"),
]
DESCEND = [
    Bug(
        "parts are interleaved",
        "parts[part * size + index]",
        "parts[index * n_parts + part]",
    ),
    Bug("no end", "if (index < size) {", "{"),
    Bug(
        "blocks are a warp apart",
        "blockIdx.x * blockDim.x + threadIdx.x",
        "blockIdx.x * WARP + threadIdx.x",
    ),
    Bug("the last part is lost", "part < n_parts", "part < n_parts - 1"),
    Bug("always the first rate", "rates[*step]", "rates[0]"),
    Bug("all warps in one place", "sums[threadIdx.x / WARP] = sum", "sums[0] = sum"),
    Bug("no barrier", "  __syncthreads();\n", ""),
    Bug("the old weight is stored", "rounded<T>(moved)", "rounded<T>(weight)"),
    Bug("the square of a sum", "warp_sum(g * g)", "warp_sum(g) * warp_sum(g)"),
]
