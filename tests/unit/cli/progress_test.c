/* What train and sweep tell on the way: --progress, and what becomes of a run whose standard error nobody reads. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 600);
}

TestSuite(cli_progress, .init = enter, .fini = tool_leave);

#define TRAINING "train --train iris.csv --val-fraction 0.2 --layers 3-16-3 --clamp 0.5 --batch 8 --seed 3 --threads 1 "

/* ---- events ---- */

/* All lines of a text, each of which has to be an object that is an event. */
static json_t *events_of(const char *text) {
  json_t *events = json_array();
  for (const char *at = text; *at != '\0';) {
    const size_t n = strcspn(at, "\n");
    json_error_t where;
    cr_assert_eq(at[n], '\n', "a line without an end: %s", at);
    json_t *event = json_loadb(at, n, JSON_REJECT_DUPLICATES, &where);
    cr_assert(json_is_object(event), "%s in %.*s", where.text, (int)n, at);
    cr_assert(json_is_string(json_object_get(event, "event")), "%.*s", (int)n, at);
    json_array_append_new(events, event);
    at += n + 1;
  }
  return events;
}

static const char *kind_of(const json_t *event) {
  return json_string_value(json_object_get(event, "event"));
}

static bool is(const json_t *event, const char *kind) {
  return strcmp(kind_of(event), kind) == 0;
}

static size_t count(const json_t *events, const char *kind) {
  size_t n = 0;
  for (size_t i = 0; i < json_array_size(events); i++) n += is(json_array_get(events, i), kind);
  return n;
}

/* The last event of that kind; fails the test if there is none. */
static json_t *last_of(const json_t *events, const char *kind) {
  json_t *found = NULL;
  for (size_t i = 0; i < json_array_size(events); i++) {
    if (is(json_array_get(events, i), kind)) found = json_array_get(events, i);
  }
  cr_assert(found != NULL, "no event \"%s\"", kind);
  return found;
}

static json_t *last(const json_t *events) {
  cr_assert(json_array_size(events) > 0);
  return json_array_get(events, json_array_size(events) - 1);
}

static double number(const json_t *event, const char *name) {
  const json_t *value = json_object_get(event, name);
  cr_assert(json_is_number(value), "%s of \"%s\" is no number", name, kind_of(event));
  return json_number_value(value);
}

static void expect_error(const char *arguments, int code, const char *says) {
  tool_result result = tool_run(arguments);
  cr_assert_eq(result.code, code, "%s: %d, %s", arguments, result.code, result.err);
  json_t *events = events_of(result.err), *error = last(events);
  cr_assert(is(error, "error"), "%s: %s", arguments, result.err);
  cr_assert_eq(number(error, "exit_code"), code);
  SAYS(json_string_value(json_object_get(error, "text")), says);
  cr_assert_eq(count(events, "end"), 0);
  json_decref(events);
  tool_free(&result);
}

Test(cli_progress, json_is_all_that_standard_error_gets) {
  tool_result result = tool_run(TRAINING "--epochs 40 --out run --progress json");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "iris.csv: 480 rows");
  SAYS(result.out, "ended by        epochs");

  json_t *events = events_of(result.err), *start = json_array_get(events, 0), *end = last(events);
  cr_assert(is(start, "start") && is(end, "end"));
  cr_assert_str_eq(json_string_value(json_object_get(start, "command")), "train");
  cr_assert_str_eq(json_string_value(json_object_get(start, "out")), "run");
  cr_assert_eq(number(json_object_get(start, "data"), "rows"), 480);
  cr_assert_eq(number(json_object_get(start, "options"), "epochs"), 40);
  cr_assert_str_eq(json_string_value(json_object_get(end, "reason")), "epochs");
  cr_assert_eq(number(end, "exit_code"), 0);
  cr_assert_eq(number(end, "steps"), 40 * 60);

  /* The last epoch is told always, and in the words of metrics.jsonl. */
  char *metrics = tool_read("run/metrics.jsonl", NULL);
  json_t *written = events_of(metrics), *epoch = last_of(events, "epoch"), *same = last_of(written, "epoch");
  cr_assert_eq(number(epoch, "epoch"), 40);
  json_object_del(epoch, "seconds");
  json_object_del(same, "seconds");
  cr_assert(json_object_get(epoch, "layers") != NULL && json_object_get(epoch, "val_accuracy") != NULL);
  cr_assert(json_equal(epoch, same), "%s\nis not\n%s", json_dumps(epoch, 0), json_dumps(same, 0));

  json_decref(events);
  json_decref(written);
  free(metrics);
  tool_free(&result);
}

