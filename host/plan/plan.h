/*
 * The schedule of the fused step: from a net, a batch, options and a machine to phases, tiles, CTAs and memory. A pure
 * function, without I/O and without CUDA; what the kernel makes of a plan is in kernels/step_types.h.
 */
#ifndef VISE_I_PLAN_H
#define VISE_I_PLAN_H

#include "host/base/error.h"
#include "host/net/quantization.h"
#include "host/plan/hooks.h"
#include "kernels/step_types.h"

typedef struct vise_i_plan_machine {
  uint32_t n_sms;
  size_t shared_bytes; /* of a CTA, with opt-in */
  size_t memory_bytes; /* that the plan may take; 0: any amount */
} vise_i_plan_machine;

/* An H200, where a plan is asked for on a machine without a device. */
#define VISE_I_PLAN_H200 ((vise_i_plan_machine){132, (size_t)227 * 1024, 0})

typedef struct vise_i_plan_request {
  const vise_i_net *net;
  const vise_i_rule *rule;                 /* copied, as are boxes */
  const vise_i_box *boxes;                 /* of the layers */
  const vise_i_row_ball *row_balls;        /* likewise; NULL: none */
  const vise_i_quantization *quantization; /* of an integer net; copied but for the scales; NULL: it is none */
  size_t max_rows;                         /* of a batch, at least 1 */
  uint32_t n_gradients;                    /* that there is room for; 0: one */
  uint32_t n_parts;         /* that launches in segments have room for (vise_k_segment); 0: there are none of these */
  uint64_t seed;            /* of dropout */
  vise_precision precision; /* auto is fp32 */
  vise_i_plan_machine machine;
  bool forward_only; /* outputs alone: no gradients, moments, sums */
  bool small_tiles;  /* fp32: none larger than 32, so that the kernel takes half of a multiprocessor's registers */
  bool gathers;      /* of a team among many in a launch, or a step in parts: these keep no inputs near */
  bool has_mask, has_signs;
  vise_i_hooks hooks;
} vise_i_plan_request;

enum {
  VISE_I_PLAN_ALIGN = 256,
  VISE_I_PLAN_MOST_CTAS = 1024,
  VISE_I_PLAN_MOST_WIDTH = 8192 /* units of a layer that the kernels have room for */
};

/* The arrays of a plan, in the order in which they lie. */
typedef enum vise_i_plan_array_id {
  VISE_I_PLAN_PARAMS,
  VISE_I_PLAN_MOMENT1,
  VISE_I_PLAN_MOMENT2,
  VISE_I_PLAN_GRADIENTS,
  VISE_I_PLAN_PARTS,
  VISE_I_PLAN_MASK,
  VISE_I_PLAN_INPUTS,
  VISE_I_PLAN_ACTIVATIONS,
  VISE_I_PLAN_PARAMS16, /* copies in bf16 */
  VISE_I_PLAN_INPUTS16,
  VISE_I_PLAN_ACTIVATIONS16,
  VISE_I_PLAN_ROW_LOSSES,
  VISE_I_PLAN_GRADIENT_SUMS,
  VISE_I_PLAN_GRADIENT_MAX,
  VISE_I_PLAN_WEIGHT_SUMS,
  VISE_I_PLAN_NORM_SUMS,
  VISE_I_PLAN_GROUP_SUMS,
  VISE_I_PLAN_WEIGHT_ROW_SUMS,
  VISE_I_PLAN_UNIT_SUMS,
  VISE_I_PLAN_UNIT_MAX,
  VISE_I_PLAN_UNIT_SCALES,
  VISE_I_PLAN_NORM_UNIT_SUMS,
  VISE_I_PLAN_ROUNDED, /* weights of an integer net */
  VISE_I_PLAN_SCALES,  /* of its rows and values, see vise_k_rounding */
  VISE_I_PLAN_STATISTICS,
  VISE_I_PLAN_NORM_GRADIENTS,
  VISE_I_PLAN_SLOTS,
  VISE_I_PLAN_N_ARRAYS
} vise_i_plan_array_id;

typedef struct vise_i_plan_array {
  size_t n_elements, n_bytes; /* 0 if the array is not used */
  size_t offset;              /* bytes from the start of the plan's memory, multiple of VISE_I_PLAN_ALIGN */
} vise_i_plan_array;

typedef struct vise_i_plan {
  vise_k_variant variant;
  vise_k_step step; /* of whole steps (or forward only); pointers and sources NULL */
  size_t shared_bytes;
  uint64_t n_params;     /* elements of the device layout, of moments, gradients and mask */
  uint64_t n_values;     /* of params: running statistics too */
  uint32_t n_statistics; /* of the batch norms of a batch */
  uint64_t part_floats;  /* activations of a batch, or of a part */
  vise_i_plan_array arrays[VISE_I_PLAN_N_ARRAYS];
  size_t n_bytes, guard_bytes; /* of all arrays, guards included */
  uint8_t forward_tile[VISE_K_MAX_LAYERS];
  uint8_t delta_tile[VISE_K_MAX_LAYERS]; /* of VISE_K_DELTA(l), l a hidden layer */
  uint8_t near_tile;                     /* of the first forward phase where inputs are near */
  bool narrow;                           /* VISE_K_ROWS does the last layer */
} vise_i_plan;

/* Errors: VISE_ERR_UNSUPPORTED (too many layers, units, rows, CTAs, too little shared memory), VISE_ERR_MEMORY (does
   not fit: the largest array and what is missing are named). */
