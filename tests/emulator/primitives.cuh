// The instructions of a tensor core on a processor: see machine.cpp.

typedef unsigned short bf16;

inline float to_float(bf16 x) { return __uint_as_float(static_cast<unsigned>(x) << 16); }
inline float to_float(float x) { return x; }

template <class T>
inline T rounded(float x);
template <>
inline float rounded<float>(float x) {
  return x;
}
template <>
inline bf16 rounded<bf16>(float x) {
  if (x != x) return 0x7FFF;  // the one NaN that cvt.rn.bf16.f32 makes
  const unsigned bits = __float_as_uint(x);
  return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;  // half a unit up; ties to even
}

using emulator::commit_copies;
using emulator::copy_async;
using emulator::multiply_add;
using emulator::shared_memory;
using emulator::warp_sum;

template <int N>
inline void wait_copies() {
  emulator::wait_copies(N);
}
// On a GPU it holds a number in a register; here there is nothing to hold.
inline int kept(int number) { return number; }

inline void load_matrices(unsigned (&r)[4], const void *row) {
  emulator::load_matrices(r, row, false);
}
inline void load_matrices_transposed(unsigned (&r)[4], const void *row) {
  emulator::load_matrices(r, row, true);
}
