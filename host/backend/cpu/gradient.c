/* From the gradient of the data loss to what the optimizer gets: penalties, clips, and whether all is finite. The
   gradient itself is not changed: the update forms the same numbers again from the coefficients found here. */
#include <math.h>

#include "host/backend/cpu/cpu.h"

/* Parts of a tensor begin at multiples of this. */
enum { ALIGN_ELEMENTS = 1024 };

void vise_i_cpu_set_penalty(vise_i_backend *b, bool l1) {
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

double vise_i_cpu_penalty(const vise_i_backend *b) {
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

void vise_i_cpu_add_penalty(const vise_i_backend *b, double *out) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    double *o = out + t->shape->offset;
    for (size_t j = 0; j < t->n; j++) {
      const double w = (double)t->w[j];
      if (t->c2 != 0) o[j] += (double)t->c2 * w;
      if (t->c1 != 0) o[j] += (double)t->c1 * (w > 0 ? 1 : (w < 0 ? -1 : w));
    }
  }
}

vise_i_cpu_shaping vise_i_cpu_shaping_of(const vise_i_backend *b, const vise_i_cpu_tensor *t,
                                         const vise_i_hyper *hyper) {
  const vise_i_box bounds = vise_i_value_bounds(&b->spec.rule, hyper->clip_factor);
  return (vise_i_cpu_shaping){
      .c2 = t->c2,
      .c1 = t->c1,
      .lo = (float)bounds.lo,
      .hi = (float)bounds.hi,
      .penalty_last = b->spec.rule.clip_scope == VISE_CLIP_SCOPE_DATA,
  };
}

/* Non-finite entries of the data gradient; the passes only tell whether there may be some. */
static uint64_t count_nonfinite(const vise_i_cpu_tensor *t) {
  uint64_t count = 0;
  for (size_t j = 0; j < t->n; j++) count += !isfinite(t->g[j]);
  return count;
}

/* The norm that is clipped, over units [first, first + n). */
static double norm_of(const vise_i_backend *b, size_t first, size_t n) {
  double sum = 0;
  float most = 0;
  for (size_t u = first; u < first + n; u++) {
    sum += b->unit_sum_sq[u];
    most = b->unit_max[u] > most ? b->unit_max[u] : most;
  }
  if (!vise_i_clips_by_max(&b->spec.rule)) return sqrt(sum);
  return isnan(sum) ? sum : (double)most;
}

/* Fills unit_scale and the norms of stats. */
static void scale_units(vise_i_backend *b, const vise_i_hyper *hyper, vise_step_stats *stats) {
  const bool global = b->spec.rule.clip_norm_type == VISE_CLIP_GLOBAL, on = b->spec.rule.clip_norm != 0;
  const double factor = hyper->clip_factor;
  double sum = 0, clipped_sum = 0, scale = 1;

  for (size_t u = 0; u < b->n_units; u++) sum += b->unit_sum_sq[u];
  if (global && on) scale = vise_i_clip_scale(&b->spec.rule, factor, norm_of(b, 0, b->n_units));

  for (size_t u = 0; u < b->n_units; u++) {
    if (!global && on) scale = vise_i_clip_scale(&b->spec.rule, factor, norm_of(b, u, 1));
    b->unit_scale[u] = (float)scale;
    if (scale != 1) stats->norm_clipped = true;
    clipped_sum += scale * scale * b->unit_sum_sq[u];
  }

  stats->grad_norm = sqrt(sum);
  stats->grad_norm_clipped = stats->norm_clipped ? sqrt(clipped_sum) : stats->grad_norm;
}

/* One tensor being summed. The threads share its units or, if it is one unit, its elements. */
typedef struct reduce_work {
  vise_i_backend *b;
  const vise_i_cpu_tensor *tensor;
  vise_i_cpu_shaping shaping;
  bool penalized, want_max;
} reduce_work;