Test(cli_progress, json_is_told_ten_times_a_second) {
  tool_result result = tool_run(TRAINING "--epochs off --steps 100000 --progress json --cross-validate no");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *events = events_of(result.err);
  const double seconds = number(last(events), "seconds");
  const size_t n = count(events, "progress"), n_epochs = count(events, "epoch");
  double before = 0, at = -1;
  cr_assert(n >= 2 && (double)n <= 10 * seconds + 1, "%zu in %g s", n, seconds);
  cr_assert(n_epochs >= 2 && (double)n_epochs <= seconds + 2, "%zu epochs in %g s", n_epochs, seconds);

  for (size_t i = 0; i < json_array_size(events); i++) {
    const json_t *event = json_array_get(events, i);
    if (!is(event, "progress")) continue;
    const double step = number(event, "step");
    cr_assert(step > before && number(event, "seconds") >= at + 0.1);
    cr_assert_eq(number(event, "planned_steps"), 100000);
    cr_assert(json_is_null(json_object_get(event, "epochs")));
    cr_assert(number(event, "train_loss") >= 0 && number(event, "epoch") >= 1);
    if (before > 0) cr_assert(number(event, "steps_per_second") > 0 && number(event, "seconds_left") >= 0);
    if (before == 0) cr_assert(json_is_null(json_object_get(event, "steps_per_second")));
    before = step;
    at = number(event, "seconds");
  }
  json_decref(events);
  tool_free(&result);
}

Test(cli_progress, json_beside_json) {
  tool_result result = tool_run(TRAINING "--epochs 2 --progress json --json");
  cr_assert_eq(result.code, 0);
  json_t *report = tool_json_text(result.out), *events = events_of(result.err), *end = last_of(events, "end");
  cr_assert(json_equal(json_object_get(report, "data"), json_object_get(last_of(events, "start"), "data")));
  cr_assert(json_equal(json_object_get(report, "metrics"), json_object_get(end, "metrics")));
  json_decref(report);
  json_decref(events);
  tool_free(&result);
}

Test(cli_progress, notes_and_warnings_are_events) {
  tool_result result = tool_run(TRAINING "--epochs 2 --optimizer adam --lr 0.5 --progress json");
  json_t *events = events_of(result.err);
  SAYS(json_string_value(json_object_get(last_of(events, "warning"), "text")), "--lr 0.5 is high for adam");
  SAYS(json_string_value(json_object_get(last_of(events, "note"), "text")), "nothing will be saved");
  json_decref(events);
  tool_free(&result);

  tool_expect_ok(TRAINING "--recipe none --epochs off --steps 100 --checkpoint-every 50 --out run");
  cr_assert_eq(truncate("run/checkpoints/step-000000100/tensors.safetensors", 10), 0, "%s", strerror(errno));
  result = tool_run("train --resume run --steps 120 --progress json");
  cr_assert_eq(result.code, 0, "%s", result.err);
  events = events_of(result.err);
  cr_assert(json_is_true(json_object_get(last_of(events, "start"), "resumes")));
  bool told = false;
  for (size_t i = 0; i < json_array_size(events); i++) {
    const json_t *event = json_array_get(events, i);
    const char *text = json_string_value(json_object_get(event, "text"));
    told = told || (is(event, "warning") && strstr(text, "is damaged and passed over") != NULL);
  }
  cr_assert(told, "%s", result.err);
  json_decref(events);
  tool_free(&result);
}

