#include "host/table/source.h"

#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"

/* A gzip file is unpacked at once, three times as fast as piece by piece, if neither it nor its content is larger. */
enum { AT_ONCE_BYTES = 1 << 25 };

/* ---- bytes as they are ---------------------------------------------------------------------------------------- */

static vise_status read_fd(vise_i_source *s, uint8_t *out, size_t n, size_t *got, vise_error *err) {
  size_t done = 0;

  while (done < n) {
    /* Linux reads at most 2 GiB at once; short reads go round again. */
    const ssize_t r = read(s->fd, out + done, n - done);
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", s->name);
    if (r == 0) break;
    done += (size_t)r;
  }

  *got = done;
  if (s->spool != NULL && done > 0 && fwrite(out, 1, done, s->spool) != done) {
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: the temporary file that keeps what a pipe gave", s->name);
  }
  return VISE_OK;
}

static vise_status read_raw(vise_i_source *s, uint8_t *out, size_t n, size_t *got, vise_error *err) {
  if (s->bytes != NULL) {
    const size_t rest = s->n_bytes - s->at;
    *got = n < rest ? n : rest;
    if (*got > 0) memcpy(out, s->bytes + s->at, *got);
    s->at += *got;
    return VISE_OK;
  }

  size_t first = 0, more = 0;
  if (s->from_spool) {
    first = fread(out, 1, n, s->spool);
    if (ferror(s->spool)) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read again", s->name);
    if (first < n) {
      /* A write after a read needs a change of place between them. */
      if (fseek(s->spool, 0, SEEK_END) != 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: seek", s->name);
      s->from_spool = false;
    }
  }
  const vise_status status = first < n ? read_fd(s, out + first, n - first, &more, err) : VISE_OK;
  *got = first + more;
  return status;
}

/* The head first, then what follows it. */
static vise_status read_packed(vise_i_source *s, uint8_t *out, size_t n, size_t *got, vise_error *err) {
  const size_t rest = s->n_head - s->head_at, first = n < rest ? n : rest;
  size_t more = 0;
  memcpy(out, s->head + s->head_at, first);
  s->head_at += first;
  const vise_status status = first < n ? read_raw(s, out + first, n - first, &more, err) : VISE_OK;
  *got = first + more;
  return status;
}

/* ---- packed data ---------------------------------------------------------------------------------------------- */

static la_ssize_t give_archive(struct archive *archive, void *data, const void **buffer) {
  vise_i_source *s = data;
  size_t got = 0;
  (void)archive;
  *buffer = s->chunk;
  const vise_status status = s->unpacking ? read_raw(s, s->chunk, VISE_I_SOURCE_CHUNK, &got, &s->failure)
                                          : read_packed(s, s->chunk, VISE_I_SOURCE_CHUNK, &got, &s->failure);
  return status == VISE_OK ? (la_ssize_t)got : -1;
}

static vise_status fail_packed(vise_i_source *s, vise_error *err) {
  if (s->failure.code != VISE_OK) return vise_i_fail(err, s->failure.code, "%s", s->failure.text);
  const char *text = archive_error_string(s->archive);
  if (archive_errno(s->archive) == ENOMEM) return vise_i_fail_memory(err, 0, "unpacking");
  return vise_i_fail(err, VISE_ERR_FORMAT, "%s: the packed data are damaged (%s); copy or download the file again",
                     s->name, text != NULL ? text : "not readable");
}

static vise_status open_packed(vise_i_source *s, vise_error *err) {
  struct archive_entry *entry;
  s->archive = archive_read_new();
  if (s->archive == NULL) return vise_i_fail_memory(err, 0, "unpacking");
  if (s->chunk == NULL) {
    const vise_status status = vise_i_alloc(&s->chunk, VISE_I_SOURCE_CHUNK, 1, "unpacking", err);
    if (status != VISE_OK) return status;
  }

  archive_read_support_filter_gzip(s->archive);
  archive_read_support_filter_zstd(s->archive);
  archive_read_support_filter_xz(s->archive);
  archive_read_support_filter_bzip2(s->archive);
  archive_read_support_format_raw(s->archive);
  archive_read_support_format_empty(s->archive);
  if (archive_read_open(s->archive, s, NULL, give_archive, NULL) != ARCHIVE_OK) return fail_packed(s, err);
  const int r = archive_read_next_header(s->archive, &entry);
  if (r == ARCHIVE_EOF) return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is empty inside", s->name);
  return r == ARCHIVE_OK ? VISE_OK : fail_packed(s, err);
}

static vise_status read_unpacked(vise_i_source *s, uint8_t *out, size_t n, size_t *got, vise_error *err) {
  size_t done = 0;
  while (done < n) {
    const la_ssize_t r = archive_read_data(s->archive, out + done, n - done);
    if (r < 0) return fail_packed(s, err);
    if (r == 0) break;
    done += (size_t)r;
  }
  *got = done;
  return VISE_OK;
}

/* The last four bytes of gzip data: the size of the content, if there is one member. */
static size_t announced_size(const uint8_t *packed, size_t n) {
  const uint8_t *t = packed + n - 4;
  return (size_t)t[0] | (size_t)t[1] << 8 | (size_t)t[2] << 16 | (size_t)t[3] << 24;
}

/* Unpacks small gzip data at once. Whatever does not fit is left to libarchive, which also says what is wrong. */
static vise_status unpack_at_once(vise_i_source *s, const uint8_t *packed, size_t n, vise_error *err) {
  vise_status status = VISE_OK;
  size_t n_made = 0, n_used = 0;
  uint8_t *made = NULL;
  struct libdeflate_decompressor *inflater = NULL;
  const size_t n_out = n > 18 ? announced_size(packed, n) : 0;
  if (n_out == 0 || n_out > AT_ONCE_BYTES) return VISE_OK;

  VISE_TRY(vise_i_alloc(&made, n_out, 1, s->name, err));
  inflater = libdeflate_alloc_decompressor();
  if (inflater == NULL) VISE_TRY(vise_i_fail_memory(err, 0, "unpacking"));
  const enum libdeflate_result r = libdeflate_gzip_decompress_ex(inflater, packed, n, made, n_out, &n_used, &n_made);
  if (r == LIBDEFLATE_SUCCESS && n_used == n && n_made == n_out) {
    s->unpacked = made;
    s->bytes = made;
    s->n_bytes = n_out;
    made = NULL;
  }
done:
  libdeflate_free_decompressor(inflater);
  free(made);
  return status;
}

/* What can be read twice is unpacked at once if it is small; the source is at its start again after that. */
static vise_status begin_gzip(vise_i_source *s, vise_error *err) {
  struct stat st;
  vise_status status = VISE_OK;
  uint8_t *packed = NULL;
  size_t n_packed = 0;

  if (s->bytes != NULL) {
    if (s->n_bytes <= AT_ONCE_BYTES) VISE_TRY(unpack_at_once(s, s->bytes, s->n_bytes, err));
  } else {
    if (s->spool != NULL || fstat(s->fd, &st) != 0 || st.st_size > AT_ONCE_BYTES) return VISE_OK;
    VISE_TRY(vise_i_alloc(&packed, (size_t)st.st_size, 1, s->name, err));
    VISE_TRY(read_packed(s, packed, (size_t)st.st_size, &n_packed, err));
    VISE_TRY(unpack_at_once(s, packed, n_packed, err));
    if (lseek(s->fd, 0, SEEK_SET) < 0) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: seek", s->name));
  }
  s->at = s->n_head = s->head_at = 0;

done:
  free(packed);
  return status;
}

/* ---- opening -------------------------------------------------------------------------------------------------- */

static bool is_gzip(const vise_i_source *s) {
  return s->n_head >= 2 && s->head[0] == 0x1f && s->head[1] == 0x8b;
}

static bool begins(const vise_i_source *s, const char *magic, size_t n) {
  return s->n_head >= n && memcmp(s->head, magic, n) == 0;
}

static bool is_packed(const vise_i_source *s) {
  return is_gzip(s) || begins(s, "\x28\xb5\x2f\xfd", 4) || begins(s, "\xfd\x37zXZ\0", 6) ||
         (begins(s, "BZh", 3) && s->n_head == 8 && memcmp(s->head + 4, "1AY&", 4) == 0);
}

/* The first bytes of the content, unpacked, tell whether it can be text. */
static vise_status check_text(vise_i_source *s, vise_error *err) {
  if (s->n_head == 0) return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is empty", s->name);

  if (begins(s, "PK\x03\x04", 4)) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is a ZIP archive (perhaps .xlsx or .npz); save the table as CSV",
                       s->name);
  }
  if (begins(s, "\xff\xfe", 2) || begins(s, "\xfe\xff", 2)) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is UTF-16 text; save it as UTF-8", s->name);
  }
  if (begins(s, "\x93NUMPY", 6)) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is an NPY file, not a table of text", s->name);
  }
  if (is_packed(s)) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: holds packed data within packed data; unpack it once", s->name);
  }

  return VISE_OK;
}

