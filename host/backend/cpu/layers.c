/* The products of the net, by BLAS, and what follows each of them. */
#include <cblas.h>

#include "host/backend/cpu/cpu.h"

/* c [m, n] = op(a) op(b) + beta c, all row-major; b and c without padding; lda is the length of a's rows in memory,
   larger than the product's if a is part of a matrix. */
typedef struct product {
  enum CBLAS_TRANSPOSE ta, tb;
  size_t m, n, k;
  const float *a;
  size_t lda;
  const float *b;
  float beta;
  float *c;
} product;

/* BLAS takes int sizes (VISE_MAX_WIDTH fits). */
static void multiply(product p) {
  const int m = (int)p.m, n = (int)p.n, k = (int)p.k, lda = (int)p.lda;
  if (m == 0) return;
  if (n == 1) { /* one row of data: a matrix-vector product reads the weights once, without copying them */
    const bool plain = p.ta == CblasNoTrans;
    cblas_sgemv(CblasRowMajor, p.ta, plain ? m : k, plain ? k : m, 1.0f, p.a, lda, p.b, 1, p.beta, p.c, 1);
    return;
  }
  cblas_sgemm(CblasRowMajor, p.ta, p.tb, m, n, k, 1.0f, p.a, lda, p.b, p.tb == CblasNoTrans ? n : k, p.beta, p.c, n);
}

/* A thread takes a multiple of this many rows of a product, which suits the kernels of BLAS. */
enum { ALIGN_ROWS = 16, SHARE_DRAWS = 2048 /* of dropout, worth a second thread */ };

/* One layer and one direction; the threads share the rows of what it computes. */
typedef struct layer_work {
  vise_i_cpu *b;
  size_t layer, n; /* n rows of data */
  float *delta;    /* backward: gradient at the layer's outputs [out, n] */
  float *next;     /* and at its inputs [in, n] */
  bool add;
} layer_work;

static vise_i_team *team_for_layer(const vise_i_cpu *b, size_t l, size_t n) {
  return vise_i_cpu_team_for(b, b->net->widths[l] * b->net->widths[l + 1] * n, VISE_I_CPU_SHARE_PRODUCT);
}

static void forward_part(void *context, size_t part, size_t n_parts) {
  const layer_work *work = context;
  vise_i_cpu *b = work->b;
  const vise_i_net *net = b->net;
  const size_t l = work->layer, n = work->n, in = net->widths[l], out = net->widths[l + 1];
  vise_i_cpu_units units = {.layer = l};

  vise_i_team_slice(out, ALIGN_ROWS, part, n_parts, &units.first, &units.end);
  multiply((product){.ta = CblasNoTrans,
                     .tb = l == 0 ? CblasTrans : CblasNoTrans,
                     .m = units.end - units.first,
                     .n = n,
                     .k = in,
                     .a = b->tensors[net->blocks[l].weight].w + units.first * in,
                     .lda = in,
                     .b = vise_i_cpu_inputs_of(b, l),
                     .c = b->act[l] + units.first * n});
  vise_i_cpu_block_forward(b, &units);
}

static void drop_inputs_part(void *context, size_t part, size_t n_parts) {
  vise_i_cpu *b = context;
  size_t first, end;
  vise_i_team_slice(b->pass.n, 1, part, n_parts, &first, &end);
  vise_i_cpu_drop_inputs(b, first, end);
}

void vise_i_cpu_forward(vise_i_cpu *b, const vise_i_op_pass *pass) {
  const size_t n = pass->n;
  b->pass = *pass;

  if (pass->drops && b->net->input_dropout > 0) {
    vise_i_team_run(vise_i_cpu_team_for(b, n * b->net->widths[0], SHARE_DRAWS), drop_inputs_part, b);
  }
  for (size_t l = 0; l < b->net->n_layers; l++) {
    layer_work work = {.b = b, .layer = l, .n = n};
    vise_i_team_run(team_for_layer(b, l, n), forward_part, &work);
  }
}

/* dW [rows, in] of the layer, from row r on, = (add: +=) its delta [rows, n] times its inputs. */
static void weight_gradient(const layer_work *work, size_t r, size_t rows) {
  const vise_i_cpu *b = work->b;
  const size_t l = work->layer, n = work->n, in = b->net->widths[l];
  const float *delta = work->delta + r * n, *a = vise_i_cpu_inputs_of(b, l);
  float *grad = b->tensors[b->net->blocks[l].weight].g + r * in;

  if (n > 1) {
    multiply((product){.ta = CblasNoTrans,
                       .tb = l == 0 ? CblasNoTrans : CblasTrans,
                       .m = rows,
                       .n = in,
                       .k = n,
                       .a = delta,
                       .lda = n,
                       .b = a,
                       .beta = work->add ? 1.0f : 0.0f,
                       .c = grad});
    return;
  }

  for (size_t i = 0; i < rows; i++) {
    const float d = delta[i];
    if (work->add) {
      for (size_t c = 0; c < in; c++) grad[i * in + c] += d * a[c];
    } else {
      for (size_t c = 0; c < in; c++) grad[i * in + c] = d * a[c];
    }
  }
}

/* From delta at the outputs of the block to delta at the product, then the gradient of the weights from it. */
static void weights_part(void *context, size_t part, size_t n_parts) {
  const layer_work *work = context;
  vise_i_cpu *b = work->b;
  vise_i_cpu_units units = {.layer = work->layer};
  vise_i_team_slice(b->net->widths[work->layer + 1], ALIGN_ROWS, part, n_parts, &units.first, &units.end);
  vise_i_cpu_block_backward(b, &units, work->delta, work->next, work->add);
  weight_gradient(work, units.first, units.end - units.first);
}

/* The gradient at the layer's inputs. */
static void inputs_part(void *context, size_t part, size_t n_parts) {
  const layer_work *work = context;
  const vise_i_cpu *b = work->b;
  const size_t l = work->layer, n = work->n, in = b->net->widths[l], out = b->net->widths[l + 1];
  size_t c, end;
  vise_i_team_slice(in, ALIGN_ROWS, part, n_parts, &c, &end);

  multiply((product){.ta = CblasTrans,
                     .tb = CblasNoTrans,
                     .m = end - c,
                     .n = n,
                     .k = out,
                     .a = b->tensors[b->net->blocks[l].weight].w + c,
                     .lda = in,
                     .b = work->delta,
                     .beta = vise_i_cpu_passes_by(b, l) ? 1.0f : 0.0f,
                     .c = work->next + c * n});
}

void vise_i_cpu_backward(vise_i_cpu *b, bool add) {
  const size_t n = b->pass.n;
  float *delta = b->delta[0], *next = b->delta[1];
  for (size_t l = b->net->n_layers; l-- > 0;) {
    layer_work work = {b, l, n, delta, next, add};
    vise_i_team_run(team_for_layer(b, l, n), weights_part, &work);
    if (l == 0) break;
    vise_i_team_run(team_for_layer(b, l, n), inputs_part, &work);
    float *swap = delta;
    delta = next;
    next = swap;
  }
}
