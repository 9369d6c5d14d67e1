/*
 * Event files, as TensorBoard reads them: records of a length, a message and checksums of both, appended. Whole records
 * are written at a time, so a process that is killed leaves at most a last record that is cut, and readers stop before
 * it. Errors: VISE_ERR_IO, VISE_ERR_MEMORY; the file then ends with the last record that was written whole.
 */
#ifndef VISE_I_CLI_TENSORBOARD_FILE_H
#define VISE_I_CLI_TENSORBOARD_FILE_H

#include "host/proto/proto.h"
#include "vise/status.h"

#define VISE_I_CLI_EVENTS_FOLDER "tensorboard"
#define VISE_I_CLI_EVENTS_PREFIX "events.out.tfevents."
#define VISE_I_CLI_SESSION_PREFIX "config-" /* of folders in it, each of a configuration of a sweep */

typedef struct vise_i_cli_events {
  bool is_open;
  int file;
  char *path;         /* for messages; owned */
  vise_i_proto made;  /* records that are still to be written */
  size_t record;      /* where the last of them begins */
  uint64_t n_written; /* bytes */
  double last_write;
} vise_i_cli_events;

/* A new file in DIR/tensorboard, which is open as the descriptor folder, or with session, in the folder of that name in
   it, which is made. Its name is after those of the files that are there, for that is the order in which they are read.
   Nothing is written yet; close it after an error too. */
VISE_WARN_UNUSED vise_status vise_i_cli_events_open(vise_i_cli_events *events, const char *dir, int folder,
                                                    const char *session, vise_error *err);
/* Writes what is made already and closes the file; nothing where it is not open. */
VISE_WARN_UNUSED vise_status vise_i_cli_events_close(vise_i_cli_events *events, vise_error *err);

/* An event of now: what is put into the message between the two are fields of tensorboard.Event. */
vise_i_proto *vise_i_cli_event_begin(vise_i_cli_events *events, uint64_t step);
void vise_i_cli_event_end(vise_i_cli_events *events);
/* Writes what is made if the last write was about a second ago, or much is made; now: in any case. */
VISE_WARN_UNUSED vise_status vise_i_cli_events_flush(vise_i_cli_events *events, bool now, vise_error *err);

/* ---- the folder DIR/tensorboard (tensorboard_folder.c) ---- */

/* Refuses what is no folder, and where it is to be replaced, one in which is something that Vise did not write.
   Errors: VISE_ERR_USAGE, VISE_ERR_IO. */
VISE_WARN_UNUSED vise_status vise_i_cli_events_check(const char *dir, bool replaced, vise_error *err);
/* Removes the folder with the event files of an earlier run; one in which is something else stays as it is. */
VISE_WARN_UNUSED vise_status vise_i_cli_events_remove(const char *dir, vise_error *err);
/* Makes the folder unless it is there, and opens it. */
VISE_WARN_UNUSED vise_status vise_i_cli_events_folder(const char *dir, int *out, vise_error *err);

/* Whether these first bytes of a file are those of one that Vise began; a file of fewer bytes than them may be cut. */
bool vise_i_cli_events_are_ours(const uint8_t *bytes, size_t n);
enum { VISE_I_CLI_EVENTS_START = 64 }; /* bytes to look at */

#endif
