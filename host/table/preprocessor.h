/* What a preprocessor knows. */
#ifndef VISE_I_PREPROCESSOR_H
#define VISE_I_PREPROCESSOR_H

#include "host/table/table.h"
#include "vise/preprocessor.h"

/* In the JSON of a preprocessor: the key of the object that a name becomes which is not UTF-8 (host/json/bytes.h). */
#define VISE_I_BYTES_KEY "latin1"

/* One column of the training table, used or not. */
typedef struct vise_i_recipe {
  char *name; /* NULL: none */
  vise_column_kind kind;
  vise_column_role role;
  size_t target_index; /* among the targets, in the order they were asked for */
  char *reason;        /* why it was dropped */
  size_t n_gaps;
  size_t first_input, n_inputs;

  /* Numbers and dates. */
  double origin, fill, shift, scale;
  bool has_indicator;

  /* Text: the values that have an input, sorted; those that share one; whether a gap has one. In this order they are
     slots 0, 1, ...; two slots are one input, which is slot 1. */
  vise_i_list categories, grouped;
  bool has_gap_slot;
} vise_i_recipe;

typedef struct vise_i_class {
  char *name;
  double value; /* where the target column is numbers */
  size_t n_rows;
} vise_i_class;

struct vise_preprocessor {
  bool has_names, is_sparse;
  vise_missing missing;
  vise_i_recipe *columns;
  size_t n_columns, n_inputs;
  size_t n_rows, n_without_target, n_dropped; /* training rows used, and left out */

  vise_target_kind target_kind;
  size_t n_targets;
  double *target_shift, *target_scale; /* [n_targets] */
  vise_i_class *classes;
  size_t n_classes;
  vise_loss loss;
  char *reason;

  /* How the training table spelt its fields; NULL: as usual. */
  char decimal;
  char *na, *strip;

  vise_i_list lines;
};

/* The slots of a column of text. */
static inline size_t vise_i_recipe_n_slots(const vise_i_recipe *recipe) {
  return recipe->categories.n + (recipe->grouped.n > 0) + recipe->has_gap_slot;
}

/* The inputs that a feature takes. */
static inline size_t vise_i_recipe_n_inputs(const vise_i_recipe *recipe) {
  if (recipe->kind != VISE_COLUMN_TEXT) return recipe->has_indicator ? 2 : 1;
  const size_t n_slots = vise_i_recipe_n_slots(recipe);
  return n_slots == 2 ? 1 : n_slots;
}

/* The column that holds target i. */
const vise_i_recipe *vise_i_preprocessor_target(const vise_preprocessor *preprocessor, size_t i);

/* Gives the features their inputs in order; columns and their slots must be there. */
void vise_i_preprocessor_number_inputs(vise_preprocessor *preprocessor);
/* Writes the lines that vise_preprocessor_line gives. */
VISE_WARN_UNUSED vise_status vise_i_preprocessor_describe(vise_preprocessor *preprocessor, const char *table_name,
                                                          vise_error *err);

/* places[c]: the column of table that is column c of the preprocessor, whatever its role; SIZE_MAX for one that is not
   there: a target, one that was dropped, or a feature of a libsvm file that is 0 throughout. VISE_ERR_SHAPE: features
   are missing, or the number of columns is wrong. */
VISE_WARN_UNUSED vise_status vise_i_preprocessor_match(const vise_preprocessor *preprocessor, const vise_table *table,
                                                       size_t *places, vise_error *err);

/* The code of the class that a target is; SIZE_MAX: none. By text or by number, as the training table had it. */
size_t vise_i_preprocessor_class_of_text(const vise_preprocessor *preprocessor, const char *text);
size_t vise_i_preprocessor_class_of_number(const vise_preprocessor *preprocessor, double value);

/* Orders names of classes and categories: as numbers if all are, else by bytes. */
void vise_i_sort_names(vise_i_list *names);

#endif
