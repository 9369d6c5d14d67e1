/* Signs of life: a number in a file, which a thread renews, whatever else the process is at. A process that is stopped
   gives none. The file is closed each time, so that others on the network see it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/cli/files.h"
#include "host/cli/folder_use.h"
#include "host/cli/message.h"
#include "host/cli/sweep_share.h"

enum { NUMBER_BYTES = 24 };

static int open_again(const char *path, int flags) {
  int file;
  do file = open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);
  while (file < 0 && errno == EINTR);
  return file;
}

static bool write_number(const char *path, uint64_t number, int flags) {
  char text[NUMBER_BYTES];
  const int n = snprintf(text, sizeof text, "%020" PRIu64 "\n", number);
  const int file = open_again(path, O_WRONLY | flags);
  if (file < 0) return false;
  const bool written = vise_i_cli_write_all(file, text, (size_t)n);
  const int error = errno;
  if (close(file) != 0 && errno != EINTR) return false;
  errno = error;
  return written;
}

bool vise_i_cli_pulse_read(const char *path, uint64_t *out) {
  char text[NUMBER_BYTES] = "", *end = text;
  const int file = open_again(path, O_RDONLY);
  if (file < 0) return false;
  const ssize_t n = pread(file, text, sizeof text - 1, 0);
  (void)close(file);
  *out = strtoull(text, &end, 10);
  return n > 0 && end != text;
}

static struct timespec after(double seconds) {
  struct timespec at;
  (void)clock_gettime(CLOCK_MONOTONIC, &at);
  at.tv_sec += (time_t)floor(seconds);
  at.tv_nsec += (long)((seconds - floor(seconds)) * 1e9);
  if (at.tv_nsec >= 1000000000) {
    at.tv_sec++;
    at.tv_nsec -= 1000000000;
  }
  return at;
}

static void *renew(void *given) {
  vise_i_cli_pulse *pulse = given;
  pthread_mutex_lock(&pulse->lock);
  while (!pulse->ends) {
    const struct timespec at = after(pulse->every);
    pthread_mutex_unlock(&pulse->lock);
    (void)write_number(pulse->path, ++pulse->number, 0); /* a disk that is full for a moment is no reason to end */
    pthread_mutex_lock(&pulse->lock);
    while (!pulse->ends && pthread_cond_timedwait(&pulse->ending, &pulse->lock, &at) != ETIMEDOUT) continue;
  }
  pthread_mutex_unlock(&pulse->lock);
  return NULL;
}

/* Signals are for the thread that looks at them. */
static int start(vise_i_cli_pulse *pulse) {
  sigset_t all, before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  const int failure = pthread_create(&pulse->thread, NULL, renew, pulse);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return failure;
}

vise_status vise_i_cli_pulse_begin(vise_i_cli_pulse *pulse, double every, vise_error *err) {
  pulse->file = write_number(pulse->path, 0, O_CREAT) ? vise_i_cli_open_own(pulse->path, 0) : -1;
  if (pulse->file < 0) {
    const int error = errno;
    (void)unlink(pulse->path);
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be written: %s", pulse->path, strerror(error));
  }
  vise_i_cli_use_show(pulse->file);

  pthread_condattr_t steady;
  pthread_condattr_init(&steady);
  pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
  pthread_mutex_init(&pulse->lock, NULL);
  pthread_cond_init(&pulse->ending, &steady);
  pthread_condattr_destroy(&steady);

  pulse->every = every;
  const int failure = start(pulse);
  pulse->begun = failure == 0;
  if (pulse->begun) return VISE_OK;
  pthread_cond_destroy(&pulse->ending);
  pthread_mutex_destroy(&pulse->lock);
  return vise_i_cli_fail(err, VISE_ERR_UNSUPPORTED, "the system does not start a thread: %s", strerror(failure));
}

void vise_i_cli_pulse_end(vise_i_cli_pulse *pulse) {
  if (pulse->file >= 0) {
    (void)unlink(pulse->path);
    (void)close(pulse->file);
  }
  if (!pulse->begun) return;
  pthread_mutex_lock(&pulse->lock);
  pulse->ends = true;
  pthread_cond_signal(&pulse->ending);
  pthread_mutex_unlock(&pulse->lock);
  (void)pthread_join(pulse->thread, NULL);
  pthread_cond_destroy(&pulse->ending);
  pthread_mutex_destroy(&pulse->lock);
  pulse->begun = false;
}

void vise_i_cli_machine(char out[VISE_I_CLI_MACHINE_BYTES]) {
  const int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  const ssize_t n = file >= 0 ? read(file, out, VISE_I_CLI_MACHINE_BYTES - 1) : 0;
  if (file >= 0) (void)close(file);
  out[n > 0 ? n : 0] = '\0';
  out[strcspn(out, "\n")] = '\0';
}
