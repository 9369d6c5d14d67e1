/**
 * @file
 * Searching strengths: which configurations to train (vise_space), and which of them to use once each has its scores on
 * held-out folds (vise_scores). Nothing here trains: what is done between the two is the caller's.
 *
 *   vise_space_options_init(&options);
 *   vise_space_create(&options, &space, &err);
 *   vise_space_add_axis(space, "l2=0,0.001,0.01,0.1", &err);     (again and again)
 *   vise_space_text(space, point, axis, text, sizeof text);      (for vise_train_config_set)
 *   ...
 *   vise_complexity_parse(NULL, &complexity, &err);
 *   vise_complexity_keys(complexity, &config, &net, n_rows, keys + point * n_keys, &err);
 *   vise_scores_choose(&scores, VISE_SELECT_ONE_SE, keys, n_keys, &winner, &err);
 *
 * A space is used by one thread while axes are added, and may then be read by any number of them.
 */
#ifndef VISE_SEARCH_H
#define VISE_SEARCH_H

#include "vise/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what to try ------------------------------------------------------------------------------------------------ */

/** Most points of a space. */
#define VISE_MAX_POINTS 10000000
/** Most axes of a Sobol sequence. */
#define VISE_MAX_SOBOL_AXES 64

/** How to search. Initialise with vise_space_options_init. */
typedef struct vise_space_options {
  size_t struct_size;
  vise_search search; /**< [grid] */
  size_t n_configs;   /**< random, sobol: points, at least 1; grid: 0, since its axes say how many [0] */
  uint64_t seed;      /**< of random; of the shift of sobol [0] */
} vise_space_options;

VISE_API void vise_space_options_init_sized(vise_space_options *options, size_t n_bytes);
VISE_API void vise_space_options_init(vise_space_options *options);
#define vise_space_options_init(options) vise_space_options_init_sized(options, sizeof *(options))

/**
 * The points of a search: each has a value on every axis, and depends on the axes and the options alone.
 *  - grid: every combination of the axes' values; the last axis varies fastest.
 *  - random: Philox(seed, point, axis). A list's values are equally likely; ranges are uniform, or log-uniform. Point i
 *    is the same whatever n_configs is: more points extend a search.
 *  - sobol: point i of the sequence with the direction numbers new-joe-kuo-6.21201 in the order of Gray codes, as
 *    scipy.stats.qmc.Sobol(scramble=False, bits=32) has it, with the digits of each axis shifted (exclusive or) by
 *    Philox(seed, axis), so that seeds differ and point 0 is not the low end of every range. More points extend it too;
 *    powers of 2 are balanced best.
 */
typedef struct vise_space vise_space;

/** Errors: VISE_ERR_USAGE, VISE_ERR_MEMORY. Free with vise_space_free. */
VISE_API VISE_WARN_UNUSED vise_status vise_space_create(const vise_space_options *options, vise_space **out,
                                                        vise_error *err);
/** NULL is allowed. */
VISE_API void vise_space_free(vise_space *space);

/**
 * Adds an axis: a name of letters a-z, digits, - and _ (which is -), such as that of an option, and its values. The name
 * is not looked up: a tool has options of its own.
 *  - "NAME=V1,V2,..."   a list of texts, kept as they are; no value is empty or there twice (0.1 and 1e-1 are one).
 *                       With a ; in it, values are what stands between these: "class-weights=1,2;1,5".
 *  - "NAME=LO..HI"      a range of numbers LO < HI, for random and sobol. With ":log" (0 < LO) its logarithm is uniform;
 *                       with ":int" (both of at most 2^53) whole numbers from LO to HI, both of them among these.
 *                       ":log:int" and ":int:log": the log-uniform numbers from LO - 0.5 to HI + 0.5, rounded.
 * Errors: VISE_ERR_USAGE (it is not as above, an axis has that name, a grid of more than VISE_MAX_POINTS or with a
 * range, more than VISE_MAX_SOBOL_AXES axes), VISE_ERR_MEMORY; the space is unchanged then.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_space_add_axis(vise_space *space, const char *text, vise_error *err);

VISE_API size_t vise_space_n_axes(const vise_space *space);
/** "clip-norm"; NULL beyond the last axis. Owned by the space; an axis that is added may move it. */
VISE_API const char *vise_space_axis_name(const vise_space *space, size_t axis);
/** Of a grid without axes: 1. */
VISE_API size_t vise_space_n_points(const vise_space *space);

/** The value of a point on an axis as text. Numbers of ranges have at most 6 significant digits, and the value is what
    the text says; whole numbers have no exponent. Returns its length, as snprintf does; 0 beyond the last. */
VISE_API size_t vise_space_text(const vise_space *space, size_t point, size_t axis, char *buffer, size_t n_bytes);
/** The same as a number. Where numbers stand in a list, so is `off` one: infinity for an option that bounds something
    (clamp, clip-..., max-norm, max-update, epochs, steps), else 0. NaN for other texts, and beyond the last. */
VISE_API double vise_space_number(const vise_space *space, size_t point, size_t axis);

