/* The list of phases: each kind where it belongs, and an exchange before whatever reads what others wrote. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/plan/plan_rig.h"

/* "F0 F1! L! D0! G! S! U!" with ! on a phase that an exchange precedes. */
static void spell(const vise_k_step *s, char *text, size_t n) {
  /* B, C: batch norm and its delta; b, c: the sums of a part for these; T: sums of rows; I: integers */
  static const char letters[] = "FRLDPGSUNMBCTIbc";
  size_t at = 0;
  text[0] = 0;
  for (uint32_t p = 0; p < s->n_phases; p++) {
    const vise_k_phase *phase = &s->phases[p];
    const bool norm = strchr("BCbc", letters[phase->kind]) != NULL;
    const bool layered = norm || phase->kind == VISE_K_FORWARD || phase->kind == VISE_K_DELTA;
    at += (size_t)snprintf(text + at, n - at, "%s%c", p > 0 ? " " : "", letters[phase->kind]);
    if (layered) at += (size_t)snprintf(text + at, n - at, "%u", phase->layer);
    if (phase->exchange) at += (size_t)snprintf(text + at, n - at, "!");
  }
}

static void expect_phases(const plan_case *c, vise_k_step_mode mode, const char *expected) {
  char text[256];
  vise_k_step step;
  const vise_i_plan plan = plan_case_plan(c);
  vise_i_plan_mode(&plan, mode, &step);
  spell(&step, text, sizeof text);
  cr_expect_str_eq(text, expected);
  cr_expect(step.mode == mode && step.n_steps == 1);
  if (mode == VISE_K_STEP) cr_expect(memcmp(&step, &plan.step, sizeof step) == 0);
  if (mode == VISE_K_GRADIENT_ONLY) cr_expect(step.n_held == 0);
  if (mode != VISE_K_STEP) cr_expect(step.n_near == 0);
}

Test(plan_phases, narrow_nets) {
  static const size_t one[] = {7, 3}, two[] = {7, 5, 64}, four[] = {7, 5, 4, 3, 1};
  const plan_case c1 = plan_case_make(1, one, 9), c2 = plan_case_make(2, two, 9), c4 = plan_case_make(4, four, 9);
  expect_phases(&c1, VISE_K_STEP, "R G! U!");
  expect_phases(&c2, VISE_K_STEP, "F0 R! G! U!");
  expect_phases(&c4, VISE_K_STEP, "F0 F1! F2! R! D1! D0! G! U!");
  expect_phases(&c1, VISE_K_FORWARD_ONLY, "F0");
  expect_phases(&c4, VISE_K_FORWARD_ONLY, "F0 F1! F2! F3!");
  expect_phases(&c1, VISE_K_GRADIENT_ONLY, "R G!");
  expect_phases(&c4, VISE_K_GRADIENT_ONLY, "F0 F1! F2! R! D1! D0! G!");
  expect_phases(&c4, VISE_K_PROJECT, "U");
}

Test(plan_phases, integer_nets_are_rounded_last) {
  static const size_t widths[] = {7, 5, 3};
  const vise_i_integer_format format = {.acc_bits = 14, .act_bits = 4, .in_bits = 6};
  plan_case c = plan_case_make(2, widths, 9);
  vise_i_quantization *q = NULL;
  vise_i_net net;
  cr_assert(vise_i_net_make(&c.net, &net, NULL) == VISE_OK);
  cr_assert(vise_i_quantization_make(&net, &format, &q, NULL) == VISE_OK);
  vise_i_quantization_set_input(q, 0.1, 9);
  c.request.quantization = q;

  expect_phases(&c, VISE_K_STEP, "F0 R! G! U! I!");
  expect_phases(&c, VISE_K_FORWARD_ONLY, "F0 F1!");
  expect_phases(&c, VISE_K_GRADIENT_ONLY, "F0 R! G!");
  expect_phases(&c, VISE_K_PROJECT, "U I!");

  const vise_i_plan plan = plan_case_plan(&c);
  const vise_k_rounding *r = &plan.step.rounding;
  cr_expect(plan.step.rounds && !vise_k_is_plain(&plan.step));
  cr_expect(r->acc_bits == 14 && r->bounds && r->zeros[0] == 9 && r->zeros[1] == 0);
  cr_expect(vise_k_most_level(&plan.step, 0) == 63 && vise_k_most_level(&plan.step, 1) == 15);
  cr_expect(plan.step.layers[0].act_by != 0 && plan.step.layers[1].act_by == 0);
  cr_expect(plan.arrays[VISE_I_PLAN_ROUNDED].n_elements == plan.n_params);
  cr_expect(plan.arrays[VISE_I_PLAN_SCALES].n_elements == 5 + 1 + 3 + 1 + 2 * 2);
  vise_i_quantization_free(q);
}

