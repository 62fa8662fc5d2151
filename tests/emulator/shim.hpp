// CUDA's words for a C++ compiler, and the way from a launch to a kernel's arguments.
#pragma once

#include <math.h>
#include <string.h>

#include <type_traits>
#include <utility>

#include "machine.hpp"

#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __syncthreads() emulator::wait_for_block()

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}

template <class A, class B>
constexpr std::common_type_t<A, B> min(A a, B b) {
  return b < a ? b : a;
}
template <class A, class B>
constexpr std::common_type_t<A, B> max(A a, B b) {
  return a < b ? b : a;
}

inline unsigned __float_as_uint(float x) {
  unsigned bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

namespace emulator {

// A parameter's type as NumPy writes it, "*" before what a pointer points to.
template <class T>
char *write_type(char *to) {
  if constexpr (std::is_pointer_v<T>) {
    *to++ = '*';
    return write_type<std::remove_cv_t<std::remove_pointer_t<T>>>(to);
  } else {
    constexpr bool is_plain = std::is_arithmetic_v<T>;
    *to++ = !is_plain                      ? 'V'
            : std::is_same_v<T, bool>      ? 'b'
            : std::is_floating_point_v<T>  ? 'f'
            : std::is_signed_v<T>          ? 'i'
                                           : 'u';
    if (sizeof(T) >= 10) *to++ = '0' + sizeof(T) / 10;
    *to++ = '0' + sizeof(T) % 10;
    return to;
  }
}

template <class... P>
void write_types(void (*)(P...), char *to) {
  ((to = write_type<P>(to), *to++ = ' '), ...);
  *to = 0;
}

template <class... P, size_t... I>
void call(void (*kernel)(P...), void **arguments, std::index_sequence<I...>) {
  kernel(*static_cast<P *>(arguments[I])...);
}
template <class... P>
void call(void (*kernel)(P...), void **arguments) {
  call(kernel, arguments, std::index_sequence_for<P...>());
}

}  // namespace emulator
