/* What the tests of the data layer share. */
#ifndef VISE_DATA_SUPPORT_H
#define VISE_DATA_SUPPORT_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/array.h"
#include "host/data/dataset.h"
#include "host/data/reader.h"
#include "tests/support/unit.h"

/* Bytes that grow by appending. */
typedef struct buffer {
  uint8_t *bytes;
  size_t n;
} buffer;
void append(buffer *b, const void *data, size_t n);
void append_u32_be(buffer *b, uint32_t v);
/* An NPY file: header text and version, then data. */
buffer make_npy(int version, const char *descr, const char *order, const char *shape, const void *data, size_t n);
/* b as gzip data (one member); b stays as it is. */
buffer gzip_of(const buffer *b);
void release_buffer(buffer *b);

/* Writes a file in the test's folder; returns its path, as rig_in does. */
const char *write_bytes(const char *name, const void *data, size_t n);
const char *write_text(const char *name, const char *text);

#endif
