// Asynchronous copies, mbarriers and fences. As elsewhere on the emulated device a copy is made as late as the program
// allows: until somebody has waited for it the destination holds NaN bytes.
#include <algorithm>

#include "count.h"
#include "decode.h"
#include "machine.h"

namespace emu::ptx {

namespace {

// ---- cp.async --------------------------------------------------------------------------------------------------------

// cp.async.ca.shared.global [to], [from], bytes, bytes of the source; the rest is zeros.
void copy_async(Warp &w, const Instruction &i, Mask m) {
  Places to, from;
  const uint32_t *n_from = i.n > 2 ? in<uint32_t>(w, i.o[2]) : nullptr;
  locate(w, i, m, i.o[0], i.offset, Space::kShared, i.bytes, &to);

  Mask reads = 0;
  PTX_EACH_LANE(l, m) {
    const uint32_t n = n_from ? n_from[l] : i.bytes;
    if (n > i.bytes) stop(w, i, static_cast<int>(l), "cp.async of %u bytes from %u", i.bytes, n);
    reads |= n ? 1u << l : 0;
  }
  // A copy of no bytes reads none, wherever its source lies.
  if (reads) locate(w, i, reads, i.o[1], i.offset_from, Space::kGlobal, i.bytes, &from);
  note_copy(w, i, m, to, reads, from);

  PTX_EACH_LANE(l, m) {
    memset(to.at[l], 0xff, i.bytes);
    const uint32_t n = n_from ? n_from[l] : i.bytes;
    w.copies.push_back({to.at[l], n ? from.at[l] : nullptr, i.bytes, static_cast<uint8_t>(n), static_cast<uint8_t>(l),
                        w.open_group[l]});
  }
}

void commit(Warp &w, const Instruction &, Mask m) {
  PTX_EACH_LANE(l, m)++ w.open_group[l];
}

// Each lane has groups of its own.
void wait_for(Warp &w, Mask m, int pending) {
  auto kept = w.copies.begin();
  for (const AsyncCopy &copy : w.copies) {
    if (!(m >> copy.lane & 1) || copy.group >= w.open_group[copy.lane] - pending) {
      *kept++ = copy;
      continue;
    }
    if (copy.from_bytes) memcpy(copy.to, copy.from, copy.from_bytes);
    memset(copy.to + copy.from_bytes, 0, static_cast<size_t>(copy.bytes - copy.from_bytes));
  }
  w.copies.erase(kept, w.copies.end());
}

void wait_group(Warp &w, const Instruction &i, Mask m) {
  wait_for(w, m, static_cast<int>(i.offset));
  note_wait(w, static_cast<int>(i.offset));
}

void wait_all(Warp &w, const Instruction &i, Mask m) {
  commit(w, i, m);
  wait_for(w, m, 0);
  note_wait(w, 0);
}

// ---- mbarrier --------------------------------------------------------------------------------------------------------

struct MBarrier {  // the 64 bits of the object
  uint64_t phase : 1, pending : 12, expected : 12, bytes : 36, magic : 3;
};
static_assert(sizeof(MBarrier) == 8);
constexpr unsigned kMagic = 5;

// One lane works on a barrier.
int only_lane(const Warp &w, const Instruction &i, Mask m) {
  if (m & (m - 1)) stop(w, i, __builtin_ctz(m), "%s by the lanes %08x; one is expected", i.name.c_str(), m);
  return __builtin_ctz(m);
}

MBarrier read_barrier(Warp &w, const Instruction &i, int lane, uint32_t address) {
  MBarrier value;
  memcpy(&value, locate_shared(w, i, lane, address, 8), 8);
  if (value.magic != kMagic) stop(w, i, lane, "an mbarrier before its init");
  return value;
}

void write_barrier(Warp &w, const Instruction &i, int lane, uint32_t address, MBarrier value) {
  if (value.pending == 0 && value.bytes == 0) {
    value.phase ^= 1;
    value.pending = value.expected;
  }
  memcpy(locate_shared(w, i, lane, address, 8), &value, 8);
  note_change(w);
}

uint32_t address_of(const Warp &w, const Instruction &i, int which, int lane) {
  return in<uint32_t>(w, i.o[which])[lane] + static_cast<uint32_t>(i.offset);
}

void barrier_init(Warp &w, const Instruction &i, Mask m) {
  const int lane = only_lane(w, i, m);
  MBarrier value = {};
  value.pending = value.expected = in<uint32_t>(w, i.o[1])[lane] & 4095;
  value.magic = kMagic;
  memcpy(locate_shared(w, i, lane, address_of(w, i, 0, lane), 8), &value, 8);
}

void barrier_arrive(Warp &w, const Instruction &i, Mask m) {
  const int lane = only_lane(w, i, m);
  const uint32_t address = address_of(w, i, 0, lane);
  MBarrier value = read_barrier(w, i, lane, address);
  if (value.pending == 0) stop(w, i, lane, "more arrivals than the mbarrier expects");
  value.bytes += in<uint32_t>(w, i.o[1])[lane];
  value.pending -= 1;
  write_barrier(w, i, lane, address, value);
}

// Completes one of the barrier's copies, if there is one.
void run_copy(Warp &w, const Instruction &i, int lane, uint32_t barrier) {
  auto &copies = w.cta->bulk_copies;
  const auto found =
      std::find_if(copies.begin(), copies.end(), [&](const BulkCopy &copy) { return copy.barrier == barrier; });
  if (found == copies.end()) return;
  const BulkCopy copy = *found;
  copies.erase(found);

  MBarrier value = read_barrier(w, i, lane, barrier);
  if (value.bytes < copy.bytes) {
    stop(w, i, lane, "%u bytes arrive, %u are expected", copy.bytes, static_cast<unsigned>(value.bytes));
  }
  memcpy(copy.to, copy.from, copy.bytes);
  value.bytes -= copy.bytes;
  write_barrier(w, i, lane, barrier, value);
}

// mbarrier.try_wait.parity p, [barrier], parity; lanes may wait for the same barrier.
void barrier_try_wait(Warp &w, const Instruction &i, Mask m) {
  Mask done = 0;
  PTX_EACH_LANE(l, m) {
    const int lane = static_cast<int>(l);
    const uint32_t address = address_of(w, i, 1, lane), parity = in<uint32_t>(w, i.o[2])[lane];
    if (read_barrier(w, i, lane, address).phase == parity) run_copy(w, i, lane, address);
    if (read_barrier(w, i, lane, address).phase != parity) done |= 1u << l;
  }
  set_predicate(w, i.o[0], done, m);
  w.state = State::kYield;
}

// cp.async.bulk [to], [from], bytes, [barrier]
void copy_bulk(Warp &w, const Instruction &i, Mask m) {
  const int lane = only_lane(w, i, m);
  const uint32_t n = in<uint32_t>(w, i.o[2])[lane];
  if (n % 16) stop(w, i, lane, "a bulk copy of %u bytes", n);
  if (n == 0) return;

  // Both ends of each range.
  const uint32_t to = in<uint32_t>(w, i.o[0])[lane] + static_cast<uint32_t>(i.offset);
  char *const destination = locate_shared(w, i, lane, to, 16);
  locate_shared(w, i, lane, to + n - 16, 16);
  Places from, last;
  locate(w, i, m, i.o[1], i.offset_from, Space::kGlobal, 16, &from);
  locate(w, i, m, i.o[1], i.offset_from + n - 16, Space::kGlobal, 16, &last);

  memset(destination, 0xff, n);
  w.cta->bulk_copies.push_back({destination, from.at[lane], in<uint32_t>(w, i.o[3])[lane], n});
}

void fence(Warp &w, const Instruction &, Mask) {
  note_fence(w);
}

// ---- decoding --------------------------------------------------------------------------------------------------------

bool decode_copy(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i) {
  i->cls = Class::kBarrier;
  i->latency = 0;
  const std::string &kind = parts.at(2);
  if (kind == "commit_group") {
    i->run = commit;
    return true;
  }
  if (kind == "wait_group" || kind == "wait_all") {
    i->run = kind == "wait_all" ? wait_all : wait_group;
    i->offset = kind == "wait_all" ? 0 : d.integer(w.at(0).words.at(0));
    return true;
  }

  i->cls = Class::kAsyncCopy;
  d.address(w.at(0), i);
  const int64_t offset = i->offset;
  d.address(w.at(1), i);
  i->offset_from = i->offset;
  i->offset = offset;
  if (kind == "bulk") {
    d.add(i, d.operand(w.at(2).words.at(0), 4), false);
    const Written &barrier = w.at(3);
    if (barrier.offset) d.fail("an mbarrier with an offset");
    d.add(i, d.operand(barrier.words.at(0), 4), false);
    i->run = copy_bulk;
    return true;
  }

  if (kind != "ca" && kind != "cg") return false;
  i->coherent = kind == "ca";  // through the first cache
  i->bytes = static_cast<uint8_t>(d.integer(w.at(2).words.at(0)));
  if (i->bytes != 4 && i->bytes != 8 && i->bytes != 16) d.fail("cp.async of %d bytes", i->bytes);
  if (w.size() > 3) d.add(i, d.operand(w[3].words.at(0), 4), false);
  i->run = copy_async;
  return true;
}

bool decode_mbarrier(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i) {
  i->cls = Class::kBarrier;
  const std::string &kind = parts.at(1);
  if (kind == "init") {
    i->run = barrier_init;
    d.address(w.at(0), i);
    d.add(i, d.operand(w.at(1).words.at(0), 4), false);
    return true;
  }
  if (kind == "arrive" && parts.at(2) == "expect_tx" && w.at(0).words.at(0) == "_") {
    i->run = barrier_arrive;
    d.address(w.at(1), i);
    d.add(i, d.operand(w.at(2).words.at(0), 4), false);
    return true;
  }

  if (kind == "try_wait" && parts.at(2) == "parity") {
    i->run = barrier_try_wait;
    i->latency = 20;
    d.add(i, d.operand(w.at(0).words.at(0), 0), true);
    d.address(w.at(1), i);
    d.add(i, d.operand(w.at(2).words.at(0), 4), false);
    return true;
  }
  return false;
}

}  // namespace

void async_warp_exits(Warp &w) {
  if (!w.copies.empty()) stop(w, w.here(), 0, "the warp ends with %zu copies never waited for", w.copies.size());
}

bool decode_async(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i) {
  if (parts[0] == "cp" && parts.size() > 2 && parts[1] == "async") return decode_copy(d, parts, w, i);
  if (parts[0] == "mbarrier" && parts.size() > 2) return decode_mbarrier(d, parts, w, i);
  if (parts[0] == "fence" || parts[0] == "membar") {
    i->run = fence;
    i->cls = Class::kBarrier;
    i->latency = 0;
    return true;
  }
  return false;
}

}  // namespace emu::ptx
