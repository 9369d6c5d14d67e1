/* Tiles, layout and CTAs: what holds for every plan, and the worked example of the design. */
#include <criterion/criterion.h>

#include "kernels/canonical.h"
#include "tests/unit/plan/plan_rig.h"

static uint64_t ceil_div(uint64_t a, uint64_t b) {
  return (a + b - 1) / b;
}

/* The tiles of all tensors follow each other without a gap; those of a tensor cover it, and none is empty. */
static void check_gradient_tiles(const plan_case *c, const vise_i_plan *plan) {
  const vise_k_step *s = &plan->step;
  uint64_t at = 0, largest = 0;

  for (uint32_t l = 0; l < s->n_layers; l++) {
    const vise_k_layer *layer = &s->layers[l];
    const uint64_t side = vise_k_tile_side((vise_k_tile)layer->gradient_tile);
    const uint64_t down = ceil_div(layer->n_out, side), across = ceil_div(layer->n_in, side);

    cr_expect(layer->n_in == c->net.widths[l] && layer->n_out == c->net.widths[l + 1]);
    cr_expect(layer->gradient_tile >= VISE_K_TILE_32 && layer->gradient_tile < VISE_K_N_TILES);
    cr_expect(layer->first_weight_tile == at);
    cr_expect((down - 1) * side < layer->n_out && (across - 1) * side < layer->n_in, "a tile of nothing");

    at += down * across;
    for (uint32_t i = 0; i < layer->n_vectors; i++) {
      cr_expect(vise_k_vector_of(layer, i).first_tile == at);
      at += ceil_div(layer->n_out, VISE_K_BIAS_TILE);
    }
    largest = side * side > largest ? side * side : largest;
  }

  cr_expect(s->n_gradient_tiles == at && s->held_floats == largest);
}

Test(plan, every_weight_is_in_one_tile) {
  plan_for_all(check_gradient_tiles);
}

/* The arrays of a layer that it has lie one after the other, from `begin` on; returns their end. */
static uint64_t check_activations(const vise_k_step *s, const vise_k_layer *layer, uint64_t begin) {
  const uint64_t n = (uint64_t)s->max_rows * layer->ld_out;
  const bool has[] = {true,
                      vise_i_activation_needs_z((vise_activation)layer->activation),
                      true,
                      layer->dropout.threshold || layer->has_residual,
                      layer->has_norm,
                      layer->has_residual};
  const uint64_t at[] = {layer->out,        vise_k_pre(layer),    layer->delta,
                         vise_k_act(layer), vise_k_linear(layer), vise_k_delta_out(layer)};

  cr_expect(has[3] || layer->act_by == 0);
  for (size_t i = 0; i < sizeof has / sizeof *has; i++) {
    if (!has[i]) continue;
    cr_expect(at[i] % 32 == 0 && at[i] >= begin, "array %zu overlaps", i);
    begin = at[i] + n;
  }
  return begin;
}

