/* The folder of a sweep: what is lost, damaged or stopped is made up for, and folders of others are left alone. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sweep_rig.h"

#define GRID "--train people.csv --drop who --recipe none --layers auto-6-auto --vary lr=1e-3,1e-2,0.1,0.5 "
#define PLAIN GRID "--vary seed=1,2,3 --epochs 80 --folds 3 --repeats 2 --quiet --refit no "
#define HALVING GRID "--vary seed=1,2 --epochs 60 --batch 8 --optimizer adam --folds 3 --quiet --refit no --halving 2 "
/* With rungs that last: 8 configurations, the first rung has 375 epochs. */
#define LONG GRID "--vary seed=1,2 --epochs 3000 --batch 8 --optimizer adam --folds 3 --quiet --refit no --halving 2 "

static void enter(void) {
  tool_enter();
  sweep_write_people("people.csv", 72);
}

TestSuite(cli_sweep_resume, .init = enter, .fini = tool_leave);

static void expect_same_results(const char *a, const char *b) {
  char *x = sweep_results_without_times(a), *y = sweep_results_without_times(b);
  cr_assert_str_eq(x, y);
  free(x);
  free(y);
  sweep_expect_same_fits(a, b);
}

static void sleep_ms(long ms) {
  nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static off_t size_of(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? info.st_size : 0;
}

/* Sends a signal as soon as the file has so many bytes, and returns what the process came to. */
static tool_result stop_at(const char *arguments, int number, const char *path, off_t n_bytes) {
  const pid_t pid = tool_start(arguments, "call");
  for (int i = 0; i < 20000 && size_of(path) < n_bytes; i++) sleep_ms(1);
  cr_assert_geq(size_of(path), n_bytes, "%s: %ld bytes", path, (long)size_of(path));
  cr_assert_eq(kill(pid, number), 0);
  return tool_wait(pid, "call");
}

static void kill_at(const char *arguments, const char *path, off_t n_bytes) {
  tool_result result = stop_at(arguments, SIGKILL, path, n_bytes);
  cr_assert(result.killed, "it ended by itself with %d: %s", result.code, result.err);
  tool_free(&result);
}

/* ---- kills -------------------------------------------------------------------------------------------------------------- */

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The whole sweep, uninterrupted; how long it takes here. */
static long run_whole(const char *how) {
  const long start = now_ms();
  sweep_ok("%s --jobs 2 --out whole", how);
  return now_ms() - start;
}

/* Again and again, each time within a twelfth of what the whole takes, until it ends by itself: a machine that is less
   busy than it was then still sees several kills. */
static size_t kill_at_random(const char *how, long whole_ms, uint64_t state) {
  char first[512];
  size_t n_kills = 0;
  snprintf(first, sizeof first, "sweep %s --jobs 2 --out dir", how);
  for (;;) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const pid_t pid = tool_start(tool_exists("dir/sweep.json") ? "sweep --resume dir" : first, "call");
    sleep_ms(2 + (long)(state >> 33) % (whole_ms / 12 + 1) + (long)n_kills / 2);
    (void)kill(pid, SIGKILL);
    tool_result result = tool_wait(pid, "call");
    const bool killed = result.killed;
    cr_assert(killed || result.code == 0, "%d: %s", result.code, result.err);
    tool_free(&result);
    if (!killed) return n_kills;
    n_kills++;
  }
}

Test(cli_sweep_resume, kills_change_nothing) {
  static const char how[] = PLAIN "--vary batch-norm=yes,no --epochs 200";
  const size_t n_kills = kill_at_random(how, run_whole(how), 1);
  cr_assert_gt(n_kills, 2);
  expect_same_results("dir", "whole");
}

Test(cli_sweep_resume, kills_change_nothing_in_halving) {
  static const char how[] = HALVING "--epochs 400";
  const size_t n_kills = kill_at_random(how, run_whole(how), 2);
  cr_assert_gt(n_kills, 2);
  expect_same_results("dir", "whole");
  cr_assert_not(tool_exists("dir/states"));
}

/* ---- fits.jsonl ------------------------------------------------------------------------------------------------------------ */

static void write_bytes(const char *path, const char *bytes, size_t n) {
  FILE *file = fopen(path, "w");
  cr_assert(file != NULL && fwrite(bytes, 1, n, file) == n && fclose(file) == 0, "%s", path);
}

