// Block barriers: __syncthreads is barrier 0 of the whole block; bar.sync and bar.arrive take numbers 0 to 15.
#include "state.h"

namespace emu {

namespace {

void release(Block *block, Barrier &barrier) {
  int votes = 0;
  const Thread *first = barrier.waiting[0];
  for (const Thread *thread : barrier.waiting) {
    votes += thread->predicate;
    // File names are string literals: the same call site nearly always has the same address.
    if (thread->line != first->line || (thread->file != first->file && strcmp(thread->file, first->file) != 0)) {
      record_error(cudaErrorLaunchFailure, thread, thread->file, thread->line,
                   format_text("divergent barrier: thread %d of the block waits at %s:%d", first->rank, first->file,
                               first->line));
      return;
    }
  }

  const bool all = votes == static_cast<int>(barrier.waiting.size());
  for (Thread *thread : barrier.waiting) {
    switch (thread->vote) {
      case Vote::kCount:
        thread->vote_result = votes;
        break;
      case Vote::kAnd:
        thread->vote_result = all;
        break;
      default:
        thread->vote_result = votes != 0;
    }
  }

  if (static_cast<int>(barrier.waiting.size()) == block->n_threads) {
    race_block_barrier(block);
  } else {
    race_meet(barrier.waiting.data(), barrier.waiting.size());
    if (barrier.arrived_only) {
      for (Thread *thread : barrier.waiting) race_object_acquire(thread, &barrier);
    }
  }

  for (Thread *thread : barrier.waiting) make_ready(thread);
  barrier.waiting.clear();
  barrier.threads = barrier.arrived_only = 0;
}

// Completes the barrier once all have arrived. A whole-block barrier at which only exited threads are missing is an
// error: CUDA wants every thread of the block there.
void complete(Block *block, Barrier &barrier) {
  const int present = static_cast<int>(barrier.waiting.size()) + barrier.arrived_only;
  if (present == 0 || barrier.waiting.empty()) return;

  const int expected = barrier.threads ? barrier.threads : block->n_threads;
  if (present == expected) {
    release(block, barrier);
  } else if (present + block->n_exited >= block->n_threads && !barrier.threads) {
    const Thread *first = barrier.waiting[0];
    record_error(cudaErrorLaunchFailure, first, first->file, first->line,
                 format_text("divergent barrier: %d of the block's %d threads are here, %d have exited", present,
                             block->n_threads, block->n_exited));
  }
}

Barrier &join(int id, int threads, const char *file, int line) {
  Block *block = current->block;
  if (id < 0 || id > 15) fail(file, line, "named barrier %d: there are 0 to 15", id);
  if (threads % kWarpSize != 0 || threads < 0 || threads > (block->n_threads + 31) / 32 * 32) {
    fail(file, line, "barrier %d of %d threads: not a multiple of %d up to the block's %d threads", id, threads,
         kWarpSize, block->n_threads);
  }

  Barrier &barrier = block->barriers[id];
  if (barrier.waiting.empty() && barrier.arrived_only == 0) {
    barrier.threads = threads;
  } else if (barrier.threads != threads) {
    fail(file, line, "barrier %d: %d threads expected here, %d elsewhere", id, threads, barrier.threads);
  }

  return barrier;
}

}  // namespace

int block_barrier(int id, int threads, Vote vote, int predicate, const char *file, int line) {
  Thread *me = current;
  if (threads == me->block->n_threads) threads = 0;
  Barrier &barrier = join(id, threads, file, line);

  me->vote = vote;
  me->predicate = predicate != 0;
  me->file = file;
  me->line = line;
  me->state = State::kBlockBarrier;

  barrier.waiting.push_back(me);
  complete(me->block, barrier);
  wait_as(State::kBlockBarrier, file, line);
  return me->vote_result;
}

void block_arrive(int id, int threads, const char *file, int line) {
  if (threads == current->block->n_threads) threads = 0;
  Barrier &barrier = join(id, threads, file, line);
  race_object_release(&barrier);
  ++barrier.arrived_only;
  complete(current->block, barrier);
}

void block_thread_exited(Block *block) {
  for (Barrier &barrier : block->barriers) {
    if (!grid->failed) complete(block, barrier);
  }
}

}  // namespace emu
