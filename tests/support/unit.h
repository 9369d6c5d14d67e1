/* What unit tests share: expectations of calls and numbers, temporary folders, a full disk. */
#ifndef VISE_T_UNIT_H
#define VISE_T_UNIT_H

#include <stdbool.h>
#include <stddef.h>

#include "vise/types.h"

/* Fails the test unless the call returned VISE_OK. err is the vise_error that the call was given. */
#define EXPECT_OK(call, err) unit_expect((call), &(err), VISE_OK, "", (unit_place){#call, __FILE__, __LINE__})
/* Fails the test unless the call returned `code`, and wrote it to *err with a text that contains `says`. */
#define EXPECT_ERROR(call, err, code, says) \
  unit_expect((call), (err), (code), (says), (unit_place){#call, __FILE__, __LINE__})

/* Fails the test unless |got - wanted| <= tolerance; a NaN fails. */
#define EXPECT_NEAR(got, wanted, tolerance) \
  unit_expect_near((got), (wanted), (tolerance), (unit_place){#got, __FILE__, __LINE__})

typedef struct unit_place {
  const char *what, *file;
  int line;
} unit_place;

void unit_expect(vise_status status, const vise_error *err, vise_status wanted, const char *says, unit_place place);
void unit_expect_near(double got, double wanted, double tolerance, unit_place place);

/* A new folder, in memory if possible, to be removed with rig_remove. */
void rig_folder(char path[256]);
void rig_remove(const char *path);
/* "<folder>/<name>" in one of 32 static buffers, used in turn. */
const char *rig_path(const char *folder, const char *name);
bool rig_exists(const char *path);

/* A folder for the running test: for init and fini of its suite. rig_in: rig_path in that folder. */
void rig_make_folder(void);
void rig_remove_folder(void);
const char *rig_in(const char *name);

/* Runs body(user) in a child whose files cannot grow beyond limit bytes, which to a write is a full disk; returns what
   body returned. */
int rig_with_full_disk(size_t limit, int (*body)(void *user), void *user);

#endif
