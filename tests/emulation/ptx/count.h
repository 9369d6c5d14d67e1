// Counts of what a CTA does, and the clock of each warp. See counts.h for what is counted.
#pragma once
#include "machine.h"

namespace emu::ptx {

enum class Access { kLoad, kStore, kAtomic };

bool counting();

// ---- called as a launch runs; nothing happens unless counting
void note_launch(Grid &grid);
void note_cta(Cta &cta);
void note_exit(Warp &w);
void note_barrier(Cta &cta, int barrier);
void note_access(Warp &w, const Instruction &i, Mask m, const Places &places, Access access);
void note_copy(Warp &w, const Instruction &i, Mask m, const Places &to, Mask reads, const Places &from);
void note_wait(Warp &w, int pending);  // cp.async.wait_group
void note_fence(Warp &w);
void before_instruction(Warp &w, const Instruction &i, Mask m);
void after_instruction(Warp &w, const Instruction &i, const char *regs, uint64_t *ready);

}  // namespace emu::ptx
