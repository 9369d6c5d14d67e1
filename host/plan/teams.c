/* Many nets at a time: the size of a team, the memory of its members, the expected time. */
#include "host/plan/teams.h"

#include <math.h>

#include "vise/train.h"

enum {
  SHARED_RESERVED = 1024, /* bytes of a multiprocessor's shared memory that each CTA costs besides its own */
  SCALING_ARRAYS = 4,     /* of features and targets, of bound data and of a call's own */
  BYTE_VALUES = 256,
  N_MODES = 4 /* steps kept for a member: to train, outputs, projection, sums */
};

static const uint32_t SIZES[] = {1, 2, 4, VISE_K_MOST_MEMBERS};

/* ---- plans of members ---- */

vise_i_plan_request vise_i_plan_member_request(const vise_i_plan_request *net, const vise_i_plan_teams *teams) {
  vise_i_plan_request request = *net;
  request.hooks.n_ctas = teams->n_members;
  request.small_tiles = teams->small_tiles;
  request.gathers = true;
  request.machine.shared_bytes = teams->most_shared;
  request.machine.memory_bytes = 0;
  return request;
}

vise_status vise_i_plan_member(const vise_i_plan_request *net, const vise_i_plan_teams *teams, vise_i_plan *train,
                               vise_i_plan *wide, vise_error *err) {
  vise_status status;
  const vise_i_plan_request request = vise_i_plan_member_request(net, teams);
  VISE_TRY(vise_i_plan_make(&request, train, err));
  *wide = *train;
  vise_i_plan_join(train, wide);
done:
  return status;
}

/* ---- memory ---- */

static size_t placed(size_t n_bytes, size_t guard) {
  return vise_i_round_up(n_bytes, VISE_I_PLAN_ALIGN) + guard;
}

/* The plan's arrays, and what the CUDA backend adds to them: scalings, class weights, deltas of the caller's. */
static size_t member_bytes(const vise_i_plan_request *request, const vise_i_plan *plan) {
  const vise_i_net *net = request->net;
  const size_t guard = request->hooks.guard_bytes, n_in = net->widths[0], n_out = net->widths[net->n_layers];
  size_t n = plan->n_bytes;

  n += SCALING_ARRAYS * (placed(n_in * sizeof(double), guard) + placed(n_out * sizeof(double), guard));
  n += SCALING_ARRAYS * placed(BYTE_VALUES * sizeof(float), guard);
  n += placed((n_out == 1 ? 2 : n_out) * sizeof(float), guard);
  if (request->rule->loss == VISE_LOSS_EXTERNAL) n += placed(request->max_rows * n_out * sizeof(float), guard);
  return n;
}

static size_t launch_bytes(const vise_i_plan_teams_request *request) {
  return N_MODES * sizeof(vise_k_step) + sizeof(vise_k_team) + sizeof(vise_k_team_result) +
         request->steps_at_once * sizeof(vise_k_step_record);
}

/* What single calls need, once for all members: records and statistics of the longest run. */
static size_t common_bytes(const vise_i_plan_teams_request *request) {
  const size_t of_steps = sizeof(vise_k_step_record) + sizeof(vise_k_step_stats);
  return (VISE_MAX_STEPS_PER_LAUNCH + 1) * of_steps + 8 * (size_t)VISE_I_PLAN_ALIGN + request->other_bytes;
}

/* ---- time ---- */

/* CTAs of one multiprocessor take turns at products and memory; what else they do overlaps. */
static double step_us(const vise_i_plan_work *w, uint32_t ctas_per_sm) {
  const double busy = w->products_us > w->memory_us ? w->products_us : w->memory_us;
  return ctas_per_sm * busy + w->overhead_us + w->wait_us;
}

double vise_i_plan_teams_us(const vise_i_plan_teams *plan, size_t n_nets, double n_steps, double steps_per_launch) {
  const double n_launches = n_steps / (steps_per_launch < 1 ? 1 : steps_per_launch);
  double us = 0;
  if (plan->bucket == 0) return INFINITY; /* not one fits */
  for (size_t left = n_nets; left > 0;) {
    const size_t n = left < plan->bucket ? left : plan->bucket;
    us += (double)vise_i_ceil_div(n, plan->n_at_once) * n_steps * plan->step_us + n_launches * plan->launch_us;
    left -= n;
  }
  return us;
}

/* ---- the plan ---- */

