#include "host/certify/inputs.h"

#include <stdlib.h>

#include "host/base/memory.h"
#include "vise/preprocessor.h"

enum { MOST_NAME = 256 };

static void free_texts(char **texts, size_t n) {
  for (size_t i = 0; texts != NULL && i < n; i++) free(texts[i]);
  free(texts);
}

void vise_i_inputs_free(vise_i_inputs *inputs) {
  free(inputs->shift);
  free(inputs->scale);
  free(inputs->fill);
  free(inputs->is_bit);
  free_texts(inputs->names, inputs->n);
  free_texts(inputs->classes, inputs->n_classes);
  *inputs = (vise_i_inputs){0};
}

/* The first input of a column of numbers is scaled; all others are 0 or 1. */
static vise_status take_columns(const vise_preprocessor *from, vise_i_inputs *out, vise_error *err) {
  vise_status status = VISE_OK;
  for (size_t i = 0; i < out->n; i++) out->is_bit[i] = true;

  for (size_t c = 0; c < vise_preprocessor_n_columns(from); c++) {
    vise_column_info column;
    VISE_TRY(vise_preprocessor_column(from, c, &column, err));
    const bool is_number = column.role == VISE_COLUMN_FEATURE && column.n_inputs > 0 && column.kind != VISE_COLUMN_TEXT;
    if (!is_number || column.first_input >= out->n) continue;

    out->shift[column.first_input] = column.shift;
    out->scale[column.first_input] = column.scale;
    out->fill[column.first_input] = column.fill;
    out->is_bit[column.first_input] = false;
  }

done:
  return status;
}

static vise_status take_names(const vise_preprocessor *from, vise_i_inputs *out, vise_error *err) {
  vise_status status = VISE_OK;
  char name[MOST_NAME];

  VISE_TRY(vise_i_alloc_zero(&out->names, out->n, sizeof *out->names, "names of inputs", err));
  for (size_t i = 0; i < out->n; i++) {
    VISE_TRY(vise_i_copy_text(&out->names[i], vise_preprocessor_input_name(from, i, name, sizeof name), err));
  }

  const size_t n_classes = vise_preprocessor_n_classes(from);
  VISE_TRY(vise_i_alloc_zero(&out->classes, n_classes, sizeof *out->classes, "names of classes", err));
  out->n_classes = n_classes;
  for (size_t i = 0; i < n_classes; i++) {
    const char *text = vise_preprocessor_class_name(from, i);
    VISE_TRY(vise_i_copy_text(&out->classes[i], text == NULL ? "" : text, err));
  }

done:
  return status;
}

static vise_status take_preprocessor(const char *json, vise_i_inputs *out, vise_error *err) {
  vise_preprocessor *from = NULL;
  vise_status status = vise_preprocessor_from_json(json, &from, err);
  if (status == VISE_OK && vise_preprocessor_n_inputs(from) != out->n) {
    status = vise_i_fail(err, VISE_ERR_FORMAT, "the model's preprocessor makes %zu inputs, but its net has %zu",
                         vise_preprocessor_n_inputs(from), out->n);
  }
  if (status == VISE_OK) status = take_columns(from, out, err);
  if (status == VISE_OK) status = take_names(from, out, err);
  vise_preprocessor_free(from);
  return status;
}

vise_status vise_i_inputs_of(const vise_model *model, vise_i_inputs *out, vise_error *err) {
  vise_status status = VISE_OK;
  const char *json = vise_model_preprocessing(model);
  *out = (vise_i_inputs){.n = vise_model_width(model, 0)};

  VISE_TRY(vise_i_alloc_zero(&out->shift, out->n, sizeof *out->shift, "scaling", err));
  VISE_TRY(vise_i_alloc_zero(&out->scale, out->n, sizeof *out->scale, "scaling", err));
  VISE_TRY(vise_i_alloc_zero(&out->fill, out->n, sizeof *out->fill, "fills", err));
  VISE_TRY(vise_i_alloc_zero(&out->is_bit, out->n, sizeof *out->is_bit, "kinds of inputs", err));
  out->kind = vise_model_feature_scaling(model, out->shift, out->scale);
  if (json != NULL) VISE_TRY(take_preprocessor(json, out, err));

done:
  return status;
}
