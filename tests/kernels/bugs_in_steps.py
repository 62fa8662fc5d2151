"""Bugs in the kernels of a training step beside the convolutions."""

from kernels.bugs import Bug

DRAW_BATCH = [
    Bug(
        "rows and columns are swapped",
        "source_p = row[1] + p - pad",
        "source_p = row[2] + p - pad",
    ),
    Bug("mirrored a pixel off", "row[3] ? width - 1 - q", "row[3] ? width - q"),
    Bug(
        "mirrored after the padding",
        "row[2] + (row[3] ? width - 1 - q : q) - pad",
        "(row[3] ? width - 1 - row[2] - q + pad : row[2] + q - pad)",
    ),
    Bug("always the first step", "plan + (*step * n + i) * 4", "plan + i * 4"),
    Bug("no end", "if (pixel >= n * height * width) return;", ""),
    Bug("a row too many", "0 <= source_p && source_p < height", "0 <= source_p"),
    Bug("a column too few", "0 <= source_q &&", "0 < source_q &&"),
    Bug("images are square", "which) * height + source_p", "which) * width + source_p"),
    Bug("channels beyond the last", "if (inside && k < c) {", "if (inside) {"),
    Bug(
        "the mean of another channel",
        "mean[k]) / deviation[k]",
        "mean[0]) / deviation[k]",
    ),
    Bug("padding is not zero", "if (inside && k < c) {", "if (k < c) {"),
    Bug("labels by place", "drawn[i] = labels[which]", "drawn[i] = labels[i]"),
    Bug(
        "channels are packed",
        "x[pixel * c_stored + k] = rounded",
        "x[pixel * c + k] = rounded",
    ),
]
SHORTCUT_FORWARD = [
    Bug("all channels first", "index % c_out - (c_out - c_in) / 2", "index % c_out"),
    Bug("squares are whole", "rows = min(stride, height - p)", "rows = stride"),
    Bug(
        "no end",
        "if (index >= n * out_height * out_width * c_out) return;",
        "",
    ),
    Bug("channels of neighbours", "if (0 <= c && c < c_in)\n", "if (c < c_in)\n"),
    Bug(
        "rows and columns are swapped",
        "index / c_out / out_width % out_height * stride",
        "index / c_out / out_height % out_width * stride",
    ),
    Bug("the whole square counts", "sum / (rows * columns)", "sum / (stride * stride)"),
]
SHORTCUT_BACKWARD = [
    Bug("all channels first", "index % c_in + (c_out - c_in) / 2", "index % c_in"),
    Bug(
        "the square of another row",
        "min(stride, height - p * stride)",
        "min(stride, height - p)",
    ),
    Bug("no end", "if (index >= n * height * width * c_in) return;", ""),
    Bug(
        "channels of neighbours",
        "0 <= c && c < c_out ? to_float(grad_y[at]) : 0",
        "c < c_out ? to_float(grad_y[at]) : 0",
    ),
    Bug(
        "rows are not shrunk",
        "% height / stride;\n  const int image",
        "% height;\n  const int image",
    ),
    Bug(
        "images are a row apart",
        "((image * out_height + p) * out_width + q) * c_out + c;\n  const float",
        "((image * out_width + p) * out_width + q) * c_out + c;\n  const float",
    ),
]
CLASSIFY = [
    Bug(
        "the read-out is transposed",
        "averages[i] * readout[k * c + i]",
        "averages[i] * readout[i * n_classes + k]",
    ),
    Bug(
        "the next image",
        "h + image * n_pixels * c;",
        "h + (image + 1) % n * n_pixels * c;",
    ),
    Bug(
        "the gradient by the label's place", "(k == label)) / n;", "(k == image)) / n;"
    ),
    Bug(
        "the last of equal scores", "score[k] > score[best]", "score[k] >= score[best]"
    ),
    Bug(
        "the last pixel is lost",
        "for (int i = 0; i < n_pixels; ++i) sum +=",
        "for (int i = 1; i < n_pixels; ++i) sum +=",
    ),
    Bug(
        "a warp is enough",
        "for (int i = lane; i < c; i += WARP)",
        "for (int i = lane; i < WARP && i < c; i += WARP)",
    ),
    Bug(
        "no barrier before the scores",
        "averages[k] = sum / n_pixels;\n  }\n  __syncthreads();",
        "averages[k] = sum / n_pixels;\n  }",
    ),
    Bug(
        "no barrier after the scores",
        "__syncthreads();\n  if (!labels) return;",
        "if (!labels) return;",
    ),
    Bug(
        "scores change under the readers",
        "__syncthreads();  // all have read the scores",
        "",
    ),
    Bug(
        "no barrier before the gradient",
        "= score[k];\n  }\n  __syncthreads();",
        "= score[k];\n  }",
    ),
    Bug("the gradient is a sum", "rounded<T>(sum / n_pixels)", "rounded<T>(sum)"),
    Bug(
        "only the first pixel learns",
        "grad_h[(image * n_pixels + i) * c + k] = share",
        "grad_h[image * n_pixels * c + k] = share",
    ),
    Bug(
        "the total starts late",
        "for (int k = 0; k < n_classes; ++k) total",
        "for (int k = 1; k < n_classes; ++k) total",
    ),
]
END_STEP = [
    Bug("only the first of each lane", "i < n; i += WARP)", "i < WARP; i += WARP)"),
    Bug(
        "the line of the next step",
        "mean_losses[*step] = loss / n;",
        "mean_losses[*step + 1] = loss / n;",
    ),
    Bug("the step stays", "++*step;", ""),
    Bug("every lane moves on", "if (threadIdx.x) return;\n  mean", "mean"),
]
SUM_SQUARES = [
    Bug("the grid is a block", "i += gridDim.x * blockDim.x", "i += blockDim.x"),
    Bug(
        "blocks are a warp apart",
        "int i = blockIdx.x * blockDim.x + threadIdx.x; i < size",
        "int i = blockIdx.x * WARP + threadIdx.x; i < size",
    ),
    Bug("all warps in one place", "sums[threadIdx.x / WARP] = sum", "sums[0] = sum"),
    Bug("y is forgotten", "(y ? to_float(y[i]) : 0)", "0"),
    Bug("no end", "i < size;", "i <= size;"),
    Bug("no barrier", "= sum;\n  __syncthreads();", "= sum;"),
]
