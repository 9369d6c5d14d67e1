/* The report of a training as one JSON object. docs/metrics.md says what stands in it. */
#include <math.h>
#include <stdlib.h>

#include "host/cli/cli.h"
#include "host/cli/net_text.h"
#include "host/cli/report.h"
#include "host/cli/table_data.h"
#include "host/cli/text_json.h"

/* More classes have no confusion matrix in it: metrics.jsonl holds one object a line. */
enum { MATRIX_CLASSES = 100 };

static void set(json_t *object, const char *key, json_t *value) {
  (void)json_object_set_new(object, key, value);
}

static json_t *count(uint64_t n) {
  return json_integer((json_int_t)n);
}

/* ---- data ----------------------------------------------------------------------------------------------------- */

static void add_numbers(json_t *item, const vise_column_info *info) {
  set(item, "fill", vise_i_cli_json_real(info->fill));
  set(item, "shift", vise_i_cli_json_real(info->shift));
  set(item, "scale", vise_i_cli_json_real(info->scale));
  set(item, "marks_gaps", json_boolean(info->has_indicator));
  if (info->kind == VISE_COLUMN_DATE) set(item, "origin", vise_i_cli_json_real(info->origin));
}

static json_t *column_json(const vise_column_info *info) {
  json_t *item = json_object();
  set(item, "name", vise_i_cli_name_json(info->name));
  set(item, "place", count(info->place));
  set(item, "kind", json_string(vise_column_kind_name(info->kind)));
  set(item, "role", json_string(vise_column_role_name(info->role)));
  set(item, "gaps", count(info->n_gaps));
  if (info->role == VISE_COLUMN_DROPPED) set(item, "reason", vise_i_cli_name_json(info->reason));
  if (info->role != VISE_COLUMN_FEATURE) return item;

  set(item, "first_input", count(info->first_input));
  set(item, "inputs", count(info->n_inputs));
  if (info->kind == VISE_COLUMN_TEXT) {
    set(item, "categories", count(info->n_categories));
    set(item, "grouped", count(info->n_grouped));
  } else {
    add_numbers(item, info);
  }
  return item;
}

json_t *vise_i_cli_columns_json(const vise_preprocessor *p) {
  json_t *columns = json_array();
  for (size_t c = 0; c < vise_preprocessor_n_columns(p); c++) {
    vise_column_info info;
    if (vise_preprocessor_column(p, c, &info, NULL) != VISE_OK) continue;
    (void)json_array_append_new(columns, column_json(&info));
  }
  return columns;
}

json_t *vise_i_cli_target_json(const vise_preprocessor *p) {
  json_t *target = json_object(), *names = json_array(), *classes = json_array();
  for (size_t i = 0; i < vise_preprocessor_n_targets(p); i++) {
    (void)json_array_append_new(names, vise_i_cli_name_json(vise_preprocessor_target_name(p, i)));
  }
  for (size_t k = 0; k < vise_preprocessor_n_classes(p); k++) {
    (void)json_array_append_new(
        classes, json_pack("{s:o, s:I}", "name", vise_i_cli_name_json(vise_preprocessor_class_name(p, k)), "rows",
                           (json_int_t)vise_preprocessor_class_count(p, k)));
  }

  set(target, "kind", json_string(vise_target_kind_name(vise_preprocessor_target_kind(p))));
  set(target, "names", names);
  set(target, "reason", vise_i_cli_name_json(vise_preprocessor_target_reason(p)));
  set(target, "classes", classes);
  return target;
}

/* Lines about the data, options as those of the command line. */
static json_t *lines_json(const vise_i_cli_setup *setup) {
  const vise_preprocessor *p = setup->preprocessor;
  json_t *lines = json_array();
  char text[2048];
  for (size_t i = 0; i < vise_preprocessor_n_lines(p) && !setup->keeps_scaling; i++) {
    vise_i_cli_translate(vise_preprocessor_line(p, i), VISE_I_CLI_AS_OPTION, text, sizeof text);
    (void)json_array_append_new(lines, vise_i_cli_name_json(text));
  }
  for (size_t i = 0; i < setup->n_notes; i++) {
    vise_i_cli_translate(setup->notes[i], VISE_I_CLI_AS_OPTION, text, sizeof text);
    (void)json_array_append_new(lines, vise_i_cli_name_json(text));
  }
  return lines;
}

