// grad_W, from x and grad_y: what each tap saw, times what it caused, over all pixels.
//
//                                            c_out
//                                        +-----------+
//                                        | grad_y    |   pixels
//                                        | as it lies|
//                  n h w pixels          +-----------+
//            +---------------------+     +-----------+
//   9 c_in   | what the taps see,  |     | grad_W    |
//            | transposed          |     | as it lies|
//            +---------------------+     +-----------+
//
// Few outputs, and a sum over 8,000 to 130,000 pixels: one block for each tile of
// grad_W would leave most of the GPU idle. So the pixels are split: block (i, j, s)
// sums its share of them into part s, and `descend` adds the parts, always in the same
// order, in the same pass that makes the step.

#include "images.cuh"

template <int TILE_N>
__global__ void __launch_bounds__(THREADS, 2)
    conv3x3_weight_gradient(const bf16 *x, const bf16 *grad_y, float *parts, int n,
                            int height, int width, int c_in, int c_out, int stride,
                            int steps_each) {
  using A = AcrossK<TILE_M>;
  using B = AcrossK<TILE_N>;
  const int out_height = (height + stride - 1) / stride;
  const int out_width = (width + stride - 1) / stride;
  const int n_pixels = n * out_height * out_width;
  const int n_rows = SIDE * SIDE * c_in;
  const int first_row = blockIdx.x * TILE_M, first_channel = blockIdx.y * TILE_N;
  const int first_pixel = blockIdx.z * steps_each * TILE_K;
  const int end = min(first_pixel + steps_each * TILE_K, n_pixels);

  // This thread's chunk of A: always the same tap and channels, of several pixels.
  constexpr int A_STEP = THREADS / A::CHUNKS, A_COUNT = TILE_K / A_STEP;
  const int chunk_a = threadIdx.x % A::CHUNKS, lane_a = threadIdx.x / A::CHUNKS;
  const int m = first_row + chunk_a * CHUNK;
  const int tap = m / c_in, channel_a = m % c_in;
  const Images from = {x, n, height, width, c_in};

  // A step goes TILE_K pixels on: by so many images, rows and columns, with carries.
  const Place stride_k(TILE_K, out_height, out_width);
  int image[A_COUNT], p[A_COUNT], q[A_COUNT];
  for (int r = 0; r < A_COUNT; ++r) {
    const Place at(first_pixel + lane_a + r * A_STEP, out_height, out_width);
    image[r] = at.image;
    p[r] = at.p;
    q[r] = at.q;
  }

  constexpr int B_STEP = THREADS / B::CHUNKS;
  const int chunk_b = threadIdx.x % B::CHUNKS, lane_b = threadIdx.x / B::CHUNKS;
  const int channel_b = first_channel + chunk_b * CHUNK;

  int first_k = first_pixel;
  auto copy = [&](unsigned char *tile_a, unsigned char *tile_b) {
#pragma unroll
    for (int r = 0; r < A_COUNT; ++r) {
      const int row = lane_a + r * A_STEP;
      const int pr = p[r] * stride + tap / SIDE - CENTRE;
      const int qr = q[r] * stride + tap % SIDE - CENTRE;
      const bool inside = first_k + row < end && m < n_rows && from.has(pr, qr);
      const bf16 *source = inside ? from.pixel(image[r], pr, qr) + channel_a : x;
      copy_async(tile_a + A::offset(row, chunk_a), source, inside);
      q[r] += stride_k.q;
      p[r] += stride_k.p;
      image[r] += stride_k.image;
      if (q[r] >= out_width) {
        q[r] -= out_width;
        ++p[r];
      }
      if (p[r] >= out_height) {
        p[r] -= out_height;
        ++image[r];
      }
    }
    for (int row = lane_b; row < TILE_K; row += B_STEP) {
      const int pixel = first_k + row;
      const bool inside = pixel < end && channel_b < c_out;
      const bf16 *source = inside ? grad_y + pixel * c_out + channel_b : grad_y;
      copy_async(tile_b + B::offset(row, chunk_b), source, inside);
    }
    first_k += TILE_K;
  };

  Sums<TILE_N> sums;
  multiply<A, B>(sums, max(0, (end - first_pixel + TILE_K - 1) / TILE_K), copy);

  float *part = parts + blockIdx.z * n_rows * c_out;
  sums.for_each_pair([&](int row, int column, float left, float right) {
    const int r = first_row + row, c = first_channel + column;
    if (r < n_rows && c < c_out) store_pair(part + r * c_out + c, left, right);
  });
}
