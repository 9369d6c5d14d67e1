/* What the parts of the fused step share within a CTA: its shared memory, its place in the team, small helpers. */
#ifndef VISE_K_STEP_CONTEXT_CUH
#define VISE_K_STEP_CONTEXT_CUH

#include "kernels/exchange.cuh"
#include "kernels/quads.cuh"
#include "kernels/step_types.h"
#include "kernels/teams_types.h"

enum { VISE_STEP_WARPS = VISE_K_STEP_THREADS / 32, VISE_NO_TENSOR = 255 };

/* What multiplies tiles of 64 and 128: VISE_STEP_MMA of a kernel's source file. */
#define VISE_MMA_TF32 1
#define VISE_MMA_BF16 2
#ifndef VISE_STEP_MMA
#define VISE_STEP_MMA 0
#endif

/* 0: a launch is one team. 1: it is many, each with a step of its own (kernels/teams_kernel.cuh). */
#ifndef VISE_STEP_TEAMS
#define VISE_STEP_TEAMS 0
#endif

/* 1: the kernel of integer nets (kernels/rounding.cuh). */
#ifndef VISE_STEP_INTEGER
#define VISE_STEP_INTEGER 0
#endif

/* Whether this kernel can keep inputs near (kernels/near_inputs.cuh). A source file sets VISE_STEP_LARGE first. */
#define VISE_STEP_NEAR_INPUTS (!VISE_STEP_LARGE && !VISE_STEP_TEAMS)

/* 1: the kernel of the nets and rules that vise_k_is_plain names, with their code alone, for whole steps. */
#ifndef VISE_STEP_PLAIN
#define VISE_STEP_PLAIN 0
#endif
/* What only other kernels come across: 0 in this one. */
#define VISE_RARE(x) (VISE_STEP_PLAIN ? 0 : (x))

/* A matrix as it lies in memory: element (row, column) at base + row * ld + column, in bf16 at base16 + the same. */
typedef struct vise_operand {
  const float *base;
#if VISE_STEP_MMA == VISE_MMA_BF16
  const uint16_t *base16;
#endif
  uint32_t ld, n_rows, n_columns;
} vise_operand;

/* The parameters of tensor `tensor` (W_0, b_0, W_1, ... or W_0, W_1, ...; with batch norm W_0, gain_0, shift_0, ...) as a
   matrix: a bias, as all that is treated as one, is [1][n_out]. */
typedef struct vise_step_tensor {
  uint64_t first;
  uint32_t n_rows, n_columns, ld;
  vise_k_places at;
  uint32_t layer;
  int is_bias;
} vise_step_tensor;

/* One of the tiles of the gradient and update phases. */
typedef struct vise_step_tile {
  vise_step_tensor tensor;
  uint32_t index;                     /* of the tensor */
  uint32_t row, column, side, n_rows; /* its corner; columns in memory, rows; both in elements */
} vise_step_tile;

/* A tensor's penalty strengths, in float32. */
typedef struct vise_strengths {
  float k2, k1, kF_by_norm;
} vise_strengths;

/* How the gradient of a tensor is shaped before norms are known. */
typedef struct vise_shaping {
  vise_strengths k;
  float lo, hi;                /* of the value clip */
  int penalized, total, clips; /* there are penalties; they are part of what is clipped; there is a value clip */
  int weighs;                  /* norms of units take those of their weights */
} vise_shaping;

/* What the update does alike to all weights of a tensor. */
typedef struct vise_update {
  vise_strengths penalty; /* added after the clips; zeros where it was part of the clipped gradient */
  float lr, keep, shrink, cap, lo, hi;
} vise_update;

/* What a CTA keeps of a batch. A place is 32 columns of a row: of 1 << rows_log rows from `row` on, then of the same rows
   32 columns further on. */
typedef struct vise_near_part {
  uint32_t at; /* first float in shared memory */
  uint32_t n_places, row, column, rows_log;
  uint32_t unit;        /* of rows: the first unit of their tile */
  uint32_t swizzle_log; /* of places that share a swizzle */
} vise_near_part;

