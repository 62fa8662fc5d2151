// Small kernels that keep the rules of CUDA, and some that break one each.

#include "primitives.cuh"

enum Fault { NO_FAULT, NO_BARRIER, NO_COMMIT, NO_WAIT, NO_SECOND_BARRIER };

__global__ void round_to_bf16(const float *x, bf16 *y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = rounded<bf16>(x[i]);
}

// One warp: four matrices of 8 x 8, whose rows lie `stride` times 16 bytes apart.
template <int FAULT>
__global__ void load(const uint4 *rows, unsigned *r, int is_transposed, int stride) {
  uint4 *shared = reinterpret_cast<uint4 *>(shared_memory());
  const int lane = threadIdx.x, other = 31 - lane;
  shared[other * stride] = rows[other];
  if (FAULT != NO_BARRIER) __syncthreads();
  unsigned numbers[4];
  if (is_transposed)
    load_matrices_transposed(numbers, shared + lane * stride);
  else
    load_matrices(numbers, shared + lane * stride);
  for (int i = 0; i < 4; ++i) r[lane * 4 + i] = numbers[i];
}

// Each warp: c += a b, four, two and four numbers of each lane.
__global__ void multiply(const unsigned *a, const unsigned *b, float *c) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned of_a[4], of_b[2];
  float of_c[4];
  for (int j = 0; j < 4; ++j) of_a[j] = a[i * 4 + j];
  for (int j = 0; j < 2; ++j) of_b[j] = b[i * 2 + j];
  for (int j = 0; j < 4; ++j) of_c[j] = c[i * 4 + j];
  multiply_add(of_c, of_a, of_b);
  for (int j = 0; j < 4; ++j) c[i * 4 + j] = of_c[j];
}

__global__ void add_lanes(const float *x, float *sums) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  sums[i] = warp_sum(x[i]);
}

// Reverse the order within each block, by way of shared memory.
template <int FAULT>
__global__ void reverse(const float *x, float *y) {
  float *shared = reinterpret_cast<float *>(shared_memory());
  const int first = blockIdx.x * blockDim.x;
  shared[threadIdx.x] = x[first + threadIdx.x];
  if (FAULT != NO_BARRIER) __syncthreads();
  y[first + threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

// The same, 16 bytes at a time, with the next block's numbers copied meanwhile.
template <int FAULT>
__global__ void reverse_all(const uint4 *x, uint4 *y, int n_blocks) {
  uint4 *shared = reinterpret_cast<uint4 *>(shared_memory());
  const int thread = threadIdx.x, size = blockDim.x;
  copy_async(shared + thread, x + thread, true);
  commit_copies();
  for (int i = 0; i < n_blocks; ++i) {
    const int here = i % 2 * size, there = size - here;
    const bool inside = i + 1 < n_blocks;
    copy_async(shared + there + thread, inside ? x + (i + 1) * size + thread : x,
               inside);
    if (FAULT != NO_COMMIT) commit_copies();
    if (FAULT != NO_WAIT) wait_copies<1>();
    if (FAULT != NO_BARRIER) __syncthreads();
    y[i * size + thread] = shared[here + size - 1 - thread];
    if (FAULT != NO_SECOND_BARRIER) __syncthreads();
  }
}

// One copy per thread, from and to places that the launch names.
__global__ void copy(const unsigned char *x, unsigned char *y, int from, int to,
                     int step, int inside) {
  unsigned char *shared = shared_memory();
  copy_async(shared + to + step * threadIdx.x, x + from + 16 * threadIdx.x, inside);
  commit_copies();
  wait_copies<0>();
  for (int i = 0; i < 16; ++i)
    y[16 * threadIdx.x + i] = shared[to + step * threadIdx.x + i];
}

__global__ void repeat(const float *x, float *y) { y[threadIdx.x] = x[threadIdx.x]; }
__global__ void write(float *y, int index) { y[index] = 1; }
__global__ void write_shared(float *y, int index) {
  float *shared = reinterpret_cast<float *>(shared_memory());
  shared[index] = 1;
  y[0] = shared[index];
}
__global__ void read_wide(const float *x, uint4 *y, int index) {
  y[0] = *reinterpret_cast<const uint4 *>(x + index);
}
__global__ void index_a_local_array(float *y, int index) {
  float four[4] = {1, 2, 3, 4};
  y[0] = four[index];
}
__global__ void divide(int *y, int by) { y[0] /= by; }
__global__ void forget_a_zero(float *y, int n) {
  float sum;
  for (int i = 0; i < n; ++i) sum += 1;
  y[0] = sum;
}
__global__ void write_who_comes_last(int *y) {
  y[0] = blockIdx.x * blockDim.x + threadIdx.x;
}

// Who waits where: each thread below `first` in one place, the others in another.
enum Place { BARRIER, SUM, PRODUCT, END };
template <int A, int B>
__global__ void part(float *y, int first) {
  const unsigned a[4] = {}, b[2] = {};
  float c[4] = {};
  const int place = static_cast<int>(threadIdx.x) < first ? A : B;
  if (place == BARRIER) __syncthreads();
  if (place == SUM) y[0] = warp_sum(1);
  if (place == PRODUCT) multiply_add(c, a, b);
}
