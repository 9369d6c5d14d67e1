/* Products of every shape and stride, by each set of instructions that this processor has, against chains of
   multiply-adds written out. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/product/kernels.h"

#define N_OF(array) (sizeof(array) / sizeof *(array))

/* A set of instructions; fused: its multiply-adds round once. */
typedef struct set {
  const char *name;
  bool fused;
  void (*f32)(const vise_i_product_f32 *p);
  void (*f64)(const vise_i_product_f64 *p);
  void (*sparse)(const vise_i_product_sparse *p);
  void (*transpose)(size_t m, size_t n, const float *from, size_t from_row, float *to, size_t to_row);
  vise_i_entry *(*list_bytes)(const vise_i_byte_rows *rows, const vise_i_byte_values *values, size_t *start,
                              vise_i_entry *to);
  vise_i_entry *(*list_floats)(const float *x, size_t n, vise_i_entry *to);
  void (*transpose_bytes)(const vise_i_byte_rows *rows, uint8_t *to, size_t to_row);
} set;

#define SET(name, fused, suffix)                                                                              \
  {                                                                                                           \
    name, fused, vise_i_multiply_f32_##suffix, vise_i_multiply_f64_##suffix, vise_i_multiply_sparse_##suffix, \
        vise_i_transpose_f32_##suffix, vise_i_list_bytes_##suffix, vise_i_list_floats_##suffix,               \
        vise_i_transpose_bytes_##suffix                                                                       \
  }

/* Fills sets; returns how many there are. */
static size_t sets_here(set sets[3]) {
  size_t n = 0;
#if defined(__FMA__) || defined(__aarch64__)
  const bool portable_is_fused = true;
#else
  const bool portable_is_fused = false;
#endif
  sets[n++] = (set)SET("portable", portable_is_fused, portable);
#if defined(__x86_64__)
  if (vise_i_has_avx2()) sets[n++] = (set)SET("AVX2", true, avx2);
  if (vise_i_has_avx512()) sets[n++] = (set)SET("AVX-512", true, avx512);
#endif
  return n;
}

/* Uniform in [0, 1). */
static double draw(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(*state >> 40) / 16777216;
}

static float *floats(size_t n, uint64_t seed) {
  float *x = malloc((n + 1) * sizeof *x);
  cr_assert(x);
  for (size_t i = 0; i < n; i++) x[i] = (float)(draw(&seed) - 0.5);
  return x;
}

/* How a matrix lies in memory. */
typedef enum order { BY_ROWS, BY_COLUMNS, N_ORDERS } order;

typedef struct shape {
  size_t m, n, k;
  order a, b;
  size_t gap; /* between rows or columns */
  bool add;
} shape;

static size_t row_of(order o, size_t rows, size_t columns, size_t gap) {
  (void)rows;
  return o == BY_ROWS ? columns + gap : 1;
}

static size_t column_of(order o, size_t rows, size_t columns, size_t gap) {
  (void)columns;
  return o == BY_ROWS ? 1 : rows + gap;
}

static float step_f32(bool fused, float a, float b, float sum) {
  const float product = a * b;
  return fused ? fmaf(a, b, sum) : sum + product;
}

static double step_f64(bool fused, double a, double b, double sum) {
  const double product = a * b;
  return fused ? fma(a, b, sum) : sum + product;
}

static void check_f32(const set *s, const shape *given) {
  const size_t m = given->m, n = given->n, k = given->k, gap = given->gap;
  const order oa = given->a, ob = given->b;
  const bool add = given->add;
  const vise_i_matrix_f32 a = {floats((m + gap) * (k + gap), 1), row_of(oa, m, k, gap), column_of(oa, m, k, gap)};
  const vise_i_matrix_f32 b = {floats((k + gap) * (n + gap), 2), row_of(ob, k, n, gap), column_of(ob, k, n, gap)};
  const size_t c_row = n + gap, n_c = m * c_row + 1;
  float *c = floats(n_c, 3), *before = floats(n_c, 3);
  size_t n_wrong = 0;

  s->f32(&(vise_i_product_f32){m, n, k, a, b, c, c_row, add, NULL});
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < c_row; j++) {
      float sum = add || j >= n ? before[i * c_row + j] : 0; /* the gaps are left alone */
      for (size_t q = 0; q < k && j < n; q++) {
        sum = step_f32(s->fused, a.at[i * a.row + q * a.column], b.at[q * b.row + j * b.column], sum);
      }
      n_wrong += memcmp(&sum, &c[i * c_row + j], sizeof sum) != 0;
    }
  }
  n_wrong += c[n_c - 1] != before[n_c - 1];
  cr_expect_eq(n_wrong, 0, "%s: %zu x %zu x %zu, orders %d %d, gap %zu, add %d: %zu are wrong", s->name, m, n, k, oa,
               ob, gap, add, n_wrong);

  free((float *)(uintptr_t)a.at);
  free((float *)(uintptr_t)b.at);
  free(c);
  free(before);
}

