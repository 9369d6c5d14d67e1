/*
 * The parts of a batch: the unit of what is reproducible for any number of ranks. A batch of n rows is cut into at most 8
 * parts, each a run of whole slices of 32 rows. Each part's gradient is computed by itself, wherever that is, and the parts
 * are added in a binary tree: (0 + 1) + (2 + 3), and so on. A rank has neighbouring parts; it adds those that are whole
 * nodes of the tree and sends the sums.
 */
#ifndef VISE_I_PARTS_H
#define VISE_I_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "vise/ranks.h"

enum { VISE_I_MOST_PARTS = VISE_MOST_PARTS, VISE_I_PART_ROWS = 32 };

/* Parts of a batch: how many, and which of them a process has: [first, end), perhaps none. */
typedef struct vise_i_parts {
  size_t n, first, end;
} vise_i_parts;

/* Of n_rows >= 1 rows in at most `most` >= 1 parts, those of a rank of n_ranks. */
vise_i_parts vise_i_parts_of(size_t most, size_t n_rows, size_t rank, size_t n_ranks);
/* Of the same batch, those of another rank. */
vise_i_parts vise_i_parts_of_rank(const vise_i_parts *of, size_t rank, size_t n_ranks);
/* The most parts that a rank has of batches of up to n_rows rows, and the most rows of one part. */
size_t vise_i_most_parts(size_t most, size_t n_rows, size_t rank, size_t n_ranks);
size_t vise_i_most_part_rows(size_t most, size_t n_rows);

/* Rows [*first, *end) of part p of n_rows rows in n_parts. */
void vise_i_part_rows(size_t n_rows, size_t n_parts, size_t p, size_t *first, size_t *end);

/* Whether the node of the tree that begins at part p takes the one that begins `step` parts later, where both are made
   of parts [first, end) of n alone: for p a multiple of 2 step. */
bool vise_i_parts_join(const vise_i_parts *parts, size_t p, size_t step);

/* The nodes that a process is left with when it has added what it can: out [VISE_I_MOST_PARTS], by the part they begin at.
   Returns their number. */
size_t vise_i_parts_nodes(const vise_i_parts *parts, size_t *out);

#endif
