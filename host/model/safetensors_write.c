/* Writing safetensors. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/base/memory.h"
#include "host/base/utf8.h"
#include "host/json/build.h"
#include "host/json/text.h"
#include "host/model/safetensors.h"
#include "host/model/safetensors_hash.h"

/* Adds value (taken over) under key, which must be new. */
static vise_status add(json_t **object, const char *key, json_t *value, vise_error *err) {
  vise_status status = VISE_OK;

  if (json_object_get(*object, key)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "safetensors: the name '%s' comes twice", key));
  }
  /* Checked before jansson sees the text: its failure does not tell bad UTF-8 from lack of memory. */
  const char *text = json_is_string(value) ? json_string_value(value) : "";
  if (!vise_i_is_utf8(key, strlen(key)) || !vise_i_is_utf8(text, strlen(text))) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "safetensors: '%s' or its value is not UTF-8", key));
  }

  vise_i_json_put(object, key, json_incref(value));
  if (*object == NULL) VISE_TRY(vise_i_fail_memory(err, 0, "a safetensors header"));

done:
  json_decref(value);
  return status;
}

static json_t *describe(const vise_i_st_tensor *tensor, size_t begin, size_t end) {
  json_t *shape = json_array();
  for (size_t d = 0; d < tensor->n_dims; ++d) vise_i_json_add(&shape, json_integer((json_int_t)tensor->dims[d]));
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", vise_i_st_dtype_name(tensor->dtype), "shape", shape, "data_offsets",
                   (json_int_t)begin, (json_int_t)end);
}

static size_t n_data_bytes(const vise_i_st_tensor *tensor) {
  return vise_i_st_n_elements(tensor) * vise_i_st_dtype_size(tensor->dtype);
}

/* The order of the data: by element size, widest first, else as given. order: [n]. */
static void lay_out(const vise_i_st_tensor *tensors, size_t n, size_t *order) {
  size_t at = 0;
  for (size_t size = 8; size >= 1; size /= 2) {
    for (size_t i = 0; i < n; ++i) {
      if (vise_i_st_dtype_size(tensors[i].dtype) == size) order[at++] = i;
    }
  }
}

static vise_status build_metadata(const vise_i_st_content *content, json_t **out, vise_error *err) {
  vise_status status = VISE_OK;
  json_t *metadata = json_object();
  char hash[VISE_I_ST_HASH_BYTES];
  for (size_t i = 0; i < content->n_meta; ++i) {
    VISE_TRY(add(&metadata, content->meta[i].key, json_string_nocheck(content->meta[i].value), err));
  }
  VISE_TRY(vise_i_st_hash(content, hash, err));
  VISE_TRY(add(&metadata, VISE_I_ST_HASH_KEY, json_string_nocheck(hash), err));

  *out = metadata;
  metadata = NULL;

done:
  json_decref(metadata);
  return status;
}

static vise_status build_header(const vise_i_st_content *content, const size_t *order, json_t **out, vise_error *err) {
  vise_status status = VISE_OK;
  json_t *header = json_object(), *metadata = NULL;
  size_t at = 0;

  VISE_TRY(build_metadata(content, &metadata, err));
  VISE_TRY(add(&header, "__metadata__", metadata, err));
  for (size_t i = 0; i < content->n_tensors; ++i) {
    const vise_i_st_tensor *tensor = &content->tensors[order[i]];
    size_t n_bytes = n_data_bytes(tensor);
    VISE_TRY(add(&header, tensor->name, describe(tensor, at, at + n_bytes), err));
    at += n_bytes;
  }

  *out = header;
  header = NULL;

done:
  json_decref(header);
  return status;
}

