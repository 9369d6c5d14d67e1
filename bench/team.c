/*
 * Times the team of threads that a step on the CPU is shared by:
 *   bench_team [--threads 2] [--seconds 2]
 * what an empty task and a barrier take, and how fast tasks of 100 us with three barriers go, as a share of what one
 * thread does in turn with it: alone, and beside a busy neighbour on each of the first processors, as many as threads. The times of empty tasks
 * and of barriers are the least and the median over rounds of a thousand.
 */
#include "host/backend/cpu/team.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/bench/bench.h"

enum { CALLS = 1000, PHASES = 4, TURNS = 3 };

static const double TASK_SECONDS = 100e-6;

static void stop(const char *message) {
  fprintf(stderr, "bench_team: %s\n", message);
  exit(2);
}

/* ---- an empty task and a barrier --------------------------------------------------------------------------------- */

static void nothing(void *context, size_t part, size_t n_parts) {
  (void)context, (void)part, (void)n_parts;
}

static void barriers(void *context, size_t part, size_t n_parts) {
  (void)n_parts;
  for (int i = 0; i < CALLS; i++) vise_i_team_barrier(context, part);
}

static void run_empty(vise_i_team *team) {
  for (int i = 0; i < CALLS; i++) (void)vise_i_team_run(team, nothing, NULL);
}

static void run_barriers(vise_i_team *team) {
  (void)vise_i_team_run(team, barriers, team);
}

static void time_calls(const char *name, vise_i_team *team, void (*run)(vise_i_team *), double seconds) {
  enum { MOST = 20000 };
  static double times[MOST];
  const double until = vise_i_now() + seconds;
  size_t n = 0;

  run(team);
  do {
    const double start = vise_i_now();
    run(team);
    times[n++] = (vise_i_now() - start) / CALLS;
  } while (n < MOST && vise_i_now() < until);

  const double median = vise_i_bench_median(times, n);
  printf("%-12s least %6.0f ns, median %6.0f ns\n", name, 1e9 * times[0], 1e9 * median);
}

/* ---- tasks beside a neighbour ------------------------------------------------------------------------------------ */

typedef struct task {
  vise_i_team *team; /* NULL: one thread */
  size_t n_turns;    /* of the loop, in all parts and phases together */
  volatile float sink[64];
} task;

static void compute(task *t, size_t part, size_t n) {
  float x = t->sink[part % 64];
  for (size_t i = 0; i < n; i++) x = x * 0.999f + 0.001f;
  t->sink[part % 64] = x;
}

static void task_part(void *context, size_t part, size_t n_parts) {
  task *t = context;
  for (int phase = 0; phase < PHASES; phase++) {
    if (phase) vise_i_team_barrier(t->team, part);
    compute(t, part, t->n_turns / PHASES / n_parts);
  }
}

static double tasks_per_second(task *t, double seconds) {
  const double start = vise_i_now();
  double now;
  size_t n = 0;
  do {
    (void)vise_i_team_run(t->team, task_part, t);
    n++;
    now = vise_i_now();
  } while (now - start < seconds);
  return (double)n / (now - start);
}

static void time_tasks(const char *name, vise_i_team *team, size_t n_turns, double seconds) {
  task alone = {.n_turns = n_turns}, shared = {.team = team, .n_turns = n_turns};
  double ratios[TURNS], one = 0;

  for (int i = 0; i < TURNS; i++) {
    const double each = tasks_per_second(&alone, seconds / 2);
    ratios[i] = tasks_per_second(&shared, seconds) / each;
    if (each > one) one = each;
  }

  const double median = vise_i_bench_median(ratios, TURNS);
  printf("%-12s %5.2f of one thread, median of %d (%.2f to %.2f); one thread: %.0f tasks/s\n", name, median, TURNS,
         ratios[0], ratios[TURNS - 1], one);
}

/* A process that keeps a processor busy until it is killed. */
static pid_t start_neighbour(int processor) {
  const pid_t parent = getpid(), child = fork();
  if (child != 0) return child;

  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent || sched_setaffinity(0, sizeof set, &set) != 0) _exit(1);
  for (volatile int i = 0;; i = i + 1) continue;
}

static void time_beside_neighbour(int processor, vise_i_team *team, size_t n_turns, double seconds) {
  char name[32];
  const pid_t neighbour = start_neighbour(processor);
  if (neighbour < 0) stop("no neighbour could be started");
  snprintf(name, sizeof name, "beside cpu %d", processor);
  time_tasks(name, team, n_turns, seconds);
  kill(neighbour, SIGKILL);
  waitpid(neighbour, NULL, 0);
}

/* Turns of the loop in a task of the length wanted. */
static size_t measure_turns(void) {
  enum { TURNS_EACH = 100000 };
  task t = {.n_turns = 0};
  double least = 1;
  for (int i = 0; i < 50; i++) {
    const double start = vise_i_now();
    compute(&t, 0, TURNS_EACH);
    const double took = vise_i_now() - start;
    if (took < least) least = took;
  }
  return (size_t)(TASK_SECONDS / least * TURNS_EACH);
}

int main(int argc, char **argv) {
  int n_threads = 2;
  double seconds = 2;
  for (int i = 1; i < argc; i += 2) {
    const double value = i + 1 < argc ? atof(argv[i + 1]) : 0;
    if (!(value > 0 && value <= 1024)) stop("every option takes a number above 0, up to 1024");
    if (strcmp(argv[i], "--threads") == 0) {
      n_threads = (int)value;
    } else if (strcmp(argv[i], "--seconds") == 0) {
      seconds = value;
    } else {
      stop("unknown option; see the head of bench/team.c");
    }
  }

  vise_i_team *team = NULL;
  vise_error err = VISE_ERROR_INIT;
  cpu_set_t processors;
  if (sched_getaffinity(0, sizeof processors, &processors) != 0) stop("the processors are not known");
  if (vise_i_team_create(n_threads, &team, &err) != VISE_OK) stop(err.text);

  time_calls("empty task", team, run_empty, seconds);
  time_calls("barrier", team, run_barriers, seconds);
  vise_i_team_allow_parking(team);
  const size_t n_turns = measure_turns();
  time_tasks("alone", team, n_turns, seconds);
  for (int i = 0, n = 0; i < CPU_SETSIZE && n < n_threads; i++) {
    if (!CPU_ISSET(i, &processors)) continue;
    n++;
    time_beside_neighbour(i, team, n_turns, seconds);
  }

  vise_i_team_destroy(team);
  return 0;
}
