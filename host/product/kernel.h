/*
 * One matrix product, for the type REAL and vectors of VECTOR_BYTES, which the including file defines, with
 *   VECTORS      vectors in a row of the tile
 *   PRODUCT      the struct of its arguments
 *   MULTIPLY     the name of the function
 *   TRANSPOSE    if there is one, that of transpose.h for the type
 *
 * A tile of C, ROWS rows of up to VECTORS vectors, stays in registers while k runs over at most DEPTH; a panel of B, as
 * wide as a tile, stays in the first cache meanwhile, and the rows of A pass by. A and B are read where they lie unless
 * that would be slow: then their part is copied first, A's by groups of ROWS rows, B's by panels.
 */
#include <string.h>

#include "host/base/loops.h"
#include "host/product/kernels.h"

typedef REAL vector __attribute__((vector_size(VECTOR_BYTES)));
typedef REAL loose __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

enum {
  LANES = VECTOR_BYTES / sizeof(REAL),
  ROWS = 6,
  WIDTH = VECTORS * LANES,
  SPAN = 256 / sizeof(REAL) < WIDTH ? WIDTH : 256 / sizeof(REAL), /* columns whose part of B is copied at once */
  DEPTH = 1024 / sizeof(REAL),                                    /* of a block */
  HEIGHT = 32 * ROWS,                             /* rows of A of a block; twice as many if not copied */
  GROUP = 8,                                      /* a copied group of ROWS rows: so far apart for one k */
  GROUP_SIZE = GROUP * DEPTH + 64 / sizeof(REAL), /* of its copy; a line more, so that groups do not clash */
  CLASHING = 512 / sizeof(REAL),  /* columns of A a multiple of it apart meet in few sets of a cache: they are copied */
  PAGE_ROW = 1024 / sizeof(REAL), /* rows of B so far apart do: they are copied */
  WORTH_PACKING = 4 * ROWS,       /* rows of C for which that pays */
  MANY = 4                        /* panels of B for which it pays to copy rows of A that clash */
};

/* What a tile computes from: for each k `rows` elements of A, which lie together by columns if a_row is 1, or by rows if
   a_column is 1; and its vectors of B. */
typedef struct tile_work {
  const REAL *a;
  size_t a_row, a_column;
  const REAL *b;
  size_t b_row;
  size_t depth;
  REAL *c;
  size_t c_row;
} tile_work;

/* c [rows, vectors] is set, or added to. All but the work is constant where it is inlined. */
VISE_I_INLINE void tile(const tile_work *s, bool add, size_t rows, size_t vectors, bool by_columns) {
  const size_t a_row = by_columns ? 1 : s->a_row, a_column = by_columns ? s->a_column : 1;
  const size_t b_row = s->b_row, depth = s->depth;
  const REAL *a = s->a, *b = s->b;
  REAL *c = s->c;
  const size_t c_row = s->c_row;
  vector sum[ROWS][VECTORS];

  VISE_I_UNROLL for (size_t i = 0; i < rows; i++) {
    VISE_I_UNROLL for (size_t v = 0; v < vectors; v++) {
      if (add) {
        sum[i][v] = *(const loose *)(c + i * c_row + v * LANES);
      } else {
        sum[i][v] = (vector){0};
      }
    }
  }

  for (size_t k = 0; k < depth; k++) {
    vector row[VECTORS];
    VISE_I_UNROLL for (size_t v = 0; v < vectors; v++) row[v] = *(const loose *)(b + v * LANES);
    VISE_I_UNROLL for (size_t i = 0; i < rows; i++) {
      const REAL x = a[i * a_row];
      VISE_I_UNROLL for (size_t v = 0; v < vectors; v++) sum[i][v] += x * row[v];
    }
    a += a_column;
    b += b_row;
  }

  VISE_I_UNROLL for (size_t i = 0; i < rows; i++) {
    VISE_I_UNROLL for (size_t v = 0; v < vectors; v++) * (loose *)(c + i * c_row + v * LANES) = sum[i][v];
  }
}

/* ---- tiles of every size ------------------------------------------------------------------------------------------ */

typedef void tile_function(const tile_work *s);

#define DEFINE_TILE(rows, vectors, add, by_columns)                                \
  static void tile_##rows##_##vectors##_##add##_##by_columns(const tile_work *s) { \
    tile(s, add, rows, vectors, by_columns);                                       \
  }
#define DEFINE_KINDS(rows, vectors) \
  DEFINE_TILE(rows, vectors, 0, 0)  \
  DEFINE_TILE(rows, vectors, 0, 1)  \
  DEFINE_TILE(rows, vectors, 1, 0)  \
  DEFINE_TILE(rows, vectors, 1, 1)
