/* Reading and verifying a checkpoint, from a folder or from memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/json/read.h"
#include "host/model/checkpoint.h"
#include "host/model/checkpoint_format.h"

/* One file of a checkpoint: its bytes, and a path for messages. */
typedef struct blob {
  char *path;
  const uint8_t *bytes;
  size_t n_bytes;
  uint8_t *owned; /* read from a folder; NULL: bytes lie in the block */
} blob;

static void free_blob(blob *b) {
  free(b->path);
  free(b->owned);
}

/* One that is missing in the folder, is not a regular file or is too large is damage. */
static vise_status check_in_folder(const char *dir, const char *path, size_t max_bytes, vise_error *err) {
  struct stat info;
  const bool found = stat(path, &info) == 0;
  const int number = found ? 0 : errno;
  const bool missing = number == ENOENT && access(dir, F_OK) == 0;

  if (!found && number != ENOENT) return vise_i_fail_errno(err, VISE_ERR_IO, number, "%s: cannot be examined", path);
  if (missing) return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is missing", path);
  if (found && !S_ISREG(info.st_mode)) return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is not a regular file", path);
  if (found && (uint64_t)info.st_size > max_bytes) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: %lld bytes, at most %zu are possible", path, (long long)info.st_size,
                       max_bytes);
  }
  return VISE_OK;
}

static vise_status read_from_folder(const char *dir, const char *file_name, size_t max_bytes, blob *out,
                                    vise_error *err) {
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_path_join(&out->path, dir, file_name, err));
  VISE_TRY(check_in_folder(dir, out->path, max_bytes, err));
  VISE_TRY(vise_i_read_file(out->path, max_bytes, &out->owned, &out->n_bytes, err));
  out->bytes = out->owned;
done:
  return status;
}

/* state.json within a block, whose size *out_n_files is without it and the footer. */
static vise_status find_state(vise_i_checkpoint_place place, blob *out, size_t *out_n_files, vise_error *err) {
  vise_i_footer footer = {0};
  if (place.n_bytes >= sizeof footer) memcpy(&footer, place.bytes + place.n_bytes - sizeof footer, sizeof footer);
  if (memcmp(footer.mark, VISE_I_FOOTER_MARK, sizeof footer.mark) != 0 ||
      footer.n_state > place.n_bytes - sizeof footer) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: %zu bytes that are not a checkpoint, or one that is cut", place.name,
                       place.n_bytes);
  }

  *out_n_files = place.n_bytes - sizeof footer - (size_t)footer.n_state;
  out->bytes = place.bytes + *out_n_files;
  out->n_bytes = (size_t)footer.n_state;
  return vise_i_path_join(&out->path, place.name, VISE_I_STATE_FILE, err);
}

/* Checks the hash and the form of a state.json; *out is the whole object. */
static vise_status parse_table(const blob *text, json_t **out, vise_error *err) {
  vise_status status = VISE_OK;
  char prefix[VISE_I_PREFIX_BYTES + 1];
  json_t *object = NULL;
  const char *path = text->path;

  if (text->n_bytes < VISE_I_PREFIX_BYTES) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: cut after %zu bytes", path, text->n_bytes);
  }
  snprintf(prefix, sizeof prefix, VISE_I_PREFIX_FORMAT,
           (unsigned long long)XXH64(text->bytes + VISE_I_PREFIX_BYTES, text->n_bytes - VISE_I_PREFIX_BYTES, 0));
  if (memcmp(text->bytes, prefix, VISE_I_PREFIX_BYTES) != 0) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: damaged: it does not have the hash that it states", path);
  }

  VISE_TRY(vise_i_json_read(path, (const char *)text->bytes, text->n_bytes, VISE_I_JSON_BYTES, &object, err));
  if (json_integer_value(json_object_get(object, "version")) != VISE_I_CHECKPOINT_VERSION) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "%s: not of checkpoint version %d; was it written by a newer Vise?",
                         path, VISE_I_CHECKPOINT_VERSION));
  }
  if (!json_is_object(json_object_get(object, "files")) || !json_object_get(object, "state")) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: no \"files\" or no \"state\"", path));
  }

  *out = json_incref(object);

done:
  json_decref(object);
  return status;
}

static vise_status bad_entry(vise_i_checkpoint_place place, const char *file_name, vise_error *err) {
  return vise_i_fail(err, VISE_ERR_FORMAT, "%s/" VISE_I_STATE_FILE ": bad entry for '%.80s'", place.name, file_name);
}

/* That the files of the table fill n_files bytes, no more and no fewer. */
static vise_status check_sizes(vise_i_checkpoint_place place, json_t *files, size_t n_files, vise_error *err) {
  const char *file_name;
  json_t *listed;
  size_t n = 0;

  json_object_foreach(files, file_name, listed) {
    const json_int_t n_bytes = json_integer_value(json_object_get(listed, "bytes"));
    if (n_bytes < 0 || !vise_i_size_add(n, (size_t)n_bytes, &n)) return bad_entry(place, file_name, err);
  }
  if (n == n_files) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_FORMAT, "%s: %zu bytes of files, expected %zu", place.name, n_files, n);
}

