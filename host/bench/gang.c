/* Threads that begin a piece of work at the same moment, over and over, to be timed. They spin in between: what is
   timed takes some milliseconds or less, which a wake-up would blur. */
#include "host/bench/gang.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "host/base/file.h"
#include "host/base/memory.h"

/* After so many looks a thread gives its processor up, as the one it waits for may need it. */
enum { SPINS = 4000 };

typedef struct member {
  vise_i_bench_gang *gang;
  pthread_t thread;
  int place;
  double start, end;
} member;

struct vise_i_bench_gang {
  int n;           /* members, the caller among them */
  member *members; /* [n]; members[0]: the caller */
  vise_i_bench_work *work;
  void *context;
  bool stop;
  _Atomic unsigned generation; /* goes up with each piece of work; all of the above is written before */
  _Atomic int n_pending;
};

void vise_i_bench_spin(unsigned *n_spins) {
  if (++*n_spins % SPINS == 0) {
    (void)sched_yield();
  } else {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

static void do_work(member *self) {
  self->start = vise_i_now();
  self->gang->work(self->gang->context, self->place);
  self->end = vise_i_now();
}

static void *member_main(void *argument) {
  member *self = argument;
  vise_i_bench_gang *gang = self->gang;

  for (unsigned seen = 0;; seen++) {
    unsigned n_spins = 0;
    while (atomic_load_explicit(&gang->generation, memory_order_acquire) == seen) vise_i_bench_spin(&n_spins);
    if (gang->stop) return NULL;
    do_work(self);
    atomic_fetch_sub_explicit(&gang->n_pending, 1, memory_order_release);
  }
}

vise_status vise_i_bench_gang_create(int n_threads, vise_i_bench_gang **out, vise_error *err) {
  vise_status status;
  vise_i_bench_gang *gang = NULL;
  sigset_t all, before;

  VISE_TRY(vise_i_alloc_zero(&gang, 1, sizeof *gang, "threads", err));
  VISE_TRY(vise_i_alloc_zero(&gang->members, (size_t)n_threads, sizeof *gang->members, "threads", err));
  gang->members[0].gang = gang;

  /* A program's signals are for its own threads. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (gang->n = 1; gang->n < n_threads; gang->n++) {
    member *m = &gang->members[gang->n];
    m->gang = gang;
    m->place = gang->n;
    if (pthread_create(&m->thread, NULL, member_main, m) != 0) break;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);

  if (gang->n < n_threads) VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "%d threads cannot be started", n_threads));
  *out = gang;
  gang = NULL;

done:
  vise_i_bench_gang_free(gang);
  return status;
}

void vise_i_bench_gang_free(vise_i_bench_gang *gang) {
  if (gang == NULL) return;
  gang->stop = true;
  atomic_fetch_add(&gang->generation, 1);
  for (int i = 1; i < gang->n; i++) (void)pthread_join(gang->members[i].thread, NULL);
  free(gang->members);
  free(gang);
}

double vise_i_bench_gang_run(vise_i_bench_gang *gang, vise_i_bench_work *work, void *context) {
  unsigned n_spins = 0;

  gang->work = work;
  gang->context = context;
  atomic_store_explicit(&gang->n_pending, gang->n - 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&gang->generation, 1, memory_order_release);
  do_work(&gang->members[0]);
  while (atomic_load_explicit(&gang->n_pending, memory_order_acquire) != 0) vise_i_bench_spin(&n_spins);

  double start = gang->members[0].start, end = gang->members[0].end;
  for (int i = 1; i < gang->n; i++) {
    if (gang->members[i].start < start) start = gang->members[i].start;
    if (gang->members[i].end > end) end = gang->members[i].end;
  }
  return end - start;
}