Test(plan_phases, sums_of_rows_come_after_the_update) {
  static const size_t widths[] = {7, 5, 3};
  const vise_i_row_ball balls[] = {{1, false}, {2, true}};
  plan_case c = plan_case_make(2, widths, 9);
  c.request.row_balls = balls;
  expect_phases(&c, VISE_K_STEP, "F0 R! G! U! T!");
  expect_phases(&c, VISE_K_PROJECT, "U T!");
}

/* A large last weight is not read again for every block of rows; a small one, or one for few rows, may be. */
Test(plan_phases, few_outputs_of_many_units) {
  static const struct {
    size_t n_layers, widths[4], rows;
    bool rows_phase;
  } cases[] = {{2, {784, 128, 10}, 64, true},  {2, {784, 128, 10}, 8192, true},  {2, {1024, 1024, 10}, 1024, true},
               {2, {64, 4096, 10}, 132, true}, {2, {64, 4096, 10}, 4096, false}, {2, {64, 2048, 64}, 4096, false},
               {1, {8192, 10}, 4096, false},   {1, {784, 10}, 64, true}};

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const plan_case c = plan_case_make(cases[i].n_layers, cases[i].widths, cases[i].rows);
    cr_expect(plan_case_plan(&c).narrow == cases[i].rows_phase, "case %zu", i);
  }

  static const size_t widths[] = {64, 4096, 10};
  const plan_case c = plan_case_make(2, widths, 4096);
  expect_phases(&c, VISE_K_STEP, "F0 F1! L! D0! P! G! U!");
}

Test(plan_phases, wide_nets) {
  static const size_t one[] = {7, 65}, three[] = {7, 5, 4, 100};
  const plan_case c1 = plan_case_make(1, one, 9), c3 = plan_case_make(3, three, 9);
  expect_phases(&c1, VISE_K_STEP, "F0 L! G! U!");
  expect_phases(&c3, VISE_K_STEP, "F0 F1! F2! L! D1! D0! G! U!");
  expect_phases(&c3, VISE_K_GRADIENT_ONLY, "F0 F1! F2! L! D1! D0! G!");
}

/* Dropout and residuals have no phases of their own. */
Test(plan_phases, batch_norm) {
  static const size_t two[] = {7, 5, 3}, wide[] = {7, 5, 4, 100};
  plan_case c = plan_case_make(2, two, 9), w = plan_case_make(3, wide, 9);
  c.net.dropout = w.net.input_dropout = 0.5;
  c.net.residual = w.net.residual = true;
  expect_phases(&c, VISE_K_STEP, "F0 R! G! U!");

  c.net.batch_norm = w.net.batch_norm = true;
  expect_phases(&c, VISE_K_STEP, "F0 B0! R! C0! G! U!");
  expect_phases(&w, VISE_K_STEP, "F0 B0! F1! B1! F2! L! D1! C1! D0! C0! G! U!");
  expect_phases(&w, VISE_K_GRADIENT_ONLY, "F0 B0! F1! B1! F2! L! D1! C1! D0! C0! G!");
  expect_phases(&w, VISE_K_FORWARD_ONLY, "F0 F1! F2!");
}

