/*
 * Writing and verifying one checkpoint folder. state.json begins with the hash of all that follows it:
 *   {"xxh64":"<16 hex digits>",
 *   "version":1,"files":{"model.safetensors":{"bytes":1234,"xxh64":"..."}},"state":{...}}
 * so that any change of any byte is found: in the fixed text, in the digits, or in what they cover.
 */
#include "host/model/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "host/base/file.h"
#include "host/base/json_text.h"
#include "host/base/memory.h"
#include "host/base/temporary.h"

#define STATE_FILE "state.json"
#define VERSION 1
/* PREFIX_BYTES long. */
#define PREFIX_FORMAT "{\"xxh64\":\"%016llx\",\n"
enum { PREFIX_BYTES = 29 };
#define MAX_STATE_BYTES ((size_t)64 << 20)

static void hash_text(uint64_t hash, char out[17]) {
  snprintf(out, 17, "%016llx", (unsigned long long)hash);
}

static vise_status check_name(const char *dir, const char *name, vise_error *err) {
  size_t n = strlen(name);
  if (n > 0 && n <= 64 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: '%.80s' is no name for a part of a checkpoint", dir, name);
}

/* malloc'ed "<dir>/<name>.safetensors". */
static vise_status part_path(char **out, const char *dir, const char *name, vise_error *err) {
  char file_name[96];
  vise_status status = check_name(dir, name, err);
  if (status != VISE_OK) return status;
  snprintf(file_name, sizeof file_name, "%s.safetensors", name);
  return vise_i_path_join(out, dir, file_name, err);
}

static vise_status write_part(const char *dir, const vise_i_checkpoint_part *part, json_t *files, vise_error *err) {
  static const vise_i_st_meta meta[] = {{"format", "pt"}};
  vise_status status = VISE_OK;
  char *path = NULL, hash[17];
  uint64_t n_bytes = 0, xxh64 = 0;

  VISE_TRY(part_path(&path, dir, part->name, err));
  VISE_TRY(vise_i_st_write_hashed(path, part->tensors, part->n_tensors, meta, 1, &n_bytes, &xxh64, err));
  hash_text(xxh64, hash);

  const char *file_name = strrchr(path, '/') + 1;
  if (json_object_get(files, file_name)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "%s: part '%s' comes twice", dir, part->name));
  }
  if (json_object_set_new(files, file_name, json_pack("{s:I, s:s}", "bytes", (json_int_t)n_bytes, "xxh64", hash)) !=
      0) {
    VISE_TRY(vise_i_fail_memory(err, 0, "a checkpoint's state"));
  }

done:
  free(path);
  return status;
}

/* The text of state.json; malloc'ed. */
static vise_status encode_state(const json_t *state, json_t *files, char **out, vise_error *err) {
  vise_status status = VISE_OK;
  char *body = NULL, *text = NULL;
  json_t *copy = json_deep_copy(state); /* a reference would be counted in the caller's borrowed object */
  json_t *object = json_pack("{s:i, s:O, s:o}", "version", VERSION, "files", files, "state", copy);
  size_t n = 0; /* of the body: its '{' makes way for the prefix, a line end is added */

  VISE_TRY(vise_i_json_text(object, JSON_INDENT(1) | JSON_REAL_PRECISION(17), "a checkpoint's state", &body, &n, err));
  if (n > MAX_STATE_BYTES - PREFIX_BYTES) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "a checkpoint's state of %zu bytes; arrays belong in its parts", n));
  }

  VISE_TRY(vise_i_alloc(&text, PREFIX_BYTES + n + 1, 1, "a checkpoint's state", err));
  memcpy(text + PREFIX_BYTES, body + 1, n - 1);
  text[PREFIX_BYTES + n - 1] = '\n';
  text[PREFIX_BYTES + n] = '\0';

  char prefix[PREFIX_BYTES + 1];
  snprintf(prefix, sizeof prefix, PREFIX_FORMAT, (unsigned long long)XXH64(text + PREFIX_BYTES, n, 0));
  memcpy(text, prefix, PREFIX_BYTES);
  *out = text;

done:
  json_decref(object);
  free(body);
  return status;
}

static vise_status write_state(const char *dir, const json_t *state, json_t *files, vise_error *err) {
  vise_status status = VISE_OK;
  char *path = NULL, *text = NULL;
  VISE_TRY(encode_state(state, files, &text, err));
  VISE_TRY(vise_i_path_join(&path, dir, STATE_FILE, err));
  VISE_TRY(vise_i_write_file(path, text, strlen(text), err));
done:
  free(text);
  free(path);
  return status;
}

