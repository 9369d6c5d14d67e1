/* The data of a training that come as a table: rows held out, a preprocessor fitted to the others or taken from the model
   of --init, and the choices that follow from the target. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/fold.h"
#include "host/cli/message.h"
#include "host/cli/recipe.h"
#include "host/cli/setup.h"
#include "host/cli/shard.h"
#include "host/cli/table_data.h"
#include "host/cli/text_stream.h"

/* What is being made of the table. */
typedef struct making {
  vise_i_cli_options *options;
  vise_i_cli_setup *setup;
  vise_table *table;
  vise_preprocessor_options how;
  char *targets;               /* of a model of --init: how.target */
  vise_split validation, test; /* .kept of one: what the other was split from, if there are both */
  const size_t *rows;          /* to train on; NULL: all */
  size_t n_rows;
} making;

/* ---- options -------------------------------------------------------------------------------------------------- */

static void fill_options(making *m) {
  const vise_i_cli_options *options = m->options;
  vise_preprocessor_options_init(&m->how);
  m->how.target = options->train_labels != NULL ? "" : options->target;
  m->how.features = options->features;
  m->how.drop = options->drop;
  m->how.missing = options->missing;
  m->how.max_categories = options->max_categories;
  m->how.scale = options->training.scale == VISE_SCALE_AUTO ? VISE_SCALE_NONE : options->training.scale;
  m->how.loss_given = vise_i_cli_given(options, "loss");
  m->how.loss = options->training.loss;
  m->how.group = options->group;
  if (vise_i_cli_has_own_data(options)) m->how.ranks = options->training.ranks;
}

/* Where the i-th target column stands in the table. */
static size_t place_of_target(const vise_preprocessor *p, size_t i) {
  size_t n = 0;
  for (size_t c = 0; c < vise_preprocessor_n_columns(p); c++) {
    vise_column_info info;
    if (vise_preprocessor_column(p, c, &info, NULL) != VISE_OK || info.role != VISE_COLUMN_TARGET) continue;
    if (n++ == i) return info.place;
  }
  return 0;
}

/* The targets of a preprocessor as the option `target`: by name, or by place where there are none. */
static vise_status name_targets(making *m, vise_error *err) {
  const vise_preprocessor *p = m->setup->preprocessor;
  vise_i_cli_text_stream text;
  vise_status status = vise_i_cli_text_begin(&text, "the names of the targets", err);
  FILE *stream = text.stream;
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < vise_preprocessor_n_targets(p); i++) {
    const char *name = vise_preprocessor_target_name(p, i);
    (void)fputs(i > 0 ? "," : "", stream);
    if (name != NULL) {
      (void)fputs(name, stream);
    } else {
      (void)fprintf(stream, "%zu", place_of_target(p, i));
    }
  }
  status = vise_i_cli_text_end(&text, "the names of the targets", &m->targets, NULL, err);
  m->how.target = m->targets;
  return status;
}

/* ---- preprocessor --------------------------------------------------------------------------------------------- */

/* The same preprocessor, whether a loss was given that would have been chosen, as config.json gives it, or not. */
static vise_status fit_rows(const making *m, vise_preprocessor **out, vise_error *err) {
  vise_preprocessor_options open = m->how;
  vise_preprocessor *made = NULL;
  vise_error ignored = VISE_ERROR_INIT;
  open.loss_given = false;

  if (m->how.loss_given && m->how.ranks == NULL &&
      vise_preprocessor_fit(m->table, &open, m->rows, m->n_rows, &made, &ignored) == VISE_OK &&
      vise_preprocessor_loss(made) == m->how.loss) {
    *out = made;
    return VISE_OK;
  }
  vise_preprocessor_free(made);
  return vise_preprocessor_fit(m->table, &m->how, m->rows, m->n_rows, out, err);
}

/* ---- rows ----------------------------------------------------------------------------------------------------- */

