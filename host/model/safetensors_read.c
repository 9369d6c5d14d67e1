/*
 * Reading safetensors: 8 bytes of header length (little-endian), a JSON header, the data. Only the header is
 * trusted, and only after every statement in it was checked against the bytes of the file: each tensor's range has the
 * size of its shape, and the ranges, put in order, cover the data without gap or overlap.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/base/quote.h"
#include "host/json/read.h"
#include "host/model/safetensors.h"
#include "host/model/safetensors_hash.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors data are little-endian, and used as they are");

#define LENGTH_BYTES 8
#define METADATA "__metadata__"

typedef struct entry {
  vise_i_st_tensor tensor;
  size_t begin, end; /* in the data */
} entry;

struct vise_i_st_file {
  json_t *header; /* owns the names and the metadata's texts */
  uint8_t *data;
  vise_i_st_tensor *tensors;
  size_t n_tensors;
};

/* A name from a file, for use in a message. */
typedef struct shown {
  char text[VISE_I_QUOTE_BYTES];
} shown;

static shown show(const char *name) {
  shown out;
  vise_i_quote(out.text, name, strlen(name));
  return out;
}

static vise_status parse_dtype(const char *file, const char *name, const json_t *value, vise_i_st_dtype *out,
                               vise_error *err) {
  const char *text = json_string_value(value);
  if (!text) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%s': \"dtype\" is missing or no text", file, show(name).text);
  }

  if (vise_i_st_dtype_parse(text, out)) return VISE_OK;

  if (strcmp(text, "F16") == 0 || strcmp(text, "BF16") == 0) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%s' is %s, which Vise does not read; convert it to F32 first",
                       file, show(name).text, text);
  }
  return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%s': dtype '%s', expected F32, F64, I64 or U8", file,
                     show(name).text, show(text).text);
}

static bool parse_size(const json_t *value, size_t *out) {
  if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
  *out = (size_t)json_integer_value(value);
  return true;
}

static vise_status parse_shape(const char *file, const char *name, const json_t *value, vise_i_st_tensor *tensor,
                               size_t *n_bytes, vise_error *err) {
  if (!json_is_array(value)) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%s': \"shape\" is missing or no array", file,
                       show(name).text);
  }
  if (json_array_size(value) > VISE_I_ST_MAX_DIMS) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%s': %zu dimensions, at most %d are read", file,
                       show(name).text, json_array_size(value), VISE_I_ST_MAX_DIMS);
  }

  size_t n = vise_i_st_dtype_size(tensor->dtype);
  tensor->n_dims = json_array_size(value);
  for (size_t d = 0; d < tensor->n_dims; ++d) {
    if (!parse_size(json_array_get(value, d), &tensor->dims[d])) {
      return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%s': dimension %zu is not an integer >= 0", file,
                         show(name).text, d);
    }
    if (!vise_i_size_mul(n, tensor->dims[d], &n)) {
      return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%s': the shape's size overflows", file, show(name).text);
    }
  }

  *n_bytes = n;
  return VISE_OK;
}

static vise_status parse_entry(const char *file, const char *name, const json_t *value, size_t data_bytes, entry *out,
                               vise_error *err) {
  vise_status status = VISE_OK;
  size_t n_bytes = 0;
  const json_t *offsets = json_object_get(value, "data_offsets");
  out->tensor.name = name;

  if (!json_is_object(value) || json_object_size(value) != 3) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%s': expected an object of dtype, shape and data_offsets",
                       file, show(name).text);
  }

  VISE_TRY(parse_dtype(file, name, json_object_get(value, "dtype"), &out->tensor.dtype, err));
  VISE_TRY(parse_shape(file, name, json_object_get(value, "shape"), &out->tensor, &n_bytes, err));

  if (json_array_size(offsets) != 2 || !parse_size(json_array_get(offsets, 0), &out->begin) ||
      !parse_size(json_array_get(offsets, 1), &out->end)) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%s': \"data_offsets\" is not two integers >= 0", file,
                       show(name).text);
  }

  if (out->begin > out->end || out->end > data_bytes) {
    return vise_i_fail(err, VISE_ERR_FORMAT,
                       "%s: tensor '%s': bytes %zu to %zu lie outside the %zu bytes of data "
                       "(is the file cut?)",
                       file, show(name).text, out->begin, out->end, data_bytes);
  }
  if (out->end - out->begin != n_bytes) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensor '%s': %zu bytes of data, but dtype and shape need %zu", file,
                       show(name).text, out->end - out->begin, n_bytes);
  }

