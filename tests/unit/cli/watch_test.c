/* vise watch: runs and sweeps seen from another terminal. Where the course of things matters, the test itself is the
   run: it holds the lock, and writes the file. */
#include <dirent.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 300);
}

TestSuite(cli_watch, .init = enter, .fini = tool_leave);

/* One that does not end by itself. */
#define ENDLESS                                                                                                        \
  "train --train iris.csv --recipe none --layers 3-8-3 --batch 16 --threads 1 --quiet --out run --epochs off --steps " \
  "1000000000 "
#define LOCK "run/.vise-lock"

static void pause_ms(long ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Waits until the file of that name says so, at most a minute. */
static void wait_for(const char *path, const char *text) {
  for (int i = 0; i < 3000; i++) {
    if (tool_exists(path)) {
      char *there = tool_read(path, NULL);
      const bool said = strstr(there, text) != NULL;
      free(there);
      if (said) return;
    }
    pause_ms(20);
  }
  cr_assert_fail("%s never said \"%s\"", path, text);
}

static bool is_alive(pid_t pid) {
  return waitpid(pid, NULL, WNOHANG) == 0;
}

static size_t count(const char *text, const char *part) {
  size_t n = 0;
  for (const char *at = text; (at = strstr(at, part)) != NULL; at++) n++;
  return n;
}

/* ---- a run made by hand ---- */

/* Takes the lock as a run does; closing it gives it back. */
static int begin_run(void) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  cr_assert(mkdir("run", 0700) == 0 || tool_exists("run"));
  int lock = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  cr_assert(lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0 && fcntl(lock, F_OFD_SETLK, &whole) == 0);
  cr_assert(dprintf(lock, "4711 here\n") > 0);
  return lock;
}

static void end_run(int lock) {
  unlink(LOCK);
  close(lock);
}

