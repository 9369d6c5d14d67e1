/* Converting one column of one block of a table. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "host/base/number.h"
#include "host/base/quote.h"
#include "host/table/transform.h"

/* Where the inputs of a column go: element i is out[i * stride]. */
typedef struct target {
  float *f32; /* either */
  double *f64;
  size_t stride;
} target;

static target target_of(const vise_i_transform *t, size_t input, size_t first_out) {
  const size_t n = t->made->n_inputs, at = first_out * n + input;
  if (t->made->dtype == VISE_F64) return (target){NULL, (double *)t->made->features + at, n};
  return (target){(float *)t->made->features + at, NULL, n};
}

static inline void put(const target *out, size_t i, double v) {
  if (out->f64 != NULL) {
    out->f64[i * out->stride] = v;
  } else {
    out->f32[i * out->stride] = (float)v;
  }
}

static vise_status fail_range(const vise_i_transform *t, size_t row, size_t c, double v) {
  char place[VISE_I_PLACE_BYTES], text[VISE_I_NUMBER_BYTES];
  return vise_i_fail(t->err, VISE_ERR_VALUE, "%s: %s is beyond the range of float32 (3.4e38)",
                     vise_i_place_text(place, t->table, row, c), vise_i_number_text(text, v));
}

static vise_status fail_gap(const vise_i_transform *t, size_t row, size_t c) {
  char place[VISE_I_PLACE_BYTES];
  return vise_i_fail(t->err, VISE_ERR_VALUE,
                     "%s: the field is empty or a gap, and the model was trained with `missing` "
                     "error",
                     vise_i_place_text(place, t->table, row, c));
}

/* A gap among numbers: the mean. */
static vise_status fill(vise_i_transform *t, size_t k, size_t row) {
  const vise_preprocessor *p = t->preprocessor;
  if (p->missing == VISE_MISSING_ERROR) return fail_gap(t, row, t->places[k]);
  t->made->counts.n_filled++;
  if (!p->columns[k].has_indicator) {
    t->n_unknown[k]++;
    t->made->counts.n_filled_unknown++;
  }
  return VISE_OK;
}

static vise_status transform_numbers(vise_i_transform *t, size_t k, const vise_i_span *span, size_t first_out,
                                     size_t n_out) {
  const vise_i_recipe *r = &t->preprocessor->columns[k];
  const target out = target_of(t, r->first_input, first_out);
  const target indicator = target_of(t, r->first_input + 1, first_out);

  for (size_t i = 0; i < n_out; i++) {
    const size_t row = vise_i_transformed_row(t->made, first_out + i);
    double v = span->numbers[row - span->first_row] - r->origin;
    const bool gap = isnan(v);
    if (!(fabs(v) <= FLT_MAX)) {
      if (!gap) return fail_range(t, row, t->places[k], v);
      const vise_status status = fill(t, k, row);
      if (status != VISE_OK) return status;
      v = r->fill;
    }

    const double scaled = (v - r->shift) / r->scale;
    if (!(fabs(scaled) <= FLT_MAX)) return fail_range(t, row, t->places[k], v);
    put(&out, i, scaled);
    if (r->has_indicator) put(&indicator, i, gap ? 1 : 0);
  }
  return VISE_OK;
}

/* A feature that is 0 throughout, in a libsvm file that does not mention it. */
static void transform_zeros(vise_i_transform *t, size_t k, size_t first_out, size_t n_out) {
  const vise_i_recipe *r = &t->preprocessor->columns[k];
  for (size_t j = 0; j < r->n_inputs; j++) {
    const target out = target_of(t, r->first_input + j, first_out);
    for (size_t i = 0; i < n_out; i++) put(&out, i, j == 0 ? -r->shift / r->scale : 0);
  }
}