static void add_table(json_t *data, const vise_i_cli_report *report) {
  const vise_i_cli_options *options = report->options;
  const vise_i_cli_setup *setup = report->setup;
  const char delimiter[2] = {setup->delimiter, '\0'};
  size_t n_used = vise_dataset_n_rows(setup->train) + setup->n_later;
  if (options->val_fraction > 0 || options->fold != NULL) n_used += vise_dataset_n_rows(setup->validation);
  if (options->test_fraction > 0) n_used += vise_dataset_n_rows(setup->test);

  set(data, "rows_left_out", count(setup->n_table_rows - n_used));
  set(data, "delimiter", delimiter[0] != '\0' ? json_string(delimiter) : json_null());
  set(data, "header", json_boolean(setup->has_header));
  set(data, "lines", lines_json(setup));
  set(data, "columns", vise_i_cli_columns_json(setup->preprocessor));
  set(data, "target", vise_i_cli_target_json(setup->preprocessor));
}

static json_t *fold_json(const vise_i_cli_options *options, const vise_i_cli_setup *setup) {
  if (options->fold == NULL) return json_null();
  json_t *fold = json_object();
  set(fold, "number", count(options->fold_number));
  set(fold, "folds", count(options->n_folds));
  set(fold, "repeat", count(options->fold_repeat));
  set(fold, "seed", count(options->fold_seed));
  set(fold, "time_order", json_boolean(options->time_order));
  set(fold, "later_rows", count(setup->n_later));
  return fold;
}

static json_t *data_json(const vise_i_cli_report *report) {
  const vise_i_cli_setup *setup = report->setup;
  json_t *data = json_object();
  set(data, "name", vise_i_cli_name_json(vise_dataset_name(setup->train)));
  set(data, "rows", count(vise_dataset_n_rows(setup->train)));
  set(data, "validation_rows", count(setup->validation != NULL ? vise_dataset_n_rows(setup->validation) : 0));
  set(data, "test_rows", count(setup->test != NULL ? vise_dataset_n_rows(setup->test) : 0));
  set(data, "inputs", count(vise_dataset_n_features(setup->train)));
  set(data, "targets", count(vise_dataset_n_targets(setup->train)));
  set(data, "classes", count(setup->n_classes));
  set(data, "fold", fold_json(report->options, setup));
  if (setup->preprocessor != NULL) add_table(data, report);
  return data;
}

/* ---- what was trained ----------------------------------------------------------------------------------------- */

static json_t *options_json(const vise_i_cli_options *options) {
  vise_error ignored = VISE_ERROR_INIT;
  char *text = NULL;
  if (vise_i_cli_config_text(options, &text, &ignored) != VISE_OK) return NULL;
  json_t *object = json_loads(text, 0, NULL);
  free(text);
  return object;
}

static json_t *effects_json(const vise_i_cli_report *report) {
  const vise_run_result *r = &report->result;
  json_t *effects = json_object();
  set(effects, "boxed_weights", count(r->n_boxed));
  set(effects, "at_lower_bound", count(r->n_at_lo));
  set(effects, "at_upper_bound", count(r->n_at_hi));
  set(effects, "steps_norm_clipped", count(r->n_norm_clipped));
  set(effects, "clipped_values", count(r->n_clipped_values));
  set(effects, "weights", count(r->n_weights));
  set(effects, "zero_weights", count(r->n_zero_weights));
  return effects;
}

/* ---- how good it is ------------------------------------------------------------------------------------------- */

static json_t *kept_json(const vise_i_cli_kept *kept, const vise_i_cli_setup *setup) {
  const vise_i_cli_model model = {.model = setup->model, .preprocessor = setup->preprocessor};
  if (!kept->exists) return json_null();
  json_t *object = json_object();
  vise_i_cli_metrics_json(object, &kept->metrics);
  vise_i_cli_scores_json(&kept->scores, &model, object);
  if (kept->scores.n_classes > MATRIX_CLASSES) (void)json_object_del(object, "confusion");
  return object;
}

static const char *const set_names[VISE_I_CLI_N_SETS] = {"train", "validation", "test"};

