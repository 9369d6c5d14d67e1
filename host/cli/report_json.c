/* The report of a training as one JSON object. docs/metrics.md says what stands in it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/net_text.h"
#include "host/cli/report.h"
#include "host/cli/table_data.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"
#include "host/json/read.h"

/* More classes have no confusion matrix in it: metrics.jsonl holds one object a line. */
enum { MATRIX_CLASSES = 100 };

static json_t *count(uint64_t n) {
  return json_integer((json_int_t)n);
}

/* ---- data ----------------------------------------------------------------------------------------------------- */

static void add_numbers(json_t **item, const vise_column_info *info) {
  vise_i_json_put(item, "fill", vise_i_cli_json_real(info->fill));
  vise_i_json_put(item, "shift", vise_i_cli_json_real(info->shift));
  vise_i_json_put(item, "scale", vise_i_cli_json_real(info->scale));
  vise_i_json_put(item, "marks_gaps", json_boolean(info->has_indicator));
  if (info->kind == VISE_COLUMN_DATE) vise_i_json_put(item, "origin", vise_i_cli_json_real(info->origin));
}

static json_t *column_json(const vise_column_info *info) {
  json_t *item = json_object();
  vise_i_json_put(&item, "name", vise_i_cli_name_json(info->name));
  vise_i_json_put(&item, "place", count(info->place));
  vise_i_json_put(&item, "kind", json_string(vise_column_kind_name(info->kind)));
  vise_i_json_put(&item, "role", json_string(vise_column_role_name(info->role)));
  vise_i_json_put(&item, "gaps", count(info->n_gaps));
  if (info->role == VISE_COLUMN_DROPPED) vise_i_json_put(&item, "reason", vise_i_cli_name_json(info->reason));
  if (info->role != VISE_COLUMN_FEATURE) return item;

  vise_i_json_put(&item, "first_input", count(info->first_input));
  vise_i_json_put(&item, "inputs", count(info->n_inputs));
  if (info->kind == VISE_COLUMN_TEXT) {
    vise_i_json_put(&item, "categories", count(info->n_categories));
    vise_i_json_put(&item, "grouped", count(info->n_grouped));
  } else {
    add_numbers(&item, info);
  }
  return item;
}

json_t *vise_i_cli_columns_json(const vise_preprocessor *p) {
  json_t *columns = json_array();
  for (size_t c = 0; c < vise_preprocessor_n_columns(p); c++) {
    vise_column_info info;
    if (vise_preprocessor_column(p, c, &info, NULL) != VISE_OK) continue;
    vise_i_json_add(&columns, column_json(&info));
  }
  return columns;
}

json_t *vise_i_cli_target_json(const vise_preprocessor *p) {
  json_t *target = json_object(), *names = json_array(), *classes = json_array();
  for (size_t i = 0; i < vise_preprocessor_n_targets(p); i++) {
    vise_i_json_add(&names, vise_i_cli_name_json(vise_preprocessor_target_name(p, i)));
  }
  for (size_t k = 0; k < vise_preprocessor_n_classes(p); k++) {
    json_t *class = json_object();
    vise_i_json_put(&class, "name", vise_i_cli_name_json(vise_preprocessor_class_name(p, k)));
    vise_i_json_put(&class, "rows", count(vise_preprocessor_class_count(p, k)));
    vise_i_json_add(&classes, class);
  }

  vise_i_json_put(&target, "kind", json_string(vise_target_kind_name(vise_preprocessor_target_kind(p))));
  vise_i_json_put(&target, "names", names);
  vise_i_json_put(&target, "reason", vise_i_cli_name_json(vise_preprocessor_target_reason(p)));
  vise_i_json_put(&target, "classes", classes);
  return target;
}

