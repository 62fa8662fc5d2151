// Convolutions read as matrix products: which pixel does a row of A stand for?

#include "tiles.cuh"

constexpr int SIDE = 3, CENTRE = 1;  // of a kernel of 3 x 3 taps

// A batch of images, NHWC.
struct Images {
  const bf16 *data;
  int n, height, width, channels;

  __device__ __forceinline__ bool has(int p, int q) const {
    return 0 <= p && p < height && 0 <= q && q < width;
  }
  __device__ __forceinline__ const bf16 *pixel(int image, int p, int q) const {
    return data + ((image * height + p) * width + q) * channels;
  }
};

// A pixel by image, row and column, from its number in a grid of height x width.
struct Place {
  int image, p, q;

  __device__ __forceinline__ Place(int number, int height, int width) {
    q = number % width;
    p = number / width % height;
    image = number / width / height;
  }
};

// The taps that a kernel goes through, along one axis: tap `first + i * step` of W sees
// the pixel `origin + i * direction`, for i < count.
struct Taps {
  int first, step, count, direction;
};

// What one thread copies of A, TILE_M pixels by TILE_K numbers of (tap, channel): of
// two rows, always the same chunk. Along k the channels of a tap follow one another,
// then comes the next tap.
struct Gather {
  static constexpr int CHUNKS = AlongK<TILE_M>::CHUNKS;
  static constexpr int ROW_STEP = THREADS / CHUNKS;
  static constexpr int ROWS = TILE_M / ROW_STEP;

  Images from;
  Taps down, across;
  int image[ROWS], p[ROWS], q[ROWS];  // the pixel that the first tap sees
  bool exists[ROWS];
  int i, j, channel;  // where this thread's chunk is: tap, and first channel

  __device__ __forceinline__ Gather(const Images &from, Taps down, Taps across)
      : from(from), down(down), across(across), i(0), j(0), channel(0) {
    settle(threadIdx.x % CHUNKS * CHUNK);
  }

  // Row r of this thread, counted from the first of the tile.
  static __device__ __forceinline__ int row(int r) {
    return threadIdx.x / CHUNKS + r * ROW_STEP;
  }

  // Move on by a number of channels, over as many taps as they take.
  __device__ __forceinline__ void settle(int n_channels) {
    channel += n_channels;
    while (channel >= from.channels) {
      channel -= from.channels;
      if (++j == across.count) {
        j = 0;
        ++i;
      }
    }
  }

  __device__ __forceinline__ bool is_within_taps() const { return i < down.count; }

  // Which tap of W, counted row by row.
  __device__ __forceinline__ int tap() const {
    return (down.first + i * down.step) * SIDE + across.first + j * across.step;
  }

  __device__ __forceinline__ void copy(unsigned char *tile) const {
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const int pr = p[r] + i * down.direction, qr = q[r] + j * across.direction;
      const bool inside = exists[r] && is_within_taps() && from.has(pr, qr);
      const bf16 *source =
          inside ? from.pixel(image[r], pr, qr) + channel : from.data;
      const int chunk = threadIdx.x % CHUNKS;
      copy_async(tile + AlongK<TILE_M>::offset(row(r), chunk), source, inside);
    }
  }
};

// What happens to a number of the output before it is stored: fused, because the
// number is in a register already, and memory would have to be crossed once more.
struct Epilogue {
  const bf16 *added;  // the skip of a block, or the gradient along it; or null
  const bf16 *mask;   // a ReLU's output: no gradient passes where it is zero; or null
  int relu;

  __device__ __forceinline__ float operator()(float value, int index) const {
    if (mask && !(to_float(mask[index]) > 0)) value = 0;
    if (added) value += to_float(added[index]);
    return relu ? fmaxf(value, 0) : value;
  }
};