/* The folder that dir lies in, malloc'ed. */
static vise_status parent_of(const char *dir, char **out, vise_error *err) {
  const char *slash = strrchr(dir, '/');
  if (!(slash ? slash[1] : dir[0])) return vise_i_fail(err, VISE_ERR_INTERNAL, "'%s' is no name for a checkpoint", dir);
  vise_status status = vise_i_copy_text(out, slash ? dir : ".", err);
  if (status == VISE_OK && slash) (*out)[slash == dir ? 1 : slash - dir] = '\0';
  return status;
}

vise_status vise_i_checkpoint_write(const char *dir, const json_t *state, const vise_i_checkpoint_part *parts,
                                    size_t n_parts, vise_error *err) {
  vise_status status = VISE_OK;
  char *parent = NULL, *temporary = NULL;
  json_t *files = json_object();
  bool made = false;
  struct stat info;

  if (!files) VISE_TRY(vise_i_fail_memory(err, 0, "a checkpoint's state"));
  if (lstat(dir, &info) == 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_IO, "%s: exists already; a checkpoint is never written over", dir));
  }

  VISE_TRY(parent_of(dir, &parent, err));
  VISE_TRY(vise_i_temporary_dir(dir, &temporary, err));
  made = true;

  for (size_t i = 0; i < n_parts; ++i) VISE_TRY(write_part(temporary, &parts[i], files, err));
  VISE_TRY(write_state(temporary, state, files, err));
  VISE_TRY(vise_i_sync_dir(temporary, err));

  if (rename(temporary, dir) != 0) {
    VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be put in place", dir));
  }
  made = false;
  VISE_TRY(vise_i_sync_dir(parent, err));

done:
  if (made) {
    vise_status leftover = vise_i_remove_tree(temporary, NULL); /* the first error is the one to report */
    (void)leftover;
  }
  json_decref(files);
  free(temporary);
  free(parent);
  return status;
}

/* Reads a whole file of the checkpoint dir; one that is missing there, no regular file or too large is damage. */
static vise_status read_whole(const char *dir, const char *path, size_t max_bytes, uint8_t **out, size_t *out_n,
                              vise_error *err) {
  struct stat info;
  const bool found = stat(path, &info) == 0;
  const bool missing = !found && errno == ENOENT && access(dir, F_OK) == 0;

  if (missing) return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is missing", path);
  if (found && !S_ISREG(info.st_mode)) return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is not a regular file", path);
  if (found && (uint64_t)info.st_size > max_bytes) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: %lld bytes, at most %zu are possible", path, (long long)info.st_size,
                       max_bytes);
  }
  return vise_i_read_file(path, max_bytes, out, out_n, err);
}

/* Reads state.json, checks its hash and its form; *out is the whole object. */
static vise_status read_table(const char *dir, json_t **out, vise_error *err) {
  vise_status status = VISE_OK;
  char *path = NULL, prefix[PREFIX_BYTES + 1];
  uint8_t *bytes = NULL;
  size_t n_bytes = 0;
  json_t *object = NULL;
  json_error_t reason;

  VISE_TRY(vise_i_path_join(&path, dir, STATE_FILE, err));
  VISE_TRY(read_whole(dir, path, MAX_STATE_BYTES, &bytes, &n_bytes, err));

  if (n_bytes < PREFIX_BYTES) VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: cut after %zu bytes", path, n_bytes));
  snprintf(prefix, sizeof prefix, PREFIX_FORMAT,
           (unsigned long long)XXH64(bytes + PREFIX_BYTES, n_bytes - PREFIX_BYTES, 0));
  if (memcmp(bytes, prefix, PREFIX_BYTES) != 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: damaged: it does not have the hash that it states", path));
  }

  object = json_loadb((const char *)bytes, n_bytes, JSON_REJECT_DUPLICATES, &reason);
  if (!object) {
    const bool no_memory = json_error_code(&reason) == json_error_out_of_memory;
    VISE_TRY(
        vise_i_fail(err, no_memory ? VISE_ERR_MEMORY : VISE_ERR_FORMAT, "%s:%d: %s", path, reason.line, reason.text));
  }

  if (json_integer_value(json_object_get(object, "version")) != VERSION) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "%s: not of checkpoint version %d; was it written by a newer Vise?",
                         path, VERSION));
  }
  if (!json_is_object(json_object_get(object, "files")) || !json_object_get(object, "state")) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: no \"files\" or no \"state\"", path));
  }

  *out = json_incref(object);

done:
  json_decref(object);
  free(bytes);
  free(path);
  return status;
}

