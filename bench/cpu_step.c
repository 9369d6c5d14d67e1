/*
 * Times the training step of the cpu backend and its parts, and holds its products against the peak of the cores:
 *   bench_cpu_step [--layers 784-128-10] [--batch 64] [--threads N] [--repeats 300] [--optimizer sgd]
 *                  [--batch-norm yes] [--dropout P] [--input-dropout P] [--features bytes|floats] [--box yes|no]
 *                  [--row-l1 R] [--row-l1-sided R] [--max-norm R] [--signs yes]
 * with features that are bytes, of which four in five are 0, or floats, cross-entropy, L2 1e-5, norm clip 5 and box 0.5 (the
 * settings of the MNIST job). Measurements are taken in turn, a few steps each, so that a busy machine disturbs all of them
 * alike; the least and the median are printed, and the share of the peak that the step's matrix products reach. Beside a
 * step with options of the last line, or without the box, stands one with none of them and the box: --signs gives each
 * weight a sign, in turn, and --max-norm bounds rows.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/cpu/threads.h"
#include "host/base/file.h"
#include "host/bench/bench.h"
#include "host/product/product.h"

enum { N_ROWS = 8192, STEPS = 5, MAX_REPEATS = 100000 };

typedef struct bench {
  vise_i_net net;
  vise_i_backend *b;
  vise_i_data data;
  void *x;
  int32_t *y;
  float *w;
  size_t batch, first, *order;
  vise_i_op_pass pass;
  vise_i_hyper hyper[STEPS];
  vise_step_stats stats[STEPS];
} bench;

static void stop(const char *message) {
  fprintf(stderr, "bench_cpu_step: %s\n", message);
  exit(2);
}

static void *must_alloc(size_t n_bytes) {
  void *p = calloc(n_bytes, 1);
  if (!p) stop("out of memory");
  return p;
}

static vise_i_cpu *cpu_of(bench *s) {
  return (vise_i_cpu *)s->b;
}

/* ---- what is timed: one step each ------------------------------------------------------------------------------ */

static void time_step(bench *s) {
  vise_error err = VISE_ERROR_INIT;
  size_t n_done;
  if (s->first + STEPS * s->batch > N_ROWS) s->first = 0;
  const vise_i_steps steps = {s->first, s->batch, STEPS, s->hyper, s->stats};
  if (vise_i_backend_cpu.run(s->b, &steps, &n_done, &err) != VISE_OK) stop(err.text);
  s->first += STEPS * s->batch;
}

static void time_forward(bench *s) {
  cpu_of(s)->pass = s->pass;
  vise_i_cpu_forward(cpu_of(s), &VISE_I_ALONE);
}

static void time_backward(bench *s) {
  vise_i_cpu_backward(cpu_of(s), &VISE_I_ALONE, false);
}

static void time_gather(bench *s) {
  vise_i_cpu *b = cpu_of(s);
  vise_error err = VISE_ERROR_INIT;
  if (s->first + STEPS * s->batch > N_ROWS) s->first = 0;

  const vise_i_batch batch = {.data = &s->data, .rows = s->order + s->first, .n = s->batch};
  vise_i_cpu_rows rows = {.batch = &batch, .source = VISE_I_CPU_BOUND, .end = s->batch};
  if (vise_i_cpu_sum_weights(b, &batch, &rows.weight_sum, &err) != VISE_OK) stop(err.text);
  if (b->is_sparse[VISE_I_CPU_BOUND]) {
    vise_i_cpu_list_rows(b, vise_i_cpu_lists_at(b, 0), &rows, &s->pass);
  } else {
    vise_i_cpu_gather_x(b, &rows, 0, 0, s->batch);
  }
  vise_i_cpu_gather_y(b, &rows, 0, s->batch);
  s->first += s->batch;
}

static void time_loss(bench *s) {
  double loss;
  uint64_t n_correct;
  vise_i_cpu_loss(cpu_of(s), s->batch, (double)s->batch, &loss, &n_correct);
}

static void time_reduce(bench *s) {
  vise_step_stats stats = {.bad_tensor = -1};
  vise_i_cpu_set_penalty(cpu_of(s), true);
  vise_i_cpu_sum_gradient(cpu_of(s), &VISE_I_ALONE, &s->hyper[0]);
  vise_i_cpu_judge_gradient(cpu_of(s), &s->hyper[0], &stats);
}

static void time_update(bench *s) {
  vise_i_cpu_update(cpu_of(s), &VISE_I_ALONE, &s->hyper[0]);
}

