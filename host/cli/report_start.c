/* The first lines of a training: what the data were taken for, and what is done with them. */
#include <inttypes.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/net_text.h"
#include "host/cli/report.h"
#include "host/cli/table_data.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"

static void print_rows(FILE *stream, const char *name, const vise_dataset *dataset) {
  if (dataset == NULL) return;
  const size_t n = vise_dataset_n_rows(dataset);
  (void)fprintf(stream, "%-15s %s: %zu row%s\n", name, vise_dataset_name(dataset), n, vise_i_cli_plural(n));
}

static void print_fold(const vise_i_cli_report *report, FILE *stream) {
  const vise_i_cli_options *options = report->options;
  const size_t n = vise_dataset_n_rows(report->setup->validation), n_later = report->setup->n_later;
  (void)fprintf(stream, "%-15s fold %zu of %zu", "validation", options->fold_number, options->n_folds);
  if (options->fold_repeat > 0) (void)fprintf(stream, ", repeat %" PRIu64, options->fold_repeat);
  (void)fprintf(stream, ": %zu row%s", n, vise_i_cli_plural(n));
  if (n_later > 0) (void)fprintf(stream, ", and %zu later row%s left out", n_later, vise_i_cli_plural(n_later));
  (void)fprintf(stream, "\n");
}

static void print_arrays(const vise_i_cli_report *report, FILE *stream) {
  const vise_train_config *training = &report->options->training;
  const vise_i_cli_setup *setup = report->setup;
  const vise_dataset *train = setup->train;
  const size_t n_rows = vise_dataset_n_rows(train), n_features = vise_dataset_n_features(train);

  (void)fprintf(stream, "%-15s %s: %zu row%s, %zu feature%s (%s)", "data", vise_dataset_name(train), n_rows,
                vise_i_cli_plural(n_rows), n_features, vise_i_cli_plural(n_features),
                vise_dtype_name(vise_dataset_feature_dtype(train)));
  if (vise_loss_targets(training->loss) == VISE_TARGETS_LABELS) {
    (void)fprintf(stream, ", %zu classes%s", setup->n_classes,
                  vise_dataset_is_one_hot(train) ? " (one-hot targets)" : "");
  } else {
    const size_t n_targets = vise_dataset_n_targets(train);
    (void)fprintf(stream, ", %zu target column%s", n_targets, vise_i_cli_plural(n_targets));
  }
  (void)fprintf(stream, ", scale %s\n", vise_scale_name(training->scale));
}

/* What was made of a table, as the library describes it. */
static void print_table(const vise_i_cli_setup *setup, FILE *stream) {
  const vise_preprocessor *p = setup->preprocessor;

  if (setup->keeps_scaling) {
    const size_t n_classes = vise_preprocessor_n_classes(p), n_rows = vise_dataset_n_rows(setup->train);
    const size_t n_inputs = vise_preprocessor_n_inputs(p);
    (void)fprintf(stream, "%-15s %s: %zu row%s, %zu input%s", "data", vise_dataset_name(setup->train), n_rows,
                  vise_i_cli_plural(n_rows), n_inputs, vise_i_cli_plural(n_inputs));
    if (n_classes > 0) (void)fprintf(stream, ", %zu classes", n_classes);
    (void)fprintf(stream, "\n");
  }

  for (size_t i = 0; i < vise_preprocessor_n_lines(p) && !setup->keeps_scaling; i++) {
    vise_i_cli_print_line(stream, i == 0 ? "data" : "", vise_preprocessor_line(p, i));
  }

  if (vise_dataset_is_one_hot(setup->train) &&
      vise_loss_targets(vise_model_loss(setup->model)) == VISE_TARGETS_LABELS) {
    (void)fprintf(stream, "%-15s targets are one-hot: read as %zu classes\n", "", setup->n_classes);
  }
  for (size_t i = 0; i < setup->n_notes; i++) vise_i_cli_print_line(stream, "", setup->notes[i]);
  if (setup->n_left_out > 0) {
    (void)fprintf(stream, "%-15s %zu row%s left out: no target\n", "", setup->n_left_out,
                  vise_i_cli_plural(setup->n_left_out));
  }
}

