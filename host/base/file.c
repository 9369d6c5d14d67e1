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
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
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

/* The folder that holds path, malloc'ed. */
static vise_status parent_of(const char *path, char **out, vise_error *err) {
  const char *slash = strrchr(path, '/');
  if (!slash) return vise_i_copy_text(out, ".", err);
  size_t n = slash == path ? 1 : (size_t)(slash - path);
  char *parent = NULL;
  vise_status status = vise_i_alloc(&parent, n + 1, 1, "a path", err);
  if (status != VISE_OK) return status;
  memcpy(parent, path, n);
  parent[n] = '\0';
  *out = parent;
  return VISE_OK;
}

vise_status vise_i_sync_dir(const char *path, vise_error *err) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be opened", path);
  int failed = fsync(fd) != 0 && errno != EINVAL && errno != EROFS; /* some file systems cannot sync a folder */
  int reason = errno;
  close(fd);
  if (failed) return vise_i_fail_errno(err, VISE_ERR_IO, reason, "%s: cannot be synced", path);
  return VISE_OK;
}

static void writer_clear(vise_i_writer *writer) {
  free(writer->path);
  free(writer->temporary_path);
  free(writer->bytes);
  memset(writer, 0, sizeof *writer);
}

vise_status vise_i_writer_begin(vise_i_writer *writer, const char *path, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_writer made = {0};

  VISE_TRY(vise_i_copy_text(&made.path, path, err));
  made.name = made.path;
  VISE_TRY(vise_i_temporary_file(path, &made.temporary_path, &made.stream, err));
  *writer = made;
  return VISE_OK;

done:
  writer_clear(&made);
  return status;
}

vise_status vise_i_writer_begin_new(vise_i_writer *writer, const char *path, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_writer made = {0};

  VISE_TRY(vise_i_copy_text(&made.path, path, err));
  made.name = made.path;
  made.stream = fopen(path, "wbxe");
  if (!made.stream) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be written", path));
  *writer = made;
  return VISE_OK;

done:
  writer_clear(&made);
  return status;
}

void vise_i_writer_begin_memory(vise_i_writer *writer) {
  *writer = (vise_i_writer){.name = "memory"};
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
  *writer = (vise_i_writer){0};
}

vise_status vise_i_writer_write(vise_i_writer *writer, const void *data, size_t n_bytes, vise_error *err) {
  if (!writer->stream) return append(writer, data, n_bytes, err);
  if (fwrite(data, 1, n_bytes, writer->stream) != n_bytes) {
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be written", writer->path);
  }
  return VISE_OK;
}

void vise_i_writer_abandon(vise_i_writer *writer) {
  const char *unfinished = writer->temporary_path ? writer->temporary_path : writer->path;
  if (writer->stream) fclose(writer->stream);
  if (unfinished) unlink(unfinished);
  writer_clear(writer);
}

/* The file under its name, for good. */
static vise_status put_in_place(vise_i_writer *writer, vise_error *err) {
  vise_status status = VISE_OK;
  char *parent = NULL;

  VISE_TRY(parent_of(writer->path, &parent, err));
  if (rename(writer->temporary_path, writer->path) != 0) {
    VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be put in place", writer->path));
  }
  free(writer->temporary_path);
  writer->temporary_path = NULL;
  free(writer->path);
  writer->path = NULL;
  VISE_TRY(vise_i_sync_dir(parent, err));

done:
  free(parent);
  return status;
}

vise_status vise_i_writer_commit(vise_i_writer *writer, vise_error *err) {
  vise_status status = VISE_OK;
  if (fflush(writer->stream) != 0 || fsync(fileno(writer->stream)) != 0) {
    VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be written", writer->path));
  }

  int failed = fclose(writer->stream) != 0;
  writer->stream = NULL;
  if (failed) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be written", writer->path));

  if (writer->temporary_path) {
    VISE_TRY(put_in_place(writer, err));
  } else {
    free(writer->path); /* it is finished */
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
