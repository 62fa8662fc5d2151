// A matrix product C += A B by one block of threads, from tiles in shared memory.
//
//                       TILE_N                  each of the 8 warps has 32 rows and
//                    +----------+               half of the columns of the tile:
//             TILE_K | B        |
//                    +----------+                    | half | half |
//           TILE_K                               32  |  w0  |  w4  |
//          +------+  +----------+                32  |  w1  |  w5  |
//   TILE_M | A    |  | C        |                32  |  w2  |  w6  |
//          +------+  +----------+                32  |  w3  |  w7  |
//
// C stays in registers. A and B pass by in steps of TILE_K, and while the tensor cores
// multiply one pair of tiles, the copies of the next STAGES - 1 are under way.

#include "primitives.cuh"

constexpr int TILE_M = 128, TILE_K = 32;
constexpr int STAGES = 4;
constexpr int THREADS = 256, WARP = 32;
constexpr int WARPS_M = 4, WARPS_N = 2;
constexpr int CHUNK = 8, CHUNK_BYTES = 16;     // one copy: 8 numbers of bf16
constexpr int MMA_M = 16, MMA_N = 8, MMA_K = 16;  // one multiply_add
constexpr int WARP_M = TILE_M / WARPS_M;
constexpr int PARTS_M = WARP_M / MMA_M;  // of a warp's rows

static_assert(WARPS_M * WARPS_N * WARP == THREADS, "a warp for each part of the tile");

// Rows of bf16 in shared memory. Shared memory answers 128 bytes at a time, one number
// of 4 bytes from each of 32 banks, and load_matrices reads 16 bytes of eight rows at
// once: unless these lie in different banks, it waits. So row r keeps its chunk c at
// the place c XOR (a number that differs between rows of one bank).
template <int ROWS_, int COLUMNS>
struct Tile {
  static constexpr int ROWS = ROWS_, CHUNKS = COLUMNS / CHUNK;
  static constexpr int BYTES = ROWS * CHUNKS * CHUNK_BYTES;
  static_assert(CHUNKS == 4 || CHUNKS % 8 == 0, "the turns below are for these widths");

  static __device__ __forceinline__ int offset(int row, int chunk) {
    const int turn = CHUNKS == 4 ? row / 2 % 4 : row % 8;
    return (row * CHUNKS + (chunk ^ turn)) * CHUNK_BYTES;
  }
};

// An operand whose memory runs along k: row i of the tile is row i of A or column i of
// B. `as_a` loads 16 rows by 16 k for multiply_add, `as_b` 16 k by two times 8 columns.
template <int SIZE>
struct AlongK : Tile<SIZE, TILE_K> {
  using Tile<SIZE, TILE_K>::offset;

  static __device__ __forceinline__ void as_a(unsigned (&a)[4],
                                              const unsigned char *tile, int m, int k) {
    const int lane = threadIdx.x % WARP;
    load_matrices(a, tile + offset(m + lane % 16, k / CHUNK + lane / 16));
  }
  static __device__ __forceinline__ void as_b(unsigned (&b)[4],
                                              const unsigned char *tile, int n, int k) {
    const int lane = threadIdx.x % WARP;
    load_matrices(b, tile + offset(n + lane / 16 * 8 + lane % 8,
                                   k / CHUNK + lane / 8 % 2));
  }
};

// An operand whose memory runs across k: row k of the tile is column k of A or row k
// of B. multiply_add wants neighbours in k side by side: the loads transpose.
template <int SIZE>
struct AcrossK : Tile<TILE_K, SIZE> {
  using Tile<TILE_K, SIZE>::offset;

  static __device__ __forceinline__ void as_a(unsigned (&a)[4],
                                              const unsigned char *tile, int m, int k) {
    const int lane = threadIdx.x % WARP;
    load_matrices_transposed(a, tile + offset(k + lane / 16 * 8 + lane % 8,
                                              m / CHUNK + lane / 8 % 2));
  }
  static __device__ __forceinline__ void as_b(unsigned (&b)[4],
                                              const unsigned char *tile, int n, int k) {
    const int lane = threadIdx.x % WARP;
    load_matrices_transposed(b,
                             tile + offset(k + lane % 16, n / CHUNK + lane / 16));
  }
};

