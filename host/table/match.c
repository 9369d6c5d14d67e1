/* Which column of a table is which of a preprocessor. */
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/table/preprocessor.h"

static vise_status fail_missing(const vise_preprocessor *p, const vise_table *table, const size_t *places,
                                vise_error *err) {
  char missing[400], there[400];
  vise_i_list lacking = {0}, names = {0};
  vise_status status = VISE_OK;

  for (size_t k = 0; k < p->n_columns; k++) {
    const char *name = p->columns[k].name;
    if (p->columns[k].role != VISE_COLUMN_FEATURE || places[k] != SIZE_MAX) continue;
    VISE_TRY(vise_i_list_add(&lacking, name, strlen(name), err));
  }

  for (size_t c = 0; c < table->n_columns; c++) {
    const char *name = table->columns[c].name != NULL ? table->columns[c].name : "(none)";
    VISE_TRY(vise_i_list_add(&names, name, strlen(name), err));
  }

  status = vise_i_fail(err, VISE_ERR_SHAPE, "%s: lacks the feature%s %s, which the model was trained on; it has %s",
                       table->name, lacking.n == 1 ? "" : "s", vise_i_list_join(&lacking, missing, sizeof missing),
                       vise_i_list_join(&names, there, sizeof there));

done:
  vise_i_list_free(&lacking);
  vise_i_list_free(&names);
  return status;
}

/* A dictionary of the names: codes are places, since names differ. */
static vise_status learn_names(const vise_table *table, vise_i_dictionary *names, size_t *place_of, vise_error *err) {
  for (size_t c = 0; c < table->n_columns; c++) {
    uint32_t code;
    const char *name = table->columns[c].name;
    const size_t n = names->n;
    if (name == NULL) continue;
    const vise_status status = vise_i_dictionary_code(names, name, strlen(name), &code, err);
    if (status != VISE_OK) return status;
    if (names->n > n) place_of[code] = c;
  }
  return VISE_OK;
}

static vise_status match_by_name(const vise_preprocessor *p, const vise_table *table, size_t *places, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_dictionary names = {0};
  size_t *place_of = NULL;
  bool missing = false;

  VISE_TRY(vise_i_alloc(&place_of, table->n_columns, sizeof *place_of, "columns", err));
  VISE_TRY(learn_names(table, &names, place_of, err));

  for (size_t k = 0; k < p->n_columns; k++) {
    const uint32_t code = vise_i_dictionary_find(&names, p->columns[k].name, strlen(p->columns[k].name));
    places[k] = code != VISE_I_GAP ? place_of[code] : SIZE_MAX;
    missing = missing || (code == VISE_I_GAP && p->columns[k].role == VISE_COLUMN_FEATURE);
  }
  if (missing && !(p->is_sparse && table->is_sparse)) VISE_TRY(fail_missing(p, table, places, err));

done:
  free(place_of);
  vise_i_dictionary_free(&names);
  return status;
}

static vise_status match_by_place(const vise_preprocessor *p, const vise_table *table, size_t *places,
                                  vise_error *err) {
  const size_t n = p->n_columns, n_targets = p->n_targets;
  const bool with_targets = table->n_columns == n;
  if (!with_targets && table->n_columns + n_targets != n) {
    return vise_i_fail(err, VISE_ERR_SHAPE,
                       "%s: %zu columns%s; without names on both sides it needs as many as the training table, %zu, or "
                       "%zu without the target",
                       table->name, table->n_columns,
                       p->has_names && !table->has_names ? ", and line 1 has no name that the model knows" : "", n,
                       n - n_targets);
  }

  for (size_t k = 0, c = 0; k < n; k++) {
    const bool there = with_targets || p->columns[k].role != VISE_COLUMN_TARGET;
    places[k] = there ? c : SIZE_MAX;
    c += there ? 1 : 0;
  }
  return VISE_OK;
}

vise_status vise_i_preprocessor_match(const vise_preprocessor *preprocessor, const vise_table *table, size_t *places,
                                      vise_error *err) {
  return preprocessor->has_names && table->has_names ? match_by_name(preprocessor, table, places, err)
                                                     : match_by_place(preprocessor, table, places, err);
}
