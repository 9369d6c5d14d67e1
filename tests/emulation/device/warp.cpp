// Warp collectives: the lanes named in the mask meet, the last one computes for all.
#include "state.h"

namespace emu {

namespace {

bool same_text(const char *a, const char *b) {
  return a == b || strcmp(a, b) == 0;
}

// Whether another lane has arrived at the same operation. Ends the launch when it waits for this lane elsewhere; a lane
// that waits for some others first may yet come.
bool has_come(const Warp &warp, const Thread *me, int lane) {
  if (!(warp.arrived >> lane & 1)) return false;
  const Thread *other = warp.lanes[lane];
  if (other->mask == me->mask && other->line == me->line && same_text(other->operation, me->operation) &&
      same_text(other->file, me->file)) {
    return true;
  }
  if (!(other->mask >> me->lane() & 1)) return false;
  fail(me->file, me->line, "%s: lane %d is here with mask 0x%08x, lane %d at %s:%d in %s with mask 0x%08x",
       me->operation, me->lane(), me->mask, other->lane(), other->file, other->line, other->operation, other->mask);
}

}  // namespace

void warp_collective(unsigned mask, const char *operation, const void *input, void *output, WarpFunction compute,
                     const char *file, int line) {
  Thread *me = current;
  Warp &warp = warp_of(me);
  const unsigned own = 1u << me->lane();
  if (!(mask & own))
    fail(file, line, "%s: the caller's lane %d is not in its mask 0x%08x", operation, me->lane(), mask);

  mask &= warp.exist;
  if (mask & warp.exited) {
    fail(file, line, "%s: mask 0x%08x names lanes that have exited (0x%08x)", operation, mask, warp.exited);
  }

  me->mask = mask;
  me->operation = operation;
  me->input = input;
  me->output = output;
  me->file = file;
  me->line = line;
  warp.arrived |= own;

  bool complete = true;
  for (unsigned rest = mask & ~own; rest; rest &= rest - 1) complete &= has_come(warp, me, __builtin_ctz(rest));
  if (!complete) {
    wait_as(State::kWarp, file, line);
    return;
  }

  const void *inputs[kWarpSize] = {};
  void *outputs[kWarpSize] = {};
  Thread *met[kWarpSize];
  size_t n_met = 0;
  for (unsigned rest = mask; rest; rest &= rest - 1) {
    const int lane = __builtin_ctz(rest);
    Thread *thread = warp.lanes[lane];
    inputs[lane] = thread->input;
    outputs[lane] = thread->output;
    met[n_met++] = thread;
  }

  if (compute) compute(mask, inputs, outputs);
  race_meet(met, n_met);
  warp.arrived &= ~mask;
  for (size_t i = 0; i < n_met; ++i) make_ready(met[i]);
  wait_as(State::kWarp, file, line);
}

void warp_thread_exited(Thread *thread) {
  Warp &warp = warp_of(thread);
  warp.exited |= 1u << thread->lane();
  for (unsigned rest = warp.arrived; rest; rest &= rest - 1) {
    const Thread *waiting = warp.lanes[__builtin_ctz(rest)];
    if (!(waiting->mask >> thread->lane() & 1)) continue;
    record_error(cudaErrorLaunchFailure, waiting, waiting->file, waiting->line,
                 format_text("%s: mask 0x%08x names lane %d, which has exited", waiting->operation, waiting->mask,
                             thread->lane()));
    return;
  }
}

unsigned lane_id() {
  return static_cast<unsigned>(current->lane());
}

unsigned thread_rank() {
  return static_cast<unsigned>(current->rank);
}

unsigned active_mask() {
  const Warp &warp = warp_of(current);
  return warp.exist & ~warp.exited;
}

}  // namespace emu
