/* Several processes with one sweep: whoever does what, and whoever is killed or stopped, the results are those of one. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sweep_rig.h"

#define GRID                                                                                                      \
  "--train people.csv --drop who --recipe none --layers auto-6-auto --vary lr=1e-3,1e-2,0.1,0.5 --progress none " \
  "--jobs 1 "
#define PLAIN GRID "--vary seed=1,2 --epochs 300 --batch 8 --folds 3 --repeats 2 "
#define LONG GRID "--vary seed=1,2 --epochs 2000 --batch 8 --folds 3 --repeats 2 "
#define GROUPS GRID "--vary batch-norm=yes,no --epochs 300 --batch 8 --folds 4 --group who --score accuracy "
#define HALVING GRID "--vary seed=1,2 --epochs 1000 --batch 8 --optimizer adam --folds 3 --halving 2 "
#define JOIN "sweep --join dir --jobs 1 --progress none "

static void enter(void) {
  tool_enter();
  sweep_write_people("people.csv", 72);
}

TestSuite(cli_sweep_join, .init = enter, .fini = tool_leave);

static void sleep_ms(long ms) {
  nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Calls until(given) until it is true, for at most two minutes. */
static void wait_until(bool (*until)(const char *given), const char *given) {
  for (int i = 0; i < 24000; i++) {
    if (until(given)) return;
    sleep_ms(5);
  }
  cr_assert_fail("it never came to %s", given);
}

static bool has_lines(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && info.st_size > 0;
}

/* Whether a process that joined has written fits. */
static bool has_helped(const char *dir) {
  char path[512];
  bool found = false;
  DIR *folder = opendir(dir);
  const struct dirent *entry;
  while (folder != NULL && !found && (entry = readdir(folder)) != NULL) {
    snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
    found = strstr(path, ".jsonl") != NULL && has_lines(path);
  }
  if (folder != NULL) closedir(folder);
  return found;
}

static void send(pid_t pid, int number) {
  cr_assert_eq(kill(pid, number), 0);
}

static void expect_ended(pid_t pid, const char *name) {
  tool_result result = tool_wait(pid, name);
  cr_assert_eq(result.code, 0, "%s: %d: %s", name, result.code, result.err);
  tool_free(&result);
}

static void expect_killed(pid_t pid, const char *name) {
  send(pid, SIGKILL);
  tool_result result = tool_wait(pid, name);
  cr_assert(result.killed, "%s ended by itself with %d: %s", name, result.code, result.err);
  tool_free(&result);
}

/* All that both left, times apart, and nothing of the sharing. */
static void expect_same(void) {
  char *x = sweep_results_without_times("dir"), *y = sweep_results_without_times("whole");
  cr_assert_str_eq(x, y);
  free(x);
  free(y);
  sweep_expect_same_fits("dir", "whole");
  json_t *a = sweep_fits("dir"), *b = sweep_fits("whole");
  cr_assert_eq(json_array_size(a), json_array_size(b));
  json_decref(a);
  json_decref(b);

  cr_assert(tool_same_bytes("dir/sweep.json", "whole/sweep.json"));
  cr_assert(tool_same_bytes("dir/best/model.safetensors", "whole/best/model.safetensors"));
  cr_assert(tool_exists("dir/report.html"));
  cr_assert_not(tool_exists("dir/workers"));
  cr_assert_not(tool_exists("dir/.workers-ended"));
  cr_assert_not(tool_exists("dir/states"));
}

/* Starts a sweep and, once it has a fit, one that joins it; both have trained some when it returns. */
static pid_t start_two(const char *how, const char *join, pid_t *joined) {
  char arguments[1024];
  snprintf(arguments, sizeof arguments, "sweep %s --out dir", how);
  const pid_t pid = tool_start(arguments, "main");
  wait_until(has_lines, "dir/fits.jsonl");
  send(pid, SIGSTOP); /* a machine on which others wait as well: it leaves something to be done */
  *joined = tool_start(join, "join");
  wait_until(has_helped, "dir/workers");
  send(pid, SIGCONT);
  return pid;
}

