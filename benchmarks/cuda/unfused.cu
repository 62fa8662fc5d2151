// The ends of a convolution as kernels of their own, to compare with its epilogue. Each
// thread has 8 numbers, 16 bytes: what they cost is their traffic, and nothing else.

#include "../../identity_edu/conv/cuda/primitives.cuh"

constexpr int CHUNK = 8;

__global__ void relu_alone(bf16 *y, int n_chunks) {
  const int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= n_chunks) return;
  uint4 *place = reinterpret_cast<uint4 *>(y) + index;
  uint4 chunk = *place;
  bf16 *numbers = reinterpret_cast<bf16 *>(&chunk);
  for (int i = 0; i < CHUNK; ++i)
    numbers[i] = rounded<bf16>(fmaxf(to_float(numbers[i]), 0));
  *place = chunk;
}

__global__ void add_alone(bf16 *y, const bf16 *added, int n_chunks) {
  const int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= n_chunks) return;
  uint4 *place = reinterpret_cast<uint4 *>(y) + index;
  uint4 chunk = *place;
  const uint4 other = reinterpret_cast<const uint4 *>(added)[index];
  bf16 *numbers = reinterpret_cast<bf16 *>(&chunk);
  const bf16 *others = reinterpret_cast<const bf16 *>(&other);
  for (int i = 0; i < CHUNK; ++i)
    numbers[i] = rounded<bf16>(to_float(numbers[i]) + to_float(others[i]));
  *place = chunk;
}
