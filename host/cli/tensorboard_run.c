/* Curves, histograms and the options of a run, as events. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/html_run.h"
#include "host/cli/message.h"
#include "host/cli/net_text.h"
#include "host/cli/tensorboard.h"
#include "host/cli/tensorboard_summary.h"
#include "host/cli/text_stream.h"

/* tensorboard.Event and its SessionLog */
enum { SESSION_LOG = 7, SESSION_STATUS = 1, SESSION_START = 1 };
/* Up to here each epoch is shown; after it those that have a record, of which there are ever fewer. */
enum { DENSE_EPOCHS = 1000 };
/* Histograms are as far apart as this part of the epochs so far, so that there are not too many; and, after the first
   few, so that epochs of this many rows lie between two: a weight takes about a hundred times as long as in training it
   takes for a row. */
enum { HISTOGRAM_PART = 25, HISTOGRAM_ROWS = 20000 };
enum { TAG_BYTES = 256 };

/* ---- one epoch ------------------------------------------------------------------------------------------------------ */

static void put_metrics(vise_i_proto *summary, const char *rows, const vise_metrics *metrics, const char *about) {
  const struct {
    const char *name;
    double value;
  } known[] = {{"accuracy", metrics->accuracy}, {"rmse", metrics->rmse}, {"r2", metrics->r2}};
  char tag[TAG_BYTES];

  (void)snprintf(tag, sizeof tag, "loss/%s", rows);
  vise_i_cli_put_scalar(summary, tag, metrics->loss, about);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (isnan(known[i].value)) continue;
    (void)snprintf(tag, sizeof tag, "%s/%s", known[i].name, rows);
    vise_i_cli_put_scalar(summary, tag, known[i].value, about);
  }
}

static void put_epoch(vise_i_cli_board *board, vise_i_proto *summary, const vise_progress *state) {
  const bool told = board->epochs_told;
  put_metrics(summary, "train", &state->train,
              told ? NULL : "mean over the epoch, each row at the weights before its step");
  if (state->validation.n_rows > 0) {
    put_metrics(summary, "validation", &state->validation, told ? NULL : "validation rows, after the epoch");
  }
  if (state->test.n_rows > 0) {
    put_metrics(summary, "test", &state->test, told ? NULL : "test rows, after the epoch");
  }
  board->epochs_told = true;
}

/* ---- a record ------------------------------------------------------------------------------------------------------- */

static double share(uint64_t part, uint64_t whole) {
  return whole > 0 ? (double)part / (double)whole : NAN;
}

typedef struct curve {
  const char *tag;
  double value; /* NaN: there is none */
  const char *about;
} curve;

static void put_curve(vise_i_proto *summary, const curve *of, const char *layer, bool told) {
  char tag[TAG_BYTES];
  if (isnan(of->value)) return;
  (void)snprintf(tag, sizeof tag, "%s%s%s", of->tag, layer != NULL ? "/" : "", layer != NULL ? layer : "");
  vise_i_cli_put_scalar(summary, tag, of->value, told ? NULL : of->about);
}

static void put_steps(vise_i_proto *summary, const vise_record *record, bool told) {
  const curve curves[] = {
      {"optimizer/lr", record->lr, "learning rate of the last step"},
      {"loss/penalty", record->penalty, "mean over the steps since the point before"},
      {"gradient/norm", record->grad_norm, "norm of the gradient entering the norm clip, mean over the steps"},
      {"gradient/norm_clipped", record->grad_norm_clipped, "norm leaving the norm clip, mean over the steps"},
      {"regularization/steps_clipped", share(record->n_norm_clipped, record->n_steps),
       "share of the steps whose norm was clipped"},
      {"regularization/clipped_values", (double)record->n_clipped_values,
       "entries of gradients that the value clip changed, since the point before"},
      {"regularization/steps_skipped", share(record->n_skipped, record->n_steps),
       "share of the steps whose loss or gradient was not finite"}};
  for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) put_curve(summary, &curves[i], NULL, told);
}

static void put_layer(vise_i_proto *summary, const vise_layer_record *layer, bool told) {
  const curve curves[] = {
      {"regularization/at_bound", share(layer->n_at_lo + layer->n_at_hi, layer->n_boxed),
       "share of the weights at a bound of their box"},
      {"regularization/zero", share(layer->n_zero, layer->n_weights), "share of the weights that are exactly 0"},
      {"norm", layer->norm, "2-norm of the weights"},
      {"max_abs", layer->max_abs, "largest magnitude of the weights"}};
  for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) put_curve(summary, &curves[i], layer->name, told);
}

