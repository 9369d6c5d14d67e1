/* What a sweep tells as events. */
#include <math.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/sweep_share.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"

json_t *vise_i_cli_sweep_axes_json(const vise_i_cli_sweeping *s) {
  json_t *axes = json_array();
  for (size_t axis = 0; axis < s->n_axes; axis++) {
    vise_i_json_add(&axes, vise_i_cli_text_to_json(vise_space_axis_name(s->space, axis)));
  }
  return axes;
}

json_t *vise_i_cli_sweep_rungs_json(const vise_i_cli_sweeping *s) {
  json_t *rungs = json_array();
  for (size_t i = 0; i < s->n_rungs; i++) {
    vise_i_json_add(&rungs, s->rungs[i] > 0 ? json_integer((json_int_t)s->rungs[i]) : json_null());
  }
  return rungs;
}

void vise_i_cli_sweep_tell_start(const vise_i_cli_sweeping *s) {
  const vise_i_cli_setup *first = &s->data[0].setups[0];
  if (!vise_i_cli_tells_events()) return;

  json_t *event = vise_i_cli_event("start");
  vise_i_json_put(&event, "command", json_string("sweep"));
  vise_i_json_put(&event, "version", json_string(vise_version()));
  vise_i_json_put(&event, "out", vise_i_cli_name_json(s->dir));
  vise_i_json_put(&event, "resumes", json_boolean(s->resumes));
  vise_i_json_put(&event, "data", vise_i_cli_name_json(s->options->train));
  vise_i_cli_event_count(&event, "rows", vise_dataset_n_rows(first->train) + vise_dataset_n_rows(first->validation));
  vise_i_cli_event_count(&event, "inputs", vise_dataset_n_features(first->train));

  vise_i_json_put(&event, "varied", vise_i_cli_sweep_axes_json(s));
  vise_i_cli_event_count(&event, "configs", s->n_configs);
  vise_i_cli_event_count(&event, "folds", s->n_folds);
  vise_i_cli_event_count(&event, "repeats", s->n_repeats);
  vise_i_cli_event_count(&event, "fits_total", vise_i_cli_sweep_n_planned(s));
  vise_i_json_put(&event, "score", json_string(vise_i_cli_score_name(s->options->score)));
  vise_i_json_put(&event, "rungs", vise_i_cli_sweep_rungs_json(s));
  vise_i_cli_event_write(event);
}

void vise_i_cli_sweep_tell_moment(const vise_i_cli_sweeping *s, const vise_i_cli_sweep_moment *moment) {
  json_t *event = vise_i_cli_event("progress"), *best = json_null();
  vise_i_cli_event_count(&event, "fits_done", s->n_done);
  vise_i_cli_event_count(&event, "fits_total", s->n_planned);
  vise_i_cli_event_real(&event, "fits_per_second", moment->rate > 0 ? moment->rate : (double)NAN);
  vise_i_cli_event_real(&event, "seconds_left", moment->seconds_left);
  vise_i_cli_event_real(&event, "seconds", moment->seconds);
  vise_i_cli_event_count(&event, "rung", s->round);
  vise_i_cli_event_count(&event, "rungs", s->n_rungs);
  vise_i_cli_event_count(&event, "workers", vise_i_cli_share_n_workers(s));

  if (moment->best_config != SIZE_MAX) {
    best = json_object();
    vise_i_cli_event_count(&best, "config", moment->best_config);
    vise_i_json_put(&best, "params", vise_i_cli_sweep_params_json(s, moment->best_config));
    vise_i_cli_event_real(&best, "score", moment->best);
  }
  vise_i_json_put(&event, "best", best);
  vise_i_cli_event_write(event);
}

void vise_i_cli_sweep_tell_round(const vise_i_cli_sweeping *s, size_t n_configs) {
  if (!vise_i_cli_tells_events() || s->n_rungs < 2) return;
  const uint64_t epochs = s->rungs[s->round - 1];
  json_t *event = vise_i_cli_event("rung");
  vise_i_cli_event_count(&event, "rung", s->round);
  vise_i_cli_event_count(&event, "rungs", s->n_rungs);
  vise_i_cli_event_count(&event, "configs", n_configs);
  vise_i_json_put(&event, "epochs", epochs > 0 ? json_integer((json_int_t)epochs) : json_null());
  vise_i_cli_event_write(event);
}

void vise_i_cli_sweep_tell_end(const vise_i_cli_sweeping *s, const char *reason, int exit_code) {
  if (!vise_i_cli_tells_events()) return;
  json_t *event = vise_i_cli_event("end");
  vise_i_json_put(&event, "reason", json_string(reason));
  vise_i_cli_event_count(&event, "fits", s->n_fits_now);
  vise_i_cli_event_real(&event, "seconds", s->seconds);

  if (s->has_winner) {
    vise_i_json_put_all(&event, vise_i_cli_sweep_choice_json(s));
  }
  vise_i_cli_event_count(&event, "exit_code", (uint64_t)exit_code);
  vise_i_cli_event_write(event);
}
