// A fiber: a stack and the registers saved on it. Only the scheduler enters fibers; a fiber leaves to the scheduler.
#pragma once
#include <cstddef>

namespace emu {

extern const size_t kStackSize;  // bytes of each fiber's stack

struct Fiber {
  void *saved = nullptr;  // stack pointer, or the ucontext where there is no hand-made switch
  char *stack = nullptr;
  void *fake_stack = nullptr;  // AddressSanitizer's
};

// Gives the fiber a stack, so that the first enter calls entry, which must not return. colour spreads the first frames
// of many fibers over the cache.
void fiber_make(Fiber &fiber, void (*entry)(), unsigned colour);
void fiber_enter(Fiber &fiber);

// Called on the entered fiber; for_good: it is never entered again.
void fiber_leave(Fiber &fiber, bool for_good);

// The first call in entry.
void fiber_begun();

// Takes back the stack of a fiber that has ended or is abandoned. False: the stack had overflowed.
bool fiber_release(Fiber &fiber);
bool fiber_owns(const Fiber &fiber, const void *address);
bool fiber_stacks_contain(const void *address);  // any fiber's stack

}  // namespace emu
