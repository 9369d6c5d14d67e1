/* Makes the start of one thread fail, and counts those that start and end. The program links with --wrap for
   pthread_create and pthread_join, so that calls by Vise and the test come here, and those by shared libraries do not. */
#ifndef VISE_T_THREAD_FAULT_H
#define VISE_T_THREAD_FAULT_H

#include <stddef.h>

typedef struct thread_fault {
  size_t fails_at; /* the start that fails, from 1 on, with EAGAIN; 0: none */
  size_t n_started, n_ended;
} thread_fault;

/* This program's state; for one thread only. */
extern thread_fault thread_fault_state;

#endif