done:
  return status;
}

static vise_status check_metadata(const char *file, const json_t *metadata, vise_error *err) {
  if (!json_is_object(metadata)) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: " METADATA " is not an object", file);
  }

  for (void *i = json_object_iter((json_t *)(uintptr_t)metadata); i;
       i = json_object_iter_next((json_t *)(uintptr_t)metadata, i)) {
    if (!json_is_string(json_object_iter_value(i))) {
      return vise_i_fail(err, VISE_ERR_FORMAT, "%s: " METADATA " entry '%s' is not a text", file,
                         show(json_object_iter_key(i)).text);
    }
  }
  return VISE_OK;
}

static int by_place(const void *a, const void *b) {
  const entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end) return x->end < y->end ? -1 : 1;
  return strcmp(x->tensor.name, y->tensor.name);
}

static vise_status check_cover(const char *file, const entry *entries, size_t n, size_t data_bytes, vise_error *err) {
  size_t end = 0;

  for (size_t i = 0; i < n; ++i) {
    if (entries[i].begin < end) {
      return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensors '%s' and '%s' overlap", file,
                         show(entries[i - 1].tensor.name).text, show(entries[i].tensor.name).text);
    }
    if (entries[i].begin > end) {
      return vise_i_fail(err, VISE_ERR_FORMAT, "%s: bytes %zu to %zu, before tensor '%s', belong to no tensor", file,
                         end, entries[i].begin, show(entries[i].tensor.name).text);
    }
    end = entries[i].end;
  }

  if (end != data_bytes) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: %zu bytes of data, but the tensors end at %zu", file, data_bytes,
                       end);
  }
  return VISE_OK;
}

static vise_status parse_header(const char *file, const uint8_t *bytes, size_t n_bytes, json_t **out, size_t *out_data,
                                vise_error *err) {
  uint64_t n_header = 0;

  if (n_bytes < LENGTH_BYTES) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: %zu bytes; a safetensors file has at least %d", file, n_bytes,
                       LENGTH_BYTES + 2);
  }

  memcpy(&n_header, bytes, LENGTH_BYTES);
  if (n_header > VISE_I_ST_MAX_HEADER_BYTES) {
    return vise_i_fail(err, VISE_ERR_FORMAT,
                       "%s: a header of %llu bytes, at most %d are allowed; is this a "
                       "safetensors file?",
                       file, (unsigned long long)n_header, VISE_I_ST_MAX_HEADER_BYTES);
  }

  if (n_header > n_bytes - LENGTH_BYTES) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: a header of %llu bytes, but only %zu follow; the file is cut", file,
                       (unsigned long long)n_header, n_bytes - LENGTH_BYTES);
  }
  if (n_header < 2 || bytes[LENGTH_BYTES] != '{') {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: the header does not begin with '{'; is this a safetensors file?",
                       file);
  }

  vise_i_json_fault fault;
  const vise_status status = vise_i_json_parse((const char *)bytes + LENGTH_BYTES, (size_t)n_header, out, &fault);
  if (status == VISE_ERR_MEMORY) return vise_i_fail_memory(err, 0, "a safetensors header");
  if (status != VISE_OK) {
    return vise_i_fail(err, status, "%s: header, byte %zu: %s", file, fault.byte, fault.what);
  }
  *out_data = LENGTH_BYTES + (size_t)n_header;
  return VISE_OK;
}

/* Copies the data so that each tensor is aligned, and fills the table in the order of the data. */
static vise_status take_data(vise_i_st_file *file, const entry *entries, size_t n, const uint8_t *data,
                             vise_error *err) {
  vise_status status = VISE_OK;
  size_t total = 0, at = 0;

  for (size_t i = 0; i < n; ++i) total += (entries[i].end - entries[i].begin + 7) / 8 * 8;
  VISE_TRY(vise_i_alloc_aligned(&file->data, total, 1, "tensors", err));
  VISE_TRY(vise_i_alloc(&file->tensors, n, sizeof *file->tensors, "tensors", err));

  for (size_t i = 0; i < n; ++i) {
    size_t n_bytes = entries[i].end - entries[i].begin;
    if (n_bytes > 0) memcpy(file->data + at, data + entries[i].begin, n_bytes);
    file->tensors[i] = entries[i].tensor;
    file->tensors[i].data = file->data + at;
    at += (n_bytes + 7) / 8 * 8;
  }
  file->n_tensors = n;

done:
  return status;
}