// What one thread holds of C, and where it lies in the tile.
template <int TILE_N>
struct Sums {
  static constexpr int WARP_N = TILE_N / WARPS_N;
  static constexpr int PARTS_N = WARP_N / MMA_N;
  static_assert(PARTS_N % 2 == 0, "operands of B are loaded two at a time");
  float part[PARTS_M][PARTS_N][4];

  __device__ __forceinline__ Sums() : part{} {}

  static __device__ __forceinline__ int first_row() {
    return threadIdx.x / WARP % WARPS_M * WARP_M;
  }
  static __device__ __forceinline__ int first_column() {
    return threadIdx.x / WARP / WARPS_M * WARP_N;
  }

  // Call write(row, column, this number, its right neighbour) for all of them.
  template <class Write>
  __device__ __forceinline__ void for_each_pair(Write write) const {
    const int lane = threadIdx.x % WARP;
#pragma unroll
    for (int i = 0; i < PARTS_M; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int row = first_row() + i * MMA_M + half * 8 + lane / 4;
#pragma unroll
        for (int j = 0; j < PARTS_N; ++j) {
          const float *pair = part[i][j] + 2 * half;
          write(row, first_column() + j * MMA_N + lane % 4 * 2, pair[0], pair[1]);
        }
      }
  }
};

// C += A B for one pair of tiles.
template <class A, class B, int TILE_N>
__device__ __forceinline__ void multiply_tiles(Sums<TILE_N> &c,
                                               const unsigned char *tile_a,
                                               const unsigned char *tile_b) {
#pragma unroll
  for (int k = 0; k < TILE_K; k += MMA_K) {
    unsigned a[PARTS_M][4];
#pragma unroll
    for (int i = 0; i < PARTS_M; ++i)
      A::as_a(a[i], tile_a, c.first_row() + i * MMA_M, k);
#pragma unroll
    for (int j = 0; j < c.PARTS_N; j += 2) {
      unsigned b[4];
      B::as_b(b, tile_b, c.first_column() + j * MMA_N, k);
      const unsigned left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
#pragma unroll
      for (int i = 0; i < PARTS_M; ++i) {
        multiply_add(c.part[i][j], a[i], left);
        multiply_add(c.part[i][j + 1], a[i], right);
      }
    }
  }
}

// C += A B over n_steps pairs of tiles. copy(tile_a, tile_b) starts the copies of the
// next pair, and is called once for each.
template <class A, class B, int TILE_N, class Copy>
__device__ __forceinline__ void multiply(Sums<TILE_N> &c, int n_steps, Copy copy) {
  constexpr int STAGE_BYTES = A::BYTES + B::BYTES;
  unsigned char *shared = shared_memory();
  for (int step = 0; step < STAGES - 1; ++step) {
    unsigned char *stage = shared + step * STAGE_BYTES;
    if (step < n_steps) copy(stage, stage + A::BYTES);
    commit_copies();  // an empty group too, so that the count below is right
  }
  for (int step = 0; step < n_steps; ++step) {
    wait_copies<STAGES - 2>();  // this thread's part of the pair has arrived
    __syncthreads();  // everybody's has, and nobody reads the pair before it any more
    const int next = step + STAGES - 1;
    unsigned char *free_stage = shared + next % STAGES * STAGE_BYTES;
    if (next < n_steps) copy(free_stage, free_stage + A::BYTES);
    commit_copies();
    const unsigned char *stage = shared + step % STAGES * STAGE_BYTES;
    multiply_tiles<A, B>(c, stage, stage + A::BYTES);
  }
}

// Two neighbours at once: 4 bytes of bf16, or 8 of float.
__device__ __forceinline__ void store_pair(bf16 *to, float first, float second) {
  *reinterpret_cast<unsigned *>(to) =
      rounded<bf16>(first) | static_cast<unsigned>(rounded<bf16>(second)) << 16;
}
__device__ __forceinline__ void store_pair(float *to, float first, float second) {
  *reinterpret_cast<float2 *>(to) = make_float2(first, second);
}
