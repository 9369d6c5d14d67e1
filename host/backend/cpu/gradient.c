/* From the gradient of the data loss to what the optimizer gets: penalties, clips, and whether all is finite. The
   gradient itself is not changed: the update forms the same numbers again from the coefficients found here. */
#include <math.h>

#include "host/backend/cpu/cpu.h"

void vise_i_cpu_set_penalty(vise_i_cpu *b, bool l1) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    vise_i_cpu_tensor *t = &b->tensors[i];
    double c2 = t->k.k2;
    if (t->k.kF != 0) {
      const double norm = sqrt(vise_i_cpu_sum_squares(t->w, t->n));
      if (norm != 0) c2 += t->k.kF / norm;
    }
    t->c2 = (float)c2;
    t->c1 = l1 ? (float)t->k.k1 : 0.0f;
  }
}

static double penalty_value(const vise_i_cpu_tensor *t, double sum_sq, double sum_abs) {
  return vise_i_add_penalty(0, &t->k, sum_sq, sum_abs, sqrt(sum_sq));
}

double vise_i_cpu_penalty(const vise_i_cpu *b) {
  double value = 0;
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    double sum_abs = 0;
    if (t->k.k1 != 0) {
      for (size_t j = 0; j < t->n; j++) sum_abs += fabs((double)t->w[j]);
    }
    value += penalty_value(t, t->k.k2 != 0 || t->k.kF != 0 ? vise_i_cpu_sum_squares(t->w, t->n) : 0, sum_abs);
  }
  return value;
}

void vise_i_cpu_total_gradient(const vise_i_cpu *b, double *out) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    const bool panels = b->has_panels && i == b->net->blocks[0].weight;
    for (size_t j = 0; j < t->n; j++) {
      const double w = (double)t->w[j], sign = w > 0 ? 1 : (w < 0 ? -1 : w);
      double total = (double)t->g[j];
      if (t->c2 != 0) total += (double)t->c2 * w;
      if (t->c1 != 0) total += (double)t->c1 * sign;
      out[t->shape->offset + (panels ? vise_i_cpu_first_place(b, j) : j)] = total;
    }
  }
}

vise_i_cpu_shaping vise_i_cpu_shaping_of(const vise_i_cpu *b, const vise_i_cpu_tensor *t, const vise_i_hyper *hyper) {
  const vise_i_box bounds = vise_i_value_bounds(b->rule, hyper->clip_factor);
  return (vise_i_cpu_shaping){
      .c2 = t->c2,
      .c1 = t->c1,
      .lo = (float)bounds.lo,
      .hi = (float)bounds.hi,
      .penalty_last = b->rule->clip_scope == VISE_CLIP_SCOPE_DATA,
      .penalized = vise_i_is_penalized(&t->k),
      .l1 = t->k.k1 != 0,
      .clips = b->rule->clip_value,
      .wants_max = vise_i_clips_by_max(b->rule),
  };
}

/* Non-finite entries of the data gradient; the passes only tell whether there may be some. */
static uint64_t count_nonfinite(const vise_i_cpu_tensor *t) {
  uint64_t count = 0;
  for (size_t j = 0; j < t->n; j++) count += !isfinite(t->g[j]);
  return count;
}

/* What the norm clip says of units [first, first + n), which are scaled by unit_scale before it. */
static double clip_scale(const vise_i_cpu *b, double factor, size_t first, size_t n) {
  double sum = 0, most = 0;
  for (size_t u = first; u < first + n; u++) {
    const double scale = b->unit_scale[u], largest = scale * (double)b->unit_max[u];
    sum += scale * scale * b->unit_sum_sq[u];
    most = largest > most ? largest : most;
  }
  const double norm = !vise_i_clips_by_max(b->rule) ? sqrt(sum) : isnan(sum) ? sum : most;
  return vise_i_clip_scale(b->rule, factor, norm);
}

/* Scales of a tensor's units by themselves. */
static void scale_units(vise_i_cpu *b, const vise_i_cpu_tensor *t, double factor) {
  const size_t n_each = t->n / t->n_units;

  for (size_t i = 0; i < t->n_units; i++) {
    const size_t u = t->first_unit + i;
    const double sum = b->unit_sum_sq[u];
    const vise_i_unit_norms norms = {
        .gradient = sqrt(sum),
        .largest = isnan(sum) ? sum : (double)b->unit_max[u],
        .weight = vise_i_weighs_units(b->rule) ? sqrt(vise_i_cpu_sum_squares(t->w + i * n_each, n_each)) : 0,
    };
    b->unit_scale[u] = vise_i_unit_scale(b->rule, factor, t->shape->is_bias, &norms);
  }
}

