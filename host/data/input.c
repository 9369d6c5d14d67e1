#include "host/data/input.h"

#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/data/npz.h"

enum { Z_IN_BYTES = 1 << 16 };

/* Raw bytes from `offset` on; *got < n only at the end of the file. A member of an .npz goes on where it was. */
static vise_status read_raw(const vise_i_input *input, size_t offset, uint8_t *buffer, size_t n, size_t *got,
                            vise_error *err) {
  if (input->archive != NULL) return vise_i_npz_read(input->archive, input->name, buffer, n, got, err);
  if (input->bytes != NULL) {
    const size_t rest = input->n_bytes - offset;
    *got = n < rest ? n : rest;
    if (*got > 0) memcpy(buffer, input->bytes + offset, *got);
    return VISE_OK;
  }

  size_t done = 0;
  while (done < n) {
    /* Linux reads at most 2 GiB at once; short reads go round again. */
    const ssize_t r = pread(input->fd, buffer + done, n - done, (off_t)(offset + done));
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", input->name);
    if (r == 0) break;
    done += (size_t)r;
  }

  *got = done;
  return VISE_OK;
}

static vise_status fail_gzip(const vise_i_input *input, const char *what, vise_error *err) {
  return vise_i_fail(err, VISE_ERR_FORMAT, "%s: %s; copy or download the file again", input->name, what);
}

static vise_status refill(vise_i_input *input, vise_error *err) {
  size_t got = 0;
  const vise_status status = read_raw(input, input->offset, input->z_in, Z_IN_BYTES, &got, err);
  if (status != VISE_OK) return status;
  input->offset += got;
  input->z.next_in = input->z_in;
  input->z.avail_in = (uInt)got;
  return VISE_OK;
}

/* At the end of a member: the next one, the end of the file (*ended), or bytes that do not belong there. */
static vise_status next_member(vise_i_input *input, bool *ended, vise_error *err) {
  *ended = false;

  if (input->z.avail_in == 0) {
    const vise_status status = refill(input, err);
    if (status != VISE_OK) return status;
    if (input->z.avail_in == 0) {
      *ended = true;
      return VISE_OK;
    }
  }

  if (input->z.next_in[0] != 0x1f) return fail_gzip(input, "bytes after the end of the gzip data", err);
  if (inflateReset(&input->z) != Z_OK) return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: zlib reset", input->name);
  input->z_ended = false;
  return VISE_OK;
}

static vise_status read_gzip(vise_i_input *input, uint8_t *buffer, size_t n, size_t *got, vise_error *err) {
  z_stream *z = &input->z;
  size_t done = 0;
  *got = 0;

  while (done < n) {
    vise_status status;
    if (input->z_ended) {
      bool ended;
      status = next_member(input, &ended, err);
      if (status != VISE_OK) return status;
      if (ended) break;
    }

    if (z->avail_in == 0) {
      status = refill(input, err);
      if (status != VISE_OK) return status;
      if (z->avail_in == 0) return fail_gzip(input, "the gzip data are truncated", err);
    }

    const size_t want = n - done < Z_IN_BYTES ? n - done : Z_IN_BYTES;
    z->next_out = buffer + done;
    z->avail_out = (uInt)want;
    const int r = inflate(z, Z_NO_FLUSH);
    done += want - z->avail_out;

    if (r == Z_STREAM_END) {
      input->z_ended = true;
    } else if (r == Z_MEM_ERROR) {
      return vise_i_fail_memory(err, 1 << 16, "gunzip");
    } else if (r != Z_OK && r != Z_BUF_ERROR) {
      return vise_i_fail(err, VISE_ERR_FORMAT, "%s: the gzip data are damaged (%s); copy or download the file again",
                         input->name, z->msg != NULL ? z->msg : "no deflate stream");
    }
  }

  *got = done;
  return VISE_OK;
}

vise_status vise_i_input_read(vise_i_input *input, void *buffer, size_t n, size_t *got, vise_error *err) {
  uint8_t *out = buffer;
  const size_t rest = input->n_head - input->head_offset;
  const size_t first = n < rest ? n : rest;
  memcpy(out, input->head + input->head_offset, first);
  input->head_offset += first;

  size_t more = 0;
  if (first < n) {
    vise_status status;
    if (input->gzip) {
      status = read_gzip(input, out + first, n - first, &more, err);
    } else {
      status = read_raw(input, input->offset, out + first, n - first, &more, err);
      input->offset += more;
    }
    if (status != VISE_OK) return status;
  }

  *got = first + more;
  return VISE_OK;
}

static bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), m = strlen(end);
  return n >= m && strcasecmp(text + n - m, end) == 0;
}

/* True when the name, with or without .gz, ends with `end`. */
static bool named(const char *name, const char *end) {
  const size_t n = strlen(name), m = strlen(end);
  if (ends_with(name, end)) return true;
  return ends_with(name, ".gz") && n >= m + 3 && strncasecmp(name + n - 3 - m, end, m) == 0;
}

