// What is counted of each CTA between the marks of its kernel, for the ledger.
//
// A mark is a place where a kernel reads clock64, for whatever thread: each warp notes its counts and its clock as it
// comes by. Marks are numbered in the order in which a warp meets them, and reading the clock gives mark_id.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace emu::ptx {

enum Count : int {
  // Instructions of warps, by class (program.h); divisions and square roots as one each.
  kFmaInstructions,
  kOther32Instructions,
  kIntegerInstructions,
  kFloat64Instructions,
  kDivisions,
  kSharedLoads,
  kSharedStores,
  kGlobalLoads,
  kGlobalStores,
  kAsyncCopies,
  kAtomics,
  kBranches,
  kShuffles,
  kBarrierInstructions,
  kFreeInstructions,  // those that take no instruction of the machine
  // What they take.
  kSlots,          // instructions of the machine (warps')
  kIntegerSlots,   // those of the integer pipe
  kFloat64Slots,   // those of the float64 pipe
  kWavefronts,     // of shared memory: clocks that its banks are busy
  kSectorsLoaded,  // sectors of 32 bytes that loads and copies name
  kSectorsFromL2,  // those that come from L2: not in the first cache, or past it
  kSectorsAgain,   // those of these that the CTA has read from L2 since the last mark
  kSectorsStored,
  kBytesLoaded,  // asked for by lanes
  kBytesStored,
  kBarriers,  // that the CTA has met at
  kFences,    // fences and releases
  kAcquires,  // ends of waits: polls that failed are not counted, in nothing
  kCalls,
  kTouched,  // instructions of the PTX that were run
  kCounts
};
const char *count_name(Count count);

using Counts = std::array<uint64_t, kCounts>;

// What a CTA did after one mark (or its start) and until the next.
struct Interval {
  Counts counts{};
  // The serial path: clocks of the warp that came last, had each of them the multiprocessor for itself.
  uint64_t begin = 0, end = 0;
};

struct LaunchCounts {
  std::string kernel;
  uint32_t id = 0;
  uint64_t n_instructions = 0, n_slots = 0;  // of the PTX, and what they take by the tables of slots
  std::vector<std::vector<Interval>> ctas;   // of each its intervals: the first ends at mark 0
};

void count_launches(bool wanted);
// The launches since, the latest 16 of them.
const std::vector<LaunchCounts> &launch_counts();
void forget_launch_counts();

// Of a value that a kernel read as its clock: which launch, which mark.
struct MarkId {
  uint32_t launch, mark;
};
MarkId mark_of(uint64_t clock);

}  // namespace emu::ptx
