/* The formats of integer nets, their scales, and how large a row may be. */
#include "host/net/quantization.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"

/* ---- formats ---- */

static const char *const EXPECTED =
    "int8,accP with P from 10 to 32 (int16,accP too where nothing is trained), then actA and inI with 2 to 8 bits if "
    "not 8, "
    "as in int8,acc12,act4,in4";

static vise_status bad_format(const char *field, const char *text, vise_error *err) {
  return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s': expected %s", field, text, EXPECTED);
}

/* "acc16": *bits = 16 if the part begins with the word and the number lies in [least, most] and is new. */
static bool take_bits(const char *part, size_t n, const char *word, int least, int most, int *bits) {
  const size_t n_word = strlen(word);
  int value = 0;
  if (n <= n_word || n > n_word + 2 || strncmp(part, word, n_word) != 0 || *bits != 0) return false;

  for (size_t i = n_word; i < n; i++) {
    if (part[i] < '0' || part[i] > '9') return false;
    value = 10 * value + (part[i] - '0');
  }
  if (value < least || value > most || part[n_word] == '0') return false;
  *bits = value;
  return true;
}

static bool take_word(const char *part, size_t n, const char *word, bool *flag) {
  if (*flag || n != strlen(word) || strncmp(part, word, n) != 0) return false;
  *flag = true;
  return true;
}

vise_status vise_i_integer_format_parse(const char *field, const char *text, vise_i_integer_format *out,
                                        vise_error *err) {
  vise_i_integer_format made = {0};
  bool int8 = false;

  for (const char *part = text; part != NULL;) {
    const size_t n = strcspn(part, ",");
    const bool known =
        take_word(part, n, "int8", &int8) || take_word(part, n, "int16", &made.int16) ||
        take_bits(part, n, "acc", 10, 32, &made.acc_bits) || take_bits(part, n, "act", 2, 8, &made.act_bits) ||
        take_bits(part, n, "in", 2, 8, &made.in_bits) || take_word(part, n, "unconstrained", &made.unconstrained);
    if (!known) return bad_format(field, text, err);
    part = part[n] == ',' ? part + n + 1 : NULL;
  }

  if (int8 == made.int16 || made.acc_bits == 0) return bad_format(field, text, err);
  if (made.act_bits == 0) made.act_bits = 8;
  if (made.in_bits == 0) made.in_bits = 8;
  *out = made;
  return VISE_OK;
}

const char *vise_i_integer_format_text(const vise_i_integer_format *format, char buffer[VISE_I_INTEGER_FORMAT_BYTES]) {
  snprintf(buffer, VISE_I_INTEGER_FORMAT_BYTES, "%s,acc%d,act%d,in%d%s", format->int16 ? "int16" : "int8",
           format->acc_bits, format->act_bits, format->in_bits, format->unconstrained ? ",unconstrained" : "");
  return buffer;
}

bool vise_i_integer_format_is_same(const vise_i_integer_format *a, const vise_i_integer_format *b) {
  return a->acc_bits == b->acc_bits && a->act_bits == b->act_bits && a->in_bits == b->in_bits &&
         a->unconstrained == b->unconstrained && a->int16 == b->int16;
}

/* ---- nets ---- */

static bool is_supported(vise_activation activation) {
  switch (activation) {
    case VISE_RELU:
    case VISE_LEAKY_RELU:
    case VISE_IDENTITY:
    case VISE_TANH:
    case VISE_SIGMOID:
      return true;
    default:
      return false;
  }
}

vise_status vise_i_integer_check_net(const vise_i_net *net, bool trains, vise_error *err) {
  for (size_t l = 0; l < net->n_layers; l++) {
    const vise_i_block *block = &net->blocks[l];
    if (block->residual) {
      return vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                         "layer %zu adds its inputs to its outputs, and an integer net has one scale for each: train "
                         "without residual connections",
                         l);
    }

    if (trains && block->batch_norm) {
      return vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                         "layer %zu has batch norm, which changes the scale of its rows in every step: train without "
                         "it, or quantize the finished net, into whose weights it can be folded",
                         l);
    }

    if (l + 1 < net->n_layers && !is_supported(block->activation)) {
      return vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                         "layer %zu has the activation %s, for which there is no integer form: train with relu, "
                         "leaky-relu, identity, tanh or sigmoid",
                         l, vise_activation_name(block->activation));
    }
  }
  return VISE_OK;
}

