// Conversions between types.
#include <cmath>

#include "kernels/device.cuh"
#include "warp.h"

namespace emu::ptx {

namespace {

template <class D, class S>
struct Cast {
  static D f(S a) {
    return static_cast<D>(a);
  }
};

// The low bits of a wider register, as a type of their own, into a register of type D.
template <class D, class Low, class S>
struct Narrow {
  static D f(S a) {
    return static_cast<D>(static_cast<Low>(a));
  }
};

// To a whole number, with saturation; NaN gives 0.
template <class D, class S, S (*rounding)(S)>
struct Whole {
  static D f(S a) {
    const S least = static_cast<S>(std::numeric_limits<D>::min()), most = static_cast<S>(std::numeric_limits<D>::max());
    if (a != a) return 0;
    const S r = rounding(a);
    if (r <= least) return std::numeric_limits<D>::min();
    if (r >= most) return std::numeric_limits<D>::max();
    return static_cast<D>(r);
  }
};

template <class S>
S toward_zero(S a) {
  return std::trunc(a);
}
template <class S>
S to_nearest(S a) {
  return std::nearbyint(a);
}

struct Nearest {
  static double f(double a) {
    return std::nearbyint(a);
  }
};

// The models of kernels/ptx.cuh say the same; these are written from the manual.
struct Tf32 {
  static uint32_t f(float a) {
    const uint32_t bits = vise_bits_f32(a), magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return 0x7fffffffu;
    return magnitude == 0x7f800000u ? bits : (bits + 0x1000u) & ~0x1fffu;
  }
};

struct Bf16x2 {
  static uint32_t half(float a) {
    const uint32_t bits = vise_bits_f32(a);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
    return (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
  }
  static uint32_t f(float upper, float lower) {
    return half(upper) << 16 | half(lower);
  }
};

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using s8 = int8_t;
using s16 = int16_t;
using s32 = int32_t;
using s64 = int64_t;

constexpr Class kInt = Class::kInteger, k32 = Class::kOther32, k64 = Class::kFloat64, kNone = Class::kNone;

#define PTX_CAST(name, letters, D, S, cls, slots, latency) \
  { "cvt." name, letters, lanes<Cast<D, S>, D, S>, cls, slots, latency }
#define PTX_NARROW(name, letters, D, Low, S, cls, slots, latency) \
  { "cvt." name, letters, lanes<Narrow<D, Low, S>, D, S>, cls, slots, latency }
#define PTX_WHOLE(name, letters, D, S, rounding, cls, slots, latency) \
  { "cvt." name, letters, lanes<Whole<D, S, rounding<S>>, D, S>, cls, slots, latency }

}  // namespace

// Conversions run at a quarter of the rate of the FMA pipes or less, those of float64 or 64 bits at a sixteenth: what
// they hold up is their latency.
const std::vector<Spec> kConversionSpecs = {
    PTX_CAST("u64.u32", "l=r", u64, u32, kNone, 0, 0),
    PTX_CAST("s64.s32", "l=r", s64, s32, kInt, 1, 4),
    PTX_CAST("u32.u64", "r=l", u32, u64, kNone, 0, 0),
    PTX_CAST("s32.s64", "r=l", u32, u64, kNone, 0, 0),
    PTX_CAST("u32.u16", "r=h", u32, u16, kInt, 1, 4),
    PTX_CAST("s32.s16", "r=h", s32, s16, kInt, 1, 4),
    PTX_CAST("u64.u16", "l=h", u64, u16, kInt, 1, 4),
    PTX_CAST("s64.s16", "l=h", s64, s16, kInt, 2, 8),
    PTX_CAST("u16.u32", "h=r", u16, u32, kNone, 0, 0),
    PTX_CAST("u16.u64", "h=l", u16, u64, kNone, 0, 0),
    PTX_CAST("s16.s32", "h=r", u16, u32, kNone, 0, 0),
    PTX_NARROW("u32.u8", "r=h", u32, u8, u16, kInt, 1, 4),
    PTX_NARROW("s32.s8", "r=h", s32, s8, u16, kInt, 1, 4),
    PTX_NARROW("u16.u8", "h=h", u16, u8, u16, kInt, 1, 4),
    PTX_NARROW("s16.s8", "h=h", u16, s8, u16, kInt, 1, 4),
    PTX_NARROW("u64.u8", "l=h", u64, u8, u16, kInt, 1, 4),
    PTX_CAST("rn.f32.f64", "r=l", float, double, k64, 1, 16),
    PTX_CAST("f64.f32", "l=r", double, float, k64, 1, 16),
    PTX_CAST("rn.f32.s32", "r=r", float, s32, k32, 1, 12),
    PTX_CAST("rn.f32.u32", "r=r", float, u32, k32, 1, 12),
    PTX_CAST("rn.f32.s64", "r=l", float, s64, k32, 1, 16),
    PTX_CAST("rn.f32.u64", "r=l", float, u64, k32, 1, 16),
    PTX_CAST("rn.f32.u16", "r=h", float, u16, k32, 1, 12),
    PTX_CAST("rn.f32.s16", "r=h", float, s16, k32, 1, 12),
    PTX_NARROW("rn.f32.u8", "r=h", float, u8, u16, k32, 1, 12),
    PTX_NARROW("rn.f32.s8", "r=h", float, s8, u16, k32, 1, 12),
    PTX_CAST("rn.f64.s32", "l=r", double, s32, k64, 1, 16),
    PTX_CAST("rn.f64.u32", "l=r", double, u32, k64, 1, 16),
    PTX_CAST("rn.f64.s64", "l=l", double, s64, k64, 1, 16),
    PTX_CAST("rn.f64.u64", "l=l", double, u64, k64, 1, 16),
    PTX_CAST("rn.f64.u16", "l=h", double, u16, k64, 1, 16),
    PTX_CAST("rn.f64.s16", "l=h", double, s16, k64, 1, 16),
    PTX_NARROW("rn.f64.u8", "l=h", double, u8, u16, k64, 1, 16),
    PTX_NARROW("rn.f64.s8", "l=h", double, s8, u16, k64, 1, 16),
    PTX_WHOLE("rzi.u32.f32", "r=r", u32, float, toward_zero, k32, 1, 12),
    PTX_WHOLE("rzi.s32.f32", "r=r", s32, float, toward_zero, k32, 1, 12),
    PTX_WHOLE("rzi.s64.f32", "l=r", s64, float, toward_zero, k32, 1, 16),
    PTX_WHOLE("rzi.u32.f64", "r=l", u32, double, toward_zero, k64, 1, 16),
    PTX_WHOLE("rzi.s64.f64", "l=l", s64, double, toward_zero, k64, 1, 16),
    PTX_WHOLE("rzi.s32.f64", "r=l", s32, double, toward_zero, k64, 1, 16),
    PTX_WHOLE("rni.s32.f32", "r=r", s32, float, to_nearest, k32, 1, 12),
    {"cvt.rni.f64.f64", "l=l", lanes<Nearest, double, double>, k64, 1, 16},
    {"cvt.rna.tf32.f32", "r=r", lanes<Tf32, uint32_t, float>, k32, 3, 12},
    {"cvt.rn.bf16x2.f32", "r=rr", lanes<Bf16x2, uint32_t, float, float>, k32, 1, 12},
};

}  // namespace emu::ptx
