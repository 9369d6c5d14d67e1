#include "host/table/strata.h"

#include <stdlib.h>

#include "host/base/memory.h"

static vise_status list_rows(vise_i_strata *s, const vise_i_fit *fit) {
  const vise_status status = vise_i_alloc(&s->rows, fit->n_used, sizeof *s->rows, "rows", fit->err);
  if (status != VISE_OK) return status;
  for (size_t row = 0; row < fit->table->n_rows; row++) {
    if (fit->used[row]) s->rows[s->n++] = row;
  }
  return VISE_OK;
}

/* The class of each row; one class for all where the target is numbers. */
static vise_status label_rows(vise_i_strata *s, const vise_i_fit *fit) {
  const vise_preprocessor *made = fit->made;
  vise_status status = VISE_OK;
  size_t *class_of = NULL, i = 0;
  const vise_i_column *target = fit->n_targets == 1 ? &fit->table->columns[fit->targets[0]] : NULL;
  const size_t n_texts = target != NULL ? target->texts.n : 0;
  VISE_TRY(vise_i_alloc_zero(&s->labels, s->n, sizeof *s->labels, "classes of rows", fit->err));
  s->n_classes = 1;
  if (made->target_kind != VISE_TARGET_CLASSES) goto done;

  s->n_classes = made->n_classes;
  VISE_TRY(vise_i_alloc(&class_of, n_texts, sizeof *class_of, "classes of rows", fit->err));
  for (uint32_t k = 0; k < n_texts; k++) {
    class_of[k] = vise_i_preprocessor_class_of_text(made, vise_i_dictionary_text(&target->texts, k));
  }
  for (size_t b = 0; b < fit->table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(fit->table, b, fit->targets[0]);
    for (; i < s->n && s->rows[i] < span.first_row + span.n_rows; i++) {
      const size_t at = s->rows[i] - span.first_row;
      s->labels[i] =
          span.codes != NULL ? class_of[span.codes[at]] : vise_i_preprocessor_class_of_number(made, span.numbers[at]);
    }
  }
done:
  free(class_of);
  return status;
}

vise_status vise_i_strata_make(vise_i_fit *fit, bool by_class, vise_i_strata *out) {
  vise_status status = VISE_OK;
  if (by_class) VISE_TRY(vise_i_fit_target(fit));
  VISE_TRY(list_rows(out, fit));
  VISE_TRY(label_rows(out, fit));
done:
  return status;
}

void vise_i_strata_free(vise_i_strata *strata) {
  free(strata->rows);
  free(strata->labels);
  *strata = (vise_i_strata){0};
}