/* Every kind in teams of out->n_members; at most `shared` bytes for a CTA. */
static vise_status plan_kinds(const vise_i_plan_teams_request *request, size_t shared, vise_i_plan_teams *out,
                              vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_plan train, wide;

  out->most_shared = shared;
  out->variant = VISE_K_SMALL_F32;
  out->member_bytes = out->shared_bytes = 0;
  out->step_us = 0;

  for (size_t i = 0; i < request->n_kinds; i++) {
    const vise_i_plan_request *kind = &request->kinds[i];
    VISE_TRY(vise_i_plan_member(kind, out, &train, &wide, err));
    if (train.variant != VISE_K_SMALL_F32) out->variant = train.variant;
    if (train.shared_bytes > out->shared_bytes) out->shared_bytes = train.shared_bytes;

    const size_t n_bytes = vise_i_round_up(member_bytes(kind, &train), VISE_I_PLAN_ALIGN);
    if (n_bytes > out->member_bytes) out->member_bytes = n_bytes;
    vise_i_plan_work work;
    vise_i_plan_work_of(&train, &work);
    const double us = step_us(&work, out->ctas_per_sm);
    if (us > out->step_us) out->step_us = us;
    out->launch_us = work.launch_us;
  }

done:
  return status;
}

static void count_nets(const vise_i_plan_teams_request *request, vise_i_plan_teams *out) {
  const vise_i_plan_machine *machine = &request->kinds[0].machine;
  const size_t each = out->member_bytes + out->launch_bytes, n_sms = machine->n_sms;

  out->n_fit = machine->memory_bytes == 0                   ? SIZE_MAX / each
               : machine->memory_bytes <= out->common_bytes ? 0
                                                            : (machine->memory_bytes - out->common_bytes) / each;
  out->bucket = request->n_nets < out->n_fit ? request->n_nets : out->n_fit;
  out->n_buckets = out->bucket > 0 ? vise_i_ceil_div(request->n_nets, out->bucket) : 0;
  out->n_bytes = out->common_bytes + out->bucket * each;
  out->n_at_once = n_sms * out->ctas_per_sm / out->n_members;
  if (out->n_at_once == 0) out->n_at_once = 1;
}

/* Teams of out->n_members CTAs, with small tiles or with all: two CTAs to a multiprocessor where code and shared memory
   allow it. */
static vise_status plan_one(const vise_i_plan_teams_request *request, vise_i_plan_teams *out, vise_error *err) {
  vise_status status;
  const size_t all = request->kinds[0].machine.shared_bytes, half = (all + SHARED_RESERVED) / 2 - SHARED_RESERVED;
  const bool two_fit = out->small_tiles && vise_k_step_shared_bytes(VISE_K_MOST_SLOTS, 0, 0) <= half;

  out->ctas_per_sm = two_fit ? 2 : 1;
  VISE_TRY(plan_kinds(request, two_fit ? half : all, out, err));
  out->launch_bytes = launch_bytes(request);
  out->common_bytes = common_bytes(request);
  count_nets(request, out);

done:
  return status;
}

static vise_status check_request(const vise_i_plan_teams_request *request, vise_error *err) {
  const vise_i_plan_request *first = &request->kinds[0];
  const uint32_t forced = first->hooks.n_ctas;

  for (size_t i = 0; i < request->n_kinds; i++) {
    if (request->kinds[i].precision != VISE_TF32 && request->kinds[i].precision != VISE_BF16) continue;
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                       "many nets in one launch: `precision` fp32 only, as the bits of tf32 and bf16 would depend on "
                       "how many CTAs a net has");
  }

  if (forced > 1 && !request->clusters) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "teams of %u CTAs need a device with clusters", forced);
  }
  if (forced > VISE_K_MOST_MEMBERS || (forced & (forced - 1)) != 0) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "teams of %u CTAs, expected 1, 2, 4 or 8", forced);
  }
  return VISE_OK;
}

vise_status vise_i_plan_teams_make(const vise_i_plan_teams_request *request, vise_i_plan_teams *out, vise_error *err) {
  vise_status status;
  vise_i_plan_teams best = {0};
  const vise_i_plan_request *first = &request->kinds[0];
  double best_us = 0;

  VISE_TRY(check_request(request, err));
  for (size_t i = 0; i < 2 * sizeof SIZES / sizeof *SIZES; i++) {
    const uint32_t n = SIZES[i / 2], forced = first->hooks.n_ctas;
    if (forced > 0 ? n != forced : n > 1 && (!request->clusters || n > first->machine.n_sms)) continue;

    vise_i_plan_teams teams = {.n_members = n, .small_tiles = i % 2 == 0};
    if (teams.small_tiles && first->hooks.forced_tile > 1 + VISE_K_TILE_32) continue;
    VISE_TRY(plan_one(request, &teams, err));
    const double us = vise_i_plan_teams_us(&teams, request->n_nets, 1, 1);
    if (best.n_members > 0 && !(us < best_us)) continue;
    best = teams;
    best_us = us;
  }

  if (best.bucket == 0) {
    const size_t each = best.member_bytes + best.launch_bytes, there = first->machine.memory_bytes;
    VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY,
                         "one net takes %zu bytes of device memory and what all share %zu, %zu more than the %zu there "
                         "are; use a smaller `batch` or smaller `widths`",
                         each, best.common_bytes, each + best.common_bytes - there, there));
  }
  *out = best;

done:
  return status;
}
