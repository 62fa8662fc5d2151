// The instructions of a tensor core that C++ has no words for, one function each.
//
// This header is all the PTX there is. The tests put another in its place, which does
// the same on a processor, and so run every kernel without a GPU. Lanes are the 32
// threads of a warp; a function marked "warp" must be called by all of them at once.

typedef unsigned short bf16;  // stored only: sign, 8 bits of exponent, 7 of fraction

__device__ __forceinline__ float to_float(bf16 x) {
  return __uint_as_float(static_cast<unsigned>(x) << 16);
}
__device__ __forceinline__ float to_float(float x) { return x; }

// The nearest number of type T; of two equally near, the even one.
template <class T>
__device__ __forceinline__ T rounded(float x);
template <>
__device__ __forceinline__ float rounded<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ bf16 rounded<bf16>(float x) {
  bf16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result) : "f"(x));
  return result;
}

// The block's shared memory, as large as the launch asked for.
__device__ __forceinline__ unsigned char *shared_memory() {
  extern __shared__ __align__(128) unsigned char memory[];
  return memory;
}

__device__ __forceinline__ unsigned shared_address(const void *shared) {
  return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

// The same number, of which the compiler does not know where it comes from: it keeps it
// in a register instead of computing it again in every round of a loop.
__device__ __forceinline__ int kept(int number) {
  asm volatile("" : "+r"(number));
  return number;
}

// Start to copy 16 bytes without a stay in registers, but through the multiprocessor's
// cache; if outside, write zeros and read nothing, whatever the address.
__device__ __forceinline__ void copy_async(void *shared, const void *global,
                                           bool inside) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(
                   shared_address(shared)),
               "l"(global), "r"(inside ? 16 : 0)
               : "memory");
}

// Close this thread's group of copies, which may be empty.
__device__ __forceinline__ void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

// Wait until at most N of this thread's groups, the latest, are still under way.
template <int N>
__device__ __forceinline__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

// Warp: load four 8 x 8 matrices. Lane i names the 16 bytes that are row i % 8 of
// matrix i / 8, and gets numbers 2 (i % 4) and the next of row i / 4 of each.
__device__ __forceinline__ void load_matrices(unsigned (&r)[4], const void *row) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(shared_address(row))
      : "memory");
}

// Warp: the same, each matrix transposed on the way.
__device__ __forceinline__ void load_matrices_transposed(unsigned (&r)[4],
                                                         const void *row) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(shared_address(row))
      : "memory");
}

// Warp: c += a b, with a 16 x 16, b 16 x 8 and c 16 x 8, spread over the lanes.
// Lane i holds, with g = i / 4 and t = 2 (i % 4):
//   a: (g, t) (g + 8, t) (g, t + 8) (g + 8, t + 8), each with its right neighbour,
//   b: (t, g) (t + 8, g), each with the one below,
//   c: (g, t) (g, t + 1) (g + 8, t) (g + 8, t + 1).
__device__ __forceinline__ void multiply_add(float (&c)[4], const unsigned (&a)[4],
                                             const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Warp: the sum over all lanes, in the same order in each of them.
__device__ __forceinline__ float warp_sum(float value) {
  for (int distance = 16; distance > 0; distance /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}