/* Splits off floor(fraction * n_all) of the rows that are left. */
static vise_status hold_out(making *m, double fraction, uint32_t index, size_t n_all, vise_split *out,
                            vise_error *err) {
  const vise_i_cli_options *options = m->options;
  vise_split_options how;
  vise_split_options_init(&how);
  how.fraction = m->rows == NULL ? fraction : (floor(fraction * (double)n_all) + 0.5) / (double)m->n_rows;
  if (!(how.fraction < 1)) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--val-fraction and --test-fraction leave no rows to train on");
  }

  how.shuffle = options->training.shuffle;
  how.stratify = options->stratify == VISE_I_CLI_STRATIFY_YES && options->train_labels == NULL;
  how.seed = options->training.seed;
  how.index = index;
  how.rows = m->rows;
  how.n_rows = m->n_rows;

  const vise_status status = vise_table_split(m->table, &m->how, &how, out, err);
  if (status != VISE_OK) return status;
  m->rows = out->kept;
  m->n_rows = out->n_kept;
  return VISE_OK;
}

/* A model of --init may know the groups as a feature. */
static vise_status check_group(const making *m, vise_error *err) {
  const vise_preprocessor *p = m->setup->preprocessor;
  if (p == NULL || m->options->group == NULL) return VISE_OK;
  const size_t place = vise_i_cli_column_place(m->table, m->options->group);
  const char *name = vise_table_column_name(m->table, place);

  for (size_t c = 0; c < vise_preprocessor_n_columns(p); c++) {
    vise_column_info info;
    if (vise_preprocessor_column(p, c, &info, NULL) != VISE_OK || info.role != VISE_COLUMN_FEATURE) continue;
    if (name != NULL && info.name != NULL ? strcmp(name, info.name) != 0 : info.place != place) continue;
    return vise_i_cli_fail_both("group", "init", "the column is a feature of that model", err);
  }
  return VISE_OK;
}

/* What the target is, by all rows that are dealt out: the nets of all folds are to be of one kind. */
static vise_status judge_target(making *m, vise_error *err) {
  const vise_preprocessor *p = m->setup->preprocessor;
  vise_preprocessor *whole = NULL;
  const vise_status status = p == NULL ? fit_rows(m, &whole, err) : VISE_OK;
  if (status == VISE_OK) {
    m->how.target_kind = vise_preprocessor_target_kind(p != NULL ? p : whole);
    m->setup->n_recipe_features = vise_preprocessor_n_features(p != NULL ? p : whole);
  }
  vise_preprocessor_free(whole);
  return status;
}

/* Deals the rows out by the labels in a file of their own. */
static vise_status deal_by_labels(const making *m, size_t *folds, vise_error *err) {
  const vise_fold_options dealing = vise_i_cli_fold_options_of_labels(m->options, m->rows, m->n_rows);
  const size_t n_rows = vise_table_n_rows(m->table);
  vise_array labels = {0};
  vise_dataset *dataset = NULL;
  vise_status status = vise_i_cli_array_read(m->options, m->options->train_labels, &labels, err);

  if (status == VISE_OK && labels.n_rows != n_rows) {
    status = vise_i_cli_fail(err, VISE_ERR_SHAPE, "%s: %zu rows of targets, but %s has %zu rows of features",
                             m->options->train_labels, labels.n_rows, vise_table_name(m->table), n_rows);
  }
  if (status == VISE_OK) status = vise_dataset_from_arrays(&labels, &labels, NULL, true, &dataset, err);
  if (status == VISE_OK) status = vise_dataset_folds(dataset, &dealing, folds, n_rows, err);
  vise_dataset_free(dataset);
  free((void *)(uintptr_t)labels.data);
  return status;
}

