/*
 * What the host tells the fused step and what it gets back, as plain C without CUDA: the net as it lies in device
 * memory, the phases that the plan made (host/plan), the rule, one record for each step, state, statistics.
 *
 * Device layout. Parameters, moments, gradients and mask share one layout: a weight is [n_out][ld], ld a multiple of 8,
 * a bias [n_out]; each tensor begins at a multiple of 32 elements. What is not part of a tensor is 0 and stays 0.
 * Activations and deltas of a batch are [n_rows][ld_out], ld_out a multiple of 8. In bf16 what products read is kept a
 * second time, rounded to nearest even, in arrays of the same layout: whoever writes one writes the other.
 */
#ifndef VISE_K_STEP_TYPES_H
#define VISE_K_STEP_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "host/rule/row_l1.h"
#include "host/rule/rule.h"
#include "kernels/device.cuh"
#include "kernels/source.h"
#include "kernels/watchdog.h"

enum {
  VISE_K_MAX_LAYERS = 16,
  VISE_K_MAX_PHASES = 56,   /* nets of 16 layers; of up to 12 if all hidden ones have batch norm */
  VISE_K_MAX_TENSORS = 40,  /* of such nets */
  VISE_K_NARROW = 64,       /* most outputs of a net whose rows phase does the last layer by itself */
  VISE_K_ROW_BLOCK = 8,     /* most rows that a CTA takes at a time in that phase */
  VISE_K_BIAS_TILE = 128,   /* entries of a bias to a tile */
  VISE_K_MOST_PARTS = 8,    /* of a batch (host/ranks/parts.h) */
  VISE_K_MOST_SLOTS = 256,  /* of an exchange of the gradient's sums: one for each thread that waits */
  VISE_K_STEP_THREADS = 256 /* of a CTA */
};

/* Tiles of the matrix products: rows x columns of the result that a CTA computes at a time. Those of the gradient phase
   are 32, 64 or 128. One more is for the first forward phase where inputs are near: it takes few weights to a CTA. */
typedef enum vise_k_tile {
  VISE_K_TILE_8,
  VISE_K_TILE_32,
  VISE_K_TILE_64,
  VISE_K_TILE_128,
  VISE_K_N_TILES, /* that are square */
  VISE_K_TILE_16_BY_4
} vise_k_tile;

/* Rows and columns (units, forward and back) of tiles; sides of the square ones. All are powers of 2: a hexadecimal digit
   for each tile says which. */
VISE_BOTH uint32_t vise_k_tile_rows_log(vise_k_tile tile) {
  return 0x407653u >> 4 * (uint32_t)tile & 15;
}

VISE_BOTH uint32_t vise_k_tile_units_log(vise_k_tile tile) {
  return 0x207653u >> 4 * (uint32_t)tile & 15;
}

VISE_BOTH uint32_t vise_k_tile_rows(vise_k_tile tile) {
  return 1u << vise_k_tile_rows_log(tile);
}

VISE_BOTH uint32_t vise_k_tile_units(vise_k_tile tile) {
  return 1u << vise_k_tile_units_log(tile);
}

VISE_BOTH uint32_t vise_k_tile_side(vise_k_tile tile) {
  return vise_k_tile_rows(tile);
}

/* Tiles of that many rows and units that cover n. */
VISE_BOTH uint32_t vise_k_tiles_of(uint32_t n, uint32_t side_log) {
  return (n + (1u << side_log) - 1) >> side_log;
}

/* The first items of a tensor among those of all tensors. */
typedef struct vise_k_places {
  uint32_t cells;      /* of 32 x 32 weights (kernels/canonical.h): [groups][leaves] */
  uint32_t row_leaves; /* leaves, where sums are kept by rows: [rows][leaves] */
  uint32_t groups;     /* of 32 rows */
  uint32_t units;      /* rows of a weight; 1 of a bias */
} vise_k_places;

/* Values are kept where the 24 bits of their draw are at least the threshold (0: no dropout), and multiplied. */
typedef struct vise_k_dropout {
  uint32_t threshold;
  float scale;
} vise_k_dropout;

