#include "host/data/npz.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "host/base/memory.h"
#include "host/base/quote.h"

/* deflate expands one byte to at most 1032. */
enum { DEFLATE_RATIO = 1032, NAMES_BYTES = 400, BLOCK_BYTES = 1 << 16 };

/* What is in an archive. */
typedef struct listing {
  size_t n_arrays;         /* members named .npy */
  size_t found, n_members; /* found: the place of the member that was asked for; n_members: it is not there */
  char names[NAMES_BYTES]; /* of the arrays, as they are asked for */
  size_t n_names;
} listing;

const char *vise_i_npz_member(const char *path) {
  static const char mark[] = ".npz:";
  const size_t n = sizeof mark - 1;
  for (const char *at = path; *at != '\0'; at++) {
    if (strncasecmp(at, mark, n) == 0 && at[n] != '\0') return at + n;
  }
  return NULL;
}

static vise_status fail_archive(struct archive *archive, const char *name, vise_error *err) {
  const char *text = archive_error_string(archive);
  if (text == NULL) text = "not readable";
  if (archive_errno(archive) == ENOMEM) return vise_i_fail_memory(err, 0, "a ZIP archive");
  return vise_i_fail(err, VISE_ERR_FORMAT, "%s: the ZIP archive is damaged or cut off (%.*s); copy or save it again",
                     name, (int)strcspn(text, "\n"), text);
}

static vise_status begin(const vise_i_npz *npz, struct archive **out, vise_error *err) {
  struct archive *archive = archive_read_new();
  if (archive == NULL) return vise_i_fail_memory(err, 0, "a ZIP archive");
  archive_read_support_format_zip_seekable(archive);

  if (npz->bytes == NULL && lseek(npz->fd, 0, SEEK_SET) < 0) {
    archive_read_free(archive);
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: seek", npz->name);
  }
  const int r = npz->bytes != NULL ? archive_read_open_memory(archive, npz->bytes, npz->n_bytes)
                                   : archive_read_open_fd(archive, npz->fd, BLOCK_BYTES);
  if (r == ARCHIVE_OK) {
    *out = archive;
    return VISE_OK;
  }
  const vise_status status = fail_archive(archive, npz->name, err);
  archive_read_free(archive);
  return status;
}

/* Whatever the locale: numpy writes UTF-8. */
static const char *name_of(struct archive_entry *entry) {
  const char *name = archive_entry_pathname_utf8(entry);
  if (name == NULL) name = archive_entry_pathname(entry);
  return name != NULL ? name : "";
}

static bool is_array(const char *name) {
  const size_t n = strlen(name);
  return n > 4 && strcmp(name + n - 4, ".npy") == 0;
}

static bool is_member(const char *name, const char *member) {
  const size_t n = strlen(member);
  return strncmp(name, member, n) == 0 && (name[n] == '\0' || strcmp(name + n, ".npy") == 0);
}

static void add_name(listing *all, const char *name) {
  char quote[VISE_I_QUOTE_BYTES];
  const char *separator = all->n_names == 0 ? "" : ", ";
  vise_i_quote(quote, name, strlen(name) - 4);

  const size_t n = strlen(separator) + strlen(quote);
  if (all->n_names + n + sizeof ", ..." > NAMES_BYTES) {
    if (all->n_names > 0 && all->names[all->n_names - 1] != '.') memcpy(all->names + all->n_names, ", ...", 6);
    return;
  }
  all->n_names += (size_t)snprintf(all->names + all->n_names, NAMES_BYTES - all->n_names, "%s%s", separator, quote);
}

static vise_status list(const vise_i_npz *npz, const char *member, listing *all, vise_error *err) {
  struct archive *archive = NULL;
  struct archive_entry *entry;
  vise_status status = begin(npz, &archive, err);
  size_t found = SIZE_MAX;
  *all = (listing){0};

  while (status == VISE_OK) {
    const int r = archive_read_next_header(archive, &entry);
    if (r == ARCHIVE_EOF) break;
    if (r < ARCHIVE_WARN) {
      status = fail_archive(archive, npz->name, err);
      break;
    }

    const char *name = name_of(entry);
    const bool wanted = member != NULL ? is_member(name, member) : is_array(name);
    if (wanted && found == SIZE_MAX) found = all->n_members;
    all->n_members++;
    if (!is_array(name)) continue;
    all->n_arrays++;
    add_name(all, name);
  }

  all->found = found < all->n_members ? found : all->n_members;
  if (archive != NULL) archive_read_free(archive);
  return status;
}

/* Says what the archive has, unless it has what was asked for. */
static vise_status check_found(const vise_i_npz *npz, const char *member, const listing *all, vise_error *err) {
  char quote[VISE_I_QUOTE_BYTES];

  if (all->n_arrays == 0 && all->found == all->n_members) {
    return vise_i_fail(err, VISE_ERR_FORMAT,
                       "%s: is a ZIP archive without arrays (perhaps .xlsx); give .npy, .npz, or a table saved as CSV",
                       npz->name);
  }
  if (member == NULL && all->n_arrays > 1) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: has the arrays %s; name one of them, as in FILE.npz:NAME", npz->name,
                       all->names);
  }
  if (all->found == all->n_members) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: has no array \"%s\"; it has %s", npz->name,
                       vise_i_quote(quote, member, strlen(member)), all->names);
  }
  return VISE_OK;
}

/* The size that the entry announces; the packed data must be able to hold as much. */
static vise_status take_size(const vise_i_npz *npz, struct archive_entry *entry, size_t *out, vise_error *err) {
  const la_int64_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : -1;
  size_t most;
  if (size < 0) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: the ZIP archive does not say how large its members are", npz->name);
  }
  if (vise_i_size_mul(npz->n_bytes, DEFLATE_RATIO, &most) && (uint64_t)size > most) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: announces an array of %lld bytes, which its %zu bytes cannot hold",
                       npz->name, (long long)size, npz->n_bytes);
  }
  *out = (size_t)size;
  return VISE_OK;
}

vise_status vise_i_npz_open(const vise_i_npz *npz, const char *member, struct archive **out, size_t *n_content,
                            vise_error *err) {
  struct archive *archive = NULL;
  struct archive_entry *entry = NULL;
  listing all;
  vise_status status = list(npz, member, &all, err);
  if (status == VISE_OK) status = check_found(npz, member, &all, err);
  if (status == VISE_OK) status = begin(npz, &archive, err);

  for (size_t k = 0; status == VISE_OK && k <= all.found; k++) {
    if (archive_read_next_header(archive, &entry) < ARCHIVE_WARN) status = fail_archive(archive, npz->name, err);
  }
  if (status == VISE_OK) status = take_size(npz, entry, n_content, err);
  if (status == VISE_OK) {
    *out = archive;
  } else if (archive != NULL) {
    archive_read_free(archive);
  }
  return status;
}

vise_status vise_i_npz_read(struct archive *archive, const char *name, uint8_t *out, size_t n, size_t *got,
                            vise_error *err) {
  size_t done = 0;
  while (done < n) {
    const la_ssize_t r = archive_read_data(archive, out + done, n - done);
    if (r < 0) return fail_archive(archive, name, err);
    if (r == 0) break;
    done += (size_t)r;
  }
  *got = done;
  return VISE_OK;
}
