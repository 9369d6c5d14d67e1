// The parts of a running grid that handlers of instructions call.
#pragma once
#include "warp.h"

namespace emu::ptx {

// A frame for the lanes of m; call: the instruction it returns to, nullptr for the kernel.
void push_frame(Warp &w, const Function &f, Mask m, const Instruction *call);
void pop_frame(Warp &w);
void warp_exits(Warp &w);

// ---- memory.cpp ------------------------------------------------------------------------------------------------------

// Where the lanes' addresses, operand o and offset, lie in the host's memory; checks bounds and alignment.
struct Places {
  char *at[kLanes];
  uint64_t address[kLanes];  // in its space
  bool is_shared = false;    // all of them; mixed accesses are refused
};
void locate(Warp &w, const Instruction &i, Mask m, const Operand &o, int64_t offset, Space space, unsigned bytes,
            Places *places);
inline void locate(Warp &w, const Instruction &i, Mask m, const Operand &o, Places *places) {
  locate(w, i, m, o, i.offset, i.space, i.bytes, places);
}
// One address of shared memory.
char *locate_shared(Warp &w, const Instruction &i, int lane, uint32_t address, unsigned bytes);

// Something has changed that a poll may wait for.
inline void note_change(Warp &w) {
  w.cta->grid->changed = true;
}

// ---- async.cpp -------------------------------------------------------------------------------------------------------

void async_warp_exits(Warp &w);

// ---- count.cpp -------------------------------------------------------------------------------------------------------

uint64_t read_clock(Warp &w);

}  // namespace emu::ptx
