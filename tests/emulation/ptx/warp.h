// A running grid: warps in lockstep, their CTAs, and what handlers of instructions are made of.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "program.h"
#include "tests/emulation/device/grid.h"

namespace emu::ptx {

struct Cta;
struct Grid;
struct CtaCounts;  // count.h
struct WarpCounts;

// Lanes that run from pc until end, where those below in the stack wait.
struct Entry {
  int pc, end;
  Mask mask;
};

struct Frame {
  const Function *function;
  char *regs;
  size_t first_ready;       // of its registers, in WarpCounts::ready (count.h)
  size_t n_entries;         // of the stack before it
  const Instruction *call;  // nullptr: the kernel
};

enum class State : uint8_t { kReady, kYield, kBarrier, kExited };

struct AsyncCopy {
  char *to;
  const char *from;
  uint8_t bytes, from_bytes, lane;
  int group;
};

struct Warp {
  Cta *cta = nullptr;
  int rank = 0;  // in the CTA
  Mask exist = kAll;
  State state = State::kReady;
  char *regs = nullptr;  // of the function that runs
  const Instruction *code = nullptr;
  std::vector<Entry> stack;
  std::vector<Frame> frames;
  char *memory = nullptr;  // frames, one after the other
  size_t memory_bytes = 0;

  // At a barrier.
  int barrier = 0, barrier_warps = 0;
  Operand vote_result;  // of bar.red
  Mask vote = 0;

  int open_group[kLanes] = {};  // of cp.async
  std::vector<AsyncCopy> copies;

  uint64_t clock = 0;  // count.h
  std::unique_ptr<WarpCounts> counts;

  Warp();
  Warp(Warp &&other) noexcept;
  ~Warp();

  const Instruction &here() const {
    return code[stack.back().pc - 1];
  }
};

struct BulkCopy {
  char *to;
  const char *from;
  uint32_t barrier, bytes;
};

struct Cta {
  Grid *grid = nullptr;
  uint3 index{};
  uint32_t number = 0;             // in the grid
  std::unique_ptr<char[]> shared;  // byte 0 is address kSharedBase
  uint32_t shared_end = 0;         // address of its end
  std::vector<Warp> warps;
  int n_running = 0;
  std::vector<BulkCopy> bulk_copies;
  std::unique_ptr<CtaCounts> counts;

  Cta();
  ~Cta();
};

struct Grid {
  const Launch *launch = nullptr;
  const Module *module = nullptr;
  const Function *kernel = nullptr;
  std::vector<unsigned char> arguments;
  std::vector<std::unique_ptr<Cta>> ctas;  // resident
  bool changed = false;                    // something that a poll could wait for
};

// ---- for handlers ------------------------------------------------------------------------------------------------

// Ends the launch; says which warp, lane and line.
[[noreturn]] void stop(const Warp &w, const Instruction &i, int lane, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

template <class T>
inline const T *in(const Warp &w, const Operand &o) {
  return reinterpret_cast<const T *>(o.constant ? static_cast<const char *>(o.constant) : w.regs + o.at);
}

template <class T>
inline T *out(const Warp &w, const Operand &o) {
  return reinterpret_cast<T *>(w.regs + o.at);
}

inline Mask predicate(const Warp &w, const Operand &o) {
  return *in<Mask>(w, o);
}

inline void set_predicate(const Warp &w, const Operand &o, Mask value, Mask m) {
  Mask *p = out<Mask>(w, o);
  *p = (*p & ~m) | (value & m);
}

// The lanes of a mask, lowest first.
#define PTX_EACH_LANE(lane, m)                                                                        \
  for (Mask rest_ = (m), lane = 0; rest_ && ((lane = static_cast<Mask>(__builtin_ctz(rest_))), true); \
       rest_ &= rest_ - 1)

// d = F::f(a, ...) in the lanes of m. The others are computed and dropped: it must not trap.
template <class F, class D, class... S>
inline void each_lane(D *d, Mask m, const S *...s) {
  if (m == kAll) {
    for (int l = 0; l < kLanes; ++l) d[l] = F::f(s[l]...);
  } else {
    for (int l = 0; l < kLanes; ++l) d[l] = m >> l & 1 ? F::f(s[l]...) : d[l];
  }
}

template <class F, class D, class... S, size_t... I>
inline void lanes_at(Warp &w, const Instruction &i, Mask m, std::index_sequence<I...>) {
  each_lane<F, D, S...>(out<D>(w, i.o[0]), m, in<S>(w, i.o[I + 1])...);
}

template <class F, class D, class... S>
void lanes(Warp &w, const Instruction &i, Mask m) {
  lanes_at<F, D, S...>(w, i, m, std::index_sequence_for<S...>{});
}

// ---- tables of instructions ------------------------------------------------------------------------------------------

// signature: widths of destinations and sources, "r=rr": p predicate, h 16 bits, r 32, l 64, q 128.
struct Spec {
  const char *name, *signature;
  Handler run;
  Class cls;
  uint16_t slots, latency;
};

extern const std::vector<Spec> kIntegerSpecs, kFloatSpecs, kConversionSpecs, kComparisonSpecs, kWarpSpecs;

}  // namespace emu::ptx
