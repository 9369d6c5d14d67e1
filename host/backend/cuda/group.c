/* A group: making and freeing, places of members, the table. */
#include "host/backend/cuda/group.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"

/* ---- members ---- */

enum { NO_PLACE = -1 };

static vise_status check_shape(const vise_i_group *g, const vise_i_net *net, vise_error *err) {
  if (net->n_layers == g->n_layers && memcmp(net->widths, g->widths, (g->n_layers + 1) * sizeof *g->widths) == 0) {
    return VISE_OK;
  }
  return vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: a member of a group has other widths than the group");
}

/* What the group was not told of may need more than its launches have. */
static vise_status check_fits(const vise_i_group *g, const vise_i_cuda *b, size_t n_bytes, vise_error *err) {
  const vise_i_plan *plan = &b->train.plan;
  if (n_bytes > g->plan.member_bytes) {
    return vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: a member of a group takes %zu bytes, its kinds take %zu", n_bytes,
                       g->plan.member_bytes);
  }
  if (plan->shared_bytes > g->plan.shared_bytes ||
      (plan->variant != VISE_K_SMALL_F32 && plan->variant != g->plan.variant)) {
    return vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: a member of a group has larger tiles than its kinds");
  }
  return VISE_OK;
}

vise_status vise_i_cuda_join(vise_i_cuda *b, vise_error *err) {
  vise_status status;
  vise_i_group *g = b->base.spec.group;

  b->cx = g->cx;
  b->member.group = g;
  b->member.place = (size_t)NO_PLACE;
  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(check_shape(g, b->net, err));
  if (b->base.spec.step_mode != VISE_STEP_FUSED) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "cuda: members of a group have fused steps only"));
  }
  if (g->n_free == 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: all %zu places of the group are taken", g->n_places));
  }

  VISE_TRY(vise_i_cuda_plan(b, err));
  VISE_TRY(check_fits(g, b, vise_i_cuda_place_all(b, NULL), err));
  VISE_TRY(vise_i_cuda_make_flat(b, err));

  b->member.place = g->free_places[--g->n_free];
  b->arena = g->places + b->member.place * g->plan.member_bytes;
  b->arena_bytes = g->plan.member_bytes;
  vise_i_cuda_place_all(b, g->slab);
  VISE_TRY(vise_i_cuda_clear_arena(b, err));

done:
  return status;
}

void vise_i_cuda_leave(vise_i_cuda *b) {
  vise_i_group *g = b->member.group;
  if (b->member.place != (size_t)NO_PLACE) g->free_places[g->n_free++] = b->member.place;
}

/* ---- the group ---- */

static void destroy(vise_i_group *g) {
  if (!g) return;
  if (g->cx) {
    if (cudaSetDevice(g->cx->device) != cudaSuccess) (void)cudaGetLastError();
    for (size_t i = 0; i < g->n_orders; i++) {
      vise_i_cuda_release(g->cx, &g->orders[i]->memory, g->orders[i]->n_bytes);
      free(g->orders[i]->copy);
      free(g->orders[i]);
    }

    vise_i_cuda_scratch *const scratches[] = {&g->launch, &g->outputs};
    for (size_t i = 0; i < 2; i++) {
      vise_i_cuda_release(g->cx, &scratches[i]->device, scratches[i]->n_bytes);
      if (scratches[i]->pinned) (void)cudaFreeHost(scratches[i]->pinned);
    }

    vise_i_cuda_release(g->cx, &g->slab, g->slab_bytes);
    vise_i_cuda_close_context(g->cx);
  }
  free(g->who);
  free(g->free_places);
  free(g->rows);
  free(g->orders);
  free(g);
}

/* What create is given. */
typedef struct wanted {
  const vise_i_step_spec *const *kinds;
  size_t n_kinds, n_most, steps_at_once;
} wanted;

static vise_status make_plan(vise_i_group *g, const wanted *w, vise_error *err) {
  vise_status status;
  vise_i_plan_request *requests = NULL;
  size_t available = 0;
  int clusters = 0;

  VISE_I_CUDA_TRY(g->cx, cudaDeviceGetAttribute(&clusters, cudaDevAttrClusterLaunch, g->cx->device));
  VISE_TRY(vise_i_cuda_available(g->cx, &available, err));
  const vise_i_plan_machine machine = {(uint32_t)g->cx->n_sms, g->cx->most_shared, available};
  VISE_TRY(vise_i_group_requests(w->kinds, w->n_kinds, &machine, &requests, err));

  const vise_i_plan_teams_request request = {.kinds = requests,
                                             .n_kinds = w->n_kinds,
                                             .n_nets = w->n_most,
                                             .steps_at_once = w->steps_at_once,
                                             .clusters = clusters != 0};
  VISE_TRY(vise_i_plan_teams_make(&request, &g->plan, err));
  if (g->plan.n_fit < w->n_most) {
    const size_t each = g->plan.member_bytes + g->plan.launch_bytes, all = g->plan.common_bytes + w->n_most * each;
    VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY,
                         "%zu nets at a time take %zu bytes of device memory before there are any data, %zu more than "
                         "the %zu there are; %zu would fit",
                         w->n_most, all, all - available, available, g->plan.n_fit));
  }

