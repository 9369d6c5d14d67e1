/* Column means and standard deviations: two passes in float64. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "host/base/array.h"
#include "host/data/storage.h"

/* For each dtype: sum[c] += x - offset[c], or its square. Row by row where rows are contiguous (the sums stay in
   cache and the loop over columns is vectorised), else column by column. */
#define DEFINE_PASS(suffix, type)                                                                                     \
  static void pass_##suffix(const vise_dataset *ds, const vise_array *a, const double *offset, bool square,           \
                            double *sum) {                                                                            \
    const type *data = a->data;                                                                                       \
    for (size_t r = 0; r < ds->n_rows && a->col_stride == 1; r++) {                                                   \
      const type *row = data + vise_i_stored_row(ds, r) * a->row_stride;                                              \
      if (square) {                                                                                                   \
        for (size_t c = 0; c < a->n_cols; c++) sum[c] += ((double)row[c] - offset[c]) * ((double)row[c] - offset[c]); \
      } else {                                                                                                        \
        for (size_t c = 0; c < a->n_cols; c++) sum[c] += (double)row[c] - offset[c];                                  \
      }                                                                                                               \
    }                                                                                                                 \
    for (size_t c = 0; c < a->n_cols && a->col_stride != 1; c++) {                                                    \
      const type *col = data + c * a->col_stride;                                                                     \
      for (size_t r = 0; r < ds->n_rows; r++) {                                                                       \
        const double d = (double)col[vise_i_stored_row(ds, r) * a->row_stride] - offset[c];                           \
        sum[c] += square ? d * d : d;                                                                                 \
      }                                                                                                               \
    }                                                                                                                 \
  }
DEFINE_PASS(u8, uint8_t)
DEFINE_PASS(i32, int32_t)
DEFINE_PASS(i64, int64_t)
DEFINE_PASS(f32, float)
DEFINE_PASS(f64, double)
#undef DEFINE_PASS

static void pass(const vise_dataset *ds, const vise_array *a, const double *offset, bool square, double *sum) {
  switch (a->dtype) {
    case VISE_U8:
      pass_u8(ds, a, offset, square, sum);
      break;
    case VISE_I32:
      pass_i32(ds, a, offset, square, sum);
      break;
    case VISE_I64:
      pass_i64(ds, a, offset, square, sum);
      break;
    case VISE_F32:
      pass_f32(ds, a, offset, square, sum);
      break;
    default:
      pass_f64(ds, a, offset, square, sum);
      break;
  }
}

/* A column whose sums overflow: the same, computed from x / max|x|. */
static void fit_huge(const vise_dataset *ds, const vise_array *a, size_t c, double *shift, double *scale) {
  const double n = (double)ds->n_rows;
  double largest = 0, mean = 0, sum = 0;

  for (size_t r = 0; r < ds->n_rows; r++) {
    const double v = fabs(vise_i_array_get(a, vise_i_stored_row(ds, r), c));
    if (v > largest) largest = v;
  }

  for (size_t r = 0; r < ds->n_rows; r++) mean += vise_i_array_get(a, vise_i_stored_row(ds, r), c) / largest / n;
  for (size_t r = 0; r < ds->n_rows; r++) {
    const double d = vise_i_array_get(a, vise_i_stored_row(ds, r), c) / largest - mean;
    sum += d * d / n;
  }

  shift[c] = mean * largest;
  scale[c] = sum > 0 ? sqrt(sum) * largest : 1;
}

static void fit(const vise_dataset *ds, const vise_array *a, double *shift, double *scale) {
  const double n = (double)ds->n_rows;

  /* Sums are relative to the first row: a constant column then has a deviation of exactly 0, whatever its value. Until
     the end, scale holds the sums. */
  for (size_t c = 0; c < a->n_cols; c++) shift[c] = vise_i_array_get(a, vise_i_stored_row(ds, 0), c);
  memset(scale, 0, a->n_cols * sizeof *scale);
  pass(ds, a, shift, false, scale);
  for (size_t c = 0; c < a->n_cols; c++) shift[c] += scale[c] / n;

  memset(scale, 0, a->n_cols * sizeof *scale);
  pass(ds, a, shift, true, scale);

  for (size_t c = 0; c < a->n_cols; c++) {
    if (!isfinite(shift[c]) || !isfinite(scale[c])) {
      fit_huge(ds, a, c, shift, scale);
    } else {
      const double sd = sqrt(scale[c] / n);
      scale[c] = sd > 0 ? sd : 1;
    }
  }
}

void vise_i_dataset_fit_features(const vise_dataset *dataset, double *shift, double *scale) {
  fit(dataset, &dataset->storage->features.array, shift, scale);
}

void vise_i_dataset_fit_targets(const vise_dataset *dataset, double *shift, double *scale) {
  fit(dataset, &dataset->storage->targets.array, shift, scale);
}