static void expect_shared(const char *how) {
  pid_t joined;
  const pid_t pid = start_two(how, JOIN, &joined);
  expect_ended(joined, "join");
  expect_ended(pid, "main");
  sweep_ok("%s --out whole", how);
  expect_same();
}

Test(cli_sweep_join, two_have_the_results_of_one) {
  expect_shared(PLAIN);
}

Test(cli_sweep_join, two_have_the_results_of_one_with_halving) {
  expect_shared(HALVING);
}

Test(cli_sweep_join, two_have_the_results_of_one_with_groups) {
  expect_shared(GROUPS);
}

/* Each of them tells the choice, and only how many fits it trained itself. */
Test(cli_sweep_join, both_tell_the_choice) {
  static const char *const names[] = {"main", "join"};
  pid_t pids[2];
  json_int_t n_fits = 0;
  pids[0] = start_two(PLAIN "--json", JOIN "--json", &pids[1]);
  json_t *told[2];
  for (int i = 0; i < 2; i++) {
    tool_result result = tool_wait(pids[i], names[i]);
    cr_assert_eq(result.code, 0, "%s: %s", names[i], result.err);
    told[i] = tool_json_text(result.out);
    n_fits += json_integer_value(json_object_get(told[i], "fits"));
    tool_free(&result);
  }
  cr_assert(json_equal(json_object_get(told[0], "winner"), json_object_get(told[1], "winner")));
  json_t *lines = sweep_fits("dir");
  cr_assert_geq(n_fits, (json_int_t)json_array_size(lines));
  json_decref(lines);
  json_decref(told[0]);
  json_decref(told[1]);
}

/* ---- kills -------------------------------------------------------------------------------------------------------------- */

Test(cli_sweep_join, without_the_first_the_others_end_it) {
  pid_t joined;
  const pid_t pid = start_two(HALVING, JOIN, &joined);
  expect_killed(pid, "main");
  expect_ended(joined, "join");
  sweep_ok("%s --out whole", HALVING);
  expect_same();
}

Test(cli_sweep_join, without_a_helper_the_first_ends_it) {
  pid_t joined;
  const pid_t pid = start_two(HALVING, JOIN, &joined);
  expect_killed(joined, "join");
  expect_ended(pid, "main");
  sweep_ok("%s --out whole", HALVING);
  expect_same();
}

Test(cli_sweep_join, a_sweep_of_which_all_were_killed_goes_on) {
  pid_t joined;
  const pid_t pid = start_two(PLAIN, JOIN, &joined);
  expect_killed(pid, "main");
  expect_killed(joined, "join");
  cr_assert(has_helped("dir/workers"));
  tool_result result = sweep_run("--resume dir --json");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *told = tool_json_text(result.out), *fits = sweep_fits("dir");
  cr_assert_leq(json_integer_value(json_object_get(told, "fits")), (json_int_t)json_array_size(fits) - 2,
                "what both had trained is not trained again");
  json_decref(told);
  json_decref(fits);
  tool_free(&result);
  sweep_ok("%s --out whole", PLAIN);
  expect_same();
}

/* Somebody is killed again and again, and another one comes. */
static void kill_at_random(const char *how, unsigned seed) {
  char first[1024];
  pid_t pids[2];
  const char *names[] = {"main", "join"};
  snprintf(first, sizeof first, "sweep %s --out dir", how);
  pids[0] = tool_start(first, "main");
  wait_until(tool_exists, "dir/sweep.json");
  pids[1] = tool_start(JOIN, "join");

  srand(seed);
  for (int i = 0; i < 6; i++) {
    const int which = rand() % 2;
    sleep_ms(rand() % 250);
    (void)kill(pids[which], SIGKILL);
    tool_result result = tool_wait(pids[which], names[which]);
    cr_assert(result.killed || result.code == 0, "%s: %d: %s", names[which], result.code, result.err);
    tool_free(&result);
    pids[which] = tool_start(which == 0 ? "sweep --resume dir --jobs 1 --progress none" : JOIN, names[which]);
  }
  for (int i = 0; i < 2; i++) expect_ended(pids[i], names[i]);
  sweep_ok("%s --out whole", how);
  expect_same();
}

