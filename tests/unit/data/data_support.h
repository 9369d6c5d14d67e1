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

/* Fails the test unless the call returned `code` with a text that contains `text`. */
void expect_error(vise_status status, const vise_error *err, vise_status code, const char *text, const char *file,
                  int line);
#define EXPECT_ERROR(status, err, code, text) expect_error(status, err, code, text, __FILE__, __LINE__)

#define EXPECT_OK(call, err) cr_assert_eq((call), VISE_OK, "%s", (err).text)

/* NaN-safe: fails unless got is within tol of ref. */
#define EXPECT_NEAR(got, ref, tol) \
  cr_assert(fabs((got) - (ref)) <= (tol), "%s: got %.17g, expected %.17g", #got, (double)(got), (double)(ref))

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

/* Make a fresh folder; "<folder>/<name>" in one of 16 static buffers used in turn; write a file in the folder. */
const char *make_folder(void);
const char *in_folder(const char *folder, const char *name);
const char *write_bytes(const char *folder, const char *name, const void *data, size_t n);
const char *write_text(const char *folder, const char *name, const char *text);
void remove_folder(const char *folder);

#endif
