/* Applying a preprocessor: what its steps share. */
#ifndef VISE_I_TRANSFORM_H
#define VISE_I_TRANSFORM_H

#include "host/table/preprocessor.h"

struct vise_transformed {
  char *name; /* of the table */
  size_t n_table_rows;
  void *features; /* float or double, [counts.n_rows, n_inputs] */
  vise_dtype dtype;
  size_t n_inputs;
  int64_t *codes;  /* of classes */
  double *targets; /* numbers */
  size_t n_targets;
  size_t *rows; /* NULL: all of them */
  vise_transform_counts counts;
  vise_i_list notes;
};

/* The row of the table that row i is made of. */
static inline size_t vise_i_transformed_row(const vise_transformed *transformed, size_t i) {
  return transformed->rows != NULL ? transformed->rows[i] : i;
}

typedef struct vise_i_transform {
  const vise_preprocessor *preprocessor;
  vise_table *table;
  const vise_transform_options *options;
  size_t *places;    /* [n_columns]: of vise_i_preprocessor_match */
  uint32_t **slots;  /* [n_columns]: of text, the slot of each code of the table's dictionary */
  size_t *n_unknown; /* [n_columns]: gaps in a column that had none, and texts that were never seen */
  vise_transformed *made;
  vise_error *err;
} vise_i_transform;

/* The slot of a text that the training rows did not have. */
#define VISE_I_UNSEEN (UINT32_MAX - 1)

/* One column of one block into the rows first_out .. of the inputs: those that are listed, which lie in the span. */
VISE_WARN_UNUSED vise_status vise_i_transform_feature(vise_i_transform *transform, size_t k, const vise_i_span *span,
                                                      size_t first_out, size_t n_out);
VISE_WARN_UNUSED vise_status vise_i_transform_target(vise_i_transform *transform, size_t k, const vise_i_span *span,
                                                     size_t first_out, size_t n_out);

#endif