/* Fits that are in no line, or in half of one, are trained again, and no others. */
Test(cli_sweep_resume, lost_lines_are_trained_again) {
  size_t n = 0;
  sweep_ok("%s --out whole", PLAIN);
  sweep_ok("%s --out dir", PLAIN);
  char *text = tool_read("dir/fits.jsonl", &n), *at = text;
  for (int i = 0; i < 40; i++) at = strchr(at, '\n') + 1;
  write_bytes("dir/fits.jsonl", text, (size_t)(at - text) + 30);
  free(text);

  tool_result result = sweep_run("--resume dir --json --jobs 1");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *object = tool_json_text(result.out);
  cr_assert_eq(json_integer_value(json_object_get(object, "fits")), 72 - 40);
  json_decref(object);
  tool_free(&result);
  expect_same_results("dir", "whole");

  result = sweep_run("--resume dir --json");
  object = tool_json_text(result.out);
  cr_assert_eq(json_integer_value(json_object_get(object, "fits")), 0);
  json_decref(object);
  tool_free(&result);
  expect_same_results("dir", "whole");
}

Test(cli_sweep_resume, damaged_lines_are_named) {
  static const struct {
    const char *from, *to;
  } damages[] = {
      {"\"config\":", "\"config\":9"}, {"\"fold\":", "\"fold\":9"},  {"\"status\":\"ok\"", "\"status\":\"no\""},
      {"\"lr\":\"", "\"lr\":\"9"},     {"\"score\":", "\"scoer\":"}, {"{\"config\"", "\"config\""},
      {"\"repeat\":", "\"repeat\":7"}, {"\"rung\":", "\"rung\":4"}};
  size_t n = 0;
  sweep_ok("%s --out dir", PLAIN);
  char *text = tool_read("dir/fits.jsonl", &n), *second = strchr(text, '\n') + 1;

  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
    char *at = strstr(second, damages[i].from);
    FILE *file = fopen("dir/fits.jsonl", "w");
    fprintf(file, "%.*s%s%s", (int)(at - text), text, damages[i].to, at + strlen(damages[i].from));
    fclose(file);
    tool_result result = sweep_run("--resume dir");
    cr_assert_eq(result.code, 2, "%s: %d: %s", damages[i].to, result.code, result.err);
    SAYS(result.err,
         "dir/fits.jsonl:2: this line is damaged, or of another sweep; without it the fit is trained again");
    tool_free(&result);
  }
  free(text);
}

/* ---- states ------------------------------------------------------------------------------------------------------------- */

static void flip(const char *path) {
  size_t n = 0;
  char *bytes = tool_read(path, &n);
  for (size_t i = 500; i < n; i += 1000) bytes[i] = (char)~bytes[i];
  write_bytes(path, bytes, n);
  free(bytes);
}

static void cut(const char *path) {
  cr_assert_eq(truncate(path, size_of(path) / 2 + 11), 0);
}

static void take_away(const char *path) {
  cr_assert_eq(remove(path), 0);
}

static void expect_unharmed(void (*damage)(const char *path)) {
  kill_at("sweep " LONG "--jobs 2 --out dir", "dir/states/rung-2.bin", 1);
  cr_assert(tool_exists("dir/states/rung-1.bin"));
  damage("dir/states/rung-1.bin");
  sweep_ok("--resume dir");
  sweep_ok("%s --jobs 2 --out whole", LONG);
  expect_same_results("dir", "whole");
}

Test(cli_sweep_resume, damaged_states_cost_time_alone) {
  expect_unharmed(flip);
}

Test(cli_sweep_resume, cut_states_cost_time_alone) {
  expect_unharmed(cut);
}

Test(cli_sweep_resume, lost_states_cost_time_alone) {
  expect_unharmed(take_away);
}

/* With states of other weights it goes on from those: it is the states that it goes on from. */
Test(cli_sweep_resume, states_are_gone_on_from) {
  kill_at("sweep " LONG "--init-scheme he --jobs 2 --out other", "other/states/rung-2.bin", 1);
  kill_at("sweep " LONG "--jobs 2 --out dir", "dir/states/rung-2.bin", 1);
  cr_assert_eq(rename("other/states/rung-1.bin", "dir/states/rung-1.bin"), 0);
  sweep_ok("--resume dir");
  sweep_ok("%s --jobs 2 --out whole", LONG);

  char *x = sweep_results_without_times("dir"), *y = sweep_results_without_times("whole");
  cr_assert_str_neq(x, y);
  free(x);
  free(y);
}

