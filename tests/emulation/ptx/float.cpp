// Arithmetic of float32 and float64, rounded as IEEE 754 wants; subnormals are kept. Forms without a rounding (add.f32)
// are no part of the subset: the machine's compiler may contract these. A NaN is what the host makes of it.
#include <cmath>

#include "warp.h"

namespace emu::ptx {

namespace {

using f32 = float;
using f64 = double;

#define PTX_FLOAT(Name, T, parameters, value) \
  struct Name {                               \
    static T f parameters {                   \
      return value;                           \
    }                                         \
  }

template <class T>
struct Add {
  static T f(T a, T b) {
    return a + b;
  }
};
template <class T>
struct Sub {
  static T f(T a, T b) {
    return a - b;
  }
};
template <class T>
struct Mul {
  static T f(T a, T b) {
    return a * b;
  }
};
template <class T>
struct Div {
  static T f(T a, T b) {
    return a / b;
  }
};
template <class T>
struct Fma {
  static T f(T a, T b, T c) {
    return std::fma(a, b, c);
  }
};
template <class T>
struct Reciprocal {
  static T f(T a) {
    return T(1) / a;
  }
};
template <class T>
struct SquareRoot {
  static T f(T a) {
    return std::sqrt(a);
  }
};

// Of the sign bit alone, also of NaNs.
PTX_FLOAT(Neg32, uint32_t, (uint32_t a), a ^ 0x80000000u);
PTX_FLOAT(Neg64, uint64_t, (uint64_t a), a ^ uint64_t(1) << 63);
PTX_FLOAT(Abs32, uint32_t, (uint32_t a), a & 0x7fffffffu);
PTX_FLOAT(Abs64, uint64_t, (uint64_t a), a & ~(uint64_t(1) << 63));
PTX_FLOAT(CopySign32, uint32_t, (uint32_t sign, uint32_t a), (a & 0x7fffffffu) | (sign & 0x80000000u));
PTX_FLOAT(CopySign64, uint64_t, (uint64_t sign, uint64_t a), (a & ~(uint64_t(1) << 63)) | (sign & uint64_t(1) << 63));

// A NaN gives way to a number; -0 is less than +0.
template <class T>
struct Min {
  static T f(T a, T b) {
    if (a != a) return b;
    if (b != b) return a;
    if (a == b) return std::signbit(a) ? a : b;
    return a < b ? a : b;
  }
};
template <class T>
struct Max {
  static T f(T a, T b) {
    if (a != a) return b;
    if (b != b) return a;
    if (a == b) return std::signbit(a) ? b : a;
    return a > b ? a : b;
  }
};

constexpr Class kFma = Class::kFma, kOther = Class::kOther32, k64 = Class::kFloat64, kDiv = Class::kDivision;

}  // namespace

// Slots and latencies of divisions and roots: estimates of the path of ordinary numbers, not counted in machine code.
const std::vector<Spec> kFloatSpecs = {
    {"add.rn.f32", "r=rr", lanes<Add<f32>, f32, f32, f32>, kFma, 1, 4},
    {"sub.rn.f32", "r=rr", lanes<Sub<f32>, f32, f32, f32>, kFma, 1, 4},
    {"mul.rn.f32", "r=rr", lanes<Mul<f32>, f32, f32, f32>, kFma, 1, 4},
    {"fma.rn.f32", "r=rrr", lanes<Fma<f32>, f32, f32, f32, f32>, kFma, 1, 4},
    {"div.rn.f32", "r=rr", lanes<Div<f32>, f32, f32, f32>, kDiv, 12, 60},
    {"rcp.rn.f32", "r=r", lanes<Reciprocal<f32>, f32, f32>, kDiv, 9, 45},
    {"sqrt.rn.f32", "r=r", lanes<SquareRoot<f32>, f32, f32>, kDiv, 10, 50},
    {"neg.f32", "r=r", lanes<Neg32, uint32_t, uint32_t>, Class::kNone, 0, 0},
    {"abs.f32", "r=r", lanes<Abs32, uint32_t, uint32_t>, Class::kNone, 0, 0},
    {"copysign.f32", "r=rr", lanes<CopySign32, uint32_t, uint32_t, uint32_t>, Class::kInteger, 1, 4},
    {"min.f32", "r=rr", lanes<Min<f32>, f32, f32, f32>, kOther, 1, 4},
    {"max.f32", "r=rr", lanes<Max<f32>, f32, f32, f32>, kOther, 1, 4},
    {"add.rn.f64", "l=ll", lanes<Add<f64>, f64, f64, f64>, k64, 1, 8},
    {"sub.rn.f64", "l=ll", lanes<Sub<f64>, f64, f64, f64>, k64, 1, 8},
    {"mul.rn.f64", "l=ll", lanes<Mul<f64>, f64, f64, f64>, k64, 1, 8},
    {"fma.rn.f64", "l=lll", lanes<Fma<f64>, f64, f64, f64, f64>, k64, 1, 8},
    {"div.rn.f64", "l=ll", lanes<Div<f64>, f64, f64, f64>, kDiv, 22, 160},
    {"rcp.rn.f64", "l=l", lanes<Reciprocal<f64>, f64, f64>, kDiv, 16, 110},
    {"sqrt.rn.f64", "l=l", lanes<SquareRoot<f64>, f64, f64>, kDiv, 22, 160},
    {"neg.f64", "l=l", lanes<Neg64, uint64_t, uint64_t>, Class::kNone, 0, 0},
    {"abs.f64", "l=l", lanes<Abs64, uint64_t, uint64_t>, Class::kNone, 0, 0},
    {"copysign.f64", "l=ll", lanes<CopySign64, uint64_t, uint64_t, uint64_t>, Class::kInteger, 1, 4},
    {"min.f64", "l=ll", lanes<Min<f64>, f64, f64, f64>, k64, 4, 16},
    {"max.f64", "l=ll", lanes<Max<f64>, f64, f64, f64>, k64, 4, 16},
};

}  // namespace emu::ptx
