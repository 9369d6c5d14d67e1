/**
 * @file
 * Timing the training step on this machine: cases x modes x precisions, each result verified before it is timed.
 *
 * Every case trains on made-up random data, or on given rows, with the same regularization: L2 1e-5, the gradient's
 * norm clipped to 5, a box of +-0.5 around the weights, steps with non-finite numbers skipped; SGD without momentum.
 * Rows are read in one fixed random order, so that batches are gathered from all over memory and no order is drawn
 * while the clock runs.
 */
#ifndef VISE_BENCH_H
#define VISE_BENCH_H

#include "vise/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A net, its loss and a batch. This struct does not grow. */
typedef struct vise_bench_case {
  char name[64];
  size_t n_layers;                    /**< linear layers */
  size_t widths[VISE_MAX_LAYERS + 1]; /**< n_layers + 1 of them */
  vise_loss loss;                     /**< cross-entropy, or mse with as many targets as outputs */
  size_t batch;
  bool byte_features; /**< features are bytes, scaled by 1/255; else float32 */
} vise_bench_case;

/** named: well-known nets; grid: widths 32 to 4096 x 2, 4 and 8 layers x batches 32 to 16384. */
typedef enum vise_bench_set { VISE_BENCH_NAMED, VISE_BENCH_GRID } vise_bench_set;

/** Fills out[i] for i < n with the cases of set (out may be NULL when n is 0); returns how many there are. */
VISE_API size_t vise_bench_list_cases(vise_bench_set set, vise_bench_case *out, size_t n);

/** The case of this name, of either set. Errors: VISE_ERR_USAGE (listing the named ones). */
VISE_API VISE_WARN_UNUSED vise_status vise_bench_find_case(const char *name, vise_bench_case *out, vise_error *err);

/** A case of the caller's own: cross-entropy, or mse for one output; float32 features; named by its sizes.
   Errors: VISE_ERR_USAGE, VISE_ERR_SHAPE. */
VISE_API VISE_WARN_UNUSED vise_status vise_bench_make_case(const size_t *widths, size_t n_layers, size_t batch,
                                                           vise_bench_case *out, vise_error *err);

/**
 * Floating-point operations of one step: those of its matrix products, a multiply-add counting as 2. A layer of in x
 * out and a batch of N rows take 2 N in out forward, as many for the gradient of the weights and, except in the first
 * layer, as many for the gradient of the inputs. Biases, activations, loss, norms and update are not counted.
 */
VISE_API double vise_bench_step_flop(const vise_bench_case *bench_case);

/**
 * The least bytes that one step must move between memory and a processor whose scratch memory is unlimited: the rows of
 * the batch as they are stored and their targets read once, the parameters of element_bytes read once and written once.
 */
VISE_API double vise_bench_step_bytes(const vise_bench_case *bench_case, size_t element_bytes);

/** What a backend reaches when it only copies, and when it only computes: on the CPU, multiply-adds in registers
   (vise_bench_cores); on devices, products of matrices of a size that the backend chooses. */
typedef struct vise_bench_rate {
  vise_backend backend;
  vise_precision precision; /**< auto for cpu64, which has float64 alone */
  double copy_bytes_per_s;  /**< bytes read plus bytes written; NaN: not measured */
  double gemm_flop_per_s;   /**< NaN: not measured */
} vise_bench_rate;

enum { VISE_BENCH_MAX_RATES = 8 };

/** The machine that was measured. This struct does not grow. */
typedef struct vise_bench_machine {
  char cpu[128];
  int n_processors;      /**< those this process may run on */
  char blas[256];        /**< empty: no library computes the matrix products on the CPU */
  char device[256];      /**< the cuda backend's, with driver and clock; empty without one */
  char device_note[256]; /**< why one of its rates was not measured; empty: all were */
  size_t n_rates;
  vise_bench_rate rates[VISE_BENCH_MAX_RATES];
} vise_bench_machine;

enum { VISE_BENCH_MAX_CORES = 4096 };

