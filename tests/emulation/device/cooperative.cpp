// Cluster and grid barriers.
#include "state.h"

namespace emu {

namespace {

void complete(Cluster *cluster) {
  if (cluster->n_arrived == 0 || cluster->n_arrived < cluster->n_threads - cluster->n_exited) return;

  cluster->n_arrived = 0;
  ++cluster->phase;
  race_cluster_complete(cluster);

  for (Block *block : cluster->blocks) {
    for (int i = 0; i < block->n_threads; ++i) {
      Thread &thread = block->threads[static_cast<size_t>(i)];
      thread.cluster_arrived = false;
      if (thread.state == State::kClusterBarrier) make_ready(&thread);
    }
  }
}

}  // namespace

void cluster_barrier(bool arrive, bool wait, const char *file, int line) {
  Thread *me = current;
  Cluster *cluster = me->block->cluster;

  if (arrive) {
    if (me->cluster_arrived) fail(file, line, "cluster barrier: a second arrival without a wait");
    me->cluster_arrived = true;
    me->cluster_phase = cluster->phase;
    ++cluster->n_arrived;
    race_cluster_arrive(me);

    me->file = file;
    me->line = line;
    if (wait) me->state = State::kClusterBarrier;
    complete(cluster);
  }

  if (!wait) return;
  if (arrive || cluster->phase == me->cluster_phase) wait_as(State::kClusterBarrier, file, line);
  race_cluster_wait(me);
}

void cluster_thread_exited(Cluster *cluster) {
  complete(cluster);
}

unsigned cluster_rank() {
  return current->block->rank;
}

unsigned cluster_size() {
  return static_cast<unsigned>(current->block->cluster->blocks.size());
}

void grid_barrier(const char *file, int line) {
  Thread *me = current;
  if (!grid->launch->cooperative) fail(file, line, "grid.sync() in a launch that is not cooperative");

  me->file = file;
  me->line = line;
  me->state = State::kGridBarrier;

  if (++grid->n_arrived == grid->n_threads) {
    grid->n_arrived = 0;
    race_grid_barrier();
    for (auto &block : grid->blocks) {
      for (int i = 0; i < block->n_threads; ++i) {
        Thread &thread = block->threads[static_cast<size_t>(i)];
        if (thread.line != line || (thread.file != file && strcmp(thread.file, file) != 0)) {
          fail(file, line, "divergent grid barrier: thread %d of block %u waits at %s:%d", thread.rank, block->number,
               thread.file, thread.line);
        }
        make_ready(&thread);
      }
    }
  }

  wait_as(State::kGridBarrier, file, line);
}

}  // namespace emu
