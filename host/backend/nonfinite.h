/* What a backend says when a step that is not finite ends the run; the same words from each. */
#ifndef VISE_I_NONFINITE_H
#define VISE_I_NONFINITE_H

#include "host/backend/backend.h"

/* After a skipped step, consecutive_skips counting it: the error that ends the run, or VISE_OK when it goes on. */
VISE_WARN_UNUSED vise_status vise_i_after_skip(const vise_i_step_spec *spec, uint64_t consecutive_skips,
                                               const vise_step_stats *stats, vise_error *err);

#endif
