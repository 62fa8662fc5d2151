// The smallest product that a tensor core makes: 16 x 16 times 16 x 8, by one warp.

#include "../../identity_edu/conv/cuda/primitives.cuh"

constexpr int WARP = 32, M = 16, N = 8, K = 16, CHUNK = 8;

// c = a b; a (16, 16) and b (16, 16) row by row, of which the first 8 columns are b.
__global__ void one_tile(const bf16 *a, const bf16 *b, float *c) {
  const int lane = threadIdx.x % WARP;
  bf16 *left = reinterpret_cast<bf16 *>(shared_memory());
  bf16 *right = left + M * K;
  for (int i = lane; i < M * K; i += WARP) {
    left[i] = a[i];
    right[i] = b[i];
  }
  __syncthreads();
  const int row = lane % M, chunk = lane / M * CHUNK;
  unsigned parts_a[4], parts_b[4];
  load_matrices(parts_a, left + row * K + chunk);
  load_matrices_transposed(parts_b, right + row * K + chunk);
  const unsigned first[2] = {parts_b[0], parts_b[1]};
  float sums[4] = {0, 0, 0, 0};
  multiply_add(sums, parts_a, first);
  for (int half = 0; half < 2; ++half)
    for (int i = 0; i < 2; ++i)
      c[(lane / 4 + 8 * half) * N + lane % 4 * 2 + i] = sums[2 * half + i];
}
