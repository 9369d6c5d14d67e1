#include "tests/support/ranks_rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A message on its way, in the order of sending. */
typedef struct letter {
  struct letter *next;
  size_t n_bytes;
  char bytes[];
} letter;

typedef struct post {
  pthread_mutex_t lock;
  pthread_cond_t arrived;
  letter *boxes[RANKS_MOST][RANKS_MOST]; /* [to][from] */
} post;

typedef struct carrier {
  vise_i_carrier base;
  post *office;
} carrier;

static void put(post *office, size_t to, size_t from, const vise_i_message *m) {
  letter *made = malloc(sizeof *made + m->n_bytes), **last = &office->boxes[to][from];
  cr_assert_not_null(made);
  made->next = NULL;
  made->n_bytes = m->n_bytes;
  memcpy(made->bytes, m->data, m->n_bytes);

  (void)pthread_mutex_lock(&office->lock);
  while (*last != NULL) last = &(*last)->next;
  *last = made;
  (void)pthread_cond_broadcast(&office->arrived);
  (void)pthread_mutex_unlock(&office->lock);
}

/* false: nothing came for so long. */
static bool take(post *office, size_t to, const vise_i_message *m, double seconds) {
  struct timespec end;
  (void)clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += (time_t)seconds;
  end.tv_nsec += (long)(1e9 * (seconds - (double)(time_t)seconds));
  if (end.tv_nsec >= 1000000000) {
    end.tv_nsec -= 1000000000;
    end.tv_sec++;
  }

  letter **box = &office->boxes[to][m->rank];
  (void)pthread_mutex_lock(&office->lock);
  while (*box == NULL && pthread_cond_timedwait(&office->arrived, &office->lock, &end) != ETIMEDOUT) continue;
  letter *found = *box;
  if (found != NULL) *box = found->next;
  (void)pthread_mutex_unlock(&office->lock);
  if (found == NULL) return false;

  cr_assert_eq(found->n_bytes, m->n_bytes, "rank %zu sent %zu bytes, %zu expected %zu", m->rank, found->n_bytes, to,
               m->n_bytes);
  memcpy(m->data, found->bytes, m->n_bytes);
  free(found);
  return true;
}

static int swap(vise_i_carrier *base, const vise_i_swap *s, double seconds, size_t *late) {
  carrier *c = (carrier *)base;
  for (size_t i = 0; i < s->n_sends; i++) put(c->office, s->sends[i].rank, c->base.rank, &s->sends[i]);
  for (size_t i = 0; i < s->n_receives; i++) {
    if (take(c->office, c->base.rank, &s->receives[i], seconds)) continue;
    *late = s->receives[i].rank;
    return false;
  }
  return true;
}

typedef struct rank {
  vise_ranks ranks;
  carrier carrier;
  ranks_work *work;
  void *context;
} rank;

static void *run(void *pointer) {
  rank *r = pointer;
  r->work(r->ranks.size > 1 ? &r->ranks : NULL, r->context);
  return NULL;
}

void ranks_run(size_t n_ranks, int silent, ranks_work *work, void *context) {
  static char hosts[RANKS_MOST][VISE_I_HOST_NAME];
  post office = {.lock = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER};
  rank *all = calloc(n_ranks, sizeof *all);
  pthread_t threads[RANKS_MOST];
  cr_assert_not_null(all);

  for (size_t i = 0; i < n_ranks; i++) {
    strcpy(hosts[i], "here");
    all[i].carrier = (carrier){.base = {.rank = i, .size = n_ranks, .swap = swap}, .office = &office};
    all[i].ranks = (vise_ranks){
        .rank = i, .size = n_ranks, .carrier = &all[i].carrier.base, .seconds = silent < 0 ? 60 : 0.2, .hosts = hosts};
    cr_assert_eq(vise_i_ranks_reserve(&all[i].ranks, NULL), VISE_OK);
    all[i].work = work;
    all[i].context = context;
    if ((int)i != silent) cr_assert_eq(pthread_create(&threads[i], NULL, run, &all[i]), 0);
  }
  for (size_t i = 0; i < n_ranks; i++) {
    if ((int)i != silent) (void)pthread_join(threads[i], NULL);
    free(all[i].ranks.messages);
    free(all[i].ranks.room);
    free(all[i].ranks.ends);
    free(all[i].ranks.scratch);
  }

  for (size_t to = 0; to < n_ranks; to++) {
    for (size_t from = 0; from < n_ranks; from++) {
      letter *left = office.boxes[to][from];
      if (silent < 0) cr_expect_null(left, "a message from %zu to %zu was not taken", from, to);
      while (left != NULL) {
        letter *next = left->next;
        free(left);
        left = next;
      }
    }
  }
  free(all);
}