static vise_status read_table(vise_i_checkpoint_place place, json_t **out, vise_error *err) {
  vise_status status = VISE_OK;
  blob text = {0};
  json_t *table = NULL;
  size_t n_files = 0;

  if (place.bytes) {
    VISE_TRY(find_state(place, &text, &n_files, err));
  } else {
    VISE_TRY(read_from_folder(place.name, VISE_I_STATE_FILE, VISE_I_MAX_STATE_BYTES, &text, err));
  }

  VISE_TRY(parse_table(&text, &table, err));
  if (place.bytes) VISE_TRY(check_sizes(place, json_object_get(table, "files"), n_files, err));
  *out = json_incref(table);

done:
  json_decref(table);
  free_blob(&text);
  return status;
}

/* The bytes of a listed file in a block whose sizes were checked. */
static vise_status find_listed(vise_i_checkpoint_place place, json_t *files, const char *file_name, blob *out,
                               vise_error *err) {
  const char *name;
  json_t *listed;
  size_t at = 0;

  json_object_foreach(files, name, listed) {
    const size_t n_bytes = (size_t)json_integer_value(json_object_get(listed, "bytes"));
    if (strcmp(name, file_name) == 0) {
      out->bytes = place.bytes + at;
      out->n_bytes = n_bytes;
      break;
    }
    at += n_bytes;
  }
  return vise_i_path_join(&out->path, place.name, file_name, err);
}

/* Reads one listed file and compares it with the table; free_blob(out) also on failure. */
static vise_status read_listed(vise_i_checkpoint_place place, json_t *files, const char *file_name, blob *out,
                               vise_error *err) {
  vise_status status = VISE_OK;
  char hash[VISE_I_HASH_TEXT_BYTES];
  const json_t *listed = json_object_get(files, file_name);
  const char *expected = json_string_value(json_object_get(listed, "xxh64"));
  const json_int_t expected_bytes = json_integer_value(json_object_get(listed, "bytes"));

  if (!expected || expected_bytes < 0 || strchr(file_name, '/')) VISE_TRY(bad_entry(place, file_name, err));
  if (place.bytes) {
    VISE_TRY(find_listed(place, files, file_name, out, err));
  } else {
    VISE_TRY(read_from_folder(place.name, file_name, PTRDIFF_MAX - 1, out, err));
  }

  if (out->n_bytes != (size_t)expected_bytes) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: damaged: %zu bytes, expected %lld", out->path, out->n_bytes,
                         (long long)expected_bytes));
  }
  vise_i_checkpoint_hash_text(XXH64(out->bytes, out->n_bytes, 0), hash);
  if (strcmp(hash, expected) != 0) {
    VISE_TRY(
        vise_i_fail(err, VISE_ERR_FORMAT, "%s: damaged: its hash is %s, expected %.16s", out->path, hash, expected));
  }

done:
  return status;
}

vise_status vise_i_checkpoint_read_state(vise_i_checkpoint_place place, json_t **out_state, vise_error *err) {
  json_t *table = NULL;
  vise_status status = read_table(place, &table, err);
  if (status == VISE_OK) *out_state = json_incref(json_object_get(table, "state"));
  json_decref(table);
  return status;
}

vise_status vise_i_checkpoint_verify(vise_i_checkpoint_place place, vise_error *err) {
  json_t *table = NULL, *files, *listed;
  const char *file_name;
  vise_status status = read_table(place, &table, err);

  files = json_object_get(table, "files");
  json_object_foreach(files, file_name, listed) {
    blob file = {0};
    if (status == VISE_OK) status = read_listed(place, files, file_name, &file, err);
    free_blob(&file);
  }

  json_decref(table);
  return status;
}

vise_status vise_i_checkpoint_is_ours(const char *dir, bool *out, vise_error *err) {
  json_t *table = NULL;
  DIR *folder = NULL;
  bool ours = true;
  vise_error why = VISE_ERROR_INIT;
  vise_status status = read_table(vise_i_checkpoint_in_folder(dir), &table, &why);

  if (status == VISE_ERR_FORMAT) {
    *out = false;
    return VISE_OK;
  }
  if (status != VISE_OK) return vise_i_fail(err, status, "%s", why.text);

  folder = vise_i_open_dir(dir);
  if (!folder) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", dir));
  const json_t *files = json_object_get(table, "files");
  for (struct dirent *entry; ours && (entry = vise_i_next_entry(folder, dir, &status, err));) {
    struct stat info;
    if (fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s/%s: cannot be examined", dir, entry->d_name));
    }
    const bool listed = strcmp(entry->d_name, VISE_I_STATE_FILE) == 0 || json_object_get(files, entry->d_name) != NULL;
    ours = listed && S_ISREG(info.st_mode);
  }
  if (status == VISE_OK) *out = ours;

done:
  if (folder) closedir(folder);
  json_decref(table);
  return status;
}

vise_status vise_i_checkpoint_read_part(vise_i_checkpoint_place place, const char *name, vise_i_st_file **out,
                                        vise_error *err) {
  vise_status status = VISE_OK;
  json_t *table = NULL;
  blob file = {0};
  char file_name[VISE_I_PART_NAME_BYTES];

  VISE_TRY(vise_i_checkpoint_part_file(place.name, name, file_name, err));
  VISE_TRY(read_table(place, &table, err));
  json_t *files = json_object_get(table, "files");
  if (!json_object_get(files, file_name)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: holds no '%s'", place.name, file_name));
  }

  VISE_TRY(read_listed(place, files, file_name, &file, err));
  VISE_TRY(vise_i_st_parse(file.path, file.bytes, file.n_bytes, out, err));

done:
  json_decref(table);
  free_blob(&file);
  return status;
}
