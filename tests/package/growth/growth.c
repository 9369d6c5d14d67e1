/* Uses structs of the header it is compiled with, which may be an older or a newer one than the library's, and checks
   that nothing after them is written. A struct that is shorter still has the fields used here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vise/vise.h>

/* A struct, and what the library must leave alone. */
#define GUARDED(type)                                     \
  struct {                                                \
    type value[2]; /* the second: an element not given */ \
  }
enum { GUARD = 0x5a };

static int n_faults;

static void guard(void *guarded, size_t n_bytes) {
  memset(guarded, GUARD, n_bytes);
}

static void check_guard(const char *what, const void *guarded, size_t n_bytes) {
  const unsigned char *after = (const unsigned char *)guarded + n_bytes / 2;
  for (size_t i = 0; i < n_bytes / 2; i++) {
    if (after[i] == GUARD) continue;
    printf("%s: byte %zu after the struct of %zu bytes was written\n", what, i, n_bytes / 2);
    n_faults++;
    return;
  }
}

static void check(const char *what, int is_right) {
  if (is_right) return;
  printf("%s: not as expected\n", what);
  n_faults++;
}

static vise_error err = VISE_ERROR_INIT;

static void succeed(const char *what, vise_status status) {
  if (status == VISE_OK) return;
  printf("%s: %s\n", what, err.text);
  exit(1);
}

