#include "host/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/base/memory.h"
#include "host/base/temporary.h"

double vise_i_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static vise_status open_regular(const char *path, size_t max_bytes, int *out_fd, size_t *out_n, vise_error *err) {
  /* O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused below. */
  int fd = vise_i_open(path, O_RDONLY | O_NONBLOCK, 0);
  if (fd < 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be opened", path);

  struct stat info;
  vise_status status = VISE_OK;
  if (fstat(fd, &info) != 0) {
    status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", path);
  } else if (!S_ISREG(info.st_mode)) {
    status = vise_i_fail(err, VISE_ERR_IO, "%s: is %s, expected a regular file", path,
                         S_ISDIR(info.st_mode) ? "a folder" : "a special file");
  } else if ((uint64_t)info.st_size > max_bytes) {
    status = vise_i_fail(err, VISE_ERR_IO, "%s: %lld bytes, more than the %zu allowed here", path,
                         (long long)info.st_size, max_bytes);
  }

  if (status != VISE_OK) {
    close(fd);
    return status;
  }

  *out_fd = fd;
  *out_n = (size_t)info.st_size;
  return VISE_OK;
}

vise_status vise_i_read_file(const char *path, size_t max_bytes, uint8_t **out, size_t *out_n, vise_error *err) {
  vise_status status = VISE_OK;
  uint8_t *bytes = NULL;
  size_t n_bytes = 0, done = 0;
  int fd = -1;

  VISE_TRY(open_regular(path, max_bytes, &fd, &n_bytes, err));
  if (n_bytes == SIZE_MAX) VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY, "%s: too large", path));
  VISE_TRY(vise_i_alloc(&bytes, n_bytes + 1, 1, path, err));

  while (done < n_bytes) {
    ssize_t got = read(fd, bytes + done, n_bytes - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", path));
    if (got == 0) {
      VISE_TRY(
          vise_i_fail(err, VISE_ERR_IO, "%s: ended after %zu of %zu bytes; is it being written?", path, done, n_bytes));
    }
    done += (size_t)got;
  }

  bytes[n_bytes] = 0;
  *out = bytes;
  *out_n = n_bytes;
  bytes = NULL;

done:
  if (fd >= 0) close(fd);
  free(bytes);
  return status;
}

vise_status vise_i_check_target(const char *path, vise_error *err) {
  struct stat info;
  if (stat(path, &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return VISE_OK;
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", path);
  }
  if (S_ISREG(info.st_mode)) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_IO, "%s: is %s, which a file cannot replace: choose another name", path,
                     S_ISDIR(info.st_mode) ? "a folder" : "a special file");
}

/* ---- the writer ------------------------------------------------------------------------------------------------- */

enum { WAITING_BYTES = 1 << 16 };

static void writer_clear(vise_i_writer *writer) {
  if (writer->fd >= 0) close(writer->fd);
  free(writer->path);
  free(writer->temporary_path);
  free(writer->bytes);
  *writer = (vise_i_writer){.fd = -1};
}

/* What both kinds of files need before they are opened. */
static vise_status writer_prepare(vise_i_writer *writer, const char *path, vise_error *err) {
  vise_status status = VISE_OK;
  *writer = (vise_i_writer){.fd = -1};
  VISE_TRY(vise_i_copy_text(&writer->path, path, err));
  writer->name = writer->path;
  VISE_TRY(vise_i_alloc(&writer->bytes, WAITING_BYTES, 1, path, err));
  writer->capacity = WAITING_BYTES;
done:
  return status;
}

vise_status vise_i_writer_begin(vise_i_writer *writer, const char *path, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_writer made;

  VISE_TRY(writer_prepare(&made, path, err));
  VISE_TRY(vise_i_check_target(path, err));
  vise_i_temporary_remove_abandoned(path);
  VISE_TRY(vise_i_temporary_file(path, &made.temporary_path, &made.fd, err));
  *writer = made;
  return VISE_OK;

done:
  writer_clear(&made);
  return status;
}

vise_status vise_i_writer_begin_new(vise_i_writer *writer, const char *path, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_writer made;

  VISE_TRY(writer_prepare(&made, path, err));
  made.fd = vise_i_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
  if (made.fd < 0) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be written", path));
  *writer = made;
  return VISE_OK;

done:
  writer_clear(&made);
  return status;
}

void vise_i_writer_begin_memory(vise_i_writer *writer) {
  *writer = (vise_i_writer){.name = "memory", .fd = -1};
}

