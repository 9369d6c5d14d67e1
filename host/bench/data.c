/* Random rows for the cases of the benchmark, or the caller's, and trainers on them. */
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/rng.h"
#include "host/bench/bench.h"
#include "host/model/model.h"

enum { LIKE_MNIST = 60000, MIN_BATCHES = 4, SEED = 1, WORDS = 4 };
#define MAX_BYTES ((size_t)256 << 20)

static bool has_labels(const vise_bench_case *bench_case) {
  return bench_case->loss == VISE_LOSS_CROSS_ENTROPY;
}

static size_t n_targets(const vise_bench_case *bench_case) {
  return has_labels(bench_case) ? 1 : bench_case->widths[bench_case->n_layers];
}

size_t vise_i_bench_n_rows(const vise_bench_case *bench_case) {
  const size_t batch = bench_case->batch;
  const size_t row_bytes =
      bench_case->widths[0] * (bench_case->byte_features ? 1 : sizeof(float)) + n_targets(bench_case) * sizeof(float);
  size_t n_batches = LIKE_MNIST / batch;
  if (n_batches < MIN_BATCHES) n_batches = MIN_BATCHES;
  if (n_batches > MAX_BYTES / row_bytes / batch) n_batches = MAX_BYTES / row_bytes / batch;
  return (n_batches > 0 ? n_batches : 1) * batch;
}

/* The draws of one array: element i is the word i % 4 of block i / 4. */
typedef struct draws {
  uint32_t array, block[WORDS];
} draws;

static uint32_t draw(draws *d, size_t i) {
  if (i % WORDS == 0) {
    const uint64_t block = i / WORDS;
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), d->array, VISE_I_STREAM_CHECK};
    vise_i_philox(SEED, counter, d->block);
  }
  return d->block[i % WORDS];
}

static void fill_reals(float *out, size_t n, uint32_t array) {
  draws d = {.array = array};
  for (size_t i = 0; i < n; i++) out[i] = 2.0f * vise_i_uniform_f32(draw(&d, i)) - 1.0f;
}

/* As sparse as digits: four in five are 0. */
static void fill_bytes(uint8_t *out, size_t n, uint32_t array) {
  draws d = {.array = array};
  for (size_t i = 0; i < n; i++) {
    const uint32_t word = draw(&d, i);
    out[i] = word % 5 == 0 ? (uint8_t)(word >> 24) : 0;
  }
}

static void fill_labels(int32_t *out, size_t n, size_t n_classes, uint32_t array) {
  draws d = {.array = array};
  for (size_t i = 0; i < n; i++) out[i] = (int32_t)(draw(&d, i) % n_classes);
}

static vise_status make_random(const vise_bench_case *bench_case, size_t n_rows, vise_i_bench_data *data,
                               vise_error *err) {
  vise_status status;
  const size_t n_in = bench_case->widths[0], n_out = n_targets(bench_case);
  size_t n_features, n_values;

  if (!vise_i_size_mul(n_rows, n_in, &n_features) || !vise_i_size_mul(n_rows, n_out, &n_values)) {
    return vise_i_fail_memory(err, 0, "rows of the benchmark");
  }

  VISE_TRY(vise_i_alloc_aligned(&data->features, n_features, bench_case->byte_features ? 1 : sizeof(float),
                                "rows of the benchmark", err));
  VISE_TRY(vise_i_alloc(&data->targets, n_values, sizeof(float), "targets of the benchmark", err));

  if (bench_case->byte_features) {
    fill_bytes(data->features, n_features, 0);
  } else {
    fill_reals(data->features, n_features, 0);
  }
  if (has_labels(bench_case)) {
    fill_labels(data->targets, n_values, bench_case->widths[bench_case->n_layers], 1);
  } else {
    fill_reals(data->targets, n_values, 1);
  }

  const vise_array features =
      vise_array_of(data->features, bench_case->byte_features ? VISE_U8 : VISE_F32, n_rows, n_in);
  const vise_array targets = vise_array_of(data->targets, has_labels(bench_case) ? VISE_I32 : VISE_F32, n_rows, n_out);
  VISE_TRY(vise_dataset_from_arrays(&features, &targets, NULL, false, &data->stored, err));

done:
  return status;
}

static vise_status make_model(const vise_bench_config *config, const vise_bench_case *bench_case, vise_dtype dtype,
                              vise_model **out, vise_error *err) {
  vise_net_config net;
  vise_net_config_init(&net);
  net.batch_norm = config->batch_norm;
  net.dropout = config->dropout;
  net.input_dropout = config->input_dropout;
  net.residual = config->residual;
  net.n_layers = bench_case->n_layers;
  memcpy(net.widths, bench_case->widths, (net.n_layers + 1) * sizeof *net.widths);
  return vise_model_create(&net, dtype, out, err);
}

/* Once for all trainings of a case: drawing the weights of a large net takes seconds. */
static vise_status draw_weights(const vise_bench_config *config, const vise_bench_case *bench_case, float **out,
                                vise_error *err) {
  vise_status status;
  vise_model *model = NULL;
  VISE_TRY(make_model(config, bench_case, VISE_F32, &model, err));
  VISE_TRY(vise_model_initialize(model, VISE_INIT_LINEAR, SEED, err));
  const size_t n = vise_model_n_parameters(model);
  VISE_TRY(vise_i_alloc(out, n, sizeof **out, "weights of the benchmark", err));
  memcpy(*out, vise_i_model_const_params(model), n * sizeof **out);
done:
  vise_model_free(model);
  return status;
}

