/*
 * What carries bytes between ranks: the one thing that needs MPI. mpi.c is a module of its own, which knows nothing of the
 * library; open.c loads it by the name of its one function. Everything that ranks tell each other is made of `swap`.
 */
#ifndef VISE_I_CARRIER_H
#define VISE_I_CARRIER_H

#include <stddef.h>

/* Bytes to or from another rank. */
typedef struct vise_i_message {
  size_t rank;
  void *data;
  size_t n_bytes;
} vise_i_message;

typedef struct vise_i_swap {
  const vise_i_message *sends, *receives;
  size_t n_sends, n_receives;
} vise_i_swap;

enum { VISE_I_CARRIER_TEXT = 256 };

typedef struct vise_i_carrier {
  size_t rank, size;
  size_t local_rank;              /* among the ranks of this machine */
  char text[VISE_I_CARRIER_TEXT]; /* of the last error */

  /* Sends and receives, and returns when all is done: true. Two ranks meet by calling it with messages of the same sizes
     in the same order. false: an error, with its text; or, *late being a rank, that one has not answered for `seconds`. */
  int (*swap)(struct vise_i_carrier *carrier, const vise_i_swap *swap, double seconds, size_t *late);
  /* MPI_Allreduce's sum, in place: what vise bench compares with. */
  int (*allreduce)(struct vise_i_carrier *carrier, float *values, int n);
  /* Ends all ranks at once. */
  void (*end_all)(struct vise_i_carrier *carrier, int exit_code);
  /* Waits for the others, and frees it. */
  void (*close)(struct vise_i_carrier *carrier);
} vise_i_carrier;

/* The type and the name of the module's function: a carrier, or NULL with the reason in text [VISE_I_CARRIER_TEXT]. */
typedef vise_i_carrier *vise_i_carrier_open_function(char *text);
#define VISE_I_CARRIER_OPEN "vise_i_carrier_open"

#endif