#define INIT(type, config)                    \
  GUARDED(type) config;                       \
  guard(&config, sizeof config);              \
  type##_init(&config.value[0]);              \
  check_guard(#type, &config, sizeof config); \
  check(#type, config.value[0].struct_size == sizeof(type))

#define RESULT(type, result) \
  GUARDED(type) result;      \
  guard(&result, sizeof result)

/* The structs of a list lie one after the other. */
static void check_list(void) {
  vise_model *built = NULL;
  vise_layer layers[3];
  for (int i = 0; i < 3; i++) vise_layer_init(&layers[i]);
  layers[0].width = 5;
  layers[1].kind = VISE_LAYER_ACTIVATION;
  layers[1].activation = VISE_TANH;
  layers[2].width = 2;
  succeed("vise_model_create_layers", vise_model_create_layers(4, layers, 3, VISE_F32, &built, &err));
  INIT(vise_layer, layer);
  vise_model_layer(built, 0, &layer.value[0]);
  check_guard("vise_model_layer", &layer, sizeof layer);
  check("vise_model_layer", layer.value[0].kind == VISE_LAYER_LINEAR && layer.value[0].width == 5);
  vise_model_layer(built, 1, &layer.value[0]);
  check("vise_model_layer", layer.value[0].activation == VISE_TANH && vise_model_width(built, 2) == 2);
  vise_model_free(built);
}

/* Tables, and the folds of their rows. */
static void check_folds(const vise_dataset *data) {
  static const char text[] = "x,y\n1,0.5\n2,1.5\n3,2.5\n4,3.5\n";
  vise_table *table = NULL;
  vise_preprocessor *made = NULL;
  size_t of_table[4], of_data[4];

  INIT(vise_table_options, reading);
  succeed("vise_table_parse", vise_table_parse("t", text, sizeof text - 1, &reading.value[0], &table, &err));
  INIT(vise_preprocessor_options, fitting);
  succeed("vise_preprocessor_fit", vise_preprocessor_fit(table, &fitting.value[0], NULL, 0, &made, &err));
  INIT(vise_fold_options, folds);
  folds.value[0].n_folds = 2;
  succeed("vise_table_folds", vise_table_folds(table, &fitting.value[0], &folds.value[0], of_table, 4, &err));
  folds.value[0].stratify = false;
  succeed("vise_dataset_folds", vise_dataset_folds(data, &folds.value[0], of_data, 4, &err));
  check("vise_dataset_folds", memcmp(of_table, of_data, sizeof of_data) == 0 && of_data[0] + of_data[1] > 0);

  vise_preprocessor_free(made);
  vise_table_free(table);
}

/* Proven bounds. */
static void check_certificate(const vise_model *model) {
  static const double lows[] = {-1}, highs[] = {1};
  vise_certificate *certificate = NULL;
  INIT(vise_certify_config, config);
  config.value[0].low = lows;
  config.value[0].high = highs;
  succeed("vise_certify", vise_certify(model, &config.value[0], &certificate, &err));
  check("vise_certify", vise_certificate_n_outputs(certificate) == vise_model_width(model, vise_model_n_layers(model)));
  vise_certificate_free(certificate);

  INIT(vise_export_config, exporting);
  exporting.value[0].format = VISE_EXPORT_FLOAT_C;
  exporting.value[0].low = lows;
  exporting.value[0].high = highs;
  check("vise_export", vise_export(model, &exporting.value[0], "growth.csv", &err) == VISE_ERR_USAGE);
  check("vise_export", strstr(err.text, "is there and no folder") != NULL);
}

/* A search, and the choice of its winner. */
static void check_search(void) {
  static const double values[] = {0.5, 0.7, 0.4, 0.4};
  vise_space *space = NULL;
  size_t winner = 2;

  INIT(vise_space_options, options);
  options.value[0].search = VISE_SEARCH_RANDOM;
  options.value[0].n_configs = 2;
  succeed("vise_space_create", vise_space_create(&options.value[0], &space, &err));
  succeed("vise_space_add_axis", vise_space_add_axis(space, "lr=0.1..1", &err));
  check("vise_space_number", vise_space_number(space, 1, 0) >= 0.1 && vise_space_number(space, 1, 0) <= 1);
  vise_space_free(space);

  INIT(vise_scores, scores);
  scores.value[0].values = values;
  scores.value[0].n_configs = 2;
  scores.value[0].n_folds = 2;
  succeed("vise_scores_choose", vise_scores_choose(&scores.value[0], VISE_SELECT_BEST, NULL, 0, &winner, &err));
  check("vise_scores_choose", winner == 1);
}

int main(void) {
  const double x[4] = {-1, 0, 1, 2}, y[4] = {-1, 2, 5, 8};
  const vise_array features = vise_array_of(x, VISE_F64, 4, 1), targets = vise_array_of(y, VISE_F64, 4, 1);
  vise_dataset *data = NULL, *file = NULL;
  vise_model *model = NULL;
  vise_trainer *trainer = NULL;

  INIT(vise_dataset_source, source);
  source.value[0].features_path = "growth.csv";
  succeed("vise_dataset_load", vise_dataset_load(&source.value[0], &file, &err));
  succeed("vise_dataset_from_arrays", vise_dataset_from_arrays(&features, &targets, NULL, true, &data, &err));

  INIT(vise_net_config, net);
  net.value[0].n_layers = 1;
  net.value[0].widths[0] = net.value[0].widths[1] = 1;
  succeed("vise_model_create", vise_model_create(&net.value[0], VISE_F64, &model, &err));

  check_list();
  check_folds(data);
  check_search();
  check_certificate(model);

  INIT(vise_train_config, config);
  config.value[0].loss = VISE_LOSS_MSE;
  config.value[0].lr = 0.3;
  config.value[0].batch = 0;
  config.value[0].epochs = 500;
  config.value[0].backend = VISE_BACKEND_CPU64;
  succeed("vise_trainer_create", vise_trainer_create(&config.value[0], model, data, NULL, NULL, &trainer, &err));

  RESULT(vise_step_stats, stats);
  size_t n_done = 0;
  succeed("vise_trainer_step", vise_trainer_step(trainer, 1, stats.value, &n_done, &err));
  check_guard("vise_step_stats", &stats, sizeof stats);
  vise_step_stats many[3];
  succeed("vise_trainer_step", vise_trainer_step(trainer, 3, many, &n_done, &err));
  check("vise_step_stats of three steps", many[0].step == 2 && many[2].step == 4 && many[2].n_rows == 4);

  RESULT(vise_step_stats, own);
  succeed("vise_trainer_step_batch", vise_trainer_step_batch(trainer, &features, &targets, NULL, own.value, &err));
  check_guard("vise_step_stats of a batch", &own, sizeof own);
  check("vise_step_stats of a batch", own.value[0].step == 5);

  vise_tensor_stats tensors[3];
  guard(tensors, sizeof tensors);
  succeed("vise_trainer_tensor_stats", vise_trainer_tensor_stats(trainer, tensors, 2, &err));
  check("vise_tensor_stats", tensors[1].n_nonfinite == 0 && *(unsigned char *)&tensors[2] == GUARD);

  INIT(vise_run_config, run);
  RESULT(vise_run_result, result);
  succeed("vise_trainer_run", vise_trainer_run(trainer, &run.value[0], result.value, &err));
  check_guard("vise_run_result", &result, sizeof result);
  check("vise_run_result", result.value[0].reason == VISE_STOP_EPOCHS && result.value[0].epochs == 500);

  INIT(vise_eval_config, eval);
  RESULT(vise_metrics, metrics);
  succeed("vise_evaluate", vise_evaluate(model, data, &eval.value[0], metrics.value, &err));
  check_guard("vise_metrics", &metrics, sizeof metrics);
  check("vise_metrics", metrics.value[0].n_rows == 4 && metrics.value[0].loss < 1e-9);

  INIT(vise_weight_op, op);
  RESULT(vise_weight_op_report, report);
  op.value[0].kind = VISE_REL_CLIP;
  succeed("vise_model_apply_weight_op", vise_model_apply_weight_op(model, &op.value[0], report.value, &err));
  check_guard("vise_weight_op_report", &report, sizeof report);
  check("vise_weight_op_report", report.value[0].n_considered == 1);

  RESULT(vise_plan, plan);
  succeed("vise_plan_make", vise_plan_make(&config.value[0], &net.value[0], 4, 8, NULL, plan.value, &err));
  check_guard("vise_plan", &plan, sizeof plan);
  check("vise_plan", plan.value[0].n_phases > 0);

  vise_backend_info backends[4];
  guard(backends, sizeof backends);
  check("vise_list_backends", vise_list_backends(backends, 3) == 3 && *(unsigned char *)&backends[3] == GUARD);
  check("vise_list_backends", backends[2].backend == VISE_BACKEND_CPU64 && backends[2].available);
  vise_device_info devices[2];
  guard(devices, sizeof devices);
  vise_list_devices(devices, 1);
  check("vise_list_devices", *(unsigned char *)&devices[1] == GUARD);

  INIT(vise_bench_config, bench);
  RESULT(vise_bench_result, counts);
  check("vise_bench_run", vise_bench_run(&bench.value[0], counts.value, &err) == VISE_ERR_USAGE);
  check_guard("vise_bench_result", &counts, sizeof counts);

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(file);
  vise_dataset_free(data);
  printf("sizes %zu %zu %zu: %d faults\n", sizeof(vise_run_config), sizeof(vise_run_result), sizeof(vise_step_stats),
         n_faults);
  return n_faults > 0;
}
