/* One launch for many members of a group: what goes to the device before it and comes back after it. */
#include <string.h>

#include "host/backend/cuda/group.h"
#include "host/base/memory.h"

/* A quarter more than is needed now, or as much as there is. */
static vise_status grow_device(vise_i_group *g, vise_i_cuda_scratch *scratch, size_t n_bytes, vise_error *err) {
  vise_status status;
  size_t available = 0, wanted = n_bytes + n_bytes / 4;

  vise_i_cuda_release(g->cx, &scratch->device, scratch->n_bytes);
  scratch->n_bytes = 0;
  VISE_TRY(vise_i_cuda_available(g->cx, &available, err));
  if (n_bytes > available) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY,
                         "a launch of many nets takes %zu bytes of device memory, %zu more than the %zu that are left; "
                         "train fewer at a time",
                         n_bytes, n_bytes - available, available));
  }

  if (wanted > available) wanted = n_bytes;
  VISE_TRY(vise_i_cuda_alloc(g->cx, wanted, "a launch", &scratch->device, err));
  scratch->n_bytes = wanted;

done:
  return status;
}

vise_status vise_i_cuda_grow_scratch(vise_i_group *g, vise_i_cuda_scratch *scratch, size_t n_bytes, bool pinned,
                                     vise_error *err) {
  vise_status status = VISE_OK;
  void *memory = NULL;

  if (scratch->n_bytes < n_bytes) VISE_TRY(grow_device(g, scratch, n_bytes, err));
  if (pinned && scratch->n_pinned < n_bytes) {
    if (scratch->pinned) VISE_I_CUDA_TRY(g->cx, cudaFreeHost(scratch->pinned));
    scratch->pinned = NULL;
    scratch->n_pinned = 0;
    VISE_I_CUDA_TRY(g->cx, cudaHostAlloc(&memory, scratch->n_bytes, cudaHostAllocDefault));
    scratch->pinned = memory;
    scratch->n_pinned = scratch->n_bytes;
  }

done:
  return status;
}

vise_status vise_i_cuda_group_open(vise_i_group *g, vise_i_cuda_group_mode mode, size_t n_teams, size_t n_records,
                                   vise_i_cuda_teams *out, vise_error *err) {
  vise_status status;
  const size_t records_at = vise_i_round_up(n_teams * sizeof(vise_k_team), VISE_I_PLAN_ALIGN);
  const size_t n_up = records_at + n_records * sizeof(vise_k_step_record);
  const size_t results_at = vise_i_round_up(n_up, VISE_I_PLAN_ALIGN);

  VISE_TRY(vise_i_grow(&g->who, &g->who_room, n_teams, sizeof(vise_i_cuda *), "members", err));
  VISE_TRY(vise_i_cuda_grow_scratch(g, &g->launch, results_at + n_teams * sizeof(vise_k_team_result), true, err));
  char *pinned = g->launch.pinned;
  *out = (vise_i_cuda_teams){
      .mode = mode,
      .n_teams = n_teams,
      .teams = (vise_k_team *)(void *)pinned,
      .records = (vise_k_step_record *)(void *)(pinned + records_at),
      .results = (vise_k_team_result *)(void *)(pinned + results_at),
      .device_records = (const vise_k_step_record *)(const void *)(g->launch.device + records_at),
      .n_up = n_up,
      .results_at = results_at,
  };

done:
  return status;
}

/* ---- steps of members, which stay on the device ---- */

static vise_k_step step_of(const vise_i_cuda *b, vise_i_cuda_group_mode mode) {
  vise_k_step step = b->train.step;
  switch (mode) {
    case VISE_I_CUDA_GROUP_FORWARD:
      step = vise_i_cuda_mode_step(&b->train, VISE_K_FORWARD_ONLY);
      break;
    case VISE_I_CUDA_GROUP_PROJECT:
      step = vise_i_cuda_mode_step(&b->train, VISE_K_PROJECT);
      break;
    case VISE_I_CUDA_GROUP_SUMS:
      step = vise_i_cuda_sums_step(b);
      break;
    default:
      break;
  }
  step.clocks = NULL;
  return step;
}

/* Members that follow each other in places and in a launch. */
typedef struct neighbours {
  vise_i_cuda *const *members;
  vise_i_cuda_group_mode mode;
} neighbours;

static void fill_steps(const void *context, size_t first, size_t n, char *buffer) {
  const neighbours *k = context;
  for (size_t i = 0; i < n; i++) {
    const vise_k_step step = step_of(k->members[first + i], k->mode);
    memcpy(buffer + i * sizeof step, &step, sizeof step);
  }
}

/* Those that are not there yet, as many at a time as lie one after the other. */
static vise_status send_steps(vise_i_group *g, const vise_i_cuda_teams *t, vise_error *err) {
  vise_status status = VISE_OK;
  const unsigned bit = 1u << t->mode;

  for (size_t i = 0, n = 1; i < t->n_teams; i += n) {
    n = 1;
    if (g->who[i]->member.sent & bit) continue;
    while (i + n < t->n_teams && !(g->who[i + n]->member.sent & bit) &&
           g->who[i + n]->member.place == g->who[i]->member.place + n) {
      n++;
    }

    const neighbours these = {g->who + i, t->mode};
    const vise_i_cuda_items items = {n, sizeof(vise_k_step), fill_steps, &these};
    VISE_TRY(vise_i_cuda_send_items(g->cx, g->steps + t->mode * g->n_places + g->who[i]->member.place, &items, err));
    for (size_t k = 0; k < n; k++) g->who[i + k]->member.sent |= bit;
  }

done:
  return status;
}

void vise_i_cuda_group_team(vise_i_group *g, vise_i_cuda_teams *t, size_t i, vise_i_cuda *b) {
  g->who[i] = b;
  t->teams[i] =
      (vise_k_team){.step = (uint32_t)(t->mode * g->n_places + b->member.place), .n_steps = 1, .state = b->train.state};
  t->teams[i].state.cursor = t->teams[i].state.halted = t->teams[i].state.gathered = 0;
}

vise_status vise_i_cuda_group_launch(vise_i_group *g, const vise_i_cuda_teams *t, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cuda_context *cx = g->cx;
  char *device = g->launch.device;
  const vise_k_teams teams = {
      .steps = g->steps,
      .teams = (const vise_k_team *)(const void *)device,
      .results = (vise_k_team_result *)(void *)(device + t->results_at),
      .n_teams = (uint32_t)t->n_teams,
      .n_members = g->plan.n_members,
  };

  VISE_TRY(send_steps(g, t, err));
  VISE_I_CUDA_TRY(cx, cudaMemcpyAsync(device, g->launch.pinned, t->n_up, cudaMemcpyHostToDevice, cx->copies));
  VISE_TRY(vise_i_cuda_await_copies(cx, err));
  VISE_I_CUDA_TRY(cx, vise_k_teams_run(g->plan.variant, &teams, g->plan.shared_bytes, cx->steps));
  VISE_TRY(vise_i_cuda_await_launches(cx, err));
  VISE_I_CUDA_TRY(cx, cudaMemcpyAsync(t->results, device + t->results_at, t->n_teams * sizeof *t->results,
                                      cudaMemcpyDeviceToHost, cx->copies));
  VISE_I_CUDA_TRY(cx, cudaStreamSynchronize(cx->copies));

done:
  return status;
}
