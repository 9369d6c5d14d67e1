/* The carrier that is MPI (carrier.h): a module of its own, which needs nothing of the library. */
#include <mpi.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/ranks/carrier.h"

/* A count of MPI is an int; longer messages go in pieces. */
#define PIECE_BYTES ((size_t)1 << 30)

/* On one machine, messages up to here go in pieces that Open MPI sends at once (its limit, 4096 bytes, counts a header): a
   longer one costs an agreement with the receiver first, which takes longer than the copies. */
#define SHORT_BYTES ((size_t)32 << 10)
#define SHORT_PIECE_BYTES ((size_t)4032)

/* So long a rank waits without a word to the system: what it waits for is most often there sooner, and who yields to other
   programs comes back late. */
#define YIELD_SECONDS 1e-3

enum { TAG = 1 };

typedef struct mpi_carrier {
  vise_i_carrier base;
  MPI_Comm world; /* a duplicate: nobody else's messages are in it */
  bool was_begun; /* by somebody else, who ends it */
  MPI_Request *requests;
  MPI_Status *statuses;
  vise_i_message *pieces; /* what each request is about */
  size_t n_room;
  bool yields;   /* more ranks than processors: waiting takes the time of those who work */
  bool is_local; /* all ranks are on this machine */
} mpi_carrier;

__attribute__((visibility("default"))) vise_i_carrier_open_function vise_i_carrier_open;

static bool fail(char *text, const char *what, int code) {
  char said[MPI_MAX_ERROR_STRING] = "";
  int n = 0;
  if (MPI_Error_string(code, said, &n) != MPI_SUCCESS) said[0] = '\0';
  (void)snprintf(text, VISE_I_CARRIER_TEXT, "%s: %.200s", what, said);
  return false;
}

static double now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- one swap ------------------------------------------------------------------------------------------------------ */

/* Messages of a swap to or from each rank, and pieces of each, for which there is room from the start. */
enum { MOST_MESSAGES = 2 * 9, SHORT_PIECES = 9 };

/* The same for who sends and who receives. */
static size_t piece_bytes(const mpi_carrier *c, size_t n_bytes) {
  return c->is_local && n_bytes <= SHORT_BYTES ? SHORT_PIECE_BYTES : PIECE_BYTES;
}

static size_t n_pieces(const mpi_carrier *c, const vise_i_message *messages, size_t n) {
  size_t pieces = 0;
  for (size_t i = 0; i < n; i++) {
    const size_t most = piece_bytes(c, messages[i].n_bytes);
    pieces += (messages[i].n_bytes + most - 1) / most;
  }
  return pieces;
}

static bool make_room(mpi_carrier *c, size_t n) {
  if (n <= c->n_room) return true;
  MPI_Request *requests = realloc(c->requests, n * sizeof *requests);
  if (requests != NULL) c->requests = requests;
  MPI_Status *statuses = realloc(c->statuses, n * sizeof *statuses);
  if (statuses != NULL) c->statuses = statuses;
  vise_i_message *pieces = realloc(c->pieces, n * sizeof *pieces);
  if (pieces != NULL) c->pieces = pieces;
  if (requests == NULL || statuses == NULL || pieces == NULL) {
    (void)snprintf(c->base.text, sizeof c->base.text, "out of memory for %zu messages", n);
    return false;
  }
  c->n_room = n;
  return true;
}

/* Begins the pieces of the messages, from request *n on. */
static bool start(mpi_carrier *c, const vise_i_message *messages, size_t n_messages, bool receives, size_t *n) {
  for (size_t i = 0; i < n_messages; i++) {
    const vise_i_message *m = &messages[i];
    const size_t most = piece_bytes(c, m->n_bytes);
    for (size_t at = 0; at < m->n_bytes; at += most) {
      const size_t left = m->n_bytes - at;
      const int count = (int)(left < most ? left : most), peer = (int)m->rank;
      char *bytes = (char *)m->data + at;
      MPI_Request *request = &c->requests[*n];
      const int code = receives ? MPI_Irecv(bytes, count, MPI_BYTE, peer, TAG, c->world, request)
                                : MPI_Isend(bytes, count, MPI_BYTE, peer, TAG, c->world, request);
      if (code != MPI_SUCCESS) return fail(c->base.text, receives ? "receiving" : "sending", code);
      c->pieces[(*n)++] = (vise_i_message){m->rank, bytes, (size_t)count};
    }
  }
  return true;
}

/* Whose request is not done, of n. */
static size_t find_late(mpi_carrier *c, size_t n) {
  for (size_t i = 0; i < n; i++) {
    int done = 0;
    if (c->requests[i] == MPI_REQUEST_NULL) continue;
    if (MPI_Test(&c->requests[i], &done, MPI_STATUS_IGNORE) != MPI_SUCCESS || !done) return c->pieces[i].rank;
  }
  return c->base.size;
}

/* A rank that is at another point sends other messages: shorter ones would pass for what was waited for. */
static bool check_sizes(mpi_carrier *c, size_t n_receives) {
  for (size_t i = 0; i < n_receives; i++) {
    int count = 0;
    if (MPI_Get_count(&c->statuses[i], MPI_BYTE, &count) == MPI_SUCCESS && (size_t)count == c->pieces[i].n_bytes)
      continue;
    (void)snprintf(c->base.text, sizeof c->base.text,
                   "rank %zu sent %d bytes where %zu were expected: something failed there, and it is at another point",
                   c->pieces[i].rank, count, c->pieces[i].n_bytes);
    return false;
  }
  return true;
}

