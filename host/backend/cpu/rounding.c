/*
 * The weights of the integer net that the current ones stand for, after every change of these. Rows are rounded by
 * themselves, so the threads share them and their number changes no bit. A row of the first layer lies in a panel
 * (first_layer.c): a panel is transposed, rounded, and transposed back.
 */
#include "host/ops/rounding.h"

#include <stdlib.h>

#include "host/backend/cpu/cpu.h"
#include "host/base/memory.h"

/* A thread's room. */
struct vise_i_cpu_rounded {
  int32_t *row;         /* as many as the widest layer has inputs */
  float *latent, *made; /* the rows of a panel [VISE_I_CPU_PANEL, in] */
};

static size_t widest_input(const vise_i_net *net) {
  size_t widest = 0;
  for (size_t l = 0; l < net->n_layers; l++) widest = net->widths[l] > widest ? net->widths[l] : widest;
  return widest;
}

vise_status vise_i_cpu_rounded_create(vise_i_cpu *b, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n_threads = vise_i_team_size(b->team), n = VISE_I_CPU_PANEL * b->net->widths[0];
  if (b->spec->quantization == NULL) return VISE_OK;

  VISE_TRY(vise_i_alloc_zero(&b->rounded, n_threads, sizeof *b->rounded, "threads", err));
  for (size_t i = 0; i < n_threads; i++) {
    vise_i_cpu_rounded *own = &b->rounded[i];
    VISE_TRY(vise_i_alloc_aligned(&own->row, widest_input(b->net), sizeof *own->row, "a row of weights", err));
    if (!b->has_panels) continue;
    VISE_TRY(vise_i_alloc_aligned(&own->latent, n, sizeof(float), "rows of weights", err));
    VISE_TRY(vise_i_alloc_aligned(&own->made, n, sizeof(float), "rows of weights", err));
  }

done:
  return status;
}

void vise_i_cpu_rounded_free(vise_i_cpu *b) {
  for (size_t i = 0; b->rounded != NULL && i < vise_i_team_size(b->team); i++) {
    free(b->rounded[i].row);
    free(b->rounded[i].latent);
    free(b->rounded[i].made);
  }
  free(b->rounded);
}

/* A tensor within the rounded weights, which this file alone writes. */
static float *made_of(const vise_i_cpu *b, size_t tensor) {
  return (float *)b->host.state[VISE_I_ROUNDED] + b->net->tensors[tensor].offset;
}

static vise_i_rounded_rows_f32 rows_at(const vise_i_cpu *b, size_t l, size_t first, size_t end) {
  const vise_i_block *block = &b->net->blocks[l];
  vise_i_rounded_rows_f32 rows = {.l = l, .first = first, .end = end};
  if (block->bias != VISE_I_NO_TENSOR) {
    rows.latent_bias = b->tensors[block->bias].w + first;
    rows.out_bias = made_of(b, block->bias) + first;
  }
  return rows;
}

static void round_rows(const vise_i_cpu *b, const vise_i_rounding *rounding, size_t l, size_t first, size_t end) {
  const size_t weight = b->net->blocks[l].weight, at = first * b->net->widths[l];
  vise_i_rounded_rows_f32 rows = rows_at(b, l, first, end);
  rows.latent = b->tensors[weight].w + at;
  rows.out = made_of(b, weight) + at;
  (void)vise_i_round_rows_f32(rounding, &rows);
}

static void round_panel(const vise_i_cpu *b, const vise_i_rounding *rounding, const vise_i_cpu_rounded *own,
                        size_t first) {
  const size_t weight = b->net->blocks[0].weight, in = b->net->widths[0], out = b->net->widths[1], at = first * in;
  const size_t end = out - first < VISE_I_CPU_PANEL ? out : first + VISE_I_CPU_PANEL, width = end - first;
  vise_i_rounded_rows_f32 rows = rows_at(b, 0, first, end);
  float *latent = b->tensors[weight].w + at;

  vise_i_transpose_f32(in, width, latent, width, own->latent, in);
  rows.latent = own->latent;
  rows.out = own->made;
  const bool cut = vise_i_round_rows_f32(rounding, &rows);
  if (cut) vise_i_transpose_f32(width, in, own->latent, in, latent, width);
  vise_i_transpose_f32(width, in, own->made, in, made_of(b, weight) + at, width);
}

void vise_i_cpu_round(vise_i_cpu *b, const vise_i_crew *crew, bool bounds) {
  if (b->rounded == NULL) return;
  const vise_i_cpu_rounded *own = &b->rounded[crew->part];
  const vise_i_rounding rounding = {.quantization = b->spec->quantization,
                                    .net = b->net,
                                    .scales = b->host.state[VISE_I_SCALES],
                                    .v = own->row,
                                    .bounds = bounds};

  for (size_t l = 0; l < b->net->n_layers; l++) {
    const bool panels = l == 0 && b->has_panels,
               shares = b->net->widths[l] * b->net->widths[l + 1] >= VISE_I_CPU_SHARE_ELEMENTS;
    size_t first, end;
    vise_i_crew_slice(crew, b->net->widths[l + 1], panels ? VISE_I_CPU_PANEL : 1, shares, &first, &end);
    if (!panels) {
      round_rows(b, &rounding, l, first, end);
      continue;
    }
    for (size_t panel = first; panel < end; panel += VISE_I_CPU_PANEL) round_panel(b, &rounding, own, panel);
  }
}