/* Tensors share no elements: their ranges [begin, end) ascend and are aligned. */
static void check_layout(const plan_case *c, const vise_i_plan *plan) {
  (void)c;
  const vise_k_step *s = &plan->step;
  uint64_t end = 0, cells = 0, leaves = 0, groups = 0, units = 0, activations = 0;

  for (uint32_t l = 0; l < s->n_layers; l++) {
    const vise_k_layer *layer = &s->layers[l];
    const uint32_t n_leaves = vise_n_leaves(layer->n_in), n_groups = vise_n_groups(layer->n_out);

    cr_expect(layer->ld % 8 == 0 && layer->ld >= layer->n_in && layer->ld < layer->n_in + 8);
    cr_expect(layer->ld_out % 8 == 0 && layer->ld_out >= layer->n_out && layer->ld_out < layer->n_out + 8);
    cr_expect(layer->weight % 32 == 0 && layer->weight >= end);
    end = layer->weight + (uint64_t)layer->n_out * layer->ld;

    cr_expect(layer->weight_at.cells == cells && layer->weight_at.row_leaves == leaves);
    cr_expect(layer->weight_at.groups == groups && layer->weight_at.units == units);
    cells += (uint64_t)n_groups * n_leaves;
    leaves += (uint64_t)layer->n_out * n_leaves;
    groups += n_groups;
    units += layer->n_out;

    for (uint32_t i = 0; i < layer->n_vectors; i++) {
      const vise_k_vector vector = vise_k_vector_of(layer, i);
      cr_expect(vector.at % 32 == 0 && vector.at >= end);
      end = vector.at + layer->n_out;
      cr_expect(vector.places.cells == cells && vector.places.row_leaves == leaves);
      cr_expect(vector.places.groups == groups && vector.places.units == units);
      cells += vise_n_leaves(layer->n_out);
      leaves += vise_n_leaves(layer->n_out);
      groups += 1;
      units += 1;
    }

    activations = check_activations(s, layer, activations);
  }

  cr_expect(plan->n_params >= end && plan->n_params < end + 32 && plan->n_params % 32 == 0);
  end = plan->n_params;
  for (uint32_t l = 0; l < s->n_layers; l++) {
    const vise_k_layer *layer = &s->layers[l];
    if (!layer->has_norm) continue;
    cr_expect(vise_k_running(layer) == end, "running statistics of layer %u", l);
    end += 2 * (vise_k_running_variance(layer) - vise_k_running(layer));
  }
  cr_expect(plan->n_values == end && plan->arrays[VISE_I_PLAN_PARAMS].n_elements == end);
  cr_expect(s->n_cells == cells && s->n_row_leaves == leaves && s->n_groups == groups && s->n_units == units);
  cr_expect(plan->arrays[VISE_I_PLAN_ACTIVATIONS].n_elements >= activations);
}

Test(plan, tensors_sums_and_activations_do_not_overlap) {
  plan_for_all(check_layout);
}

static void check_team(const plan_case *c, const vise_i_plan *plan) {
  const vise_k_step *s = &plan->step;
  cr_expect(s->n_members >= 1 && s->n_members <= c->request.machine.n_sms);
  cr_expect(plan->shared_bytes <= c->request.machine.shared_bytes);

  const uint32_t n_arrays = vise_k_step_near_arrays(s), n_tiles = s->n_held + s->n_near * n_arrays;
  const size_t near_bytes = vise_k_step_near_input_bytes(s);
  cr_expect(plan->shared_bytes == vise_k_step_shared_bytes(s->n_slots, n_tiles, s->held_floats) + near_bytes);

  const uint64_t each = ceil_div(s->n_gradient_tiles, s->n_members);
  cr_expect(s->n_held <= each);
  if (s->n_held < each) {
    cr_expect(vise_k_step_shared_bytes(s->n_slots, s->n_held + 1, s->held_floats) > c->request.machine.shared_bytes,
              "a tile more would fit");
  }

  cr_expect(s->n_near <= each && n_arrays == 1u + s->has_moment1 + s->has_moment2);
  if (s->n_near < each && !c->request.forward_only) {
    cr_expect(
        vise_k_step_shared_bytes(s->n_slots, n_tiles + n_arrays, s->held_floats) > c->request.machine.shared_bytes,
        "weights of a tile more would fit");
  }

  const vise_k_layer *last = &s->layers[s->n_layers - 1];
  cr_expect(s->row_block >= 1 && s->row_block <= VISE_K_ROW_BLOCK);
  if (plan->narrow) {
    cr_expect(s->row_block * ((last->n_in + 31) / 32 * 32) <= 8192);
    const uint64_t n_slices = ceil_div(last->n_in, vise_slice_length(last->n_in));
    cr_expect(s->row_block * last->n_out * (ceil_div(n_slices, 4) * 4) <= 6144);
  }

  const bool large = plan->variant != VISE_K_SMALL_F32;
  for (uint32_t p = 0; p < s->n_phases; p++) {
    const bool flat = s->phases[p].tile == VISE_K_TILE_16_BY_4;
    if (!large) cr_expect(s->phases[p].tile <= VISE_K_TILE_32 || (flat && p == 0 && s->near_rows == 16));
    if (c->request.hooks.forced_tile > 0 &&
        (s->phases[p].kind == VISE_K_FORWARD || s->phases[p].kind == VISE_K_DELTA)) {
      cr_expect(s->phases[p].tile == c->request.hooks.forced_tile - 1);
    }
  }

  cr_expect(c->request.precision == VISE_FP32
                ? plan->variant <= VISE_K_LARGE_F32
                : plan->variant == (c->request.precision == VISE_TF32 ? VISE_K_TF32 : VISE_K_BF16));
}