static void append(const char *text) {
  int file = open("run/metrics.jsonl", O_WRONLY | O_CREAT | O_APPEND, 0600);
  cr_assert(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
  close(file);
}

static void append_epoch(int epoch, double seconds) {
  char line[256];
  snprintf(line, sizeof line,
           "{\"event\":\"epoch\",\"step\":%d,\"epoch\":%d,\"train_loss\":0.25,\"val_loss\":0.5,\"val_accuracy\":0.75,"
           "\"new\":[1],\"seconds\":%.17g}\n",
           10 * epoch, epoch, seconds);
  append(line);
}

#define END "{\"event\":\"end\",\"reason\":\"epochs\",\"steps\":80,\"launches\":0,\"seconds\":16.0,\"epochs\":8}\n"

Test(cli_watch, shows_each_epoch_as_it_ends) {
  int lock = begin_run();
  tool_write_text("run/config.json", "{\"epochs\": 8, \"steps\": null, \"something\": {\"new\": 1}}");
  append("");
  pid_t pid = tool_start("watch run", "watch");
  pause_ms(300);
  cr_assert(is_alive(pid), "the run has begun, and no epoch has ended");

  append_epoch(1, 2);
  wait_for("watch.out", "epoch 1/8  step 10  train loss 0.25  val loss 0.5  accuracy 75.00 %  2.0 s  0:14 left\n");
  append("{\"event\":\"weather\",\"text\":\"rain\"}\n{\"event\":\"epoch\",\"step\":20,\"epoch\":2,\"train_l");
  pause_ms(600);
  append(
      "oss\":0.125,\"layers\":[{\"name\":\"0.weight\",\"weights\":30,\"at_lower_bound\":5,\"at_upper_bound\":3},"
      "{\"name\":\"2.weight\",\"weights\":10,\"at_lower_bound\":1,\"at_upper_bound\":1},{\"name\":\"4.weight\","
      "\"weights\":100}],\"seconds\":4.0}\n");
  wait_for("watch.out", "epoch 2/8  step 20  train loss 0.125  4.0 s  25.0 % at bounds  0:12 left\n");

  append_epoch(8, 16);
  append(END);
  wait_for("watch.out", "epoch 8/8");
  pause_ms(600);
  cr_assert(is_alive(pid), "an end that may be cut off again while somebody holds the folder");
  end_run(lock);

  tool_result result = tool_wait(pid, "watch");
  cr_assert_eq(result.code, 0);
  cr_assert_str_eq(result.err, "");
  cr_assert_eq(count(result.out, "  step "), 3, "%s", result.out);
  SAYS(result.out, "ended by        epochs (the last epoch asked for)\ndone            80 steps, 8 epochs, 0:16\n");
  tool_free(&result);
}

Test(cli_watch, of_what_was_before_it_shows_the_last_ten_epochs) {
  int lock = begin_run();
  for (int i = 1; i <= 50; i++) append_epoch(i, i);
  append("{\"event\":\"end\",\"reason\":\"error\",\"steps\":500,\"launches\":0,\"seconds\":50.0}\n");
  end_run(lock);
  tool_result result = tool_run("watch run");
  cr_assert_eq(result.code, 1);
  cr_assert_eq(count(result.out, "epoch "), 10, "%s", result.out);
  SAYS(result.out, "epoch 41  step 410");
  SAYS(result.err, "vise watch: run: the run failed after 500 steps: an error");
  tool_free(&result);

  result = tool_run("watch run --json");
  char *metrics = tool_read("run/metrics.jsonl", NULL);
  cr_assert(strncmp(result.out, metrics, strlen(metrics)) == 0, "not the lines of the file: %s", result.out);
  cr_assert_eq(count(result.out, "\n"), 52);
  SAYS(result.out, "\n{\"event\":\"watch\",\"what\":\"failed\",\"text\":\"run: the run failed");
  free(metrics);
  tool_free(&result);
}

/* Cut back between two looks, and longer than it was at the next one. */
Test(cli_watch, a_run_that_goes_back_is_told_once) {
  int lock = begin_run();
  for (int i = 1; i <= 6; i++) append_epoch(i, i);
  pid_t pid = tool_start("watch run --json", "watch");
  wait_for("watch.out", "\"epoch\":6,");

  struct stat info;
  cr_assert_eq(stat("run/metrics.jsonl", &info), 0);
  cr_assert_eq(kill(pid, SIGSTOP), 0);
  cr_assert_eq(truncate("run/metrics.jsonl", info.st_size / 6 * 4), 0);
  for (int i = 5; i <= 8; i++) append_epoch(i, i - 4); /* lines as long as those that were there */
  cr_assert_eq(kill(pid, SIGCONT), 0);
  wait_for("watch.out", "\"epoch\":8,");

  /* The same again, within sight. */
  cr_assert_eq(truncate("run/metrics.jsonl", info.st_size / 6 * 4), 0);
  pause_ms(600);
  append_epoch(5, 0.25);
  append(END);
  end_run(lock);
  tool_result result = tool_wait(pid, "watch");
  cr_assert_eq(result.code, 0, "%s", result.err);

  static const int epochs[] = {1, 2, 3, 4, 5, 6, -1, 5, 6, 7, 8, -1, 5, 0};
  const char *at = result.out;
  for (size_t i = 0; i < sizeof epochs / sizeof *epochs; i++) {
    char expected[64];
    snprintf(expected, sizeof expected, "{\"event\":\"epoch\",\"step\":%d,\"epoch\":%d,", 10 * epochs[i], epochs[i]);
    if (epochs[i] < 0) snprintf(expected, sizeof expected, "{\"event\":\"watch\",\"what\":\"resumed\",");
    if (epochs[i] == 0) snprintf(expected, sizeof expected, "{\"event\":\"end\",");
    cr_assert(strncmp(at, expected, strlen(expected)) == 0, "line %zu is not %s: %s", i, expected, result.out);
    at = strchr(at, '\n') + 1;
  }
  cr_assert_str_eq(at, "");
  tool_free(&result);
}

/* As where a folder is copied from another machine again and again. */
Test(cli_watch, a_file_that_is_copied_anew_is_no_other_run) {
  int lock = begin_run();
  append_epoch(1, 2);
  pid_t pid = tool_start("watch run", "watch");
  wait_for("watch.out", "epoch 1  ");
  char *text = tool_read("run/metrics.jsonl", NULL);
  tool_write_text("run/copy.tmp", text);
  cr_assert_eq(rename("run/copy.tmp", "run/metrics.jsonl"), 0);
  append_epoch(2, 4);
  wait_for("watch.out", "epoch 2  ");
  append(END);
  end_run(lock);
  tool_result result = tool_wait(pid, "watch");
  cr_assert_eq(result.code, 0);
  cr_assert_eq(count(result.out, "epoch 1  "), 1, "%s", result.out);
  cr_assert_str_eq(result.err, "");
  free(text);
  tool_free(&result);
}

Test(cli_watch, says_once_how_it_stands) {
  cr_assert_eq(mkdir("run", 0700), 0);
  tool_result result = tool_run("watch run --once");
  cr_assert_eq(result.code, 0);
  SAYS(result.out, "run             not begun\n");
  tool_free(&result);

  int lock = begin_run();
  tool_write_text("run/config.json", "{\"epochs\": 8, \"steps\": 60}");
  append_epoch(2, 4);
  append("{\"event\":\"step\",\"step\":23,\"epoch\":3,\"loss\":0.5}\n");
  result = tool_run("watch run --once");
  cr_assert_eq(result.code, 0);
  SAYS(result.out, "run             at work: process 4711 on here\nepoch 3/8  step 23  train loss 0.25");
  tool_free(&result);

  append_epoch(3, 6);
  result = tool_run("watch run --once --json");
  json_t *state = tool_json_text(result.out);
  cr_assert_str_eq(json_string_value(json_object_get(state, "state")), "at-work");
  cr_assert_eq(json_integer_value(json_object_get(state, "step")), 30);
  cr_assert_eq(json_integer_value(json_object_get(state, "planned_steps")), 60);
  cr_assert_eq(json_number_value(json_object_get(state, "steps_per_second")), 5);
  cr_assert_eq(json_integer_value(json_object_get(json_object_get(state, "last_epoch"), "epoch")), 3);
  cr_assert(json_is_null(json_object_get(state, "end")));
  json_decref(state);
  tool_free(&result);

  close(lock); /* as one that was killed: the file of the lock stays */
  result = tool_run("watch run --once --json");
  cr_assert_eq(result.code, 1);
  state = tool_json_text(result.out);
  cr_assert_str_eq(json_string_value(json_object_get(state, "state")), "died");
  SAYS(result.err, "the run died after step 30, in epoch 4");
  SAYS(result.err, "go on with: vise train --resume run");
  json_decref(state);
  tool_free(&result);

  append("{\"event\":\"end\",\"reason\":\"interrupted\",\"steps\":30,\"launches\":0,\"seconds\":6.5}\n");
  result = tool_run("watch run --once");
  cr_assert_eq(result.code, 0);
  SAYS(result.out, "ended by        interrupted");
  SAYS(result.out, "to go on        vise train --resume run\n");
  SAYS_NOT(result.out, " left");
  tool_free(&result);
}

/* ---- true runs ---- */

Test(cli_watch, waits_for_a_run_and_follows_it_to_its_end) {
  cr_assert_eq(mkdir("run", 0700), 0);
  pid_t pid = tool_start("watch run", "watch");
  wait_for("watch.err", "note: run: nothing has begun here yet; waiting for it\n");
  tool_expect_ok("train --train iris.csv --layers 3-8-3 --epochs 30 --val-fraction 0.2 --quiet --out run");
  tool_result result = tool_wait(pid, "watch");
  cr_assert_eq(result.code, 0, "%s", result.err);
  cr_assert_eq(count(result.err, "\n"), 1, "%s", result.err);
  SAYS(result.out, "epoch 30/30  step ");
  SAYS(result.out, "ended by        epochs (the last epoch asked for)\n");
  SAYS(result.out, "validation      loss ");
  tool_free(&result);
}

/* The names and times of all files in the folder. */
static char *listing(const char *path) {
  char *text = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&text, &n);
  struct dirent **entries = NULL;
  const int n_entries = scandir(path, &entries, NULL, alphasort);
  for (int i = 0; i < n_entries; i++) {
    char name[512];
    struct stat info;
    snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
    if (strcmp(entries[i]->d_name, "..") != 0 && stat(name, &info) == 0) {
      fprintf(out, "%s %ld %ld.%09ld\n", name, (long)info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    }
    free(entries[i]);
  }
  free(entries);
  fclose(out);
  return text;
}

Test(cli_watch, a_run_that_is_stopped_is_alive_and_one_that_is_killed_is_not) {
  pid_t run = tool_start(ENDLESS "--checkpoint-every 500", "call");
  wait_for("run/metrics.jsonl", "\"epoch\":20,");
  cr_assert_eq(kill(run, SIGSTOP), 0);
  pause_ms(200);
  char *before = listing("run");
  pid_t pid = tool_start("watch run", "watch"), other = tool_start("watch run", "other");
  pause_ms(2000);
  cr_assert(is_alive(pid) && is_alive(other), "a run that is stopped was taken for dead");

  cr_assert_eq(kill(other, SIGINT), 0);
  tool_result result = tool_wait(other, "other");
  cr_assert_eq(result.code, 130);
  cr_assert(!result.killed);
  tool_free(&result);
  char *after = listing("run");
  cr_assert_str_eq(before, after, "the folder is another one");

  cr_assert_eq(kill(run, SIGKILL), 0);
  kill(run, SIGCONT);
  result = tool_wait(run, "call");
  tool_free(&result);
  result = tool_wait(pid, "watch");
  cr_assert_eq(result.code, 1);
  SAYS(result.err, "vise watch: run: the run died after step ");
  SAYS(result.err, "go on with: vise train --resume run");
  tool_free(&result);

  /* And it can be gone on with, under the eyes of the next. */
  cr_assert_eq(unlink(LOCK), 0); /* that of the run that was killed */
  run = tool_start("train --resume run", "call");
  wait_for(LOCK, " ");
  pid = tool_start("watch run", "watch");
  wait_for("watch.out", "epoch ");
  cr_assert_eq(kill(run, SIGINT), 0);
  result = tool_wait(run, "call");
  cr_assert_eq(result.code, 130);
  tool_free(&result);
  result = tool_wait(pid, "watch");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "to go on        vise train --resume run\n");
  tool_free(&result);
  free(before);
  free(after);
}

