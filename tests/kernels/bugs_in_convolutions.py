"""Bugs in the kernels for convolutions on tensor cores; the first three come first."""

from kernels import bugs_in_tiles
from kernels.bugs import Bug

FORWARD = [
    Bug("taps are a row off", "at.p * stride - CENTRE", "at.p * stride"),
    Bug(
        "rows and columns are swapped",
        "at(pixel, out_height, out_width)",
        "at(pixel, out_width, out_height)",
    ),
    Bug("no end of pixels", "pixel < n_pixels ? pixel *", "true ? pixel *"),
    *bugs_in_tiles.FORWARD[:3],
    Bug("the stride is forgotten", "at.q * stride - CENTRE", "at.q - CENTRE"),
    Bug(
        "W has c_in columns", "row_of_w * c_out + channel", "row_of_w * c_in + channel"
    ),
    Bug("taps of W are c_out apart", "gather.tap() * c_in", "gather.tap() * c_out"),
    Bug("W begins with its first slab", "c_in + gather.slab +", "c_in +"),
    Bug("no end of channels of y", "channel < c_out ? c_in -", "true ? c_in -"),
    Bug("no end of channels of x", "c_in - gather.slab : 0", "c_in : 0"),
    Bug("pixels that do not exist", "pixel < n_pixels, at", "true, at"),
    Bug("what is stored has no last channel", "first_channel + column < c_out", "true"),
    Bug("the skip of another row", "finish(pair, index)", "finish(pair, column)"),
    Bug("one row of W for all", "source + row * c_out", "source"),
    Bug("rows of W in one place", "to + B::offset(row, 0)", "to + B::offset(0, 0)"),
    Bug(
        "x is a tap ahead",
        "gather.copy(tile_a);",
        "gather.move(); gather.copy(tile_a);",
    ),
    *bugs_in_tiles.FORWARD[3:],
]
INPUT_GRADIENT = [
    Bug("taps of the other parity", "(CENTRE + parity) % stride", "parity % stride"),
    Bug(
        "a class has a row too many",
        "(height - parity_p + stride - 1)",
        "(height + stride - 1)",
    ),
    Bug(
        "rows and columns have each other's taps",
        "out_height, out_width, c_out}, down, across",
        "out_height, out_width, c_out}, across, down",
    ),
    Bug("every tap in every class", "return {first, stride, ", "return {first, 1, "),
    Bug(
        "the class of columns is that of rows",
        "parity_q = parity % stride",
        "parity_q = parity / stride",
    ),
    Bug(
        "a class has a column too few",
        "(width - parity_q + stride - 1) / stride",
        "(width - parity_q) / stride",
    ),
    Bug(
        "outputs are a row off",
        "at.p + (CENTRE + parity_p - down.first) / stride",
        "at.p + parity_p",
    ),
    Bug("taps run the other way", "/ stride, -1};", "/ stride, 1};"),
    Bug(
        "the kernel is turned twice",
        "gather.tap() * c_in",
        "(8 - gather.tap()) * c_in",
    ),
    Bug(
        "W's axes are swapped",
        "row_of_w * c_out + gather",
        "row_of_w * c_in + gather",
    ),
    Bug("no end of channels", "? c_in - first_channel : 0", "? c_in : 0"),
    Bug("no end of channels of y", "gather.channel() < c_out ? ", "true ? "),
    Bug("no end of pixels", "if (pixel >= n_pixels) return -1;", ""),
    Bug("what is stored has no last channel", "first_channel + column < c_in", "true"),
    Bug("the skip of another row", "finish(pair, index)", "finish(pair, column)"),
    Bug("pixels that do not exist", "pixel < n_pixels, at", "true, at"),
    Bug(
        "W is a tap ahead",
        "gather.copy(tile_a);\n",
        "gather.copy(tile_a);\n    gather.move();\n",
    ),
    Bug("columns of another class", "at.q * stride + parity_q", "at.q * stride"),
    Bug(
        "images are a row apart",
        "(at.image * height + p) * width",
        "(at.image * width + p) * width",
    ),
    *bugs_in_tiles.INPUT_GRADIENT,
]
WEIGHT_GRADIENT = [
    Bug(
        "parts begin a step apart",
        "first_pixel = blockIdx.z * steps_each * TILE_K",
        "first_pixel = blockIdx.z * TILE_K",
    ),
    Bug("a row ends a pixel late", "q[r] >= end_q", "q[r] > end_q"),
    Bug("channels by the wrong remainder", "q[r]) + m % c_in", "q[r]) + m % c_out"),
    Bug(
        "parts have no end",
        "min(first_pixel + steps_each * TILE_K, n_pixels)",
        "n_pixels",
    ),
    Bug(
        "the last part has no end",
        "min(first_pixel + steps_each * TILE_K, n_pixels)",
        "first_pixel + steps_each * TILE_K",
    ),
    Bug("no carry to the row", "p[r] += stride;", ""),
    Bug("no carry to the row's pixels", "seen[r] += next_row;", ""),
    Bug("no carry to the image", "seen[r] += next_image;", ""),
    Bug(
        "an image ends a row early",
        "end_p = out_height * stride + down",
        "end_p = out_height * stride - stride + down",
    ),
    Bug(
        "ends without the tap",
        "end_q = out_width * stride + across",
        "end_q = out_width * stride",
    ),
    Bug(
        "the walk has rows for columns",
        "walk(TILE_K, out_height, out_width)",
        "walk(TILE_K, out_width, out_height)",
    ),
    Bug("the walk skips no rows", "p[r] += walk.p * stride;", ""),
    Bug("the walk skips no pixels", "seen[r] += walk_seen;", ""),
    Bug("a row back is a row of outputs", "-out_width * stride);", "-out_width);"),
    Bug("an image back is whole", "(1, -out_height * stride, 0)", "(1, -height, 0)"),
    Bug("the stride is forgotten", "p[r] = at.p * stride + down", "p[r] = at.p + down"),
    Bug("the kernel is transposed", "down = tap / SIDE", "down = tap % SIDE"),
    Bug("x has no last pixel", "m < n_rows ? end : 0", "m < n_rows ? end + TILE_K : 0"),
    Bug("grad_y has no last pixel", "lane_b + row < pixels_b", "0 < pixels_b"),
    Bug("grad_y has no last channel", "channel_b < c_out ? end : 0", "end"),
    Bug(
        "grad_y begins with the image",
        "grad_y + (first_pixel + lane_b) * c_out",
        "grad_y + lane_b * c_out",
    ),
    Bug(
        "all parts in one place",
        "parts + blockIdx.z * n_rows * c_out",
        "parts + blockIdx.z * 0",
    ),
    Bug(
        "parts overlap",
        "parts + blockIdx.z * n_rows * c_out",
        "parts + blockIdx.z * n_rows",
    ),
    Bug("no end of rows", "r < n_rows ? r * c_out", "true ? r * c_out"),
    Bug("what is stored has no last channel", "first_channel + column < c_out", "true"),
    Bug("all rows turn alike", "to_a[r % TURNS]", "to_a[0]"),
    Bug("rows of A in one place", "A::offset(r / TURNS * TURNS * A_STEP, 0)", "0"),
    Bug(
        "the last step is lost",
        "(end - first_pixel + TILE_K - 1) / TILE_K",
        "(end - first_pixel) / TILE_K",
    ),
    *bugs_in_tiles.WEIGHT_GRADIENT,
]
TENSOR_LADDER = [
    Bug("the kernel is transposed", "place.p + tap / SIDE", "place.p + tap % SIDE"),
    Bug("channels by the wrong remainder", "+ k % c_in)", "+ k % c_out)"),
    Bug(
        "no barrier after the products",
        "    __syncthreads();\n  }\n  sums",
        "  }\n  sums",
    ),
    Bug(
        "no barrier before the products",
        "}\n    __syncthreads();\n    for (int k = 0",
        "}\n    for (int k = 0",
    ),
    Bug(
        "a row has other pixels' chunks",
        "first_pixel + at / CHUNKS_K;",
        "first_pixel + at % CHUNKS_K;",
    ),
    Bug(
        "no end of pixels", "pixel < n_pixels && k < depth && from", "k < depth && from"
    ),
    Bug("no end of channels", "k < depth && c < c_out;", "k < depth;"),
    Bug(
        "a fragment of B is not turned",
        "load_matrices_transposed(b, tile_b",
        "load_matrices(b, tile_b",
    ),
    Bug(
        "quarters of B are swapped",
        "(k + lane % 16) * CHUNKS_N",
        "(k + lane / 16) * CHUNKS_N",
    ),
]
