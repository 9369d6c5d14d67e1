/* A run goes on with the rows it began with, all of them; rows held out may be others where they decide nothing. */
#include <stdlib.h>

#include "rig.h"

/* Of so many rows a sample would miss most. */
enum { N_ROWS = 1500, N_HELD_OUT = 40, N_FEATURES = 3 };

/* Classes 0 and 1, and row weights; what a change makes of them. */
typedef struct rows {
  double x[N_ROWS * N_FEATURES], y[N_ROWS], weights[N_ROWS];
  bool weighted;
} rows;

typedef struct scene {
  rows train, validation, test;
  vise_train_config config;
  char folder[256];
  rig_notes notes;
} scene;

static scene s;

static void fill(rows *r, double shift) {
  for (size_t i = 0; i < N_ROWS; i++) {
    r->y[i] = (double)(i % 2);
    r->weights[i] = 1 + (double)(i % 3);
    for (size_t c = 0; c < N_FEATURES; c++) r->x[i * N_FEATURES + c] = (double)((i * 7 + c * 3) % 11) + r->y[i] + shift;
  }
  r->weighted = true;
}

static void set_up(void) {
  fill(&s.train, 0);
  fill(&s.validation, 0.5);
  fill(&s.test, 0.25);
  vise_train_config_init(&s.config);
  s.config.backend = VISE_BACKEND_CPU;
  s.config.n_threads = 1;
  s.config.batch = 100;
  s.config.epochs = 2;
  rig_folder(s.folder);
}

static void tear_down(void) {
  rig_remove(s.folder);
}

TestSuite(rows, .init = set_up, .fini = tear_down);

static vise_dataset *dataset_of(const rows *r, size_t n) {
  vise_dataset *made = NULL;
  const vise_array x = vise_array_of(r->x, VISE_F64, n, N_FEATURES), y = vise_array_of(r->y, VISE_F64, n, 1),
                   w = vise_array_of(r->weights, VISE_F64, n, 1);
  OK(vise_dataset_from_arrays(&x, &y, r->weighted ? &w : NULL, true, &made, &rig_err));
  return made;
}

/* One call of run on what s says, as a separate process would do it; epochs in all. */
static vise_status run(uint64_t epochs, bool resume, vise_model **out) {
  static const size_t widths[] = {N_FEATURES, 4, 2};
  vise_dataset *train = dataset_of(&s.train, N_ROWS), *validation = dataset_of(&s.validation, N_HELD_OUT),
               *test = dataset_of(&s.test, N_HELD_OUT);
  vise_trainer *trainer = NULL;
  vise_model *model = rig_model(widths, 3, true, VISE_F32);
  s.config.epochs = epochs;
  s.config.loss = VISE_LOSS_CROSS_ENTROPY;
  OK(vise_trainer_create(&s.config, model, train, validation, test, &trainer, &rig_err));

  memset(&s.notes, 0, sizeof s.notes);
  vise_run_config how = rig_run_config(s.folder, &s.notes);
  how.resume = resume;
  vise_error_clear(&rig_err);
  const vise_status status = vise_trainer_run(trainer, &how, NULL, &rig_err);
  vise_trainer_free(trainer);
  vise_dataset_free(train);
  vise_dataset_free(validation);
  vise_dataset_free(test);
  if (out != NULL) *out = vise_model_retain(model);
  vise_model_free(model);
  return status;
}

static void expect_refused(const char *says) {
  char *before = rig_read(rig_path(s.folder, "metrics.jsonl"));
  cr_assert_eq(run(4, true, NULL), VISE_ERR_USAGE, "%s: not refused", says);
  cr_assert(strstr(rig_err.text, says) != NULL && strstr(rig_err.text, s.folder) != NULL, "%s", rig_err.text);
  char *after = rig_read(rig_path(s.folder, "metrics.jsonl"));
  cr_assert_str_eq(before, after);
  free(before);
  free(after);
}

/* Rows 0, 5, 10, ... were sampled by the first release. */
Test(rows, every_training_row_counts) {
  OK(run(2, false, NULL));

  s.train.x[1 * N_FEATURES + 2] += 1e-9;
  expect_refused("the features of the training rows are not those of before");
  fill(&s.train, 0);

  s.train.y[1498] = 1;
  expect_refused("the targets of the training rows");
  fill(&s.train, 0);

  s.train.weights[7] = 5;
  expect_refused("the row weights");
  s.train.weighted = false;
  expect_refused("the row weights");
  fill(&s.train, 0);

  OK(run(4, true, NULL));
}

Test(rows, their_order_counts) {
  OK(run(2, false, NULL));
  for (size_t c = 0; c < N_FEATURES; c++) {
    const double first = s.train.x[1 * N_FEATURES + c];
    s.train.x[1 * N_FEATURES + c] = s.train.x[3 * N_FEATURES + c]; /* of the same class */
    s.train.x[3 * N_FEATURES + c] = first;
  }
  expect_refused("the features of the training rows");
}

