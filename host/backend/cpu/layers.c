/* The products of the net, by BLAS, and what follows each of them. */
#include <cblas.h>

#include "host/backend/cpu/cpu.h"

/* c [m, n] = op(a) op(b) + beta c, all row-major without padding. BLAS takes int sizes; the backend checked that they
 * fit. */
static void multiply(enum CBLAS_TRANSPOSE ta, enum CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k, const float *a,
                     const float *b, float beta, float *c) {
  const int lda = (int)(ta == CblasNoTrans ? k : m), ldb = (int)(tb == CblasNoTrans ? n : k);
  if (n == 1) { /* one row of data: a matrix-vector product reads the weights once, without copying them */
    const int rows = (int)(ta == CblasNoTrans ? m : k), cols = lda;
    cblas_sgemv(CblasRowMajor, ta, rows, cols, 1.0f, a, cols, b, 1, beta, c, 1);
    return;
  }
  cblas_sgemm(CblasRowMajor, ta, tb, (int)m, (int)n, (int)k, 1.0f, a, lda, b, ldb, beta, c, (int)n);
}

void vise_i_cpu_forward(vise_i_backend *b, size_t n) {
  const vise_i_net *net = b->net;
  for (size_t l = 0; l < net->n_layers; l++) {
    const float *w = b->tensors[vise_i_net_weight(net, l)].w;
    const float *bias = net->bias ? b->tensors[vise_i_net_bias(net, l)].w : NULL;
    const size_t in = net->widths[l], out = net->widths[l + 1];
    const bool last = l + 1 == net->n_layers;
    if (l == 0) {
      multiply(CblasNoTrans, CblasTrans, out, n, in, w, b->x, 0.0f, b->act[0]);
    } else {
      multiply(CblasNoTrans, CblasNoTrans, out, n, in, w, b->act[l - 1], 0.0f, b->act[l]);
    }
    vise_i_cpu_activate(last ? VISE_IDENTITY : net->activation, b->act[l], last ? NULL : b->pre[l], bias, out, n);
  }
}

/* dW [out, in] = (add: +=) delta [out, n] times the inputs of the layer. */
static void weight_gradient(const vise_i_backend *b, size_t l, const float *delta, float *grad, size_t n, bool add) {
  const size_t in = b->net->widths[l], out = b->net->widths[l + 1];
  const float beta = add ? 1.0f : 0.0f;
  if (n == 1) {
    const float *a = l == 0 ? b->x : b->act[l - 1];
    for (size_t r = 0; r < out; r++) {
      const float d = delta[r];
      if (add) {
        for (size_t c = 0; c < in; c++) grad[r * in + c] += d * a[c];
      } else {
        for (size_t c = 0; c < in; c++) grad[r * in + c] = d * a[c];
      }
    }
  } else if (l == 0) {
    multiply(CblasNoTrans, CblasNoTrans, out, in, n, delta, b->x, beta, grad);
  } else {
    multiply(CblasNoTrans, CblasTrans, out, in, n, delta, b->act[l - 1], beta, grad);
  }
}

void vise_i_cpu_backward(vise_i_backend *b, size_t n, bool add) {
  const vise_i_net *net = b->net;
  float *delta = b->delta[0], *next = b->delta[1];
  for (size_t l = net->n_layers; l-- > 0;) {
    const size_t in = net->widths[l], out = net->widths[l + 1];
    const bool last = l + 1 == net->n_layers;
    float *bias_grad = net->bias ? b->tensors[vise_i_net_bias(net, l)].g : NULL;
    vise_i_cpu_activate_backward(last ? VISE_IDENTITY : net->activation, delta, b->act[l], last ? NULL : b->pre[l],
                                 bias_grad, add, out, n);
    weight_gradient(b, l, delta, b->tensors[vise_i_net_weight(net, l)].g, n, add);
    if (l == 0) break;
    multiply(CblasTrans, CblasNoTrans, in, n, out, b->tensors[vise_i_net_weight(net, l)].w, delta, 0.0f, next);
    float *swap = delta;
    delta = next;
    next = swap;
  }
}