static void check_f64(const set *s, const shape *given) {
  const size_t m = given->m, n = given->n, k = given->k;
  const order oa = given->a, ob = given->b;
  const bool add = given->add;
  float *from_a = floats(m * k, 4), *from_b = floats(k * n, 5);
  double *at_a = calloc(m * k + 1, sizeof *at_a), *at_b = calloc(k * n + 1, sizeof *at_b);
  double *c = calloc(m * n + 1, sizeof *c);
  size_t n_wrong = 0;

  for (size_t i = 0; i < m * k; i++) at_a[i] = (double)from_a[i] / 3;
  for (size_t i = 0; i < k * n; i++) at_b[i] = (double)from_b[i] / 3;
  for (size_t i = 0; i < m * n; i++) c[i] = 0.5;
  const vise_i_matrix_f64 a = {at_a, row_of(oa, m, k, 0), column_of(oa, m, k, 0)};
  const vise_i_matrix_f64 b = {at_b, row_of(ob, k, n, 0), column_of(ob, k, n, 0)};

  s->f64(&(vise_i_product_f64){m, n, k, a, b, c, n, add, NULL});
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++) {
      double sum = add ? 0.5 : 0;
      for (size_t q = 0; q < k; q++) {
        sum = step_f64(s->fused, a.at[i * a.row + q * a.column], b.at[q * b.row + j * b.column], sum);
      }
      n_wrong += memcmp(&sum, &c[i * n + j], sizeof sum) != 0;
    }
  }
  cr_expect_eq(n_wrong, 0, "%s, float64: %zu x %zu x %zu, orders %d %d, add %d: %zu are wrong", s->name, m, n, k, oa,
               ob, add, n_wrong);

  free(from_a);
  free(from_b);
  free(at_a);
  free(at_b);
  free(c);
}

/* Edges of tiles, of blocks, of what is copied and what is not. */
Test(product, every_size_and_order_is_a_chain_of_multiply_adds) {
  static const size_t sizes[][3] = {{1, 1, 1},    {1, 7, 3},     {5, 1, 9},     {6, 16, 256},   {7, 17, 257},
                                    {13, 64, 10}, {64, 10, 128}, {97, 65, 33},  {103, 130, 70}, {1, 130, 300},
                                    {2, 3, 0},    {50, 33, 512}, {26, 128, 40}, {100, 256, 300}};
  set sets[3];
  const size_t n_sets = sets_here(sets);

  for (size_t i = 0; i < n_sets * sizeof sizes / sizeof *sizes; i++) {
    const size_t *size = sizes[i / n_sets];
    const set *s = &sets[i % n_sets];
    for (int orders = 0; orders < N_ORDERS * N_ORDERS; orders++) {
      const order oa = (order)(orders % 2), ob = (order)(orders / 2);
      for (int add = 0; add < 2; add++) {
        check_f32(s, &(shape){size[0], size[1], size[2], oa, ob, 0, add});
        check_f32(s, &(shape){size[0], size[1], size[2], oa, ob, 5, add});
        check_f64(s, &(shape){size[0], size[1], size[2], oa, ob, 0, add});
      }
    }
  }
}

/* Rows and columns that are far apart by powers of two. */
Test(product, what_meets_in_few_sets_of_a_cache) {
  set sets[3];
  const size_t n_sets = sets_here(sets);
  for (size_t i = 0; i < n_sets; i++) {
    check_f32(&sets[i], &(shape){128, 64, 512, BY_ROWS, BY_ROWS, 0, false});
    check_f32(&sets[i], &(shape){128, 256, 512, BY_ROWS, BY_ROWS, 0, true});
    check_f32(&sets[i], &(shape){128, 64, 512, BY_COLUMNS, BY_ROWS, 0, false});
    check_f32(&sets[i], &(shape){128, 512, 64, BY_ROWS, BY_COLUMNS, 0, false});
  }
}