/* What VISE_K_ROWS needs of the last layer and of the hidden layer below (kernels/rows_products.cuh), found once. */
typedef struct vise_rows {
  vise_operand in;  /* inputs of the last layer, of the step at hand */
  const float *far; /* its weight, [n_out][ld_far] */
  uint32_t n_in, n_out, ld_far;
  uint32_t ld_near;                         /* of the weight in shared memory; 0: it is not there */
  uint32_t ld;                              /* of the inputs in shared memory, n_in up to a multiple of 32 */
  uint32_t length_log, n_slices, lanes_log; /* of slices of n_in; lanes: n_slices up to a power of two */
  uint32_t ld_partial;                      /* n_slices up to a multiple of 4 */
  int has_bias;

  uint32_t n_units; /* below; 0: there is no hidden layer */
  int plain;        /* nothing but its activation lies between */
  vise_activation kind;
  uint32_t ld_below;
  uint64_t delta_below,
      pre_below; /* elements of the activations; of an integer net the latter are the unrounded ones */
} vise_rows;

/* Items first .. first + n of a sum. */
typedef struct vise_span {
  uint16_t first, n;
} vise_span;

enum { VISE_STEP_OWN = 4, VISE_STEP_SPANS = 64 };

/* What a CTA carries through a step, at the start of its shared memory. */
typedef struct vise_step {
  vise_k_step p;
  vise_k_step_state state;
  vise_k_step_record record;
  double tree[VISE_TREE_SCRATCH];
  double gradient_squares[VISE_K_MAX_TENSORS]; /* of the gradient after the value clip */
  double weight_squares[VISE_K_MAX_TENSORS];   /* of the weights at the step's start; for max-norm, of new ones */
  double weight_magnitudes[VISE_K_MAX_TENSORS];

  double loss, penalty;      /* in the CTA that reports */
  double inverse;            /* 1 / the record's denominator */
  uint32_t inverse_is_known; /* it is already that of the next record */
  float gradient_max[VISE_K_MAX_TENSORS];
  float scales[VISE_K_MAX_TENSORS];         /* of the norm clip, by tensor; those of units are formed where needed */
  float norm_strengths[VISE_K_MAX_TENSORS]; /* kF / ||W|| of each tensor */
  float correct1, correct2;                 /* Adam's 1 / (1 - beta^t) of this step */
  const float *inputs;                      /* the gathered rows of this step */
  uint32_t n_correct;

  /* Known ahead: of the CTA's first tiles, where they are (for the launch) and what is done to them (in this step); the
     cells of the first groups of all tensors. */
  vise_step_tile own[VISE_STEP_OWN];
  vise_shaping shapings[VISE_STEP_OWN];
  vise_update updates[VISE_STEP_OWN];
  vise_span groups[VISE_STEP_SPANS];
  uint32_t n_own; /* how many tiles the CTA has */
  vise_rows rows;
  vise_i_counters taken;   /* the state's counters if the step is taken */
  uint32_t tiles_are_near; /* weights and moments of near tiles are in shared memory */

  uint32_t loss_is_bad, bad_gradient, bad_total; /* lowest bad tensor, or VISE_NO_TENSOR */
  uint32_t skip;
  vise_k_tensor_counts counts; /* of the current tile */
  uint32_t cell_max[16];       /* of the current tile: bits of the largest magnitudes; 0 between tiles */

  /* The current product: c(m0 .., n0 ..) = a b over n_k, c at this float of the shared memory. */
  vise_operand a, b;
  uint32_t m0, n0, n_k, length, c; /* length: of the slices of k */
  uint32_t near;                   /* first float of the operand that is in shared memory (near_inputs.cuh), or 0 */

  uint32_t input_kind;          /* vise_input_kind */
  uint32_t near_at[2];          /* first floats of near rows and columns, or 0: this launch keeps no inputs near */
  vise_near_part near_parts[2]; /* rows and columns; a unit past the last: no tile forward */
  uint32_t near_is_ready;       /* the near inputs of this step are there, or on their way */
  uint32_t end;                 /* the cursor at the end of this launch */

#if VISE_STEP_TEAMS
  vise_k_sums sums; /* of the steps so far, in the CTA that reports */
#endif

  /* Fetched ahead: biases of the current units; targets (or labels) of the first rows in VISE_K_ROWS, [row][output]. */
  float4 bias[VISE_K_BIAS_TILE / 4];
  float targets[VISE_K_ROW_BLOCK * VISE_K_NARROW];
} vise_step;

/* Called functions find the step in shared memory. */
VISE_FN vise_step *vise_step_here(void) {
  VISE_DYNAMIC_SHARED(unsigned char, shared);
  return (vise_step *)shared;
}

/* The place of this CTA in its team. The CTAs of a team are neighbours, their number is a power of 2. */
VISE_FN uint32_t vise_step_member(void) {
#if VISE_STEP_TEAMS
  return blockIdx.x & (vise_step_here()->p.n_members - 1);
#else
  return blockIdx.x;
#endif
}

