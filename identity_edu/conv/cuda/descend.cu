// The end of the weight gradient, and the step that it is for, in one pass: add up the
// parts, v = momentum v + g + decay p, p = p - rate v, and store p again in bf16, which
// the next forward pass reads. p and v stay in float: a step is often smaller than what
// bf16 can add to p.

#include "primitives.cuh"

constexpr int WARP = 32;

// squares, if any, gets for each block the sum of squares of its part of the gradient.
template <class T>
__global__ void descend(const float *parts, int n_parts, int size, float *p, float *v,
                        T *stored, const float *rates, const int *step, float momentum,
                        float decay, float *squares) {
  const int index = blockIdx.x * blockDim.x + threadIdx.x;
  float g = 0;
  if (index < size) {
    for (int part = 0; part < n_parts; ++part) g += parts[part * size + index];
    const float weight = p[index];
    const float velocity = momentum * v[index] + g + decay * weight;
    const float moved = weight - rates[*step] * velocity;
    v[index] = velocity;
    p[index] = moved;
    if (stored) stored[index] = rounded<T>(moved);
  }
  if (!squares) return;
  float *sums = reinterpret_cast<float *>(shared_memory());
  const float sum = warp_sum(g * g);
  if (threadIdx.x % WARP == 0) sums[threadIdx.x / WARP] = sum;
  __syncthreads();
  if (threadIdx.x) return;
  float total = 0;
  for (int warp = 0; warp < blockDim.x / WARP; ++warp) total += sums[warp];
  squares[blockIdx.x] = total;
}