/** What the cores reach with nothing but multiply-adds in registers (2 operations each) and how fast they hear of each
   other. This struct does not grow. */
typedef struct vise_bench_cores {
  char instructions[16];                   /**< the widest of avx512, avx2 and portable that runs here */
  int n_threads;                           /**< which compute at the same time */
  double fp32_flop_per_s, fp64_flop_per_s; /**< of all of them together */
  double round_trip_ns; /**< of a flag from one thread to another and back, lower quartile; NaN with one thread */
} vise_bench_cores;

/** One measurement. Times are microseconds per step, by events of the device for the device modes; a number that does
 * not exist is NaN. */
typedef struct vise_bench_row {
  const vise_bench_case *bench_case; /**< valid during the call */
  vise_bench_mode mode;
  vise_precision precision; /**< auto for cpu64 */
  int n_threads;            /**< 0 for the device modes */

  bool is_reference;  /**< cpu64, which the others are verified by */
  bool verified;      /**< true for the reference */
  double worst_error; /**< of the weights, relative to how far they moved; the reference: 0 */
  double tolerance;   /**< what was allowed */
  double worst_loss_error, loss_tolerance;
  size_t verified_batch; /**< rows given to cpu64: fewer than the batch where its step takes too long */

  size_t n_repeats, steps_per_repeat;
  double us_median, us_min, us_q1, us_q3, us_max;
  double steps_per_s, bytes_per_s, flop_per_s; /**< from the median and the counts above */
  double launches_per_step;                    /**< kernel launches; NaN on the CPU */
  double us_host;     /**< median by the host's clock around the same calls; on the CPU equal to us_median */
  double us_launches; /**< median of the launches alone, without what host and device send each other; NaN on the CPU */
  double floor_us;    /**< least time of a fused step by its plan; NaN for other modes */
  double share_of_floor; /**< floor_us over us_median */

  double x_unfused, x_unfused_graph;   /**< how many times as fast as these, in the same run */
  double share_of_copy, share_of_gemm; /**< of the machine's rates */

  double peak_flop_per_s; /**< of n_threads by nothing but multiply-adds, as in vise_bench_cores; NaN on devices */
  double share_of_peak;   /**< flop_per_s over that */
} vise_bench_row;

/** A part of a fused step. In order these are "start", "gather", the phases of the plan (vise info --plan), "end".
   Times are medians over steps; NaN: the part, or most steps, have none. */
typedef struct vise_bench_phase {
  const vise_bench_case *bench_case; /**< valid during the call */
  vise_bench_mode mode;
  vise_precision precision;
  char name[32];
  bool is_first;                 /**< among the parts of its row */
  double us_wait;                /**< in the exchange before it, of the CTA that waits least: the exchange alone */
  double us_skew;                /**< how much longer the CTA waits that waits most */
  double us_work;                /**< of the part, in the CTA that takes longest */
  double share_wait, share_work; /**< of all parts together; NaN where the time is */
  size_t n_steps;                /**< over which the medians are taken */
  double clock_mhz;              /**< of the multiprocessors, measured; it turned clock counts into times */
} vise_bench_phase;

typedef struct vise_bench_config {
  size_t struct_size;
  const vise_bench_case *cases; /**< borrowed */
  size_t n_cases;

  unsigned modes;                    /**< bit m: vise_bench_mode m; 0: all [0] */
  unsigned precisions;               /**< bit p: vise_precision p, for modes that have a choice; 0: all [0] */
  double seconds;                    /**< how long to time each row, about [1] */
  double total_seconds;              /**< cases that would not end within it are left out; 0: no limit [0] */
  double tolerance_factor;           /**< multiplies what the verification allows [1] */
  uint64_t steps_per_launch;         /**< of fused-many [256] */
  int n_threads, device;             /**< as in vise_train_config [0] */
  const vise_bench_machine *machine; /**< from vise_bench_measure_machine, borrowed; NULL: measured first [NULL] */

  void (*report)(void *user, const vise_bench_row *row); /**< each row once it and its ratios are known; NULL: none */
  void (*note)(void *user, const char *text);            /**< what was left out, and why; NULL: dropped */
  void (*phase)(void *user, const vise_bench_phase *phase); /**< the parts of each fused row, before the row; NULL: no
                                                                 clocks are read in the step [NULL] */
  void *user;

  /* What the hidden layers of all cases have, as in vise_net_config. */
  double dropout, input_dropout; /**< [0] */
  bool batch_norm, residual;     /**< [false] */

  const vise_dataset *data; /**< rows for all cases, borrowed: as many features as each has inputs, bytes where it has
                               byte_features; whole batches of them, in a random order; NULL: random ones [NULL] */
} vise_bench_config;

