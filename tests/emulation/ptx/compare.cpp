// Comparisons, and selection by a predicate.
#include <cmath>

#include "warp.h"

namespace emu::ptx {

namespace {

constexpr std::array<Mask, kLanes> make_bits() {
  std::array<Mask, kLanes> bits{};
  for (int l = 0; l < kLanes; ++l) bits[static_cast<size_t>(l)] = 1u << l;
  return bits;
}
constexpr std::array<Mask, kLanes> kBit = make_bits();

template <class T>
struct Eq {
  static bool f(T a, T b) {
    return a == b;
  }
};
template <class T>
struct Ne {  // of floats: ordered
  static bool f(T a, T b) {
    return a < b || a > b;
  }
};
template <class T>
struct Lt {
  static bool f(T a, T b) {
    return a < b;
  }
};
template <class T>
struct Le {
  static bool f(T a, T b) {
    return a <= b;
  }
};
template <class T>
struct Gt {
  static bool f(T a, T b) {
    return a > b;
  }
};
template <class T>
struct Ge {
  static bool f(T a, T b) {
    return a >= b;
  }
};

template <class T>
struct Number {
  static bool f(T a, T b) {
    return a == a && b == b;
  }
};

// The opposite of an ordered comparison: true for NaNs.
template <class F, class T>
struct Unordered {
  static bool f(T a, T b) {
    return !F::f(a, b);
  }
};

template <class F, class T>
void compare(Warp &w, const Instruction &i, Mask m) {
  const T *a = in<T>(w, i.o[1]), *b = in<T>(w, i.o[2]);
  Mask result = 0;
  for (size_t l = 0; l < kLanes; ++l) result |= F::f(a[l], b[l]) ? kBit[l] : 0;
  set_predicate(w, i.o[0], result, m);
}

template <class T>
void select(Warp &w, const Instruction &i, Mask m) {
  T *d = out<T>(w, i.o[0]);
  const T *a = in<T>(w, i.o[1]), *b = in<T>(w, i.o[2]);
  const Mask first = predicate(w, i.o[3]) & m, second = m & ~first;
  for (size_t l = 0; l < kLanes; ++l) d[l] = first & kBit[l] ? a[l] : second & kBit[l] ? b[l] : d[l];
}

constexpr Class kInt = Class::kInteger, k32 = Class::kOther32, k64 = Class::kFloat64;

#define PTX_COMPARE_WHOLE(type, T, letters, slots)                         \
  {"setp.eq." type, letters, compare<Eq<T>, T>, kInt, slots, 4 + slots}, { \
    "setp.ne." type, letters, compare<Ne<T>, T>, kInt, slots, 4 + slots    \
  }
#define PTX_COMPARE_ORDER(type, T, letters, slots)                                                                   \
  PTX_COMPARE_WHOLE(type, T, letters, slots), {"setp.lt." type, letters, compare<Lt<T>, T>, kInt, slots, 4 + slots}, \
      {"setp.le." type, letters, compare<Le<T>, T>, kInt, slots, 4 + slots},                                         \
      {"setp.gt." type, letters, compare<Gt<T>, T>, kInt, slots, 4 + slots}, {                                       \
    "setp.ge." type, letters, compare<Ge<T>, T>, kInt, slots, 4 + slots                                              \
  }
#define PTX_COMPARE_FLOAT(type, T, letters, cls, latency)                              \
  {"setp.eq." type, letters, compare<Eq<T>, T>, cls, 1, latency},                      \
      {"setp.ne." type, letters, compare<Ne<T>, T>, cls, 1, latency},                  \
      {"setp.lt." type, letters, compare<Lt<T>, T>, cls, 1, latency},                  \
      {"setp.le." type, letters, compare<Le<T>, T>, cls, 1, latency},                  \
      {"setp.gt." type, letters, compare<Gt<T>, T>, cls, 1, latency},                  \
      {"setp.ge." type, letters, compare<Ge<T>, T>, cls, 1, latency},                  \
      {"setp.num." type, letters, compare<Number<T>, T>, cls, 1, latency},             \
      {"setp.equ." type, letters, compare<Unordered<Ne<T>, T>, T>, cls, 1, latency},   \
      {"setp.neu." type, letters, compare<Unordered<Eq<T>, T>, T>, cls, 1, latency},   \
      {"setp.ltu." type, letters, compare<Unordered<Ge<T>, T>, T>, cls, 1, latency},   \
      {"setp.leu." type, letters, compare<Unordered<Gt<T>, T>, T>, cls, 1, latency},   \
      {"setp.gtu." type, letters, compare<Unordered<Le<T>, T>, T>, cls, 1, latency},   \
      {"setp.geu." type, letters, compare<Unordered<Lt<T>, T>, T>, cls, 1, latency}, { \
    "setp.nan." type, letters, compare<Unordered<Number<T>, T>, T>, cls, 1, latency    \
  }

}  // namespace

const std::vector<Spec> kComparisonSpecs = {
    PTX_COMPARE_ORDER("u32", uint32_t, "p=rr", 1),       PTX_COMPARE_ORDER("s32", int32_t, "p=rr", 1),
    PTX_COMPARE_WHOLE("b32", uint32_t, "p=rr", 1),       PTX_COMPARE_ORDER("u64", uint64_t, "p=ll", 2),
    PTX_COMPARE_ORDER("s64", int64_t, "p=ll", 2),        PTX_COMPARE_WHOLE("b64", uint64_t, "p=ll", 2),
    PTX_COMPARE_ORDER("u16", uint16_t, "p=hh", 1),       PTX_COMPARE_ORDER("s16", int16_t, "p=hh", 1),
    PTX_COMPARE_WHOLE("b16", uint16_t, "p=hh", 1),       PTX_COMPARE_FLOAT("f32", float, "p=rr", k32, 5),
    PTX_COMPARE_FLOAT("f64", double, "p=ll", k64, 12),   {"selp.b16", "h=hhp", select<uint16_t>, kInt, 1, 4},
    {"selp.u16", "h=hhp", select<uint16_t>, kInt, 1, 4}, {"selp.s16", "h=hhp", select<uint16_t>, kInt, 1, 4},
    {"selp.b32", "r=rrp", select<uint32_t>, kInt, 1, 4}, {"selp.u32", "r=rrp", select<uint32_t>, kInt, 1, 4},
    {"selp.s32", "r=rrp", select<uint32_t>, kInt, 1, 4}, {"selp.f32", "r=rrp", select<uint32_t>, k32, 1, 4},
    {"selp.b64", "l=llp", select<uint64_t>, kInt, 2, 5}, {"selp.u64", "l=llp", select<uint64_t>, kInt, 2, 5},
    {"selp.s64", "l=llp", select<uint64_t>, kInt, 2, 5}, {"selp.f64", "l=llp", select<uint64_t>, kInt, 2, 5},
};

}  // namespace emu::ptx
