/* Writing a checkpoint, to a folder or to memory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/base/temporary.h"
#include "host/json/build.h"
#include "host/json/text.h"
#include "host/model/checkpoint.h"
#include "host/model/checkpoint_format.h"

void vise_i_checkpoint_hash_text(uint64_t hash, char out[VISE_I_HASH_TEXT_BYTES]) {
  snprintf(out, VISE_I_HASH_TEXT_BYTES, "%016llx", (unsigned long long)hash);
}

vise_status vise_i_checkpoint_part_file(const char *where, const char *name, char out[VISE_I_PART_NAME_BYTES],
                                        vise_error *err) {
  size_t n = strlen(name);
  if (n == 0 || n > 64 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != n) {
    return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: '%.80s' is not a name for a part of a checkpoint", where, name);
  }
  snprintf(out, VISE_I_PART_NAME_BYTES, "%s.safetensors", name);
  return VISE_OK;
}

/* Where the files go. */
typedef struct target {
  const char *name;      /* the folder; of memory, for messages */
  vise_i_writer *memory; /* NULL: a folder */
} target;

/* A writer for one file: file, or that of memory. */
static vise_status open_file(const target *to, const char *name, vise_i_writer *file, vise_i_writer **out,
                             vise_error *err) {
  vise_status status = VISE_OK;
  char *path = NULL;
  *out = to->memory;
  if (to->memory) return VISE_OK;

  VISE_TRY(vise_i_path_join(&path, to->name, name, err));
  VISE_TRY(vise_i_writer_begin_new(file, path, err));
  *out = file;
done:
  free(path);
  return status;
}

/* status: of what was written to it; the result is that of the whole file. */
static vise_status close_file(const target *to, vise_i_writer *file, vise_status status, vise_error *err) {
  if (to->memory) return status;
  if (status == VISE_OK) return vise_i_writer_commit(file, err);
  vise_i_writer_abandon(file);
  return status;
}

static vise_status write_part(const target *to, const vise_i_checkpoint_part *part, json_t **files, vise_error *err) {
  static const vise_i_st_meta meta[] = {{"format", "pt"}};
  const vise_i_st_content content = {part->tensors, part->n_tensors, meta, 1};
  vise_status status = VISE_OK;
  char hash[VISE_I_HASH_TEXT_BYTES], file_name[VISE_I_PART_NAME_BYTES];
  vise_i_st_digest digest = {0};
  vise_i_writer file, *writer = NULL;

  VISE_TRY(vise_i_checkpoint_part_file(to->name, part->name, file_name, err));
  if (json_object_get(*files, file_name)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "%s: part '%s' comes twice", to->name, part->name));
  }

  VISE_TRY(open_file(to, file_name, &file, &writer, err));
  VISE_TRY(close_file(to, &file, vise_i_st_put(writer, &content, &digest, err), err));

  vise_i_checkpoint_hash_text(digest.xxh64, hash);
  json_t *entry = json_pack("{s:I, s:s}", "bytes", (json_int_t)digest.n_bytes, "xxh64", hash);
  vise_i_json_put(files, file_name, entry);
  if (*files == NULL) VISE_TRY(vise_i_fail_memory(err, 0, "a checkpoint's state"));

done:
  return status;
}

/* The text of state.json; malloc'ed. */
static vise_status encode_state(const json_t *state, json_t *files, char **out, vise_error *err) {
  vise_status status = VISE_OK;
  char *body = NULL, *text = NULL;
  json_t *copy = json_deep_copy(state); /* a reference would be counted in the caller's borrowed object */
  json_t *object = json_pack("{s:i, s:O, s:o}", "version", VISE_I_CHECKPOINT_VERSION, "files", files, "state", copy);
  size_t n = 0; /* of the body: its '{' makes way for the prefix, a line end is added */

  VISE_TRY(vise_i_json_text(object, JSON_INDENT(1) | JSON_REAL_PRECISION(17), "a checkpoint's state", &body, &n, err));
  if (n > VISE_I_MAX_STATE_BYTES - VISE_I_PREFIX_BYTES) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "a checkpoint's state of %zu bytes; arrays belong in its parts", n));
  }

  VISE_TRY(vise_i_alloc(&text, VISE_I_PREFIX_BYTES + n + 1, 1, "a checkpoint's state", err));
  memcpy(text + VISE_I_PREFIX_BYTES, body + 1, n - 1);
  text[VISE_I_PREFIX_BYTES + n - 1] = '\n';
  text[VISE_I_PREFIX_BYTES + n] = '\0';

  char prefix[VISE_I_PREFIX_BYTES + 1];
  snprintf(prefix, sizeof prefix, VISE_I_PREFIX_FORMAT, (unsigned long long)XXH64(text + VISE_I_PREFIX_BYTES, n, 0));
  memcpy(text, prefix, VISE_I_PREFIX_BYTES);
  *out = text;

