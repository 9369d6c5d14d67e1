// What the files of the race checker share.
#pragma once
#include <cstring>

#include "../device/state.h"
#include "clock.h"

namespace emu {

enum class Access : uint8_t { kNone, kRead, kWrite, kAtomicRead, kAtomicWrite };

struct RaceThread {
  uint32_t clock = 1;
  uint32_t lanes_epoch = 0;        // the epoch of its block that lanes belongs to
  uint32_t lanes[kWarpSize] = {};  // the clocks it knows in its warp
  KnowledgeRef known;              // about other blocks; about its own since the last barrier
  KnowledgeRef last_joined;        // polls join the same again and again
  // The last fence: what later relaxed stores release, and what earlier relaxed loads have seen.
  bool fenced = false;
  uint32_t fence_epoch = 0, fence_clock = 0;
  KnowledgeRef fence_known, seen;
  uint32_t arrive_epoch = 0, arrive_clock = 0;  // at the cluster barrier
};

struct RaceBlock {
  uint32_t epoch = 1;
  size_t slot = 0;  // among the resident blocks
};

// ---- order.cpp ---------------------------------------------------------------------------------------------------

// Accesses of an earlier age are ordered: before the launch, or before a grid barrier. Shared memory also begins a new
// age with each wave of blocks.
extern uint32_t global_age, shared_age;
KnowledgeRef snapshot(Thread *thread);  // all that it knows and has done; raises its clock

// ---- shadow.cpp --------------------------------------------------------------------------------------------------

// One access of the running thread. code says where: a code address, or a site from intern_site.
void check_access(const void *address, size_t bytes, Access kind, uint32_t code);
uint32_t intern_site(const char *file, int line);
uint32_t code_of_address(const void *code);
void shadow_begin_wave(size_t n_blocks);
void shadow_new_launch();
std::string race_report();  // for this launch; empty when there was no race

}  // namespace emu
