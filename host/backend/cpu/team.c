/*
 * Each thread tells the others how far it is by numbers on a cache line of its own, which it alone writes and the others
 * poll: a number moves in one transfer of that line, where a counter that all write would move once for each of them.
 *
 * A thread that waits spins, then yields its processor; and if the one it waits for is seen without a processor, naps,
 * so that the system may give that one this processor. Not having a processor means here: of 200 us of waiting it got
 * less than half by its own CPU clock. A thread that merely has more to do runs all the time, so uneven parts are never
 * mistaken for a neighbour, however long they take; the length of the wait alone could not tell these apart. The clock of
 * another thread costs a call of the system, which is made only when spinning has not helped. Two threads that have come
 * to share a processor would lose the spins of each wait and never wait for 200 us after them; so each says where it
 * took up its task.
 */
#include "host/backend/cpu/team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "host/backend/cpu/parking.h"
#include "host/base/file.h"
#include "host/base/memory.h"

/* Spins before a worker sleeps between tasks, some 50 us; before a thread that waits within one looks at the clock, which
   is for waits much longer than that takes; and before it yields. */
enum { IDLE_SPINS = 2000, SPINS_UNTIMED = 100, SPINS = 4000 };

/* What different threads write lies this far apart: processors fetch cache lines in pairs. */
enum { APART = 128 };

static const double LATE_SECONDS = 200e-6;
static const struct timespec NAP = {.tv_nsec = 20000};

/* A thread of the team. Its numbers wrap around. */
typedef struct member {
  union {
    struct {                     /* this thread writes, the others poll */
      _Atomic uint32_t arrived;  /* rounds of barriers that it has reached */
      _Atomic uint32_t finished; /* the last task that it has done */
      uint32_t waited_in;        /* the last task in which it saw another without a processor */
      double waited;             /* seconds for which it waited for such, in that task */
      _Atomic int processor;     /* that it took up its task on; negative: not known */
      clockid_t clock;           /* of its CPU time */
    };
    char apart[APART];
  };
  union {
    struct { /* its own */
      vise_i_team *team;
      pthread_t thread;
      size_t part;
      size_t n_parts;  /* of the task that it works on, else 1 */
      uint32_t task;   /* the last that it took up */
      uint32_t rounds; /* of the barriers so far */
    };
    char own_apart[APART];
  };
} member;

struct vise_i_team {
  union {
    struct {                 /* the caller writes, the workers poll */
      _Atomic uint32_t task; /* goes up with each; what follows is written before */
      vise_i_team_work *work;
      void *context;
      bool stop;
    };
    char task_apart[APART];
  };

  union {
    struct { /* who goes to sleep or wakes writes */
      _Atomic int n_sleeping;
      pthread_mutex_t mutex;
      pthread_cond_t wake;
    };
    char sleep_apart[2 * APART];
  };

  /* the caller's */
  size_t n_members;
  member *members; /* [n_members]; the first is the caller */
  bool may_park;
  vise_i_parking parking;
  volatile char *is_whole; /* on a page of its own, which is all zero in the child of a fork */
};

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* ---- waiting for another member ---------------------------------------------------------------------------------- */

static inline bool has_reached(const _Atomic uint32_t *flag, uint32_t wanted) {
  return (int32_t)(atomic_load_explicit(flag, memory_order_acquire) - wanted) >= 0;
}

static void note_processor(member *self) {
  atomic_store_explicit(&self->processor, sched_getcpu(), memory_order_relaxed);
}

/* Whether the caller of this is where the other was, as far as is known. */
static bool shares_processor(const member *other) {
  const int processor = atomic_load_explicit(&other->processor, memory_order_relaxed);
  return processor >= 0 && processor == sched_getcpu();
}