typedef struct part {
  const char *name;
  bench *of;
  void (*run)(bench *);
  int n_steps; /* in one call */
  double *times;
  double least, median;
} part;

static void measure(part *parts, size_t n_parts, size_t repeats) {
  for (size_t p = 0; p < n_parts; p++) parts[p].times = must_alloc(repeats * sizeof(double));

  for (size_t r = 0; r < repeats; r++) {
    for (size_t p = 0; p < n_parts; p++) {
      const int calls = STEPS / parts[p].n_steps;
      parts[p].run(parts[p].of);
      const double start = vise_i_now();
      for (int i = 0; i < calls; i++) parts[p].run(parts[p].of);
      parts[p].times[r] = 1e6 * (vise_i_now() - start) / STEPS;
    }
  }

  for (size_t p = 0; p < n_parts; p++) {
    parts[p].median = vise_i_bench_median(parts[p].times, repeats);
    parts[p].least = parts[p].times[0]; /* sorted */
    free(parts[p].times);
  }
}

/* ---- set-up ---------------------------------------------------------------------------------------------------- */

typedef struct options {
  vise_net_config net;
  size_t batch, repeats;
  int n_threads;
  vise_optimizer optimizer;
  bool floats; /* features are, not bytes */
  bool no_box;
  vise_i_row_ball rows; /* radius 0: off */
  double max_norm;      /* 0: off */
  bool signs;
} options;

static bool is_projected(const options *o) {
  return o->no_box || o->rows.radius > 0 || o->max_norm > 0 || o->signs;
}

static void parse_layers(const char *text, vise_net_config *net) {
  size_t n = 0;
  for (const char *at = text; *at && n <= VISE_MAX_LAYERS; n++) {
    char *end;
    net->widths[n] = strtoul(at, &end, 10);
    if (end == at) stop("--layers: widths separated by '-', as 784-128-10");
    at = *end == '-' ? end + 1 : end;
  }
  if (n < 2) stop("--layers: at least two widths, as 784-10");
  net->n_layers = n - 1;
}

/* A number from 1 to most, or the end with this message. */
static size_t parse_count(const char *message, const char *text, size_t most) {
  char *end;
  const unsigned long n = strtoul(text, &end, 10);
  if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < 1 || n > most) stop(message);
  return n;
}

/* A probability below 1. */
static double parse_dropout(const char *text) {
  char *end;
  const double p = strtod(text, &end);
  if (end == text || *end != '\0' || !(p >= 0 && p < 1)) stop("--dropout, --input-dropout: 0 <= P < 1");
  return p;
}

static double parse_radius(const char *text) {
  char *end;
  const double radius = strtod(text, &end);
  if (end == text || *end != '\0' || !(radius > 0 && radius < 1e300))
    stop("--row-l1, --row-l1-sided, --max-norm: a number above 0");
  return radius;
}

static bool parse_yes(const char *message, const char *text) {
  if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0) stop(message);
  return text[0] == 'y';
}

/* Options of what a step projects on; false: it is none of them. */
static bool parse_projection(const char *name, const char *value, options *o) {
  if (strcmp(name, "--box") == 0) {
    o->no_box = !parse_yes("--box: yes or no", value);
  } else if (strcmp(name, "--row-l1") == 0 || strcmp(name, "--row-l1-sided") == 0) {
    o->rows = (vise_i_row_ball){parse_radius(value), strcmp(name, "--row-l1-sided") == 0};
  } else if (strcmp(name, "--max-norm") == 0) {
    o->max_norm = parse_radius(value);
  } else if (strcmp(name, "--signs") == 0) {
    o->signs = parse_yes("--signs: yes or no", value);
  } else {
    return false;
  }
  return true;
}