Test(rows, the_same_rows_go_on_with_the_same_bits) {
  vise_model *whole = NULL, *parts = NULL;
  OK(run(4, false, &whole));
  rig_remove(s.folder);
  rig_folder(s.folder);
  OK(run(2, false, NULL));
  OK(run(4, true, &parts));
  cr_assert(rig_same_params(whole, parts));
  cr_assert(strstr(s.notes.log, "not those of before") == NULL, "%s", s.notes.log);
  vise_model_free(whole);
  vise_model_free(parts);
}

Test(rows, validation_rows_that_decide_count) {
  s.config.patience = 50;
  OK(run(2, false, NULL));
  s.validation.x[4] += 1;
  expect_refused("the validation rows are not those of before");
  fill(&s.validation, 0.5);
  s.validation.weights[39] = 9;
  expect_refused("the validation rows");
}

Test(rows, other_rows_held_out_are_warned_of) {
  OK(run(2, false, NULL));
  s.validation.x[4] += 1;
  OK(run(3, true, NULL));
  cr_assert(strstr(s.notes.log, "the validation rows are not those of before step 30") != NULL, "%s", s.notes.log);

  s.test.y[0] = 1;
  OK(run(4, true, NULL));
  cr_assert(strstr(s.notes.log, "the test rows are not those of before step 45") != NULL, "%s", s.notes.log);
  OK(run(5, true, NULL));
  cr_assert(strstr(s.notes.log, "not those of before") == NULL, "%s", s.notes.log);

  s.validation.x[4] += 1;
  s.test.y[0] = 0;
  OK(run(6, true, NULL));
  cr_assert(strstr(s.notes.log, "the validation and test rows are not") != NULL, "%s", s.notes.log);
}

/* What a checkpoint of the first release lacks. */
static void remove_rows(json_t *state, void *user) {
  (void)user;
  cr_assert_eq(json_object_del(state, "rows"), 0);
}

Test(rows, checkpoints_of_the_first_release_keep_their_rule) {
  OK(run(2, false, NULL));
  rig_edit_state(rig_path(s.folder, "checkpoints/step-000000030"), remove_rows, NULL);
  s.train.x[5 * N_FEATURES] += 1; /* one of the sample */
  expect_refused("the training data = hash");
  fill(&s.train, 0);
  s.train.x[1 * N_FEATURES] += 1; /* none of it */
  OK(run(3, true, NULL));
  s.train.x[1 * N_FEATURES] += 1;
  expect_refused("the features of the training rows");
}

Test(rows, a_hash_tells_values_types_and_order) {
  uint64_t hashes[8];
  size_t n = 0;
  const float narrow[] = {1, 2, 3, 4};
  const double wide[] = {1, 2, 3, 4};
  static const size_t order[] = {1, 0};
  vise_dataset *made[8], *swapped = NULL, *again = NULL;
  vise_array columns = vise_array_of(wide, VISE_F64, 2, 2), other = vise_array_of(narrow, VISE_F32, 2, 2),
             tall = vise_array_of(wide, VISE_F64, 4, 1), turned = columns,
             weights = vise_array_of(wide, VISE_F64, 2, 1);
  turned.row_stride = 1;
  turned.col_stride = 2;

  OK(vise_dataset_from_arrays(&columns, NULL, NULL, false, &made[n++], &rig_err));
  OK(vise_dataset_from_arrays(&other, NULL, NULL, false, &made[n++], &rig_err));
  OK(vise_dataset_from_arrays(&tall, NULL, NULL, false, &made[n++], &rig_err));
  OK(vise_dataset_from_arrays(&turned, NULL, NULL, false, &made[n++], &rig_err));
  OK(vise_dataset_from_arrays(&columns, NULL, &weights, false, &made[n++], &rig_err));
  OK(vise_dataset_from_arrays(&columns, &weights, NULL, false, &made[n++], &rig_err));
  OK(vise_dataset_select(made[0], order, 2, &made[n++], &rig_err));

  for (size_t i = 0; i < n; i++) {
    OK(vise_dataset_hash(made[i], &hashes[i], &rig_err));
    for (size_t k = 0; k < i; k++) cr_assert_neq(hashes[i], hashes[k], "%zu and %zu", i, k);
  }

  /* The same rows by another way. */
  OK(vise_dataset_select(made[6], order, 2, &swapped, &rig_err));
  OK(vise_dataset_from_arrays(&turned, NULL, NULL, true, &again, &rig_err));
  uint64_t hash;
  OK(vise_dataset_hash(swapped, &hash, &rig_err));
  cr_assert_eq(hash, hashes[0]);
  OK(vise_dataset_hash(again, &hash, &rig_err));
  cr_assert_eq(hash, hashes[3]);

  vise_dataset_free(swapped);
  vise_dataset_free(again);
  for (size_t i = 0; i < n; i++) vise_dataset_free(made[i]);
}