/* ---- stops --------------------------------------------------------------------------------------------------------------- */

Test(cli_sweep_resume, an_interrupted_sweep_says_how_to_go_on) {
  tool_result result = stop_at("sweep " LONG "--out dir", SIGINT, "dir/fits.jsonl", 500);
  cr_assert_eq(result.code, 130, "%d: %s", result.code, result.err);
  cr_assert_not(result.killed);
  SAYS(result.err, "interrupted after ");
  SAYS(result.err, " fits; go on with: vise sweep --resume dir\n");
  cr_assert_not(tool_exists("dir/results.csv"));
  tool_free(&result);

  sweep_ok("--resume dir");
  sweep_ok("%s --out whole", LONG);
  expect_same_results("dir", "whole");
}

/* It goes on behind the fits that are there, and trains all others. */
static void expect_rest(const char *dir) {
  json_t *before = sweep_fits(dir);
  tool_result result = sweep_run("--resume %s --json", dir);
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *told = tool_json_text(result.out), *after = sweep_fits(dir);
  const size_t n = json_array_size(before), n_fits = (size_t)json_integer_value(json_object_get(told, "fits"));

  cr_assert_gt(n, 0);
  cr_assert_eq(json_array_size(after), n + n_fits);
  for (size_t i = 0; i < n; i++) cr_assert(json_equal(json_array_get(before, i), json_array_get(after, i)));
  json_decref(before);
  json_decref(told);
  json_decref(after);
  tool_free(&result);
}

