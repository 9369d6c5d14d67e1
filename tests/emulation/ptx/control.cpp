// Branches, calls, barriers, and instructions of a whole warp.
#include <algorithm>

#include "count.h"
#include "decode.h"
#include "machine.h"
#include "warp.h"

namespace emu::ptx {

// ---- branches --------------------------------------------------------------------------------------------------------

namespace {

// The lanes of m jump, the others go on. The reconvergence entry stays below the two parts.
void branch(Warp &w, const Instruction &i, Mask m) {
  Entry &top = w.stack.back();
  if (m == top.mask) {
    top.pc = i.target;
    return;
  }

  const Entry others = {top.pc, i.reconverge, top.mask & ~m}, taken = {i.target, i.reconverge, m};
  if (top.end == i.reconverge) {
    w.stack.pop_back();  // those below wait at the same place
  } else {
    top.pc = i.reconverge;
  }
  if (others.pc != others.end) w.stack.push_back(others);
  if (taken.pc != taken.end) w.stack.push_back(taken);
}

// ---- calls -----------------------------------------------------------------------------------------------------------

void call(Warp &w, const Instruction &i, Mask m) {
  push_frame(w, *i.callee, m, &i);
  const Frame &callee = w.frames.back(), &caller = w.frames[w.frames.size() - 2];
  for (size_t k = i.has_result; k < i.passed->size(); ++k) {
    const Passed &p = (*i.passed)[k];
    memcpy(callee.regs + p.formal, caller.regs + p.actual, static_cast<size_t>(p.bytes) * kLanes);
  }
  note_call(w, i);
}

}  // namespace

// All lanes of the frame are here: it ends.
void end_of_function(Warp &w, const Instruction &, Mask) {
  const Frame frame = w.frames.back();
  if (!frame.call) {
    warp_exits(w);
    return;
  }

  pop_frame(w);
  if (!frame.call->has_result) return;
  const Passed &p = frame.call->passed->front();
  memcpy(w.regs + p.actual, frame.regs + p.formal, static_cast<size_t>(p.bytes) * kLanes);
  note_return(w, frame);
}

// ---- barriers --------------------------------------------------------------------------------------------------------

namespace {

void need_all(const Warp &w, const Instruction &i, Mask m) {
  if (m == w.exist) return;
  stop(w, i, __builtin_ctz(w.exist & ~m), "%s by the lanes %08x alone, this one is elsewhere", i.name.c_str(), m);
}

void wait_at_barrier(Warp &w, const Instruction &i, int which, int threads) {
  if (which < 0 || which > 15) stop(w, i, 0, "barrier %d", which);
  if (threads % 32) stop(w, i, 0, "a barrier of %d threads", threads);
  w.barrier = which;
  w.barrier_warps = threads ? threads / 32 : static_cast<int>(w.cta->warps.size());
  w.state = State::kBarrier;
}

void barrier(Warp &w, const Instruction &i, Mask m) {
  need_all(w, i, m);
  w.vote_result = Operand();
  const int threads = i.n > 1 ? static_cast<int>(*in<uint32_t>(w, i.o[1])) : 0;
  wait_at_barrier(w, i, static_cast<int>(*in<uint32_t>(w, i.o[0])), threads);
}

// bar.red.or.pred p, a, q
void barrier_vote(Warp &w, const Instruction &i, Mask m) {
  need_all(w, i, m);
  w.vote_result = i.o[0];
  const Mask vote = predicate(w, i.o[2]) & m;
  w.vote = vote != 0;
  wait_at_barrier(w, i, static_cast<int>(*in<uint32_t>(w, i.o[1])), 0);
}

void need_mask(const Warp &w, const Instruction &i, Mask m, Mask named) {
  if (named == m) return;
  const Mask wrong = named ^ m;
  stop(w, i, __builtin_ctz(wrong), "%s names the lanes %08x and is met by %08x", i.name.c_str(), named, m);
}

void warp_barrier(Warp &w, const Instruction &i, Mask m) {
  need_mask(w, i, m, in<uint32_t>(w, i.o[0])[__builtin_ctz(m)] & w.exist);
}

void trap(Warp &w, const Instruction &i, Mask m) {
  stop(w, i, __builtin_ctz(m), "trap");
}

// ---- warps -----------------------------------------------------------------------------------------------------------

enum class Shuffle { kUp, kDown, kButterfly, kIndex };

// shfl.sync d|p, a, b, c, mask. c: the clamp, and above it the mask of segments.
template <Shuffle kind>
void shuffle(Warp &w, const Instruction &i, Mask m) {
  const int first_in = i.n_out;
  uint32_t a[kLanes], d[kLanes];
  memcpy(a, in<uint32_t>(w, i.o[first_in]), sizeof a);
  const uint32_t *b = in<uint32_t>(w, i.o[first_in + 1]), *c = in<uint32_t>(w, i.o[first_in + 2]);
  need_mask(w, i, m, in<uint32_t>(w, i.o[first_in + 3])[__builtin_ctz(m)]);
  Mask inside = 0;

  for (int lane = 0; lane < kLanes; ++lane) {
    const int by = static_cast<int>(b[lane] & 31), clamp = static_cast<int>(c[lane] & 31),
              segment = static_cast<int>(c[lane] >> 8 & 31);
    const int most = (lane & segment) | (clamp & ~segment), least = lane & segment;
    int from;
    bool valid;
    switch (kind) {
      case Shuffle::kUp:
        from = lane - by;
        valid = from >= most;
        break;
      case Shuffle::kDown:
        from = lane + by;
        valid = from <= most;
        break;
      case Shuffle::kButterfly:
        from = lane ^ by;
        valid = from <= most;
        break;
      default:
        from = least | (by & ~segment);
        valid = from <= most;
    }
    if (!valid) from = lane;
    inside |= valid ? 1u << lane : 0;
    if (m >> lane & 1 && !(m >> from & 1)) stop(w, i, lane, "a shuffle from lane %d, which takes no part", from);
    d[lane] = a[from];
  }

  uint32_t *result = out<uint32_t>(w, i.o[0]);
  PTX_EACH_LANE(l, m) result[l] = d[l];
  if (first_in == 2) set_predicate(w, i.o[1], inside, m);
}

enum class Vote { kAny, kAll, kUniform, kBallot };

template <Vote kind>
void vote(Warp &w, const Instruction &i, Mask m) {
  need_mask(w, i, m, in<uint32_t>(w, i.o[2])[__builtin_ctz(m)]);
  const Mask votes = predicate(w, i.o[1]) & m;
  if (kind == Vote::kBallot) {
    uint32_t *d = out<uint32_t>(w, i.o[0]);
    PTX_EACH_LANE(l, m) d[l] = votes;
    return;
  }
  const bool result = kind == Vote::kAny ? votes != 0 : kind == Vote::kAll ? votes == m : votes == m || votes == 0;
  set_predicate(w, i.o[0], result ? kAll : 0, m);
}

struct RedAdd {
  static uint32_t f(uint32_t a, uint32_t b) {
    return a + b;
  }
};
struct RedMin {
  static uint32_t f(uint32_t a, uint32_t b) {
    return std::min(a, b);
  }
};
struct RedMax {
  static uint32_t f(uint32_t a, uint32_t b) {
    return std::max(a, b);
  }
};
struct RedMinS {
  static uint32_t f(uint32_t a, uint32_t b) {
    return static_cast<uint32_t>(std::min(static_cast<int32_t>(a), static_cast<int32_t>(b)));
  }
};
struct RedMaxS {
  static uint32_t f(uint32_t a, uint32_t b) {
    return static_cast<uint32_t>(std::max(static_cast<int32_t>(a), static_cast<int32_t>(b)));
  }
};
struct RedAnd {
  static uint32_t f(uint32_t a, uint32_t b) {
    return a & b;
  }
};
struct RedOr {
  static uint32_t f(uint32_t a, uint32_t b) {
    return a | b;
  }
};
struct RedXor {
  static uint32_t f(uint32_t a, uint32_t b) {
    return a ^ b;
  }
};

template <class F>
void reduce(Warp &w, const Instruction &i, Mask m) {
  need_mask(w, i, m, in<uint32_t>(w, i.o[2])[__builtin_ctz(m)]);
  const uint32_t *a = in<uint32_t>(w, i.o[1]);
  uint32_t result = a[__builtin_ctz(m)];
  PTX_EACH_LANE(l, m & (m - 1)) result = F::f(result, a[l]);
  uint32_t *d = out<uint32_t>(w, i.o[0]);
  PTX_EACH_LANE(l, m) d[l] = result;
}

void active_mask(Warp &w, const Instruction &i, Mask m) {
  uint32_t *d = out<uint32_t>(w, i.o[0]);
  PTX_EACH_LANE(l, m) d[l] = m;
}

// ---- special registers -----------------------------------------------------------------------------------------------

constexpr int kClock = 14;
const char *const kSpecials[] = {"%tid.x",    "%tid.y",    "%tid.z",   "%ntid.x",  "%ntid.y",
                                 "%ntid.z",   "%ctaid.x",  "%ctaid.y", "%ctaid.z", "%nctaid.x",
                                 "%nctaid.y", "%nctaid.z", "%laneid",  "%warpid",  "%clock64"};

uint32_t special(const Warp &w, int which, uint32_t lane) {
  const Launch &launch = *w.cta->grid->launch;
  const uint32_t rank = static_cast<uint32_t>(w.rank) * kLanes + lane;
  const dim3 block = launch.block, grid = launch.grid;
  const uint3 cta = w.cta->index;

  // In the order of kSpecials.
  const uint32_t values[] = {rank % block.x,
                             rank / block.x % block.y,
                             rank / block.x / block.y,
                             block.x,
                             block.y,
                             block.z,
                             cta.x,
                             cta.y,
                             cta.z,
                             grid.x,
                             grid.y,
                             grid.z,
                             lane,
                             static_cast<uint32_t>(w.rank)};
  return values[which];
}

void read_special(Warp &w, const Instruction &i, Mask m) {
  const int which = static_cast<int>(i.offset);
  if (which == kClock) {
    const uint64_t clock = read_clock(w);
    uint64_t *d = out<uint64_t>(w, i.o[0]);
    PTX_EACH_LANE(l, m) d[l] = clock;
    return;
  }
  uint32_t *d = out<uint32_t>(w, i.o[0]);
  PTX_EACH_LANE(l, m) d[l] = special(w, which, l);
}

void decode_call(Decoder &d, const std::vector<Written> &w, Instruction *i) {
  std::vector<std::string> results, arguments;
  size_t k = 0;
  if (w.at(k).kind == Written::kList) results = w[k++].words;
  const std::string &name = w.at(k++).words.at(0);
  if (k < w.size() && w[k].kind == Written::kList) arguments = w[k].words;

  const auto found = d.module().functions.find(name);
  if (found == d.module().functions.end()) d.fail("a call of %s, which is not declared", name.c_str());
  i->callee = found->second.get();
  d.function().callees.push_back(i->callee);

  if (results.size() > 1) d.fail("a call with %zu results", results.size());
  i->has_result = !results.empty();

  // Places in the callee are known when it has been read.
  std::vector<Passed> passed;
  for (const auto *list : {&results, &arguments}) {
    for (const std::string &word : *list) {
      Param param;
      if (!d.find_param(word, &param)) d.fail("'%s' is no parameter", word.c_str());
      passed.push_back({param.at, -1, (param.bytes + 3) / 4 * 4, param.id, -1});
    }
  }
  d.function().calls.push_back(passed);
  i->passed = &d.function().calls.back();
}

}  // namespace

bool decode_control(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i) {
  const std::string &base = parts[0];
  i->cls = Class::kBranch;

  if (base == "bra") {
    i->run = branch;
    i->target = d.target(w.at(0).words.at(0));
    return true;
  }
  if (base == "ret" || base == "exit") {
    i->run = branch;
    i->target = kTheEnd;
    return true;
  }
  if (base == "call") {
    if (i->guard >= 0) d.fail("a call under a guard");
    i->run = call;
    i->slots = 2;
    i->latency = 8;
    decode_call(d, w, i);
    return true;
  }
  if (base == "trap") {
    i->run = trap;
    return true;
  }

  return false;
}

bool decode_special(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i) {
  if (parts[0] != "mov" || w.size() != 2 || w[1].words.size() != 1 || w[1].words[0][0] != '%') return false;
  for (int k = 0; k <= kClock; ++k) {
    if (w[1].words[0] != kSpecials[k]) continue;
    d.add(i, d.operand(w[0].words.at(0), k == kClock ? 8 : 4), true);
    i->run = read_special;
    i->offset = k;
    i->reads_clock = k == kClock;
    i->cls = Class::kInteger;
    i->latency = k == kClock ? 12 : 20;
    return true;
  }
  return false;
}

// Sinks ("_") are not used by these.
const std::vector<Spec> kWarpSpecs = {
    {"shfl.sync.bfly.b32", "rp=rrrr", shuffle<Shuffle::kButterfly>, Class::kShuffle, 1, 24},
    {"shfl.sync.down.b32", "rp=rrrr", shuffle<Shuffle::kDown>, Class::kShuffle, 1, 24},
    {"shfl.sync.up.b32", "rp=rrrr", shuffle<Shuffle::kUp>, Class::kShuffle, 1, 24},
    {"shfl.sync.idx.b32", "rp=rrrr", shuffle<Shuffle::kIndex>, Class::kShuffle, 1, 24},
    {"shfl.sync.bfly.b32", "r=rrrr", shuffle<Shuffle::kButterfly>, Class::kShuffle, 1, 24},
    {"shfl.sync.down.b32", "r=rrrr", shuffle<Shuffle::kDown>, Class::kShuffle, 1, 24},
    {"shfl.sync.up.b32", "r=rrrr", shuffle<Shuffle::kUp>, Class::kShuffle, 1, 24},
    {"shfl.sync.idx.b32", "r=rrrr", shuffle<Shuffle::kIndex>, Class::kShuffle, 1, 24},
    {"vote.sync.any.pred", "p=pr", vote<Vote::kAny>, Class::kShuffle, 1, 12},
    {"vote.sync.all.pred", "p=pr", vote<Vote::kAll>, Class::kShuffle, 1, 12},
    {"vote.sync.uni.pred", "p=pr", vote<Vote::kUniform>, Class::kShuffle, 1, 12},
    {"vote.sync.ballot.b32", "r=pr", vote<Vote::kBallot>, Class::kShuffle, 1, 12},
    {"redux.sync.add.u32", "r=rr", reduce<RedAdd>, Class::kShuffle, 1, 24},
    {"redux.sync.add.s32", "r=rr", reduce<RedAdd>, Class::kShuffle, 1, 24},
    {"redux.sync.min.u32", "r=rr", reduce<RedMin>, Class::kShuffle, 1, 24},
    {"redux.sync.max.u32", "r=rr", reduce<RedMax>, Class::kShuffle, 1, 24},
    {"redux.sync.min.s32", "r=rr", reduce<RedMinS>, Class::kShuffle, 1, 24},
    {"redux.sync.max.s32", "r=rr", reduce<RedMaxS>, Class::kShuffle, 1, 24},
    {"redux.sync.and.b32", "r=rr", reduce<RedAnd>, Class::kShuffle, 1, 24},
    {"redux.sync.or.b32", "r=rr", reduce<RedOr>, Class::kShuffle, 1, 24},
    {"redux.sync.xor.b32", "r=rr", reduce<RedXor>, Class::kShuffle, 1, 24},
    {"activemask.b32", "r=", active_mask, Class::kInteger, 1, 12},
    {"bar.sync", "=r", barrier, Class::kBarrier, 1, 0},
    {"bar.sync", "=rr", barrier, Class::kBarrier, 1, 0},
    {"barrier.sync", "=r", barrier, Class::kBarrier, 1, 0},
    {"bar.red.or.pred", "p=rp", barrier_vote, Class::kBarrier, 1, 0},
    {"bar.warp.sync", "=r", warp_barrier, Class::kBarrier, 1, 4},
};

}  // namespace emu::ptx