/* Reads the bytes of one listed file (its path is *out_path, malloc'ed) and compares them with the table. */
static vise_status read_listed(const char *dir, const char *file_name, const json_t *listed, char **out_path,
                               uint8_t **out, size_t *out_n, vise_error *err) {
  vise_status status = VISE_OK;
  char *path = NULL, hash[17];
  uint8_t *bytes = NULL;
  size_t n_bytes = 0;
  const char *expected = json_string_value(json_object_get(listed, "xxh64"));
  json_int_t expected_bytes = json_integer_value(json_object_get(listed, "bytes"));

  if (!expected || expected_bytes < 0 || strchr(file_name, '/')) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s/" STATE_FILE ": bad entry for '%.80s'", dir, file_name));
  }

  VISE_TRY(vise_i_path_join(&path, dir, file_name, err));
  VISE_TRY(read_whole(dir, path, PTRDIFF_MAX - 1, &bytes, &n_bytes, err));
  if (n_bytes != (size_t)expected_bytes) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: damaged: %zu bytes, expected %lld", path, n_bytes,
                         (long long)expected_bytes));
  }

  hash_text(XXH64(bytes, n_bytes, 0), hash);
  if (strcmp(hash, expected) != 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: damaged: its hash is %s, expected %.16s", path, hash, expected));
  }

  *out_path = path;
  *out = bytes;
  *out_n = n_bytes;
  path = NULL;
  bytes = NULL;

done:
  free(path);
  free(bytes);
  return status;
}

static vise_status verify_listed(const char *dir, const json_t *files, vise_error *err) {
  const char *file_name;
  json_t *listed;

  /* The iteration macro wants a mutable object and does not change it. */
  json_object_foreach((json_t *)(uintptr_t)files, file_name, listed) {
    char *path = NULL;
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    vise_status status = read_listed(dir, file_name, listed, &path, &bytes, &n_bytes, err);
    free(path);
    free(bytes);
    if (status != VISE_OK) return status;
  }

  return VISE_OK;
}

vise_status vise_i_checkpoint_read_state(const char *dir, json_t **out_state, vise_error *err) {
  json_t *object = NULL;
  vise_status status = read_table(dir, &object, err);
  if (status == VISE_OK) *out_state = json_incref(json_object_get(object, "state"));
  json_decref(object);
  return status;
}

vise_status vise_i_checkpoint_verify(const char *dir, vise_error *err) {
  json_t *object = NULL;
  vise_status status = read_table(dir, &object, err);
  if (status == VISE_OK) status = verify_listed(dir, json_object_get(object, "files"), err);
  json_decref(object);
  return status;
}

vise_status vise_i_checkpoint_is_ours(const char *dir, bool *out, vise_error *err) {
  json_t *object = NULL;
  DIR *folder = NULL;
  bool ours = true;
  vise_error why = VISE_ERROR_INIT;
  vise_status status = read_table(dir, &object, &why);

  if (status == VISE_ERR_FORMAT) {
    *out = false;
    return VISE_OK;
  }
  if (status != VISE_OK) return vise_i_fail(err, status, "%s", why.text);

  folder = opendir(dir);
  if (!folder) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", dir));
  const json_t *files = json_object_get(object, "files");
  for (struct dirent *entry; ours && (entry = vise_i_next_entry(folder, dir, &status, err));) {
    ours = strcmp(entry->d_name, STATE_FILE) == 0 || json_object_get(files, entry->d_name) != NULL;
  }
  if (status == VISE_OK) *out = ours;

done:
  if (folder) closedir(folder);
  json_decref(object);
  return status;
}

vise_status vise_i_checkpoint_read_part(const char *dir, const char *name, vise_i_st_file **out, vise_error *err) {
  vise_status status = VISE_OK;
  json_t *object = NULL;
  char *path = NULL, *read_path = NULL;
  uint8_t *bytes = NULL;
  size_t n_bytes = 0;

  VISE_TRY(part_path(&path, dir, name, err));
  VISE_TRY(read_table(dir, &object, err));

  const char *file_name = strrchr(path, '/') + 1;
  const json_t *listed = json_object_get(json_object_get(object, "files"), file_name);
  if (!listed) VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: holds no '%s'", dir, file_name));

  VISE_TRY(read_listed(dir, file_name, listed, &read_path, &bytes, &n_bytes, err));
  VISE_TRY(vise_i_st_parse(read_path, bytes, n_bytes, out, err));

done:
  json_decref(object);
  free(path);
  free(read_path);
  free(bytes);
  return status;
}