Test(cli_sweep_resume, a_full_disk_is_told_and_nothing_is_lost) {
  static const struct {
    const char *how, *says;
    rlim_t limit;
  } rows[] = {{PLAIN, "dir/fits.jsonl: cannot be written: File too large", 8000},
              {HALVING, "dir/states/rung-1.bin: cannot be written: File too large", 10000},
              {PLAIN, "dir/sweep.json: cannot be written: File too large", 100}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const struct rlimit before = {RLIM_INFINITY, RLIM_INFINITY}, low = {rows[i].limit, RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
    tool_result result = sweep_run("%s --overwrite --out dir", rows[i].how);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    cr_assert_not(result.killed);
    cr_assert_eq(result.code, i < 2 ? 1 : 2, "%d: %s", result.code, result.err);
    SAYS(result.err, rows[i].says);
    tool_free(&result);

    if (i < 2) {
      expect_rest("dir");
    } else {
      sweep_ok("%s --overwrite --out dir", rows[i].how);
    }
    sweep_ok("%s --overwrite --out whole", rows[i].how);
    expect_same_results("dir", "whole");
  }
}

/* ---- whose folder ---------------------------------------------------------------------------------------------------------- */

Test(cli_sweep_resume, folders_of_others_are_left_alone) {
  sweep_ok("%s --out deep/er/dir", PLAIN);
  sweep_refused("--out deep/er/dir: holds an earlier sweep; go on with it by --resume deep/er/dir, or give --overwrite",
                "%s --out deep/er/dir", PLAIN);
  sweep_refused("--out deep: the folder holds something else; give an empty or a new one", "%s --out deep --overwrite",
                PLAIN);
  sweep_refused("people.csv: is not a folder", "%s --out people.csv", PLAIN);
  sweep_refused("deep/sweep.json", "--resume deep");
  sweep_refused("--resume and --out contradict each other", "--resume deep/er/dir --out other");

  /* One that was killed before it had begun is none. */
  cr_assert_eq(mkdir("begun", 0700), 0);
  tool_write_text("begun/sweep.json.tmp", "{");
  sweep_ok("%s --out begun", PLAIN);
}

Test(cli_sweep_resume, overwrite_removes_what_was_there) {
  sweep_ok("%s --vary max-norm=off,1 --overwrite --out dir", PLAIN);
  sweep_ok("%s --out whole", PLAIN);
  sweep_ok("%s --overwrite --out dir", PLAIN);
  expect_same_results("dir", "whole");
}

/* Killed at any moment, a sweep that replaces another leaves the earlier one whole, or itself to go on with. */
Test(cli_sweep_resume, a_kill_leaves_the_earlier_sweep_or_the_new_one) {
  static const char next[] = PLAIN "--vary max-norm=off,1 --folds 2";
  size_t n_old = 0, n_new = 0;
  sweep_ok("%s --refit yes --out old", PLAIN);
  sweep_ok("%s --out new", next);

  for (int i = 0; i < 12; i++) {
    char arguments[512];
    sweep_ok("%s --refit yes --overwrite --out dir", PLAIN);
    snprintf(arguments, sizeof arguments, "sweep %s --refit yes --overwrite --out dir", next);
    const pid_t pid = tool_start(arguments, "call");
    sleep_ms(2 + 2 * i);
    cr_assert_eq(kill(pid, SIGKILL), 0);
    tool_result result = tool_wait(pid, "call");
    tool_free(&result);

    json_t *sweep = tool_json("dir/sweep.json");
    const bool is_old = json_integer_value(json_object_get(sweep, "folds")) == 3;
    json_decref(sweep);
    if (is_old) {
      n_old++;
      result = sweep_run("--resume dir --json");
      json_t *told = tool_json_text(result.out);
      cr_assert_eq(json_integer_value(json_object_get(told, "fits")), 0, "%d: fits of the earlier sweep are lost", i);
      json_decref(told);
      tool_free(&result);
    } else {
      n_new++;
      cr_assert_not(tool_exists("dir/best/model.safetensors"), "%d: the winner of the earlier sweep", i);
      sweep_ok("--resume dir");
    }
    expect_same_results("dir", is_old ? "old" : "new");
    cr_assert(tool_exists("dir/best/model.safetensors"));
  }
  cr_expect_gt(n_old + n_new, 0);
}

/* What is others' in the folder of the winner stays. */
Test(cli_sweep_resume, files_of_others_beside_the_winner_stay) {
  sweep_ok("%s --refit yes --out dir", PLAIN);
  tool_write_text("dir/best/notes.txt", "mine");
  sweep_ok("%s --refit yes --overwrite --out dir", PLAIN);
  char *text = tool_read("dir/best/notes.txt", NULL);
  cr_assert_str_eq(text, "mine");
  free(text);
  cr_assert(tool_exists("dir/best/model.safetensors"));
}

/* A winner that is being trained by somebody is not taken away. */
Test(cli_sweep_resume, a_winner_that_is_in_use_is_not_replaced) {
  sweep_ok("%s --refit yes --out dir", PLAIN);
  const pid_t pid = tool_start("train --resume dir/best --epochs 100000000", "call");
  for (int i = 0; i < 20000 && !tool_exists("dir/best/.vise-lock"); i++) sleep_ms(1);
  char says[64];
  snprintf(says, sizeof says, "dir/best: process %ld on ", (long)pid);
  tool_result result = sweep_run("%s --refit yes --overwrite --out dir", PLAIN);
  cr_assert_eq(result.code, 2, "%d: %s", result.code, result.err);
  SAYS(result.err, says);
  tool_free(&result);
  cr_assert(tool_exists("dir/results.csv"));

  /* The sweep was done when its winner could not be trained. */
  result = sweep_run("--resume dir");
  cr_assert_eq(result.code, 1, "%d: %s", result.code, result.err);
  SAYS(result.err, says);
  tool_free(&result);
  cr_assert_eq(kill(pid, SIGKILL), 0);
  result = tool_wait(pid, "call");
  tool_free(&result);
}

/* Killed in the middle of it, the training of the winner is made up for. */
Test(cli_sweep_resume, a_refit_that_is_killed_is_made_again) {
  static const char how[] =
      "--train people.csv --drop who --recipe none --layers auto-6-auto --vary lr=1e-3,1e-2 --epochs 2000 --batch 4 "
      "--folds 2 "
      "--quiet";
  sweep_ok("%s --out whole", how);

  for (int i = 0; i < 4; i++) {
    char arguments[512];
    snprintf(arguments, sizeof arguments, i == 0 ? "sweep %s --out dir" : "sweep --resume dir", how);
    const pid_t pid = tool_start(arguments, "call");
    for (int k = 0; k < 30000 && !tool_exists("dir/best/.vise-lock"); k++) sleep_ms(1);
    sleep_ms(5 * i);
    cr_assert_eq(kill(pid, SIGKILL), 0);
    tool_result result = tool_wait(pid, "call");
    cr_assert(result.killed, "%d: %s", result.code, result.err);
    tool_free(&result);
    (void)unlink("dir/best/.vise-lock"); /* which a kill leaves, and the loop waits for */
  }

  sweep_ok("--resume dir");
  expect_same_results("dir", "whole");
  cr_assert(tool_same_bytes("dir/best/model.safetensors", "whole/best/model.safetensors"));
}

/* What is in the way of the winner is found before anything is trained or replaced. */
Test(cli_sweep_resume, what_is_in_the_way_is_found_first) {
  sweep_ok("%s --out dir", PLAIN);
  char *before = tool_read("dir/results.csv", NULL);
  cr_assert_eq(mkdir("other", 0700) + symlink("../other", "dir/best"), 0);
  sweep_refused("dir/best: is not a folder", "%s --refit yes --overwrite --out dir", PLAIN);
  cr_assert_eq(unlink("dir/best"), 0);

  cr_assert_eq(rename("dir/sweep.json", "aside"), 0);
  tool_write_text("dir/sweep.json", "{\"mine\": 1}");
  sweep_refused("dir/sweep.json: it was not written by a sweep", "%s --overwrite --out dir", PLAIN);
  cr_assert_eq(unlink("dir/sweep.json") + mkdir("dir/sweep.json", 0700), 0);
  sweep_refused("dir/sweep.json: cannot be opened: it is not a regular file", "%s --overwrite --out dir", PLAIN);
  cr_assert_eq(rmdir("dir/sweep.json") + rename("aside", "dir/sweep.json"), 0);

  char *after = tool_read("dir/results.csv", NULL);
  cr_assert_str_eq(after, before);
  free(before);
  free(after);
  sweep_ok("--resume dir");
}

/* ---- pipes, links, and what cannot be read -------------------------------------------------------------------------------- */

Test(cli_sweep_resume, pipes_and_links_in_the_place_of_its_files_are_refused) {
  static const char *const names[] = {"dir/fits.jsonl", "dir/sweep.json", "dir/results.csv"};
  alarm(100);
  sweep_ok("%s --out dir", PLAIN);
  for (size_t i = 0; i < 3; i++) {
    cr_assert_eq(rename(names[i], "aside") + mkfifo(names[i], 0600), 0);
    tool_expect_refused("report dir --out page.html", names[i]);
    if (i < 2) sweep_refused(names[i], "--resume dir");
    cr_assert_eq(rename("aside", names[i]), 0);
  }

  cr_assert_eq(rename("dir/fits.jsonl", "elsewhere") + symlink("../elsewhere", "dir/fits.jsonl"), 0);
  char *before = tool_read("elsewhere", NULL);
  tool_result result = sweep_run("--resume dir");
  cr_assert_eq(result.code, 2, "%d: %s", result.code, result.err);
  SAYS(result.err, "dir/fits.jsonl: cannot be written");
  tool_free(&result);
  char *after = tool_read("elsewhere", NULL);
  cr_assert_str_eq(after, before);
  free(before);
  free(after);
}

Test(cli_sweep_resume, no_winner_of_an_earlier_sweep_is_left) {
  sweep_ok("%s --refit yes --out dir", PLAIN);
  tool_result result = sweep_run("%s --overwrite --out dir", PLAIN);
  cr_assert_eq(result.code, 2, "%d: %s", result.code, result.err);
  SAYS(result.err, "would leave the winner of the earlier sweep in dir/best");
  tool_free(&result);
}

Test(cli_sweep_resume, one_sweep_at_a_time_uses_a_folder) {
  const pid_t pid = tool_start("sweep " LONG "--epochs 300000 --out dir", "call");
  char says[64];
  snprintf(says, sizeof says, "dir: process %ld on ", (long)pid);
  for (int i = 0; i < 20000 && !tool_exists("dir/fits.jsonl"); i++) sleep_ms(1);
  tool_result result = sweep_run("--resume dir");
  cr_assert_eq(result.code, 2, "%d: %s", result.code, result.err);
  SAYS(result.err, says);
  tool_free(&result);
  result = sweep_run("%s --overwrite --out dir", PLAIN);
  SAYS(result.err, says);
  tool_free(&result);
  result = sweep_run("%s --out dir", PLAIN);
  SAYS(result.err, says);
  SAYS_NOT(result.err, "--overwrite");
  tool_free(&result);

  /* Nor may a run of train have it; and looking at it does no harm. */
  result = tool_run("train --train people.csv --recipe none --epochs 1 --out dir");
  cr_assert_eq(result.code, 2, "%d: %s", result.code, result.err);
  SAYS(result.err, says);
  tool_free(&result);
  result = tool_run("report dir --out page.html");
  SAYS_NOT(result.err, "using");
  tool_free(&result);

  cr_assert_eq(kill(pid, SIGKILL), 0);
  result = tool_wait(pid, "call");
  cr_assert(result.killed, "%d: %s", result.code, result.err);
  tool_free(&result);
}

/* ---- other rows, other options -------------------------------------------------------------------------------------------- */

Test(cli_sweep_resume, other_rows_are_refused) {
  static const char *const orders[] = {"", "--time-order", "--group who"};
  size_t n = 0;
  char *text = tool_read("people.csv", &n), *last = text + n - 2;
  cr_assert_eq(*last, 'z');
  for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
    sweep_ok("--train people.csv --recipe none --vary l2=off,1 --folds 3 --quiet --refit no %s --overwrite --out dir",
             orders[i]);
    *last = 'y';
    write_bytes("people.csv", text, n);
    tool_result result = sweep_run("--resume dir");
    cr_assert_eq(result.code, 2, "%s: %d: %s", orders[i], result.code, result.err);
    SAYS(result.err, "or how they are split, are not those that this sweep began with; begin a new one");
    tool_free(&result);
    *last = 'z';
    write_bytes("people.csv", text, n);
    sweep_ok("--resume dir");
  }
  free(text);
}