/* A linear layer and what follows it: batch norm, activation, dropout, the addition of its inputs. */
typedef struct vise_k_layer {
  uint32_t n_in, n_out;
  uint32_t ld;     /* elements between rows of the weight */
  uint32_t ld_out; /* floats between rows of outputs and deltas */
  uint64_t weight; /* first element of the weight in the device layout */
  uint64_t vector; /* and of its first vector: a bias, or gain and shift of a batch norm, see vise_k_vector_of */

  /* First floats in the activation memory, of [n_rows][ld_out]: */
  uint64_t out; /* the outputs; of the last layer z, present where the rows phase is VISE_K_LOSS or the mode forward */
  uint64_t delta; /* dL/dz; before VISE_K_NORM_DELTA dL/du */

  vise_k_places weight_at, vector_at; /* where the sums of these tensors are */
  vise_i_box box;
  vise_k_dropout dropout;

  /* Further arrays of activations, as distances from `out` in 32 floats, to be small; see vise_k_act. */
  uint32_t act_by, pre_by, linear_by, delta_out_by;
  uint32_t running;    /* batch norm: 1/32 of the first element of the running means, see vise_k_running */
  uint32_t statistics; /* batch norm: first item of its mean [n_out], then its variance [n_out], of the batch; in
                          norm_gradients of the gradients of gain and shift; of parts see vise_k_norm_of_part */
  uint32_t first_weight_tile, first_vector_tile; /* in the gradient phase's list of tiles */

  uint8_t activation; /* vise_activation; of the last layer: identity */
  uint8_t n_vectors, has_norm, has_residual;
  uint8_t first_tensor;
  uint8_t gradient_tile; /* vise_k_tile of the weight gradient */
} vise_k_layer;

/* a = f(u), where dropout or a residual makes the outputs differ from it; else out. */
VISE_BOTH uint64_t vise_k_act(const vise_k_layer *layer) {
  return layer->out + (uint64_t)layer->act_by * 32;
}

/* u, what f takes, where silu and gelu need it; hidden layers only. */
VISE_BOTH uint64_t vise_k_pre(const vise_k_layer *layer) {
  return layer->out + (uint64_t)layer->pre_by * 32;
}

/* z, where a batch norm makes u of it. */
VISE_BOTH uint64_t vise_k_linear(const vise_k_layer *layer) {
  return layer->out + (uint64_t)layer->linear_by * 32;
}

/* dL/d outputs, where there is a residual. */
VISE_BOTH uint64_t vise_k_delta_out(const vise_k_layer *layer) {
  return layer->out + (uint64_t)layer->delta_out_by * 32;
}

/* The first element of a batch norm's running means [n_out], which lie after all that is trained, and of its running
   variances. */
VISE_BOTH uint64_t vise_k_running(const vise_k_layer *layer) {
  return (uint64_t)layer->running * 32;
}

VISE_BOTH uint64_t vise_k_running_variance(const vise_k_layer *layer) {
  return vise_k_running(layer) + (layer->n_out + 31) / 32 * 32;
}

/* A trained tensor of one row: a bias, or the gain (0) and the shift (1) of a batch norm. */
typedef struct vise_k_vector {
  uint64_t at; /* first element in the device layout */
  vise_k_places places;
  uint32_t first_tile; /* in the gradient phase's list of tiles */
} vise_k_vector;

/* The vectors of a layer lie one after the other, each at a multiple of 32 elements. */
VISE_BOTH vise_k_vector vise_k_vector_of(const vise_k_layer *layer, uint32_t i) {
  const uint32_t n_leaves = (layer->n_out + 31) / 32;
  vise_k_vector v;
  v.at = layer->vector + i * n_leaves * 32;
  v.places = layer->vector_at;
  v.places.cells += i * n_leaves;
  v.places.row_leaves += i * n_leaves;
  v.places.groups += i;
  v.places.units += i;
  v.first_tile = layer->first_vector_tile + i * ((layer->n_out + VISE_K_BIAS_TILE - 1) / VISE_K_BIAS_TILE);
  return v;
}

VISE_BOTH int vise_k_has_bias(const vise_k_layer *layer) {
  return layer->n_vectors > 0 && !layer->has_norm;
}

