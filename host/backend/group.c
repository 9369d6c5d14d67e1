/* The plan of a group, without a device. */
#include "host/backend/group.h"

#include <stdlib.h>
#include <string.h>

#include "host/backend/step_plan.h"
#include "host/base/memory.h"

static vise_status check_kinds(const vise_i_step_spec *const *kinds, size_t n_kinds, vise_error *err) {
  const vise_i_net *first = kinds[0]->net;
  for (size_t i = 0; i < n_kinds; i++) {
    const vise_i_net *net = kinds[i]->net;
    if (net->n_layers != first->n_layers ||
        memcmp(net->widths, first->widths, (first->n_layers + 1) * sizeof *first->widths) != 0) {
      return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "many nets in one launch: all must have the same `widths`");
    }
    const vise_step_mode mode = vise_i_step_mode_of(kinds[i]);
    if (mode != VISE_STEP_FUSED) {
      return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "many nets in one launch: `step_mode` %s, only fused can",
                         vise_step_mode_name(mode));
    }
  }
  return VISE_OK;
}

vise_status vise_i_group_requests(const vise_i_step_spec *const *kinds, size_t n_kinds,
                                  const vise_i_plan_machine *machine, vise_i_plan_request **out, vise_error *err) {
  vise_status status;
  vise_i_plan_request *requests = NULL;

  VISE_TRY(check_kinds(kinds, n_kinds, err));
  VISE_TRY(vise_i_alloc(&requests, n_kinds, sizeof *requests, "plans", err));
  for (size_t i = 0; i < n_kinds; i++) requests[i] = vise_i_step_request(kinds[i], machine);
  *out = requests;

done:
  return status;
}

vise_status vise_i_group_plan(const vise_i_group_request *request, vise_i_plan_teams *out, vise_error *err) {
  vise_status status;
  vise_i_plan_request *kinds = NULL;
  const vise_i_plan_machine h200 = VISE_I_PLAN_H200;

  VISE_TRY(vise_i_group_requests(request->kinds, request->n_kinds, request->machine ? request->machine : &h200, &kinds,
                                 err));
  const vise_i_plan_teams_request teams = {
      .kinds = kinds,
      .n_kinds = request->n_kinds,
      .n_nets = request->n_nets,
      .steps_at_once = request->steps_at_once,
      .other_bytes = request->data_bytes,
      .clusters = true,
  };
  VISE_TRY(vise_i_plan_teams_make(&teams, out, err));

done:
  free(kinds);
  return status;
}
