/**
 * @file
 * Files and folders that are safe when a process is killed or two want the same one: what runs do with theirs, for a
 * program that keeps a folder of its own around them, as `vise sweep` does.
 *
 *   vise_folder_open("out", true, &folder, &err);
 *   vise_file_save("out/plan.json", text, strlen(text), &err);
 *   ...
 *   vise_folder_close(folder);
 */
#ifndef VISE_FOLDER_H
#define VISE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "vise/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Writes a file as a whole or not at all: under a temporary name beside path, synced and renamed. A link at path is
   replaced, what it leads to stays; another special file is refused. VISE_ERR_IO. */
VISE_API VISE_WARN_UNUSED vise_status vise_file_save(const char *path, const void *bytes, size_t n_bytes,
                                                     vise_error *err);

/** A folder that this process has for itself. One thread at a time may use it. */
typedef struct vise_folder vise_folder;

/** Locks dir, which is made with its parents if `make` says so. The lock is that of vise_trainer_run's out_dir: no run
   begins there until the close, or the end of the process. VISE_ERR_STATE: another process has it, and the text says
   which. VISE_ERR_IO. Close with vise_folder_close. */
VISE_API VISE_WARN_UNUSED vise_status vise_folder_open(const char *dir, bool make, vise_folder **out, vise_error *err);

/** Undoes, or finishes, a vise_folder_replace whose process was killed. VISE_ERR_IO. */
VISE_API VISE_WARN_UNUSED vise_status vise_folder_recover(vise_folder *folder, vise_error *err);

/** Puts the file `name`, of this text, in place, and removes the entries gone[0 .. n_gone): all or nothing, whenever the
   process is killed. Entries that are missing are passed over, folders go with all that is in them; `name` may be there
   already. VISE_ERR_IO: nothing has changed, unless vise_folder_changed says so. */
VISE_API VISE_WARN_UNUSED vise_status vise_folder_replace(vise_folder *folder, const char *const *gone, size_t n_gone,
                                                          const char *name, const char *text, vise_error *err);

/** Whether recover or replace changed something, also when they failed. */
VISE_API bool vise_folder_changed(const vise_folder *folder);
/** What did not go as it should without making a call fail, for a warning: the file system has no locks, or what was
   replaced could not be removed yet. Empty if all went well; the folder owns it. */
VISE_API const char *vise_folder_note(const vise_folder *folder);

/** Gives the folder back, and removes it and the parents that were made for it if they are empty. NULL is allowed. */
VISE_API void vise_folder_close(vise_folder *folder);

#ifdef __cplusplus
}
#endif
#endif
