// A matrix product C += A B by one block of 128 threads, from tiles in shared memory.
//
//                       TILE_N               each of the 4 warps has 64 rows and 64
//                    +----------+            columns of C:
//             TILE_K | B        |
//                    +----------+              TILE_N = 128    TILE_N = 64
//           TILE_K                             +----+----+     +----+
//          +------+  +----------+              | w0 | w2 |     | w0 |
//   TILE_M | A    |  | C        |              +----+----+     +----+
//          +------+  +----------+              | w1 | w3 |     | w1 |
//                                              +----+----+     +----+
//                                              TILE_M = 128    | w2 |
// A warp reads 64 rows of A and 64 columns of                  +----+
// B for 64 x 64 products: any other shape of                   | w3 |
// as many numbers would read more.                             +----+
//                                                              TILE_M = 256
//
// C stays in registers. A and B pass by in steps of TILE_K, and while the tensor cores
// multiply one pair of tiles, the copies of the next STAGES - 1 are under way.

#include "primitives.cuh"

constexpr int TILE_K = 32, STAGES = 4;
constexpr int THREADS = 128, WARP = 32, WARPS = THREADS / WARP;
constexpr int WARP_TILE = 64;                     // rows and columns of a warp
constexpr int CHUNK = 8, CHUNK_BYTES = 16;        // one copy: 8 numbers of bf16
constexpr int MMA_M = 16, MMA_N = 8, MMA_K = 16;  // one multiply_add
constexpr int PARTS_M = WARP_TILE / MMA_M;
constexpr int PAIRS_N = WARP_TILE / (2 * MMA_N);  // operands of B come two at a time
constexpr int MMA_STEPS = TILE_K / MMA_K;

template <int TILE_N>
constexpr int ROWS_BESIDE = WARP_TILE * WARPS / (TILE_N / WARP_TILE);  // TILE_M

// Rows of bf16 in shared memory. Shared memory answers 128 bytes at a time, one number
// of 4 bytes from each of 32 banks, and load_matrices reads 16 bytes of eight rows at
// once: unless these lie in different banks, it waits. So row r keeps its chunk c at
// the place c XOR (a number that differs between rows of one bank).
template <int ROWS_, int COLUMNS>
struct Tile {
  static constexpr int ROWS = ROWS_, CHUNKS = COLUMNS / CHUNK;
  static constexpr int BYTES = ROWS * CHUNKS * CHUNK_BYTES;
  static_assert(CHUNKS == 4 || CHUNKS % 8 == 0, "the turns below are for these widths");

  // Where a chunk begins. Eight rows further, everything is the same again: then
  // offset(row + 8 r, chunk) is offset(row, chunk) + offset(8 r, 0).
  static __device__ __forceinline__ int offset(int row, int chunk) {
    const int turn = CHUNKS == 4 ? row / 2 % 4 : row % 8;
    return (row * CHUNKS + (chunk ^ turn)) * CHUNK_BYTES;
  }
};

// An operand whose memory runs along k: row i of the tile is row i of A or column i of
// B. What a lane loads lies at places that are found once, before the loop.
template <int SIZE>
struct AlongK : Tile<SIZE, TILE_K> {
  using Tile<SIZE, TILE_K>::offset;

  struct AsA {  // 16 rows by 16 k
    int at[MMA_STEPS];
    __device__ __forceinline__ AsA(int first_row) {
      const int lane = threadIdx.x % WARP;
      for (int s = 0; s < MMA_STEPS; ++s)
        at[s] = kept(offset(first_row + lane % 16, s * MMA_K / CHUNK + lane / 16));
    }
    __device__ __forceinline__ void load(unsigned (&a)[4], const unsigned char *tile,
                                         int i, int s) const {
      load_matrices(a, tile + at[s] + offset(i * MMA_M, 0));
    }
  };

  struct AsB {  // 16 k by two times 8 columns
    int at[MMA_STEPS];
    __device__ __forceinline__ AsB(int first_column) {
      const int lane = threadIdx.x % WARP;
      for (int s = 0; s < MMA_STEPS; ++s)
        at[s] = kept(offset(first_column + lane / 16 * 8 + lane % 8,
                            s * MMA_K / CHUNK + lane / 8 % 2));
    }
    __device__ __forceinline__ void load(unsigned (&b)[4], const unsigned char *tile,
                                         int j, int s) const {
      load_matrices(b, tile + at[s] + offset(j * 2 * MMA_N, 0));
    }
  };
};

// An operand whose memory runs across k: row k of the tile is column k of A or row k
// of B. multiply_add wants neighbours in k side by side: the loads transpose.
template <int SIZE>
struct AcrossK : Tile<TILE_K, SIZE> {
  using Tile<TILE_K, SIZE>::offset;

  struct AsA {
    int at[PARTS_M];
    __device__ __forceinline__ AsA(int first_row) {
      const int lane = threadIdx.x % WARP;
      for (int i = 0; i < PARTS_M; ++i)
        at[i] = kept(offset(lane / 16 * 8 + lane % 8,
                            (first_row + i * MMA_M) / CHUNK + lane / 8 % 2));
    }
    __device__ __forceinline__ void load(unsigned (&a)[4], const unsigned char *tile,
                                         int i, int s) const {
      load_matrices_transposed(a, tile + at[i] + offset(s * MMA_K, 0));
    }
  };

