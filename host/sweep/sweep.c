/* The queues of fits, and the threads that take them from there. */
#include "vise/sweep.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/processors.h"
#include "host/base/struct.h"
#include "host/sweep/bucket.h"
#include "host/sweep/fit.h"

/* Fits that wait for the device: about as many as train at a time. */
enum { MOST_JOBS = 1024, DEVICE_DEPTH = 16384 };

/* Fits, first in, first out. */
typedef struct fit_queue {
  vise_i_sweep_fit *first, **last; /* last: where the next one is hung in */
  size_t n;
} fit_queue;

struct vise_sweep {
  vise_sweep_config config;
  pid_t process; /* that has the threads; a fork of it has none, and locks that nobody opens */
  pthread_t *threads;
  int n_threads; /* that were started */

  pthread_t device; /* the thread that trains fits on a GPU, once there are some */
  bool has_device_thread;

  pthread_mutex_t lock; /* of all below */
  pthread_cond_t work, asked, ended;
  fit_queue waiting, for_device, done;
  size_t n_running;
  bool is_asked; /* the caller waits: what is there for the device may begin */
  bool closes;   /* the threads are to end */
  atomic_bool stop;
};

static bool is_ours(const vise_sweep *s) {
  return s != NULL && s->process == getpid();
}

static vise_status check_process(const vise_sweep *s, vise_error *err) {
  if (is_ours(s)) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_STATE,
                     "the sweep is that of process %ld, and this one was forked from it: make another",
                     (long)s->process);
}

static vise_sweep_config config_defaults(void) {
  return (vise_sweep_config){.struct_size = sizeof(vise_sweep_config)};
}

VISE_I_DEFINE_INIT(vise_sweep_config, user, config_defaults)

/* ---- queues -------------------------------------------------------------------------------------------------------- */

static void push(fit_queue *queue, vise_i_sweep_fit *fit) {
  if (queue->first == NULL) queue->last = &queue->first;
  fit->next = NULL;
  *queue->last = fit;
  queue->last = &fit->next;
  queue->n++;
}

static vise_i_sweep_fit *take(fit_queue *queue) {
  vise_i_sweep_fit *fit = queue->first;
  if (fit == NULL) return NULL;
  queue->first = fit->next;
  queue->n--;
  return fit;
}

static void clear(fit_queue *queue) {
  vise_i_sweep_fit *fit;
  while ((fit = take(queue)) != NULL) vise_i_sweep_fit_free(fit);
}

/* ---- threads ------------------------------------------------------------------------------------------------------- */

static void *work(void *given) {
  vise_sweep *s = given;
  pthread_mutex_lock(&s->lock);

  for (;;) {
    vise_i_sweep_fit *fit;
    while ((fit = take(&s->waiting)) == NULL && !s->closes) pthread_cond_wait(&s->work, &s->lock);
    if (fit == NULL) break;

    s->n_running++;
    pthread_mutex_unlock(&s->lock);
    if (atomic_load(&s->stop)) {
      vise_i_sweep_fit_drop(fit);
    } else {
      vise_i_sweep_fit_run(fit, &s->config, &s->stop);
    }

    pthread_mutex_lock(&s->lock);
    s->n_running--;
    push(&s->done, fit);
    pthread_cond_signal(&s->ended);
  }

  pthread_mutex_unlock(&s->lock);
  return NULL;
}

/* ---- the device ---------------------------------------------------------------------------------------------------- */

static void give(void *user, vise_i_sweep_fit *fit) {
  vise_sweep *s = user;
  pthread_mutex_lock(&s->lock);
  s->n_running--;
  push(&s->done, fit);
  pthread_cond_signal(&s->ended);
  pthread_mutex_unlock(&s->lock);
}

