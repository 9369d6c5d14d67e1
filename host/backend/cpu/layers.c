/* The products of the net, by BLAS, and what follows each of them. */
#include <cblas.h>

#include "host/backend/cpu/cpu.h"

/* c [m, n] = op(a) op(b) + beta c, all row-major; b and c without padding; lda is the length of a's rows in memory,
   larger than the product's if a is part of a matrix. BLAS takes int sizes (VISE_MAX_WIDTH fits). */
static void multiply(enum CBLAS_TRANSPOSE ta, enum CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k, const float *a,
                     size_t lda, const float *b, float beta, float *c) {
  if (m == 0) return;
  if (n == 1) { /* one row of data: a matrix-vector product reads the weights once, without copying them */
    const int rows = (int)(ta == CblasNoTrans ? m : k), cols = (int)(ta == CblasNoTrans ? k : m);
    cblas_sgemv(CblasRowMajor, ta, rows, cols, 1.0f, a, (int)lda, b, 1, beta, c, 1);
    return;
  }
  const int ldb = (int)(tb == CblasNoTrans ? n : k);
  cblas_sgemm(CblasRowMajor, ta, tb, (int)m, (int)n, (int)k, 1.0f, a, (int)lda, b, ldb, beta, c, (int)n);
}

/* A thread takes a multiple of this many rows of a product, which suits the kernels of BLAS. */
enum { ALIGN_ROWS = 16 };

/* One layer and one direction; the threads share the rows of what it computes. */
typedef struct layer_work {
  vise_i_backend *b;
  size_t layer, n; /* n rows of data */
  float *delta;    /* backward: gradient at the layer's outputs [out, n] */
  float *next;     /* and at its inputs [in, n] */
  bool add;
} layer_work;

static vise_i_team *team_for_layer(const vise_i_backend *b, size_t l, size_t n) {
  return vise_i_cpu_team_for(b, b->net->widths[l] * b->net->widths[l + 1] * n, VISE_I_CPU_SHARE_PRODUCT);
}

static void forward_part(void *context, size_t part, size_t n_parts) {
  const layer_work *work = context;
  vise_i_backend *b = work->b;
  const vise_i_net *net = b->net;
  const size_t l = work->layer, n = work->n, in = net->widths[l], out = net->widths[l + 1];
  const bool last = l + 1 == net->n_layers;
  size_t r, end;

  vise_i_team_slice(out, ALIGN_ROWS, part, n_parts, &r, &end);
  const float *w = b->tensors[vise_i_net_weight(net, l)].w + r * in;
  const float *bias = net->bias ? b->tensors[vise_i_net_bias(net, l)].w + r : NULL;
  float *act = b->act[l] + r * n, *pre = last || !b->pre[l] ? NULL : b->pre[l] + r * n;

  if (l == 0) {
    multiply(CblasNoTrans, CblasTrans, end - r, n, in, w, in, b->x, 0.0f, act);
  } else {
    multiply(CblasNoTrans, CblasNoTrans, end - r, n, in, w, in, b->act[l - 1], 0.0f, act);
  }

  vise_i_cpu_activate(last ? VISE_IDENTITY : net->activation, act, pre, bias, end - r, n);
}

void vise_i_cpu_forward(vise_i_backend *b, size_t n) {
  for (size_t l = 0; l < b->net->n_layers; l++) {
    layer_work work = {.b = b, .layer = l, .n = n};
    vise_i_team_run(team_for_layer(b, l, n), forward_part, &work);
  }
}

/* dW [rows, in] = (add: +=) delta [rows, n] times the inputs of the layer. */
static void weight_gradient(const vise_i_backend *b, size_t l, const float *delta, float *grad, size_t rows, size_t n,
                            bool add) {
  const size_t in = b->net->widths[l];
  const float beta = add ? 1.0f : 0.0f;

  if (n == 1) {
    const float *a = l == 0 ? b->x : b->act[l - 1];
    for (size_t r = 0; r < rows; r++) {
      const float d = delta[r];
      if (add) {
        for (size_t c = 0; c < in; c++) grad[r * in + c] += d * a[c];
      } else {
        for (size_t c = 0; c < in; c++) grad[r * in + c] = d * a[c];
      }
    }
  } else if (l == 0) {
    multiply(CblasNoTrans, CblasNoTrans, rows, in, n, delta, n, b->x, beta, grad);
  } else {
    multiply(CblasNoTrans, CblasTrans, rows, in, n, delta, n, b->act[l - 1], beta, grad);
  }
}

/* delta times the derivative of the activation, then the gradients of weights and biases from it. */
static void weights_part(void *context, size_t part, size_t n_parts) {
  const layer_work *work = context;
  vise_i_backend *b = work->b;
  const vise_i_net *net = b->net;
  const size_t l = work->layer, n = work->n;
  const bool last = l + 1 == net->n_layers;
  size_t r, end;

  vise_i_team_slice(net->widths[l + 1], ALIGN_ROWS, part, n_parts, &r, &end);
  float *delta = work->delta + r * n;
  const float *pre = last || !b->pre[l] ? NULL : b->pre[l] + r * n;
  float *bias_grad = net->bias ? b->tensors[vise_i_net_bias(net, l)].g + r : NULL;

  vise_i_cpu_activate_backward(last ? VISE_IDENTITY : net->activation, delta, b->act[l] + r * n, pre, bias_grad,
                               work->add, end - r, n);
  weight_gradient(b, l, delta, b->tensors[vise_i_net_weight(net, l)].g + r * net->widths[l], end - r, n, work->add);
}

/* The gradient at the layer's inputs. */
static void inputs_part(void *context, size_t part, size_t n_parts) {
  const layer_work *work = context;
  const vise_i_backend *b = work->b;
  const size_t l = work->layer, n = work->n, in = b->net->widths[l], out = b->net->widths[l + 1];
  size_t c, end;
  vise_i_team_slice(in, ALIGN_ROWS, part, n_parts, &c, &end);
  multiply(CblasTrans, CblasNoTrans, end - c, n, out, b->tensors[vise_i_net_weight(b->net, l)].w + c, in, work->delta,
           0.0f, work->next + c * n);
}

void vise_i_cpu_backward(vise_i_backend *b, size_t n, bool add) {
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
