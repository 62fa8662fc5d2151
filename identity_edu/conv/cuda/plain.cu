// Convolutions of any kernel size, stride and number of channels, in float arithmetic.
//
// The same three matrix products, without tensor cores: a block of 16 x 16 threads
// makes a tile of 64 x 64, of which each thread keeps 4 x 4 sums in registers. A and B
// come through shared memory in slabs of DEPTH, so each number that is fetched is used
// 64 times. These serve where the tensor cores' kernels do not: odd numbers of
// channels, 1 x 1 kernels, and training in float32.

#include "primitives.cuh"

constexpr int SIDE_THREADS = 16, EACH = 4, TILE = SIDE_THREADS * EACH;
constexpr int DEPTH = 16;
constexpr int ROW = TILE + 1;  // one more than a multiple of 32: columns change banks

// Sums of one thread: rows y + 16 i and columns x + 16 j of the tile.
struct Square {
  float sum[EACH][EACH];
  int x, y;
  __device__ __forceinline__ Square()
      : sum{}, x(threadIdx.x % SIDE_THREADS), y(threadIdx.x / SIDE_THREADS) {}

  template <class Write>
  __device__ __forceinline__ void for_each(Write write) const {
    for (int i = 0; i < EACH; ++i)
      for (int j = 0; j < EACH; ++j)
        write(y + i * SIDE_THREADS, x + j * SIDE_THREADS, sum[i][j]);
  }
};

// C += A B for k in [begin, end); a(row, k) and b(k, column) are numbers of the tile's
// rows and columns, or zero outside.
template <class LoadA, class LoadB>
__device__ __forceinline__ void multiply(Square &c, int begin, int end, LoadA a,
                                         LoadB b) {
  float *slab_a = reinterpret_cast<float *>(shared_memory());
  float *slab_b = slab_a + DEPTH * ROW;
  for (int first = begin; first < end; first += DEPTH) {
    for (int at = threadIdx.x; at < DEPTH * TILE; at += SIDE_THREADS * SIDE_THREADS) {
      const int row = at / DEPTH, k_a = at % DEPTH;  // k runs fastest, as in x
      slab_a[k_a * ROW + row] = first + k_a < end ? a(row, first + k_a) : 0;
      const int k_b = at / TILE, column = at % TILE;
      slab_b[k_b * ROW + column] = first + k_b < end ? b(first + k_b, column) : 0;
    }
    __syncthreads();
    for (int k = 0; k < DEPTH; ++k) {
      float left[EACH], right[EACH];
      for (int i = 0; i < EACH; ++i) {
        left[i] = slab_a[k * ROW + c.y + i * SIDE_THREADS];
        right[i] = slab_b[k * ROW + c.x + i * SIDE_THREADS];
      }
      for (int i = 0; i < EACH; ++i)
        for (int j = 0; j < EACH; ++j) c.sum[i][j] += left[i] * right[j];
    }
    __syncthreads();
  }
}

// The shapes of one convolution: x (n, height, width, c_in), W (side, side, c_in,
// c_out), y (n, out_height, out_width, c_out).
struct Shape {
  int n, height, width, c_in, c_out, side, stride;

  __device__ int out_height() const { return (height + stride - 1) / stride; }
  __device__ int out_width() const { return (width + stride - 1) / stride; }
  __device__ int n_outputs() const { return n * out_height() * out_width(); }
  __device__ int depth() const { return side * side * c_in; }

  // What tap k / c_in of an output pixel sees in channel k % c_in: its index in x, or
  // -1 outside the image.
  __device__ int seen(int pixel, int k) const {
    const int tap = k / c_in, image = pixel / out_width() / out_height();
    const int p = pixel / out_width() % out_height() * stride + tap / side - side / 2;
    const int q = pixel % out_width() * stride + tap % side - side / 2;
    if (p < 0 || p >= height || q < 0 || q >= width) return -1;
    return ((image * height + p) * width + q) * c_in + k % c_in;
  }