Test(product, a_sparse_product_has_the_bits_of_the_dense_one) {
  static const size_t sizes[][3] = {{1, 1, 1}, {5, 3, 40}, {64, 64, 784}, {70, 70, 100}, {33, 130, 257}, {9, 12, 0}};
  static const double zeros[] = {0, 0.5, 0.9, 1};
  set sets[3];
  const size_t n_sets = sets_here(sets);

  for (size_t i = 0; i < n_sets * 4 * sizeof sizes / sizeof *sizes; i++) {
    const set *s = &sets[i % n_sets];
    const size_t *size = sizes[i / n_sets / 4], m = size[0], n = size[1], k = size[2];
    float *a = floats(m * k, 6), *b = floats(k * n, 7), *dense = floats(m * n, 8), *c = floats(m * n, 8);
    vise_i_entry *entries = calloc(m * k + 1, sizeof *entries);
    size_t *start = calloc(m + 1, sizeof *start), n_entries = 0;
    uint64_t state = 9;

    for (size_t r = 0; r < m; r++) {
      for (size_t q = 0; q < k; q++) {
        if (draw(&state) < zeros[i / n_sets % 4]) a[r * k + q] = 0;
        if (a[r * k + q] != 0) entries[n_entries++] = (vise_i_entry){(uint32_t)q, a[r * k + q]};
      }
      start[r + 1] = n_entries;
    }

    for (int add = 0; add < 2; add++) {
      s->f32(&(vise_i_product_f32){m, n, k, {a, k, 1}, {b, n, 1}, dense, n, add, NULL});
      s->sparse(&(vise_i_product_sparse){m, n, k, start, entries, b, n, c, n, add, NULL});
      cr_expect(memcmp(c, dense, m * n * sizeof *c) == 0, "%s: %zu x %zu x %zu, case %zu, add %d", s->name, m, n, k, i,
                add);
    }

    free(a);
    free(b);
    free(c);
    free(dense);
    free(entries);
    free(start);
  }
}

Test(product, transposition) {
  static const size_t sizes[][2] = {{1, 1}, {8, 8}, {7, 19}, {64, 128}, {33, 70}};
  set sets[3];
  const size_t n_sets = sets_here(sets);

  for (size_t i = 0; i < n_sets * sizeof sizes / sizeof *sizes; i++) {
    const size_t m = sizes[i / n_sets][0], n = sizes[i / n_sets][1], from_row = n + 3, to_row = m + 2;
    float *from = floats(m * from_row, 10), *to = floats(n * to_row, 11), *before = floats(n * to_row, 11);
    size_t n_wrong = 0;

    sets[i % n_sets].transpose(m, n, from, from_row, to, to_row);
    for (size_t j = 0; j < n; j++) {
      for (size_t r = 0; r < to_row; r++) {
        n_wrong += to[j * to_row + r] != (r < m ? from[r * from_row + j] : before[j * to_row + r]);
      }
    }
    cr_expect_eq(n_wrong, 0, "%s: %zu x %zu", sets[i % n_sets].name, m, n);

    free(from);
    free(to);
    free(before);
  }
}

/* ---- lists of what is not zero ------------------------------------------------------------------------------------ */

enum { GUARD = 0x5a };

/* Bytes of which this share is 0, in their own allocation, so that a sanitizer sees what is read after them. */
static uint8_t *bytes(size_t n, double zeros, uint64_t seed) {
  uint8_t *x = malloc(n > 0 ? n : 1);
  cr_assert(x);
  for (size_t i = 0; i < n; i++) x[i] = draw(&seed) < zeros ? 0 : (uint8_t)(1 + (size_t)(draw(&seed) * 255));
  return x;
}

/* Lists m rows of bytes, in the given order, and compares them with what is not zero in them. */
static void check_list_bytes(const set *s, const vise_i_byte_rows *rows, const vise_i_byte_values *values) {
  const size_t room = rows->m * rows->n + VISE_I_LIST_SPARE;
  vise_i_entry *list = malloc((room + 1) * sizeof *list);
  size_t *start = calloc(rows->m + 1, sizeof *start), n = 0, n_wrong = 0;
  memset(&list[room], GUARD, sizeof *list);
  const vise_i_entry *end = s->list_bytes(rows, values, start, list);

  for (size_t i = 0; i < rows->m; i++) {
    const uint8_t *row = rows->at + (rows->rows ? rows->rows[i] : i) * rows->stride;
    n_wrong += start[i] != n;
    for (size_t c = 0; c < rows->n; c++) {
      if (row[c] == 0) continue;
      n_wrong += list[n].at != c || list[n].value != values->table[row[c]];
      n++;
    }
  }

  cr_expect(n_wrong == 0 && end == list + n && start[rows->m] == n, "%s: %zu x %zu: %zu wrong", s->name, rows->m,
            rows->n, n_wrong);
  for (size_t b = 0; b < sizeof *list; b++) cr_expect_eq(((const uint8_t *)&list[room])[b], GUARD);
  free(list);
  free(start);
}