/* Takes all that is there once the caller waits for results: the more fits there are, the fuller the device is. */
static void *work_on_device(void *given) {
  vise_sweep *s = given;
  const vise_i_bucket_call call = {&s->config, &s->stop, give, s};
  pthread_mutex_lock(&s->lock);

  for (;;) {
    while (!s->closes && (s->for_device.n == 0 || !s->is_asked)) pthread_cond_wait(&s->asked, &s->lock);
    if (s->closes) break;
    vise_i_sweep_fit *list = s->for_device.first;
    s->n_running += s->for_device.n;
    s->for_device = (fit_queue){NULL, NULL, 0};
    s->is_asked = false;

    pthread_mutex_unlock(&s->lock);
    vise_i_bucket_train(list, &call);
    pthread_mutex_lock(&s->lock);
  }

  pthread_mutex_unlock(&s->lock);
  return NULL;
}

/* Of all reasons the system gives the least telling for the most frequent one. */
static const char *reason_of(int failure) {
  return failure == EAGAIN ? "out of memory, or of threads" : strerror(failure);
}

static vise_status start_device(vise_sweep *s, vise_error *err) {
  if (s->has_device_thread) return VISE_OK;
  const int failure = pthread_create(&s->device, NULL, work_on_device, s);
  if (failure != 0) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "the system does not start the thread for the device: %s",
                       reason_of(failure));
  }
  s->has_device_thread = true;
  return VISE_OK;
}

/* ---- making and freeing ---------------------------------------------------------------------------------------------- */

static vise_status start_threads(vise_sweep *s, vise_error *err) {
  for (int i = 0; i < s->config.n_jobs; i++) {
    const int failure = pthread_create(&s->threads[i], NULL, work, s);
    if (failure != 0) {
      return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`n_jobs` %d: the system does not start thread %d: %s",
                         s->config.n_jobs, i + 1, reason_of(failure));
    }
    s->n_threads++;
  }
  return VISE_OK;
}

/* Waiting goes by a clock that nobody sets. */
static void make_locks(vise_sweep *s) {
  pthread_condattr_t steady;
  pthread_condattr_init(&steady);
  pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->work, NULL);
  pthread_cond_init(&s->asked, NULL);
  pthread_cond_init(&s->ended, &steady);
  pthread_condattr_destroy(&steady);
}

vise_status vise_sweep_create(const vise_sweep_config *config, vise_sweep **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_sweep *s = NULL;
  vise_sweep_config own = config_defaults();

  VISE_ENTER(err, out);
  if (config != NULL) VISE_TRY(vise_i_config_take(&own, sizeof own, config, "vise_sweep_config", err));
  if (own.n_jobs < 0 || own.n_jobs > MOST_JOBS) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "`n_jobs` %d: expected 0 (the processors) to %d", own.n_jobs, MOST_JOBS));
  }

  VISE_TRY(vise_i_alloc_zero(&s, 1, sizeof *s, "a sweep", err));
  s->config = own;
  s->process = getpid();
  if (own.n_jobs == 0) s->config.n_jobs = vise_i_n_processors();
  make_locks(s);
  VISE_TRY(vise_i_alloc_zero(&s->threads, (size_t)s->config.n_jobs, sizeof *s->threads, "threads", err));
  VISE_TRY(start_threads(s, err));
  *out = s;
  s = NULL;

done:
  vise_sweep_free(s);
  return status;
}

void vise_sweep_free(vise_sweep *sweep) {
  if (!is_ours(sweep)) return; /* what a fork has of it goes with the process */
  vise_sweep_stop(sweep);

  pthread_mutex_lock(&sweep->lock);
  clear(&sweep->waiting);
  clear(&sweep->for_device);
  sweep->closes = true;
  pthread_cond_broadcast(&sweep->work);
  pthread_cond_broadcast(&sweep->asked);
  pthread_mutex_unlock(&sweep->lock);
  for (int i = 0; i < sweep->n_threads; i++) pthread_join(sweep->threads[i], NULL);
  if (sweep->has_device_thread) pthread_join(sweep->device, NULL);

  clear(&sweep->done);
  pthread_cond_destroy(&sweep->ended);
  pthread_cond_destroy(&sweep->work);
  pthread_cond_destroy(&sweep->asked);
  pthread_mutex_destroy(&sweep->lock);
  free(sweep->threads);
  free(sweep);
}

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

static pthread_mutex_t *lock_of(const vise_sweep *sweep) {
  return &((vise_sweep *)(uintptr_t)sweep)->lock;
}