  // The output that an input pixel reaches by tap k / c_out, in channel k % c_out: its
  // index in y, or -1 if there is none.
  __device__ int reached(int pixel, int k) const {
    const int tap = k / c_out, image = pixel / width / height;
    const int p = pixel / width % height + side / 2 - tap / side;
    const int q = pixel % width + side / 2 - tap % side;
    if (p < 0 || q < 0 || p % stride || q % stride) return -1;
    if (p / stride >= out_height() || q / stride >= out_width()) return -1;
    return ((image * out_height() + p / stride) * out_width() + q / stride) * c_out +
           k % c_out;
  }
};

template <class T>
__global__ void plain_forward(const T *x, const T *W, T *y, const T *added, int relu,
                              int n, int height, int width, int c_in, int c_out,
                              int side, int stride) {
  const Shape shape = {n, height, width, c_in, c_out, side, stride};
  const int first_pixel = blockIdx.x * TILE, first_channel = blockIdx.y * TILE;
  const int n_outputs = shape.n_outputs();
  Square sums;
  multiply(
      sums, 0, shape.depth(),
      [&](int row, int k) {
        const int pixel = first_pixel + row;
        const int index = pixel < n_outputs ? shape.seen(pixel, k) : -1;
        return index < 0 ? 0.f : to_float(x[index]);
      },
      [&](int k, int column) {
        const int c = first_channel + column;
        return c < c_out ? to_float(W[k * c_out + c]) : 0.f;
      });
  sums.for_each([&](int row, int column, float value) {
    const int pixel = first_pixel + row, c = first_channel + column;
    if (pixel >= n_outputs || c >= c_out) return;
    const int index = pixel * c_out + c;
    if (added) value += to_float(added[index]);
    y[index] = rounded<T>(relu ? fmaxf(value, 0) : value);
  });
}

template <class T>
__global__ void plain_input_gradient(const T *grad_y, const T *W, T *grad_x,
                                     const T *added, const T *mask, int n, int height,
                                     int width, int c_in, int c_out, int side,
                                     int stride) {
  const Shape shape = {n, height, width, c_in, c_out, side, stride};
  const int first_pixel = blockIdx.x * TILE, first_channel = blockIdx.y * TILE;
  const int n_inputs = n * height * width;
  Square sums;
  multiply(
      sums, 0, side * side * c_out,
      [&](int row, int k) {
        const int pixel = first_pixel + row;
        const int index = pixel < n_inputs ? shape.reached(pixel, k) : -1;
        return index < 0 ? 0.f : to_float(grad_y[index]);
      },
      [&](int k, int column) {
        const int c = first_channel + column;
        const int row = k / c_out * c_in + c;  // of W: tap, and channel of x
        return c < c_in ? to_float(W[row * c_out + k % c_out]) : 0.f;
      });
  sums.for_each([&](int row, int column, float value) {
    const int pixel = first_pixel + row, c = first_channel + column;
    if (pixel >= n_inputs || c >= c_in) return;
    const int index = pixel * c_in + c;
    if (mask && !(to_float(mask[index]) > 0)) value = 0;
    if (added) value += to_float(added[index]);
    grad_x[index] = rounded<T>(value);
  });
}

// Part blockIdx.z: the sum over its share of the output's pixels.
template <class T>
__global__ void plain_weight_gradient(const T *x, const T *grad_y, float *parts, int n,
                                      int height, int width, int c_in, int c_out,
                                      int side, int stride, int pixels_each) {
  const Shape shape = {n, height, width, c_in, c_out, side, stride};
  const int first_row = blockIdx.x * TILE, first_channel = blockIdx.y * TILE;
  const int begin = blockIdx.z * pixels_each, n_rows = shape.depth();
  Square sums;
  multiply(
      sums, begin, min(begin + pixels_each, shape.n_outputs()),
      [&](int row, int pixel) {
        const int m = first_row + row;
        const int index = m < n_rows ? shape.seen(pixel, m) : -1;
        return index < 0 ? 0.f : to_float(x[index]);
      },
      [&](int pixel, int column) {
        const int c = first_channel + column;
        return c < c_out ? to_float(grad_y[pixel * c_out + c]) : 0.f;
      });
  float *part = parts + blockIdx.z * n_rows * c_out;
  sums.for_each([&](int row, int column, float value) {
    const int r = first_row + row, c = first_channel + column;
    if (r < n_rows && c < c_out) part[r * c_out + c] = value;
  });
}
