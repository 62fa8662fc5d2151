// y = x * W: a 3 x 3 convolution, stride 1 or 2, as one matrix product whose left
// factor is never written down.
//
//                                            c_out
//                                        +-----------+
//                                        | W         |   9 c_in: 32 channels of tap
//                                        | its rows  |   (0, 0), the same of (0, 1),
//                                        | as they   |   ..., then the next 32
//                   9 c_in               | lie       |
//            +---------------------+     +-----------+
//   n h w    | what the taps see:  |     | y         |
//   pixels   | gathered from x     |     | as it     |
//            | tile by tile        |     | lies      |
//            +---------------------+     +-----------+
//
// Block (i, j) makes TILE_M pixels i TILE_M ... of TILE_N channels j TILE_N ... Taps
// outside the image are zeros that the copies write. c_in and c_out are multiples of 8.

#include "images.cuh"

template <int TILE_N, class OUT>
__global__ void __launch_bounds__(THREADS, 2)
    conv3x3_forward(const bf16 *x, const bf16 *W, OUT *y, const bf16 *added, int relu,
                    int n, int height, int width, int c_in, int c_out, int stride) {
  constexpr int TILE_M = ROWS_BESIDE<TILE_N>;
  using A = AlongK<TILE_M>;
  using B = AcrossK<TILE_N>;
  const int out_height = (height + stride - 1) / stride;
  const int out_width = (width + stride - 1) / stride;
  const int n_pixels = n * out_height * out_width;
  const int first_pixel = blockIdx.x * TILE_M, first_channel = blockIdx.y * TILE_N;

  const Taps all = {0, 1, SIDE, 1};
  Gather<TILE_M> gather({x, n, height, width, c_in}, all, all);
  for (int r = 0; r < gather.ROWS; ++r) {
    const int pixel = first_pixel + gather.row(r);
    const Place at(pixel, out_height, out_width);
    gather.place(r, pixel < n_pixels, at.image, at.p * stride - CENTRE,
                 at.q * stride - CENTRE);
  }

  // This thread's chunk of B: of every ROW_STEP-th row, always the same channels.
  constexpr int ROW_STEP = THREADS / B::CHUNKS;
  static_assert(ROW_STEP % 8 == 0, "all rows of a thread turn alike");
  const int chunk = threadIdx.x % B::CHUNKS, first_row = threadIdx.x / B::CHUNKS;
  const int channel = first_channel + chunk * CHUNK;
  const int to = kept(B::offset(first_row, chunk));
  auto copy = [&](unsigned char *tile_a, unsigned char *tile_b) {
    gather.copy(tile_a);
    const int row_of_w = gather.tap() * c_in + gather.slab + first_row;
    const bf16 *source = W + row_of_w * c_out + channel;
    const int rows = channel < c_out ? c_in - gather.slab : 0;  // of this tap and slab
#pragma unroll
    for (int row = 0; row < TILE_K; row += ROW_STEP)
      copy_async(tile_b + to + B::offset(row, 0), source + row * c_out,
                 first_row + row < rows);
    gather.move();
  };

  Sums<TILE_N> sums;
  multiply<A, B>(sums, gather.n_steps(), copy);

  const Epilogue finish = {added, nullptr, relu};
  sums.for_each_pair(
      [&](int row) {
        const int pixel = first_pixel + row;
        return pixel < n_pixels ? pixel * c_out + first_channel : -1;
      },
      [&](int start, int column, float2 pair) {
        const int index = start + column;
        if (first_channel + column < c_out) store_pair(y + index, finish(pair, index));
      });
}
