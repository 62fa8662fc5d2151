// grad_x, from grad_y and W: a convolution backwards, stride 1 or 2.
//
//                                            c_in
//                                        +-----------+
//                                        | W         |   taps c_out: each tap's matrix
//                                        | transposed|   lies with c_out running, so
//                                        | tap by tap|   along k: nothing is copied
//                  taps c_out            +-----------+
//            +---------------------+     +-----------+
//   pixels   | gathered from grad_y|     | grad_x    |
//            +---------------------+     +-----------+
//
// Tap a takes input row p to output row (p + 1 - a) / stride, where that is whole. With
// stride 1 all three do. With stride 2 an even p = 2u has the middle tap alone, which
// goes to row u; an odd p = 2u + 1 has tap 0, to u + 1, and tap 2, to u. So pixels of
// one parity of row and column are one matrix product, of 1, 2, 2 and 4 taps, and
// nothing is multiplied by zero. blockIdx.z counts these classes, 2 (p % 2) + q % 2,
// from the last to the first.

#include "images.cuh"

// The taps that reach the pixels of one parity, along one axis.
__device__ __forceinline__ Taps taps_of(int parity, int stride) {
  const int first = (CENTRE + parity) % stride;
  return {first, stride, (SIDE - first + stride - 1) / stride, -1};
}

template <int TILE_N, class OUT>
__global__ void __launch_bounds__(THREADS, 2) conv3x3_input_gradient(
    const bf16 *grad_y, const bf16 *W, OUT *grad_x, const bf16 *added, const bf16 *mask,
    int n, int height, int width, int c_in, int c_out, int stride) {
  constexpr int TILE_M = ROWS_BESIDE<TILE_N>;
  using A = AlongK<TILE_M>;
  using B = AlongK<TILE_N>;
  const int parity = gridDim.z - 1 - blockIdx.z;  // the longest products start first
  const int parity_p = parity / stride, parity_q = parity % stride;
  // Pixels of this class: a grid of their own.
  const int rows = (height - parity_p + stride - 1) / stride;
  const int columns = (width - parity_q + stride - 1) / stride;
  const int n_pixels = n * rows * columns;
  const int first_pixel = blockIdx.x * TILE_M, first_channel = blockIdx.y * TILE_N;
  if (first_pixel >= n_pixels) return;

  const Taps down = taps_of(parity_p, stride), across = taps_of(parity_q, stride);
  const int out_height = (height + stride - 1) / stride;
  const int out_width = (width + stride - 1) / stride;
  Gather<TILE_M> gather({grad_y, n, out_height, out_width, c_out}, down, across);
  for (int r = 0; r < gather.ROWS; ++r) {
    const int pixel = first_pixel + gather.row(r);
    const Place at(pixel, rows, columns);
    gather.place(r, pixel < n_pixels, at.image,
                 at.p + (CENTRE + parity_p - down.first) / stride,
                 at.q + (CENTRE + parity_q - across.first) / stride);
  }

  // This thread's chunk of B: the same tap and channels of y as its chunk of A.
  static_assert(B::CHUNKS == gather.CHUNKS, "the chunks of a thread have one place");
  const int chunk = threadIdx.x % B::CHUNKS, first_row = threadIdx.x / B::CHUNKS;
  const int to = kept(B::offset(first_row, chunk));
  auto copy = [&](unsigned char *tile_a, unsigned char *tile_b) {
    gather.copy(tile_a);
    const int row_of_w = gather.tap() * c_in + first_channel + first_row;
    const bf16 *source = W + row_of_w * c_out + gather.channel();
    const int rows = gather.channel() < c_out ? c_in - first_channel : 0;
#pragma unroll
    for (int row = 0; row < TILE_N; row += gather.ROW_STEP)
      copy_async(tile_b + to + B::offset(row, 0), source + row * c_out,
                 first_row + row < rows);
    gather.move();
  };

  Sums<TILE_N> sums;
  multiply<A, B>(sums, gather.n_steps(), copy);

  const Epilogue finish = {added, mask, 0};
  sums.for_each_pair(
      [&](int row) {
        const int pixel = first_pixel + row;
        if (pixel >= n_pixels) return -1;
        const Place at(pixel, rows, columns);
        const int p = at.p * stride + parity_p, q = at.q * stride + parity_q;
        return ((at.image * height + p) * width + q) * c_in + first_channel;
      },
      [&](int start, int column, float2 pair) {
        const int index = start + column;
        if (first_channel + column < c_in)
          store_pair(grad_x + index, finish(pair, index));
      });
}
