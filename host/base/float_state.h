/* The processor's state for floating-point arithmetic: rounding, what becomes of subnormal numbers, which exceptions trap.
   It belongs to a thread, and other code of the process may have changed it (libraries built with -ffast-math flush
   subnormals to zero in the thread that loads them). Results of this library are to depend on none of it. */
#ifndef VISE_I_FLOAT_STATE_H
#define VISE_I_FLOAT_STATE_H

#include <stdint.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

typedef struct vise_i_float_state {
  uint64_t before;
  int changed;
} vise_i_float_state;

/* Round to nearest, keep subnormals, trap nothing; leave puts the caller's state back. They take some nanoseconds. */
static inline vise_i_float_state vise_i_float_enter(void) {
  vise_i_float_state state = {0, 0};
#if defined(__SSE2__)
  enum { STANDARD = 0x1f80, RAISED = 0x3f }; /* RAISED: exceptions so far, which count for nothing here */
  const unsigned now = _mm_getcsr();
  state.before = now;
  state.changed = (now & ~(unsigned)RAISED) != STANDARD;
  if (state.changed) _mm_setcsr(STANDARD);
#elif defined(__aarch64__)
  uint64_t now;
  __asm__ volatile("mrs %0, fpcr" : "=r"(now));
  state.before = now;
  state.changed = now != 0;
  if (state.changed) __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
#endif
  return state;
}

static inline void vise_i_float_leave(const vise_i_float_state *state) {
  if (!state->changed) return;
#if defined(__SSE2__)
  _mm_setcsr((unsigned)state->before);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(state->before));
#endif
}

#endif