/* A file of n lines with this number, and another one first. */
static void write_numbers(const char *path, int n, const char *first, const char *number) {
  FILE *file = fopen(path, "w");
  cr_assert(file != NULL);
  fprintf(file, "w\n%s\n", first);
  for (int i = 1; i < n; i++) fprintf(file, "%s\n", number);
  fclose(file);
}

/* Removes what sweeps of the first release lack. */
static void make_old(const char *path) {
  json_t *root = tool_json(path);
  cr_assert_eq(json_object_del(json_object_get(root, "data"), "all_hash"), 0);
  cr_assert_eq(json_dump_file(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(17)), 0);
  json_decref(root);
}

Test(cli_sweep_resume, other_weights_and_test_rows_are_refused) {
  sweep_write_people("test.csv", 12);
  write_numbers("weights.csv", 72, "1", "1");
  sweep_ok(GRID "--epochs 2 --folds 3 --quiet --refit no --row-weights weights.csv --test test.csv --out dir");
  write_numbers("weights.csv", 72, "2", "1");
  sweep_refused("dir: the row weights or the test rows are not those that this sweep began with", "--resume dir");
  write_numbers("weights.csv", 72, "1", "1");
  sweep_write_people("test.csv", 11);
  sweep_refused("dir: the row weights or the test rows are not those", "--resume dir");
  sweep_write_people("test.csv", 12);
  sweep_ok("--resume dir");

  make_old("dir/sweep.json");
  write_numbers("weights.csv", 72, "2", "1");
  sweep_ok("--resume dir");
}

Test(cli_sweep_resume, goes_on_as_it_was_started) {
  sweep_ok("%s --out dir", PLAIN);
  sweep_refused("--l2 cannot be changed by --resume", "--resume dir --l2 0.1");
  sweep_refused("--folds cannot be changed by --resume", "--resume dir --folds 4");
  sweep_refused("--epochs cannot be changed by --resume: all fits of a sweep are trained and scored alike",
                "--resume dir --epochs 90");
  sweep_refused("--patience cannot be changed by --resume", "--resume dir --patience 2");
  sweep_ok("--resume dir --epochs 80");
  sweep_refused("--vary cannot be changed by --resume", "--resume dir --vary max-norm=1,2");
  sweep_ok("--resume dir --jobs 1");

  /* From another folder, too: paths are saved whole. */
  cr_assert_eq(mkdir("elsewhere", 0700), 0);
  cr_assert_eq(chdir("elsewhere"), 0);
  sweep_ok("--resume ../dir");
  cr_assert_eq(chdir(".."), 0);
}