vise_status vise_i_st_list_metadata(const vise_i_st_file *file, vise_i_st_meta **out, size_t *out_n, vise_error *err) {
  json_t *metadata = json_object_get(file->header, METADATA);
  vise_i_st_meta *list = NULL;
  size_t n = 0;
  const vise_status status = vise_i_alloc(&list, json_object_size(metadata), sizeof *list, "a file's metadata", err);
  if (status != VISE_OK) return status;

  for (void *i = json_object_iter(metadata); i; i = json_object_iter_next(metadata, i)) {
    list[n++] = (vise_i_st_meta){json_object_iter_key(i), json_string_value(json_object_iter_value(i))};
  }
  *out = list;
  *out_n = n;
  return VISE_OK;
}

/* Compares the hash that the metadata state, if they state one. */
static vise_status check_hash(const char *name, const vise_i_st_file *file, vise_error *err) {
  vise_status status = VISE_OK;
  const char *stated = vise_i_st_metadata(file, VISE_I_ST_HASH_KEY);
  vise_i_st_content content = {.tensors = file->tensors, .n_tensors = file->n_tensors};
  vise_i_st_meta *meta = NULL;
  char hash[VISE_I_ST_HASH_BYTES];
  if (stated == NULL) return VISE_OK;

  VISE_TRY(vise_i_st_list_metadata(file, &meta, &content.n_meta, err));
  content.meta = meta;
  VISE_TRY(vise_i_st_hash(&content, hash, err));
  if (strcmp(hash, stated) != 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT,
                         "%s: damaged: its hash is %s, but it states %s; a program that changes such a file on purpose "
                         "leaves '" VISE_I_ST_HASH_KEY "' out of the metadata",
                         name, hash, show(stated).text));
  }

done:
  free(meta);
  return status;
}

vise_status vise_i_st_parse(const char *name, const uint8_t *bytes, size_t n_bytes, vise_i_st_file **out,
                            vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_st_file *file = NULL;
  entry *entries = NULL;
  size_t n = 0, data_at = 0;

  VISE_TRY(vise_i_alloc_zero(&file, 1, sizeof *file, "a safetensors file", err));
  VISE_TRY(parse_header(name, bytes, n_bytes, &file->header, &data_at, err));
  VISE_TRY(vise_i_alloc_zero(&entries, json_object_size(file->header), sizeof *entries, "tensors", err));

  for (void *i = json_object_iter(file->header); i; i = json_object_iter_next(file->header, i)) {
    const char *key = json_object_iter_key(i);
    if (strcmp(key, METADATA) == 0) {
      VISE_TRY(check_metadata(name, json_object_iter_value(i), err));
    } else {
      VISE_TRY(parse_entry(name, key, json_object_iter_value(i), n_bytes - data_at, &entries[n], err));
      ++n;
    }
  }

  qsort(entries, n, sizeof *entries, by_place);
  VISE_TRY(check_cover(name, entries, n, n_bytes - data_at, err));
  VISE_TRY(take_data(file, entries, n, bytes + data_at, err));
  VISE_TRY(check_hash(name, file, err));

  *out = file;
  file = NULL;

done:
  free(entries);
  vise_i_st_free(file);
  return status;
}

vise_status vise_i_st_read(const char *path, vise_i_st_file **out, vise_error *err) {
  uint8_t *bytes = NULL;
  size_t n_bytes = 0;
  vise_status status = vise_i_read_file(path, PTRDIFF_MAX - 1, &bytes, &n_bytes, err);
  if (status != VISE_OK) return status;
  status = vise_i_st_parse(path, bytes, n_bytes, out, err);
  free(bytes);
  return status;
}

void vise_i_st_free(vise_i_st_file *file) {
  if (!file) return;
  json_decref(file->header);
  free(file->data);
  free(file->tensors);
  free(file);
}

size_t vise_i_st_n_tensors(const vise_i_st_file *file) {
  return file->n_tensors;
}

const vise_i_st_tensor *vise_i_st_at(const vise_i_st_file *file, size_t i) {
  return i < file->n_tensors ? &file->tensors[i] : NULL;
}

const vise_i_st_tensor *vise_i_st_find(const vise_i_st_file *file, const char *name) {
  for (size_t i = 0; i < file->n_tensors; ++i) {
    if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
  }
  return NULL;
}

const char *vise_i_st_metadata(const vise_i_st_file *file, const char *key) {
  return json_string_value(json_object_get(json_object_get(file->header, METADATA), key));
}
