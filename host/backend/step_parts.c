#include "host/backend/step_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/plan/plan.h"

_Static_assert(VISE_I_METER_MOST_PARTS >= VISE_K_MAX_PHASES + 3, "a step may have more parts than there is room for");

static bool has_layer(vise_k_phase_kind kind) {
  return kind == VISE_K_FORWARD || kind == VISE_K_DELTA || kind == VISE_K_NORM || kind == VISE_K_NORM_DELTA;
}

/* The clocks of one step of a team. */
typedef struct marks {
  const uint64_t *of; /* [n_members][VISE_K_N_CLOCKS] */
  uint32_t n_members;
} marks;

static marks marks_at(const vise_k_step *step, const uint64_t *clocks, uint32_t place) {
  return (marks){clocks + vise_k_clocks_at(place, step->n_members, 0), step->n_members};
}

static uint64_t clock_of(const marks *m, uint32_t member, uint32_t mark) {
  return m->of[vise_k_clocks_at(0, m->n_members, member) + mark];
}

/* Least and most clocks, over the members, from a mark of one step to one of the same or another. */
static void between(const marks *a, uint32_t from, const marks *b, uint32_t to, double *least, double *most) {
  *least = INFINITY;
  *most = -INFINITY;
  for (uint32_t member = 0; member < a->n_members; member++) {
    const double clocks = (double)(int64_t)(clock_of(b, member, to) - clock_of(a, member, from));
    if (clocks < *least) *least = clocks;
    if (clocks > *most) *most = clocks;
  }
}

/* A part between two marks of a step. */
static vise_i_meter_part *add(vise_i_meter_parts *out, const char *name, const marks *m, uint32_t from, uint32_t to) {
  double least;
  vise_i_meter_part *part = &out->parts[out->n++];
  *part = (vise_i_meter_part){.wait = NAN, .skew = NAN};
  (void)snprintf(part->name, sizeof part->name, "%s", name);
  between(m, from, m, to, &least, &part->work);
  return part;
}

static void set_wait(vise_i_meter_part *part, const marks *a, uint32_t from, const marks *b, uint32_t to) {
  between(a, from, b, to, &part->wait, &part->skew);
  part->skew -= part->wait;
}

static uint32_t mark_of(uint32_t phase, vise_k_clock mark) {
  return VISE_K_CLOCK_PHASES + 3 * phase + mark;
}

/* Where phase i - 1 ends. */
static uint32_t end_before(const vise_k_step *step, uint32_t i) {
  if (i == step->n_phases) return VISE_K_CLOCK_LEAVE;
  return mark_of(i, step->phases[i].exchange ? VISE_K_CLOCK_ARRIVE : VISE_K_CLOCK_BEGIN);
}

/* before: the step before in the same launch; NULL: there is none, or its clocks are overwritten. */
static void step_parts(const vise_k_step *step, const marks *m, const marks *before, bool is_last,
                       vise_i_meter_parts *out) {
  memset(out, 0, sizeof *out);

  vise_i_meter_part *start = add(out, "start", m, VISE_K_CLOCK_START, VISE_K_CLOCK_STEP);
  if (before) set_wait(start, before, VISE_K_CLOCK_LEAVE, m, VISE_K_CLOCK_START);
  add(out, "gather", m, VISE_K_CLOCK_STEP, VISE_K_CLOCK_INPUTS);

  for (uint32_t i = 0; i < step->n_phases; i++) {
    const vise_k_phase *phase = &step->phases[i];
    const vise_k_phase_kind kind = (vise_k_phase_kind)phase->kind;
    const uint32_t begin = mark_of(i, VISE_K_CLOCK_BEGIN);

    vise_i_meter_part *part = add(out, vise_i_plan_phase_name(kind), m, begin, end_before(step, i + 1));
    if (phase->exchange) set_wait(part, m, mark_of(i, VISE_K_CLOCK_ARRIVE), m, begin);
    if (has_layer(kind)) {
      (void)snprintf(part->name, sizeof part->name, "%s %u", vise_i_plan_phase_name(kind), (unsigned)phase->layer);
    }
  }

  vise_i_meter_part *end = add(out, "end", m, VISE_K_CLOCK_LEAVE, VISE_K_CLOCK_END);
  if (!is_last) end->work = NAN;
}

void vise_i_step_parts(const vise_k_step *step, const vise_i_step_clocks *given, vise_i_meter_steps *out) {
  const uint32_t n = given->end - given->first, held = n < VISE_K_CLOCK_STEPS ? n : VISE_K_CLOCK_STEPS;
  const marks launch = marks_at(step, given->clocks, VISE_K_CLOCK_LAUNCH);
  out->n = held;

  for (uint32_t i = 0; i < held; i++) {
    const uint32_t at = given->end - held + i;
    const marks m = marks_at(step, given->clocks, at % VISE_K_CLOCK_STEPS);
    const marks before = marks_at(step, given->clocks, (at - 1) % VISE_K_CLOCK_STEPS);
    const bool alone = given->launches_of_one_step;

    step_parts(step, &m, alone || i == 0 ? NULL : &before, alone || i + 1 == held, &out->steps[i]);
    if (i + 1 == held) {
      out->launch_clocks =
          (double)(int64_t)(clock_of(&m, 0, VISE_K_CLOCK_END) - clock_of(&launch, 0, VISE_K_CLOCK_START));
    }
  }
}