static vise_status transform_text(vise_i_transform *t, size_t k, const vise_i_span *span, size_t first_out,
                                  size_t n_out) {
  const vise_i_recipe *r = &t->preprocessor->columns[k];
  const size_t n_slots = vise_i_recipe_n_slots(r), first_slot = n_slots == 2 ? 1 : 0;
  const target out = target_of(t, r->first_input, first_out);

  for (size_t i = 0; i < n_out; i++) {
    const size_t row = vise_i_transformed_row(t->made, first_out + i);
    const uint32_t code = span->codes[row - span->first_row];
    uint32_t slot = code == VISE_I_GAP ? VISE_I_GAP : t->slots[k][code];
    if (slot == VISE_I_GAP) {
      if (t->preprocessor->missing == VISE_MISSING_ERROR) return fail_gap(t, row, t->places[k]);
      if (r->has_gap_slot) slot = (uint32_t)n_slots - 1;
    }
    if (slot == VISE_I_GAP || slot == VISE_I_UNSEEN) {
      t->n_unknown[k]++;
      t->made->counts.n_unseen++;
    }
    for (size_t j = 0; j < r->n_inputs; j++) {
      const target one = {out.f32 != NULL ? out.f32 + j : NULL, out.f64 != NULL ? out.f64 + j : NULL, out.stride};
      put(&one, i, slot == first_slot + j ? 1 : 0);
    }
  }
  return VISE_OK;
}

vise_status vise_i_transform_feature(vise_i_transform *transform, size_t k, const vise_i_span *span, size_t first_out,
                                     size_t n_out) {
  if (transform->places[k] == SIZE_MAX) {
    transform_zeros(transform, k, first_out, n_out);
    return VISE_OK;
  }
  return transform->preprocessor->columns[k].kind == VISE_COLUMN_TEXT
             ? transform_text(transform, k, span, first_out, n_out)
             : transform_numbers(transform, k, span, first_out, n_out);
}

/* ---- targets -------------------------------------------------------------------------------------------------- */

static vise_status fail_class(const vise_i_transform *t, size_t row, size_t c, const char *text) {
  char place[VISE_I_PLACE_BYTES], quote[VISE_I_QUOTE_BYTES], known[300];
  vise_i_list names = {0};
  vise_status status = VISE_OK;

  for (size_t k = 0; k < t->preprocessor->n_classes; k++) {
    const char *name = t->preprocessor->classes[k].name;
    VISE_TRY(vise_i_list_add(&names, name, strlen(name), t->err));
  }

  status = vise_i_fail(t->err, VISE_ERR_VALUE, "%s: class \"%s\" has no training row; there are %s",
                       vise_i_place_text(place, t->table, row, c), vise_i_quote(quote, text, strlen(text)),
                       vise_i_list_join(&names, known, sizeof known));

done:
  vise_i_list_free(&names);
  return status;
}

static vise_status take_class(vise_i_transform *t, size_t k, const vise_i_span *span, size_t i) {
  const size_t row = vise_i_transformed_row(t->made, i), at = row - span->first_row;
  char number[VISE_I_NUMBER_BYTES];
  size_t class;
  const char *text;

  if (span->codes != NULL) {
    class = t->slots[k][span->codes[at]];
    text = vise_i_dictionary_text(&t->table->columns[t->places[k]].texts, span->codes[at]);
    if (class == VISE_I_UNSEEN) return fail_class(t, row, t->places[k], text);
  } else {
    class = vise_i_preprocessor_class_of_number(t->preprocessor, span->numbers[at]);
    if (class == SIZE_MAX) return fail_class(t, row, t->places[k], vise_i_number_text(number, span->numbers[at]));
  }

  t->made->codes[i] = (int64_t) class;
  return VISE_OK;
}

vise_status vise_i_transform_target(vise_i_transform *transform, size_t k, const vise_i_span *span, size_t first_out,
                                    size_t n_out) {
  const vise_i_recipe *r = &transform->preprocessor->columns[k];
  vise_transformed *made = transform->made;

  for (size_t i = first_out; i < first_out + n_out; i++) {
    if (made->codes != NULL) {
      const vise_status status = take_class(transform, k, span, i);
      if (status != VISE_OK) return status;
      continue;
    }

    const double v = span->numbers[vise_i_transformed_row(made, i) - span->first_row];
    if (!(fabs(v) <= FLT_MAX)) return fail_range(transform, vise_i_transformed_row(made, i), transform->places[k], v);
    made->targets[i * made->n_targets + r->target_index] = v;
  }
  return VISE_OK;
}
