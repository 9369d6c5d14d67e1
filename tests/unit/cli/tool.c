#include "tool.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 96, MAX_LINE = 4096 };

static char folder[] = P_tmpdir "/vise-cli-XXXXXX";

void tool_enter(void) {
  cr_assert(mkdtemp(folder) != NULL);
  cr_assert(chdir(folder) == 0);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk) {
  (void)info;
  (void)kind;
  (void)walk;
  return remove(path);
}

void tool_leave(void) {
  cr_assert(chdir("/") == 0);
  cr_assert(nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* ---- calls ---- */

static void be_the_tool(const char *arguments, int out, int err) {
  static char line[MAX_LINE];
  static char program[] = "vise";
  char *argv[MAX_ARGUMENTS] = {program};
  size_t n = 1;

  snprintf(line, sizeof line, "%s", arguments);
  for (char *word = strtok(line, " "); word != NULL && n + 1 < MAX_ARGUMENTS; word = strtok(NULL, " "))
    argv[n++] = word;

  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  execv(TOOL_PATH, argv);
  _exit(127);
}

static pid_t start(const char *arguments, const char *out_path, const char *err_path) {
  int out = open(out_path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  int err = open(err_path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  cr_assert(out >= 0 && err >= 0);

  fflush(NULL);
  pid_t pid = fork();
  cr_assert(pid >= 0);
  if (pid == 0) be_the_tool(arguments, out, err);
  close(out);
  close(err);
  return pid;
}

static tool_result finish(pid_t pid, const char *out_path, const char *err_path) {
  tool_result result = {0};
  int status = 0;
  cr_assert(waitpid(pid, &status, 0) == pid);
  result.killed = WIFSIGNALED(status);
  result.code = result.killed ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  result.out = tool_read(out_path, NULL);
  result.err = tool_read(err_path, NULL);
  return result;
}

tool_result tool_run(const char *arguments) {
  /* Beside the folder, so that a test sees only what the tool leaves. */
  char out_path[64], err_path[64];
  snprintf(out_path, sizeof out_path, "%s.out", folder);
  snprintf(err_path, sizeof err_path, "%s.err", folder);
  tool_result result = finish(start(arguments, out_path, err_path), out_path, err_path);
  remove(out_path);
  remove(err_path);
  return result;
}

void tool_free(tool_result *result) {
  free(result->out);
  free(result->err);
}

pid_t tool_start(const char *arguments, const char *name) {
  char out_path[64], err_path[64];
  snprintf(out_path, sizeof out_path, "%s.out", name);
  snprintf(err_path, sizeof err_path, "%s.err", name);
  return start(arguments, out_path, err_path);
}

tool_result tool_wait(pid_t pid, const char *name) {
  char out_path[64], err_path[64];
  snprintf(out_path, sizeof out_path, "%s.out", name);
  snprintf(err_path, sizeof err_path, "%s.err", name);
  return finish(pid, out_path, err_path);
}

void tool_expect_ok(const char *arguments) {
  tool_result result = tool_run(arguments);
  cr_assert_eq(result.code, 0, "vise %s: exit code %d\n%s%s", arguments, result.code, result.out, result.err);
  tool_free(&result);
}

void tool_expect_refused(const char *arguments, const char *says) {
  size_t before = tool_count_files();
  tool_result result = tool_run(arguments);
  cr_assert_eq(result.code, 2, "vise %s: exit code %d, expected 2\n%s%s", arguments, result.code, result.out,
               result.err);
  cr_assert(strstr(result.err, says) != NULL, "vise %s: \"%s\" does not say \"%s\"", arguments, result.err, says);
  cr_assert_str_eq(result.out, "", "vise %s printed results: %s", arguments, result.out);
  cr_assert_eq(tool_count_files(), before, "vise %s left files", arguments);
  tool_free(&result);
}

/* ---- files ---- */

static double noise(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(*state >> 11) * 0x1p-53 - 0.5;
}

static void class_row(int i, uint64_t *state, double x[3]) {
  int kind = i % 3;
  for (int j = 0; j < 3; j++) x[j] = (j == kind ? 2.0 : 0.0) + noise(state);
}

static FILE *create(const char *path) {
  FILE *file = fopen(path, "wb");
  cr_assert(file != NULL, "%s", path);
  return file;
}

void tool_write_classes(const char *path, int n_rows) {
  FILE *file = create(path);
  uint64_t state = 7;
  fprintf(file, "a,b,c,kind\n");
  for (int i = 0; i < n_rows; i++) {
    double x[3];
    class_row(i, &state, x);
    fprintf(file, "%.6f,%.6f,%.6f,%d\n", x[0], x[1], x[2], i % 3);
  }
  fclose(file);
}

void tool_write_line(const char *path, int n_rows) {
  FILE *file = create(path);
  uint64_t state = 11;
  fprintf(file, "x,z,y\n");
  for (int i = 0; i < n_rows; i++) {
    double x = noise(&state) * 2, z = noise(&state) * 2;
    fprintf(file, "%.6f,%.6f,%.6f\n", x, z, 3 * x - 2 * z + 1 + 0.1 * noise(&state));
  }
  fclose(file);
}

static FILE *create_npy(const char *path, const char *type, int n_rows, int n_cols) {
  FILE *file = create(path);
  char header[128];
  int n = n_cols > 0 ? snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }",
                                type, n_rows, n_cols)
                     : snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%d,), }",
                                type, n_rows);

  for (; n < 117; n++) header[n] = ' ';
  header[n++] = '\n';

  fwrite("\x93NUMPY\x01\x00", 1, 8, file);
  fputc(n, file);
  fputc(0, file);
  fwrite(header, 1, (size_t)n, file);
  return file;
}