Test(plan, the_team_fits_the_machine) {
  plan_for_all(check_team);
}

Test(plan, the_worked_example) {
  static const size_t widths[] = {784, 128, 10};
  plan_case c = plan_case_make(2, widths, 64);
  c.rule.k2 = 1e-4;
  c.rule.clip_norm = 5;
  const vise_i_plan plan = plan_case_plan(&c);
  const vise_k_step *s = &plan.step;

  cr_expect(plan.variant == VISE_K_SMALL_F32 && plan.narrow);
  cr_expect(s->n_members == 129, "%u", s->n_members); /* one of them reports */
  cr_expect(s->row_block == 1);
  cr_expect(s->n_gradient_tiles == 4 * 25 + 1 + 4 + 1 && s->n_held == 1 && s->n_near == 1);

  cr_assert(s->n_phases == 4);
  cr_expect(s->phases[0].kind == VISE_K_FORWARD && s->phases[0].tile == VISE_K_TILE_16_BY_4 && !s->phases[0].exchange);
  cr_expect(vise_i_plan_n_tiles(s, &s->phases[0], 64) == 128);
  cr_expect(s->phases[1].kind == VISE_K_ROWS && vise_i_plan_n_tiles(s, &s->phases[1], 64) == 64);
  cr_expect(s->phases[2].kind == VISE_K_GRADIENT && s->phases[3].kind == VISE_K_UPDATE);
  for (int p = 1; p < 4; p++) cr_expect(s->phases[p].exchange == 1);

  vise_i_plan_cost cost;
  vise_i_plan_cost_of(&plan, 784 + 1, &cost);
  cr_expect(cost.n_exchanges == 3 && s->near_rows == 16);
  cr_expect(cost.flop == 2.0 * 64 * (2.0 * 784 * 128 + 3.0 * 128 * 10), "%g", cost.flop);
  cr_expect(cost.floor_us > 3 && cost.floor_us < 7, "%g", cost.floor_us);
}

/* Inputs are kept near where each CTA has room for one tile forward and one of the gradient, and nobody else reads
   them. */
Test(plan, near_inputs) {
  static const struct {
    const char *what;
    size_t n_layers, widths[4], rows, shared_kib;
    bool residual, member;
    double input_dropout;
    int parts;
    uint32_t n_ctas, near_rows;
  } cases[] = {
      {"tiles of 16 x 4", 2, {784, 128, 10}, 64, 227, false, false, 0, 0, 0, 16},
      {"few slices: tiles of 8", 2, {128, 128, 10}, 64, 227, false, false, 0, 0, 0, 8},
      {"few rows: tiles of 8", 2, {784, 128, 10}, 8, 227, false, false, 0, 0, 0, 8},
      {"tiles of 32", 3, {32, 256, 256, 1}, 256, 227, false, false, 0, 0, 0, 32},
      {"one layer, wide", 1, {70, 80}, 9, 227, false, false, 0, 0, 0, 8},
      {"one layer, narrow: rows are read", 1, {70, 8}, 9, 227, false, false, 0, 0, 0, 0},
      {"two tiles to a CTA", 2, {784, 128, 10}, 64, 227, false, false, 0, 0, 64, 0},
      {"too little shared memory", 2, {784, 128, 10}, 64, 99, false, false, 0, 0, 0, 0},
      {"residual", 2, {64, 64, 3}, 20, 227, true, false, 0, 0, 0, 0},
      {"none", 2, {64, 64, 3}, 20, 227, false, false, 0, 0, 0, 8},
      {"dropout of inputs", 2, {64, 64, 3}, 20, 227, false, false, 0.25, 0, 0, 0},
      {"many nets", 2, {64, 64, 3}, 20, 227, false, true, 0, 0, 0, 0},
      {"parts", 2, {64, 64, 3}, 40, 227, false, false, 0, 1, 0, 0},
      {"slices of 64 columns", 2, {1100, 64, 3}, 20, 227, false, false, 0, 0, 0, 0},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    plan_case c = plan_case_make(cases[i].n_layers, cases[i].widths, cases[i].rows);
    c.net.residual = cases[i].residual;
    c.net.input_dropout = cases[i].input_dropout;
    c.request.machine.shared_bytes = cases[i].shared_kib * 1024;
    c.request.gathers = cases[i].member;
    c.request.hooks.gradient_parts = cases[i].parts;
    c.request.hooks.n_ctas = cases[i].n_ctas;

    const vise_i_plan plan = plan_case_plan(&c);
    cr_expect(plan.step.near_rows == cases[i].near_rows, "%s: %u", cases[i].what, plan.step.near_rows);
    if (plan.step.near_rows > 0) cr_expect(plan.step.n_near == 1 && plan.step.n_held == 1);

    vise_k_step step;
    vise_i_plan_mode(&plan, VISE_K_GRADIENT_ONLY, &step);
    cr_expect(step.near_rows == 0 && step.phases[0].tile == plan.forward_tile[0], "only steps keep inputs near");
    vise_i_plan_mode(&plan, VISE_K_STEP, &step);
    cr_expect(step.near_rows == plan.step.near_rows && step.phases[0].tile == plan.step.phases[0].tile);
  }
}