VISE_FN float *vise_step_floats(void) {
  VISE_DYNAMIC_SHARED(float, shared);
  return shared;
}

enum {
  VISE_SPLIT_AT = VISE_K_FIXED_BYTES / 4, /* floats from the start of the shared memory */
  VISE_STAGE_AT = VISE_SPLIT_AT + VISE_K_SPLIT_BYTES / 4,
  VISE_PAYLOAD_AT = VISE_STAGE_AT + VISE_K_STAGE_BYTES / 4
};
static_assert(sizeof(vise_step) <= VISE_K_FIXED_BYTES, "the step does not fit its place in shared memory");

VISE_FN float *vise_step_split(void) {
  return vise_step_floats() + VISE_SPLIT_AT;
}

VISE_FN float *vise_step_stage(void) {
  return vise_step_floats() + VISE_STAGE_AT;
}

/* Values of the slots of the last exchange that had payloads, [n_slots]; their flags follow. */
VISE_FN double *vise_step_payloads(void) {
  return (double *)(vise_step_floats() + VISE_PAYLOAD_AT);
}

/* First float of held tile i. */
VISE_FN uint32_t vise_step_held_at(const vise_k_step *p, uint32_t i) {
  return VISE_PAYLOAD_AT + (uint32_t)(vise_k_step_payload_bytes(p->n_slots) / 4) + i * p->held_floats;
}

VISE_FN uint32_t vise_ceil_div(uint32_t a, uint32_t b) {
  return (a + b - 1) / b;
}

/* Which of the 16-byte words of a step is the i-th that a net of so many layers and phases needs; the others, of layers
   and phases that it lacks, are left out. */
VISE_FN uint32_t vise_step_word(uint32_t i, uint32_t n_layers, uint32_t n_phase_words) {
  enum {
    LAYERS = offsetof(vise_k_step, layers) / 16,
    LAYER = sizeof(vise_k_layer) / 16,
    PHASES = offsetof(vise_k_step, phases) / 16,
    RULE = offsetof(vise_k_step, rule) / 16
  };

  static_assert(offsetof(vise_k_step, layers) % 16 == 0 && sizeof(vise_k_layer) % 16 == 0 &&
                    offsetof(vise_k_step, phases) % 16 == 0 && offsetof(vise_k_step, rule) % 16 == 0 &&
                    sizeof(vise_k_step) % 16 == 0,
                "words of 16 bytes");
  static_assert(PHASES == LAYERS + VISE_K_MAX_LAYERS * LAYER && RULE == PHASES + VISE_K_MAX_PHASES / 4,
                "nothing else lies between");

  if (i >= LAYERS + n_layers * LAYER) i += (VISE_K_MAX_LAYERS - n_layers) * LAYER;
  if (i >= PHASES + n_phase_words) i += VISE_K_MAX_PHASES / 4 - n_phase_words;
  return i;
}

/* How many words these are. */
VISE_FN uint32_t vise_step_n_words(uint32_t n_layers, uint32_t n_phase_words) {
  return (uint32_t)(sizeof(vise_k_step) / 16) - (VISE_K_MAX_LAYERS - n_layers) * (uint32_t)(sizeof(vise_k_layer) / 16) -
         (VISE_K_MAX_PHASES / 4 - n_phase_words);
}

/* Copies a step from device memory to shared memory. Visible after a barrier. */
VISE_FN void vise_step_copy(vise_step *step, const vise_k_step *p) {
  const uint32_t n_layers = p->n_layers, n_phase_words = vise_ceil_div(p->n_phases, 4);
  const uint32_t n = vise_step_n_words(n_layers, n_phase_words);
#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < n; i += VISE_K_STEP_THREADS) {
    const uint32_t at = vise_step_word(i, n_layers, n_phase_words);
    ((ptx_b128 *)&step->p)[at] = ((const ptx_b128 *)p)[at];
  }
}

/* The same from the parameters of the launch, which lie in constant memory: this gives all lanes of a warp one address
   at a time, so the warps take words in turn, and each lane keeps one of its warp's. */