static options parse(int argc, char **argv) {
  options o = {
      .net = {.struct_size = sizeof o.net, .activation = VISE_RELU, .bias = true}, .batch = 64, .repeats = 300};
  parse_layers("784-128-10", &o.net);

  for (int i = 1; i < argc; i += 2) {
    if (i + 1 >= argc) stop("every option takes a value");
    const char *value = argv[i + 1];

    if (strcmp(argv[i], "--layers") == 0) {
      parse_layers(value, &o.net);
    } else if (strcmp(argv[i], "--batch") == 0) {
      o.batch = parse_count("--batch: 1 to 1638", value, N_ROWS / STEPS);
    } else if (strcmp(argv[i], "--threads") == 0) {
      o.n_threads = (int)parse_count("--threads: 1 to 1024", value, 1024);
    } else if (strcmp(argv[i], "--repeats") == 0) {
      o.repeats = parse_count("--repeats: 1 to 100000", value, MAX_REPEATS);
    } else if (strcmp(argv[i], "--batch-norm") == 0) {
      o.net.batch_norm = parse_yes("--batch-norm: yes or no", value);
    } else if (strcmp(argv[i], "--dropout") == 0) {
      o.net.dropout = parse_dropout(value);
    } else if (strcmp(argv[i], "--input-dropout") == 0) {
      o.net.input_dropout = parse_dropout(value);
    } else if (strcmp(argv[i], "--features") == 0) {
      if (strcmp(value, "bytes") != 0 && strcmp(value, "floats") != 0) stop("--features: bytes or floats");
      o.floats = value[0] == 'f';
    } else if (strcmp(argv[i], "--optimizer") == 0) {
      if (vise_optimizer_parse(value, &o.optimizer, NULL) != VISE_OK) stop("--optimizer: sgd, rmsprop or adam");
    } else if (!parse_projection(argv[i], value, &o)) {
      stop("unknown option; see the head of bench/cpu_step.c");
    }
  }

  return o;
}

static vise_i_step_spec make_spec(const bench *s, const options *o) {
  vise_i_step_spec spec = {
      .net = &s->net,
      .rule = {.loss = VISE_LOSS_CROSS_ENTROPY,
               .optimizer = o->optimizer,
               .rho = 0.9,
               .beta1 = 0.9,
               .beta2 = 0.999,
               .eps = 1e-8,
               .k2 = 2e-5,
               .clip_norm = 5,
               .max_norm = o->max_norm,
               .max_norm_scope = VISE_MAX_NORM_UNIT,
               .max_skips = 8},
      .use_mask = o->signs,
      .use_signs = o->signs,
      .max_batch = o->batch,
      .n_threads = o->n_threads > 0 ? o->n_threads : vise_i_cpu_default_threads(&s->net, o->batch),
  };

  for (size_t l = 0; l < s->net.n_layers; l++) {
    const double bound = o->no_box ? INFINITY : 0.5;
    spec.boxes[l] = (vise_i_box){-bound, bound};
    spec.row_balls[l] = o->rows;
  }

  return spec;
}

/* Random features: bytes as sparse as those of digits, or floats. */
static void make_features(bench *s, bool floats) {
  static const double shift = 0, scale = 255;
  const size_t n_in = s->net.widths[0], n = N_ROWS * n_in;

  s->x = must_alloc(n * sizeof(float));
  for (size_t i = 0; i < n; i++) {
    if (floats) {
      ((float *)s->x)[i] = (float)rand() / (float)RAND_MAX - 0.5f;
    } else {
      ((uint8_t *)s->x)[i] = rand() % 5 ? 0 : (uint8_t)rand();
    }
  }

  s->data.x = vise_array_of(s->x, floats ? VISE_F32 : VISE_U8, N_ROWS, n_in);
  if (!floats) s->data.x_scaling = (vise_i_scaling){&shift, &scale, true};
}

/* Random rows, their order and starting weights. */
static void make_data(bench *s, const options *o) {
  const size_t n_out = s->net.widths[s->net.n_layers];

  s->y = must_alloc(N_ROWS * sizeof *s->y);
  s->w = must_alloc(s->net.n_values * sizeof *s->w);
  s->order = must_alloc(N_ROWS * sizeof *s->order);

  srand(1);
  make_features(s, o->floats);
  for (size_t i = 0; i < N_ROWS; i++) s->y[i] = rand() % (int)n_out;
  for (size_t i = 0; i < N_ROWS; i++) s->order[i] = (i * 3571) % N_ROWS;
  for (size_t i = 0; i < s->net.n_params; i++) s->w[i] = 0.07f * ((float)rand() / (float)RAND_MAX - 0.5f);

  s->data.y = vise_array_of(s->y, VISE_I32, N_ROWS, 1);
  s->data.y_is_class = true;
  const double lr = o->optimizer == VISE_ADAM ? 1e-3 : 0.1;
  for (int i = 0; i < STEPS; i++) s->hyper[i] = (vise_i_hyper){lr, 1, 1, (uint64_t)i, 1};
}