/* Lines about the data, options as those of the command line. */
static json_t *lines_json(const vise_i_cli_setup *setup) {
  const vise_preprocessor *p = setup->preprocessor;
  json_t *lines = json_array();
  char text[2048];
  for (size_t i = 0; i < vise_preprocessor_n_lines(p) && !setup->keeps_scaling; i++) {
    vise_i_cli_translate(vise_preprocessor_line(p, i), VISE_I_CLI_AS_OPTION, text, sizeof text);
    vise_i_json_add(&lines, vise_i_cli_name_json(text));
  }
  for (size_t i = 0; i < setup->n_notes; i++) {
    vise_i_cli_translate(setup->notes[i], VISE_I_CLI_AS_OPTION, text, sizeof text);
    vise_i_json_add(&lines, vise_i_cli_name_json(text));
  }
  return lines;
}

static void add_table(json_t **data, const vise_i_cli_report *report) {
  const vise_i_cli_options *options = report->options;
  const vise_i_cli_setup *setup = report->setup;
  const char delimiter[2] = {setup->delimiter, '\0'};
  size_t n_used = vise_dataset_n_rows(setup->train) + setup->n_later + setup->n_of_others;
  if (options->val_fraction > 0 || options->fold != NULL) n_used += vise_dataset_n_rows(setup->validation);
  if (options->test_fraction > 0) n_used += vise_dataset_n_rows(setup->test);

  vise_i_json_put(data, "rows_left_out", count(setup->n_table_rows - n_used));
  vise_i_json_put(data, "delimiter", delimiter[0] != '\0' ? json_string(delimiter) : json_null());
  vise_i_json_put(data, "header", json_boolean(setup->has_header));
  vise_i_json_put(data, "lines", lines_json(setup));
  vise_i_json_put(data, "columns", vise_i_cli_columns_json(setup->preprocessor));
  vise_i_json_put(data, "target", vise_i_cli_target_json(setup->preprocessor));
}

static json_t *fold_json(const vise_i_cli_options *options, const vise_i_cli_setup *setup) {
  if (options->fold == NULL) return json_null();
  json_t *fold = json_object();
  vise_i_json_put(&fold, "number", count(options->fold_number));
  vise_i_json_put(&fold, "folds", count(options->n_folds));
  vise_i_json_put(&fold, "repeat", count(options->fold_repeat));
  vise_i_json_put(&fold, "seed", count(options->fold_seed));
  vise_i_json_put(&fold, "time_order", json_boolean(options->time_order));
  vise_i_json_put(&fold, "later_rows", count(setup->n_later));
  return fold;
}

/* Of --sync-every: whose the rows are that are counted here. */
static json_t *processes_json(const vise_i_cli_options *options) {
  if (options->training.sync_every == 0) return json_null();
  json_t *processes = json_object();
  vise_i_json_put(&processes, "number", count(vise_ranks_size(options->training.ranks)));
  vise_i_json_put(&processes, "own_data", json_boolean(options->training.own_data));
  return processes;
}

static json_t *data_json(const vise_i_cli_report *report) {
  const vise_i_cli_setup *setup = report->setup;
  json_t *data = json_object();
  vise_i_json_put(&data, "name", vise_i_cli_name_json(vise_dataset_name(setup->train)));
  vise_i_json_put(&data, "rows", count(vise_dataset_n_rows(setup->train)));
  vise_i_json_put(&data, "processes", processes_json(report->options));
  vise_i_json_put(&data, "validation_rows",
                  count(setup->validation != NULL ? vise_dataset_n_rows(setup->validation) : 0));
  vise_i_json_put(&data, "test_rows", count(setup->test != NULL ? vise_dataset_n_rows(setup->test) : 0));
  vise_i_json_put(&data, "inputs", count(vise_dataset_n_features(setup->train)));
  vise_i_json_put(&data, "targets", count(vise_dataset_n_targets(setup->train)));
  vise_i_json_put(&data, "classes", count(setup->n_classes));
  vise_i_json_put(&data, "fold", fold_json(report->options, setup));
  if (setup->preprocessor != NULL) add_table(&data, report);
  return data;
}

