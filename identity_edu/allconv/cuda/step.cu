// What a training step does beside convolutions: draw the batch, fit a skip to another
// shape, score the images and start the gradient, count. Chapter 12.
//
// T is the type that activations are stored in, bf16 or float.

#include "../../conv/cuda/primitives.cuh"

constexpr int WARP = 32;

// Where the step stands: plans, rates and history have a row for each step of a series.
// One thread of the last kernel moves it on; so the same graph makes every step.

// A batch, standardised, shifted and mirrored. A thread makes a pixel. plan holds, for
// each step and image: which image, rows and columns of padding cut off, mirrored or
// not. Channels beyond c are zeros, and so is what lies outside the image.
template <class PIXEL, class T>
__global__ void draw_batch(const PIXEL *images, const int *labels, const int *plan,
                           const int *step, const float *mean, const float *deviation,
                           float levels, T *x, int *drawn, int n, int height, int width,
                           int c, int c_stored, int pad) {
  const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
  if (pixel >= n * height * width) return;
  const int i = pixel / (height * width);
  const int p = pixel / width % height, q = pixel % width;
  const int *row = plan + (*step * n + i) * 4;
  const int which = row[0], source_p = row[1] + p - pad;
  const int source_q = row[2] + (row[3] ? width - 1 - q : q) - pad;
  const bool inside = 0 <= source_p && source_p < height && 0 <= source_q &&
                      source_q < width;
  const long long from =
      ((static_cast<long long>(which) * height + source_p) * width + source_q) * c;
  for (int k = 0; k < c_stored; ++k) {
    float value = 0;
    if (inside && k < c) {
      value = (images[from + k] / levels - mean[k]) / deviation[k];
    }
    x[pixel * c_stored + k] = rounded<T>(value);
  }
  if (p == 0 && q == 0) drawn[i] = labels[which];
}

// The skip of a block that changes shape: the mean over squares of `stride` pixels,
// as far as the border leaves them, between channels of zeros. A thread makes a number.
template <class T>
__global__ void shortcut_forward(const T *h, T *y, int n, int height, int width,
                                 int c_in, int c_out, int stride) {
  const int index = blockIdx.x * blockDim.x + threadIdx.x;
  const int out_height = (height + stride - 1) / stride;
  const int out_width = (width + stride - 1) / stride;
  if (index >= n * out_height * out_width * c_out) return;
  const int c = index % c_out - (c_out - c_in) / 2;
  const int q = index / c_out % out_width * stride;
  const int p = index / c_out / out_width % out_height * stride;
  const int image = index / c_out / out_width / out_height;
  const int rows = min(stride, height - p), columns = min(stride, width - q);
  float sum = 0;
  if (0 <= c && c < c_in)
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < columns; ++j)
        sum += to_float(h[((image * height + p + i) * width + q + j) * c_in + c]);
  y[index] = rounded<T>(sum / (rows * columns));
}

// The gradient along that skip: equal shares for the pixels of a square.
template <class T>
__global__ void shortcut_backward(const T *grad_y, T *grad_h, int n, int height,
                                  int width, int c_in, int c_out, int stride) {
  const int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= n * height * width * c_in) return;
  const int out_height = (height + stride - 1) / stride;
  const int out_width = (width + stride - 1) / stride;
  const int c = index % c_in + (c_out - c_in) / 2;
  const int q = index / c_in % width / stride;
  const int p = index / c_in / width % height / stride;
  const int image = index / c_in / width / height;
  const int rows = min(stride, height - p * stride);
  const int columns = min(stride, width - q * stride);
  const int at = ((image * out_height + p) * out_width + q) * c_out + c;
  const float share = 0 <= c && c < c_out ? to_float(grad_y[at]) : 0;
  grad_h[index] = rounded<T>(share / (rows * columns));
}

// Scores of one image for each block: every channel averaged over its pixels, times the
// fixed read-out. With labels, also the loss, whether the highest score is right, the
// gradient of the mean loss with respect to the scores, and from there back to every
// pixel of h.
template <class T>
__global__ void classify(const T *h, const float *readout, const int *labels,
                         float *scores, float *grad_scores, float *losses, int *right,
                         T *grad_h, int n, int n_pixels, int c, int n_classes) {
  float *averages = reinterpret_cast<float *>(shared_memory());
  float *score = averages + c;
  const int image = blockIdx.x;
  const T *pixels = h + image * n_pixels * c;
  for (int k = threadIdx.x; k < c; k += blockDim.x) {
    float sum = 0;
    for (int i = 0; i < n_pixels; ++i) sum += to_float(pixels[i * c + k]);
    averages[k] = sum / n_pixels;
  }
  __syncthreads();
  const int lane = threadIdx.x % WARP;
  for (int k = threadIdx.x / WARP; k < n_classes; k += blockDim.x / WARP) {
    float sum = 0;
    for (int i = lane; i < c; i += WARP) sum += averages[i] * readout[k * c + i];
    sum = warp_sum(sum);
    if (lane == 0) {
      score[k] = sum;
      scores[image * n_classes + k] = sum;
    }
  }
  __syncthreads();
  if (!labels) return;

  const int label = labels[image];
  int best = 0;
  float total = 0;
  for (int k = 1; k < n_classes; ++k)
    if (score[k] > score[best]) best = k;
  for (int k = 0; k < n_classes; ++k) total += expf(score[k] - score[best]);
  if (threadIdx.x == 0) {
    losses[image] = logf(total) + score[best] - score[label];
    right[image] = best == label;
  }
  const float highest = score[best];
  __syncthreads();  // all have read the scores
  for (int k = threadIdx.x; k < n_classes; k += blockDim.x) {
    score[k] = (expf(score[k] - highest) / total - (k == label)) / n;
    grad_scores[image * n_classes + k] = score[k];
  }
  __syncthreads();
  for (int k = threadIdx.x; k < c; k += blockDim.x) {
    float sum = 0;
    for (int i = 0; i < n_classes; ++i) sum += score[i] * readout[i * c + k];
    const T share = rounded<T>(sum / n_pixels);
    for (int i = 0; i < n_pixels; ++i) grad_h[(image * n_pixels + i) * c + k] = share;
  }
}

// The last kernel of a step, one warp: write the step's line, and move on.
__global__ void end_step(const float *losses, const int *right, float *mean_losses,
                         int *n_right, int *step, int n) {
  float loss = 0, count = 0;
  for (int i = threadIdx.x; i < n; i += WARP) {
    loss += losses[i];
    count += right[i];
  }
  loss = warp_sum(loss);
  count = warp_sum(count);
  if (threadIdx.x) return;
  mean_losses[*step] = loss / n;
  n_right[*step] = count;
  ++*step;
}

// The sum of squares of x - y, or of x alone: a part from each block, always of the
// same numbers, in the same order.
template <class T>
__global__ void sum_squares(const T *x, const T *y, float *parts, int size) {
  float *sums = reinterpret_cast<float *>(shared_memory());
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < size;
       i += gridDim.x * blockDim.x) {
    const float value = to_float(x[i]) - (y ? to_float(y[i]) : 0);
    sum += value * value;
  }
  sum = warp_sum(sum);
  if (threadIdx.x % WARP == 0) sums[threadIdx.x / WARP] = sum;
  __syncthreads();
  if (threadIdx.x) return;
  float total = 0;
  for (int warp = 0; warp < blockDim.x / WARP; ++warp) total += sums[warp];
  parts[blockIdx.x] = total;
}