Test(cli_progress, texts_that_are_not_utf8_become_json) {
  cr_assert_eq(rename("iris.csv", "caf\xe9-\xc3\xa9.csv"), 0);
  tool_result result = tool_run("train --train caf\xe9-\xc3\xa9.csv --epochs 2 --out r\xff --progress json --json");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *events = events_of(result.err), *start = json_array_get(events, 0);
  cr_assert_str_eq(json_string_value(json_object_get(json_object_get(start, "data"), "name")), "caf?-\xc3\xa9.csv");
  cr_assert_str_eq(json_string_value(json_object_get(start, "out")), "r?");
  json_decref(events);
  tool_free(&result);
  expect_error("train --train no\xe9\"x.csv --progress json", 2, "no?\"x.csv: cannot be opened");

  /* Nor is a terminal told to do anything. */
  result = tool_run(
      "train --train no\xc2\x9b"
      "2J.csv --progress json");
  SAYS(result.err, "no\\u009b2J.csv: cannot be opened");
  json_decref(events_of(result.err));
  tool_free(&result);
}

Test(cli_progress, errors_are_events_and_the_last) {
  expect_error("train --progress json --train iris.csv --bogus 3", 2, "unknown option --bogus");
  expect_error("train --train iris.csv --progress=json --lr x", 2, "--lr");
  expect_error("train --train none.csv --progress json", 2, "none.csv: cannot be opened");
  expect_error("train --train iris.csv --quiet --progress json", 2, "contradict");
  expect_error("sweep --train iris.csv --vary l2=off --val-fraction 0.2 --progress json", 2, "contradict");
  expect_error(TRAINING
               "--recipe none --scale none --optimizer sgd --lr 1e38 --clamp off --nonfinite halt --progress json",
               1, "finite");
  tool_expect_refused("train --train iris.csv --quiet --progress bar", "--quiet and --progress contradict each other");
  tool_expect_refused("train --train iris.csv --quiet --progress lines", "contradict");
  tool_expect_refused("train --train iris.csv --progress dots", "--progress: 'dots' is unknown");
  tool_expect_refused("check --progress json", "unknown option --progress");

  /* In a file, each of them gives way to what is typed. */
  tool_write_text("quiet.json", "{\"quiet\": true}");
  tool_write_text("events.json", "{\"progress\": \"json\"}");
  tool_write_text("both.json", "{\"progress\": \"json\", \"quiet\": true}");
  tool_result result = tool_run(TRAINING "--epochs 2 --config quiet.json --progress json");
  json_decref(events_of(result.err));
  SAYS(result.err, "\"event\":\"end\"");
  tool_free(&result);
  result = tool_run(TRAINING "--epochs 2 --config events.json --quiet");
  cr_assert_str_eq(result.err, "");
  tool_free(&result);
  result = tool_run(TRAINING "--epochs 2 --config events.json");
  json_decref(events_of(result.err));
  SAYS(result.err, "\"event\":\"end\"");
  tool_free(&result);
  tool_expect_refused(TRAINING "--epochs 2 --config both.json", "contradict");
}

Test(cli_progress, an_interrupted_run_says_so_in_its_last_event) {
  pid_t pid = tool_start(TRAINING "--epochs off --steps 1000000000 --out run --progress json", "call");
  for (int i = 0; i < 600 && !tool_exists("run/config.json"); i++)
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
  nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
  cr_assert_eq(kill(pid, SIGINT), 0);
  tool_result result = tool_wait(pid, "call");
  cr_assert_eq(result.code, 130, "%s", result.err);
  json_t *events = events_of(result.err), *end = last(events);
  cr_assert(is(end, "end"));
  cr_assert_str_eq(json_string_value(json_object_get(end, "reason")), "interrupted");
  cr_assert_eq(number(end, "exit_code"), 130);
  SAYS(json_string_value(json_object_get(last_of(events, "note"), "text")), "vise train --resume run");
  json_decref(events);
  tool_free(&result);

  /* What was told is no option of the run. */
  json_t *config = tool_json("run/config.json");
  cr_assert(json_object_get(config, "progress") == NULL);
  json_decref(config);
}