VISE_API void vise_bench_config_init(vise_bench_config *config);
VISE_API void vise_bench_config_init_sized(vise_bench_config *config, size_t n_bytes);
#define vise_bench_config_init(config) vise_bench_config_init_sized(config, sizeof *(config))

typedef struct vise_bench_result {
  size_t n_rows, n_failed; /**< failed: by verification, so that the row has no times, or by an error */
  size_t n_errors;         /**< of these, failed by an error: they have no row, and a note says why */
} vise_bench_result;

/** Names the machine and measures its rates, with the threads and the device of config. Takes about a second.
   Errors: VISE_ERR_MEMORY, VISE_ERR_DEVICE. */
VISE_API VISE_WARN_UNUSED vise_status vise_bench_measure_machine(const vise_bench_config *config,
                                                                 vise_bench_machine *out, vise_error *err);

/** Measures this many threads (1 to VISE_BENCH_MAX_CORES) for about a fifth of a second. Errors: VISE_ERR_USAGE,
   VISE_ERR_MEMORY, VISE_ERR_UNSUPPORTED (so many threads cannot be started). */
VISE_API VISE_WARN_UNUSED vise_status vise_bench_measure_cores(int n_threads, vise_bench_cores *out, vise_error *err);

/**
 * Runs the cases. For each mode and precision: a few steps are compared with cpu64 from the same weights; then it is
 * warmed up and timed in up to nine repeats of whole calls, whose end waits for the device: the times cover all that a
 * call does except shuffling. What this build or machine lacks is left out with one note. An error, even of the device,
 * is reported in a note and counted, and the run goes on with the next mode.
 * Errors: VISE_ERR_USAGE (no cases, a case without layers or rows, seconds not > 0), VISE_ERR_SHAPE (data that do not
 * fit a case); without a machine in config also those of vise_bench_measure_machine.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_bench_run(const vise_bench_config *config, vise_bench_result *out,
                                                     vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_bench_run_sized(size_t out_bytes, const vise_bench_config *config,
                                                           vise_bench_result *out, vise_error *err);
#define vise_bench_run(...) vise_bench_run_sized(sizeof(vise_bench_result), __VA_ARGS__)

/** What ranks take to add a gradient, and MPI_Allreduce for as many bytes. This struct does not grow. */
typedef struct vise_bench_exchange {
  size_t n_bytes;           /**< of the gradient, float32 */
  double exchange_seconds;  /**< the exchange of a step in 8 parts: the same bits for any number of ranks */
  double allreduce_seconds; /**< MPI_Allreduce, whose bits depend on it */
} vise_bench_exchange;

/** Every rank calls it: times the two in turns, for about `seconds`, and takes the best of each. The sum is verified first.
    Errors: VISE_ERR_USAGE (fewer than two ranks), VISE_ERR_MEMORY, VISE_ERR_IO, VISE_ERR_INTERNAL (a wrong sum). */
VISE_API VISE_WARN_UNUSED vise_status vise_bench_ranks(vise_ranks *ranks, size_t n_bytes, double seconds,
                                                       vise_bench_exchange *out, vise_error *err);

#ifdef __cplusplus
}
#endif
#endif