static void put_histograms(vise_i_cli_board *board, vise_i_proto *summary, const vise_record *record) {
  for (size_t l = 0; l < record->n_layers; l++) {
    const vise_layer_record *layer = &record->layers[l];
    char tag[TAG_BYTES];
    if (!isfinite(layer->norm)) continue; /* nor are the weights */
    (void)snprintf(tag, sizeof tag, "weights/%s", layer->name);
    vise_i_cli_put_weights(summary, tag, &layer->weights, (const double[2]){layer->lo, layer->hi},
                           board->histograms_told ? NULL : "weights, from bound to bound of their box");
  }
  board->histograms_told = true;
}

static void put_record(vise_i_cli_board *board, vise_i_proto *summary, const vise_progress *state) {
  const vise_record *record = state->record;
  put_steps(summary, record, board->records_told);
  for (size_t l = 0; l < record->n_layers; l++) put_layer(summary, &record->layers[l], board->records_told);
  board->records_told = true;
  if (state->epoch < board->next_histogram) return;

  put_histograms(board, summary, record);
  const uint64_t epoch = state->epoch, by_number = 1 + epoch / HISTOGRAM_PART,
                 rare = HISTOGRAM_ROWS / (uint64_t)vise_dataset_n_rows(board->setup->train),
                 by_cost = rare < epoch ? rare : epoch;
  board->next_histogram = epoch + (by_number > by_cost ? by_number : by_cost);
}

static void add_epoch(vise_i_cli_board *board, const vise_progress *state) {
  vise_i_proto *event = vise_i_cli_event_begin(&board->events, state->step);
  const size_t summary = vise_i_proto_begin(event, VISE_I_CLI_EVENT_SUMMARY);
  put_epoch(board, event, state);
  if (state->record != NULL) put_record(board, event, state);
  vise_i_proto_end(event, summary);
  vise_i_cli_event_end(&board->events);
}

/* ---- the weights that were kept ------------------------------------------------------------------------------------- */

static vise_status put_kept(vise_i_proto *summary, const vise_model *model, size_t layer, vise_error *err) {
  const double open[2] = {-(double)INFINITY, (double)INFINITY};
  const size_t tensor = vise_i_cli_run_weights_of(model, layer);
  size_t n_rows = 0, n_cols = 0;
  char tag[TAG_BYTES];

  vise_status status = vise_model_tensor_shape(model, tensor, &n_rows, &n_cols, err);
  double *weights = status == VISE_OK ? calloc(n_rows * n_cols, sizeof *weights) : NULL;
  if (status == VISE_OK && weights == NULL) status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for weights");
  if (status == VISE_OK) status = vise_model_get_tensor(model, tensor, weights, n_rows * n_cols, err);
  if (status == VISE_OK) {
    const vise_array array = vise_array_of(weights, VISE_F64, n_rows, n_cols);
    (void)snprintf(tag, sizeof tag, "weights_kept/%s", vise_model_tensor_name(model, tensor));
    vise_i_cli_put_weights(summary, tag, &array, open, "weights of the model that was saved");
  }
  free(weights);
  return status;
}

static void show_waiting(vise_i_cli_board *board) {
  if (board->has_waiting && board->events.is_open) add_epoch(board, &board->waiting);
  board->has_waiting = false;
}

vise_status vise_i_cli_board_keep(vise_i_cli_board *board, uint64_t step, vise_error *err) {
  vise_status status = VISE_OK;
  if (board->options == NULL || !board->events.is_open) return VISE_OK;
  const vise_model *model = board->setup->model;
  show_waiting(board);

  vise_i_proto *event = vise_i_cli_event_begin(&board->events, step);
  const size_t summary = vise_i_proto_begin(event, VISE_I_CLI_EVENT_SUMMARY);
  for (size_t l = 0; l < vise_model_n_layers(model) && status == VISE_OK; l++) status = put_kept(event, model, l, err);
  vise_i_proto_end(event, summary);
  vise_i_cli_event_end(&board->events);
  return status;
}

/* ---- what it is a run of -------------------------------------------------------------------------------------------- */

/* The net, and the options as they stand in config.json but for those that are off; as markdown, where lines that begin
   with four blanks are shown as they are. */