/* One CTA more than there is work for, to report; but a single CTA stays alone, and there may be no more to add. */
Test(plan, a_cta_to_report_where_there_is_room) {
  static const struct {
    size_t n_layers, widths[3], rows;
    uint32_t n_sms, n_members;
  } cases[] = {{2, {784, 128, 10}, 64, 132, 129}, {2, {784, 128, 10}, 64, 129, 129}, {2, {784, 128, 10}, 64, 128, 128},
               {2, {784, 128, 10}, 64, 1, 1},     {1, {4, 3}, 9, 132, 10},           {1, {4, 3}, 1, 132, 1}};

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    plan_case c = plan_case_make(cases[i].n_layers, cases[i].widths, cases[i].rows);
    c.net.bias = i < 5;
    c.request.machine.n_sms = cases[i].n_sms;

    const vise_i_plan plan = plan_case_plan(&c);
    cr_expect(plan.step.n_members == cases[i].n_members, "case %zu: %u", i, plan.step.n_members);
    c.request.hooks.n_ctas = 1;
    cr_expect(plan_case_plan(&c).step.n_members == 1);
  }
}

Test(plan, large_products_use_large_tiles) {
  static const size_t widths[] = {4096, 4096, 4096, 4096};
  static const struct {
    vise_precision precision;
    vise_k_variant variant;
  } cases[] = {{VISE_FP32, VISE_K_LARGE_F32}, {VISE_TF32, VISE_K_TF32}, {VISE_BF16, VISE_K_BF16}};

  for (size_t i = 0; i < 3; i++) {
    plan_case c = plan_case_make(3, widths, 4096);
    c.request.precision = cases[i].precision;
    const vise_i_plan plan = plan_case_plan(&c);

    cr_expect(plan.variant == cases[i].variant && !plan.narrow && plan.step.n_members == 132);
    for (int l = 0; l < 3; l++) {
      cr_expect(plan.forward_tile[l] >= VISE_K_TILE_64 && plan.step.layers[l].gradient_tile >= VISE_K_TILE_64);
    }
  }
}

/* Small products stay in float32 tiles even if the precision has matrix units. */
Test(plan, thin_products_are_not_for_matrix_units) {
  static const size_t widths[] = {2000, 2000, 16};
  plan_case c = plan_case_make(2, widths, 32);
  c.request.precision = VISE_BF16;
  const vise_i_plan plan = plan_case_plan(&c);
  cr_expect(plan.variant == VISE_K_BF16);
  cr_expect(plan.forward_tile[0] <= VISE_K_TILE_32 && plan.step.layers[0].gradient_tile == VISE_K_TILE_32);
}
