// Arithmetic intrinsics with the bits that a GPU gives, where IEEE fixes them. The library's transcendental functions
// (expf, logf, ...) and the approximate intrinsics are the host's: kernels that promise bits use neither.
#pragma once
#include <math.h>

#include <cmath>
#include <limits>

#include "emu/builtins.h"

namespace emu {
template <class To, class From>
inline To bits(From value) {
  static_assert(sizeof(To) == sizeof(From), "the same bits");
  To result;
  std::memcpy(&result, &value, sizeof result);
  return result;
}
}  // namespace emu

// ---- bits ------------------------------------------------------------------------------------------------------

inline unsigned __float_as_uint(float x) {
  return emu::bits<unsigned>(x);
}
inline int __float_as_int(float x) {
  return emu::bits<int>(x);
}
inline float __uint_as_float(unsigned x) {
  return emu::bits<float>(x);
}
inline float __int_as_float(int x) {
  return emu::bits<float>(x);
}
inline long long __double_as_longlong(double x) {
  return emu::bits<long long>(x);
}
inline double __longlong_as_double(long long x) {
  return emu::bits<double>(x);
}
inline double __hiloint2double(int high, int low) {
  return emu::bits<double>(static_cast<unsigned long long>(static_cast<unsigned>(high)) << 32 |
                           static_cast<unsigned>(low));
}
inline int __double2hiint(double x) {
  return static_cast<int>(emu::bits<unsigned long long>(x) >> 32);
}
inline int __double2loint(double x) {
  return static_cast<int>(emu::bits<unsigned long long>(x));
}
inline int __popc(unsigned x) {
  return __builtin_popcount(x);
}
inline int __popcll(unsigned long long x) {
  return __builtin_popcountll(x);
}
inline int __clz(int x) {
  return x ? __builtin_clz(static_cast<unsigned>(x)) : 32;
}
inline int __clzll(long long x) {
  return x ? __builtin_clzll(static_cast<unsigned long long>(x)) : 64;
}
inline int __ffs(int x) {
  return __builtin_ffs(x);
}
inline int __ffsll(long long x) {
  return __builtin_ffsll(x);
}
inline unsigned __brev(unsigned x) {
  unsigned result = 0;
  for (int i = 0; i < 32; ++i) result |= (x >> i & 1u) << (31 - i);
  return result;
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32);
}
inline int __mulhi(int a, int b) {
  return static_cast<int>(static_cast<int64_t>(a) * b >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((static_cast<uint64_t>(high) << 32 | low) << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((static_cast<uint64_t>(high) << 32 | low) >> (shift & 31));
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) {
    const unsigned s = selector >> (4 * i) & 15;
    unsigned byte = static_cast<unsigned>(bytes >> (8 * (s & 7))) & 255;
    if (s & 8) byte = byte & 128 ? 255 : 0;
    result |= byte << (8 * i);
  }
  return result;
}

// ---- IEEE arithmetic -------------------------------------------------------------------------------------------

// Kernels are compiled with -ffp-contract=off: nothing below is fused.
inline float __fmaf_rn(float a, float b, float c) {
  return fmaf(a, b, c);
}
inline double __fma_rn(double a, double b, double c) {
  return fma(a, b, c);
}
#define EMU_BINARY(T, name, op) \
  inline T name(T a, T b) {     \
    return a op b;              \
  }
EMU_BINARY(float, __fadd_rn, +)
EMU_BINARY(float, __fsub_rn, -)
EMU_BINARY(float, __fmul_rn, *)
EMU_BINARY(float, __fdiv_rn, /)
EMU_BINARY(double, __dadd_rn, +)
EMU_BINARY(double, __dsub_rn, -)
EMU_BINARY(double, __dmul_rn, *)
EMU_BINARY(double, __ddiv_rn, /)
#undef EMU_BINARY
inline float __frcp_rn(float x) {
  return 1.0f / x;
}
inline float __fsqrt_rn(float x) {
  return sqrtf(x);
}
inline double __drcp_rn(double x) {
  return 1.0 / x;
}
inline double __dsqrt_rn(double x) {
  return sqrt(x);
}
inline float __saturatef(float x) {
  return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f;  // NaN gives 0
}

// ---- conversions: a GPU saturates and gives 0 for NaN ------------------------------------------------------------

namespace emu {
template <class I, class F>
inline I to_integer(F rounded) {
  constexpr I least = std::numeric_limits<I>::min(), most = std::numeric_limits<I>::max();
  const F beyond = static_cast<F>(most / 2 + 1) * 2;  // a power of two
  if (rounded != rounded) return 0;
  if (rounded >= beyond) return most;
  return rounded < static_cast<F>(least) ? least : static_cast<I>(rounded);
}
}  // namespace emu
inline int __float2int_rn(float x) {
  return emu::to_integer<int>(nearbyintf(x));
}
inline int __float2int_rz(float x) {
  return emu::to_integer<int>(truncf(x));
}
inline int __float2int_rd(float x) {
  return emu::to_integer<int>(floorf(x));
}
inline int __float2int_ru(float x) {
  return emu::to_integer<int>(ceilf(x));
}
inline unsigned __float2uint_rn(float x) {
  return emu::to_integer<unsigned>(nearbyintf(x));
}
inline unsigned __float2uint_rz(float x) {
  return emu::to_integer<unsigned>(truncf(x));
}
inline int __double2int_rn(double x) {
  return emu::to_integer<int>(nearbyint(x));
}
inline int __double2int_rz(double x) {
  return emu::to_integer<int>(trunc(x));
}
inline long long __double2ll_rn(double x) {
  return emu::to_integer<long long>(nearbyint(x));
}
inline float __int2float_rn(int x) {
  return static_cast<float>(x);
}
inline float __uint2float_rn(unsigned x) {
  return static_cast<float>(x);
}
inline float __ll2float_rn(long long x) {
  return static_cast<float>(x);
}
inline float __ull2float_rn(unsigned long long x) {
  return static_cast<float>(x);
}
inline double __int2double_rn(int x) {
  return x;
}
inline double __uint2double_rn(unsigned x) {
  return x;
}
inline double __ll2double_rn(long long x) {
  return static_cast<double>(x);
}
inline float __double2float_rn(double x) {
  return static_cast<float>(x);
}

// ---- CUDA's own library functions that the C library lacks, and approximations -----------------------------------

inline float rsqrtf(float x) {
  return 1.0f / sqrtf(x);
}
inline double rsqrt(double x) {
  return 1.0 / sqrt(x);
}
inline float __expf(float x) {
  return expf(x);
}
inline float __exp10f(float x) {
  return powf(10.0f, x);
}
inline float __logf(float x) {
  return logf(x);
}
inline float __log2f(float x) {
  return log2f(x);
}
inline float __powf(float x, float y) {
  return powf(x, y);
}
inline float __sinf(float x) {
  return sinf(x);
}
inline float __cosf(float x) {
  return cosf(x);
}
inline float __fdividef(float a, float b) {
  return a / b;
}

// min and max of the plain types, as CUDA overloads them; for floats as fminf: NaN loses.
#define EMU_MIN_MAX(T)     \
  inline T min(T a, T b) { \
    return b < a ? b : a;  \
  }                        \
  inline T max(T a, T b) { \
    return a < b ? b : a;  \
  }
EMU_MIN_MAX(int)
EMU_MIN_MAX(unsigned)
EMU_MIN_MAX(long)
EMU_MIN_MAX(unsigned long)
EMU_MIN_MAX(long long)
EMU_MIN_MAX(unsigned long long)
#undef EMU_MIN_MAX
inline float min(float a, float b) {
  return fminf(a, b);
}
inline float max(float a, float b) {
  return fmaxf(a, b);
}
inline double min(double a, double b) {
  return fmin(a, b);
}
inline double max(double a, double b) {
  return fmax(a, b);
}
inline double min(float a, double b) {
  return fmin(a, b);
}
inline double min(double a, float b) {
  return fmin(a, b);
}
inline double max(float a, double b) {
  return fmax(a, b);
}
inline double max(double a, float b) {
  return fmax(a, b);
}