static char *describe(const vise_i_cli_board *board, const vise_progress *state) {
  char *text = NULL, *config = strdup(board->config), *rest = config, *line;
  vise_i_cli_text_stream all;
  if (config == NULL || vise_i_cli_text_begin(&all, "a description", NULL) != VISE_OK) {
    free(config);
    return NULL;
  }

  FILE *stream = all.stream;
  (void)fprintf(stream, "vise %s, %" PRIu64 " steps an epoch\n\n    ", vise_version(), state->steps_per_epoch);
  vise_i_cli_print_net(stream, &board->options->net, vise_model_n_parameters(board->setup->model));
  (void)fputs("\n\nOptions that are not off, as in `config.json`:\n\n", stream);
  while ((line = strsep(&rest, "\n")) != NULL) {
    if (strstr(line, ": null") == NULL) (void)fprintf(stream, "    %s\n", line);
  }
  free(config);
  return vise_i_cli_text_end(&all, "a description", &text, NULL, NULL) == VISE_OK ? text : NULL;
}

/* Of a run that goes on, what the files before this one have of these steps and later ones does not hold any more. */
static void put_restart(vise_i_cli_board *board, uint64_t step) {
  vise_i_proto *event = vise_i_cli_event_begin(&board->events, step);
  const size_t session = vise_i_proto_begin(event, SESSION_LOG);
  vise_i_proto_count(event, SESSION_STATUS, SESSION_START);
  vise_i_proto_end(event, session);
  vise_i_cli_event_end(&board->events);
}

/* At the first epoch that ends: the one before may be in a file before this one. */
static vise_status open_events(vise_i_cli_board *board, const vise_progress *state, vise_error *err) {
  vise_status status = vise_i_cli_events_open(&board->events, board->options->run.out_dir, board->folder, NULL, err);
  if (status != VISE_OK) return status;
  if (board->options->resume != NULL) put_restart(board, state->step);

  char *text = describe(board, state);
  if (text == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for an event file");
  vise_i_proto *event = vise_i_cli_event_begin(&board->events, state->step);
  const size_t summary = vise_i_proto_begin(event, VISE_I_CLI_EVENT_SUMMARY);
  vise_i_cli_put_text(event, "run", text);
  vise_i_proto_end(event, summary);
  vise_i_cli_event_end(&board->events);
  free(text);
  return VISE_OK;
}

/* ---- the run -------------------------------------------------------------------------------------------------------- */

vise_status vise_i_cli_board_check(const vise_i_cli_options *options, vise_error *err) {
  if (!options->tensorboard) return VISE_OK;
  if (options->run.out_dir == NULL) return vise_i_cli_fail_needs("tensorboard", "out", err);
  return vise_i_cli_events_check(options->run.out_dir, options->run.overwrite, err);
}

vise_status vise_i_cli_board_begin(vise_i_cli_board *board, const vise_i_cli_options *options,
                                   const vise_i_cli_setup *setup, const char *config, vise_error *err) {
  vise_status status = VISE_OK;
  *board = (vise_i_cli_board){.folder = -1, .setup = setup, .config = config};
  board->events.file = -1;
  if (options->run.overwrite) status = vise_i_cli_events_remove(options->run.out_dir, err);
  if (status != VISE_OK || !options->tensorboard) return status;

  board->options = options;
  return vise_i_cli_events_folder(options->run.out_dir, &board->folder, err);
}

vise_status vise_i_cli_board_add(vise_i_cli_board *board, const vise_progress *state, vise_error *err) {
  vise_status status = VISE_OK;
  if (board->options == NULL) return VISE_OK;

  if (state->epoch_ended) {
    if (!board->events.is_open) status = open_events(board, state, err);
    if (status != VISE_OK) return status;

    board->has_waiting = state->epoch > DENSE_EPOCHS && state->record == NULL;
    if (board->has_waiting) {
      board->waiting = *state;
    } else {
      add_epoch(board, state);
    }
  }
  return board->events.is_open ? vise_i_cli_events_flush(&board->events, false, err) : VISE_OK;
}

vise_status vise_i_cli_board_end(vise_i_cli_board *board, vise_error *err) {
  if (board->options == NULL) return VISE_OK;
  show_waiting(board);
  const vise_status status = vise_i_cli_events_close(&board->events, err);
  if (board->folder >= 0) (void)close(board->folder);
  *board = (vise_i_cli_board){.folder = -1};
  return status;
}