/* The launches of gradients in parts: each batch norm ends one on the way forward and one on the way back. */
static void expect_segments(const plan_case *c, uint32_t n, const char *const *expected, uint32_t with_loss) {
  const vise_i_plan plan = plan_case_plan(c);
  vise_k_step step;
  cr_assert_eq(vise_i_plan_n_segments(&plan), n);
  for (uint32_t i = 0; i < n; i++) {
    char text[256];
    vise_i_plan_segment(&plan, i, &step);
    spell(&step, text, sizeof text);
    cr_expect_str_eq(text, expected[i]);
    cr_expect(step.mode == VISE_K_GRADIENT_ONLY && step.rule.k2 == 0 && step.n_held == 0);
    if (n == 1) cr_expect_eq(step.segment, 0);
    if (n == 1) continue;

    cr_expect(step.segment & VISE_K_IN_SEGMENTS);
    cr_expect_eq((step.segment & VISE_K_ROWS_ARE_THERE) != 0, i > 0);
    cr_expect_eq((step.segment & VISE_K_IS_SILENT) != 0, i != with_loss);
    cr_expect_eq((step.segment & VISE_K_CURSOR_STAYS) != 0, i + 1 < n);
  }

  vise_i_plan_update_of_parts(&plan, &step);
  cr_expect_eq(step.segment, n > 1 ? VISE_K_IN_SEGMENTS : 0);
  cr_expect(step.mode == VISE_K_STEP && step.gradient_parts == VISE_K_GIVEN);
}

Test(plan_phases, batch_norm_cuts_gradients_of_parts) {
  static const size_t two[] = {7, 5, 3}, wide[] = {7, 5, 4, 100};
  plan_case c = plan_case_make(2, two, 9), w = plan_case_make(3, wide, 9);
  c.rule.k2 = w.rule.k2 = 0.1;
  expect_segments(&c, 1, (const char *[]){"F0 R! G!"}, 0);
  c.net.batch_norm = w.net.batch_norm = true;
  expect_segments(&c, 3, (const char *[]){"F0 b0!", "B0 R! c0!", "C0 G!"}, 1);
  expect_segments(&w, 5, (const char *[]){"F0 b0!", "B0 F1! b1!", "B1 F2! L! D1! c1!", "C1 D0! c0!", "C0 G!"}, 2);

  /* Each part has a place of its own, and numbers at each batch norm, for each way. */
  const vise_i_plan one = plan_case_plan(&w);
  w.request.n_parts = 3;
  const vise_i_plan three = plan_case_plan(&w);
  const vise_i_plan_array *a = one.arrays, *b = three.arrays;
  cr_expect_eq(b[VISE_I_PLAN_ACTIVATIONS].n_elements, 3 * one.part_floats);
  cr_expect_eq(a[VISE_I_PLAN_ACTIVATIONS].n_elements, one.part_floats);
  cr_expect_eq(2 * b[VISE_I_PLAN_INPUTS].n_elements, 3 * a[VISE_I_PLAN_INPUTS].n_elements);
  cr_expect_eq(b[VISE_I_PLAN_STATISTICS].n_elements, 2 * VISE_K_MOST_PARTS * 2 * (5 + 4));
  cr_expect_eq(vise_k_norm_of_part(&three.step.layers[1], 1, VISE_K_MOST_PARTS), 2 * VISE_K_MOST_PARTS * 2 * (5 + 4));
}

Test(plan_phases, too_many_batch_norms_are_refused) {
  size_t widths[VISE_K_MAX_LAYERS + 1];
  vise_error err = VISE_ERROR_INIT;
  vise_i_plan plan;
  for (size_t l = 0; l <= VISE_K_MAX_LAYERS; l++) widths[l] = 8;

  plan_case c = plan_case_make(12, widths, 9);
  c.net.batch_norm = true;
  cr_expect(plan_case_try(&c, &plan, &err) == VISE_OK, "%s", err.text);
  c = plan_case_make(VISE_K_MAX_LAYERS, widths, 9);
  c.net.batch_norm = true;
  cr_expect(plan_case_try(&c, &plan, &err) == VISE_ERR_UNSUPPORTED);
  cr_expect(strstr(err.text, "phases") != NULL, "%s", err.text);
}