done:
  json_decref(object);
  free(body);
  return status;
}

static vise_status write_state(const target *to, const json_t *state, json_t *files, vise_error *err) {
  vise_status status = VISE_OK;
  char *text = NULL;
  vise_i_writer file, *writer = NULL;

  VISE_TRY(encode_state(state, files, &text, err));
  const vise_i_footer footer = {strlen(text), VISE_I_FOOTER_MARK};
  VISE_TRY(open_file(to, VISE_I_STATE_FILE, &file, &writer, err));
  VISE_TRY(close_file(to, &file, vise_i_writer_write(writer, text, strlen(text), err), err));
  if (to->memory) VISE_TRY(vise_i_writer_write(to->memory, &footer, sizeof footer, err));

done:
  free(text);
  return status;
}

static vise_status write_all(const target *to, const json_t *state, const vise_i_checkpoint_part *parts, size_t n_parts,
                             vise_error *err) {
  vise_status status = VISE_OK;
  json_t *files = json_object();

  if (!files) VISE_TRY(vise_i_fail_memory(err, 0, "a checkpoint's state"));
  for (size_t i = 0; i < n_parts; ++i) VISE_TRY(write_part(to, &parts[i], &files, err));
  VISE_TRY(write_state(to, state, files, err));

done:
  json_decref(files);
  return status;
}

vise_status vise_i_checkpoint_write_memory(const json_t *state, const vise_i_checkpoint_part *parts, size_t n_parts,
                                           void **out, size_t *out_n, vise_error *err) {
  vise_i_writer writer;
  const target to = {"memory", &writer};
  vise_i_writer_begin_memory(&writer);

  vise_status status = write_all(&to, state, parts, n_parts, err);
  if (status == VISE_OK) {
    vise_i_writer_take(&writer, out, out_n);
  } else {
    vise_i_writer_abandon(&writer);
  }
  return status;
}

static vise_status check_name(const char *dir, vise_error *err) {
  const char *slash = strrchr(dir, '/');
  bool there = false;
  if (!(slash ? slash[1] : dir[0])) {
    return vise_i_fail(err, VISE_ERR_INTERNAL, "'%s' is not a name for a checkpoint", dir);
  }
  const vise_status status = vise_i_exists(dir, &there, err);
  if (!there) return status;
  return vise_i_fail(err, VISE_ERR_IO, "%s: exists already; a checkpoint is never written over", dir);
}

vise_status vise_i_checkpoint_write(const char *dir, const json_t *state, const vise_i_checkpoint_part *parts,
                                    size_t n_parts, vise_error *err) {
  vise_status status = VISE_OK;
  char *parent = NULL, *temporary = NULL;
  bool made = false;
  vise_error why = VISE_ERROR_INIT;

  VISE_TRY(check_name(dir, err));
  VISE_TRY(vise_i_parent_path(dir, &parent, err));
  VISE_TRY(vise_i_temporary_dir(dir, &temporary, err));
  made = true;

  const target to = {temporary, NULL};
  VISE_TRY(write_all(&to, state, parts, n_parts, err));
  VISE_TRY(vise_i_sync_dir(temporary, err));
  if (rename(temporary, dir) != 0) {
    VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be put in place", dir));
  }
  made = false;
  if (vise_i_sync_dir(parent, &why) != VISE_OK) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_IO, "%s: was written, but may not last: %s", dir, why.text));
  }

done:
  if (made) {
    vise_status leftover = vise_i_remove_tree(temporary, NULL); /* the first error is the one to report */
    (void)leftover;
  }
  free(temporary);
  free(parent);
  return status;
}