/* Whose rows are whose, with --sync-every. */
static void print_processes(const vise_i_cli_report *report, FILE *stream) {
  const vise_train_config *training = &report->options->training;
  if (training->sync_every == 0) return;
  (void)fprintf(
      stream, "%-15s %zu, which take the mean of their weights every %" PRIu64 " steps; %zu training rows on the first",
      "processes", vise_ranks_size(training->ranks), training->sync_every, vise_dataset_n_rows(report->setup->train));
  (void)fprintf(stream, training->own_data ? ", with %zu rows held out there\n" : "\n",
                report->setup->validation != NULL ? vise_dataset_n_rows(report->setup->validation) : 0);
}

void vise_i_cli_report_print_data(const vise_i_cli_report *report, FILE *stream) {
  const vise_i_cli_setup *setup = report->setup;
  if (setup->preprocessor != NULL) {
    print_table(setup, stream);
  } else {
    print_arrays(report, stream);
  }
  print_processes(report, stream);
  if (report->options->training.own_data) {
    (void)fflush(stream); /* rows held out are all processes' own */
    return;
  }
  if (report->options->fold != NULL) {
    print_fold(report, stream);
  } else {
    print_rows(stream, "validation", setup->validation);
  }
  print_rows(stream, "test", setup->test);
  (void)fflush(stream);
}

/* Of the scaling of --init, kept or not; NULL: there is nothing to say. */
static const char *scaling_text(const vise_i_cli_report *report) {
  const vise_i_cli_setup *setup = report->setup;
  if (setup->keeps_scaling) {
    return setup->preprocessor != NULL
               ? "columns, fills and scaling of the model of --init are kept; --scale fits new ones"
               : "those of the model of --init are kept; --scale fits new ones";
  }
  const bool fits = report->options->init != NULL && vise_i_cli_given(report->options, "scale");
  return fits ? "fitted to these rows, not that of the model of --init" : NULL;
}

static void tell_of_stream(const vise_i_cli_options *options) {
  if (strcmp(options->train, "-") == 0) vise_i_cli_tell(VISE_I_CLI_NOTE, "a run from standard input cannot be resumed");
}

static void tell_of_folder(const vise_i_cli_options *options) {
  if (options->run.out_dir != NULL) return;
  vise_i_cli_tell(VISE_I_CLI_NOTE, "nothing will be saved; give --out DIR to keep the model");
}

void vise_i_cli_report_print_start(const vise_i_cli_report *report) {
  const vise_i_cli_options *options = report->options;
  const vise_train_config *training = &options->training;
  const char *scaling = scaling_text(report);

  if (options->recipe == VISE_I_CLI_RECIPE_TABLE) {
    (void)fprintf(stderr, "%-15s table: defaults for tables, which vise info --recipes lists\n", "recipe");
  }
  if (scaling != NULL) (void)fprintf(stderr, "%-15s %s\n", "scaling", scaling);
  tell_of_stream(options);

  (void)fprintf(stderr, "%-15s ", "net");
  vise_i_cli_print_net(stderr, &options->net, vise_model_n_parameters(report->setup->model));
  (void)fprintf(stderr, "\n");
  (void)fprintf(stderr, "%-15s %s, %d thread%s\n", "backend", vise_backend_name(training->backend), training->n_threads,
                vise_i_cli_plural((uint64_t)training->n_threads));
  char lr[40];
  (void)vise_option_text(vise_option_find("lr", NULL), training, lr, sizeof lr);
  (void)fprintf(stderr, "%-15s %s, %s, learning rate %s\n", "training", vise_loss_name(training->loss),
                vise_optimizer_name(training->optimizer), lr);

  vise_i_cli_print_regularization(stderr, training);
  tell_of_folder(options);
}

void vise_i_cli_report_tell_start(const vise_i_cli_report *report) {
  const vise_i_cli_options *options = report->options;
  const char *scaling = scaling_text(report);
  json_t *event = vise_i_cli_event("start");
  vise_i_json_put(&event, "command", json_string("train"));
  vise_i_json_put(&event, "version", json_string(vise_version()));
  vise_i_json_put(&event, "out", vise_i_cli_name_json(options->run.out_dir));
  vise_i_json_put(&event, "resumes", json_boolean(options->resume != NULL));
  vise_i_cli_report_add_start(report, &event);
  vise_i_cli_event_write(event);

  if (scaling != NULL) vise_i_cli_tell(VISE_I_CLI_NOTE, "scaling: %s", scaling);
  tell_of_stream(options);
  tell_of_folder(options);
}
