// The counting of counts.h as a launch runs. Nothing happens unless it is wanted.
#pragma once
#include <deque>
#include <unordered_map>

#include "counts.h"
#include "machine.h"

namespace emu::ptx {

struct WarpMark {
  Counts counts;
  uint64_t clock;
  int line;  // of the PTX
};

struct WarpCounts {
  Counts sum{}, since_poll{};  // since_poll is dropped when the poll is made again
  std::vector<WarpMark> marks;
  std::vector<uint64_t> ready;  // of each register: the clock at which it can be read
  const Instruction *poll = nullptr;
  uint64_t poll_clock = 0;  // when the first poll was made
  uint64_t seen_at = 0;     // when what was polled for could be seen
  uint64_t issue = 0;       // of the instruction at hand
  // The block at hand began at the warp's clock. What has been issued since:
  uint64_t slots = 0, latest = 0, last_store = 0, last_load = 0;
  unsigned memory_latency = 0;
  uint64_t open_copies = 0;  // when those of the open group are there
  std::deque<uint64_t> groups;
};

struct CtaCounts {
  std::unordered_map<uint64_t, uint32_t> read;    // sectors from L2: the interval in which they were read last
  std::unordered_map<uint64_t, uint32_t> cached;  // sectors in the first cache: the flush after which they came
  uint32_t flushes = 1;
  std::vector<std::vector<bool>> touched;  // of each interval
};

enum class Access { kLoad, kStore, kAtomic };

bool counting();

void note_launch(Grid &grid);
void note_cta(Cta &cta);
void note_end(Grid &grid);  // of the resident CTAs
void note_frame(Warp &w);
void note_exit(Warp &w);
void note_barrier(Cta &cta, int barrier);
void note_call(Warp &w, const Instruction &i);
void note_return(Warp &w, const Frame &callee);  // of a function with a result
void note_access(Warp &w, const Instruction &i, Mask m, const Places &places, Access access);
void note_copy(Warp &w, const Instruction &i, Mask m, const Places &to, Mask reads, const Places &from);
void note_commit(Warp &w);
void note_wait(Warp &w, int pending);  // cp.async.wait_group
void note_fence(Warp &w);
void before_instruction(Warp &w, const Instruction &i, Mask m);
void after_instruction(Warp &w, const Instruction &i, size_t first_ready);

// Wavefronts that an access to shared memory takes (banks.cpp).
unsigned wavefronts(Mask m, const uint64_t *addresses, unsigned bytes);

}  // namespace emu::ptx
