/* Calling the tool from a test: a folder to work in, small data files, and what a call printed. */
#ifndef VISE_TEST_CLI_TOOL_H
#define VISE_TEST_CLI_TOOL_H

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

#define TOOL_PATH VISE_BINARY_DIR "/bin/vise"

typedef struct tool_result {
  int code;        /* exit code, or 128 + signal for a process that a signal killed */
  bool killed;     /* by a signal */
  char *out, *err; /* what it printed */
} tool_result;

/* Makes a new folder the current one, and removes it again: for a suite's init and fini. */
void tool_enter(void);
void tool_leave(void);

/* Runs "vise <arguments>" (split at blanks, no shell) and waits. Free with tool_free. */
tool_result tool_run(const char *arguments);
void tool_free(tool_result *result);

/* Starts it without waiting; its output goes to the files "<name>.out" and "<name>.err". */
pid_t tool_start(const char *arguments, const char *name);
tool_result tool_wait(pid_t pid, const char *name);

/* Assert about one call. expect_ok: exit code 0. expect_refused: exit code 2, standard error contains `says`, standard
   output is empty and no file appeared in the current folder. */
void tool_expect_ok(const char *arguments);
void tool_expect_refused(const char *arguments, const char *says);

/* "iris.csv": header a,b,c,kind and n_rows rows of three classes that a small net can tell apart. "line.csv": x, z and
   y = 3x - 2z + 1 + noise. "x.npy", "y.npy": n_rows of 3 features (f64) and labels (i64). */
void tool_write_classes(const char *path, int n_rows);
void tool_write_line(const char *path, int n_rows);
void tool_write_npy(const char *features_path, const char *labels_path, int n_rows);
void tool_write_text(const char *path, const char *text);

bool tool_exists(const char *path);
char *tool_read(const char *path, size_t *n_bytes);
bool tool_same_bytes(const char *a, const char *b);
/* Number of entries in the current folder. */
size_t tool_count_files(void);
/* The JSON in a file; fails the test if there is none. */
json_t *tool_json(const char *path);
json_t *tool_json_text(const char *text);

#define SAYS(text, part) cr_assert(strstr(text, part) != NULL, "\"%s\" does not say \"%s\"", text, part)
#define SAYS_NOT(text, part) cr_assert(strstr(text, part) == NULL, "\"%s\" says \"%s\"", text, part)

#endif