/**
 * Whether better values may lie beyond the axis: -1 at its lower edge, 1 at its upper one, else 0. The edges are the
 * smallest and the largest number of a list of at least 3, or the outer 5 % of a range (of its logarithm with ":log").
 * No edges: `off`, numbers that an option of the library cannot exceed (l2 0), seeds, other texts.
 */
VISE_API int vise_space_edge(const vise_space *space, size_t point, size_t axis);

/** Writes to out[point] the first point that has the same texts, its own number where there is none before it. n must
    be vise_space_n_points. Errors: VISE_ERR_USAGE, VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_space_same_as(const vise_space *space, size_t *out, size_t n,
                                                         vise_error *err);

/* ---- what is more regularised ----------------------------------------------------------------------------------- */

/**
 * What is compared, and in which order, to say which of two configurations is more regularised. By default: larger l2,
 * l1 and norm-penalty (as k2, k1 and kF of docs/step.md, after the convention), smaller clamp, clamp-init, clip-value, clip-norm and
 * clip-agc, larger decoupled-decay, dropout and input-dropout, smaller max-norm, row-l1 and row-l1-sided.
 */
typedef struct vise_complexity vise_complexity;

/**
 * list: NULL (the default), or options of vise_train_config and vise_net_config with commas between them, each followed
 * by :max if larger values are more regularised, or :min. Those of the default, label-smoothing (:max), max-update,
 * layers, epochs and steps (:min) need neither. Options that are not a number, an interval, a yes or no, or layers have
 * no order. Errors: VISE_ERR_USAGE, VISE_ERR_MEMORY. Free with vise_complexity_free.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_complexity_parse(const char *list, vise_complexity **out, vise_error *err);
/** NULL is allowed. */
VISE_API void vise_complexity_free(vise_complexity *complexity);

VISE_API size_t vise_complexity_n_keys(const vise_complexity *complexity);
/** The option that key i is made of; NULL beyond the last. */
VISE_API const char *vise_complexity_name(const vise_complexity *complexity, size_t i);
/** Whether larger values of it are more regularised. */
VISE_API bool vise_complexity_is_max(const vise_complexity *complexity, size_t i);

/**
 * Writes vise_complexity_n_keys numbers to out: larger is more regularised, so that they are minus the value where
 * smaller values are. An interval counts by its larger absolute bound; clamp by the largest over the net's linear
 * layers, with clamp_layer's; layers by the number of weights, biases not counted (an `auto` as 1); yes as 1 and no as 0.
 * `off` is infinity or 0 as for vise_space_number; of other options, words are least regularised. n_rows: rows trained
 * on, for penalty_convention over_m, else 0 will do. Errors: VISE_ERR_USAGE.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_complexity_keys(const vise_complexity *complexity,
                                                           const vise_train_config *config, const vise_net_config *net,
                                                           size_t n_rows, double *out, vise_error *err);

/* ---- what to use ------------------------------------------------------------------------------------------------ */

/** Held-out scores: that of a fold is values[(config * n_repeats + repeat) * n_folds + fold]. Initialise with
    vise_scores_init; values are borrowed for the call. A configuration with a score that is not finite is worst. */
typedef struct vise_scores {
  size_t struct_size;
  const double *values;
  size_t n_configs;      /**< at least 1 */
  size_t n_repeats;      /**< at least 1 [1] */
  size_t n_folds;        /**< at least 1 [1] */
  bool larger_is_better; /**< accuracy, auc, r2; else losses and errors [false] */
} vise_scores;

VISE_API void vise_scores_init_sized(vise_scores *scores, size_t n_bytes);
VISE_API void vise_scores_init(vise_scores *scores);
#define vise_scores_init(scores) vise_scores_init_sized(scores, sizeof *(scores))

/**
 * means[n_configs]: of all scores of a configuration; infinity on the worse side if one is not finite.
 * errors[n_configs]: the standard error of that, sd / sqrt(n_folds) over the folds of a repeat (sd with ddof 1),
 * averaged over the repeats: folds of different repeats share rows and do not make it smaller. NaN for one fold, and
 * where a score is not finite. Errors: VISE_ERR_USAGE.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_scores_summarize(const vise_scores *scores, double *means, double *errors,
                                                            vise_error *err);

/** ranks[n_configs]: 1 for the best mean; equal means share the lowest of their ranks, as in scikit-learn's
    rank_test_score; configurations with a score that is not finite share the last one. Errors: VISE_ERR_USAGE,
    VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_scores_rank(const vise_scores *scores, size_t *ranks, vise_error *err);

/**
 * The configuration to use.
 *  - best: that of the best mean, of equals the first.
 *  - one-se: of those whose mean is within one standard error of the best one's (<= mean + error, or >= mean - error if
 *    larger is better) the most regularised, by keys[n_configs][n_keys], compared one after the other, larger is more
 *    regularised; of equals that of the better mean, then the first. Without an error (one fold) it is best.
 * keys may be NULL for best. Errors: VISE_ERR_USAGE, VISE_ERR_VALUE (no configuration has finite scores),
 * VISE_ERR_MEMORY.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_scores_choose(const vise_scores *scores, vise_select select,
                                                         const double *keys, size_t n_keys, size_t *out,
                                                         vise_error *err);

#ifdef __cplusplus
}
#endif
#endif
