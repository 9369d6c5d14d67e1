#include "host/train/integer_pass.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/array.h"
#include "host/base/memory.h"
#include "host/train/quantize.h"

typedef struct integer_pass {
  vise_i_backend base;
  vise_i_integer_net *net;
  bool is_trained;
  vise_i_integer_seen seen; /* of a net that is not proven */
  uint8_t *x, *scratch;
  int32_t *y;
} integer_pass;

static void destroy(vise_i_backend *backend) {
  integer_pass *p = (integer_pass *)backend;
  if (p == NULL) return;
  vise_i_integer_net_free(p->net);
  free(p->x);
  free(p->scratch);
  free(p->y);
  free(p);
}

/* The data as they are stored: the model's scaling is in the net's inputs. */
static vise_status forward(vise_i_backend *backend, const vise_i_batch *batch, double *out, vise_error *err) {
  integer_pass *p = (integer_pass *)backend;
  const size_t n_in = p->net->layers[0].n_in, n_out = p->net->layers[p->net->n_layers - 1].n_out;
  (void)err;

  for (size_t i = 0; i < batch->n; i++) {
    const size_t row = batch->rows != NULL ? batch->rows[i] : i;
    for (size_t c = 0; c < n_in; c++) {
      p->x[c] = vise_i_integer_input(p->net, c, vise_i_array_get(&batch->data->x, row, c));
    }
    vise_i_integer_forward(p->net, p->x, p->scratch, p->y, p->net->is_proven ? NULL : &p->seen);
    for (size_t k = 0; k < n_out; k++) out[i * n_out + k] = p->y[k] * p->net->output_scale;
  }
  return VISE_OK;
}

static const vise_i_backend_ops OPS = {.name = "integer", .dtype = VISE_F64, .destroy = destroy, .forward = forward};

static vise_status make_net(const vise_model *model, const char *as, const vise_i_integer_rows *data, integer_pass *p,
                            vise_error *err) {
  vise_status status;
  vise_i_integer_format format;
  vise_i_calibration calibration;
  float *rows = NULL;
  const vise_i_quantization *trained = vise_i_model_quantization(model);

  VISE_TRY(vise_i_integer_format_parse("as", as, &format, err));
  p->is_trained = trained != NULL && vise_i_integer_format_is_same(&trained->format, &format);
  if (p->is_trained && data->ranges != NULL) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE,
                         "the model was trained for %s and has ranges of its own: leave `ranges` away", as));
  }
  if (p->is_trained) {
    VISE_TRY(vise_i_integer_net_of_model(model, &p->net, err));
    goto done;
  }
  const vise_i_view *view = data->ranges != NULL ? data->ranges : data->all;
  VISE_TRY(vise_i_integer_check_net(vise_i_model_net(model), false, err));
  VISE_TRY(vise_i_calibration_make(vise_i_model_net(model), view, &rows, &calibration, err));
  VISE_TRY(vise_i_integer_net_of_floats(model, &format, &calibration, &p->net, err));

done:
  free(rows);
  return status;
}

vise_status vise_i_integer_pass_open(const vise_model *model, const char *as, const vise_i_integer_rows *rows,
                                     const vise_i_step_spec *spec, vise_i_backend **out, vise_error *err) {
  vise_status status;
  integer_pass *p = NULL;

  VISE_TRY(vise_i_alloc_zero(&p, 1, sizeof *p, "an integer net", err));
  p->base = (vise_i_backend){.ops = &OPS, .spec = *spec};
  VISE_TRY(make_net(model, as, rows, p, err));
  VISE_TRY(vise_i_alloc(&p->x, p->net->layers[0].n_in, 1, "an integer net", err));
  VISE_TRY(vise_i_alloc(&p->scratch, 2 * p->net->widest, 1, "an integer net", err));
  VISE_TRY(vise_i_alloc(&p->y, p->net->layers[p->net->n_layers - 1].n_out, sizeof *p->y, "an integer net", err));
  *out = &p->base;
  p = NULL;

done:
  destroy(p != NULL ? &p->base : NULL);
  return status;
}

vise_integer_report vise_i_integer_pass_report(const vise_i_backend *backend) {
  const integer_pass *p = (const integer_pass *)backend;
  return (vise_integer_report){.is_trained = p->is_trained,
                               .is_proven = p->net->is_proven,
                               .n_sums = p->seen.n_sums,
                               .n_overflows = p->seen.n_overflows};
}