static json_t *metrics_json(const vise_i_cli_report *report) {
  json_t *metrics = json_object();
  for (size_t i = 0; i < VISE_I_CLI_N_SETS; i++) set(metrics, set_names[i], kept_json(&report->kept[i], report->setup));
  return metrics;
}

static json_t *best_json(const vise_i_cli_report *report) {
  const vise_run_result *r = &report->result;
  if (r->lowest_epoch == 0) return json_null();
  json_t *best = json_object();
  set(best, "epoch", count(r->lowest_epoch));
  set(best, "validation_loss", vise_i_cli_json_real(r->lowest_loss));
  set(best, "class_weighted", json_boolean(report->options->training.class_weights != NULL));
  set(best, "kept", json_boolean(r->best_epoch > 0));
  return best;
}

static json_t *estimate_json(const vise_i_cli_estimate *e) {
  if (!e->exists) return json_null();
  json_t *object = json_object(), *scores = json_array(), *rmse = json_array();
  for (size_t i = 0; i < VISE_I_CLI_FOLDS; i++) {
    (void)json_array_append_new(scores, vise_i_cli_json_real(e->scores[i]));
    (void)json_array_append_new(rmse, vise_i_cli_json_real(e->rmse[i]));
  }

  set(object, "folds", count(VISE_I_CLI_FOLDS));
  set(object, "score", json_string(e->classifies ? "accuracy" : "r2"));
  set(object, "mean", vise_i_cli_json_real(e->mean));
  set(object, "deviation", vise_i_cli_json_real(e->deviation));
  set(object, "scores", scores);
  if (e->classifies) {
    json_decref(rmse);
  } else {
    set(object, "rmse", rmse);
  }
  return object;
}

static json_t *warnings_json(const vise_i_cli_warnings *warnings) {
  json_t *list = json_array();
  for (size_t i = 0; i < warnings->n; i++) (void)json_array_append_new(list, vise_i_cli_name_json(warnings->texts[i]));
  return list;
}

static json_t *saved_json(const char *folder) {
  char *path = NULL;
  if (folder == NULL || asprintf(&path, "%s/model.safetensors", folder) < 0) return json_null();
  json_t *saved = vise_i_cli_text_to_json(path);
  free(path);
  return saved;
}

void vise_i_cli_report_add_start(const vise_i_cli_report *report, json_t *object) {
  const vise_i_cli_options *options = report->options;
  set(object, "data", data_json(report));
  set(object, "net", vise_i_cli_net_json(report->setup->model));
  set(object, "recipe", json_string(options->recipe == VISE_I_CLI_RECIPE_TABLE ? "table" : "none"));
  set(object, "options", options_json(options));
}

json_t *vise_i_cli_report_json(const vise_i_cli_report *report) {
  const vise_i_cli_options *options = report->options;
  const vise_run_result *r = &report->result;
  json_t *object = json_object();
  set(object, "reason", json_string(vise_stop_reason_name(r->reason)));
  set(object, "steps", count(r->steps));
  set(object, "launches", count(r->launches));
  set(object, "seconds", vise_i_cli_json_real(r->seconds));
  set(object, "epochs", count(r->epochs));
  set(object, "resumed_from_step", count(r->resumed_from_step));
  set(object, "skipped_steps", count(r->n_skipped));
  set(object, "version", json_string(vise_version()));
  const bool is_scored = r->reason != VISE_STOP_INTERRUPTED && report->setup->validation != NULL;
  set(object, "val_loss", is_scored ? vise_i_cli_json_real(r->validation.loss) : json_null());

  vise_i_cli_report_add_start(report, object);
  set(object, "metrics", metrics_json(report));
  set(object, "estimate", estimate_json(&report->estimate));
  set(object, "best_epoch", best_json(report));
  set(object, "regularization", effects_json(report));
  set(object, "warnings", warnings_json(&report->warnings));
  set(object, "saved", saved_json(options->run.out_dir));
  return object;
}

json_t *vise_i_cli_report_json_for_charts(const vise_i_cli_report *report) {
  json_t *object = vise_i_cli_report_json(report), *metrics = json_object_get(object, "metrics");
  for (size_t i = 0; i < VISE_I_CLI_N_SETS; i++) {
    json_t *of_set = json_object_get(metrics, set_names[i]);
    if (json_is_object(of_set)) vise_i_cli_scores_sample_json(&report->kept[i].scores, of_set);
  }
  return object;
}
