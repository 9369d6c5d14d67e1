#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/cli.h"
#include "host/cli/parse.h"

int vise_i_cli_report_error(vise_i_cli_command command, const vise_error *err, vise_status status, int exit_code) {
  const char *name = vise_i_cli_command_name(command);
  const char *text = err->text[0] != '\0' ? err->text : vise_status_text(status);
  (void)fprintf(stderr, "vise %s: %s\n", name, text);
  if (status == VISE_ERR_USAGE) (void)fprintf(stderr, "Try 'vise %s --help' for the options.\n", name);
  return exit_code;
}

int vise_i_cli_end_output(vise_i_cli_command command, int exit_code) {
  bool failed = ferror(stdout) != 0;
  if (fflush(stdout) != 0) failed = true;
  if (!failed || exit_code != 0) return exit_code;
  (void)fprintf(stderr, "vise %s: the results could not be written to standard output\n",
                vise_i_cli_command_name(command));
  return VISE_I_CLI_FAILED;
}

void vise_i_cli_print_metrics(FILE *stream, const vise_metrics *metrics) {
  (void)fprintf(stream, "loss %.6g", metrics->loss);
  if (!isnan(metrics->accuracy)) (void)fprintf(stream, "  accuracy %.2f %%", 100 * metrics->accuracy);
  if (!isnan(metrics->rmse)) (void)fprintf(stream, "  RMSE %.6g", metrics->rmse);
  if (!isnan(metrics->r2)) (void)fprintf(stream, "  R^2 %.6g", metrics->r2);
}

