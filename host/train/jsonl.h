/* A file of JSON objects, one a line, that only grows: every line is whole or not there. Lines wait in memory for a
   moment, so that many in a row cost one write. */
#ifndef VISE_I_JSONL_H
#define VISE_I_JSONL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/error.h"

/* Lines wait no longer than this, provided that end or flush_old is called. */
#define VISE_I_JSONL_SECONDS 0.02

typedef struct vise_i_jsonl {
  int fd;           /* -1: closed */
  uint64_t n_bytes; /* in the file */
  char *path;
  char *waiting; /* whole lines that are not in the file yet */
  size_t n_waiting;
  double written; /* time of the last write */
  char *line;     /* the one being made */
  size_t n_line, line_bytes;
  bool is_cut;    /* there was no memory for all of it */
  int sync_error; /* errno of a sync that failed; 0: none did */
} vise_i_jsonl;

#define VISE_I_JSONL_INIT \
  { -1, 0, NULL, NULL, 0, 0, NULL, 0, 0, false, 0 }

/* Opens path, which must not be a link, and cuts it to keep_bytes (to its length if it is shorter, then *was_short,
   which may be NULL, is true). VISE_ERR_IO. */
VISE_WARN_UNUSED vise_status vise_i_jsonl_open(vise_i_jsonl *file, const char *path, uint64_t keep_bytes,
                                               bool *was_short, vise_error *err);

/* One line: begin, its fields in order, end. Nothing in keys and texts needs an escape. Numbers have 17 digits, as
   jansson writes them; one that is not finite is null. */
void vise_i_jsonl_begin(vise_i_jsonl *file, const char *event);
void vise_i_jsonl_text(vise_i_jsonl *file, const char *key, const char *value);
void vise_i_jsonl_count(vise_i_jsonl *file, const char *key, uint64_t value);
void vise_i_jsonl_number(vise_i_jsonl *file, const char *key, double value);
void vise_i_jsonl_flag(vise_i_jsonl *file, const char *key, bool value);
/* A list of objects: begin, its objects with their fields, end. */
void vise_i_jsonl_list_begin(vise_i_jsonl *file, const char *key);
void vise_i_jsonl_object_begin(vise_i_jsonl *file);
void vise_i_jsonl_object_end(vise_i_jsonl *file);
void vise_i_jsonl_list_end(vise_i_jsonl *file);
/* The members of a JSON object, given as compact text of at least one. */
void vise_i_jsonl_members(vise_i_jsonl *file, const char *object);
VISE_WARN_UNUSED vise_status vise_i_jsonl_end(vise_i_jsonl *file, vise_error *err);

/* Writes what waits if the last write is VISE_I_JSONL_SECONDS ago; the same whenever it was. Of lines that could not be
   written, the file keeps the whole ones, and none waits any more. */
VISE_WARN_UNUSED vise_status vise_i_jsonl_flush_old(vise_i_jsonl *file, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_jsonl_flush(vise_i_jsonl *file, vise_error *err);
/* All lines are on the disk when this returns VISE_OK; once it has failed it fails again. */
VISE_WARN_UNUSED vise_status vise_i_jsonl_sync(vise_i_jsonl *file, vise_error *err);
/* Lines that still wait are lost. */
void vise_i_jsonl_close(vise_i_jsonl *file);

#endif
