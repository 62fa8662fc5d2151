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
  constexpr int TILE_M = ROWS_BESIDE<TILE_N>;
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
  const int m = first_row + chunk_a * CHUNK, tap = m / c_in;
  const int down = tap / SIDE - CENTRE, across = tap % SIDE - CENTRE;
  const Images from = {x, n, height, width, c_in};

  // A step goes TILE_K pixels on: by so many images, rows and columns of the output,
  // with carries. p, q and `seen` follow in x, where rows and columns are `stride` as
  // far apart.
  const Place walk(TILE_K, out_height, out_width);
  const int end_p = out_height * stride + down, end_q = out_width * stride + across;
  const int walk_seen = from.pixel(walk.image, walk.p * stride, walk.q * stride);
  const int next_row = from.pixel(0, stride, -out_width * stride);
  const int next_image = from.pixel(1, -out_height * stride, 0);
  int p[A_COUNT], q[A_COUNT], seen[A_COUNT];
  for (int r = 0; r < A_COUNT; ++r) {
    const Place at(first_pixel + lane_a + r * A_STEP, out_height, out_width);
    p[r] = at.p * stride + down;
    q[r] = at.q * stride + across;
    seen[r] = from.pixel(at.image, p[r], q[r]) + m % c_in;
  }

  constexpr int B_STEP = THREADS / B::CHUNKS;
  static_assert(B_STEP % 8 == 0, "all rows of a thread turn alike");
  const int chunk_b = threadIdx.x % B::CHUNKS, lane_b = threadIdx.x / B::CHUNKS;
  const int channel_b = first_channel + chunk_b * CHUNK;
  const int pixels_a = m < n_rows ? end : 0;  // up to which there is something to copy
  const int pixels_b = channel_b < c_out ? end : 0;
  const bf16 *source = grad_y + (first_pixel + lane_b) * c_out + channel_b;

  constexpr int TURNS = A_STEP % 8 ? 8 / A_STEP : 1;  // until a row turns as the first
  int to_a[TURNS];
  for (int r = 0; r < TURNS; ++r)
    to_a[r] = kept(A::offset(lane_a + r * A_STEP, chunk_a));
  const int to_b = kept(B::offset(lane_b, chunk_b));
  int first_k = first_pixel;
  auto copy = [&](unsigned char *tile_a, unsigned char *tile_b) {
#pragma unroll
    for (int r = 0; r < A_COUNT; ++r) {
      const bool inside =
          first_k + lane_a + r * A_STEP < pixels_a && from.has(p[r], q[r]);
      copy_async(tile_a + to_a[r % TURNS] + A::offset(r / TURNS * TURNS * A_STEP, 0),
                 x + seen[r], inside);
      p[r] += walk.p * stride;
      q[r] += walk.q * stride;
      seen[r] += walk_seen;
      if (q[r] >= end_q) {
        q[r] -= out_width * stride;
        p[r] += stride;
        seen[r] += next_row;
      }
      if (p[r] >= end_p) {
        p[r] -= out_height * stride;
        seen[r] += next_image;
      }
    }
#pragma unroll
    for (int row = 0; row < TILE_K; row += B_STEP)
      copy_async(tile_b + to_b + B::offset(row, 0), source + row * c_out,
                 first_k + lane_b + row < pixels_b);
    source += TILE_K * c_out;
    first_k += TILE_K;
  };

  Sums<TILE_N> sums;
  multiply<A, B>(sums, max(0, (end - first_pixel + TILE_K - 1) / TILE_K), copy);

  float *part = parts + blockIdx.z * n_rows * c_out;
  sums.for_each_pair(
      [&](int row) {
        const int r = first_row + row;
        return r < n_rows ? r * c_out + first_channel : -1;
      },
      [&](int start, int column, float2 pair) {
        if (first_channel + column < c_out) store_pair(part + start + column, pair);
      });
}
