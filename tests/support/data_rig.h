/* Small data of every type and order, and a net whose outputs show what was gathered. */
#ifndef VISE_T_DATA_RIG_H
#define VISE_T_DATA_RIG_H

#include "tests/support/backend_rig.h"

enum { DATA_ROWS = 37, DATA_IN = 19, DATA_OUT = 3, DATA_PARAMS = (DATA_IN + 1) * DATA_OUT };

/* Value of row r, column c: a whole number below 251. */
double data_value(size_t r, size_t c);
/* An array of such values, or of class labels r % DATA_OUT. Layout 0: C order; 1: Fortran order; 2: C order with gaps
   between rows. */
vise_array data_array(vise_dtype dtype, int layout, size_t n_rows, size_t n_cols, bool as_label);
void data_array_free(const vise_array *a);

/* A linear map of DATA_IN inputs to DATA_OUT outputs, with biases; params [DATA_PARAMS]. */
vise_i_net data_linear_net(double *params);

/* Outputs of a linear net on every type, order and scaling of the same numbers: near those worked out here, and from i32 on
   the same bits, whatever the type and order. */
void check_inputs_of_every_type(const vise_i_backend_ops *ops);

/* A label without a class, a column too few, no targets. */
void check_refusal_of_data(const vise_i_backend_ops *ops);

/* The external loss with delta = (yhat - y)/DATA_ROWS must train as mse does. parts: as in vise_i_step_spec. */
void check_external_delta(const vise_i_backend_ops *ops, size_t parts);

#endif