done:
  free(requests);
  return status;
}

/* The slab; all of it is 0. */
static vise_status make_slab(vise_i_group *g, size_t n_most, vise_error *err) {
  vise_status status;
  const size_t n_common = vise_i_cuda_common_bytes();
  const size_t n_steps = vise_i_round_up(VISE_I_CUDA_GROUP_N_MODES * n_most * sizeof(vise_k_step), VISE_I_PLAN_ALIGN);

  g->slab_bytes = n_common + n_steps + n_most * g->plan.member_bytes;
  VISE_TRY(vise_i_cuda_alloc(g->cx, g->slab_bytes, "many nets", &g->slab, err));
  g->steps = (vise_k_step *)(void *)(g->slab + n_common);
  g->places = g->slab + n_common + n_steps;
  VISE_I_CUDA_TRY(g->cx, cudaMemsetAsync(g->slab, 0, g->slab_bytes, g->cx->copies));
  VISE_I_CUDA_TRY(g->cx, cudaStreamSynchronize(g->cx->copies));

  g->n_places = n_most;
  VISE_TRY(vise_i_alloc(&g->free_places, n_most, sizeof *g->free_places, "places", err));
  for (size_t i = 0; i < n_most; i++) g->free_places[i] = n_most - 1 - i;
  g->n_free = n_most;

done:
  return status;
}

/* Both kernels that members use: that of many teams, and those of single calls. */
static vise_status prepare(vise_i_group *g, vise_error *err) {
  vise_status status = VISE_OK;
  int n_teams = 0, n_single = 0;
  VISE_I_CUDA_TRY(g->cx, vise_k_teams_prepare(g->plan.variant, g->cx->most_shared, &n_teams));
  VISE_I_CUDA_TRY(g->cx, vise_k_step_prepare(VISE_K_SMALL_F32, g->cx->most_shared, &n_single));
  VISE_I_CUDA_TRY(g->cx, vise_k_step_prepare(VISE_K_LARGE_F32, g->cx->most_shared, &n_single));
  if (n_teams < 1 || n_single < 1) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "CUDA device %d: a multiprocessor has no room for the step",
                         g->cx->device));
  }
done:
  return status;
}

static vise_status create(const vise_i_step_spec *const *kinds, size_t n_kinds, size_t n_most, size_t steps_at_once,
                          vise_i_group **out, vise_error *err) {
  vise_status status;
  vise_i_group *g = NULL;
  const vise_i_net *net = kinds[0]->net;
  const size_t n_columns[2] = {net->widths[0], net->widths[net->n_layers]};
  const wanted w = {kinds, n_kinds, n_most, steps_at_once};
  vise_i_cuda_teams t;

  VISE_TRY(vise_i_alloc_zero(&g, 1, sizeof *g, "a group", err));
  g->n_layers = net->n_layers;
  memcpy(g->widths, net->widths, (net->n_layers + 1) * sizeof *g->widths);

  VISE_TRY(vise_i_cuda_open_context(kinds[0]->device, kinds[0]->device_memory_limit, &g->cx, err));
  VISE_TRY(make_plan(g, &w, err));
  VISE_TRY(prepare(g, err));
  VISE_TRY(vise_i_cuda_equip_context(g->cx, n_columns, err));
  VISE_TRY(make_slab(g, n_most, err));
  VISE_TRY(vise_i_cuda_group_open(g, VISE_I_CUDA_GROUP_STEP, n_most, n_most * steps_at_once, &t, err));
  *out = g;
  g = NULL;

done:
  destroy(g);
  return status;
}

static const vise_i_plan_teams *plan(const vise_i_group *group) {
  return &group->plan;
}

static uint64_t n_launches(const vise_i_group *group) {
  return group->n_launches;
}

const vise_i_group_ops vise_i_cuda_group_ops = {
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .run = vise_i_cuda_group_run,
    .forward = vise_i_cuda_group_forward,
    .project = vise_i_cuda_group_project,
    .n_launches = n_launches,
};