Test(cli_sweep_join, kills_change_nothing) {
  kill_at_random(PLAIN, 1);
}

Test(cli_sweep_join, kills_change_nothing_in_halving) {
  kill_at_random(HALVING, 2);
}

/* Whether the process that began the sweep knows that it is not alone. */
static bool first_has_joined(const char *dir) {
  char path[512];
  bool found = false;
  for (int i = 1; !found; i++) {
    snprintf(path, sizeof path, "%s/record-%08d", dir, i);
    if (!tool_exists(path)) return false;
    char *text = tool_read(path, NULL);
    found = strstr(text, "\"fits.jsonl\"") != NULL;
    free(text);
  }
  return true;
}

/* ---- stops -------------------------------------------------------------------------------------------------------------- */

static bool says_lost(const char *path) {
  char *text = tool_read(path, NULL);
  const bool said = strstr(text, " is lost; its fits are open to the others\n") != NULL;
  free(text);
  return said;
}

/* One that is silent for longer than its lease loses what it had; that it comes back does no harm. */
Test(cli_sweep_join, a_helper_that_is_stopped_is_made_up_for) {
  pid_t joined;
  const pid_t pid = start_two(LONG, JOIN "--lease 1", &joined);
  send(joined, SIGSTOP);
  wait_until(says_lost, "main.err");
  send(joined, SIGCONT);
  expect_ended(joined, "join");
  expect_ended(pid, "main");
  sweep_ok("%s --out whole", LONG);
  expect_same();
}

Test(cli_sweep_join, the_first_that_is_stopped_is_made_up_for) {
  pid_t joined;
  const pid_t pid = start_two(LONG "--lease 1", JOIN, &joined);
  wait_until(first_has_joined, "dir/workers");
  send(pid, SIGSTOP);
  wait_until(says_lost, "join.err");
  send(pid, SIGCONT);
  expect_ended(joined, "join");
  expect_ended(pid, "main");
  sweep_ok("%s --out whole", LONG);
  expect_same();
}

Test(cli_sweep_join, one_that_is_interrupted_leaves_the_rest_to_the_others) {
  pid_t joined;
  const pid_t pid = start_two(PLAIN, JOIN, &joined);
  wait_until(first_has_joined, "dir/workers");
  send(joined, SIGINT);
  tool_result result = tool_wait(joined, "join");
  cr_assert_eq(result.code, 130, "%d: %s", result.code, result.err);
  SAYS(result.err, "interrupted after ");
  SAYS(result.err, "vise sweep --join dir\n");
  tool_free(&result);
  expect_ended(pid, "main");
  sweep_ok("%s --out whole", PLAIN);
  expect_same();
}

/* ---- who may join ------------------------------------------------------------------------------------------------------- */