/* Of weights a sign each, in turn; biases have none. */
static void set_signs(bench *s) {
  vise_error err = VISE_ERROR_INIT;
  uint8_t *mask = must_alloc(s->net.n_params);
  memset(mask, VISE_I_KEPT, s->net.n_params);
  for (size_t l = 0; l < s->net.n_layers; l++) {
    const vise_i_tensor *weight = &s->net.tensors[s->net.blocks[l].weight];
    for (size_t i = 0; i < weight->n_rows * weight->n_cols; i++) {
      mask[weight->offset + i] = vise_i_mask_byte(true, i % 2 ? 1 : -1);
    }
  }
  if (vise_i_backend_cpu.set_state(s->b, VISE_I_MASK, mask, &err) != VISE_OK) stop(err.text);
  free(mask);
}

static void make_backend(bench *s, const vise_i_step_spec *spec) {
  vise_error err = VISE_ERROR_INIT;
  const vise_i_backend_ops *ops = &vise_i_backend_cpu;
  if (ops->create(spec, &s->b, &err) != VISE_OK || ops->set_state(s->b, VISE_I_PARAMS, s->w, &err) != VISE_OK ||
      ops->bind(s->b, &s->data, &err) != VISE_OK || ops->set_order(s->b, s->order, N_ROWS, &err) != VISE_OK) {
    stop(err.text);
  }
  if (spec->use_signs) set_signs(s);
}

static void print_times(const part *parts, size_t n_parts) {
  printf("%-26s %10s %10s  (us a step)\n", "", "least", "median");
  for (size_t p = 0; p < n_parts; p++) {
    printf("%-26s %10.2f %10.2f\n", parts[p].name, parts[p].least, parts[p].median);
  }
}

/* The products' share of what as many threads reach with multiply-adds alone. */
static void print_share(const options *o, int n_threads, const part *step) {
  vise_error err = VISE_ERROR_INIT;
  vise_bench_case c = {.n_layers = o->net.n_layers, .batch = o->batch};
  vise_bench_cores cores;

  memcpy(c.widths, o->net.widths, sizeof c.widths);
  if (vise_bench_measure_cores(n_threads, &cores, &err) != VISE_OK) stop(err.text);
  const double us_at_peak = 1e6 * vise_bench_step_flop(&c) / cores.fp32_flop_per_s;
  printf("peak %.4g GFLOP/s by %s: share of it, least time %.3f, median %.3f\n", 1e-9 * cores.fp32_flop_per_s,
         cores.instructions, us_at_peak / step->least, us_at_peak / step->median);
}

int main(int argc, char **argv) {
  const options o = parse(argc, argv);
  vise_error err = VISE_ERROR_INIT;
  bench s = {.batch = o.batch};

  if (vise_i_net_make(&o.net, &s.net, &err) != VISE_OK) stop(err.text);
  s.pass = (vise_i_op_pass){.training = true, .drops = vise_i_net_has_dropout(&s.net), .n = o.batch};
  const vise_i_step_spec spec = make_spec(&s, &o);
  make_data(&s, &o);
  make_backend(&s, &spec);

  options without = o;
  without.no_box = without.signs = false;
  without.rows.radius = without.max_norm = 0;
  bench plain = s;
  const vise_i_step_spec plain_spec = make_spec(&plain, &without);
  make_backend(&plain, &plain_spec);

  part parts[] = {
      {.name = "step", .of = &s, .run = time_step, .n_steps = STEPS},
      {.name = "  gather", .of = &s, .run = time_gather, .n_steps = 1},
      {.name = "  forward with products", .of = &s, .run = time_forward, .n_steps = 1},
      {.name = "  loss", .of = &s, .run = time_loss, .n_steps = 1},
      {.name = "  backward with products", .of = &s, .run = time_backward, .n_steps = 1},
      {.name = "  norms, penalty", .of = &s, .run = time_reduce, .n_steps = 1},
      {.name = "  update", .of = &s, .run = time_update, .n_steps = 1},
      {.name = "step with the box alone", .of = &plain, .run = time_step, .n_steps = STEPS},
  };
  const size_t n_parts = sizeof parts / sizeof parts[0] - (is_projected(&o) ? 0 : 1);

  measure(parts, n_parts, o.repeats);
  printf("batch %zu, %zu parameters, step with %d thread(s), its parts with one, %s\n", o.batch, s.net.n_params,
         spec.n_threads, vise_i_product_instructions());
  print_times(parts, n_parts);
  print_share(&o, spec.n_threads, &parts[0]);

  vise_i_backend_cpu.destroy(s.b);
  vise_i_backend_cpu.destroy(plain.b);
  free(s.x);
  free(s.y);
  free(s.w);
  free(s.order);
  return 0;
}