VISE_FN void vise_step_copy_parameters(vise_step *step, const vise_k_step *p) {
  const uint32_t n_layers = p->n_layers, n_phase_words = vise_ceil_div(p->n_phases, 4);
  const uint32_t n = vise_step_n_words(n_layers, n_phase_words), lane = threadIdx.x % 32;
  ptx_b128 mine = {0, 0};
  static_assert(sizeof(vise_k_step) / 16 <= 32 * VISE_STEP_WARPS, "a word to a lane");

#pragma unroll 4
  for (uint32_t i = 0; i * VISE_STEP_WARPS < n; i++) {
    const uint32_t word = i * VISE_STEP_WARPS + threadIdx.x / 32;
    const ptx_b128 here = ((const ptx_b128 *)p)[vise_step_word(word < n ? word : 0, n_layers, n_phase_words)];
    if (lane == i) mine = here;
  }

  const uint32_t word = lane * VISE_STEP_WARPS + threadIdx.x / 32;
  if (word < n) ((ptx_b128 *)&step->p)[vise_step_word(word, n_layers, n_phase_words)] = mine;
}

/* What products read is stored through these, so that its copies in bf16 are right at any time. */
#if VISE_STEP_MMA == VISE_MMA_BF16
VISE_FN uint16_t vise_bf16(float x) {
  return (uint16_t)ptx_bf16x2(x, 0.0f);
}

VISE_FN void vise_put_params(const vise_k_step *p, size_t at, const float x[4]) {
  vise_quad_store(p->params + at, x);
  vise_quad_store16(p->params16 + at, x);
}

VISE_FN void vise_put_activation(const vise_k_step *p, size_t at, float x) {
  p->activations[at] = x;
  p->activations16[at] = vise_bf16(x);
}

VISE_FN void vise_put_activations(const vise_k_step *p, size_t at, const float x[4]) {
  vise_quad_store(p->activations + at, x);
  vise_quad_store16(p->activations16 + at, x);
}
#else
VISE_FN void vise_put_params(const vise_k_step *p, size_t at, const float x[4]) {
  vise_quad_store(p->params + at, x);
}

VISE_FN void vise_put_activation(const vise_k_step *p, size_t at, float x) {
  p->activations[at] = x;
}

VISE_FN void vise_put_activations(const vise_k_step *p, size_t at, const float x[4]) {
  vise_quad_store(p->activations + at, x);
}
#endif

/* What products read in the place of the parameters. */
VISE_FN const float *vise_used_params(const vise_k_step *p) {
  return VISE_STEP_INTEGER ? p->rounding.rounded : p->params;
}

VISE_FN int vise_is_finite(float x) {
  return (vise_bits_f32(x) & 0x7f800000u) != 0x7f800000u;
}

VISE_FN int vise_is_finite_f64(double x) {
  return x - x == 0.0;
}

/* sqrt of float64 by the instruction that rounds as IEEE wants. */
VISE_FN double vise_sqrt_f64(double x) {
  return sqrt(x);
}

VISE_FN vise_k_step_mode vise_mode_of(const vise_k_step *p) {
  return VISE_STEP_PLAIN ? VISE_K_STEP : (vise_k_step_mode)p->mode;
}

/* Whether the gradient comes from launches before this one. Teams have none of these. */
VISE_FN int vise_is_given(const vise_k_step *p) {
  return !VISE_STEP_TEAMS && VISE_RARE(p->gradient_parts == VISE_K_GIVEN);
}

/* Whether the launch is one of those segments. Nor have teams any of these. */
VISE_FN int vise_segment_has(const vise_k_step *p, vise_k_segment what) {
  return !VISE_STEP_TEAMS && VISE_RARE((p->segment & (uint32_t)what) != 0);
}

/* Where a part has its activations and inputs among those of this process: the steps of a launch are its parts. */
VISE_FN uint32_t vise_segment_place(const vise_step *step) {
  return vise_segment_has(&step->p, VISE_K_IN_SEGMENTS) ? step->p.n_steps - (step->end - step->state.cursor) : 0;
}

VISE_FN uint32_t vise_step_n_tensors(const vise_k_step *p) {
  return p->n_tensors;
}

/* Part 0 of a layer is its weight, 1 and 2 are its vectors. */
VISE_FN vise_step_tensor vise_step_tensor_of(const vise_k_step *p, uint32_t layer, uint32_t part) {
  vise_step_tensor t;
  const vise_k_layer *l = &p->layers[layer];
  const vise_k_vector vector = vise_k_vector_of(l, part == 2);
  t.layer = layer;
  t.is_bias = part > 0;

  t.first = t.is_bias ? vector.at : l->weight;
  t.n_rows = t.is_bias ? 1 : l->n_out;
  t.n_columns = t.is_bias ? l->n_out : l->n_in;
  t.ld = t.is_bias ? l->n_out : l->ld;
  t.at = t.is_bias ? vector.places : l->weight_at;

  return t;
}