int vise_sweep_n_jobs(const vise_sweep *sweep) {
  return sweep != NULL ? sweep->config.n_jobs : 0;
}

size_t vise_sweep_n_wanted(const vise_sweep *sweep) {
  if (!is_ours(sweep)) return 0;
  pthread_mutex_lock(lock_of(sweep));
  const size_t depth = sweep->has_device_thread ? DEVICE_DEPTH : 4 * (size_t)sweep->config.n_jobs;
  const size_t n = sweep->has_device_thread ? sweep->for_device.n : sweep->waiting.n;
  pthread_mutex_unlock(lock_of(sweep));
  return n < depth ? depth - n : 0;
}

static size_t n_ahead(const vise_sweep *sweep) {
  return sweep->waiting.n + sweep->for_device.n + sweep->n_running;
}

size_t vise_sweep_n_open(const vise_sweep *sweep) {
  if (!is_ours(sweep)) return 0;
  pthread_mutex_lock(lock_of(sweep));
  const size_t n = n_ahead(sweep) + sweep->done.n;
  pthread_mutex_unlock(lock_of(sweep));
  return n;
}

vise_status vise_sweep_submit(vise_sweep *sweep, const vise_sweep_fit *fit, vise_error *err) {
  vise_i_sweep_fit *made = NULL;
  VISE_ENTER(err, sweep, fit);
  vise_status status = check_process(sweep, err);
  if (status == VISE_OK) status = vise_i_sweep_fit_create(fit, &made, err);
  if (status == VISE_OK && made->on_device) status = start_device(sweep, err);
  if (status != VISE_OK) {
    vise_i_sweep_fit_free(made);
    return status;
  }

  pthread_mutex_lock(&sweep->lock);
  push(made->on_device ? &sweep->for_device : &sweep->waiting, made);
  pthread_cond_signal(&sweep->work);
  pthread_mutex_unlock(&sweep->lock);
  return VISE_OK;
}

static struct timespec deadline(double seconds) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  const double most = seconds < 1e8 ? seconds : 1e8, whole = floor(most);
  at.tv_sec += (time_t)whole;
  at.tv_nsec += (long)((most - whole) * 1e9);
  if (at.tv_nsec >= 1000000000) {
    at.tv_sec++;
    at.tv_nsec -= 1000000000;
  }
  return at;
}

vise_status vise_sweep_next_sized(size_t result_bytes, vise_sweep *sweep, double seconds, vise_sweep_result *result,
                                  bool *found, vise_error *err) {
  VISE_ENTER(err, sweep, result, found);
  const vise_status status = check_process(sweep, err);
  if (status != VISE_OK) return status;
  if (!(seconds >= 0)) return vise_i_fail(err, VISE_ERR_USAGE, "`seconds` %g: expected at least 0", seconds);
  const struct timespec at = deadline(seconds);
  vise_i_sweep_fit *fit;
  int late = 0;

  pthread_mutex_lock(&sweep->lock);
  sweep->is_asked = true;
  pthread_cond_signal(&sweep->asked);
  while ((fit = take(&sweep->done)) == NULL && n_ahead(sweep) > 0 && late != ETIMEDOUT) {
    late = pthread_cond_timedwait(&sweep->ended, &sweep->lock, &at);
  }
  pthread_mutex_unlock(&sweep->lock);

  *found = fit != NULL;
  if (fit == NULL) return VISE_OK;
  vise_i_struct_give(result, result_bytes, &fit->result, sizeof fit->result);
  fit->result = (vise_sweep_result){0}; /* which the caller has now */
  vise_i_sweep_fit_free(fit);
  return VISE_OK;
}

vise_status(vise_sweep_next)(vise_sweep *sweep, double seconds, vise_sweep_result *result, bool *found,
                             vise_error *err) {
  return vise_sweep_next_sized(VISE_I_BYTES_UP_TO(vise_sweep_result, n_state_bytes), sweep, seconds, result, found,
                               err);
}

void vise_sweep_stop(vise_sweep *sweep) {
  if (sweep != NULL) atomic_store(&sweep->stop, true);
}
