/**
 * @file
 * What the cuda backend would run for a training: the phases of its fused step, their tiles, the memory they take, and
 * the least time the step can take. It is the same on every machine, with or without a GPU.
 */
#ifndef VISE_PLAN_H
#define VISE_PLAN_H

#include "vise/train.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VISE_PLAN_MAX_PHASES 64
#define VISE_PLAN_MAX_ARRAYS 32

/** The GPU that a plan is for. This struct does not grow. */
typedef struct vise_plan_device {
  int n_multiprocessors;
  size_t shared_bytes; /**< per block of threads, with opt-in */
  size_t memory_bytes; /**< that the step may take; 0: any amount */
} vise_plan_device;

/** What the CTAs do between two exchanges. The texts are constant. */
typedef struct vise_plan_phase {
  const char *name; /**< "gather" (the rows of the batch), "forward", "rows", "loss", "delta", "parts", "gradient",
                       "sum", "update", "unit sum", "max-norm", "norm", "norm delta" (batch norm), "row sum", "row shrink" */
  int layer;        /**< from 0; -1: all */
  int tile;         /**< rows of its tiles of a matrix product; 0: none, or several */
  uint64_t n_tiles; /**< or blocks of rows; 0: sums shared out among all CTAs */
  bool exchange;    /**< all CTAs wait for each other before it */
  int units;        /**< columns of its tiles of a matrix product */
} vise_plan_phase;

typedef struct vise_plan_array {
  const char *name;
  size_t n_bytes;
} vise_plan_array;

typedef struct vise_plan {
  const char *kernel; /**< "small fp32", "large fp32", "tf32", "bf16" */
  size_t n_rows;      /**< in a batch, or a part of one */

  unsigned n_ctas, n_threads;
  size_t shared_bytes;               /**< per CTA */
  unsigned n_gradient_tiles, n_held; /**< tiles of the gradient; those that a CTA can keep on chip */

  size_t n_phases;
  vise_plan_phase phases[VISE_PLAN_MAX_PHASES];
  size_t n_arrays;
  vise_plan_array arrays[VISE_PLAN_MAX_ARRAYS]; /**< without the data set */
  size_t n_bytes;                               /**< of all arrays */

  unsigned n_exchanges;
  double flop, bytes_moved;                 /**< per step; bytes between the multiprocessors and caches or memory */
  double flop_per_us, bytes_per_us;         /**< assumed rates: those of a Hopper GPU at 1980 MHz */
  double launch_us, exchange_us;            /**< for one each, assumed */
  double arithmetic_us, memory_us, wait_us; /**< at these rates, memory_us for the CTA with most work if that is longer;
                                                 wait_us: launch and exchanges */
  double floor_us;                          /**< wait_us and the longer of the other two */
  unsigned near_rows; /**< rows of the inputs that a CTA keeps in shared memory, straight from the data set, besides the
                         columns of its tile of the gradient; 0: all rows are gathered first, then all wait */
  double cta_bytes;   /**< that the CTA with most work moves in a step, with what its tiles read again */
  double phase_bytes[VISE_PLAN_MAX_PHASES]; /**< those of each phase */
  unsigned
      n_launches; /**< with parts: that a step takes, 2, and 2 for each batch norm. The phases, and what follows them,
                             are then those of a step on one part of n_rows rows; the arrays have room for all of one
                             process. 0: batches are in one piece, and many steps may be one launch */
  unsigned
      n_collectives; /**< with parts: exchanges of the processes that share them, 1, and 2 for each batch norm. Sums of
                             parts of over 256 KiB take a launch and an exchange more */
} vise_plan;

/**
 * The plan of a training of net with config on n_rows rows (0: not known) whose features and targets take row_bytes.
 * device NULL: an H200. Errors: VISE_ERR_USAGE, VISE_ERR_SHAPE (config and net), VISE_ERR_UNSUPPORTED (more layers,
 * units or rows than the step takes), VISE_ERR_MEMORY (does not fit; names the largest array and what is missing).
 */
VISE_API VISE_WARN_UNUSED vise_status vise_plan_make(const vise_train_config *config, const vise_net_config *net,
                                                     size_t n_rows, size_t row_bytes, const vise_plan_device *device,
                                                     vise_plan *out, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_plan_make_sized(size_t out_bytes, const vise_train_config *config,
                                                           const vise_net_config *net, size_t n_rows, size_t row_bytes,
                                                           const vise_plan_device *device, vise_plan *out,
                                                           vise_error *err);
#define vise_plan_make(...) vise_plan_make_sized(sizeof(vise_plan), __VA_ARGS__)

/** Many nets of one shape, as the fits of a sweep are trained: many in one launch. Initialise with
    vise_plan_many_request_init. */
typedef struct vise_plan_many_request {
  size_t struct_size;
  const vise_train_config *training; /**< of one of them; epochs and steps say how long */
  const vise_net_config *net;        /**< all sizes filled in */
  size_t n_nets;                     /**< in all, at least 1 */
  size_t n_rows, row_bytes;          /**< that a net is trained on; bytes of a row's features and targets */
  size_t data_bytes;                 /**< of all rows that the device has to hold */
  const vise_plan_device *device;    /**< NULL: an H200 */
} vise_plan_many_request;

VISE_API void vise_plan_many_request_init(vise_plan_many_request *request);
VISE_API void vise_plan_many_request_init_sized(vise_plan_many_request *request, size_t n_bytes);
#define vise_plan_many_request_init(request) vise_plan_many_request_init_sized(request, sizeof *(request))

typedef struct vise_plan_many {
  unsigned n_ctas;           /**< that work on a net: 1, 2, 4 or 8 */
  unsigned ctas_per_sm;      /**< at a time on a multiprocessor */
  size_t n_at_once;          /**< nets at work at a time; those of a launch take turns */
  size_t bucket, n_buckets;  /**< nets in a launch; groups of so many, one after the other */
  size_t net_bytes, n_bytes; /**< of device memory: for a net, and for a bucket with the data */
  uint64_t n_steps;          /**< of each net */
  double step_us;            /**< of one step of n_at_once nets, expected at the rates of vise_plan */
  double seconds;            /**< of all steps of all nets, expected */
} vise_plan_many;

/** Errors: those of vise_plan_make; VISE_ERR_UNSUPPORTED (tf32, bf16, a step that is not fused), VISE_ERR_MEMORY (not one
    net fits). */
VISE_API VISE_WARN_UNUSED vise_status vise_plan_many_make(const vise_plan_many_request *request, vise_plan_many *out,
                                                          vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_plan_many_make_sized(size_t out_bytes, const vise_plan_many_request *request,
                                                                vise_plan_many *out, vise_error *err);
#define vise_plan_many_make(...) vise_plan_many_make_sized(sizeof(vise_plan_many), __VA_ARGS__)

/** This machine's GPU with that index. Errors: VISE_ERR_UNSUPPORTED, VISE_ERR_DEVICE. */
VISE_API VISE_WARN_UNUSED vise_status vise_plan_device_get(int index, vise_plan_device *out, vise_error *err);

#ifdef __cplusplus
}
#endif
#endif