/* ---- what was trained ----------------------------------------------------------------------------------------- */

static json_t *options_json(const vise_i_cli_options *options) {
  char *text = NULL;
  json_t *object = NULL;
  if (vise_i_cli_config_text(options, &text, NULL) != VISE_OK) return NULL;
  const vise_status status = vise_i_json_parse(text, strlen(text), &object, NULL);
  free(text);
  return status == VISE_OK ? object : NULL;
}

static json_t *effects_json(const vise_i_cli_report *report) {
  const vise_run_result *r = &report->result;
  json_t *effects = json_object();
  vise_i_json_put(&effects, "boxed_weights", count(r->n_boxed));
  vise_i_json_put(&effects, "at_lower_bound", count(r->n_at_lo));
  vise_i_json_put(&effects, "at_upper_bound", count(r->n_at_hi));
  vise_i_json_put(&effects, "bounded_rows", count(r->n_bounded_rows));
  vise_i_json_put(&effects, "rows_at_bound", count(r->n_rows_at_bound));
  vise_i_json_put(&effects, "bounded_norms", count(r->n_bounded_norms));
  vise_i_json_put(&effects, "norms_at_bound", count(r->n_norms_at_bound));
  vise_i_json_put(&effects, "signed_weights", count(r->n_signed));
  vise_i_json_put(&effects, "signed_at_zero", count(r->n_signed_at_zero));
  vise_i_json_put(&effects, "steps_norm_clipped", count(r->n_norm_clipped));
  vise_i_json_put(&effects, "clipped_values", count(r->n_clipped_values));
  vise_i_json_put(&effects, "weights", count(r->n_weights));
  vise_i_json_put(&effects, "zero_weights", count(r->n_zero_weights));
  return effects;
}

/* ---- how good it is ------------------------------------------------------------------------------------------- */

static json_t *kept_json(const vise_i_cli_kept *kept, const vise_i_cli_setup *setup) {
  const vise_i_cli_model model = {.model = setup->model, .preprocessor = setup->preprocessor};
  if (!kept->exists) return json_null();
  json_t *object = json_object();
  vise_i_cli_metrics_json(&object, &kept->metrics);
  vise_i_cli_scores_json(&kept->scores, &model, &object);
  if (kept->scores.n_classes > MATRIX_CLASSES) (void)json_object_del(object, "confusion");
  return object;
}

static const char *const set_names[VISE_I_CLI_N_SETS] = {"train", "validation", "test"};

static json_t *metrics_json(const vise_i_cli_report *report) {
  json_t *metrics = json_object();
  for (size_t i = 0; i < VISE_I_CLI_N_SETS; i++)
    vise_i_json_put(&metrics, set_names[i], kept_json(&report->kept[i], report->setup));
  return metrics;
}

static json_t *best_json(const vise_i_cli_report *report) {
  const vise_run_result *r = &report->result;
  if (r->lowest_epoch == 0) return json_null();
  json_t *best = json_object();
  vise_i_json_put(&best, "epoch", count(r->lowest_epoch));
  vise_i_json_put(&best, "validation_loss", vise_i_cli_json_real(r->lowest_loss));
  vise_i_json_put(&best, "class_weighted", json_boolean(report->options->training.class_weights != NULL));
  vise_i_json_put(&best, "kept", json_boolean(r->best_epoch > 0));
  return best;
}