/* What a team does between two exchanges. */
typedef enum vise_k_phase_kind {
  VISE_K_FORWARD,  /* a_l = f(a_{l-1} W^T + b) in tiles; with batch norm z alone */
  VISE_K_ROWS,     /* narrow outputs: last layer, loss, its delta and the delta of the layer below, by blocks of rows */
  VISE_K_LOSS,     /* wide outputs: loss and its delta, a warp to a row */
  VISE_K_DELTA,    /* dL/dz_l = (dL/dz_{l+1} W_{l+1}) f'(z_l) in tiles */
  VISE_K_PARTS,    /* sums of dL/dW_l and dL/db_l over single slices of a large batch, by tiles and slices */
  VISE_K_GRADIENT, /* dL/dW_l and dL/db_l of all layers, in tiles that stay where they are; sums of squares */
  VISE_K_SUM,      /* the sums of groups and units from those of cells, shared by all CTAs */
  VISE_K_UPDATE,   /* clips by norm, optimizer, mask and box on the tiles of VISE_K_GRADIENT */
  VISE_K_UNIT_SUM, /* like VISE_K_SUM, of the new weights, for max-norm */
  VISE_K_MAX_NORM, /* max-norm on the same tiles */
  VISE_K_NORM,     /* batch norm: statistics of the units, then what follows it in the block; a warp to a unit */
  VISE_K_NORM_DELTA,     /* dL/du to dL/dz through batch norm, gradients of its gain and shift; a warp to a unit */
  VISE_K_ROW_L1,         /* rows whose sums are bounded shrink to them; a CTA or a warp to a row */
  VISE_K_ROUND,          /* an integer net: the rounded weights of the new ones, by rows */
  VISE_K_NORM_SUMS,      /* of a part alone: what VISE_K_NORM in the next launch needs of each, and */
  VISE_K_NORM_DELTA_SUMS /* VISE_K_NORM_DELTA; a warp to a unit */
} vise_k_phase_kind;

typedef struct vise_k_phase {
  uint8_t kind;     /* vise_k_phase_kind */
  uint8_t layer;    /* of forward, delta and batch norm */
  uint8_t tile;     /* vise_k_tile of forward and delta */
  uint8_t exchange; /* the team exchanges before this phase */
} vise_k_phase;

/* Where the gradient of a part of a batch goes (host/ranks/parts.h): to gradients + slot * n_params. First what is in n_joins
   slots is added to it, from the last one down to its own: nodes of the tree that end where it begins. */
typedef struct vise_k_part_place {
  uint8_t slot, n_joins;
} vise_k_part_place;

/* The nodes that are left of a batch's n_parts parts: bit p is set where one begins at part p. They lie in gradients one
   after the other. */
typedef struct vise_k_part_nodes {
  uint8_t nodes, n_parts;
} vise_k_part_nodes;

/* Which part of a batch this is, where batch norm needs all of them. */
typedef struct vise_k_part_index {
  uint16_t index, n_parts;
} vise_k_part_index;

/* First row of part `part` of n_rows rows in n_parts (host/ranks/parts.h); of part n_parts, n_rows. */
VISE_BOTH uint32_t vise_k_part_begin(uint32_t n_rows, uint32_t n_parts, uint32_t part) {
  const uint32_t begin = part * ((n_rows + 31) / 32) / n_parts * 32;
  return begin < n_rows ? begin : n_rows;
}

/* What one step needs to know; written by the host before the launch, read by it from device memory. */
typedef struct vise_k_step_record {
  vise_i_hyper hyper;
  double denominator;     /* what the weighted sum of the rows' losses is divided by */
  double external_loss;   /* reported by the external loss */
  uint32_t first, n_rows; /* rows order[first .. first + n_rows) of the data */
  union {
    uint32_t next_first; /* the rows of the next record, which a whole step gathers ahead; 0, 0: none, and the next step
                            gathers for itself */
    uint32_t batch_rows; /* of VISE_K_GRADIENT_ONLY in segments: rows of the whole batch */
  };
  union {
    uint32_t next_n_rows;
    vise_k_part_index of_batch;
  };
  uint32_t position; /* of the first row in the whole batch, of which this may be a part */
  uint8_t keeps_all; /* dropout is off */
  union {
    vise_k_part_place part;  /* of VISE_K_GRADIENT_ONLY */
    vise_k_part_nodes given; /* of a step whose gradient is given */
  };
  uint8_t reserved;
} vise_k_step_record;

typedef struct vise_k_tensor_counts {
  uint32_t n_nonfinite, n_clipped_values, n_at_lo, n_at_hi;
} vise_k_tensor_counts;

/* What one step reports; written by it. */
typedef struct vise_k_step_stats {
  double loss, penalty, grad_norm, grad_norm_clipped;
  uint32_t n_correct;
  int32_t bad_tensor;
  uint32_t skipped, norm_clipped;
  vise_k_tensor_counts tensors[VISE_K_MAX_TENSORS];
} vise_k_step_stats;

