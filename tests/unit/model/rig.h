/* What the model tests share. */
#ifndef VISE_TEST_MODEL_RIG_H
#define VISE_TEST_MODEL_RIG_H

#include <stddef.h>
#include <stdint.h>

#include "host/model/model.h"
#include "tests/support/unit.h"

/* A net of these widths (ended by 0), linear initialisation with seed 7. */
vise_model *rig_model(const size_t *widths, bool bias, vise_dtype dtype);
/* The same, with everything set that a file stores: loss, smoothing, both scalings, a mask. */
vise_model *rig_full_model(vise_dtype dtype);
/* Fails the test unless both have the same bits, including the mask if with_mask. */
void rig_assert_same(const vise_model *a, const vise_model *b, bool with_mask);

void rig_read(const char *path, uint8_t **bytes, size_t *n);
void rig_write(const char *path, const void *bytes, size_t n);
/* Number of entries in the folder. */
size_t rig_n_entries(const char *folder);

#endif