json_t *vise_i_cli_json_real(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

void vise_i_cli_metrics_json(json_t *object, const vise_metrics *metrics) {
  (void)json_object_set_new(object, "rows", json_integer((json_int_t)metrics->n_rows));
  (void)json_object_set_new(object, "loss", vise_i_cli_json_real(metrics->loss));
  if (!isnan(metrics->accuracy)) {
    (void)json_object_set_new(object, "accuracy", vise_i_cli_json_real(metrics->accuracy));
  }
  if (!isnan(metrics->rmse)) (void)json_object_set_new(object, "rmse", vise_i_cli_json_real(metrics->rmse));
  if (!isnan(metrics->r2)) (void)json_object_set_new(object, "r2", vise_i_cli_json_real(metrics->r2));
}

void vise_i_cli_print_json(json_t *value) {
  (void)json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
  (void)putchar('\n');
  json_decref(value);
}

void vise_i_cli_print_share(const char *label, uint64_t part, uint64_t whole, const char *of_what) {
  double share = whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
  (void)printf("  %-34s %8.3f %%  (%" PRIu64 " of %" PRIu64 "%s%s)\n", label, share, part, whole,
               *of_what == '\0' ? "" : " ", of_what);
}

/* ---- regularization ------------------------------------------------------------------------------------------- */

/* A list being printed, ", " between its items. */
typedef struct item_list {
  FILE *stream;
  size_t n;
} item_list;

static void begin_item(item_list *list) {
  if (list->n++ > 0) (void)fputs(", ", list->stream);
}

static void item_number(item_list *list, const char *name, double value, const char *detail) {
  if (!(value > 0)) return;
  char number[40];
  vise_i_cli_format_real(value, number, sizeof number);
  begin_item(list);
  (void)fprintf(list->stream, "%s %s%s%s", name, number, *detail == '\0' ? "" : " ", detail);
}

static void item_range(item_list *list, const char *name, double lo, double hi) {
  char low[40], high[40];
  vise_i_cli_format_real(lo, low, sizeof low);
  vise_i_cli_format_real(hi, high, sizeof high);
  begin_item(list);
  (void)fprintf(list->stream, "%s %s:%s", name, low, high);
}

void vise_i_cli_print_regularization(FILE *stream, const vise_train_config *training) {
  item_list list = {stream, 0};
  (void)fprintf(stream, "regularization  ");
  const char *convention = vise_penalty_convention_name(training->penalty_convention);

  item_number(&list, "l2", training->l2, convention);
  item_number(&list, training->prox_l1 ? "l1 (proximal)" : "l1", training->l1, convention);
  item_number(&list, "norm penalty", training->norm_penalty, "");
  item_number(&list, "decoupled decay", training->decoupled_decay, "");

  if (training->clip_value) item_range(&list, "value clip", training->clip_value_lo, training->clip_value_hi);
  item_number(&list, "norm clip", training->clip_norm, vise_clip_norm_type_name(training->clip_norm_type));
  item_number(&list, "largest update", training->max_update, "");

  if (training->clamp) item_range(&list, "box", training->clamp_lo, training->clamp_hi);
  for (size_t i = 0; i < training->n_layer_clamps; i++) {
    char name[48];
    (void)snprintf(name, sizeof name, "box of layer %zu", training->layer_clamps[i].layer);
    item_range(&list, name, training->layer_clamps[i].lo, training->layer_clamps[i].hi);
  }
  item_number(&list, "max-norm", training->max_norm, vise_max_norm_scope_name(training->max_norm_scope));

  if (training->weight_op.kind != VISE_WEIGHT_OP_NONE) {
    begin_item(&list);
    (void)fputs(vise_weight_op_kind_name(training->weight_op.kind), stream);
  }

  (void)fprintf(stream, "%s\n", list.n == 0 ? "none" : "");
}

void vise_i_cli_print_effects(const vise_train_config *training, const vise_run_result *result, size_t n_parameters) {
  (void)printf("what the regularization did\n");

  if (result->n_boxed > 0) {
    vise_i_cli_print_share("weights at the lower bound", result->n_at_lo, result->n_boxed, "boxed");
    vise_i_cli_print_share("weights at the upper bound", result->n_at_hi, result->n_boxed, "boxed");
  } else {
    (void)printf("  %-34s %10s\n", "weights at a bound", "no box");
  }

  if (training->clip_norm > 0) {
    vise_i_cli_print_share("steps whose norm was clipped", result->n_norm_clipped, result->steps, "");
  } else {
    (void)printf("  %-34s %10s\n", "steps whose norm was clipped", "off");
  }

  if (training->clip_value) {
    uint64_t n_entries = (result->steps - result->n_skipped) * (uint64_t)n_parameters;
    vise_i_cli_print_share("gradient entries value-clipped", result->n_clipped_values, n_entries, "");
  } else {
    (void)printf("  %-34s %10s\n", "gradient entries value-clipped", "off");
  }

  vise_i_cli_print_share("zero weights", result->n_zero_weights, result->n_weights, "");
  vise_i_cli_print_share("skipped steps", result->n_skipped, result->steps, "");
}

/* The folder that path lies in; malloc'ed. */
static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static bool same_place(const char *a, const char *b) {
  struct stat of_a, of_b;
  return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

bool vise_i_cli_same_file(const char *a, const char *b) {
  if (strcmp(a, b) == 0 || same_place(a, b)) return true;
  const char *slash_a = strrchr(a, '/'), *slash_b = strrchr(b, '/');
  if (strcmp(slash_a == NULL ? a : slash_a + 1, slash_b == NULL ? b : slash_b + 1) != 0) return false;
  char *folder_a = folder_of(a), *folder_b = folder_of(b);
  bool same = folder_a != NULL && folder_b != NULL && same_place(folder_a, folder_b);
  free(folder_a);
  free(folder_b);
  return same;
}

vise_status vise_i_cli_check_folder(const char *path, vise_error *err) {
  char *folder = folder_of(path);
  if (folder == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  vise_status status = VISE_OK;
  if (access(folder, F_OK) != 0) {
    status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: the folder %s does not exist", path, folder);
  } else if (access(folder, W_OK) != 0) {
    status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: the folder %s cannot be written", path, folder);
  }
  free(folder);
  return status;
}