static void replace_text(const char *path, const char *from, const char *to) {
  char *text = tool_read(path, NULL), *at = strstr(text, from);
  cr_assert(at != NULL, "%s has no %s", path, from);
  FILE *file = fopen(path, "w");
  fprintf(file, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
  fclose(file);
  free(text);
}

#define SHORT GRID "--epochs 2 --folds 3 --refit no "

Test(cli_sweep_join, what_would_have_other_bits_is_refused) {
  sweep_ok("%s --out dir", SHORT);
  cr_assert_eq(unlink("dir/results.csv"), 0);
  sweep_refused("--l2 cannot be changed by --join", "--join dir --l2 0.1");
  sweep_refused("--backend cannot be changed by --join", "--join dir --backend cpu64");
  sweep_refused("--join and --resume contradict each other", "--join dir --resume dir");
  sweep_refused("--join and --out contradict each other", "--join dir --out other");
  sweep_refused("there/sweep.json", "--join there");

  replace_text("dir/sweep.json", "\"backend\": \"cpu\"", "\"backend\": \"cuda\"");
  sweep_refused("the sweep is trained by backend cuda, and this process would train it by cpu", "--join dir");
  replace_text("dir/sweep.json", "\"backend\": \"cuda\"", "\"backend\": \"cpu\"");
  replace_text("dir/sweep.json", "\"probe\": \"", "\"probe\": \"1");
  sweep_refused("a few steps of the first fit have other bits here than where the sweep began", "--join dir");
  replace_text("dir/sweep.json", "\"probe\": \"1", "\"probe\": \"");
  replace_text("dir/sweep.json", "\"version\": \"", "\"version\": \"0.");
  sweep_refused("the sweep is of version 0.", "--join dir");
}

Test(cli_sweep_join, rows_may_lie_elsewhere_and_must_be_the_same) {
  sweep_ok("%s --out whole", SHORT);
  sweep_ok("%s --out dir", SHORT);
  cr_assert_eq(unlink("dir/results.csv") + truncate("dir/fits.jsonl", 10), 0);
  cr_assert_eq(rename("people.csv", "moved.csv"), 0);
  sweep_refused("people.csv", "--join dir");
  sweep_write_people("other.csv", 71);
  sweep_refused("are not those that this sweep began with; give the files that it began with, by --train",
                "--join dir --train other.csv");
  sweep_ok("--join dir --train moved.csv --quiet");
  char *x = sweep_results_without_times("dir"), *y = sweep_results_without_times("whole");
  cr_assert_str_eq(x, y);
  free(x);
  free(y);
  cr_assert(tool_same_bytes("dir/sweep.json", "whole/sweep.json"), "it says where the rows were");
}

/* One that comes late finds nothing to do, and says what came of it. */
Test(cli_sweep_join, one_that_comes_late_tells_the_choice) {
  sweep_ok("%s --out dir", SHORT);
  char *before = tool_read("dir/results.csv", NULL);
  tool_result result = sweep_run("--join dir");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "winner (best) ");
  SAYS_NOT(result.out, "trained");
  tool_free(&result);
  char *after = tool_read("dir/results.csv", NULL);
  cr_assert_str_eq(before, after);
  cr_assert_not(tool_exists("dir/workers"));
  free(before);
  free(after);
}

/* It was killed while it trained the winner. */
Test(cli_sweep_join, one_that_comes_late_trains_a_winner_that_is_missing) {
  sweep_ok("%s --refit yes --out whole", SHORT);
  sweep_ok("%s --refit yes --out dir", SHORT);
  cr_assert_eq(unlink("dir/best/model.safetensors"), 0);
  sweep_ok("--join dir");
  expect_same();
}

Test(cli_sweep_join, a_sweep_that_others_help_with_is_not_replaced) {
  pid_t joined;
  const pid_t pid = start_two(PLAIN "--epochs 30000", JOIN, &joined);
  tool_result result = sweep_run("--resume dir");
  cr_assert_eq(result.code, 2, "%d: %s", result.code, result.err);
  SAYS(result.err, "; or help it by: vise sweep --join dir");
  tool_free(&result);
  expect_killed(pid, "main");
  result = sweep_run("%s --overwrite --out dir", PLAIN);
  cr_assert_eq(result.code, 2, "%d: %s", result.code, result.err);
  SAYS(result.err, " is helping with the sweep in it");
  tool_free(&result);
  expect_killed(joined, "join");

  sweep_ok("%s --overwrite --out dir", PLAIN);
  sweep_ok("%s --out whole", PLAIN);
  expect_same();
}

/* What is watched are the fits of all, each once. */
Test(cli_sweep_join, all_are_watched) {
  pid_t joined;
  const pid_t pid = start_two(PLAIN "--epochs 30000", JOIN, &joined);
  wait_until(first_has_joined, "dir/workers");
  expect_killed(pid, "main");
  json_t *own = sweep_fits("dir");
  tool_result result = tool_run("watch dir --once --json");
  json_t *told = tool_json_text(result.out);
  cr_assert_str_eq(json_string_value(json_object_get(told, "state")), "at-work");
  cr_assert_gt(json_integer_value(json_object_get(told, "fits_done")), (json_int_t)json_array_size(own));
  tool_free(&result);
  json_decref(told);
  json_decref(own);
  result = tool_run("watch dir --once");
  SAYS(result.out, ", 1 worker");
  tool_free(&result);
  expect_killed(joined, "join");
}