/* What a trainer carries from launch to launch, in device memory. A launch begins at record `cursor` and moves it. */
typedef struct vise_k_step_state {
  vise_i_counters counters;
  uint32_t cursor;   /* index into records and stats of the next step */
  uint32_t epoch;    /* of the next exchange */
  uint32_t parity;   /* which half of weight_sums is that of the current weights */
  uint32_t halted;   /* a skip limit or halt was met: launches do nothing until the host clears it */
  uint32_t gathered; /* 0, or 1 + the half of inputs that holds the rows of the step at cursor, whose record is below;
                        the host sets 0 whenever it sets the cursor */
  uint32_t reserved[3];
  vise_k_step_record record;
} vise_k_step_state; /* copied by 16 bytes */

/* Where each CTA of the team is, in clocks of its own multiprocessor (those of others may have begun at another time).
   The marks of a step are in the place cursor % VISE_K_CLOCK_STEPS of a ring, see vise_k_clocks_at; those of phase i
   begin at VISE_K_CLOCK_PHASES + 3 i: VISE_K_CLOCK_ARRIVE, _POLL, _BEGIN. A phase without an exchange before it has the
   last one alone. A phase ends where the next one arrives or, without an exchange, begins; the last where the CTA
   leaves. */
typedef enum vise_k_clock {
  VISE_K_CLOCK_START,  /* the launch began, or the exchange that ended the step before is over */
  VISE_K_CLOCK_STEP,   /* state and record are there */
  VISE_K_CLOCK_INPUTS, /* the rows are there */
  VISE_K_CLOCK_LEAVE,  /* all threads have done the last phase; the exchange that ends the step, if any, is ahead */
  VISE_K_CLOCK_END,    /* statistics are written */
  VISE_K_CLOCK_PHASES,
  VISE_K_CLOCK_ARRIVE = 0, /* all threads arrive at the exchange before the phase */
  VISE_K_CLOCK_POLL,       /* what is done meanwhile is done */
  VISE_K_CLOCK_BEGIN,      /* the exchange is over */
  VISE_K_N_CLOCKS = VISE_K_CLOCK_PHASES + 3 * VISE_K_MAX_PHASES,
  VISE_K_CLOCK_STEPS = 64,                 /* the ring */
  VISE_K_CLOCK_LAUNCH = VISE_K_CLOCK_STEPS /* a place after it: its VISE_K_CLOCK_START is that of the latest launch */
} vise_k_clock;

/* The clocks of a member of a team of n_members: [VISE_K_N_CLOCKS] from there on. */
VISE_BOTH size_t vise_k_clocks_at(uint32_t place, uint32_t n_members, uint32_t member) {
  return ((size_t)place * n_members + member) * VISE_K_N_CLOCKS;
}

/* How many there are in all. */
VISE_BOTH size_t vise_k_n_clocks(uint32_t n_members) {
  return vise_k_clocks_at(VISE_K_CLOCK_STEPS + 1, n_members, 0);
}

/* How the gradient phase comes to its tiles. */
typedef enum vise_k_gradient_way {
  VISE_K_BY_PRODUCTS, /* it multiplies */
  VISE_K_BY_SLICES,   /* VISE_K_PARTS makes the products, it adds them up */
  VISE_K_GIVEN        /* launches before left nodes of the tree of parts in gradients (vise_k_part_nodes), which it
                         adds up; the step begins with this phase, and has no rows */
} vise_k_gradient_way;

typedef enum vise_k_step_mode {
  VISE_K_STEP,          /* whole steps */
  VISE_K_FORWARD_ONLY,  /* outputs of the record's rows into the last layer's out */
  VISE_K_GRADIENT_ONLY, /* the total gradient, penalties included, no clip, into gradients; several steps: of parts */
  VISE_K_PROJECT        /* all projections; sums of the weights */
} vise_k_step_mode;

/* Where the parts of a batch (vise_k_step_record) share batch norm's statistics, the launch of their gradients ends at each
   batch norm, forward and back, and the next one goes on when all parts' sums are there: it is in segments. Each part has
   activations and inputs of its own. */
typedef enum vise_k_segment {
  VISE_K_IN_SEGMENTS = 1,    /* also of the update, which moves the running statistics */
  VISE_K_ROWS_ARE_THERE = 2, /* a segment before this one has gathered them */
  VISE_K_IS_SILENT = 4,      /* another one has the loss, and reports */
  VISE_K_CURSOR_STAYS = 8    /* another one takes the same records */
} vise_k_segment;

