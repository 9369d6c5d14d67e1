/* vise report: a page of a sweep, or of runs. */
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/files.h"
#include "host/cli/html_run.h"
#include "host/cli/html_sweep.h"
#include "host/cli/message.h"

enum { MOST_FOLDERS = 64 };

/* The folders, one to a line of an option. */
typedef struct folders {
  char *text;
  const char *dirs[MOST_FOLDERS];
  size_t n;
} folders;

static vise_status take_folders(const vise_i_cli_options *options, folders *out, vise_error *err) {
  if (options->folders == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "which folder? As in: vise report run, or vise report sweep");
  }
  out->text = strdup(options->folders);
  if (out->text == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");

  char *rest = out->text, *dir;
  while ((dir = strsep(&rest, "\n")) != NULL) {
    if (out->n == MOST_FOLDERS) return vise_i_cli_fail(err, VISE_ERR_USAGE, "at most %d folders", MOST_FOLDERS);
    const size_t n = strlen(dir);
    if (n > 1 && dir[n - 1] == '/') dir[n - 1] = '\0';
    out->dirs[out->n++] = dir;
  }
  return VISE_OK;
}

/* A page is of one sweep, or of runs. */
static vise_status check_folders(const folders *of, vise_error *err) {
  for (size_t i = 0; i < of->n; i++) {
    bool is_sweep = false, there = false;
    vise_status status = vise_i_cli_exists_in(of->dirs[i], "sweep.json", &is_sweep, err);
    if (status == VISE_OK) status = vise_i_cli_exists(of->dirs[i], &there, err);
    if (status != VISE_OK) return status;
    if (of->n > 1 && is_sweep) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "%s is a sweep; a page is of one sweep, or of runs", of->dirs[i]);
    }
    if (!there) return vise_i_cli_fail(err, VISE_ERR_USAGE, "%s: there is no such folder", of->dirs[i]);
  }
  return VISE_OK;
}

static vise_status write_report(const vise_i_cli_options *options, const folders *of, bool *saves, vise_error *err) {
  char *path = NULL;
  if (of->n > 1 && options->out == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "several runs need --out FILE");
  }
  if (asprintf(&path, "%s%s", options->out != NULL ? options->out : of->dirs[0],
               options->out != NULL ? "" : "/report.html") < 0) {
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  }

  bool is_sweep = false;
  vise_status status = vise_i_cli_check_output(path, err);
  if (status == VISE_OK) status = vise_i_cli_exists_in(of->dirs[0], "sweep.json", &is_sweep, err);
  if (status == VISE_OK && is_sweep) {
    status = vise_i_cli_sweep_report(of->dirs[0], path, saves, err);
  } else if (status == VISE_OK) {
    status = vise_i_cli_run_report(of->dirs, of->n, path, saves, err);
  }
  if (status == VISE_OK && !options->quiet) (void)printf("%-15s %s\n", "report", path);
  free(path);
  return status;
}

int vise_i_cli_report_pages(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  folders of = {0};
  bool saves = false;

  vise_i_cli_options_init(&options, VISE_COMMAND_REPORT);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK) status = take_folders(&options, &of, &err);
  if (status == VISE_OK) status = check_folders(&of, &err);
  if (status == VISE_OK) status = write_report(&options, &of, &saves, &err);

  const int code =
      vise_i_cli_end(VISE_COMMAND_REPORT, status, &err, saves ? VISE_I_CLI_FAILED : VISE_I_CLI_NOTHING_DONE);
  free(of.text);
  vise_i_cli_options_free(&options);
  return code;
}