Test(product, lists_of_bytes) {
  static const size_t sizes[][2] = {{1, 1}, {3, 15}, {5, 64}, {64, 784}, {7, 79}, {2, 5000}, {40, 100}};
  static const double zeros[] = {0, 0.5, 0.95, 1};
  float table[256];
  set sets[3];
  const size_t n_sets = sets_here(sets);

  for (size_t i = 0; i < n_sets * N_OF(zeros) * N_OF(sizes); i++) {
    const set *s = &sets[i % n_sets];
    const size_t m = sizes[i / n_sets / N_OF(zeros)][0], n = sizes[i / n_sets / N_OF(zeros)][1];
    uint8_t *x = bytes(m * n, zeros[i / n_sets % N_OF(zeros)], i);
    size_t backwards[64];
    for (size_t r = 0; r < m; r++) backwards[r] = m - 1 - r;

    for (int divides = 0; divides < 2; divides++) {
      const vise_i_byte_values values = {table, divides ? 255.0f : 0.0f};
      for (int b = 0; b < 256; b++) table[b] = divides ? (float)b / 255.0f : (float)b * 0.3f;
      check_list_bytes(s, &(vise_i_byte_rows){x, n, NULL, m, n}, &values);
      check_list_bytes(s, &(vise_i_byte_rows){x, n, backwards, m, n}, &values);
    }
    free(x);
  }
}

Test(product, lists_of_floats) {
  static const size_t sizes[] = {1, 15, 16, 17, 33, 1000};
  set sets[3];
  const size_t n_sets = sets_here(sets);

  for (size_t i = 0; i < n_sets * N_OF(sizes); i++) {
    const set *s = &sets[i % n_sets];
    const size_t n = sizes[i / n_sets];
    float *x = floats(n, i);
    vise_i_entry *list = malloc((n + VISE_I_LIST_SPARE) * sizeof *list);
    size_t n_listed = 0, n_wrong = 0;
    for (size_t c = 0; c < n; c++) x[c] = c % 3 == 0 ? x[c] : c % 5 == 0 ? -0.0f : 0.0f;
    x[n / 2] = NAN;

    const vise_i_entry *end = s->list_floats(x, n, list);
    for (size_t c = 0; c < n; c++) {
      if (x[c] == 0) continue;
      n_wrong += list[n_listed].at != c || memcmp(&list[n_listed].value, &x[c], sizeof *x) != 0;
      n_listed++;
    }
    cr_expect(n_wrong == 0 && end == list + n_listed, "%s: %zu", s->name, n);
    free(x);
    free(list);
  }
}

Test(product, transposition_of_bytes) {
  static const size_t sizes[][2] = {{1, 1}, {16, 16}, {15, 33}, {64, 784}, {40, 100}};
  set sets[3];
  const size_t n_sets = sets_here(sets);

  for (size_t i = 0; i < n_sets * N_OF(sizes); i++) {
    const size_t m = sizes[i / n_sets][0], n = sizes[i / n_sets][1], to_row = (m + 15) / 16 * 16;
    uint8_t *x = bytes(m * n, 0.5, i), *to = bytes(n * to_row, 0, i);
    size_t n_wrong = 0;

    sets[i % n_sets].transpose_bytes(&(vise_i_byte_rows){x, n, NULL, m, n}, to, to_row);
    for (size_t c = 0; c < n; c++) {
      for (size_t r = 0; r < to_row; r++) n_wrong += to[c * to_row + r] != (r < m ? x[r * n + c] : 0);
    }
    cr_expect_eq(n_wrong, 0, "%s: %zu x %zu", sets[i % n_sets].name, m, n);
    free(x);
    free(to);
  }
}

/* All lines of all rows are asked for when the work is done, a few at a time. */
Test(product, rows_that_come_next_are_asked_for_in_time) {
  static const size_t rows[] = {3, 0, 1};
  const char data[4 * 200] = {0};
  vise_i_ahead a = {.data = data, .rows = rows, .n_rows = 3, .n_bytes = 200, .stride = 200, .each = 10};

  vise_i_ahead_go(&a, 9);
  cr_expect(a.row == 0 && a.at == 0);
  vise_i_ahead_go(&a, 21);
  cr_expect(a.row == 0 && a.at == 3 * VISE_I_AHEAD_LINE);
  vise_i_ahead_go(&a, 1000);
  cr_expect(a.row == 3);
}