Test(plan_phases, sums_and_max_norm) {
  static const size_t two[] = {7, 5, 3}, many[] = {8, 8192, 8192, 3};
  plan_case c = plan_case_make(2, two, 9), large = plan_case_make(3, many, 9);

  c.rule.clip_norm = 1;
  expect_phases(&c, VISE_K_STEP, "F0 R! G! U!");
  c.rule.clip_norm_type = VISE_CLIP_UNIT;
  expect_phases(&c, VISE_K_STEP, "F0 R! G! S! U!");
  expect_phases(&large, VISE_K_STEP, "F0 F1! R! D0! G! S! U!");

  c.rule.max_norm = 1;
  expect_phases(&c, VISE_K_STEP, "F0 R! G! S! U! N! M!");
  expect_phases(&c, VISE_K_PROJECT, "U N! M!");
  expect_phases(&c, VISE_K_GRADIENT_ONLY, "F0 R! G!");

  c.rule.max_norm_scope = VISE_MAX_NORM_TENSOR;
  c.rule.clip_norm_type = VISE_CLIP_TENSOR;
  expect_phases(&c, VISE_K_STEP, "F0 R! G! U! M!");
  expect_phases(&c, VISE_K_PROJECT, "U M!");
}

static void check_room(const plan_case *c, const vise_i_plan *plan) {
  (void)c;
  for (int mode = VISE_K_STEP; mode <= VISE_K_PROJECT; mode++) {
    vise_k_step step;
    vise_i_plan_mode(plan, (vise_k_step_mode)mode, &step);
    cr_expect(step.n_phases >= 1 && step.n_phases <= VISE_K_MAX_PHASES);
    cr_expect(step.phases[0].exchange == 0);
    for (uint32_t p = 1; p < step.n_phases; p++) cr_expect(step.phases[p].exchange == 1);
  }
}

Test(plan_phases, all_but_the_first_begin_with_an_exchange) {
  plan_for_all(check_room);
}

Test(plan_phases, gradients_in_parts) {
  static const size_t two[] = {7, 5, 3};
  plan_case c = plan_case_make(2, two, 33);
  expect_phases(&c, VISE_K_STEP, "F0 R! G! U!");
  c.request.hooks.gradient_parts = 1;
  expect_phases(&c, VISE_K_STEP, "F0 R! P! G! U!");
  expect_phases(&c, VISE_K_GRADIENT_ONLY, "F0 R! P! G!");
  cr_expect(plan_case_plan(&c).arrays[VISE_I_PLAN_PARTS].n_elements == 2 * plan_case_plan(&c).n_params);
  c.max_rows = 32; /* one slice */
  expect_phases(&c, VISE_K_STEP, "F0 R! G! U!");
}

Test(plan_phases, forward_only) {
  static const size_t two[] = {7, 5, 100};
  plan_case c = plan_case_make(2, two, 4096);
  c.request.forward_only = true;
  const vise_i_plan plan = plan_case_plan(&c);

  char text[64];
  spell(&plan.step, text, sizeof text);
  cr_expect_str_eq(text, "F0 F1!");
  cr_expect(plan.step.mode == VISE_K_FORWARD_ONLY && plan.step.n_held == 0);

  for (int i = 0; i < VISE_I_PLAN_N_ARRAYS; i++) {
    const bool kept =
        i == VISE_I_PLAN_PARAMS || i == VISE_I_PLAN_INPUTS || i == VISE_I_PLAN_ACTIVATIONS || i == VISE_I_PLAN_SLOTS;
    cr_expect((plan.arrays[i].n_bytes > 0) == kept, "%s", vise_i_plan_array_name((vise_i_plan_array_id)i));
  }
}

Test(plan_phases, names) {
  for (int k = VISE_K_FORWARD; k <= VISE_K_NORM_DELTA_SUMS; k++) {
    cr_expect(vise_i_plan_phase_name((vise_k_phase_kind)k)[0] != '?');
  }
  for (int v = 0; v < VISE_K_N_VARIANTS; v++) cr_expect(vise_i_plan_variant_name((vise_k_variant)v)[0] != '?');
}