/* Holds one fold of the rows that are left out for validation. */
static vise_status hold_out_fold(making *m, vise_error *err) {
  const vise_i_cli_options *options = m->options;
  const size_t n_table = vise_table_n_rows(m->table), n_rows = m->rows != NULL ? m->n_rows : n_table;
  size_t *folds = calloc(n_table, sizeof *folds);
  if (folds == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the folds of %zu rows", n_table);

  vise_status status = check_group(m, err);
  if (status == VISE_OK) status = judge_target(m, err);
  if (status == VISE_OK && options->train_labels != NULL) {
    status = deal_by_labels(m, folds, err);
  } else if (status == VISE_OK) {
    const vise_fold_options dealing = vise_i_cli_fold_options(options, m->rows, m->n_rows);
    status = vise_table_folds(m->table, &m->how, &dealing, folds, n_table, err);
  }
  if (status == VISE_OK) status = vise_i_cli_fold_split(options, folds, m->rows, n_rows, &m->validation, err);
  if (status == VISE_OK) {
    m->setup->n_later = n_rows - m->validation.n_kept - m->validation.n_held_out;
    m->rows = m->validation.kept;
    m->n_rows = m->validation.n_kept;
  }
  free(folds);
  return status;
}

static vise_status split(making *m, vise_error *err) {
  const vise_i_cli_options *options = m->options;
  vise_status status = VISE_OK;
  size_t n_all = 0;

  if (options->val_fraction > 0) {
    status = hold_out(m, options->val_fraction, 0, 0, &m->validation, err);
    n_all = m->validation.n_kept + m->validation.n_held_out;
  }
  if (status == VISE_OK && options->test_fraction > 0) {
    status = hold_out(m, options->test_fraction, 1, n_all, &m->test, err);
    if (n_all == 0) n_all = m->test.n_kept + m->test.n_held_out;
  }

  if (status == VISE_OK && n_all > 0) m->setup->n_left_out = vise_table_n_rows(m->table) - n_all;
  return status == VISE_OK && options->fold != NULL ? hold_out_fold(m, err) : status;
}

/* ---- what follows --------------------------------------------------------------------------------------------- */

/* The preprocessor of a model, if it has one. */
vise_status vise_i_cli_preprocessor_of(const vise_model *model, const char *path, vise_preprocessor **out,
                                       vise_error *err) {
  const char *json = vise_model_preprocessing(model);
  vise_error why = VISE_ERROR_INIT;
  *out = NULL;
  if (json == NULL) return VISE_OK;
  const vise_status status = vise_preprocessor_from_json(json, out, &why);
  return status == VISE_OK ? VISE_OK : vise_i_cli_fail(err, status, "%s: %s", path, why.text);
}

/* What follows from the target where the options leave it open. */
static void resolve_target(vise_i_cli_options *options, const vise_preprocessor *p) {
  vise_train_config_settle(&options->training, p, vise_i_cli_given(options, "loss"),
                           vise_i_cli_given(options, "scale-target"));
}

static vise_status fit(making *m, vise_error *err) {
  vise_status status = VISE_OK;
  if (m->setup->preprocessor == NULL) {
    status = fit_rows(m, &m->setup->preprocessor, err);
    m->setup->scale = m->how.scale;
  }
  if (status != VISE_OK) return status;
  resolve_target(m->options, m->setup->preprocessor);
  if (vise_preprocessor_target_kind(m->setup->preprocessor) != VISE_TARGET_NONE) {
    m->setup->n_classes = vise_preprocessor_n_classes(m->setup->preprocessor);
  }
  return VISE_OK;
}

/* ---- datasets ------------------------------------------------------------------------------------------------- */

static vise_status use_rows(making *m, const size_t *rows, size_t n_rows, vise_dataset **out, vise_error *err) {
  const vise_i_cli_options *options = m->options;
  const bool whole = options->val_fraction <= 0 && options->test_fraction <= 0 && options->fold == NULL &&
                     options->cross_validate != VISE_I_CLI_CROSS_VALIDATE_YES;
  vise_i_cli_use use = {.rows = rows,
                        .n_rows = n_rows,
                        .targets = vise_preprocessor_target_kind(m->setup->preprocessor) != VISE_TARGET_NONE,
                        .use_up = whole && m->setup->input == NULL,
                        .silent = m->setup->input != NULL,
                        .labels = options->train_labels,
                        .weights = out == &m->setup->train ? options->row_weights : NULL};
  return vise_i_cli_table_use(options, m->setup->preprocessor, m->table, &use, out, err);
}

static vise_status load_other(const making *m, const char *path, const char *labels, vise_dataset **out,
                              vise_error *err) {
  const vise_i_cli_use use = {.targets = true, .labels = labels};
  return path == NULL ? VISE_OK : vise_i_cli_load_through(m->options, m->setup->preprocessor, path, &use, out, err);
}

/* For cross-validation, with the loss and the kind of target that were chosen for all rows. */
static vise_status keep_table(making *m, vise_error *err) {
  vise_i_cli_setup *setup = m->setup;
  if (m->rows != NULL) {
    setup->rows = calloc(m->n_rows, sizeof *setup->rows);
    if (setup->rows == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu rows", m->n_rows);
    memcpy(setup->rows, m->rows, m->n_rows * sizeof *setup->rows);
    setup->n_rows = m->n_rows;
  }

  setup->how = m->how;
  setup->how.loss_given = true;
  setup->how.loss = m->options->training.loss;
  setup->how.target_kind = vise_preprocessor_target_kind(setup->preprocessor);
  setup->table = m->table;
  m->table = NULL;
  return VISE_OK;
}

/* The recipe goes by the rows that are dealt out in folds, so that it is the same for all of these. */
static vise_status note_sizes(making *m, vise_error *err) {
  vise_i_cli_setup *setup = m->setup;
  uint64_t n_rows = vise_dataset_n_rows(setup->train);
  if (m->options->training.sync_every > 0) { /* they are those of this process */
    const vise_status status = vise_ranks_add(m->options->training.ranks, &n_rows, 1, err);
    if (status != VISE_OK) return status;
  }
  setup->n_recipe_train_rows = (size_t)n_rows;
  if (m->options->fold != NULL) {
    setup->n_recipe_train_rows += vise_dataset_n_rows(setup->validation) + setup->n_later;
  } else {
    setup->n_recipe_features = vise_preprocessor_n_features(setup->preprocessor);
  }
  return VISE_OK;
}

/* Unless it is another's. */
static void free_table(making *m) {
  if (m->setup->input == NULL) vise_table_free(m->table);
  m->table = NULL;
}

/* The training rows, or this process's share of them. */
static vise_status use_training_rows(making *m, vise_error *err) {
  vise_split share = {0};
  vise_i_cli_setup *setup = m->setup;
  if (!vise_i_cli_shares_rows(m->options)) return use_rows(m, m->rows, m->n_rows, &setup->train, err);
  vise_status status = vise_i_cli_shard_table(m->options, m->table, m->rows, m->n_rows, &share, err);
  if (status == VISE_OK) {
    setup->n_of_others = (m->rows != NULL ? m->n_rows : vise_table_n_rows(m->table)) - share.n_kept;
    status = use_rows(m, share.kept, share.n_kept, &setup->train, err);
  }
  vise_split_clear(&share);
  return status;
}

static vise_status make_datasets(making *m, vise_error *err) {
  const vise_i_cli_options *options = m->options;
  vise_i_cli_setup *setup = m->setup;
  vise_status status = use_training_rows(m, err);

  if (status == VISE_OK && m->validation.n_held_out > 0) {
    status = use_rows(m, m->validation.held_out, m->validation.n_held_out, &setup->validation, err);
  }
  if (status == VISE_OK && options->test_fraction > 0) {
    status = use_rows(m, m->test.held_out, m->test.n_held_out, &setup->test, err);
  }
  if (status == VISE_OK && options->cross_validate == VISE_I_CLI_CROSS_VALIDATE_YES) status = keep_table(m, err);
  free_table(m);

  if (status == VISE_OK) status = load_other(m, options->val, options->val_labels, &setup->validation, err);
  if (status == VISE_OK) status = load_other(m, options->test, options->test_labels, &setup->test, err);
  if (status != VISE_OK) return status;

  status = note_sizes(m, err);
  if (status == VISE_OK)
    status = vise_i_cli_recipe_for_training(m->options, setup->n_recipe_train_rows, setup->n_recipe_features,
                                            setup->validation != NULL, err);
  if (status == VISE_OK && setup->n_classes == 0) setup->n_classes = vise_dataset_n_classes(setup->train);
  return status;
}

/* The table is gone when they are printed. */
static vise_status keep_notes(making *m, vise_error *err) {
  vise_i_cli_setup *setup = m->setup;
  const size_t n = vise_table_n_notes(m->table);
  setup->n_table_rows = vise_table_n_rows(m->table);
  setup->delimiter = vise_table_delimiter(m->table);
  setup->has_header = vise_table_has_names(m->table) && setup->delimiter != 0;
  setup->notes = calloc(n + 1, sizeof *setup->notes);
  for (size_t i = 0; setup->notes != NULL && i < n; i++) {
    setup->notes[i] = strdup(vise_table_note(m->table, i));
    if (setup->notes[i] == NULL) break;
    setup->n_notes++;
  }
  return setup->n_notes == n && setup->notes != NULL ? VISE_OK : vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
}

static vise_status make(making *m, vise_error *err) {
  const vise_preprocessor *like = m->setup->preprocessor;
  const vise_i_cli_input *input = m->setup->input;
  vise_status status = VISE_OK;
  if (input != NULL) {
    m->table = input->table;
  } else {
    status = vise_i_cli_table_read(m->options, m->options->train, like, true, &m->table, err);
  }

  if (status == VISE_OK) {
    const size_t n_test = (size_t)(m->options->test_fraction * (double)vise_table_n_rows(m->table));
    m->setup->n_recipe_rows = vise_table_n_rows(m->table) - n_test;
    status = vise_i_cli_shard_count(m->options, &m->setup->n_recipe_rows, err);
  }
  if (status == VISE_OK) {
    status = vise_i_cli_recipe_for_data(m->options, m->setup->n_recipe_rows, err);
  }

  if (status == VISE_OK) fill_options(m);
  if (status == VISE_OK && like != NULL) status = name_targets(m, err);
  if (status == VISE_OK) status = keep_notes(m, err);
  if (status == VISE_OK) status = split(m, err);
  if (status == VISE_OK) status = fit(m, err);
  return status == VISE_OK ? make_datasets(m, err) : status;
}

vise_status vise_i_cli_training_table(vise_i_cli_options *options, vise_i_cli_setup *setup, const vise_model *initial,
                                      vise_error *err) {
  making m = {.options = options, .setup = setup};
  vise_status status = VISE_OK;

  /* With --scale the columns are looked at afresh. */
  if (initial != NULL && !vise_i_cli_given(options, "scale")) {
    status = vise_i_cli_preprocessor_of(initial, options->init, &setup->preprocessor, err);
    setup->keeps_scaling = setup->preprocessor != NULL;
  }
  if (status == VISE_OK) status = make(&m, err);

  free_table(&m);
  vise_split_clear(&m.validation);
  vise_split_clear(&m.test);
  free(m.targets);
  return status;
}

vise_status vise_i_cli_training_table_follow(vise_i_cli_options *options, const vise_i_cli_setup *setup,
                                             vise_error *err) {
  const vise_status status = vise_i_cli_recipe_for_data(options, setup->n_recipe_rows, err);
  if (status != VISE_OK) return status;
  resolve_target(options, setup->preprocessor);
  return vise_i_cli_recipe_for_training(options, setup->n_recipe_train_rows, setup->n_recipe_features,
                                        setup->validation != NULL, err);
}