Test(cli_progress, bar_lines_and_none) {
  tool_result result = tool_run(TRAINING "--epochs 3 --progress bar");
  SAYS(result.err, "\repoch ");
  SAYS(result.err, "\repoch 3/3 ");
  SAYS_NOT(result.err, "  step 180");
  tool_free(&result);

  result = tool_run(TRAINING "--epochs 3 --progress lines");
  SAYS(result.err, "epoch 3/3  step 180");
  SAYS_NOT(result.err, "\r");
  tool_free(&result);

  result = tool_run(TRAINING "--epochs 3 --progress none");
  SAYS_NOT(result.err, "epoch ");
  SAYS(result.err, "note: nothing will be saved");
  SAYS(result.err, "regularization");
  tool_free(&result);
  result = tool_run(TRAINING "--epochs 3 --progress none --quiet");
  cr_assert_str_eq(result.err, "");
  tool_free(&result);
}

/* ---- sweeps ---- */

Test(cli_progress, a_sweep_tells_fits_rounds_and_the_refit) {
  tool_result result = tool_run(
      "sweep --train iris.csv --vary l2=off,1e-3,1e-2 --folds 3 --epochs 9 --halving 3 --out s --progress json --json");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *report = tool_json_text(result.out), *events = events_of(result.err), *start = json_array_get(events, 0);
  json_t *sheet = tool_json("s/sweep.json"), *end = last(events);
  cr_assert(is(start, "start") && is(end, "end"));
  cr_assert_str_eq(json_string_value(json_object_get(start, "command")), "sweep");
  cr_assert_eq(number(start, "fits_total"), 12);
  cr_assert_eq(number(sheet, "fits"), 12);
  cr_assert_eq(count(events, "rung"), 2);
  cr_assert_str_eq(json_string_value(json_object_get(end, "reason")), "done");
  cr_assert(json_equal(json_object_get(end, "winner"), json_object_get(report, "winner")));
  cr_assert(json_object_get(end, "refit") == NULL);

  double done = -1, rung = 1;
  size_t n = 0, n_refit = 0;
  bool refit = false;
  for (size_t i = 1; i + 1 < json_array_size(events); i++) {
    const json_t *event = json_array_get(events, i);
    refit = json_is_true(json_object_get(event, "refit"));
    n_refit += refit;
    if (!is(event, "progress") || refit) continue;
    /* By the clock, and at the end of each round: the last fit of a round may be told by both. */
    cr_assert(number(event, "fits_done") >= done && number(event, "fits_total") >= 12 && number(event, "rung") >= rung);
    cr_assert(json_object_get(event, "seconds_left") != NULL && json_object_get(event, "fits_per_second") != NULL);
    done = number(event, "fits_done");
    rung = number(event, "rung");
    n++;
    if (done < 12) continue;
    const json_t *best = json_object_get(event, "best"), *winner = json_object_get(end, "winner");
    cr_assert(number(best, "score") == number(winner, "score"));
    cr_assert(json_equal(json_object_get(best, "params"), json_object_get(winner, "params")));
  }
  cr_assert(done == 12 && rung == 2 && n >= 2, "%g fits, rung %g, %zu events", done, rung, n);
  cr_assert(n_refit >= 3 && json_is_true(json_object_get(last_of(events, "epoch"), "refit")));

  json_decref(report);
  json_decref(events);
  json_decref(sheet);
  tool_free(&result);
}

/* ---- standard error ---- */

typedef enum ending { READER_GONE, ALL_CLOSED, SLOW_READER, ONE_WRITE_A_LINE } ending;