static vise_status tell_kind(vise_i_input *input, vise_error *err) {
  const uint8_t *h = input->head;
  const size_t n = input->n_head;

  if (n >= 6 && memcmp(h, "\x93NUMPY", 6) == 0) {
    input->kind = VISE_I_KIND_NPY;
  } else if (n >= 2 && h[0] == 0 && h[1] == 0) {
    input->kind = VISE_I_KIND_IDX;
  } else if (n >= 4 && memcmp(h, "PK\x03\x04", 4) == 0) {
    return vise_i_fail(err, VISE_ERR_FORMAT,
                       "%s: is a ZIP archive within gzip data; give the archive itself if it is .npz, else CSV",
                       input->name);
  } else if (n >= 2 && ((h[0] == 0xff && h[1] == 0xfe) || (h[0] == 0xfe && h[1] == 0xff))) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is UTF-16 text; save it as UTF-8", input->name);
  } else if (n >= 2 && h[0] == 0x1f && h[1] == 0x8b) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is gzip data within gzip data; gunzip it once", input->name);
  } else if (named(input->name, ".npy")) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is named .npy but does not begin with \\x93NUMPY", input->name);
  } else if (named(input->name, ".idx") || named(input->name, "-ubyte")) {
    return vise_i_fail(err, VISE_ERR_FORMAT,
                       "%s: is named as an IDX file but does not begin with 0, 0, type, number of dimensions",
                       input->name);
  } else if (!input->gzip && ends_with(input->name, ".gz")) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is named .gz but is not gzip data", input->name);
  } else {
    input->kind = VISE_I_KIND_CSV;
  }

  return VISE_OK;
}

static vise_status begin_gzip(vise_i_input *input, vise_error *err) {
  const vise_status status = vise_i_alloc(&input->z_in, Z_IN_BYTES, 1, "gzip buffer", err);
  if (status != VISE_OK) return status;
  if (inflateInit2(&input->z, 15 + 16) != Z_OK) return vise_i_fail_memory(err, 1 << 16, "gunzip");
  input->z_live = true;
  input->gzip = true;
  return VISE_OK;
}

static vise_status begin_zip(vise_i_input *input, const char *member, bool empty, vise_error *err) {
  if (empty) return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is a ZIP archive that holds nothing", input->name);
  const vise_i_npz npz = {input->name, input->fd, input->bytes, input->n_bytes};
  return vise_i_npz_open(&npz, member, &input->archive, &input->n_bytes, err);
}

/* The common part of all ways to open: recognises gzip and ZIP data, reads the head, tells the kind. member: of an
   .npz; NULL: none was named. */
static vise_status begin(vise_i_input *input, const char *member, vise_error *err) {
  vise_status status = VISE_OK;
  uint8_t magic[4] = {0};
  size_t n_magic = 0, n_head = 0;

  if (input->n_bytes == 0) return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is empty", input->name);
  status = read_raw(input, 0, magic, sizeof magic, &n_magic, err);
  if (status != VISE_OK) return status;

  const bool zip = magic[0] == 'P' && magic[1] == 'K' && (magic[2] == 3 || magic[2] == 5);
  if (member != NULL && !zip) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: the file is not an .npz (no ZIP archive)", input->name);
  }
  if (zip) {
    status = begin_zip(input, member, magic[2] == 5, err);
  } else if (n_magic >= 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
    status = begin_gzip(input, err);
  }

  if (status == VISE_OK) status = vise_i_input_read(input, input->head, VISE_I_INPUT_HEAD, &n_head, err);
  if (status != VISE_OK) return status;
  input->n_head = n_head;
  if (n_head == 0) return vise_i_fail(err, VISE_ERR_FORMAT, "%s: is empty inside", input->name);
  if (zip && (n_head < 6 || memcmp(input->head, "\x93NUMPY", 6) != 0)) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: this member of the ZIP archive is not an NPY array", input->name);
  }
  return tell_kind(input, err);
}

vise_status vise_i_input_open_memory(vise_i_input *input, const char *name, const uint8_t *bytes, size_t n,
                                     vise_error *err) {
  *input = (vise_i_input){.name = name, .fd = -1, .bytes = bytes, .n_bytes = n};
  const vise_status status = begin(input, vise_i_npz_member(name), err);
  if (status != VISE_OK) vise_i_input_close(input);
  return status;
}

/* Without O_NONBLOCK, opening a pipe would wait for its writer. */
static int open_path(const char *path) {
  return vise_i_open(path, O_RDONLY | O_NONBLOCK, 0);
}

