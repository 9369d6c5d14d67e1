/* The threads of the float32 backend: every part is done once, sleepers wake, more threads compute the same step. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/backend/cpu/team.h"
#include "tests/support/backend_rig.h"

enum { MOST_THREADS = 5 };

typedef struct counts {
  atomic_int done[MOST_THREADS];
  size_t n_parts;
} counts;

static void count(void *context, size_t part, size_t n_parts) {
  counts *c = context;
  atomic_fetch_add(&c->done[part], n_parts == c->n_parts ? 1 : 1000000);
}

Test(cpu_team, every_part_is_done_once_each_time) {
  for (int n_threads = 1; n_threads <= MOST_THREADS; n_threads++) {
    vise_i_team *team = NULL;
    cr_assert_eq(vise_i_team_create(n_threads, &team, NULL), VISE_OK);
    cr_assert_eq(vise_i_team_size(team), (size_t)n_threads);
    cr_assert_eq(team == NULL, n_threads == 1);

    counts c = {.n_parts = (size_t)n_threads};
    for (int run = 0; run < 300; run++) {
      if (run % 100 == 50) usleep(20000); /* the workers have gone to sleep by then */
      cr_assert_eq(vise_i_team_run(team, count, &c), (size_t)n_threads);
      for (int p = 0; p < n_threads; p++) cr_assert_eq(atomic_load(&c.done[p]), run + 1);
    }
    vise_i_team_destroy(team);
  }

  vise_i_team *idle = NULL; /* destroyed before it did anything, awake and asleep */
  cr_assert_eq(vise_i_team_create(3, &idle, NULL), VISE_OK);
  vise_i_team_destroy(idle);
  cr_assert_eq(vise_i_team_create(3, &idle, NULL), VISE_OK);
  usleep(20000);
  vise_i_team_destroy(idle);
}

Test(cpu_team, slices_cover_without_overlap) {
  static const size_t sizes[] = {0, 1, 15, 16, 17, 31, 33, 97, 1024, 100352};

  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    for (size_t align = 1; align <= 1024; align *= 16) {
      for (size_t n_parts = 1; n_parts <= 7; n_parts++) {
        size_t next = 0;
        for (size_t p = 0; p < n_parts; p++) {
          size_t first, end;
          vise_i_team_slice(sizes[s], align, p, n_parts, &first, &end);
          cr_assert_eq(first, next);
          cr_assert(end >= first && (end % align == 0 || end == sizes[s]));
          next = end;
        }
        cr_assert_eq(next, sizes[s]);
      }
    }
  }
}

enum { ROWS = 96, N_IN = 301, WIDTH = 129, N_OUT = 10, STEPS = 12 };

typedef struct outcome {
  double *params;
  vise_step_stats last;
} outcome;

static outcome train(const vise_i_backend_ops *ops, vise_i_step_spec *spec, int n_threads, const vise_i_data *data,
                     const double *params) {
  const size_t n = spec->net->n_params;
  outcome result = {.params = calloc(n, sizeof(double))};

  spec->n_threads = n_threads;
  vise_i_backend *b = rig_create(ops, spec, params);
  const vise_i_hyper hyper = rig_hyper(0.01);

  for (int step = 0; step < STEPS; step++) {
    vise_error err = VISE_ERROR_INIT;
    cr_assert(ops->step(b, &(vise_i_batch){.data = data, .n = data->x.n_rows}, &hyper, &result.last, &err) == VISE_OK,
              "%s", err.text);
  }

  rig_get_state(ops, b, VISE_I_PARAMS, n, result.params);
  ops->destroy(b);
  return result;
}

/* Large enough that every kind of work is shared; widths that no slice divides. */
Test(cpu_team, any_number_of_threads_computes_the_step_of_cpu64) {
  static const size_t widths[] = {N_IN, WIDTH, WIDTH, N_OUT};
  const vise_i_net net = rig_net(3, widths, VISE_TANH, true);
  double *params = calloc(net.n_params, sizeof *params), *x = calloc(ROWS * N_IN, sizeof *x), y[ROWS];
  uint64_t state = 11;

  rig_fill(&state, 0.1, params, net.n_params);
  rig_fill(&state, 1, x, ROWS * N_IN);
  for (size_t i = 0; i < ROWS; i++) y[i] = (double)(i % N_OUT);
  const vise_i_data data = rig_data(x, ROWS, N_IN, y, 1, true, NULL);

  for (int type = VISE_CLIP_GLOBAL; type <= VISE_CLIP_UNIT; type++) {
    vise_i_step_spec spec = rig_spec(&net);
    spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
    spec.max_batch = ROWS;
    spec.rule.momentum = 0.9;
    spec.rule.k2 = 1e-3;
    spec.rule.k1 = 1e-4;
    spec.rule.clip_norm = 0.05;
    spec.rule.clip_norm_type = (vise_clip_norm_type)type;
    spec.rule.clip_value = true;
    spec.rule.clip_lo = -0.01;
    spec.rule.clip_hi = 0.02;

    for (size_t l = 0; l < net.n_layers; l++) {
      spec.boxes[l].lo = -0.0625;
      spec.boxes[l].hi = 0.09375;
    }

    const outcome expected = train(&vise_i_backend_cpu64, &spec, 1, &data, params);
    for (int n_threads = 1; n_threads <= MOST_THREADS; n_threads++) {
      const outcome got = train(&vise_i_backend_cpu, &spec, n_threads, &data, params);
      const outcome again = train(&vise_i_backend_cpu, &spec, n_threads, &data, params);
      size_t worst = 0;

      cr_expect(rig_compare(got.params, expected.params, net.n_params, 2e-5, 2e-5, &worst) == 0,
                "%s, %d threads: weight %zu is %g, expected %g", vise_clip_norm_type_name((vise_clip_norm_type)type),
                n_threads, worst, got.params[worst], expected.params[worst]);
      cr_expect(memcmp(got.params, again.params, net.n_params * sizeof(double)) == 0, "%d threads differ", n_threads);
      cr_expect(rig_near(got.last.grad_norm, expected.last.grad_norm, 0, 1e-4));
      cr_expect(rig_near(got.last.penalty, expected.last.penalty, 0, 1e-5));
      cr_expect(rig_near((double)got.last.n_at_lo, (double)expected.last.n_at_lo, 2, 0.001));
      cr_expect(rig_near((double)got.last.n_at_hi, (double)expected.last.n_at_hi, 2, 0.001));
      cr_expect(rig_near((double)got.last.n_clipped_values, (double)expected.last.n_clipped_values, 3, 0.001));
      cr_expect(got.last.n_at_lo > 100 && got.last.n_clipped_values > 10 && got.last.norm_clipped);

      free(got.params);
      free(again.params);
    }
    free(expected.params);
  }

  free(params);
  free(x);
}