VISE_FN vise_step_tensor vise_step_tensor_at(const vise_k_step *p, uint32_t tensor) {
  const uint32_t at = p->tensors[tensor];
  return vise_step_tensor_of(p, at % VISE_K_MAX_LAYERS, at / VISE_K_MAX_LAYERS);
}

VISE_FN vise_step_tile vise_step_tile_at(const vise_k_step *p, uint32_t tile) {
  vise_step_tile t;
  uint32_t layer = 0;
  while (layer + 1 < p->n_layers && tile >= p->layers[layer + 1].first_weight_tile) layer++;

  const vise_k_layer *l = &p->layers[layer];
  uint32_t part = 0;
  while (part < l->n_vectors && tile >= vise_k_vector_of(l, part).first_tile) part++;
  t.index = l->first_tensor + part;
  t.tensor = vise_step_tensor_of(p, layer, part);

  if (part > 0) {
    t.row = 0;
    t.column = (tile - vise_k_vector_of(l, part - 1).first_tile) * VISE_K_BIAS_TILE;
    t.side = VISE_K_BIAS_TILE;
    t.n_rows = 1;
  } else {
    t.side = vise_k_tile_side((vise_k_tile)l->gradient_tile);
    const uint32_t n_across = vise_ceil_div(l->n_in, t.side), at = tile - l->first_weight_tile;
    t.row = at / n_across * t.side;
    t.column = at % n_across * t.side;
    t.n_rows = t.side;
  }

  return t;
}

/* This CTA's i-th tile, which it must have. */
VISE_FN vise_step_tile vise_own_tile(const vise_step *step, uint32_t i) {
  if (i < VISE_STEP_OWN) return step->own[i];
  return vise_step_tile_at(&step->p, vise_step_member() + i * step->p.n_members);
}

/* How many it has: found once, step->n_own. */
VISE_FN uint32_t vise_count_own_tiles(const vise_k_step *p) {
  const uint32_t member = vise_step_member();
  return member < p->n_gradient_tiles ? (p->n_gradient_tiles - member - 1) / p->n_members + 1 : 0;
}

/* A warp's strip of a tile, four rows x 32 columns, and this lane's quad in it; rows and columns count within the tile. */
typedef struct vise_strip {
  uint32_t first_row, leaf; /* of the strip */
  uint32_t row, column;     /* of the quad */
  uint32_t n;               /* its elements that the tensor has, 0 to 4 */
} vise_strip;

VISE_FN vise_strip vise_strip_at(const vise_step_tile *t, uint32_t first_row, uint32_t leaf) {
  vise_strip s;
  s.first_row = first_row;
  s.leaf = leaf;
  s.row = first_row + vise_quad_row();
  s.column = leaf * VISE_LEAF + vise_quad_column();

  s.n = 0;
  if (s.row < t->n_rows && t->row + s.row < t->tensor.n_rows && t->column + s.column < t->tensor.n_columns) {
    const uint32_t left = t->tensor.n_columns - t->column - s.column;
    s.n = left < 4 ? left : 4;
  }
  return s;
}

/* The CTA that clears and writes the statistics and moves the state: the last, which has the fewest tiles, or none
   where the plan could add a CTA for this. */
VISE_FN int vise_step_reports(const vise_step *step) {
  return vise_step_member() + 1 == step->p.n_members;
}

/* What the step at hand reports: one record a step, or in a launch of many teams one that every step fills again. */
VISE_FN vise_k_step_stats *vise_step_stats(const vise_step *step) {
  return step->p.stats + (VISE_STEP_TEAMS ? 0 : step->state.cursor);
}

/* Lowers *lowest (shared memory) to the tensor if any lane's gradient is bad. */
VISE_FN void vise_step_note_bad(uint32_t *lowest, int bad, uint32_t tensor) {
  if (__any_sync(0xffffffffu, bad) && threadIdx.x % 32 == 0) atomicMin(lowest, tensor);
}

/* Adds what the lanes counted. */
VISE_FN void vise_step_count(uint32_t *count, uint32_t n) {
  const uint32_t sum = __reduce_add_sync(0xffffffffu, n);
  if (sum > 0 && threadIdx.x % 32 == 0) atomicAdd(count, sum);
}

#endif
