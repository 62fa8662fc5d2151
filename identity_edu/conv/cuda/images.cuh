// Convolutions read as matrix products: which pixel does a row of A stand for?

#include "tiles.cuh"

constexpr int SIDE = 3, CENTRE = 1;  // of a kernel of 3 x 3 taps

// A batch of images, NHWC.
struct Images {
  const bf16 *data;
  int n, height, width, channels;

  __device__ __forceinline__ bool has(int p, int q) const {
    // A negative number is a large one without its sign: two comparisons, not four.
    return static_cast<unsigned>(p) < static_cast<unsigned>(height) &&
           static_cast<unsigned>(q) < static_cast<unsigned>(width);
  }
  __device__ __forceinline__ int pixel(int image, int p, int q) const {
    return ((image * height + p) * width + q) * channels;
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
// some rows, always the same chunk. Along k the channels of a tap follow one another,
// then comes the next tap. Which taps of a row lie inside the image is a bit for each,
// found before the loop; in it, a copy is an addition and a look at a bit.
template <int TILE_M>
struct Gather {
  static constexpr int CHUNKS = AlongK<TILE_M>::CHUNKS;
  static constexpr int ROW_STEP = THREADS / CHUNKS;
  static constexpr int ROWS = TILE_M / ROW_STEP;
  static_assert(ROW_STEP % 8 == 0, "all rows of a thread turn alike");

  Images from;
  Taps down, across;
  int first[ROWS];       // where in `from` the first tap's pixel begins
  unsigned inside[ROWS];  // bit t: tap t sees a pixel of the image
  int tap, i, j;          // of this thread's chunk: number, row, column
  int channel, moved;     // of this thread's chunk: in its pixel, and from `first`
  int to;                 // where its first copy goes in the tile

  __device__ __forceinline__ Gather(const Images &from, Taps down, Taps across)
      : from(from), down(down), across(across), tap(0), i(0), j(0), channel(0),
        moved(0),
        to(kept(AlongK<TILE_M>::offset(row(0), threadIdx.x % CHUNKS))) {
    move(threadIdx.x % CHUNKS * CHUNK);
  }

  // Row r of this thread, counted from the first of the tile.
  static __device__ __forceinline__ int row(int r) {
    return threadIdx.x / CHUNKS + r * ROW_STEP;
  }

  // Row r begins at pixel (p, q) of an image, or nowhere.
  __device__ __forceinline__ void place(int r, bool exists, int image, int p, int q) {
    first[r] = from.pixel(image, p, q);
    inside[r] = 0;
    for (int t = 0; exists && t < down.count * across.count; ++t) {
      const int pt = p + t / across.count * down.direction;
      const int qt = q + t % across.count * across.direction;
      inside[r] |= static_cast<unsigned>(from.has(pt, qt)) << t;
    }
  }

  // Move on by a number of channels, over as many taps as they take. Beyond the last
  // tap no bit is set.
  __device__ __forceinline__ void move(int n_channels) {
    channel += n_channels;
    moved += n_channels;
    while (channel >= from.channels) {
      channel -= from.channels;
      moved += (across.direction - 1) * from.channels;
      ++tap;
      if (++j == across.count) {
        j = 0;
        ++i;
        moved += (down.direction * from.width - across.direction * across.count) *
                 from.channels;
      }
    }
  }

  __device__ __forceinline__ bool is_within_taps() const {
    return tap < down.count * across.count;
  }

  // Which tap of W, counted row by row.
  __device__ __forceinline__ int tap_of_kernel() const {
    return (down.first + i * down.step) * SIDE + across.first + j * across.step;
  }

  __device__ __forceinline__ void copy(unsigned char *tile) const {
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
      copy_async(tile + to + AlongK<TILE_M>::offset(r * ROW_STEP, 0),
                 from.data + (first[r] + moved), inside[r] >> tap & 1);
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
