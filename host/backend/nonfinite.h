/* The error when a non-finite step ends the run, worded alike by every backend. */
#ifndef VISE_I_NONFINITE_H
#define VISE_I_NONFINITE_H

#include "host/backend/backend.h"

/* After a skipped step (counted in consecutive_skips): the error that ends the run, or VISE_OK if it goes on. */
VISE_WARN_UNUSED vise_status vise_i_after_skip(const vise_i_step_spec *spec, uint64_t consecutive_skips,
                                               const vise_step_stats *stats, vise_error *err);

#endif