/* What an integer net is made by (docs/step.md): params are latent, and what products read are the rounded ones. Rows of an
   integer net have no balls. */
typedef struct vise_k_rounding {
  float *rounded;      /* device layout: s q of weights, s t B0 of biases */
  const float *scales; /* s of rows [n_units], by units; then of what layers read t and 1/t, [n_layers] each */
  uint8_t zeros[VISE_K_MAX_LAYERS]; /* z of what layers read */
  uint8_t acc_bits, act_bits, in_bits;
  uint8_t bounds; /* latent weights are cut to what can be reached */
} vise_k_rounding;

/* All that a launch is given. Constant over the steps of a training, so that launches are alike (a graph can replay
   them). Arrays are device memory. Copied by 16 bytes. */
typedef struct __attribute__((aligned(16))) vise_k_step {
  uint32_t n_layers;
  uint32_t n_phases;
  uint32_t n_members;        /* CTAs of the team */
  uint32_t n_steps;          /* records to take in this launch; other modes: 1 */
  uint32_t n_gradient_tiles; /* weights and biases of all layers */
  uint32_t n_held;           /* gradient tiles of a CTA that stay in shared memory; the others go to gradients */
  uint32_t held_floats;      /* of a held tile */
  uint32_t n_near;           /* tiles of a CTA whose weights and moments come to shared memory ahead of the gradient */
  uint32_t row_block;        /* rows at a time in VISE_K_ROWS, 1 to VISE_K_ROW_BLOCK */
  uint32_t ld_inputs;        /* floats between gathered rows, a multiple of 8 */
  uint32_t max_rows;         /* of a batch */
  uint32_t n_cells, n_row_leaves, n_groups, n_units; /* of all tensors */
  uint32_t n_slots; /* of the exchange before the update: the cells, then the CTAs without a tile, if cells_travel;
                       else the CTAs */
  uint32_t n_tensors;
  uint8_t mode; /* vise_k_step_mode */
  uint8_t has_mask, has_moment1, has_moment2;
  uint8_t has_signs;          /* bytes of the mask may ask for signs */
  uint8_t bounds_rows;        /* some rows have a ball */
  uint8_t sums_by_rows;       /* gradient sums are kept by rows (units are scaled) */
  uint8_t sum_phase;          /* group sums come from VISE_K_SUM; else every CTA adds cells up itself */
  uint8_t weight_sums_needed; /* some penalty is on */
  uint8_t labels;             /* targets are class labels (one column), not values */
  uint8_t gradient_parts;     /* vise_k_gradient_way */
  uint8_t has_norm;           /* some layer has batch norm */
  uint8_t cells_travel;       /* the gradient's sums of cells are payloads of that exchange, not in gradient_sums */
  uint8_t near_rows; /* rows of a CTA's tile of the first forward phase, where it keeps the inputs that it reads in
                         shared memory, if the data set suits that (kernels/near_inputs.cuh); 0: never */
  uint8_t far_tile;  /* vise_k_tile of that phase where it does not */
  uint8_t rounds;    /* the net is one of integers */
  uint8_t weight_sums_by_rows; /* weight_sums and norm_sums are kept by rows, since some rows have a ball */
  uint8_t segment;             /* vise_k_segment: of some, their sum */
  uint64_t n_params;           /* elements of the device layout that are trained */
  uint64_t seed;               /* of dropout */
  vise_k_dropout input_dropout;
  union {
    float row_radii[VISE_K_MAX_LAYERS]; /* of the balls of rows, rounded down; negative: by sides; 0: none */
    vise_k_rounding rounding;           /* where rounds is set */
  };
  uint8_t tensors[VISE_K_MAX_TENSORS]; /* layer + VISE_K_MAX_LAYERS * (0: its weight, 1, 2: its vectors) */

  __attribute__((aligned(16))) vise_k_layer layers[VISE_K_MAX_LAYERS];
  vise_k_phase phases[VISE_K_MAX_PHASES];
  vise_i_rule rule;

  vise_k_source x, y;          /* rows of the data set; y.x NULL: none (forward, external) */
  const uint32_t *order;       /* rows of x and y; NULL: 0, 1, 2, ... */
  const float *row_weights;    /* [rows of x] or NULL */
  const float *class_weights;  /* [K] (one output: [2]) or NULL */
  const float *external_delta; /* [n_rows][K] of the external loss */

  const vise_k_step_record *records;
  vise_k_step_stats *stats;
  vise_k_step_state *state;

  void *slots;                                   /* of the exchange, for n_members */
  float *params, *moment1, *moment2, *gradients; /* device layout; moments and gradients NULL where not kept */
  union {
    float *parts; /* VISE_K_BY_SLICES: [slices of the batch][n_params]: sums of VISE_K_PARTS; or NULL */
    const vise_k_step_stats *found; /* VISE_K_GIVEN: [n_parts], loss and n_correct of each part */
  };
  const uint8_t *mask; /* device layout, bytes as in host/rule/rule.h */
  float *activations;  /* see vise_k_layer */
  float *inputs;       /* [2][max_rows][ld_inputs]: gathered rows of this step and of the next */
  uint16_t *params16, *activations16, *inputs16; /* the same in bf16, for VISE_K_BF16; else NULL */
  double *row_losses;                            /* [max_rows] */
  double *gradient_sums;   /* [n_cells], or by rows [n_row_leaves]: sums of squares; not used if cells_travel */
  float *gradient_max;     /* the same shape: largest magnitudes; NULL unless clipped by maximum */
  double *weight_sums;     /* [2][2][n_cells], or by rows [2][2][n_row_leaves]: of each parity squares, magnitudes; NULL
                              unless needed */
  double *norm_sums;       /* by cells, or by rows for max-norm by units or weight_sums_by_rows: squares of the new
                              weights, for max-norm; or NULL */
  double *group_sums;      /* [3][n_groups]: gradient, weights squared, weights' magnitudes; or NULL */
  double *weight_row_sums; /* [n_row_leaves]: squares of the weights at the step's start; or NULL */
  double *unit_sums;       /* [n_units]: sums of squares of the gradient's units, where they are scaled; or NULL */
  float *unit_max;         /* [n_units]: largest magnitudes of the same, clipped by maximum; or NULL */
  float *unit_scales;      /* [n_units]: what they are multiplied by; or NULL */
  double *norm_unit_sums;  /* [n_units]: sums of squares of the new weights' units, for max-norm by units; or NULL */
  double *statistics;      /* of batch norms, of the batch at hand, or of its parts; or NULL */
  union {
    float *norm_gradients; /* of their gains and shifts, likewise; or NULL */
    uint64_t part_floats;  /* of segments: activations from a part to the next */
  };
  uint64_t *clocks; /* [vise_k_n_clocks(n_members)], or NULL: no clocks are read */
#if VISE_WATCHDOG
  vise_k_watchdog *watchdog; /* or NULL */
#endif
} vise_k_step;