/* Closes what the call is to do without. */
static void be_the_tool(ending how, int err, const char *show, const char *out) {
  char arguments[512], *argv[64], *rest = arguments;
  size_t n = 1;
  static char program[] = "vise";
  argv[0] = program;
  snprintf(arguments, sizeof arguments, TRAINING "--epochs 60 --log-every 7 --progress %s --out %s", show, out);
  while ((argv[n] = strsep(&rest, " ")) != NULL) n += *argv[n] != '\0';

  int nothing = open("/dev/null", O_WRONLY);
  dup2(nothing, STDOUT_FILENO);
  close(nothing);
  if (how == ALL_CLOSED) {
    close(STDIN_FILENO);
    close(STDERR_FILENO);
  } else {
    dup2(err, STDERR_FILENO);
    close(err);
  }
  execv(TOOL_PATH, argv);
  _exit(127);
}

/* Reads what was told, slowly or a message at a time; a text of all of it. */
static char *read_all(int from, ending how) {
  size_t n = 0, room = 1 << 20;
  char *text = malloc(room + 1);
  for (ssize_t got; n < room && (got = read(from, text + n, how == SLOW_READER ? 100 : room - n)) > 0;
       n += (size_t)got) {
    if (how == SLOW_READER) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (how != ONE_WRITE_A_LINE) continue;
    cr_assert(text[n + (size_t)got - 1] == '\n' && memchr(text + n, '\n', (size_t)got) == text + n + got - 1,
              "not one line at a time: %.*s", (int)got, text + n);
  }
  text[n] = '\0';
  return text;
}

static char *run_with(ending how, const char *show, const char *out, int *code) {
  int ends[2] = {-1, -1}, status = 0;
  if (how == ONE_WRITE_A_LINE) {
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  } else {
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
  }
  if (how == SLOW_READER) {
    cr_assert(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0 && fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
  }

  fflush(NULL);
  pid_t pid = fork();
  cr_assert(pid >= 0);
  if (pid == 0) be_the_tool(how, ends[1], show, out);
  close(ends[1]);
  if (how == READER_GONE) close(ends[0]);
  char *text = how == READER_GONE ? strdup("") : read_all(ends[0], how);
  if (how != READER_GONE) close(ends[0]);
  cr_assert(waitpid(pid, &status, 0) == pid);
  *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return text;
}

/* The events of a run, whose times and folder differ from those of others. */
static void expect_same_run(const char *out) {
  char model[64], metrics[64];
  snprintf(model, sizeof model, "%s/model.safetensors", out);
  snprintf(metrics, sizeof metrics, "%s/metrics.jsonl", out);
  cr_assert(tool_same_bytes("whole/model.safetensors", model), "%s: another model", out);
  char *text = tool_read(metrics, NULL), *whole = tool_read("whole/metrics.jsonl", NULL);
  json_t *events = events_of(text), *all = events_of(whole);
  cr_assert_eq(json_array_size(events), json_array_size(all), "%s: lines are missing", out);
  cr_assert(is(last(events), "end"));
  json_decref(events);
  json_decref(all);
  free(text);
  free(whole);
}

Test(cli_progress, nobody_has_to_read_it) {
  static const char *const shows[] = {"json", "lines", "bar"};
  tool_expect_ok(TRAINING "--epochs 60 --log-every 7 --out whole");
  for (size_t i = 0; i < 3; i++) {
    for (int how = READER_GONE; how <= ALL_CLOSED; how++) {
      char out[32];
      int code = -1;
      snprintf(out, sizeof out, "%s-%d", shows[i], how);
      char *text = run_with((ending)how, shows[i], out, &code);
      cr_assert_eq(code, 0, "%s: %d", out, code);
      expect_same_run(out);
      free(text);
    }
  }
}

Test(cli_progress, lines_are_written_whole) {
  int code = -1;
  tool_expect_ok(TRAINING "--epochs 60 --log-every 7 --out whole");
  for (int how = SLOW_READER; how <= ONE_WRITE_A_LINE; how++) {
    char *text = run_with((ending)how, "json", how == SLOW_READER ? "slow" : "messages", &code);
    cr_assert_eq(code, 0);
    json_t *events = events_of(text);
    cr_assert(is(last(events), "end") && is(json_array_get(events, 0), "start"));
    json_decref(events);
    free(text);
  }
  expect_same_run("slow");
}