/* The bytes before the data: length, header, spaces up to a multiple of 8. malloc'ed. */
static vise_status encode_header(const char *name, const json_t *header, uint8_t **out, size_t *out_n,
                                 vise_error *err) {
  vise_status status = VISE_OK;
  uint8_t *bytes = NULL;
  char *text = NULL;
  size_t n_text = 0;

  VISE_TRY(vise_i_json_text(header, JSON_COMPACT, "a safetensors header", &text, &n_text, err));
  size_t padded = (n_text + 7) / 8 * 8;
  if (padded > VISE_I_ST_MAX_HEADER_BYTES) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_SHAPE, "%s: the header would have %zu bytes, the format allows %d", name, padded,
                         VISE_I_ST_MAX_HEADER_BYTES));
  }

  VISE_TRY(vise_i_alloc(&bytes, padded + 8, 1, "a safetensors header", err));
  uint64_t n_header = padded;
  memcpy(bytes, &n_header, 8);
  memset(bytes + 8, ' ', padded);
  memcpy(bytes + 8, text, n_text);

  *out = bytes;
  *out_n = padded + 8;

done:
  free(text);
  return status;
}

/* A writer, and the hash of what went to it here. */
typedef struct sink {
  vise_i_writer *writer;
  XXH64_state_t *hash;
  uint64_t n_bytes;
} sink;

static vise_status put(sink *to, const void *data, size_t n_bytes, vise_error *err) {
  if (n_bytes == 0) return VISE_OK;
  if (XXH64_update(to->hash, data, n_bytes) != XXH_OK) return vise_i_fail(err, VISE_ERR_INTERNAL, "XXH64_update");
  to->n_bytes += n_bytes;
  return vise_i_writer_write(to->writer, data, n_bytes, err);
}

vise_status vise_i_st_put(vise_i_writer *writer, const vise_i_st_content *content, vise_i_st_digest *digest,
                          vise_error *err) {
  vise_status status = VISE_OK;
  json_t *header = NULL;
  uint8_t *encoded = NULL;
  size_t *order = NULL, n_encoded = 0;
  sink to = {.writer = writer, .hash = XXH64_createState()};

  if (!to.hash || XXH64_reset(to.hash, 0) != XXH_OK) VISE_TRY(vise_i_fail_memory(err, sizeof to, "a hash"));
  VISE_TRY(vise_i_alloc(&order, content->n_tensors, sizeof *order, "tensors", err));
  lay_out(content->tensors, content->n_tensors, order);
  VISE_TRY(build_header(content, order, &header, err));
  VISE_TRY(encode_header(writer->name, header, &encoded, &n_encoded, err));

  VISE_TRY(put(&to, encoded, n_encoded, err));
  for (size_t i = 0; i < content->n_tensors; ++i) {
    const vise_i_st_tensor *tensor = &content->tensors[order[i]];
    VISE_TRY(put(&to, tensor->data, n_data_bytes(tensor), err));
  }
  if (digest) *digest = (vise_i_st_digest){to.n_bytes, XXH64_digest(to.hash)};

done:
  XXH64_freeState(to.hash);
  free(order);
  free(encoded);
  json_decref(header);
  return status;
}

vise_status vise_i_st_write(const char *path, const vise_i_st_content *content, vise_i_st_digest *digest,
                            vise_error *err) {
  vise_i_writer writer;
  vise_status status = vise_i_writer_begin(&writer, path, err);
  if (status != VISE_OK) return status;

  status = vise_i_st_put(&writer, content, digest, err);
  if (status == VISE_OK) return vise_i_writer_commit(&writer, err);
  vise_i_writer_abandon(&writer);
  return status;
}

vise_status vise_i_st_write_memory(const vise_i_st_content *content, void **out, size_t *out_n, vise_error *err) {
  vise_i_writer writer;
  vise_i_writer_begin_memory(&writer);

  vise_status status = vise_i_st_put(&writer, content, NULL, err);
  if (status == VISE_OK) {
    vise_i_writer_take(&writer, out, out_n);
  } else {
    vise_i_writer_abandon(&writer);
  }
  return status;
}
