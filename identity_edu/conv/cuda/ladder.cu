// Two earlier steps on the way to conv3x3_forward, for chapter 12: stride 1, no
// epilogue. Between them stands plain_forward, after them conv3x3_forward.

#include "images.cuh"

// Step 1: a thread for each number of y. Every product fetches both of its factors.
__global__ void naive_forward(const bf16 *x, const bf16 *W, bf16 *y, int n, int height,
                              int width, int c_in, int c_out) {
  const int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= n * height * width * c_out) return;
  const int c = index % c_out;
  const Place at(index / c_out, height, width);
  const Images from = {x, n, height, width, c_in};
  float sum = 0;
  for (int tap = 0; tap < SIDE * SIDE; ++tap) {
    const int p = at.p + tap / SIDE - CENTRE, q = at.q + tap % SIDE - CENTRE;
    if (!from.has(p, q)) continue;
    const int pixel = from.pixel(at.image, p, q);
    for (int i = 0; i < c_in; ++i)
      sum += to_float(x[pixel + i]) * to_float(W[(tap * c_in + i) * c_out + c]);
  }
  y[index] = rounded<bf16>(sum);
}

// Step 3: tensor cores, fed by hand. One pair of tiles; everybody waits for the copies,
// multiplies, and waits again. Rows lie one behind the other, without turns.
template <int TILE_N>
__global__ void __launch_bounds__(THREADS)
    tensor_forward(const bf16 *x, const bf16 *W, bf16 *y, int n, int height, int width,
                   int c_in, int c_out) {
  constexpr int TILE_M = ROWS_BESIDE<TILE_N>;
  constexpr int CHUNKS_N = TILE_N / CHUNK, CHUNKS_K = TILE_K / CHUNK;
  uint4 *tile_a = reinterpret_cast<uint4 *>(shared_memory());
  uint4 *tile_b = tile_a + TILE_M * CHUNKS_K;
  const int first_pixel = blockIdx.x * TILE_M, first_channel = blockIdx.y * TILE_N;
  const int n_pixels = n * height * width, depth = SIDE * SIDE * c_in;
  const Images from = {x, n, height, width, c_in};
  const uint4 zeros = {0, 0, 0, 0};
  const int lane = threadIdx.x % WARP;

  Sums<TILE_N> sums;
  for (int first_k = 0; first_k < depth; first_k += TILE_K) {
    for (int at = threadIdx.x; at < TILE_M * CHUNKS_K; at += THREADS) {
      const int pixel = first_pixel + at / CHUNKS_K;
      const int k = first_k + at % CHUNKS_K * CHUNK, tap = k / c_in;
      const Place place(pixel, height, width);
      const int p = place.p + tap / SIDE - CENTRE, q = place.q + tap % SIDE - CENTRE;
      const bool inside = pixel < n_pixels && k < depth && from.has(p, q);
      tile_a[at] = inside ? *reinterpret_cast<const uint4 *>(
                                x + from.pixel(place.image, p, q) + k % c_in)
                          : zeros;
    }
    for (int at = threadIdx.x; at < TILE_K * CHUNKS_N; at += THREADS) {
      const int k = first_k + at / CHUNKS_N;
      const int c = first_channel + at % CHUNKS_N * CHUNK;
      const bool inside = k < depth && c < c_out;
      tile_b[at] =
          inside ? *reinterpret_cast<const uint4 *>(W + k * c_out + c) : zeros;
    }
    __syncthreads();
    for (int k = 0; k < TILE_K; k += MMA_K) {
      unsigned a[PARTS_M][4];
      for (int i = 0; i < PARTS_M; ++i) {
        const int row = sums.first_row() + i * MMA_M + lane % 16;
        load_matrices(a[i], tile_a + row * CHUNKS_K + k / CHUNK + lane / 16);
      }
      for (int j = 0; j < PAIRS_N; ++j) {
        const int column = sums.first_column() + j * 2 * MMA_N;
        unsigned b[4];
        load_matrices_transposed(b, tile_b + (k + lane % 16) * CHUNKS_N +
                                        column / CHUNK + lane / 16);
        const unsigned left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
        for (int i = 0; i < PARTS_M; ++i) {
          multiply_add(sums.part[i][2 * j], a[i], left);
          multiply_add(sums.part[i][2 * j + 1], a[i], right);
        }
      }
    }
    __syncthreads();
  }
  sums.for_each_pair(
      [&](int row) {
        const int pixel = first_pixel + row;
        return pixel < n_pixels ? pixel * c_out + first_channel : -1;
      },
      [&](int start, int column, float2 pair) {
        if (first_channel + column < c_out) store_pair(y + start + column, pair);
      });
}
