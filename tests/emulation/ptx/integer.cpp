// Integer and logic instructions, and moves.
#include <algorithm>

#include "warp.h"

namespace emu::ptx {

namespace {

using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using s16 = int16_t;
using s32 = int32_t;
using s64 = int64_t;

// Sums and products wrap: T is unsigned.
#define PTX_F(Name, T, parameters, value) \
  struct Name {                           \
    static T f parameters {               \
      return static_cast<T>(value);       \
    }                                     \
  }

PTX_F(Add32, u32, (u32 a, u32 b), a + b);
PTX_F(Add64, u64, (u64 a, u64 b), a + b);
PTX_F(Add16, u16, (u16 a, u16 b), a + b);
PTX_F(Sub32, u32, (u32 a, u32 b), a - b);
PTX_F(Sub64, u64, (u64 a, u64 b), a - b);
PTX_F(Sub16, u16, (u16 a, u16 b), a - b);
PTX_F(Mul32, u32, (u32 a, u32 b), a *b);
PTX_F(Mul64, u64, (u64 a, u64 b), a *b);
PTX_F(Mul16, u16, (u16 a, u16 b), u32(a) * b);
PTX_F(MulWideU, u64, (u32 a, u32 b), u64(a) * b);
PTX_F(MulWideS, u64, (s32 a, s32 b), s64(a) * b);
PTX_F(MulWideU16, u32, (u16 a, u16 b), u32(a) * b);
PTX_F(MulWideS16, u32, (s16 a, s16 b), s32(a) * b);
PTX_F(MulHiU, u32, (u32 a, u32 b), u64(a) * b >> 32);
PTX_F(MulHiS, u32, (s32 a, s32 b), s64(a) * b >> 32);
PTX_F(MulHiU64, u64, (u64 a, u64 b), static_cast<unsigned __int128>(a) * b >> 64);
PTX_F(Mad32, u32, (u32 a, u32 b, u32 c), a *b + c);
PTX_F(Mad64, u64, (u64 a, u64 b, u64 c), a *b + c);
PTX_F(Mad16, u16, (u16 a, u16 b, u16 c), u32(a) * b + c);
PTX_F(MadWideU, u64, (u32 a, u32 b, u64 c), u64(a) * b + c);
PTX_F(MadWideS, u64, (s32 a, s32 b, u64 c), u64(s64(a) * b) + c);

// A division by zero gives all ones, as the machine's code does; PTX leaves it open.
PTX_F(DivU32, u32, (u32 a, u32 b), b ? a / b : ~u32(0));
PTX_F(RemU32, u32, (u32 a, u32 b), b ? a % b : a);
PTX_F(DivU64, u64, (u64 a, u64 b), b ? a / b : ~u64(0));
PTX_F(RemU64, u64, (u64 a, u64 b), b ? a % b : a);
PTX_F(DivS32, u32, (s32 a, s32 b), b ? s64(a) / b : -1);
PTX_F(RemS32, u32, (s32 a, s32 b), b ? s64(a) % b : a);
PTX_F(DivS64, s64, (s64 a, s64 b), b == 0 ? -1 : b == -1 ? s64(0 - u64(a)) : a / b);

PTX_F(MinU32, u32, (u32 a, u32 b), std::min(a, b));
PTX_F(MaxU32, u32, (u32 a, u32 b), std::max(a, b));
PTX_F(MinS32, s32, (s32 a, s32 b), std::min(a, b));
PTX_F(MaxS32, s32, (s32 a, s32 b), std::max(a, b));
PTX_F(MinU64, u64, (u64 a, u64 b), std::min(a, b));
PTX_F(MaxU64, u64, (u64 a, u64 b), std::max(a, b));
PTX_F(MinS64, s64, (s64 a, s64 b), std::min(a, b));
PTX_F(MaxS64, s64, (s64 a, s64 b), std::max(a, b));
PTX_F(Neg32, u32, (u32 a), 0u - a);
PTX_F(Neg64, u64, (u64 a), u64(0) - a);
PTX_F(Abs32, u32, (u32 a), s32(a) < 0 ? 0u - a : a);
PTX_F(Not16, u16, (u16 a), ~a);
PTX_F(Not32, u32, (u32 a), ~a);
PTX_F(Not64, u64, (u64 a), ~a);
PTX_F(And16, u16, (u16 a, u16 b), a &b);
PTX_F(And32, u32, (u32 a, u32 b), a &b);
PTX_F(And64, u64, (u64 a, u64 b), a &b);
PTX_F(Or16, u16, (u16 a, u16 b), a | b);
PTX_F(Or32, u32, (u32 a, u32 b), a | b);
PTX_F(Or64, u64, (u64 a, u64 b), a | b);
PTX_F(Xor16, u16, (u16 a, u16 b), a ^ b);
PTX_F(Xor32, u32, (u32 a, u32 b), a ^ b);
PTX_F(Xor64, u64, (u64 a, u64 b), a ^ b);

// Amounts are not taken modulo the width.
PTX_F(Shl16, u16, (u16 a, u32 n), n > 15 ? 0 : u32(a) << n);
PTX_F(Shl32, u32, (u32 a, u32 n), n > 31 ? 0 : a << n);
PTX_F(Shl64, u64, (u64 a, u32 n), n > 63 ? 0 : a << n);
PTX_F(ShrU16, u16, (u16 a, u32 n), n > 15 ? 0 : a >> n);
PTX_F(ShrU32, u32, (u32 a, u32 n), n > 31 ? 0 : a >> n);
PTX_F(ShrU64, u64, (u64 a, u32 n), n > 63 ? 0 : a >> n);
PTX_F(ShrS16, s16, (s16 a, u32 n), a >> std::min<u32>(n, 15));
PTX_F(ShrS32, s32, (s32 a, u32 n), a >> std::min<u32>(n, 31));
PTX_F(ShrS64, s64, (s64 a, u32 n), a >> std::min<u32>(n, 63));
PTX_F(ShfLeft, u32, (u32 lo, u32 hi, u32 n), ((u64(hi) << 32 | lo) << (n & 31)) >> 32);
PTX_F(ShfRight, u32, (u32 lo, u32 hi, u32 n), (u64(hi) << 32 | lo) >> (n & 31));

PTX_F(Clz32, u32, (u32 a), a ? __builtin_clz(a) : 32);
PTX_F(Clz64, u32, (u64 a), a ? __builtin_clzll(a) : 64);
PTX_F(Popc32, u32, (u32 a), __builtin_popcount(a));
PTX_F(Popc64, u32, (u64 a), __builtin_popcountll(a));

PTX_F(Move16, u16, (u16 a), a);
PTX_F(Move32, u32, (u32 a), a);
PTX_F(Move64, u64, (u64 a), a);
PTX_F(Pack64, u64, (u32 lo, u32 hi), u64(hi) << 32 | lo);
PTX_F(Pack32, u32, (u16 lo, u16 hi), u32(hi) << 16 | lo);

struct Brev32 {
  static u32 f(u32 a) {
    u32 r = 0;
    for (int bit = 0; bit < 32; ++bit) r |= (a >> bit & 1) << (31 - bit);
    return r;
  }
};

// bfi d, a, b, position, length: the low bits of a into b.
template <class T, int bits>
struct Bfi {
  static T f(T a, T b, u32 position, u32 length) {
    position &= 255, length &= 255;
    if (position >= bits || length == 0) return b;
    const T ones = length >= bits ? ~T(0) : (T(1) << length) - 1;
    const T mask = ones << position;
    return (b & ~mask) | ((a << position) & mask);
  }
};

struct BfeU32 {
  static u32 f(u32 a, u32 position, u32 length) {
    position &= 255, length &= 255;
    if (position > 31) return 0;
    return length > 31 ? a >> position : a >> position & ((1u << length) - 1);
  }
};

struct Prmt {  // selectors of four bits; bit 3 spreads the sign
  static u32 f(u32 a, u32 b, u32 selector) {
    const u64 bytes = u64(b) << 32 | a;
    u32 r = 0;
    for (int k = 0; k < 4; ++k) {
      const u32 s = selector >> 4 * k & 15, byte = static_cast<u32>(bytes >> 8 * (s & 7)) & 255;
      r |= (s & 8 ? (byte & 128 ? 255u : 0u) : byte) << 8 * k;
    }
    return r;
  }
};

void unpack64(Warp &w, const Instruction &i, Mask m) {
  u64 source[kLanes];
  memcpy(source, in<u64>(w, i.o[2]), sizeof source);
  u32 *lo = out<u32>(w, i.o[0]), *hi = out<u32>(w, i.o[1]);
  PTX_EACH_LANE(l, m) {
    lo[l] = static_cast<u32>(source[l]);
    hi[l] = static_cast<u32>(source[l] >> 32);
  }
}

void unpack32(Warp &w, const Instruction &i, Mask m) {
  u32 source[kLanes];
  memcpy(source, in<u32>(w, i.o[2]), sizeof source);
  u16 *lo = out<u16>(w, i.o[0]), *hi = out<u16>(w, i.o[1]);
  PTX_EACH_LANE(l, m) {
    lo[l] = static_cast<u16>(source[l]);
    hi[l] = static_cast<u16>(source[l] >> 16);
  }
}

void unpack128(Warp &w, const Instruction &i, Mask m) {
  const u64 *source = in<u64>(w, i.o[2]);
  u64 *lo = out<u64>(w, i.o[0]), *hi = out<u64>(w, i.o[1]);
  PTX_EACH_LANE(l, m) {
    lo[l] = source[2 * l];
    hi[l] = source[2 * l + 1];
  }
}

void pack128(Warp &w, const Instruction &i, Mask m) {
  u64 *d = out<u64>(w, i.o[0]);
  const u64 *lo = in<u64>(w, i.o[1]), *hi = in<u64>(w, i.o[2]);
  PTX_EACH_LANE(l, m) {
    d[2 * l] = lo[l];
    d[2 * l + 1] = hi[l];
  }
}

void and_pred(Warp &w, const Instruction &i, Mask m) {
  set_predicate(w, i.o[0], predicate(w, i.o[1]) & predicate(w, i.o[2]), m);
}
void or_pred(Warp &w, const Instruction &i, Mask m) {
  set_predicate(w, i.o[0], predicate(w, i.o[1]) | predicate(w, i.o[2]), m);
}
void xor_pred(Warp &w, const Instruction &i, Mask m) {
  set_predicate(w, i.o[0], predicate(w, i.o[1]) ^ predicate(w, i.o[2]), m);
}
void not_pred(Warp &w, const Instruction &i, Mask m) {
  set_predicate(w, i.o[0], ~predicate(w, i.o[1]), m);
}
void move_pred(Warp &w, const Instruction &i, Mask m) {
  set_predicate(w, i.o[0], predicate(w, i.o[1]), m);
}

constexpr Class kInt = Class::kInteger, kNone = Class::kNone;

}  // namespace

// Slots: instructions of the machine (sm_90), estimated for one such PTX instruction. Those of
// 64 bits are two; a multiplication of 64 bits is three of 32, a division of 32 about twenty. Moves vanish.
const std::vector<Spec> kIntegerSpecs = {
    {"add.s32", "r=rr", lanes<Add32, u32, u32, u32>, kInt, 1, 4},
    {"add.u32", "r=rr", lanes<Add32, u32, u32, u32>, kInt, 1, 4},
    {"add.s64", "l=ll", lanes<Add64, u64, u64, u64>, kInt, 2, 8},
    {"add.u64", "l=ll", lanes<Add64, u64, u64, u64>, kInt, 2, 8},
    {"add.s16", "h=hh", lanes<Add16, u16, u16, u16>, kInt, 1, 4},
    {"add.u16", "h=hh", lanes<Add16, u16, u16, u16>, kInt, 1, 4},
    {"sub.s32", "r=rr", lanes<Sub32, u32, u32, u32>, kInt, 1, 4},
    {"sub.u32", "r=rr", lanes<Sub32, u32, u32, u32>, kInt, 1, 4},
    {"sub.s64", "l=ll", lanes<Sub64, u64, u64, u64>, kInt, 2, 8},
    {"sub.u64", "l=ll", lanes<Sub64, u64, u64, u64>, kInt, 2, 8},
    {"sub.s16", "h=hh", lanes<Sub16, u16, u16, u16>, kInt, 1, 4},
    {"mul.lo.s32", "r=rr", lanes<Mul32, u32, u32, u32>, kInt, 1, 4},
    {"mul.lo.u32", "r=rr", lanes<Mul32, u32, u32, u32>, kInt, 1, 4},
    {"mul.lo.s64", "l=ll", lanes<Mul64, u64, u64, u64>, kInt, 3, 13},
    {"mul.lo.u64", "l=ll", lanes<Mul64, u64, u64, u64>, kInt, 3, 13},
    {"mul.lo.s16", "h=hh", lanes<Mul16, u16, u16, u16>, kInt, 1, 4},
    {"mul.lo.u16", "h=hh", lanes<Mul16, u16, u16, u16>, kInt, 1, 4},
    {"mul.wide.u32", "l=rr", lanes<MulWideU, u64, u32, u32>, kInt, 1, 5},
    {"mul.wide.s32", "l=rr", lanes<MulWideS, u64, s32, s32>, kInt, 1, 5},
    {"mul.wide.u16", "r=hh", lanes<MulWideU16, u32, u16, u16>, kInt, 1, 5},
    {"mul.wide.s16", "r=hh", lanes<MulWideS16, u32, s16, s16>, kInt, 1, 5},
    {"mul.hi.u32", "r=rr", lanes<MulHiU, u32, u32, u32>, kInt, 1, 5},
    {"mul.hi.s32", "r=rr", lanes<MulHiS, u32, s32, s32>, kInt, 1, 5},
    {"mul.hi.u64", "l=ll", lanes<MulHiU64, u64, u64, u64>, kInt, 6, 24},
    {"mad.lo.s32", "r=rrr", lanes<Mad32, u32, u32, u32, u32>, kInt, 1, 4},
    {"mad.lo.u32", "r=rrr", lanes<Mad32, u32, u32, u32, u32>, kInt, 1, 4},
    {"mad.lo.s64", "l=lll", lanes<Mad64, u64, u64, u64, u64>, kInt, 3, 13},
    {"mad.lo.s16", "h=hhh", lanes<Mad16, u16, u16, u16, u16>, kInt, 1, 4},
    {"mad.wide.u32", "l=rrl", lanes<MadWideU, u64, u32, u32, u64>, kInt, 1, 5},
    {"mad.wide.s32", "l=rrl", lanes<MadWideS, u64, s32, s32, u64>, kInt, 1, 5},
    {"div.u32", "r=rr", lanes<DivU32, u32, u32, u32>, Class::kDivision, 18, 90},
    {"rem.u32", "r=rr", lanes<RemU32, u32, u32, u32>, Class::kDivision, 18, 90},
    {"div.s32", "r=rr", lanes<DivS32, u32, s32, s32>, Class::kDivision, 24, 110},
    {"rem.s32", "r=rr", lanes<RemS32, u32, s32, s32>, Class::kDivision, 24, 110},
    {"div.s64", "l=ll", lanes<DivS64, s64, s64, s64>, Class::kDivision, 90, 440},
    {"div.u64", "l=ll", lanes<DivU64, u64, u64, u64>, Class::kDivision, 80, 400},
    {"rem.u64", "l=ll", lanes<RemU64, u64, u64, u64>, Class::kDivision, 80, 400},
    {"min.u32", "r=rr", lanes<MinU32, u32, u32, u32>, kInt, 1, 4},
    {"max.u32", "r=rr", lanes<MaxU32, u32, u32, u32>, kInt, 1, 4},
    {"min.s32", "r=rr", lanes<MinS32, s32, s32, s32>, kInt, 1, 4},
    {"max.s32", "r=rr", lanes<MaxS32, s32, s32, s32>, kInt, 1, 4},
    {"min.u64", "l=ll", lanes<MinU64, u64, u64, u64>, kInt, 4, 12},
    {"max.u64", "l=ll", lanes<MaxU64, u64, u64, u64>, kInt, 4, 12},
    {"min.s64", "l=ll", lanes<MinS64, s64, s64, s64>, kInt, 4, 12},
    {"max.s64", "l=ll", lanes<MaxS64, s64, s64, s64>, kInt, 4, 12},
    {"neg.s32", "r=r", lanes<Neg32, u32, u32>, kInt, 1, 4},
    {"neg.s64", "l=l", lanes<Neg64, u64, u64>, kInt, 2, 8},
    {"abs.s32", "r=r", lanes<Abs32, u32, u32>, kInt, 1, 4},
    {"not.b16", "h=h", lanes<Not16, u16, u16>, kInt, 1, 4},
    {"not.b32", "r=r", lanes<Not32, u32, u32>, kInt, 1, 4},
    {"not.b64", "l=l", lanes<Not64, u64, u64>, kInt, 2, 4},
    {"and.b16", "h=hh", lanes<And16, u16, u16, u16>, kInt, 1, 4},
    {"and.b32", "r=rr", lanes<And32, u32, u32, u32>, kInt, 1, 4},
    {"and.b64", "l=ll", lanes<And64, u64, u64, u64>, kInt, 2, 4},
    {"or.b16", "h=hh", lanes<Or16, u16, u16, u16>, kInt, 1, 4},
    {"or.b32", "r=rr", lanes<Or32, u32, u32, u32>, kInt, 1, 4},
    {"or.b64", "l=ll", lanes<Or64, u64, u64, u64>, kInt, 2, 4},
    {"xor.b16", "h=hh", lanes<Xor16, u16, u16, u16>, kInt, 1, 4},
    {"xor.b32", "r=rr", lanes<Xor32, u32, u32, u32>, kInt, 1, 4},
    {"xor.b64", "l=ll", lanes<Xor64, u64, u64, u64>, kInt, 2, 4},
    {"shl.b16", "h=hr", lanes<Shl16, u16, u16, u32>, kInt, 1, 4},
    {"shl.b32", "r=rr", lanes<Shl32, u32, u32, u32>, kInt, 1, 4},
    {"shl.b64", "l=lr", lanes<Shl64, u64, u64, u32>, kInt, 2, 5},
    {"shr.u16", "h=hr", lanes<ShrU16, u16, u16, u32>, kInt, 1, 4},
    {"shr.u32", "r=rr", lanes<ShrU32, u32, u32, u32>, kInt, 1, 4},
    {"shr.u64", "l=lr", lanes<ShrU64, u64, u64, u32>, kInt, 2, 5},
    {"shr.s16", "h=hr", lanes<ShrS16, s16, s16, u32>, kInt, 1, 4},
    {"shr.s32", "r=rr", lanes<ShrS32, s32, s32, u32>, kInt, 1, 4},
    {"shr.s64", "l=lr", lanes<ShrS64, s64, s64, u32>, kInt, 2, 5},
    {"shf.l.wrap.b32", "r=rrr", lanes<ShfLeft, u32, u32, u32, u32>, kInt, 1, 4},
    {"shf.r.wrap.b32", "r=rrr", lanes<ShfRight, u32, u32, u32, u32>, kInt, 1, 4},
    {"clz.b32", "r=r", lanes<Clz32, u32, u32>, kInt, 2, 10},
    {"clz.b64", "r=l", lanes<Clz64, u32, u64>, kInt, 4, 14},
    {"popc.b32", "r=r", lanes<Popc32, u32, u32>, kInt, 1, 8},
    {"popc.b64", "r=l", lanes<Popc64, u32, u64>, kInt, 3, 12},
    {"brev.b32", "r=r", lanes<Brev32, u32, u32>, kInt, 1, 8},
    {"bfi.b32", "r=rrrr", lanes<Bfi<u32, 32>, u32, u32, u32, u32, u32>, kInt, 2, 8},
    {"bfi.b64", "l=llrr", lanes<Bfi<u64, 64>, u64, u64, u64, u32, u32>, kInt, 1, 4},
    {"bfe.u32", "r=rrr", lanes<BfeU32, u32, u32, u32, u32>, kInt, 2, 8},
    {"prmt.b32", "r=rrr", lanes<Prmt, u32, u32, u32, u32>, kInt, 1, 4},
    {"mov.u16", "h=h", lanes<Move16, u16, u16>, kNone, 0, 0},
    {"mov.b16", "h=h", lanes<Move16, u16, u16>, kNone, 0, 0},
    {"mov.u32", "r=r", lanes<Move32, u32, u32>, kNone, 0, 0},
    {"mov.s32", "r=r", lanes<Move32, u32, u32>, kNone, 0, 0},
    {"mov.b32", "r=r", lanes<Move32, u32, u32>, kNone, 0, 0},
    {"mov.f32", "r=r", lanes<Move32, u32, u32>, kNone, 0, 0},
    {"mov.u64", "l=l", lanes<Move64, u64, u64>, kNone, 0, 0},
    {"mov.s64", "l=l", lanes<Move64, u64, u64>, kNone, 0, 0},
    {"mov.b64", "l=l", lanes<Move64, u64, u64>, kNone, 0, 0},
    {"mov.f64", "l=l", lanes<Move64, u64, u64>, kNone, 0, 0},
    {"mov.b64", "l=rr", lanes<Pack64, u64, u32, u32>, kNone, 0, 0},
    {"mov.b64", "rr=l", unpack64, kNone, 0, 0},
    {"mov.b32", "r=hh", lanes<Pack32, u32, u16, u16>, kInt, 1, 4},
    {"mov.b32", "hh=r", unpack32, kInt, 1, 4},
    {"mov.b128", "q=ll", pack128, kNone, 0, 0},
    {"mov.b128", "ll=q", unpack128, kNone, 0, 0},
    {"mov.pred", "p=p", move_pred, kNone, 0, 0},
    {"and.pred", "p=pp", and_pred, kInt, 1, 4},
    {"or.pred", "p=pp", or_pred, kInt, 1, 4},
    {"xor.pred", "p=pp", xor_pred, kInt, 1, 4},
    {"not.pred", "p=p", not_pred, kNone, 0, 0},
};

}  // namespace emu::ptx