  struct AsB {
    int at[PAIRS_N];
    __device__ __forceinline__ AsB(int first_column) {
      const int lane = threadIdx.x % WARP;
      for (int j = 0; j < PAIRS_N; ++j)
        at[j] = kept(
            offset(lane % 16, (first_column + j * 2 * MMA_N) / CHUNK + lane / 16));
    }
    __device__ __forceinline__ void load(unsigned (&b)[4], const unsigned char *tile,
                                         int j, int s) const {
      load_matrices_transposed(b, tile + at[j] + offset(s * MMA_K, 0));
    }
  };
};

// What one thread holds of C, and where it lies in the tile.
template <int TILE_N>
struct Sums {
  static constexpr int WARPS_M = ROWS_BESIDE<TILE_N> / WARP_TILE;
  float part[PARTS_M][2 * PAIRS_N][4];

  __device__ __forceinline__ Sums() : part{} {}

  static __device__ __forceinline__ int first_row() {
    return threadIdx.x / WARP % WARPS_M * WARP_TILE;
  }
  static __device__ __forceinline__ int first_column() {
    return threadIdx.x / WARP / WARPS_M * WARP_TILE;
  }

  // Call write(begin(row), column, two neighbours) for all of them, but not in rows
  // where begin is negative.
  template <class Begin, class Write>
  __device__ __forceinline__ void for_each_pair(Begin begin, Write write) const {
    const int lane = threadIdx.x % WARP;
#pragma unroll
    for (int i = 0; i < PARTS_M; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int start = begin(first_row() + i * MMA_M + half * 8 + lane / 4);
        if (start < 0) continue;
#pragma unroll
        for (int j = 0; j < 2 * PAIRS_N; ++j) {
          const float *pair = part[i][j] + 2 * half;
          write(start, first_column() + j * MMA_N + lane % 4 * 2,
                make_float2(pair[0], pair[1]));
        }
      }
  }
};

// C += A B for one pair of tiles.
template <class AsA, class AsB, int TILE_N>
__device__ __forceinline__ void multiply_tiles(Sums<TILE_N> &c, const AsA &as_a,
                                               const AsB &as_b,
                                               const unsigned char *tile_a,
                                               const unsigned char *tile_b) {
#pragma unroll
  for (int s = 0; s < MMA_STEPS; ++s) {
    unsigned a[PARTS_M][4];
#pragma unroll
    for (int i = 0; i < PARTS_M; ++i) as_a.load(a[i], tile_a, i, s);
#pragma unroll
    for (int j = 0; j < PAIRS_N; ++j) {
      unsigned b[4];
      as_b.load(b, tile_b, j, s);
      const unsigned left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
#pragma unroll
      for (int i = 0; i < PARTS_M; ++i) {
        multiply_add(c.part[i][2 * j], a[i], left);
        multiply_add(c.part[i][2 * j + 1], a[i], right);
      }
    }
  }
}

// C += A B over n_steps pairs of tiles. copy(tile_a, tile_b) starts the copies of the
// next pair, and is called once for each.
template <class A, class B, int TILE_N, class Copy>
__device__ __forceinline__ void multiply(Sums<TILE_N> &c, int n_steps, Copy copy) {
  constexpr int STAGE_BYTES = A::BYTES + B::BYTES;
  const typename A::AsA as_a(c.first_row());
  const typename B::AsB as_b(c.first_column());
  unsigned char *shared = shared_memory();
  for (int step = 0; step < STAGES - 1; ++step) {
    unsigned char *stage = shared + step * STAGE_BYTES;
    if (step < n_steps) copy(stage, stage + A::BYTES);
    commit_copies();  // an empty group too, so that the count below is right
  }
  for (int step = 0; step < n_steps; ++step) {
    wait_copies<STAGES - 2>();  // this thread's part of the pair has arrived
    __syncthreads();  // all have theirs; nobody still reads the pair before
    const int next = step + STAGES - 1;
    unsigned char *free_stage = shared + next % STAGES * STAGE_BYTES;
    if (next < n_steps) copy(free_stage, free_stage + A::BYTES);
    commit_copies();
    const unsigned char *stage = shared + step % STAGES * STAGE_BYTES;
    multiply_tiles(c, as_a, as_b, stage, stage + A::BYTES);
  }
}

// Two neighbours at once: 4 bytes of bf16, or 8 of float.
__device__ __forceinline__ float2 load_pair(const bf16 *from) {
  const unsigned bits = *reinterpret_cast<const unsigned *>(from);
  return make_float2(to_float(static_cast<bf16>(bits)),
                     to_float(static_cast<bf16>(bits >> 16)));
}
__device__ __forceinline__ void store_pair(bf16 *to, float2 pair) {
  *reinterpret_cast<unsigned *>(to) =
      rounded<bf16>(pair.x) | static_cast<unsigned>(rounded<bf16>(pair.y)) << 16;
}
__device__ __forceinline__ void store_pair(float *to, float2 pair) {
  *reinterpret_cast<float2 *>(to) = pair;
}