#define DEFINE_ROWS(vectors) \
  DEFINE_KINDS(1, vectors)   \
  DEFINE_KINDS(2, vectors)   \
  DEFINE_KINDS(3, vectors)   \
  DEFINE_KINDS(4, vectors)   \
  DEFINE_KINDS(5, vectors)   \
  DEFINE_KINDS(6, vectors)

#define KINDS_OF(rows, vectors)                                         \
  {                                                                     \
    {tile_##rows##_##vectors##_0_0, tile_##rows##_##vectors##_0_1},     \
        {tile_##rows##_##vectors##_1_0, tile_##rows##_##vectors##_1_1}, \
  }
#define ROWS_OF(vectors)                                                                                          \
  {                                                                                                               \
    KINDS_OF(1, vectors), KINDS_OF(2, vectors), KINDS_OF(3, vectors), KINDS_OF(4, vectors), KINDS_OF(5, vectors), \
        KINDS_OF(6, vectors),                                                                                     \
  }

DEFINE_ROWS(1)
DEFINE_ROWS(2)
#if VECTORS > 2
DEFINE_ROWS(3)
DEFINE_ROWS(4)
#endif

/* [vectors - 1][rows - 1][add][by_columns] */
static tile_function *const TILES[VECTORS][ROWS][2][2] = {
    ROWS_OF(1),
    ROWS_OF(2),
#if VECTORS > 2
    ROWS_OF(3),
    ROWS_OF(4),
#endif
};

/* ---- packing ------------------------------------------------------------------------------------------------------ */

/* to [depth, WIDTH] = columns [0, n) of b, zeros after them. */
static void pack_b(const REAL *b, size_t b_row, size_t b_column, size_t depth, size_t n, REAL *to) {
  if (b_column == 1 && n == WIDTH) {
    for (size_t k = 0; k < depth; k++) memcpy(to + k * WIDTH, b + k * b_row, WIDTH * sizeof *to);
    return;
  }

  if (n < WIDTH) memset(to, 0, depth * WIDTH * sizeof *to);
#ifdef TRANSPOSE
  if (b_row == 1) {
    TRANSPOSE(n, depth, b, b_column, to, WIDTH);
    return;
  }
#endif
  for (size_t k = 0; k < depth; k++) {
    for (size_t j = 0; j < n; j++) to[k * WIDTH + j] = b[k * b_row + j * b_column];
  }
}

/* A group of rows that lie along k. The block of 8 x 8 has two rows more than a group, whose place is not read. */
static void pack_rows(const REAL *a, size_t a_row, size_t depth, size_t rows, bool has_two_more, REAL *to) {
  size_t k = 0;
#ifdef TRANSPOSE
  for (; has_two_more && k + 8 <= depth; k += 8) transpose_block(a + k, a_row, to + k * GROUP, GROUP);
#else
  (void)has_two_more;
#endif
  for (; k < depth; k++) {
    for (size_t i = 0; i < rows; i++) to[k * GROUP + i] = a[i * a_row + k];
  }
}

/* Rows [0, m) of a, ROWS at a time, each such group to [depth, GROUP]; what is left in a group is not read. */
static void pack_a(const REAL *a, size_t a_row, size_t a_column, size_t depth, size_t m, REAL *to) {
  if (a_column == 1) {
    for (size_t i = 0; i < m; i += ROWS) {
      const size_t rows = m - i < ROWS ? m - i : ROWS;
      pack_rows(a + i * a_row, a_row, depth, rows, i + 8 <= m, to + i / ROWS * GROUP_SIZE);
    }
    return;
  }

  const size_t whole = a_row == 1 ? m / ROWS * ROWS : 0;
  for (size_t k = 0; k < depth; k++) {
    const REAL *from = a + k * a_column;
    size_t i = 0;
    for (; i < whole && i + GROUP <= m; i += ROWS) { /* as one vector, of which the end is not read */
      memcpy(to + i / ROWS * GROUP_SIZE + k * GROUP, from + i, GROUP * sizeof *to);
    }
    for (; i < whole; i += ROWS) memcpy(to + i / ROWS * GROUP_SIZE + k * GROUP, from + i, ROWS * sizeof *to);
    for (i = whole; i < m; i++) to[i / ROWS * GROUP_SIZE + k * GROUP + i % ROWS] = from[i * a_row];
  }
}

/* ---- a block of the product --------------------------------------------------------------------------------------- */

/* Rows [0, m) of a, all columns, k in [0, depth). */
typedef struct block {
  const PRODUCT *p;
  const REAL *a, *b;
  REAL *c;
  size_t m, depth;
  bool add, packs_a, packs_b;
} block;

/* A panel: columns [j, j + n) of the product; what of A and B is copied, else NULL. */
typedef struct panel {
  const block *k;
  const REAL *packed_a, *packed_b;
  size_t j, n;
} panel;

static void multiply_panel(const panel *w) {
  REAL edge[ROWS * WIDTH] __attribute__((aligned(64)));
  const block *k = w->k;
  const PRODUCT *p = k->p;
  const size_t vectors = (w->n + LANES - 1) / LANES;
  const bool whole = w->n % LANES == 0;
  tile_work s = {.a_row = w->packed_a ? 1 : p->a.row,
                 .a_column = w->packed_a ? (size_t)GROUP : p->a.column,
                 .b = w->packed_b ? w->packed_b : k->b + w->j * p->b.column,
                 .b_row = w->packed_b ? (size_t)WIDTH : p->b.row,
                 .depth = k->depth,
                 .c = edge,
                 .c_row = whole ? p->c_row : (size_t)WIDTH};

  for (size_t i = 0; i < k->m; i += ROWS) {
    const size_t rows = k->m - i < ROWS ? k->m - i : ROWS;
    tile_function *function = TILES[vectors - 1][rows - 1][k->add][s.a_row == 1];
    REAL *c = k->c + i * p->c_row + w->j;
    s.a = w->packed_a ? w->packed_a + i / ROWS * GROUP_SIZE : k->a + i * p->a.row;
    if (p->ahead) vise_i_ahead_go(p->ahead, rows * w->n * k->depth);
    if (whole) {
      s.c = c;
      function(&s);
      continue;
    }

    /* The last columns, which are no whole vector, by way of a tile of their own. */
    for (size_t r = 0; k->add && r < rows; r++) memcpy(edge + r * WIDTH, c + r * p->c_row, w->n * sizeof *c);
    function(&s);
    for (size_t r = 0; r < rows; r++) memcpy(c + r * p->c_row, edge + r * WIDTH, w->n * sizeof *c);
  }
}

/* Columns [first, end), at most SPAN; of which those that are to be copied are, before any is used: rows of B that are
   far apart are read while their pages are at hand. */
static void multiply_columns(const block *k, const REAL *packed_a, size_t first, size_t end) {
  REAL packed_b[DEPTH * SPAN] __attribute__((aligned(64)));
  const PRODUCT *p = k->p;

  for (size_t j = first; j < end; j += WIDTH) {
    const size_t n = end - j < WIDTH ? end - j : WIDTH;
    if (k->packs_b || n % LANES != 0) {
      pack_b(k->b + j * p->b.column, p->b.row, p->b.column, k->depth, n, packed_b + (j - first) * DEPTH);
    }
  }

  for (size_t j = first; j < end; j += WIDTH) {
    const size_t n = end - j < WIDTH ? end - j : WIDTH;
    const bool packs = k->packs_b || n % LANES != 0;
    multiply_panel(&(panel){k, packed_a, packs ? packed_b + (j - first) * DEPTH : NULL, j, n});
  }
}

static void multiply_block(const block *k) {
  REAL packed[HEIGHT / ROWS * GROUP_SIZE] __attribute__((aligned(64)));
  const PRODUCT *p = k->p;

  if (k->packs_a) pack_a(k->a, p->a.row, p->a.column, k->depth, k->m, packed);
  for (size_t j = 0; j < p->n; j += SPAN) {
    multiply_columns(k, k->packs_a ? packed : NULL, j, p->n - j < SPAN ? p->n : j + SPAN);
  }
}

static void set_zero(const PRODUCT *p) {
  for (size_t i = 0; i < p->m; i++) memset(p->c + i * p->c_row, 0, p->n * sizeof *p->c);
}

static bool worth_packing_a(const PRODUCT *p) {
  /* A tile of many vectors has work enough for each of A's elements to wait for it. */
  if (p->a.column == 1) return VECTORS <= 2 && p->a.row >= PAGE_ROW && p->n >= MANY * WIDTH;
  return p->a.row != 1 || (p->a.column % CLASHING == 0 && p->n > WIDTH);
}

void MULTIPLY(const PRODUCT *p) {
  if (p->k == 0 && !p->add) set_zero(p);

  const bool packs_a = worth_packing_a(p);
  const bool packs_b = p->b.column != 1 || (p->b.row >= PAGE_ROW && p->m >= WORTH_PACKING);
  const size_t height = packs_a ? HEIGHT : 2 * HEIGHT;
  for (size_t k = 0; k < p->k; k += DEPTH) {
    for (size_t i = 0; i < p->m; i += height) {
      multiply_block(&(block){
          .p = p,
          .a = p->a.at + i * p->a.row + k * p->a.column,
          .b = p->b.at + k * p->b.row,
          .c = p->c + i * p->c_row,
          .m = p->m - i < height ? p->m - i : height,
          .depth = p->k - k < DEPTH ? p->k - k : DEPTH,
          .add = p->add || k > 0,
          .packs_a = packs_a,
          .packs_b = packs_b,
      });
    }
  }
}