/* ---- scales ---- */

size_t vise_i_n_scales(const vise_i_net *net) {
  size_t n = net->n_layers;
  for (size_t l = 0; l < net->n_layers; l++) n += net->widths[l + 1];
  return n;
}

vise_status vise_i_quantization_make(const vise_i_net *net, const vise_i_integer_format *format,
                                     vise_i_quantization **out, vise_error *err) {
  vise_status status;
  vise_i_quantization *q = NULL;

  VISE_TRY(vise_i_alloc_zero(&q, 1, sizeof *q, "scales", err));
  q->format = *format;
  q->n_layers = net->n_layers;
  for (size_t l = 0; l < net->n_layers; l++) {
    q->first_row[l] = q->n_rows;
    q->n_rows += net->widths[l + 1];
  }

  q->n_scales = q->n_rows + q->n_layers;
  VISE_TRY(vise_i_alloc(&q->scales, q->n_scales, sizeof *q->scales, "scales", err));
  for (size_t i = 0; i < q->n_scales; i++) q->scales[i] = 1;
  vise_i_quantization_set_input(q, 1, 0);
  *out = q;
  q = NULL;

done:
  vise_i_quantization_free(q);
  return status;
}

vise_status vise_i_quantization_copy(const vise_i_quantization *from, vise_i_quantization **out, vise_error *err) {
  vise_status status;
  vise_i_quantization *q = NULL;

  VISE_TRY(vise_i_alloc_zero(&q, 1, sizeof *q, "scales", err));
  *q = *from;
  q->scales = NULL;
  VISE_TRY(vise_i_alloc(&q->scales, q->n_scales, sizeof *q->scales, "scales", err));
  memcpy(q->scales, from->scales, q->n_scales * sizeof *q->scales);
  *out = q;
  q = NULL;

done:
  vise_i_quantization_free(q);
  return status;
}

void vise_i_quantization_free(vise_i_quantization *quantization) {
  if (quantization == NULL) return;
  free(quantization->scales);
  free(quantization);
}

void vise_i_quantization_set_input(vise_i_quantization *q, double scale, int zero) {
  q->scales[q->n_rows] = (float)scale;
  q->in_zero = zero;
  q->in_shift = zero;
  q->in_divisor = 1 / scale;
}

int vise_i_activation_zero(vise_activation activation, int most) {
  switch (activation) {
    case VISE_IDENTITY:
    case VISE_TANH:
      return (most + 1) / 2;
    case VISE_LEAKY_RELU:
      return (most + 8) / 16; /* its slope is small below 0 */
    default:
      return 0;
  }
}

int vise_i_value_zero(const vise_i_quantization *q, const vise_i_net *net, size_t l) {
  return l == 0 ? q->in_zero : vise_i_activation_zero(net->blocks[l - 1].activation, vise_i_value_most(&q->format, l));
}

float vise_i_activation_scale(vise_activation activation, int most) {
  if (activation == VISE_SIGMOID) return 1.0f / (float)most;
  if (activation == VISE_TANH) return 1.0f / (float)(most - vise_i_activation_zero(activation, most));
  return 0;
}

/* ---- the accumulator ---- */

vise_i_radii vise_i_integer_radii(const vise_i_integer_format *format, int most, int zero, int64_t bias) {
  const int64_t largest = ((int64_t)1 << (format->acc_bits - 1)) - 1;
  const int more = vise_i_more_bits(format);
  if (format->unconstrained) return (vise_i_radii){INT64_MAX, INT64_MAX, more};
  if (zero != 0) {
    const int64_t radius = (largest - (bias < 0 ? -bias : bias)) / most;
    return (vise_i_radii){radius, radius, more};
  }
  return (vise_i_radii){(largest - (bias > 0 ? bias : 0)) / most, (largest + 1 - (bias < 0 ? -bias : 0)) / most, more};
}