/* The first of a part's numbers at a layer's batch norm, in `statistics` of a launch in segments. Forward: its mean [n_out],
   then its sum of squared deviations [n_out]; back: the gradients of gain and shift. Those of the parts lie one after the
   other. */
VISE_BOTH uint64_t vise_k_norm_of_part(const vise_k_layer *layer, int back, uint32_t part) {
  return (uint64_t)layer->statistics * 2 * VISE_K_MOST_PARTS +
         (uint64_t)2 * layer->n_out * ((back ? VISE_K_MOST_PARTS : 0) + part);
}

/* What bounds the rows of a layer's weight. */
VISE_BOTH vise_i_row_ball vise_k_ball_of(const vise_k_step *p, uint32_t layer) {
  const float radius = p->row_radii[layer];
  vise_i_row_ball ball;
  ball.radius = (double)(radius < 0 ? -radius : radius);
  ball.sided = radius < 0;
  return ball;
}

VISE_BOTH int vise_k_has_ball(const vise_k_step *p, uint32_t layer) {
  return p->bounds_rows && p->row_radii[layer] != 0.0f;
}

/* Rows of a layer's weight that a CTA takes at a time in VISE_K_ROW_L1: one, if they are long and few, or one to a warp. */
VISE_BOTH uint32_t vise_k_rows_at_once(const vise_k_layer *layer) {
  return layer->n_in > VISE_K_STEP_THREADS && layer->n_out <= 256 ? 1 : VISE_K_STEP_THREADS / 32;
}