/* Nobody may write into the memory of messages that have not come, once the caller has it back. */
static void give_up(mpi_carrier *c, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (c->requests[i] == MPI_REQUEST_NULL) continue;
    (void)MPI_Cancel(&c->requests[i]);
    (void)MPI_Request_free(&c->requests[i]);
  }
}

static bool wait(mpi_carrier *c, size_t n, double seconds, size_t *late) {
  enum { SPINS = 256 };
  double begin = 0, waited = 0;

  for (size_t spins = 1;; spins++) {
    int done = 0;
    const int code = MPI_Testall((int)n, c->requests, &done, c->statuses);
    if (code != MPI_SUCCESS) return fail(c->base.text, "waiting", code);
    if (done) return true;
    if (c->yields || waited > YIELD_SECONDS) (void)sched_yield();

    if (spins % SPINS != 0) continue;
    if (begin == 0) begin = now();
    waited = now() - begin;
    if (waited < seconds) continue;
    *late = find_late(c, n);
    if (*late < c->base.size) return false;
  }
}

static int swap(vise_i_carrier *carrier, const vise_i_swap *s, double seconds, size_t *late) {
  mpi_carrier *c = (mpi_carrier *)carrier;
  const size_t n_receives = n_pieces(c, s->receives, s->n_receives);
  size_t n = 0;
  if (!make_room(c, n_pieces(c, s->sends, s->n_sends) + n_receives)) return false;

  const bool came = start(c, s->receives, s->n_receives, true, &n) && start(c, s->sends, s->n_sends, false, &n) &&
                    wait(c, n, seconds, late);
  if (!came) give_up(c, n);
  return came && check_sizes(c, n_receives);
}

static int allreduce(vise_i_carrier *carrier, float *values, int n) {
  mpi_carrier *c = (mpi_carrier *)carrier;
  const int code = MPI_Allreduce(MPI_IN_PLACE, values, n, MPI_FLOAT, MPI_SUM, c->world);
  return code == MPI_SUCCESS || fail(c->base.text, "MPI_Allreduce", code);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------ */

static void end_all(vise_i_carrier *carrier, int exit_code) {
  (void)MPI_Abort(((mpi_carrier *)carrier)->world, exit_code);
}

static void close_all(vise_i_carrier *carrier) {
  mpi_carrier *c = (mpi_carrier *)carrier;
  (void)MPI_Comm_free(&c->world);
  if (!c->was_begun) (void)MPI_Finalize();
  free(c->requests);
  free(c->statuses);
  free(c->pieces);
  free(c);
}

static bool count_local(mpi_carrier *c, char *text) {
  MPI_Comm local;
  int rank = 0, size = 1;
  int code = MPI_Comm_split_type(c->world, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local);
  if (code != MPI_SUCCESS) return fail(text, "finding the ranks of this machine", code);

  (void)MPI_Comm_rank(local, &rank);
  (void)MPI_Comm_size(local, &size);
  (void)MPI_Comm_free(&local);
  c->base.local_rank = (size_t)rank;
  c->is_local = (size_t)size == c->base.size;
  c->yields = size > sysconf(_SC_NPROCESSORS_ONLN);
  return true;
}

static bool begin(mpi_carrier *c, char *text) {
  int is_on = 0, is_over = 0, rank = 0, size = 1, given = 0;
  (void)MPI_Finalized(&is_over);
  if (is_over) {
    (void)snprintf(text, VISE_I_CARRIER_TEXT, "it has ended in this process, and begins once");
    return false;
  }
  (void)MPI_Initialized(&is_on);
  c->was_begun = is_on;
  int code = is_on ? MPI_SUCCESS : MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &given);
  if (code != MPI_SUCCESS) return fail(text, "beginning", code);

  code = MPI_Comm_dup(MPI_COMM_WORLD, &c->world);
  if (code == MPI_SUCCESS) code = MPI_Comm_set_errhandler(c->world, MPI_ERRORS_RETURN);
  if (code != MPI_SUCCESS) return fail(text, "beginning", code);
  (void)MPI_Comm_rank(c->world, &rank);
  (void)MPI_Comm_size(c->world, &size);
  c->base.rank = (size_t)rank;
  c->base.size = (size_t)size;
  if (!make_room(c, c->base.size * MOST_MESSAGES * SHORT_PIECES)) {
    (void)snprintf(text, VISE_I_CARRIER_TEXT, "%s", c->base.text);
    return false;
  }
  return count_local(c, text);
}

vise_i_carrier *vise_i_carrier_open(char *text) {
  mpi_carrier *c = calloc(1, sizeof *c);
  if (c == NULL) {
    (void)snprintf(text, VISE_I_CARRIER_TEXT, "out of memory");
    return NULL;
  }

  c->base.swap = swap;
  c->base.allreduce = allreduce;
  c->base.end_all = end_all;
  c->base.close = close_all;
  if (begin(c, text)) return &c->base;
  free(c);
  return NULL;
}