static vise_status append(vise_i_writer *writer, const void *data, size_t n_bytes, vise_error *err) {
  const size_t room = writer->capacity - writer->n_bytes;
  if (n_bytes > room) {
    size_t wanted;
    if (!vise_i_size_add(writer->n_bytes, n_bytes, &wanted)) return vise_i_fail_memory(err, SIZE_MAX, writer->name);
    if (wanted < 2 * writer->capacity) wanted = 2 * writer->capacity;
    uint8_t *grown = realloc(writer->bytes, wanted);
    if (!grown) return vise_i_fail_memory(err, wanted, writer->name);
    writer->bytes = grown;
    writer->capacity = wanted;
  }

  if (n_bytes > 0) memcpy(writer->bytes + writer->n_bytes, data, n_bytes);
  writer->n_bytes += n_bytes;
  return VISE_OK;
}

void vise_i_writer_take(vise_i_writer *writer, void **out, size_t *out_n) {
  *out = writer->bytes;
  *out_n = writer->n_bytes;
  *writer = (vise_i_writer){.fd = -1};
}

static vise_status write_out(const vise_i_writer *writer, const void *data, size_t n_bytes, vise_error *err) {
  const uint8_t *at = data;
  while (n_bytes > 0) {
    const ssize_t n = write(writer->fd, at, n_bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return vise_i_fail_errno(err, VISE_ERR_IO, n < 0 ? errno : ENOSPC, "%s: cannot be written", writer->name);
    at += n;
    n_bytes -= (size_t)n;
  }
  return VISE_OK;
}

static vise_status write_waiting(vise_i_writer *writer, vise_error *err) {
  const size_t n = writer->n_bytes;
  writer->n_bytes = 0;
  return write_out(writer, writer->bytes, n, err);
}

vise_status vise_i_writer_write(vise_i_writer *writer, const void *data, size_t n_bytes, vise_error *err) {
  vise_status status = VISE_OK;
  if (writer->fd < 0) return append(writer, data, n_bytes, err);

  if (n_bytes > writer->capacity - writer->n_bytes) VISE_TRY(write_waiting(writer, err));
  return n_bytes > writer->capacity ? write_out(writer, data, n_bytes, err) : append(writer, data, n_bytes, err);
done:
  return status;
}

void vise_i_writer_abandon(vise_i_writer *writer) {
  const char *unfinished = writer->temporary_path ? writer->temporary_path : writer->path;
  if (unfinished) unlink(unfinished);
  writer_clear(writer);
}

vise_status vise_i_writer_seal(vise_i_writer *writer, vise_error *err) {
  vise_status status = VISE_OK;
  if (writer->fd < 0) return VISE_OK;

  VISE_TRY(write_waiting(writer, err));
  const bool synced = vise_i_sync(writer->fd);
  int reason = synced ? 0 : errno;
  const int fd = writer->fd;
  writer->fd = -1;
  if (close(fd) != 0 && errno != EINTR && reason == 0) reason = errno; /* interrupted, it is closed all the same */
  if (reason != 0) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, reason, "%s: cannot be written", writer->name));

done:
  return status;
}

/* The file under its name, for good. */
static vise_status put_in_place(vise_i_writer *writer, vise_error *err) {
  vise_status status = VISE_OK;
  char *parent = NULL;
  vise_error why = VISE_ERROR_INIT;

  VISE_TRY(vise_i_parent_path(writer->path, &parent, err));
  if (rename(writer->temporary_path, writer->path) != 0) {
    VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be put in place", writer->path));
  }
  free(writer->temporary_path);
  writer->temporary_path = NULL;

  if (vise_i_sync_dir(parent, &why) != VISE_OK) {
    status = vise_i_fail(err, VISE_ERR_IO, "%s: was written, but may not last: %s", writer->path, why.text);
  }
  free(writer->path); /* it is finished, and not to be removed */
  writer->path = NULL;

done:
  free(parent);
  return status;
}

vise_status vise_i_writer_commit(vise_i_writer *writer, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_writer_seal(writer, err));
  if (writer->temporary_path) {
    VISE_TRY(put_in_place(writer, err));
  } else {
    free(writer->path);
    writer->path = NULL;
  }

done:
  vise_i_writer_abandon(writer);
  return status;
}

vise_status vise_i_write_file(const char *path, const void *data, size_t n_bytes, vise_error *err) {
  vise_i_writer writer;
  vise_status status = vise_i_writer_begin(&writer, path, err);
  if (status != VISE_OK) return status;
  status = vise_i_writer_write(&writer, data, n_bytes, err);
  if (status != VISE_OK) {
    vise_i_writer_abandon(&writer);
    return status;
  }
  return vise_i_writer_commit(&writer, err);
}