/* Opens the file of a path, which may name a member of it; *member is NULL if it names none. */
static vise_status open_file(vise_i_input *input, const char *path, const char **member, vise_error *err) {
  char *archive = NULL;
  *member = NULL;
  input->fd = open_path(path);
  if (input->fd >= 0) return VISE_OK;

  const int reason = errno;
  *member = vise_i_npz_member(path);
  if (*member == NULL || reason != ENOENT) {
    return vise_i_fail_errno(err, VISE_ERR_IO, reason, "%s: cannot be opened", path);
  }

  vise_status status = vise_i_copy_text(&archive, path, err);
  if (status != VISE_OK) return status;
  archive[*member - path - 1] = '\0';
  input->fd = open_path(archive);
  if (input->fd < 0) status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be opened", archive);
  free(archive);
  return status;
}

vise_status vise_i_input_open(vise_i_input *input, const char *path, vise_error *err) {
  const char *member;
  struct stat st;
  *input = (vise_i_input){.name = path, .fd = -1};
  vise_status status = open_file(input, path, &member, err);
  if (status != VISE_OK) return status;

  if (fstat(input->fd, &st) != 0) {
    status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", path);
  } else if (S_ISDIR(st.st_mode)) {
    status = vise_i_fail(err, VISE_ERR_IO, "%s: is a folder; give a file (.npy, .npz, a table, or IDX)", path);
  } else if (!S_ISREG(st.st_mode)) {
    status = vise_i_fail(err, VISE_ERR_IO, "%s: is not a regular file; pipes and devices are not read", path);
  } else if (st.st_size < 0 || (uintmax_t)st.st_size > SIZE_MAX / 2) {
    status = vise_i_fail(err, VISE_ERR_IO, "%s: is too large for this machine", path);
  } else {
    input->n_bytes = (size_t)st.st_size;
    status = begin(input, member, err);
  }

  if (status != VISE_OK) vise_i_input_close(input);
  return status;
}

void vise_i_input_close(vise_i_input *input) {
  if (input->z_live) inflateEnd(&input->z);
  if (input->archive != NULL) archive_read_free(input->archive);
  free(input->z_in);
  if (input->name != NULL && input->bytes == NULL && input->fd >= 0) close(input->fd);
  *input = (vise_i_input){.fd = -1};
}

/* libdeflate only says "bad data"; zlib, asked again, says what is bad. */
static vise_status diagnose(const char *name, const uint8_t *in, size_t n_in, size_t n_out, vise_error *err) {
  vise_i_input again = {.fd = -1};
  uint8_t *scrap = NULL;
  vise_status status = VISE_OK;

  VISE_TRY(vise_i_alloc(&scrap, Z_IN_BYTES, 1, "gzip buffer", err));
  status = vise_i_input_open_memory(&again, name, in, n_in, err);
  for (size_t seen = 0; status == VISE_OK && seen <= n_out;) {
    size_t got = 0;
    status = vise_i_input_read(&again, scrap, Z_IN_BYTES, &got, err);
    seen += got;
    if (got < Z_IN_BYTES) break;
  }

  if (status == VISE_OK) {
    status = vise_i_fail(err, VISE_ERR_FORMAT, "%s: the gzip data are damaged; copy or download the file again", name);
  }

done:
  vise_i_input_close(&again);
  free(scrap);
  return status;
}

static vise_status gunzip_members(const char *name, const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out,
                                  struct libdeflate_decompressor *inflater, vise_error *err) {
  size_t used = 0, made = 0;

  while (used < n_in) {
    size_t member_in = 0, member_out = 0;
    const enum libdeflate_result r = libdeflate_gzip_decompress_ex(inflater, in + used, n_in - used, out + made,
                                                                   n_out - made, &member_in, &member_out);
    if (r == LIBDEFLATE_INSUFFICIENT_SPACE) {
      return vise_i_fail(err, VISE_ERR_FORMAT, "%s: holds more than the %zu bytes that its header announces", name,
                         n_out);
    }
    if (r != LIBDEFLATE_SUCCESS) return diagnose(name, in, n_in, n_out, err);
    used += member_in;
    made += member_out;
  }

  if (made < n_out) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: truncated: holds %zu bytes, its header announces %zu", name, made,
                       n_out);
  }
  return VISE_OK;
}

vise_status vise_i_input_gunzip(vise_i_input *input, void *out, size_t n, vise_error *err) {
  vise_status status = VISE_OK;
  uint8_t *raw = NULL;
  const uint8_t *in = input->bytes;
  struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
  if (inflater == NULL) return vise_i_fail_memory(err, 1 << 16, "gunzip");

  if (in == NULL) {
    size_t got = 0;
    VISE_TRY(vise_i_alloc(&raw, input->n_bytes, 1, input->name, err));
    VISE_TRY(read_raw(input, 0, raw, input->n_bytes, &got, err));
    if (got < input->n_bytes) {
      VISE_TRY(vise_i_fail(err, VISE_ERR_IO, "%s: became shorter while it was read", input->name));
    }
    in = raw;
  }

  VISE_TRY(gunzip_members(input->name, in, input->n_bytes, out, n, inflater, err));

done:
  free(raw);
  libdeflate_free_decompressor(inflater);
  return status;
}