/* Seconds for which a member has had a processor; negative if the system does not tell. */
static double cpu_seconds(const member *m) {
  struct timespec t;
  if (clock_gettime(m->clock, &t) != 0) return -1;
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline bool spin(const _Atomic uint32_t *flag, uint32_t wanted, int n) {
  for (int i = 0; i < n; i++) {
    if (has_reached(flag, wanted)) return true;
    relax();
  }
  return false;
}

/* Until the other's flag has reached the wanted number. */
static void wait_long(member *self, const member *other, const _Atomic uint32_t *flag, uint32_t wanted) {
  const double begin = vise_i_now();
  if (spin(flag, wanted, SPINS)) return;

  double start = vise_i_now(), had = cpu_seconds(other);
  bool late = shares_processor(other);

  while (!has_reached(flag, wanted)) {
    if (late) {
      (void)nanosleep(&NAP, NULL);
      continue;
    }

    (void)sched_yield();
    const double now = vise_i_now();
    if (now - start < LATE_SECONDS) continue;
    const double has = cpu_seconds(other);
    late = had >= 0 && has >= 0 && has - had < 0.5 * (now - start) && !has_reached(flag, wanted);
    start = now;
    had = has;
  }

  if (!late) return;
  if (self->waited_in != self->task) self->waited = 0;
  self->waited_in = self->task;
  self->waited += vise_i_now() - begin;
}

static inline void wait_for(member *self, const member *other, const _Atomic uint32_t *flag, uint32_t wanted) {
  if (!spin(flag, wanted, SPINS_UNTIMED)) wait_long(self, other, flag, wanted);
}

/* In round r each part tells that it has come so far, and waits for the one 2^r after it: then it knows of 2^(r + 1)
   parts. With two parts that is one round: each writes, and reads the other's line. */
void vise_i_team_barrier(vise_i_team *team, size_t part) {
  if (!team) return;
  member *self = &team->members[part];
  const size_t n_parts = self->n_parts;

  for (size_t step = 1; step < n_parts; step *= 2) {
    const member *other = &team->members[(part + step) % n_parts];
    const uint32_t round = ++self->rounds;
    atomic_store_explicit(&self->arrived, round, memory_order_release);
    wait_for(self, other, &other->arrived, round);
  }
}

/* ---- between tasks ----------------------------------------------------------------------------------------------- */

/* Waits for a task other than `seen` and returns its number. */
static uint32_t wait_for_task(vise_i_team *team, uint32_t seen) {
  for (int i = 0; i < IDLE_SPINS; i++) {
    const uint32_t now = atomic_load_explicit(&team->task, memory_order_acquire);
    if (now != seen) return now;
    relax();
  }

  /* Either the caller sees this sleeper after its new task, or the sleeper sees the task: both sides first write and
     then read, sequentially consistent. */
  pthread_mutex_lock(&team->mutex);
  atomic_fetch_add(&team->n_sleeping, 1);
  while (atomic_load(&team->task) == seen) pthread_cond_wait(&team->wake, &team->mutex);
  atomic_fetch_sub(&team->n_sleeping, 1);
  pthread_mutex_unlock(&team->mutex);
  return atomic_load(&team->task);
}

/* The next task, whose work and context have been written. */
static void announce(vise_i_team *team, uint32_t task) {
  atomic_store(&team->task, task);
  if (atomic_load(&team->n_sleeping) == 0) return;
  pthread_mutex_lock(&team->mutex);
  pthread_cond_broadcast(&team->wake);
  pthread_mutex_unlock(&team->mutex);
}

static void *worker_main(void *argument) {
  member *self = argument;
  vise_i_team *team = self->team;
  for (;;) {
    self->task = wait_for_task(team, self->task);
    if (team->stop) return NULL;
    self->n_parts = team->n_members;
    note_processor(self);
    team->work(team->context, self->part, self->n_parts);
    self->n_parts = 1;
    atomic_store_explicit(&self->finished, self->task, memory_order_release);
  }
}

/* ---- forks ------------------------------------------------------------------------------------------------------- */

/* Where the system cannot wipe a page, a child must not use what its parent made. */
static bool mark_as_whole(vise_i_team *team) {
  void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
#ifdef MADV_WIPEONFORK
  (void)madvise(page, 1, MADV_WIPEONFORK);
#endif
  team->is_whole = page;
  *team->is_whole = 1;
  return true;
}

/* Whether the threads are of this process. */
static inline bool is_whole(const vise_i_team *team) {
  return *team->is_whole != 0;
}

/* ---- its life ---------------------------------------------------------------------------------------------------- */

void vise_i_team_destroy(vise_i_team *team) {
  if (!team) return;

  if (is_whole(team)) {
    team->stop = true;
    announce(team, team->members[0].task + 1);
    for (size_t i = 1; i < team->n_members; i++) pthread_join(team->members[i].thread, NULL);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->mutex);
  }

  (void)munmap((void *)(uintptr_t)team->is_whole, 1);
  free(team->members);
  free(team);
}

