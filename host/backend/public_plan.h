/* The plan of the fused step as the API shows it. */
#ifndef VISE_I_PUBLIC_PLAN_H
#define VISE_I_PUBLIC_PLAN_H

#include "host/backend/backend.h"
#include "host/net/net.h"
#include "vise/plan.h"

/* Whether the fused step takes this net: not too many layers, or units in one. */
bool vise_i_plan_takes(const vise_i_net *net);

/* device NULL: an H200. row_bytes: features and targets of one row of data. Errors: those of vise_i_plan_make. */
VISE_WARN_UNUSED vise_status vise_i_public_plan(const vise_i_step_spec *spec, const vise_plan_device *device,
                                                size_t row_bytes, vise_plan *out, vise_error *err);

#endif
