/* Files and folders: bounded reading, and writing that replaces a file as a whole or not at all. */
#ifndef VISE_I_FILE_H
#define VISE_I_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "host/base/error.h"

/* Reads a whole regular file of at most max_bytes into *out (malloc'ed, with an uncounted zero byte at the end). */
VISE_WARN_UNUSED vise_status vise_i_read_file(const char *path, size_t max_bytes, uint8_t **out, size_t *out_n,
                                              vise_error *err);

/* Where bytes are written: to a file beside its final place, or to memory. */
typedef struct vise_i_writer {
  const char *name; /* for messages: the path, or "memory" */
  int fd;           /* -1: to memory, or sealed */
  char *path;
  char *temporary_path; /* NULL: path itself */
  uint8_t *bytes;       /* those in memory; of a file, those that wait */
  size_t n_bytes, capacity;
} vise_i_writer;

/* begin opens a temporary file (temporary.h) beside path, and removes those that were abandoned there; write appends;
   commit writes what waits, fsyncs, renames, syncs the folder; abandon removes the temporary file. After begin succeeded
   exactly one of commit (which cleans up also when it fails) and abandon must be called. A link at path is replaced,
   what it leads to stays; anything else that is not a regular file is refused. Disk-full and other errors are
   VISE_ERR_IO; of the folder that cannot be synced the text says that the file is there and may not last. */
VISE_WARN_UNUSED vise_status vise_i_writer_begin(vise_i_writer *writer, const char *path, vise_error *err);
/* The same for a new file in a folder that is a temporary one itself: it has its name at once, and whoever renames the
   folder syncs it. */
VISE_WARN_UNUSED vise_status vise_i_writer_begin_new(vise_i_writer *writer, const char *path, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_writer_write(vise_i_writer *writer, const void *data, size_t n_bytes,
                                                 vise_error *err);
/* May come before commit: all is on the disk, so that only the rename can still fail. */
VISE_WARN_UNUSED vise_status vise_i_writer_seal(vise_i_writer *writer, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_writer_commit(vise_i_writer *writer, vise_error *err);
void vise_i_writer_abandon(vise_i_writer *writer);

/* The same to memory: begin cannot fail; take, in the place of commit, hands over what was written (malloc'ed). */
void vise_i_writer_begin_memory(vise_i_writer *writer);
void vise_i_writer_take(vise_i_writer *writer, void **out, size_t *out_n);

/* begin, write, commit. */
VISE_WARN_UNUSED vise_status vise_i_write_file(const char *path, const void *data, size_t n_bytes, vise_error *err);
/* VISE_ERR_IO when what stands at path, or what a link there leads to, is not a regular file: a FIFO, a device, a folder
   are not to be replaced by one. */
VISE_WARN_UNUSED vise_status vise_i_check_target(const char *path, vise_error *err);

/* open with O_CLOEXEC, again when a signal interrupts it. */
int vise_i_open(const char *path, int flags, mode_t mode);
/* fsync, again when a signal interrupts it; true where the file system cannot sync at all. */
bool vise_i_sync(int fd);
/* Whether something stands at path; a link is not followed. Only a missing file, or folder on the way, means no: any
   other failure is VISE_ERR_IO. */
VISE_WARN_UNUSED vise_status vise_i_exists(const char *path, bool *out, vise_error *err);

/* fsync of a folder, so that a rename in it lasts. */
VISE_WARN_UNUSED vise_status vise_i_sync_dir(const char *path, vise_error *err);
/* mkdir; an existing folder is not an error. Parents must exist. */
VISE_WARN_UNUSED vise_status vise_i_make_dir(const char *path, vise_error *err);
/* The same with all parents; those made are synced into theirs. *n_old: length of the start of path that was there
   already. On failure what was made is gone again. */
VISE_WARN_UNUSED vise_status vise_i_make_dirs(const char *path, size_t *n_old, vise_error *err);
/* Removes the folders of path beyond its first n_old bytes, as far as they are empty. */
void vise_i_remove_empty_dirs(const char *path, size_t n_old);
/* Removes a folder and everything in it; links are removed, not followed. A missing one is not an error. */
VISE_WARN_UNUSED vise_status vise_i_remove_tree(const char *path, vise_error *err);
/* opendir, again when a signal interrupts it. */
DIR *vise_i_open_dir(const char *path);
/* The next entry of a folder that is being read, except "." and ".."; NULL at the end, or when *status is not VISE_OK:
   it becomes VISE_ERR_IO when reading fails. path is for the message. */
struct dirent *vise_i_next_entry(DIR *dir, const char *path, vise_status *status, vise_error *err);

/* The folder that path lies in, malloc'ed. */
VISE_WARN_UNUSED vise_status vise_i_parent_path(const char *path, char **out, vise_error *err);
/* malloc'ed "<a>/<b>". */
VISE_WARN_UNUSED vise_status vise_i_path_join(char **out, const char *a, const char *b, vise_error *err);

/* Seconds of a monotonic clock. */
double vise_i_now(void);

#endif