Test(cli_watch, another_run_in_its_place) {
  pid_t run = tool_start(ENDLESS, "call");
  wait_for("run/metrics.jsonl", "\"epoch\":20,");
  pid_t pid = tool_start("watch run", "watch");
  wait_for("watch.out", "epoch ");
  cr_assert_eq(kill(pid, SIGSTOP), 0); /* on a slow machine it would see a run that died */
  cr_assert_eq(kill(run, SIGKILL), 0);
  tool_result result = tool_wait(run, "call");
  tool_free(&result);
  tool_expect_ok("train --train iris.csv --layers 3-8-3 --epochs 17 --val-fraction 0.2 --quiet --out run --overwrite");
  cr_assert_eq(kill(pid, SIGCONT), 0);
  result = tool_wait(pid, "watch");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.err, "note: the run began again, or another one took its place\n");
  SAYS(result.out, "epoch 17/17");
  tool_free(&result);
}

/* To ask whether a folder is in use must not be to use it. */
Test(cli_watch, never_keeps_a_run_from_beginning) {
  enum { N_WATCHERS = 3, N_RUNS = 40 };
  pid_t watchers[N_WATCHERS];
  tool_expect_ok("train --train iris.csv --layers 3-3 --steps 2 --quiet --out run --cross-validate no");
  for (int i = 0; i < N_WATCHERS; i++) {
    fflush(NULL);
    watchers[i] = fork();
    cr_assert(watchers[i] >= 0);
    if (watchers[i] > 0) continue;
    for (;;) { /* what the tool asks, as fast as can be */
      struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
      int file = open(LOCK, O_RDONLY);
      if (file >= 0) (void)fcntl(file, F_OFD_GETLK, &whole);
      if (file >= 0) close(file);
    }
  }

  for (int i = 0; i < N_RUNS; i++) {
    tool_result result =
        tool_run("train --train iris.csv --layers 3-3 --steps 2 --quiet --out run --overwrite --cross-validate no");
    cr_expect_eq(result.code, 0, "run %d: %s", i, result.err);
    tool_free(&result);
  }
  for (int i = 0; i < N_WATCHERS; i++) {
    kill(watchers[i], SIGKILL);
    waitpid(watchers[i], NULL, 0);
  }
}