/* Fills unit_scale and the norms of stats. */
static void scale_gradient(vise_i_cpu *b, const vise_i_hyper *hyper, vise_step_stats *stats) {
  const bool tensors = vise_i_clips_tensors(b->rule), global = b->rule->clip_norm_type == VISE_CLIP_GLOBAL;
  const double factor = hyper->clip_factor;
  double sum = 0, clipped_sum = 0, scale = 1;

  for (size_t u = 0; u < b->n_units; u++) b->unit_scale[u] = 1;
  for (size_t i = 0; vise_i_scales_units(b->rule) && i < b->net->n_tensors; i++) {
    scale_units(b, &b->tensors[i], factor);
  }

  if (tensors && global) scale = clip_scale(b, factor, 0, b->n_units);
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    if (tensors && !global) scale = clip_scale(b, factor, t->first_unit, t->n_units);
    for (size_t u = t->first_unit; u < t->first_unit + t->n_units; u++) {
      b->unit_scale[u] *= scale;
      if (b->unit_scale[u] != 1) stats->norm_clipped = true;
      sum += b->unit_sum_sq[u];
      clipped_sum += b->unit_scale[u] * b->unit_scale[u] * b->unit_sum_sq[u];
    }
  }

  stats->grad_norm = sqrt(sum);
  stats->grad_norm_clipped = stats->norm_clipped ? sqrt(clipped_sum) : stats->grad_norm;
}

/* ---- sums over tensors -------------------------------------------------------------------------------------------- */

/* Sums of a tensor: one for each of its units or, if it is one unit, for each of its leaves. */
static size_t n_sums_of(const vise_i_cpu_tensor *t) {
  return t->n_units == 1 ? (t->n + VISE_I_CPU_LEAF - 1) / VISE_I_CPU_LEAF : t->n_units;
}

size_t vise_i_cpu_place_sums(vise_i_cpu *b) {
  size_t n = 0;
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    b->tensors[i].first_sum = n;
    n += n_sums_of(&b->tensors[i]);
  }
  return n;
}

void vise_i_cpu_sum_gradient(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_hyper *hyper) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    const vise_i_cpu_shaping shaping = vise_i_cpu_shaping_of(b, t, hyper);
    const size_t n_each = t->n_units == 1 ? (size_t)VISE_I_CPU_LEAF : t->n / t->n_units;
    size_t s, end;
    vise_i_crew_slice(crew, n_sums_of(t), 1, t->n >= VISE_I_CPU_SHARE_ELEMENTS, &s, &end);

    for (; s < end; s++) {
      const size_t at = s * n_each, n = t->n - at < n_each ? t->n - at : n_each;
      vise_i_cpu_sums sums = {0};
      vise_i_cpu_sum_unit(t->g + at, t->w + at, n, &shaping, &sums);
      b->sums[t->first_sum + s] = sums;
    }
  }
}

/* The sums of a tensor added in their order; fills the norms of its units. */
static vise_i_cpu_sums add_tensor(vise_i_cpu *b, const vise_i_cpu_tensor *t) {
  vise_i_cpu_sums all = {0};
  for (size_t s = 0; s < n_sums_of(t); s++) vise_i_cpu_add_sums(&all, &b->sums[t->first_sum + s]);
  if (!isfinite(all.sum_sq)) all.nonfinite = true;

  for (size_t u = 0; u < t->n_units; u++) {
    const vise_i_cpu_sums *unit = t->n_units == 1 ? &all : &b->sums[t->first_sum + u];
    b->unit_sum_sq[t->first_unit + u] = unit->sum_sq;
    b->unit_max[t->first_unit + u] = unit->max_abs;
  }

  return all;
}

bool vise_i_cpu_judge_gradient(vise_i_cpu *b, const vise_i_hyper *hyper, vise_step_stats *stats) {
  bool finite = true;
  int first_overflow = -1; /* of the gradient with penalties */

  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    const vise_i_cpu_sums all = add_tensor(b, t);
    stats->penalty += penalty_value(t, all.w_sum_sq, all.w_sum_abs);
    b->host.base.tensor_stats[i] = (vise_tensor_stats){.n_clipped_values = all.n_clipped};
    stats->n_clipped_values += all.n_clipped;

    if (all.nonfinite) {
      b->host.base.tensor_stats[i].n_nonfinite = count_nonfinite(t);
      stats->n_nonfinite += b->host.base.tensor_stats[i].n_nonfinite;
      if (stats->bad_tensor < 0 && b->host.base.tensor_stats[i].n_nonfinite > 0) stats->bad_tensor = (int)i;
      if (finite) first_overflow = (int)i;
      finite = false;
    }
  }

  if (stats->bad_tensor < 0) stats->bad_tensor = first_overflow;
  scale_gradient(b, hyper, stats);
  return finite && isfinite(stats->grad_norm);
}
