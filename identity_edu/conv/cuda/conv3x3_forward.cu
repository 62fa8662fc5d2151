// y = x * W: a 3 x 3 convolution, stride 1 or 2, as one matrix product whose left
// factor is never written down.
//
//                                            c_out
//                                        +-----------+
//                                        | W         |   9 c_in: tap (0, 0) with all
//                                        | as it     |   its channels, then (0, 1), ...
//                                        | lies      |
//                   9 c_in               +-----------+
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
  const int depth = SIDE * SIDE * c_in;

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
  const int rows = channel < c_out ? depth : 0;  // of W that this thread needs
  const int to = kept(B::offset(first_row, chunk));
  int k = first_row;
  const bf16 *source = W + k * c_out + channel;
  auto copy = [&](unsigned char *tile_a, unsigned char *tile_b) {
    gather.copy(tile_a);
    gather.move(TILE_K);
#pragma unroll
    for (int row = 0; row < TILE_K; row += ROW_STEP)
      copy_async(tile_b + to + B::offset(row, 0), source + row * c_out,
                 k + row < rows);
    k += TILE_K;
    source += TILE_K * c_out;
  };

  Sums<TILE_N> sums;
  multiply<A, B>(sums, (depth + TILE_K - 1) / TILE_K, copy);

  const Epilogue finish = {added, nullptr, relu};
  sums.for_each_pair([&](int row, int column, float left, float right) {
    const int pixel = first_pixel + row, c = first_channel + column;
    if (pixel >= n_pixels || c >= c_out) return;
    const int index = pixel * c_out + c;
    store_pair(y + index, finish(left, index), finish(right, index + 1));
  });
}