void tool_write_npy(const char *features_path, const char *labels_path, int n_rows) {
  FILE *features = create_npy(features_path, "<f8", n_rows, 3);
  FILE *labels = create_npy(labels_path, "<i8", n_rows, 0);
  uint64_t state = 7;

  for (int i = 0; i < n_rows; i++) {
    double x[3];
    int64_t kind = i % 3;
    class_row(i, &state, x);
    fwrite(x, sizeof *x, 3, features);
    fwrite(&kind, sizeof kind, 1, labels);
  }

  fclose(features);
  fclose(labels);
}

void tool_write_text(const char *path, const char *text) {
  FILE *file = create(path);
  fputs(text, file);
  fclose(file);
}

bool tool_exists(const char *path) {
  return access(path, F_OK) == 0;
}

char *tool_read(const char *path, size_t *n_bytes) {
  FILE *file = fopen(path, "rb");
  cr_assert(file != NULL, "%s cannot be read", path);

  size_t n = 0, room = 1 << 16;
  char *bytes = malloc(room + 1);
  cr_assert(bytes != NULL);

  for (size_t got; (got = fread(bytes + n, 1, room - n, file)) > 0;) {
    n += got;
    if (n == room) {
      room *= 2;
      bytes = realloc(bytes, room + 1);
      cr_assert(bytes != NULL);
    }
  }

  fclose(file);
  bytes[n] = '\0';
  if (n_bytes != NULL) *n_bytes = n;
  return bytes;
}

bool tool_same_bytes(const char *a, const char *b) {
  size_t n = 0, m = 0;
  char *first = tool_read(a, &n), *second = tool_read(b, &m);
  bool same = n == m && memcmp(first, second, n) == 0;
  free(first);
  free(second);
  return same;
}

size_t tool_count_files(void) {
  DIR *dir = opendir(".");
  cr_assert(dir != NULL);
  size_t n = 0;
  while (readdir(dir) != NULL) n++;
  closedir(dir);
  return n;
}

json_t *tool_json(const char *path) {
  json_error_t where;
  json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
  cr_assert(json != NULL, "%s:%d: %s", path, where.line, where.text);
  return json;
}

json_t *tool_json_text(const char *text) {
  json_error_t where;
  json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &where);
  cr_assert(json != NULL, "%d: %s in %s", where.line, where.text, text);
  return json;
}