/* Nor does the tool take the lock of runs in one of its looks, for however short a time. */
Test(cli_watch, takes_no_lock) {
  int lock = begin_run();
  append_epoch(1, 1);
  pid_t pid = tool_start("watch run", "watch");
  wait_for("watch.out", "epoch 1");
  close(lock); /* free, and the file is there */
  lock = open(LOCK, O_RDWR | O_CLOEXEC);
  siginfo_t ended = {0};
  long n = 0;
  for (; ended.si_pid == 0; n++) { /* until it takes the run for dead */
    cr_assert_eq(flock(lock, LOCK_EX | LOCK_NB), 0, "try %ld", n);
    cr_assert_eq(flock(lock, LOCK_UN), 0);
    if (n % 1000 == 0) cr_assert_eq(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
  }
  close(lock);
  cr_assert(n > 1000);
  tool_result result = tool_wait(pid, "watch");
  cr_assert_eq(result.code, 1);
  tool_free(&result);
}

Test(cli_watch, draws_a_bar_on_a_terminal) {
  struct winsize size = {.ws_row = 25, .ws_col = 110};
  static char shown[1 << 16];
  int lock = begin_run(), master = -1, status = 0;
  size_t n = 0;
  tool_write_text("run/config.json", "{\"epochs\": 8}");
  append_epoch(4, 8);
  pid_t pid = forkpty(&master, NULL, NULL, &size);
  cr_assert(pid >= 0);
  if (pid == 0) {
    setenv("TERM", "xterm", 1);
    execl(TOOL_PATH, "vise", "watch", "run", (char *)NULL);
    _exit(127);
  }

  pause_ms(600);
  append_epoch(8, 16);
  append(END);
  end_run(lock);
  for (ssize_t got; n + 1 < sizeof shown && (got = read(master, shown + n, sizeof shown - 1 - n)) > 0;)
    n += (size_t)got;
  close(master);
  cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", shown);
  SAYS(shown, "\repoch 4/8 [");
  SAYS(shown, "50 %  loss 0.25  ");
  SAYS(shown, "val accuracy 75.00 %");
  SAYS(shown, "\repoch 8/8 [====");
  SAYS(shown, "\x1b[K\r\nended by        epochs");
  SAYS_NOT(shown, "step 40");
}

Test(cli_watch, refuses_what_it_cannot_watch) {
  cr_assert(mkdir("other", 0700) == 0 && mkdir("a", 0700) == 0);
  tool_write_text("other/letter.txt", "Dear");
  tool_expect_refused("watch", "which folder?");
  tool_expect_refused("watch none", "none: there is no such folder");
  tool_expect_refused("watch iris.csv", "iris.csv: is not a folder");
  tool_expect_refused("watch other", "there is neither a run (metrics.jsonl) nor a sweep (sweep.json) in it");
  tool_expect_refused("watch a other", "one folder at a time");
  tool_expect_refused("watch a --json --progress bar", "--json and --progress contradict each other");
  tool_expect_refused("watch a --once --progress lines", "--once and --progress contradict each other");
  tool_expect_refused("watch a --progress json", "it can be auto, bar, lines");
}

Test(cli_watch, a_folder_that_goes_away_ends_it) {
  int lock = begin_run();
  append_epoch(1, 1);
  pid_t pid = tool_start("watch run/", "watch");
  wait_for("watch.out", "epoch 1");
  unlink("run/metrics.jsonl");
  end_run(lock);
  cr_assert_eq(rmdir("run"), 0);
  tool_result result = tool_wait(pid, "watch");
  cr_assert_eq(result.code, 1);
  SAYS(result.err, "vise watch: run: the folder is gone");
  tool_free(&result);
}

/* ---- sweeps ---- */

#define SWEEP \
  "sweep --train iris.csv --vary l2=off,1e-3 --vary lr=0.01,0.02 --folds 3 --jobs 1 --seed 2 --quiet --out s "

Test(cli_watch, follows_a_sweep_to_its_end) {
  cr_assert_eq(mkdir("s", 0700), 0);
  pid_t pid = tool_start("watch s", "watch"), other = tool_start("watch s --json", "other");
  wait_for("watch.err", "waiting for it");
  tool_expect_ok(SWEEP "--epochs 60");
  tool_result result = tool_wait(pid, "watch");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "12 of 12 fits");
  SAYS(result.out, "winner          l2=");
  tool_free(&result);

  result = tool_wait(other, "other");
  cr_assert_eq(result.code, 0, "%s", result.err);
  cr_assert_eq(count(result.out, "{\"event\":\"fit\",\"config\":"), 12, "%s", result.out);
  SAYS(result.out, "{\"event\":\"watch\",\"what\":\"ended\"");
  tool_free(&result);

  result = tool_run("watch s --once --json");
  cr_assert_eq(result.code, 0);
  json_t *state = tool_json_text(result.out), *sheet = tool_json("s/sweep.json");
  const json_t *winner = json_object_get(json_object_get(sheet, "choice"), "winner");
  const json_t *best = json_object_get(state, "best");
  cr_assert_str_eq(json_string_value(json_object_get(state, "state")), "ended");
  cr_assert_eq(json_integer_value(json_object_get(state, "fits_done")), 12);
  cr_assert_eq(json_integer_value(json_object_get(state, "fits_total")), 12);
  cr_assert(json_equal(json_object_get(best, "params"), json_object_get(winner, "params")));
  const double mean = json_number_value(json_object_get(best, "score"));
  cr_assert_float_eq(mean, json_number_value(json_object_get(winner, "score")), 1e-12);
  json_decref(state);
  json_decref(sheet);
  tool_free(&result);
}

