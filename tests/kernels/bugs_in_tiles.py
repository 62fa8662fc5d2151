"""Bugs in what the kernels for tensor cores share, each seen through one of them."""

from functools import partial

from kernels.bugs import Bug

in_tiles = partial(Bug, file="tiles.cuh")
in_images = partial(Bug, file="images.cuh")

FORWARD = [
    in_tiles(
        "no turns on one side",
        "kept(offset(first_row + lane % 16, s * MMA_K / CHUNK + lane / 16))",
        "(first_row + lane % 16) * 64 + (s * 2 + lane / 16) * 16",
    ),
    in_tiles("no barrier", "__syncthreads();  // all have", "// all have"),
    in_tiles("no wait", "wait_copies<STAGES - 2>", "wait_copies<STAGES - 1>"),
    in_tiles(
        "other turns on one side",
        "offset(lane % 16, (first_column + j * 2 * MMA_N) / CHUNK + lane / 16)",
        "offset(lane % 16, (first_column / CHUNK + j * 2 + lane / 16) ^ 1)",
    ),
    in_tiles(
        "a fragment of A is transposed",
        "load_matrices(a, tile",
        "load_matrices_transposed(a, tile",
    ),
    in_tiles(
        "quarters of A are swapped",
        "offset(first_row + lane % 16, s * MMA_K / CHUNK + lane / 16)",
        "offset(first_row + lane / 16 * 8 + lane % 8,"
        " s * MMA_K / CHUNK + lane / 8 % 2)",
    ),
    in_tiles(
        "halves of B are swapped",
        "left[2] = {b[0], b[1]}",
        "left[2] = {b[2], b[3]}",
    ),
    in_tiles(
        "half of A's rows are others",
        "tile + at[s] + offset(i * MMA_M, 0));",
        "tile + at[s] + offset(i * MMA_M / 2, 0));",
    ),
    in_tiles(
        "no empty group at the end",
        "commit_copies();\n    const unsigned char *stage",
        "if (next < n_steps) commit_copies();\n    const unsigned char *stage",
    ),
    in_tiles(
        "copies go where others read",
        "shared + next % STAGES",
        "shared + (next + STAGES - 1) % STAGES",
    ),
    in_tiles(
        "the wrong stage is read",
        "shared + step % STAGES",
        "shared + (step + 1) % STAGES",
    ),
    in_tiles("rows of other lanes", "half * 8 + lane / 4", "half * 8 + lane / 4 % 7"),
    in_tiles("neighbours are swapped", "(pair[0], pair[1]));", "(pair[1], pair[0]));"),
    in_tiles("the neighbour's skip is the same", "(bits >> 16)", "(bits)"),
    in_tiles("rows that are nowhere", "if (start < 0) continue;", ""),
    in_tiles(
        "neighbours overlap",
        "static_cast<unsigned>(rounded<bf16>(pair.y)) << 16",
        "static_cast<unsigned>(rounded<bf16>(pair.y)) << 15",
    ),
    in_tiles(
        "warps lie the other way round",
        "threadIdx.x / WARP % WARPS_M * WARP_TILE",
        "threadIdx.x / WARP / WARPS_M * WARP_TILE",
    ),
    in_images(
        "a column too many",
        "< static_cast<unsigned>(width)",
        "<= static_cast<unsigned>(width)",
    ),
    in_images(
        "rows above the image",
        "static_cast<unsigned>(p) < static_cast<unsigned>(height)",
        "p < height",
    ),
    in_images(
        "images are a row apart",
        "((image * height + p) * width + q) * channels",
        "((image * width + p) * width + q) * channels",
    ),
    in_images(
        "channels beyond the last",
        "channel() < from.channels ? 1u",
        "true ? 1u",
    ),
    in_images("slabs overlap", "slab += TILE_K;", "slab += CHUNK;"),
    in_images("the slab stays", "slab += TILE_K;", ""),
    in_images(
        "a slab too few",
        "(from.channels + TILE_K - 1) / TILE_K",
        "(from.channels / TILE_K + (from.channels < TILE_K))",
    ),
    in_images(
        "a row of taps begins where the last ended", "return;\n    j = 0;", "return;"
    ),
    in_images(
        "bits of the next tap",
        "i * across.count + j : 0",
        "i * across.count + j + 1 : 0",
    ),
    in_images(
        "taps are copied transposed",
        "from.pixel(0, i * down.direction, j * across.direction)",
        "from.pixel(0, j * down.direction, i * across.direction)",
    ),
    in_images("rows that do not exist", "t = 0; exists && t <", "t = 0; t <"),
    in_images(
        "ReLU comes before the skip",
        "if (added) {",
        "if (relu) pair = {fmaxf(pair.x, 0), fmaxf(pair.y, 0)};\n    if (added) {",
    ),
]
INPUT_GRADIENT = [
    in_tiles(
        "quarters of B are swapped",
        "offset(first_column + lane / 16 * 8 + lane % 8,\n"
        "                            s * MMA_K / CHUNK + lane / 8 % 2)",
        "offset(first_column + lane % 16, s * MMA_K / CHUNK + lane / 16)",
    ),
    in_images(
        "as many taps down as across",
        "if (++j < across.count)",
        "if (++j < down.count)",
    ),
    in_images(
        "bits of the transposed taps",
        "p + t / across.count * down",
        "p + t % across.count * down",
    ),
    in_images(
        "taps go right, not left",
        "j * across.direction) + slab",
        "j) + slab",
    ),
    in_images("the mask lets zeros pass", "!(active.y > 0)", "!(active.y >= 0)"),
    in_images("the mask of a neighbour", "!(active.y > 0)", "!(active.x > 0)"),
    in_images(
        "the mask stops the skip too", "if (added) {", "if (added && pair.x != 0) {"
    ),
]
WEIGHT_GRADIENT = [
    in_tiles(
        "quarters of A are swapped",
        "offset(lane / 16 * 8 + lane % 8,\n"
        "                            (first_row + i * MMA_M) / CHUNK + lane / 8 % 2)",
        "offset(lane % 16, (first_row + i * MMA_M) / CHUNK + lane / 16)",
    ),
    in_tiles(
        "no empty group at the start",
        "commit_copies();  // an empty group too",
        "if (step < n_steps) commit_copies();  // an empty group too",
    ),
]