/* How often that is; 0: nothing bounds them. */
VISE_BOTH uint32_t vise_k_row_parts(const vise_k_step *p, uint32_t layer) {
  const uint32_t at_once = vise_k_rows_at_once(&p->layers[layer]);
  return vise_k_has_ball(p, layer) ? (p->layers[layer].n_out + at_once - 1) / at_once : 0;
}

/* X of what a layer reads. */
VISE_BOTH int vise_k_most_level(const vise_k_step *p, uint32_t layer) {
  return (1 << (layer == 0 ? p->rounding.in_bits : p->rounding.act_bits)) - 1;
}

/* Whether a step is one of those that a kernel of their own takes in place of VISE_K_SMALL_F32, with less code: up to 32
   outputs; no batch norm, dropout, residual, signs, sums of rows, integers; no label smoothing, external loss, Frobenius norm, scaled units, max-norm,
   clip by maximum; gradients in one piece, whose sums travel. The bits are the same. */
VISE_BOTH int vise_k_is_plain(const vise_k_step *p) {
  const vise_i_rule *rule = &p->rule;
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  int plain = p->mode == VISE_K_STEP && p->cells_travel && !p->gradient_parts && last->n_out <= 32 &&
              p->input_dropout.threshold == 0 && rule->loss != VISE_LOSS_EXTERNAL && rule->label_smoothing == 0.0 &&
              rule->kF == 0.0 && rule->max_norm == 0.0 && !p->has_signs && !p->bounds_rows && !p->rounds;
  for (uint32_t l = 0; l < p->n_layers; l++) {
    const vise_k_layer *layer = &p->layers[l];
    plain = plain && !layer->has_norm && !layer->has_residual && layer->dropout.threshold == 0;
  }
  for (uint32_t i = 0; i < p->n_phases; i++) { /* those that kernels/step_kernel.cuh has there */
    const uint32_t kind = p->phases[i].kind;
    plain = plain && (kind == VISE_K_FORWARD || kind == VISE_K_ROWS || kind == VISE_K_DELTA ||
                      kind == VISE_K_GRADIENT || kind == VISE_K_UPDATE);
  }
  return plain;
}

/* ---- shared memory of a CTA ---------------------------------------------------------------------------------------
   In this order: the step and what is carried through it, partial sums of split products, stages, payloads of the
   exchange, held tiles, weights and moments of near tiles, near inputs. */
enum { VISE_K_FIXED_BYTES = 9216, VISE_K_SPLIT_BYTES = 16384, VISE_K_STAGE_BYTES = 71 * 1024 };

VISE_BOTH size_t vise_k_step_payload_bytes(uint32_t n_slots) {
  return (size_t)(n_slots + 15) / 16 * 16 * 16;
}

VISE_BOTH size_t vise_k_step_shared_bytes(uint32_t n_slots, uint32_t n_held, uint32_t held_floats) {
  return VISE_K_FIXED_BYTES + VISE_K_SPLIT_BYTES + VISE_K_STAGE_BYTES + vise_k_step_payload_bytes(n_slots) +
         (size_t)n_held * held_floats * sizeof(float);
}

/* Arrays kept for each near tile: weights, and the moments in use. */
VISE_BOTH uint32_t vise_k_step_near_arrays(const vise_k_step *p) {
  return 1u + p->has_moment1 + p->has_moment2;
}

/* Floats of the near inputs: the rows of a tile of the first forward phase; of a batch, the columns of a tile of the
   gradient. */
VISE_BOTH uint32_t vise_k_step_near_row_floats(const vise_k_step *p) {
  return p->near_rows * ((p->layers[0].n_in + 31) / 32 * 32);
}

VISE_BOTH uint32_t vise_k_step_near_column_floats(const vise_k_step *p) {
  return p->near_rows ? (p->max_rows + 31) / 32 * 32 * 32 : 0;
}

VISE_BOTH size_t vise_k_step_near_input_bytes(const vise_k_step *p) {
  return ((size_t)vise_k_step_near_row_floats(p) + vise_k_step_near_column_floats(p)) * sizeof(float);
}

/* The kernels; each has the code of some tiles. In tf32 and bf16 tiles of 64 and 128 are made by the matrix units, the
   smaller ones in float32. */
typedef enum vise_k_variant {
  VISE_K_SMALL_F32, /* tiles 8 and 32 */
  VISE_K_LARGE_F32, /* all tiles */
  VISE_K_TF32,      /* all tiles */
  VISE_K_BF16,      /* all tiles */
  VISE_K_N_VARIANTS
} vise_k_variant;

#endif
