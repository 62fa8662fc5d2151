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
// some rows, always the same chunk. First all taps pass over a slab of TILE_K channels,
// then comes the next slab: so the nine taps of the same pixels follow one another, and
// eight of them find what they want in the cache of the multiprocessor. Which taps of a
// row lie inside the image is a bit for each, found before the loop; in it, a copy is an
// addition and a look at a bit.
template <int TILE_M>
struct Gather {
  static constexpr int CHUNKS = AlongK<TILE_M>::CHUNKS;
  static constexpr int ROW_STEP = THREADS / CHUNKS;
  static constexpr int ROWS = TILE_M / ROW_STEP;
  static_assert(ROW_STEP % 8 == 0, "all rows of a thread turn alike");

  Images from;
  Taps down, across;
  int first[ROWS];        // where in `from` this chunk begins, of the first tap's pixel
  unsigned inside[ROWS];  // bit t: tap t sees a pixel of the image
  int i, j, slab;         // what comes next: row and column of the tap, first channel
  int to;                 // where the first copy goes in the tile

  __device__ __forceinline__ Gather(const Images &from, Taps down, Taps across)
      : from(from), down(down), across(across), i(0), j(0), slab(0),
        to(kept(AlongK<TILE_M>::offset(row(0), threadIdx.x % CHUNKS))) {}

  // Row r of this thread, counted from the first of the tile.
  static __device__ __forceinline__ int row(int r) {
    return threadIdx.x / CHUNKS + r * ROW_STEP;
  }

  // The first channel of this thread's chunk.
  __device__ __forceinline__ int channel() const {
    return slab + threadIdx.x % CHUNKS * CHUNK;
  }

  // Which tap of W comes next, counted row by row.
  __device__ __forceinline__ int tap() const {
    return (down.first + i * down.step) * SIDE + across.first + j * across.step;
  }

  __device__ __forceinline__ int n_steps() const {
    return down.count * across.count * ((from.channels + TILE_K - 1) / TILE_K);
  }

  // Row r begins at pixel (p, q) of an image, or nowhere.
  __device__ __forceinline__ void place(int r, bool exists, int image, int p, int q) {
    first[r] = from.pixel(image, p, q) + channel();
    inside[r] = 0;
    for (int t = 0; exists && t < down.count * across.count; ++t) {
      const int pt = p + t / across.count * down.direction;
      const int qt = q + t % across.count * across.direction;
      inside[r] |= static_cast<unsigned>(from.has(pt, qt)) << t;
    }
  }

  __device__ __forceinline__ void copy(unsigned char *tile) const {
    const int moved = from.pixel(0, i * down.direction, j * across.direction) + slab;
    const unsigned bit = channel() < from.channels ? 1u << i * across.count + j : 0;
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
      copy_async(tile + to + AlongK<TILE_M>::offset(r * ROW_STEP, 0),
                 from.data + (first[r] + moved), inside[r] & bit);
  }

  // Go on to the next tap, or to the first one of the next slab.
  __device__ __forceinline__ void move() {
    if (++j < across.count) return;
    j = 0;
    if (++i < down.count) return;
    i = 0;
    slab += TILE_K;
  }
};

// What happens to two neighbours of the output before they are stored: fused, because
// they are in registers already, and memory would have to be crossed once more.
struct Epilogue {
  const bf16 *added;  // the skip of a block, or the gradient along it; or null
  const bf16 *mask;   // a ReLU's output: no gradient passes where it is zero; or null
  int relu;

  __device__ __forceinline__ float2 operator()(float2 pair, int index) const {
    if (mask) {
      const float2 active = load_pair(mask + index);
      if (!(active.x > 0)) pair.x = 0;
      if (!(active.y > 0)) pair.y = 0;
    }
    if (added) {
      const float2 more = load_pair(added + index);
      pair.x += more.x;
      pair.y += more.y;
    }
    return relu ? make_float2(fmaxf(pair.x, 0), fmaxf(pair.y, 0)) : pair;
  }
};
