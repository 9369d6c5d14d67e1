#include "tests/support/thread_fault.h"

#include <errno.h>
#include <pthread.h>

thread_fault thread_fault_state;

int __real_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_join(pthread_t thread, void **result);

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
  if (thread_fault_state.n_started + 1 == thread_fault_state.fails_at) return EAGAIN;
  thread_fault_state.n_started++;
  return __real_pthread_create(out, attributes, run, argument);
}

int __wrap_pthread_join(pthread_t thread, void **result) {
  thread_fault_state.n_ended++;
  return __real_pthread_join(thread, result);
}