/* Reads the first bytes, packed or not. */
static vise_status take_head(vise_i_source *s, vise_error *err) {
  size_t got = 0;
  s->n_head = s->head_at = 0;
  const vise_status status = read_raw(s, s->head, VISE_I_SOURCE_HEAD, &got, err);
  s->n_head = got;
  return status;
}

/* Tells packed from plain data, and text from what is not. */
static vise_status begin(vise_i_source *s, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_TRY(take_head(s, err));
  if (is_gzip(s) && s->unpacked == NULL) {
    VISE_TRY(begin_gzip(s, err));
    if (s->n_head == 0) VISE_TRY(take_head(s, err));
  }

  if (is_packed(s) && s->unpacked == NULL) {
    uint8_t head[VISE_I_SOURCE_HEAD];
    size_t got = 0;
    VISE_TRY(open_packed(s, err));
    VISE_TRY(read_unpacked(s, head, sizeof head, &got, err));
    memcpy(s->head, head, got);
    s->n_head = got;
    s->head_at = 0;
    s->unpacking = true;
  }
  VISE_TRY(check_text(s, err));
done:
  return status;
}

vise_status vise_i_source_open_memory(vise_i_source *source, const char *name, const uint8_t *bytes, size_t n,
                                      vise_error *err) {
  *source = (vise_i_source){.name = name, .fd = -1, .bytes = bytes, .n_bytes = n};
  const vise_status status = begin(source, err);
  if (status != VISE_OK) vise_i_source_close(source);
  return status;
}