VISE_WARN_UNUSED vise_status vise_i_plan_make(const vise_i_plan_request *request, vise_i_plan *out, vise_error *err);

/* Lets two plans of one net share their arrays, each as large as the larger plan needs, except for the exchange: places
   all arrays of both in one block of memory, whose size becomes n_bytes of each. */
void vise_i_plan_join(vise_i_plan *a, vise_i_plan *b);

/* VISE_ERR_MEMORY, naming the largest array and what is missing, if the plan needs more than n_bytes (0: any). */
VISE_WARN_UNUSED vise_status vise_i_plan_check_memory(const vise_i_plan *plan, size_t n_bytes, vise_error *err);

/* The step of another mode on the same memory. */
void vise_i_plan_mode(const vise_i_plan *plan, vise_k_step_mode mode, vise_k_step *out);

/* The launches of a step on a batch in parts, on the same memory. First the plain gradients of parts, each of up to
   max_rows rows: one launch, or with batch norm one more for each of these on either way. They end at phases
   VISE_K_NORM_SUMS and VISE_K_NORM_DELTA_SUMS, after which the next one needs what all parts found there. */
uint32_t vise_i_plan_n_segments(const vise_i_plan *plan);
void vise_i_plan_segment(const vise_i_plan *plan, uint32_t segment, vise_k_step *out);
/* Then all that comes after the gradient, of the batch. */
void vise_i_plan_update_of_parts(const vise_i_plan *plan, vise_k_step *out);

/* Tiles or row blocks in a phase for n_rows rows; 0 for phases of sums. */
uint64_t vise_i_plan_n_tiles(const vise_k_step *step, const vise_k_phase *phase, size_t n_rows);

const char *vise_i_plan_array_name(vise_i_plan_array_id id);
const char *vise_i_plan_phase_name(vise_k_phase_kind kind);
const char *vise_i_plan_variant_name(vise_k_variant variant);

/* Bytes that the CTA with most work moves between its multiprocessor and the L2 cache in a phase, with what tiles read
   again. What it reads ahead of the phase, while the team waits, is left out. */
double vise_i_plan_phase_bytes(const vise_i_plan *plan, uint32_t phase);

/* What a step of max_rows rows takes, and its least possible time at the stated rates. */
typedef struct vise_i_plan_cost {
  uint32_t n_exchanges;             /* between phases, and one at the start if rows are gathered */
  double flop, bytes;               /* bytes: read and written outside the SMs, each once */
  double cta_bytes;                 /* vise_i_plan_phase_bytes of all phases */
  double flop_per_us, bytes_per_us; /* rates assumed */
  double launch_us, exchange_us;    /* of one launch, of one exchange */
  double arithmetic_us, wait_us;    /* flop at the rate; launch and exchanges */
  double memory_us;                 /* bytes at the rate, or those of a CTA, if they take longer */
  double floor_us;                  /* the longer of the first two, and wait_us */
} vise_i_plan_cost;

/* row_bytes: bytes of features and targets in a row of data. */
void vise_i_plan_cost_of(const vise_i_plan *plan, size_t row_bytes, vise_i_plan_cost *out);

/* Most slices that the sums over a batch of up to n_rows rows have (vise_slice_length). */
size_t vise_i_plan_most_slices(size_t n_rows);

/* What --step auto means: a pure function of net, rows of a batch and precision, so that bits and checkpoints do not
   depend on the machine. VISE_STEP_FUSED or VISE_STEP_UNFUSED_GRAPH. */
vise_step_mode vise_i_plan_choose_step(const vise_i_net *net, size_t batch, vise_precision precision);

/* ---- the parts of vise_i_plan_make ---- */

static inline uint64_t vise_i_ceil_div(uint64_t a, uint64_t b) {
  return (a + b - 1) / b;
}

/* The least multiple of `to` that is at least n. */
static inline uint64_t vise_i_round_up(uint64_t n, uint64_t to) {
  return vise_i_ceil_div(n, to) * to;
}

/* Fills the layers: where parameters, activations and sums lie, and the totals of these. */
void vise_i_plan_layout(const vise_i_plan_request *request, vise_i_plan *plan);
/* Chooses tiles of all products and the variant for n_ctas CTAs. */
void vise_i_plan_tiles(const vise_i_plan_request *request, uint32_t n_ctas, vise_i_plan *plan);
/* Multiplications of a tile's products, as if at the full rate, and what comes before and after them, in the same unit. */
double vise_i_plan_products_cost(vise_k_variant variant, vise_k_tile tile, double depth);
double vise_i_plan_tile_overhead(void);
/* Most rows that VISE_K_ROWS can take at a time; at least 1 for every possible layer. */
uint32_t vise_i_plan_most_row_block(const vise_k_layer *last);
/* Whether VISE_K_ROWS makes the last layer: its outputs are few, and it is expected to be faster than phases of tiles,
   which do not read a large weight for every block of rows again. Tiles must be chosen. */
bool vise_i_plan_takes_rows(const vise_i_plan *plan, uint64_t n_rows, uint32_t n_ctas);
/* Whether CTAs keep their inputs near, if there is room in shared memory: sets near_rows. */
void vise_i_plan_near_inputs(const vise_i_plan_request *request, vise_i_plan *plan);
/* Sets sizes and places of the arrays. */
void vise_i_plan_memory(const vise_i_plan_request *request, vise_i_plan *plan);

#endif