static json_t *estimate_json(const vise_i_cli_estimate *e) {
  if (!e->exists) return json_null();
  json_t *object = json_object(), *scores = json_array(), *rmse = json_array();
  for (size_t i = 0; i < VISE_I_CLI_FOLDS; i++) {
    vise_i_json_add(&scores, vise_i_cli_json_real(e->scores[i]));
    vise_i_json_add(&rmse, vise_i_cli_json_real(e->rmse[i]));
  }

  vise_i_json_put(&object, "folds", count(VISE_I_CLI_FOLDS));
  vise_i_json_put(&object, "score", json_string(e->classifies ? "accuracy" : "r2"));
  vise_i_json_put(&object, "mean", vise_i_cli_json_real(e->mean));
  vise_i_json_put(&object, "deviation", vise_i_cli_json_real(e->deviation));
  vise_i_json_put(&object, "scores", scores);
  if (e->classifies) {
    json_decref(rmse);
  } else {
    vise_i_json_put(&object, "rmse", rmse);
  }
  return object;
}

static json_t *warnings_json(const vise_i_cli_warnings *warnings) {
  json_t *list = json_array();
  for (size_t i = 0; i < warnings->n; i++) vise_i_json_add(&list, vise_i_cli_name_json(warnings->texts[i]));
  return list;
}

static json_t *saved_json(const char *folder) {
  char *path = NULL;
  if (folder == NULL) return json_null();
  if (asprintf(&path, "%s/model.safetensors", folder) < 0) return NULL;
  json_t *saved = vise_i_cli_text_to_json(path);
  free(path);
  return saved;
}

void vise_i_cli_report_add_start(const vise_i_cli_report *report, json_t **object) {
  const vise_i_cli_options *options = report->options;
  vise_i_json_put(object, "data", data_json(report));
  vise_i_json_put(object, "net", vise_i_cli_net_json(report->setup->model));
  vise_i_json_put(object, "recipe", json_string(options->recipe == VISE_I_CLI_RECIPE_TABLE ? "table" : "none"));
  vise_i_json_put(object, "options", options_json(options));
}

json_t *vise_i_cli_report_json(const vise_i_cli_report *report) {
  const vise_i_cli_options *options = report->options;
  const vise_run_result *r = &report->result;
  json_t *object = json_object();
  vise_i_json_put(&object, "reason", json_string(vise_stop_reason_name(r->reason)));
  vise_i_json_put(&object, "steps", count(r->steps));
  vise_i_json_put(&object, "launches", count(r->launches));
  vise_i_json_put(&object, "seconds", vise_i_cli_json_real(r->seconds));
  vise_i_json_put(&object, "epochs", count(r->epochs));
  vise_i_json_put(&object, "resumed_from_step", count(r->resumed_from_step));
  vise_i_json_put(&object, "skipped_steps", count(r->n_skipped));
  vise_i_json_put(&object, "version", json_string(vise_version()));
  const bool is_scored = r->reason != VISE_STOP_INTERRUPTED && report->setup->validation != NULL;
  vise_i_json_put(&object, "val_loss", is_scored ? vise_i_cli_json_real(report->val_loss) : json_null());

  vise_i_cli_report_add_start(report, &object);
  vise_i_json_put(&object, "metrics", metrics_json(report));
  vise_i_json_put(&object, "estimate", estimate_json(&report->estimate));
  vise_i_json_put(&object, "best_epoch", best_json(report));
  vise_i_json_put(&object, "regularization", effects_json(report));
  vise_i_json_put(&object, "warnings", warnings_json(&report->warnings));
  vise_i_json_put(&object, "saved", saved_json(options->run.out_dir));
  return object;
}

json_t *vise_i_cli_report_json_for_charts(const vise_i_cli_report *report) {
  json_t *object = vise_i_cli_report_json(report), *metrics = json_object_get(object, "metrics");
  bool lacks = false;
  for (size_t i = 0; i < VISE_I_CLI_N_SETS; i++) {
    json_t *of_set = json_incref(json_object_get(metrics, set_names[i]));
    if (json_is_object(of_set)) vise_i_cli_scores_sample_json(&report->kept[i].scores, &of_set);
    lacks = lacks || of_set == NULL;
    json_decref(of_set);
  }

  if (!lacks) return object;
  json_decref(object);
  return NULL;
}