Test(cli_watch, a_sweep_that_is_stopped_is_alive_and_one_that_is_killed_is_not) {
  pid_t sweep = tool_start(SWEEP "--epochs 2000 --repeats 20", "call");
  wait_for("s/fits.jsonl", "\n");
  pid_t pid = tool_start("watch s", "watch");
  cr_assert_eq(kill(sweep, SIGSTOP), 0);
  pause_ms(2000);
  cr_assert(is_alive(pid), "a sweep that is stopped was taken for dead");
  tool_result result = tool_run("watch s --once");
  cr_assert_eq(result.code, 0);
  SAYS(result.out, "sweep           at work\n");
  SAYS(result.out, " of 240 fits");
  tool_free(&result);

  cr_assert_eq(kill(sweep, SIGKILL), 0);
  kill(sweep, SIGCONT);
  result = tool_wait(sweep, "call");
  tool_free(&result);
  result = tool_wait(pid, "watch");
  cr_assert_eq(result.code, 1);
  SAYS(result.err, "of 240 fits: no process is at work there; go on with: vise sweep --resume s");
  tool_free(&result);

  tool_expect_ok("sweep --train iris.csv --vary l2=off --folds 2 --epochs 3 --quiet --out s --overwrite");
  result = tool_run("watch s");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "2 of 2 fits");
  tool_free(&result);
}
