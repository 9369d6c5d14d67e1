#include "host/backend/cpu/team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "host/base/memory.h"

/* Spins before a worker sleeps, about 50 us; and before the caller, whose workers may have lost their processor,
   starts to yield its own. */
enum { WORKER_SPINS = 2000, CALLER_SPINS = 4000 };

typedef struct worker {
  vise_i_team *team;
  pthread_t thread;
  size_t part;
} worker;

struct vise_i_team {
  size_t n_parts; /* workers and the caller */
  worker *workers;
  vise_i_team_work *work;
  void *context;
  bool stop;
  _Atomic uint32_t generation; /* goes up with each task; work, context and stop are written before */
  _Atomic size_t n_pending;    /* workers still busy */
  _Atomic int n_sleeping;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
};

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/* Waits for a generation other than `seen` and returns it. */
static uint32_t wait_for_work(vise_i_team *team, uint32_t seen) {
  for (int i = 0; i < WORKER_SPINS; i++) {
    const uint32_t now = atomic_load_explicit(&team->generation, memory_order_acquire);
    if (now != seen) return now;
    relax();
  }

  /* Either the caller sees this sleeper after its new generation, or the sleeper sees the generation: both sides first
     write and then read, sequentially consistent. */
  pthread_mutex_lock(&team->mutex);
  atomic_fetch_add(&team->n_sleeping, 1);
  while (atomic_load(&team->generation) == seen) pthread_cond_wait(&team->wake, &team->mutex);
  atomic_fetch_sub(&team->n_sleeping, 1);
  pthread_mutex_unlock(&team->mutex);
  return atomic_load(&team->generation);
}

static void announce(vise_i_team *team) {
  atomic_fetch_add(&team->generation, 1);
  if (atomic_load(&team->n_sleeping) == 0) return;
  pthread_mutex_lock(&team->mutex);
  pthread_cond_broadcast(&team->wake);
  pthread_mutex_unlock(&team->mutex);
}

static void *worker_main(void *argument) {
  worker *self = argument;
  vise_i_team *team = self->team;
  for (uint32_t seen = 0;;) {
    seen = wait_for_work(team, seen);
    if (team->stop) return NULL;
    team->work(team->context, self->part, team->n_parts);
    atomic_fetch_sub_explicit(&team->n_pending, 1, memory_order_release);
  }
}

vise_status vise_i_team_create(int n_threads, vise_i_team **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_team *team = NULL;

  if (n_threads <= 1) {
    *out = NULL;
    return VISE_OK;
  }

  const size_t n_workers = (size_t)n_threads - 1;
  size_t n_started = 0;
  VISE_TRY(vise_i_alloc_zero(&team, 1, sizeof *team, "threads", err));
  VISE_TRY(vise_i_alloc_zero(&team->workers, n_workers, sizeof *team->workers, "threads", err));
  pthread_mutex_init(&team->mutex, NULL);
  pthread_cond_init(&team->wake, NULL);

  /* A program's signals are for its own threads: a handler must not find itself on one of these. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);

  /* Workers read n_parts only after the first work is announced. */
  for (; n_started < n_workers; n_started++) {
    worker *w = &team->workers[n_started];
    w->team = team;
    w->part = n_started + 1;
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) break;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);

  team->n_parts = n_started + 1;
  *out = team;
  return VISE_OK;

done:
  free(team);
  return status;
}

void vise_i_team_destroy(vise_i_team *team) {
  if (!team) return;
  team->stop = true;
  announce(team);
  for (size_t i = 0; i + 1 < team->n_parts; i++) pthread_join(team->workers[i].thread, NULL);
  pthread_cond_destroy(&team->wake);
  pthread_mutex_destroy(&team->mutex);
  free(team->workers);
  free(team);
}

void vise_i_team_run(vise_i_team *team, vise_i_team_work *work, void *context) {
  if (!team || team->n_parts == 1) {
    work(context, 0, 1);
    return;
  }

  team->work = work;
  team->context = context;
  atomic_store_explicit(&team->n_pending, team->n_parts - 1, memory_order_relaxed);
  announce(team);
  work(context, 0, team->n_parts);

  for (int i = 0; atomic_load_explicit(&team->n_pending, memory_order_acquire) != 0; i++) {
    if (i < CALLER_SPINS) {
      relax();
    } else {
      sched_yield();
      i = CALLER_SPINS;
    }
  }
}

size_t vise_i_team_size(const vise_i_team *team) {
  return team ? team->n_parts : 1;
}

void vise_i_team_slice(size_t n, size_t align, size_t part, size_t n_parts, size_t *first, size_t *end) {
  const size_t blocks = (n + align - 1) / align;
  const size_t from = blocks * part / n_parts * align, to = blocks * (part + 1) / n_parts * align;
  *first = from < n ? from : n;
  *end = to < n ? to : n;
}