static vise_status open_fd(vise_i_source *s, const char *path, vise_error *err) {
  struct stat st;
  if (strcmp(path, "-") == 0) {
    s->name = "standard input";
    s->fd = STDIN_FILENO;
  } else {
    s->fd = vise_i_open(path, O_RDONLY, 0);
    s->owns_fd = true;
  }
  if (s->fd < 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be opened", path);

  if (fstat(s->fd, &st) != 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", s->name);
  if (S_ISDIR(st.st_mode)) return vise_i_fail(err, VISE_ERR_IO, "%s: is a folder; give a file", s->name);
  if (S_ISREG(st.st_mode) && lseek(s->fd, 0, SEEK_CUR) == 0) {
    s->file_bytes = (size_t)st.st_size;
    return VISE_OK;
  }
  s->spool = tmpfile();
  if (s->spool == NULL) {
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: a temporary file, to keep what a pipe gave", s->name);
  }
  return VISE_OK;
}

vise_status vise_i_source_open(vise_i_source *source, const char *path, vise_error *err) {
  *source = (vise_i_source){.name = path, .fd = -1};
  vise_status status = open_fd(source, path, err);
  if (status == VISE_OK) status = begin(source, err);
  if (status != VISE_OK) vise_i_source_close(source);
  return status;
}

void vise_i_source_close(vise_i_source *source) {
  if (source == NULL || source->name == NULL) return;
  if (source->archive != NULL) archive_read_free(source->archive);
  if (source->spool != NULL) fclose(source->spool);
  if (source->owns_fd && source->fd >= 0) close(source->fd);
  free(source->unpacked);
  free(source->chunk);
  *source = (vise_i_source){.fd = -1};
}

vise_status vise_i_source_read(vise_i_source *source, void *buffer, size_t n, size_t *got, vise_error *err) {
  uint8_t *out = buffer;
  if (source->archive == NULL) return read_packed(source, out, n, got, err);

  const size_t rest = source->n_head - source->head_at, first = n < rest ? n : rest;
  size_t more = 0;
  memcpy(out, source->head + source->head_at, first);
  source->head_at += first;
  const vise_status status = first < n ? read_unpacked(source, out + first, n - first, &more, err) : VISE_OK;
  *got = first + more;
  return status;
}

double vise_i_source_done(const vise_i_source *source) {
  const size_t n_bytes = source->bytes != NULL ? source->n_bytes : source->file_bytes;
  if (n_bytes == 0) return 0;

  /* Of packed data libarchive has taken more than it has used. */
  double at = (double)source->at;
  if (source->archive != NULL) {
    at = (double)archive_filter_bytes(source->archive, -1);
  } else if (source->bytes == NULL) {
    at = (double)lseek(source->fd, 0, SEEK_CUR);
  }
  return at > 0 && at < (double)n_bytes ? at / (double)n_bytes : at > 0;
}

vise_status vise_i_source_rewind(vise_i_source *source, vise_error *err) {
  source->at = 0;
  vise_error_clear(&source->failure);
  if (source->archive != NULL) archive_read_free(source->archive);
  source->archive = NULL;
  source->unpacking = false;

  if (source->spool != NULL) {
    source->from_spool = true;
    if (fseek(source->spool, 0, SEEK_SET) != 0) {
      return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read again", source->name);
    }
  } else if (source->bytes == NULL && lseek(source->fd, 0, SEEK_SET) < 0) {
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read again", source->name);
  }
  return begin(source, err);
}