/* Starts those after the first, until one does not start: returns why, or 0. */
static int start_workers(vise_i_team *team, size_t n_threads) {
  /* A program's signals are for its own threads: a handler must not find itself on one of these. */
  sigset_t all, before;
  int error = 0;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);

  /* Workers look at the team, and at others' clocks, only when a task has been announced. */
  for (team->n_members = 1; team->n_members < n_threads; team->n_members++) {
    member *m = &team->members[team->n_members];
    m->team = team;
    m->part = team->n_members;
    m->n_parts = 1;
    error = pthread_create(&m->thread, NULL, worker_main, m);
    if (error != 0) break;
    (void)pthread_getcpuclockid(m->thread, &m->clock);
  }

  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

vise_status vise_i_team_create(int n_threads, vise_i_team **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_team *team = NULL;
  member *members = NULL;

  if (n_threads <= 1) {
    *out = NULL;
    return VISE_OK;
  }
  const size_t n = (size_t)n_threads;
  VISE_TRY(vise_i_alloc_aligned(&team, 1, sizeof *team, "threads", err));
  VISE_TRY(vise_i_alloc_aligned(&members, n, sizeof *members, "threads", err));

  memset(team, 0, sizeof *team);
  memset(members, 0, n * sizeof *members);
  if (!mark_as_whole(team)) VISE_TRY(vise_i_fail_memory(err, 1, "threads"));
  team->members = members;
  members[0].n_parts = 1;
  pthread_mutex_init(&team->mutex, NULL);
  pthread_cond_init(&team->wake, NULL);

  const int error = start_workers(team, n);
  if (error != 0) {
    char reason[128];
    status = vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                         "threads: the system would not start thread %zu of %zu: %s; use fewer `threads`",
                         team->n_members + 1, n, strerror_r(error, reason, sizeof reason));
    vise_i_team_destroy(team);
    return status;
  }
  *out = team;
  return VISE_OK;

done:
  free(team);
  free(members);
  return status;
}

void vise_i_team_allow_parking(vise_i_team *team) {
  if (team) team->may_park = true;
}

/* ---- a task ------------------------------------------------------------------------------------------------------ */

/* After a task: how long members waited for others without a processor; the mean, where one is late and all the others
   wait, and the sum, where two wait for each other in turn. */
static double seconds_lost(const vise_i_team *team) {
  double sum = 0;
  for (size_t i = 0; i < team->n_members; i++) {
    const member *m = &team->members[i];
    if (m->waited_in == team->members[0].task) sum += m->waited;
  }
  return sum / (double)(team->n_members - 1);
}

size_t vise_i_team_run(vise_i_team *team, vise_i_team_work *work, void *context) {
  if (!team || !is_whole(team) || (team->parking.parked && vise_i_parking_holds(&team->parking, vise_i_now()))) {
    work(context, 0, 1);
    return 1;
  }

  member *self = &team->members[0]; /* in each run perhaps another thread of the program */
  const size_t n_parts = team->n_members;
  (void)pthread_getcpuclockid(pthread_self(), &self->clock);
  self->n_parts = n_parts;
  note_processor(self);
  team->work = work;
  team->context = context;
  announce(team, ++self->task);
  work(context, 0, n_parts);
  self->n_parts = 1;

  for (size_t i = 1; i < n_parts; i++) {
    const member *other = &team->members[i];
    wait_for(self, other, &other->finished, self->task);
  }
  const double lost = seconds_lost(team);
  if (team->may_park && lost > 0) vise_i_parking_late(&team->parking, vise_i_now(), lost);
  return n_parts;
}

size_t vise_i_team_size(const vise_i_team *team) {
  return team ? team->n_members : 1;
}

void vise_i_team_slice(size_t n, size_t align, size_t part, size_t n_parts, size_t *first, size_t *end) {
  const size_t blocks = (n + align - 1) / align;
  const size_t from = blocks * part / n_parts * align, to = blocks * (part + 1) / n_parts * align;
  *first = from < n ? from : n;
  *end = to < n ? to : n;
}
