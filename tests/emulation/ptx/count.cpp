// Counts and clocks. The clock of a warp is that of a machine which it has for itself: an instruction is issued when its
// operands are there, its result can be read after its latency. The order of the PTX is not that of the machine's code:
// within a block, from a label, branch, call or barrier to the next, an instruction is issued as soon as it can be, but
// no store before an earlier access, no load before an earlier store; blocks follow each other. Warps meet at barriers;
// a poll ends when what it waits for has been stored and can be seen.
#include "count.h"

#include <algorithm>
#include <cstring>

#include "rates.h"

namespace emu::ptx {

namespace {

constexpr size_t kKept = 16;  // launches

bool wanted;
std::vector<LaunchCounts> launches;
uint32_t n_launches;
std::unordered_map<uint64_t, uint64_t> released;  // by address: when what was stored last can be seen

const char *const kNames[] = {"fma",
                              "other 32",
                              "integer",
                              "float64",
                              "divisions",
                              "lds",
                              "sts",
                              "ldg",
                              "stg",
                              "cp.async",
                              "atomics",
                              "branches",
                              "shuffles",
                              "barrier",
                              "free",
                              "slots",
                              "integer slots",
                              "float64 slots",
                              "wavefronts",
                              "sectors loaded",
                              "sectors from L2",
                              "sectors again",
                              "sectors stored",
                              "bytes loaded",
                              "bytes stored",
                              "barriers",
                              "fences",
                              "acquires",
                              "calls",
                              "touched"};
static_assert(sizeof kNames / sizeof *kNames == kCounts);

void add(Counts &to, const Counts &what) {
  for (size_t k = 0; k < kCounts; ++k) to[k] += what[k];
}

void flush(WarpCounts &c) {
  add(c.sum, c.since_poll);
  c.since_poll = {};
  c.poll = nullptr;
}

size_t interval_of(const Warp &w) {
  return w.counts->marks.size();
}

void touch(Warp &w, const Instruction &i) {
  CtaCounts &cta = *w.cta->counts;
  const size_t at = interval_of(w);
  if (cta.touched.size() <= at) cta.touched.resize(at + 1);
  if (cta.touched[at].empty()) cta.touched[at].resize(static_cast<size_t>(w.cta->grid->module->n_instructions));
  const int number = w.frames.back().function->first_instruction + i.index;
  cta.touched[at][static_cast<size_t>(number)] = true;
}

// ---- sectors -------------------------------------------------------------------------------------------------------

// The different sectors of an access.
unsigned sectors(Mask m, const Places &places, unsigned bytes, uint64_t *found) {
  unsigned n = 0;
  PTX_EACH_LANE(l, m) {
    for (uint64_t at = places.address[l] / 32; at <= (places.address[l] + bytes - 1) / 32; ++at) {
      if (std::find(found, found + n, at) == found + n) found[n++] = at;
    }
  }
  return n;
}

// Counts what comes from L2; returns whether anything did. cached: the first cache may have it.
bool read_sectors(Warp &w, Mask m, const Places &places, unsigned bytes, bool cached) {
  uint64_t found[2 * kLanes];
  const unsigned n = sectors(m, places, bytes, found);
  CtaCounts &cta = *w.cta->counts;
  Counts &c = w.counts->since_poll;
  c[kSectorsLoaded] += n;
  c[kBytesLoaded] += static_cast<uint64_t>(__builtin_popcount(m)) * bytes;

  bool any = false;
  const auto interval = static_cast<uint32_t>(interval_of(w)) + 1;
  for (unsigned k = 0; k < n; ++k) {
    if (cached) {
      uint32_t &when = cta.cached[found[k]];
      if (when == cta.flushes) continue;
      when = cta.flushes;
    }
    any = true;
    ++c[kSectorsFromL2];
    uint32_t &last = cta.read[found[k]];
    c[kSectorsAgain] += last == interval;
    last = interval;
  }
  return any;
}

}  // namespace

const char *count_name(Count count) {
  return kNames[count];
}

void count_launches(bool on) {
  wanted = on;
}

bool counting() {
  return wanted;
}

const std::vector<LaunchCounts> &launch_counts() {
  return launches;
}

void forget_launch_counts() {
  launches.clear();
}

MarkId mark_of(uint64_t clock) {
  return {static_cast<uint32_t>(clock >> 20), static_cast<uint32_t>(clock & 0xfffff)};
}

uint64_t read_clock(Warp &w) {
  if (!wanted) return counters().switches;
  const size_t n = w.counts->marks.size();
  return uint64_t(launches.back().id) << 20 | (n ? n - 1 : 0);
}

// ---- launches ------------------------------------------------------------------------------------------------------

void note_launch(Grid &grid) {
  if (!wanted) return;
  if (launches.size() == kKept) launches.erase(launches.begin());
  launches.emplace_back();
  LaunchCounts &launch = launches.back();
  launch.kernel = grid.kernel->name;
  launch.id = ++n_launches;
  launch.n_instructions = static_cast<uint64_t>(grid.module->n_instructions);
  for (const auto &entry : grid.module->functions) {
    for (const Instruction &i : entry.second->code) launch.n_slots += i.slots;
  }
  released.clear();
}

void note_cta(Cta &cta) {
  if (!wanted) return;
  cta.counts.reset(new CtaCounts());
  for (Warp &w : cta.warps) w.counts.reset(new WarpCounts());
}

namespace {

// The warps of a CTA together, by the marks of the first, whose thread reads the clock. Where the compiler has led the
// others around a mark, they count as being at their next one.
std::vector<Interval> gather(const Cta &cta) {
  const auto &first = cta.warps.front().counts->marks;
  const size_t n = first.size();
  std::vector<Interval> intervals(n + 1);

  for (const Warp &w : cta.warps) {
    const auto &marks = w.counts->marks;
    const WarpMark last = {w.counts->sum, w.clock, 0};
    Counts before{};
    size_t at = 0;

    for (size_t k = 0; k <= n; ++k) {
      const WarpMark &mark = k < n && at < marks.size() ? marks[at] : last;
      if (k < n && mark.line == first[k].line) ++at;
      for (size_t c = 0; c < kCounts; ++c) intervals[k].counts[c] += mark.counts[c] - before[c];
      before = mark.counts;
      intervals[k].end = std::max(intervals[k].end, mark.clock);
    }
  }

  for (size_t k = 0; k <= n; ++k) {
    if (k > 0) intervals[k].begin = intervals[k - 1].end;
    if (k >= cta.counts->touched.size()) continue;
    const auto &touched = cta.counts->touched[k];
    intervals[k].counts[kTouched] = static_cast<uint64_t>(std::count(touched.begin(), touched.end(), true));
  }
  return intervals;
}

}  // namespace

void note_end(Grid &grid) {
  if (!wanted) return;
  for (const auto &cta : grid.ctas) launches.back().ctas.push_back(gather(*cta));
}

namespace {

// The clock moves to the end of the block.
void end_block(Warp &w) {
  WarpCounts &c = *w.counts;
  w.clock = std::max(w.clock + c.slots, c.latest);
  c.slots = c.latest = c.last_store = c.last_load = 0;
}

bool is_load(const Instruction &i) {
  return i.cls == Class::kSharedLoad || i.cls == Class::kGlobalLoad;
}
bool is_store(const Instruction &i) {
  return i.cls == Class::kSharedStore || i.cls == Class::kGlobalStore || i.cls == Class::kAtomic ||
         i.cls == Class::kAsyncCopy;
}

}  // namespace

void note_exit(Warp &w) {
  if (wanted) flush(*w.counts);
}

// ---- instructions --------------------------------------------------------------------------------------------------

void before_instruction(Warp &w, const Instruction &i, Mask m) {
  WarpCounts &c = *w.counts;
  if (i.begins_block || i.marks) end_block(w);
  if (i.marks) {
    flush(c);
    c.marks.push_back({c.sum, w.clock, i.line});
  }

  const uint64_t *ready = c.ready.data() + w.frames.back().first_ready;
  uint64_t when = 0;
  for (int k = i.n_out; k < i.n; ++k) {
    if (i.o[k].id >= 0) when = std::max(when, ready[i.o[k].id]);
  }
  if (i.guard_id >= 0) when = std::max(when, ready[i.guard_id]);
  if (i.param_id >= 0 && i.n_out > 0) when = std::max(when, ready[i.param_id]);

  // What takes no instruction waits for nothing: its result is there when its operands are.
  c.issue = i.slots == 0 ? when : std::max(w.clock + c.slots, when);
  if (is_load(i)) c.issue = std::max(c.issue, c.last_store);
  if (is_store(i)) c.issue = std::max({c.issue, c.last_store, c.last_load});
  if (i.ends_block) {
    c.latest = std::max(c.latest, c.issue);
    end_block(w);
    c.issue = w.clock;
  }
  c.memory_latency = 0;
  if (is_load(i) && polls(i.order) && m) {
    if (c.poll == &i) {
      c.since_poll = {};
      c.issue = w.clock = c.poll_clock;
    } else {
      flush(c);
      c.poll = &i;
      c.poll_clock = c.issue;
      c.seen_at = 0;
      ++c.sum[kAcquires];
    }
  }

  touch(w, i);
  ++c.since_poll[static_cast<size_t>(i.cls)];
  c.since_poll[kSlots] += i.slots;
  if (i.cls == Class::kInteger) c.since_poll[kIntegerSlots] += i.slots;
  if (i.cls == Class::kFloat64 || i.is_double) c.since_poll[kFloat64Slots] += i.slots;
  if (i.callee) ++c.since_poll[kCalls];
}

void after_instruction(Warp &w, const Instruction &i, size_t first_ready) {
  WarpCounts &c = *w.counts;
  uint64_t *const ready = c.ready.data() + first_ready;
  uint64_t done = c.issue;
  if (i.slots > 0) {
    c.slots += i.slots;
    c.latest = std::max(c.latest, c.issue + i.slots);
    if (is_load(i)) c.last_load = std::max(c.last_load, c.issue);
    if (is_store(i)) c.last_store = std::max(c.last_store, c.issue);
    done = c.issue + i.slots - 1 + i.latency + c.memory_latency;
    if (is_load(i) && polls(i.order)) done = std::max(done, c.seen_at + kLatencies.l2);
    if (i.ends_block) end_block(w);
  }
  for (int k = 0; k < i.n_out; ++k) {
    if (i.o[k].id >= 0) ready[i.o[k].id] = done;
  }
  if (i.param_id >= 0 && i.n_out == 0) ready[i.param_id] = done;
}

void note_frame(Warp &w) {
  if (!wanted) return;
  const Frame &frame = w.frames.back();
  auto &ready = w.counts->ready;
  ready.resize(std::max(ready.size(), frame.first_ready + static_cast<size_t>(frame.function->n_registers)));
}

void note_call(Warp &w, const Instruction &i) {
  if (!wanted) return;
  const Frame &callee = w.frames.back(), &caller = w.frames[w.frames.size() - 2];
  for (size_t k = i.has_result; k < i.passed->size(); ++k) {
    const Passed &p = (*i.passed)[k];
    w.counts->ready[callee.first_ready + static_cast<size_t>(p.formal_id)] =
        w.counts->ready[caller.first_ready + static_cast<size_t>(p.actual_id)];
  }
}

void note_return(Warp &w, const Frame &callee) {
  if (!wanted) return;
  const Passed &p = callee.call->passed->front();
  w.counts->ready[w.frames.back().first_ready + static_cast<size_t>(p.actual_id)] =
      w.counts->ready[callee.first_ready + static_cast<size_t>(p.formal_id)];
}

void note_barrier(Cta &cta, int barrier) {
  if (!wanted) return;
  uint64_t last = 0;
  for (const Warp &w : cta.warps) {
    if (w.state == State::kBarrier && w.barrier == barrier) last = std::max(last, w.clock);
  }

  bool first = true;
  for (Warp &w : cta.warps) {
    if (w.state != State::kBarrier || w.barrier != barrier) continue;
    w.clock = last + kLatencies.barrier;
    w.counts->since_poll[kBarriers] += first;
    flush(*w.counts);
    first = false;
  }
}

// ---- memory --------------------------------------------------------------------------------------------------------

void note_access(Warp &w, const Instruction &i, Mask m, const Places &places, Access access) {
  if (!wanted) return;
  WarpCounts &c = *w.counts;
  if (places.is_shared) {
    const unsigned n = access == Access::kAtomic ? static_cast<unsigned>(__builtin_popcount(m))
                                                 : wavefronts(m, places.address, i.bytes);
    c.since_poll[kWavefronts] += n;
    c.memory_latency = (access == Access::kAtomic ? kLatencies.shared_atomic : kLatencies.shared) + n - 1;
    return;
  }

  if (access != Access::kLoad) {
    uint64_t found[2 * kLanes];
    c.since_poll[kSectorsStored] += sectors(m, places, i.bytes, found);
    c.since_poll[kBytesStored] += static_cast<uint64_t>(__builtin_popcount(m)) * i.bytes;
    if (i.order == Ordering::kRelease || i.order == Ordering::kBoth) {
      ++c.since_poll[kFences];
      w.clock = c.issue + kLatencies.fence;
      PTX_EACH_LANE(l, m) released[places.address[l]] = w.clock + kLatencies.store;
    } else if (i.order == Ordering::kStrong) {
      PTX_EACH_LANE(l, m) released[places.address[l]] = c.issue + kLatencies.store;
    }
    c.memory_latency = kLatencies.l2;
    return;
  }

  const bool cached = i.order == Ordering::kPlain && i.coherent;
  c.memory_latency = read_sectors(w, m, places, i.bytes, cached) ? kLatencies.l2 : kLatencies.l1;
  if (!polls(i.order)) return;
  if (i.order == Ordering::kAcquire) ++w.cta->counts->flushes;
  PTX_EACH_LANE(l, m) {
    const auto found = released.find(places.address[l]);
    if (found != released.end()) c.seen_at = std::max(c.seen_at, found->second);
  }
}

void note_copy(Warp &w, const Instruction &i, Mask m, const Places &to, Mask reads, const Places &from) {
  if (!wanted) return;
  WarpCounts &c = *w.counts;
  c.since_poll[kWavefronts] += wavefronts(m, to.address, i.bytes);
  const bool missed = reads && read_sectors(w, reads, from, i.bytes, i.coherent);
  c.open_copies = std::max(c.open_copies, c.issue + (missed ? kLatencies.l2 : kLatencies.l1));
}

void note_commit(Warp &w) {
  if (!wanted) return;
  w.counts->groups.push_back(w.counts->open_copies);
  w.counts->open_copies = 0;
}

void note_wait(Warp &w, int pending) {
  if (!wanted) return;
  auto &groups = w.counts->groups;
  while (groups.size() > static_cast<size_t>(pending)) {
    w.clock = std::max(w.clock, groups.front());
    groups.pop_front();
  }
}

void note_fence(Warp &w) {
  if (!wanted) return;
  ++w.counts->since_poll[kFences];
  w.clock += kLatencies.fence;
}

}  // namespace emu::ptx