static void set_weights(vise_model *model, const float *weights) {
  const size_t n = vise_model_n_parameters(model);
  void *params = vise_i_model_params(model);
  if (vise_model_dtype(model) == VISE_F32) {
    memcpy(params, weights, n * sizeof *weights);
  } else {
    for (size_t i = 0; i < n; i++) ((double *)params)[i] = (double)weights[i];
  }
}

vise_status vise_i_bench_check_data(const vise_bench_config *config, const vise_bench_case *bench_case,
                                    vise_error *err) {
  const vise_dataset *data = config->data;
  if (data == NULL) return VISE_OK;

  const size_t n_in = bench_case->widths[0], n_features = vise_dataset_n_features(data);
  if (n_features != n_in) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s has %zu features, the case %s %zu inputs", vise_dataset_name(data),
                       n_features, bench_case->name, n_in);
  }
  if (vise_dataset_n_rows(data) < bench_case->batch) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s has %zu rows, a batch of the case %s %zu", vise_dataset_name(data),
                       vise_dataset_n_rows(data), bench_case->name, bench_case->batch);
  }
  if ((vise_dataset_feature_dtype(data) == VISE_U8) != bench_case->byte_features) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "the features of %s are %s, those of the case %s %s",
                       vise_dataset_name(data), vise_dtype_name(vise_dataset_feature_dtype(data)), bench_case->name,
                       bench_case->byte_features ? "u8" : "f32");
  }
  return VISE_OK;
}

vise_status vise_i_bench_data_make(const vise_bench_config *config, const vise_bench_case *bench_case,
                                   vise_i_bench_data *out, vise_error *err) {
  vise_status status;
  vise_i_bench_data data = {0};
  size_t *order = NULL;
  size_t n_rows = vise_i_bench_n_rows(bench_case);

  VISE_TRY(draw_weights(config, bench_case, &data.weights, err));
  if (config->data == NULL) {
    VISE_TRY(make_random(bench_case, n_rows, &data, err));
  } else {
    data.stored = vise_dataset_retain(config->data);
    n_rows = vise_dataset_n_rows(config->data);
  }

  VISE_TRY(vise_i_alloc(&order, n_rows, sizeof *order, "order of the benchmark", err));
  vise_i_permutation(SEED, VISE_I_STREAM_ORDER, 0, order, n_rows);
  VISE_TRY(vise_dataset_select(data.stored, order, n_rows - n_rows % bench_case->batch, &data.rows, err));

  *out = data;
  data = (vise_i_bench_data){0};

done:
  free(order);
  vise_i_bench_data_free(&data);
  return status;
}

void vise_i_bench_data_free(vise_i_bench_data *data) {
  vise_dataset_free(data->rows);
  vise_dataset_free(data->stored);
  free(data->features);
  free(data->targets);
  free(data->weights);
  *data = (vise_i_bench_data){0};
}

/* ---- trainers ---- */

vise_backend vise_i_bench_backend(vise_bench_mode mode) {
  if (mode == VISE_BENCH_CPU) return VISE_BACKEND_CPU;
  return mode == VISE_BENCH_CPU64 ? VISE_BACKEND_CPU64 : VISE_BACKEND_CUDA;
}

static vise_step_mode step_mode(vise_bench_mode mode) {
  switch (mode) {
    case VISE_BENCH_UNFUSED:
      return VISE_STEP_UNFUSED;
    case VISE_BENCH_UNFUSED_GRAPH:
      return VISE_STEP_UNFUSED_GRAPH;
    case VISE_BENCH_FUSED:
    case VISE_BENCH_FUSED_MANY:
      return VISE_STEP_FUSED;
    default:
      return VISE_STEP_AUTO;
  }
}

static vise_train_config train_config(const vise_i_bench_training *training) {
  vise_train_config made;
  const vise_bench_config *config = training->config;
  const vise_bench_case *bench_case = training->bench_case;
  const vise_i_bench_way *way = &training->way;

  vise_train_config_init(&made);
  made.loss = bench_case->loss;
  made.scale = bench_case->byte_features ? VISE_SCALE_UNIT : VISE_SCALE_NONE;
  made.lr = has_labels(bench_case) ? 0.1 : 0.01;

  made.l2 = 1e-5;
  made.clip_norm = 5;
  made.clamp = true;
  made.clamp_lo = -0.5;
  made.clamp_hi = 0.5;

  made.batch = training->batch;
  made.shuffle = false; /* the rows lie in a random order already */
  made.drop_last = true;

  made.backend = vise_i_bench_backend(way->mode);
  made.step_mode = step_mode(way->mode);
  made.precision = way->precision;
  made.n_threads = config->n_threads;
  if (made.backend == VISE_BACKEND_CUDA) made.device = config->device;
  if (way->mode == VISE_BENCH_FUSED) made.steps_per_launch = 1;
  if (way->mode == VISE_BENCH_FUSED_MANY) made.steps_per_launch = config->steps_per_launch;

  return made;
}

vise_status vise_i_bench_trainer_make(const vise_i_bench_training *training, vise_model **out_model,
                                      vise_trainer **out_trainer, vise_error *err) {
  vise_status status;
  vise_model *model = NULL;
  const vise_train_config config = train_config(training);
  const vise_dtype dtype = training->way.mode == VISE_BENCH_CPU64 ? VISE_F64 : VISE_F32;

  VISE_TRY(make_model(training->config, training->bench_case, dtype, &model, err));
  set_weights(model, training->data->weights);
  VISE_TRY(vise_trainer_create(&config, model, training->data->rows, NULL, NULL, out_trainer, err));
  *out_model = model;
  model = NULL;

done:
  vise_model_free(model);
  return status;
}