static vise_i_cpu_sums sum_range(const reduce_work *work, size_t first, size_t n) {
  const vise_i_cpu_tensor *t = work->tensor;
  vise_i_cpu_sums sums = {0};
  vise_i_cpu_sum_unit(t->g + first, t->w + first, n, &work->shaping, work->penalized, t->k.k1 != 0,
                      work->b->spec.rule.clip_value, work->want_max, &sums);
  return sums;
}

static void add_sums(vise_i_cpu_sums *all, const vise_i_cpu_sums *sums) {
  all->sum_sq += sums->sum_sq;
  all->max_abs = sums->max_abs > all->max_abs ? sums->max_abs : all->max_abs;
  all->n_clipped += sums->n_clipped;
  all->nonfinite |= sums->nonfinite;
  all->w_sum_sq += sums->w_sum_sq;
  all->w_sum_abs += sums->w_sum_abs;
}

static void reduce_part(void *context, size_t part, size_t n_parts) {
  const reduce_work *work = context;
  const vise_i_cpu_tensor *t = work->tensor;
  vise_i_cpu_sums all = {0};
  size_t first, end;

  if (t->n_units == 1) {
    vise_i_team_slice(t->n, ALIGN_ELEMENTS, part, n_parts, &first, &end);
    all = sum_range(work, first, end - first);
  } else {
    const size_t n_each = t->n / t->n_units;
    vise_i_team_slice(t->n_units, 1, part, n_parts, &first, &end);
    for (size_t u = first; u < end; u++) {
      const vise_i_cpu_sums sums = sum_range(work, u * n_each, n_each);
      work->b->unit_sum_sq[t->first_unit + u] = sums.sum_sq;
      work->b->unit_max[t->first_unit + u] = sums.max_abs;
      add_sums(&all, &sums);
    }
  }

  work->b->parts[part].sums = all;
}

static vise_i_cpu_sums reduce_tensor(vise_i_backend *b, const vise_i_cpu_tensor *t, const vise_i_hyper *hyper) {
  reduce_work work = {
      .b = b,
      .tensor = t,
      .shaping = vise_i_cpu_shaping_of(b, t, hyper),
      .penalized = vise_i_is_penalized(&t->k),
      .want_max = vise_i_clips_by_max(&b->spec.rule),
  };

  vise_i_team *team = vise_i_cpu_team_for(b, t->n, VISE_I_CPU_SHARE_ELEMENTS);
  vise_i_team_run(team, reduce_part, &work);

  vise_i_cpu_sums all = b->parts[0].sums;
  for (size_t p = 1; p < vise_i_team_size(team); p++) add_sums(&all, &b->parts[p].sums);
  if (!isfinite(all.sum_sq)) all.nonfinite = true;
  if (t->n_units == 1) {
    b->unit_sum_sq[t->first_unit] = all.sum_sq;
    b->unit_max[t->first_unit] = all.max_abs;
  }

  return all;
}

bool vise_i_cpu_reduce_gradient(vise_i_backend *b, const vise_i_hyper *hyper, vise_step_stats *stats) {
  bool finite = true;
  int first_overflow = -1; /* of the gradient with penalties */

  vise_i_cpu_set_penalty(b, !b->spec.rule.prox_l1);
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    const vise_i_cpu_sums all = reduce_tensor(b, t, hyper);
    stats->penalty += penalty_value(t, all.w_sum_sq, all.w_sum_abs);
    b->tensor_stats[i] = (vise_tensor_stats){.n_clipped_values = all.n_clipped};
    stats->n_clipped_values += all.n_clipped;

    if (all.nonfinite) {
      b->tensor_stats[i].n_nonfinite = count_nonfinite(t);
      stats->n_nonfinite += b->tensor_stats[i].n_nonfinite;
      if (stats->bad_tensor < 0 && b->tensor_stats[i].n_nonfinite > 0) stats->bad_tensor = (int)i;
      if (finite) first_overflow = (int)i;
      finite = false;
    }
  }

  if (stats->bad_tensor < 0) stats->bad_tensor = first_overflow;
  scale_units(b, hyper, stats);
  return finite && isfinite(stats->grad_norm);
}
