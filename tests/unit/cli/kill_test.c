/* A run that is killed again and again, at any moment, goes on with the bits of one that was left alone. */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tool.h"

enum { N_KILLS = 50, LONGEST_MS = 120 };

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 120);
}

TestSuite(cli_kill, .init = enter, .fini = tool_leave);

#define TRAINING                                                                                                 \
  "train --train iris.csv --recipe none --layers 3-8-3 --optimizer adam --val-fraction 0.2 --batch 16 --seed 3 " \
  "--threads 1 --quiet "

/* Starts the run, or goes on with it once it has a config.json, and kills it after a while. */
static void run_and_kill(long ms) {
  const char *arguments = tool_exists("run/config.json") ? "train --resume run"
                                                         : TRAINING
                              "--epochs 100000000 --checkpoint-every 20 --log-every 1 --out run";
  pid_t pid = tool_start(arguments, "call");
  nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
  cr_assert_eq(kill(pid, SIGKILL), 0);
  tool_result result = tool_wait(pid, "call");
  cr_assert(result.killed, "it ended by itself with %d: %s", result.code, result.err);
  tool_free(&result);
}

/* The step of the newest checkpoint, 0 if there is none, and how many entries there are. */
static long newest_step(const char *path, size_t *n_entries) {
  long newest = 0;
  DIR *dir = opendir(path);
  cr_assert(dir != NULL, "%s", path);
  *n_entries = 0;

  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    long step = 0;
    if (entry->d_name[0] != '.' && sscanf(entry->d_name, "step-%ld", &step) == 1 && step > newest) newest = step;
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) ++*n_entries;
  }
  closedir(dir);
  return newest;
}

/* metrics.jsonl without what differs: times, and the report in the last event, which names folders. */
static char *read_metrics(const char *path) {
  char *text = tool_read(path, NULL), *to = text;
  for (const char *from = text; *from != '\0'; *to++ = *from++) {
    if (strncmp(from, "\"seconds\":", 10) == 0) from += strcspn(from, ",}");
  }
  *to = '\0';
  char *end = strstr(text, "{\"event\":\"end\""), *report = end != NULL ? strstr(end, "\"epochs\"") : NULL;
  if (report != NULL) *report = '\0';
  return text;
}

Test(cli_kill, fifty_times_changes_no_bit) {
  uint64_t state = 12345;
  for (int i = 0; i < N_KILLS; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    run_and_kill(1 + (long)(state >> 33) % LONGEST_MS);
  }
  /* On a slow machine none of them may have come far. */
  for (long ms = 200; !tool_exists("run/config.json") && ms < 10000; ms *= 2) run_and_kill(ms);

  char arguments[512];
  size_t n_entries = 0;
  const long last = newest_step("run/checkpoints", &n_entries) + 25;
  snprintf(arguments, sizeof arguments, "train --resume run --epochs off --steps %ld", last);
  tool_expect_ok(arguments);
  (void)newest_step("run/checkpoints", &n_entries);
  cr_assert_eq(n_entries, 2, "%zu entries: leftovers of killed processes", n_entries);

  snprintf(arguments, sizeof arguments, TRAINING "--log-every 1 --out whole --steps %ld", last);
  tool_expect_ok(arguments);
  cr_assert(tool_same_bytes("run/model.safetensors", "whole/model.safetensors"));
  char *run = read_metrics("run/metrics.jsonl"), *whole = read_metrics("whole/metrics.jsonl");
  cr_assert(strcmp(run, whole) == 0, "other metrics");
  free(run);
  free(whole);
}
