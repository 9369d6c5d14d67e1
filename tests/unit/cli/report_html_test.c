/* vise report: pages that are well formed, safe, small, and tell what the files tell. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sweep_rig.h"

static void enter(void) {
  tool_enter();
  sweep_write_people("people.csv", 72);
  tool_write_line("line.csv", 60);
}

TestSuite(cli_pages, .init = enter, .fini = tool_leave);

enum { MOST_BYTES = 500 << 10, MOST_OPEN = 64 };

/* ---- a page is well formed ------------------------------------------------------------------------------------------ */

/* The end of a tag at text, past its quoted attributes. */
static const char *tag_end(const char *text) {
  char quote = '\0';
  for (; *text != '\0' && (quote != '\0' || *text != '>'); text++) {
    if (quote == '\0' && *text == '"') {
      quote = *text;
    } else if (*text == quote) {
      quote = '\0';
    }
    cr_assert(*text != '<', "a < within a tag: %.60s", text);
  }
  cr_assert_eq(*text, '>');
  return text;
}

static bool is_void(const char *name) {
  return strcmp(name, "meta") == 0 || strcmp(name, "br") == 0 || strcmp(name, "link") == 0;
}

/* Tags that are opened are closed, in their order; nothing else looks like one. */
static void expect_balanced(const char *page) {
  char open[MOST_OPEN][16];
  size_t n = 0;
  for (const char *at = strchr(page, '<'); at != NULL; at = strchr(at, '<')) {
    char name[16] = "";
    const bool closes = at[1] == '/';
    const char *from = at + 1 + closes, *end = tag_end(at + 1);
    cr_assert(isalpha((unsigned char)*from) || *from == '!', "no tag: %.60s", at);
    for (size_t i = 0; i + 1 < sizeof name && (isalnum((unsigned char)from[i]) || from[i] == '!'); i++) {
      name[i] = from[i];
      name[i + 1] = '\0';
    }

    if (closes) {
      cr_assert(n > 0 && strcmp(open[n - 1], name) == 0, "</%s> closes %s", name, n > 0 ? open[n - 1] : "nothing");
      n--;
    } else if (name[0] != '!' && end[-1] != '/' && !is_void(name)) {
      cr_assert_lt(n, MOST_OPEN);
      memcpy(open[n++], name, sizeof name);
    }
    at = end;
    if (!closes && (strcmp(name, "script") == 0 || strcmp(name, "style") == 0)) {
      at = strstr(at, strcmp(name, "script") == 0 ? "</script" : "</style");
    }
    cr_assert(at != NULL);
  }
  cr_assert_eq(n, 0, "%s is not closed", n > 0 ? open[n - 1] : "");
}

static size_t count(const char *text, const char *part) {
  size_t n = 0;
  for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) n++;
  return n;
}

/* Without the page in the message, which is long. */
static void expect_says(const char *page, const char *part) {
  cr_assert(strstr(page, part) != NULL, "the page does not say \"%s\"", part);
}

static void expect_says_not(const char *page, const char *part) {
  const char *at = strstr(page, part);
  const size_t before = at == NULL ? 0 : at - page < 60 ? (size_t)(at - page) : 60;
  cr_assert(at == NULL, "the page says \"%.100s\"", at - before);
}

/* The page, after what holds for every one; to be freed. */
static char *read_page(const char *path) {
  size_t n = 0;
  char *page = tool_read(path, &n);
  cr_assert_lt(n, MOST_BYTES);
  expect_balanced(page);

  expect_says(page, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';");
  cr_assert_eq(count(page, "<script"), 1);
  cr_assert_eq(count(page, "<h1>"), 1);
  expect_says_not(page, "http://");
  expect_says_not(page, "https://");
  expect_says_not(page, " src=");
  expect_says_not(page, "<img");
  expect_says_not(page, "=\"nan");
  expect_says_not(page, "Mnan");
  expect_says_not(page, "Lnan");
  expect_says_not(page, ">nan");
  expect_says(page, "<html lang=\"en\">");
  expect_says(page, "prefers-color-scheme:dark");
  cr_assert_eq(count(page, "<svg "), count(page, " role=\"img\" aria-label=\""));
  return page;
}

static void expect_page(const char *path, const char *const *says) {
  char *page = read_page(path);
  for (; *says != NULL; says++) expect_says(page, *says);
  free(page);
}

/* ---- sweeps --------------------------------------------------------------------------------------------------------- */

Test(cli_pages, a_sweep_has_the_numbers_of_results_csv) {
  sweep_ok(
      "--train people.csv --drop who --steps 30 --vary l2=off,1e-3,0.1 --vary clamp=0.1,1 --vary activation=relu,tanh "
      "--folds 3 --out dir");
  char *page = read_page("dir/report.html");
  sweep_table results = sweep_results("dir");
  for (size_t i = 0; i < results.n_rows; i++) {
    static const char *const names[] = {"mean_test_score", "se_test_score", "mean_train_score", "mean_fit_time"};
    for (size_t k = 0; k < 4; k++) {
      char cell[80];
      snprintf(cell, sizeof cell, "<td data-v=\"%s\">", sweep_field(&results, i, names[k]));
      expect_says(page, cell);
    }
  }
  cr_assert_eq(count(page, "<tr class=\"won\"><td data-v=\"1\">1</td>"), 1);
  expect_says(page, "has, of 12 configurations, the lowest mean loss: ");
  expect_says(page, "<section id=\"strengths\"");
  expect_says(page, "<section id=\"map\"");
  expect_says(page, "<section id=\"lines\"");
  expect_says(page, "<section id=\"folds\"");
  expect_says(page, "vise sweep \\\n    --train ");
  expect_says_not(page, "<section id=\"rounds\"");
  expect_says_not(page, "<section id=\"nonfinite\"");
  sweep_table_free(&results);

  /* And it is made again from the folder. */
  cr_assert_eq(rename("dir/report.html", "first.html"), 0);
  tool_result result = tool_run("report dir/");
  cr_assert_eq(result.code, 0, "%s", result.err);
  cr_assert_str_eq(result.out, "report          dir/report.html\n");
  cr_assert_str_eq(result.err, "");
  cr_assert(tool_same_bytes("dir/report.html", "first.html"));
  tool_free(&result);
  free(page);
}

Test(cli_pages, options_of_a_report) {
  sweep_ok("--train line.csv --recipe none --steps 5 --vary lr=0.1,0.01 --folds 2 --refit no --quiet --json --out dir");
  tool_result result = tool_run("report --quiet --folder dir --out other.html");
  cr_assert_eq(result.code, 0, "%s", result.err);
  cr_assert_str_eq(result.out, "");
  cr_assert_str_eq(result.err, "");
  cr_assert(tool_same_bytes("dir/report.html", "other.html"));
  tool_free(&result);
  tool_expect_refused("report dir --out nowhere/other.html", "the folder nowhere does not exist");
  tool_expect_refused("report", "which folder?");
  tool_expect_refused("report nothing", "nothing: there is no such folder");
  tool_expect_refused("report .", ".: there is neither a sweep (sweep.json) nor a run (metrics.jsonl) in it");
  tool_expect_refused("report dir dir --out two.html", "dir is a sweep; a page is of one sweep, or of runs");
}

Test(cli_pages, one_se_is_told_in_words) {
  static const char *const says[] = {
      "is the most regularised of 4 configurations within one standard error of the best",
      "with the standard error over the folds", "dealt out 2 times", NULL};
  sweep_ok(
      "--train line.csv --recipe none --epochs 4 --vary l2=off,1e-4,1e-3,0.01 --folds 3 --repeats 2 --refit no "
      "--select one-se --out dir");
  expect_page("dir/report.html", says);
}

/* Names of columns as an enemy would have them: they are shown, and do nothing. */
Test(cli_pages, nothing_of_the_data_is_markup) {
  static const char *const says[] = {"&lt;img/src=x/onerror=alert(1)&gt;",
                                     "&lt;/script&gt;&lt;script&gt;x()&lt;/script&gt;",
                                     "--drop &#39;&lt;img/src=x/onerror=alert(1)&gt;&#39;", NULL};
  char text[8192] = "<img/src=x/onerror=alert(1)>,</script><script>x()</script>,a&lt;\"'\xff\x01\xe2\x80\xae,y\n";
  for (int i = 0; i < 40; i++) {
    sprintf(text + strlen(text), "%d,%d,%d,%s\n", i * 7 % 11, i * 5 % 13, i % 3, i % 2 == 0 ? "</td></table>" : "<b>");
  }
  tool_write_text("evil.csv", text);
  sweep_ok(
      "--train evil.csv --target y --steps 4 --vary drop=<img/src=x/onerror=alert(1)>;</script><script>x()</script> "
      "--folds 2 --quiet --out dir");
  expect_page("dir/report.html", says);
  tool_expect_ok("report dir/best");
  char *page = read_page("dir/best/report.html");
  expect_says(page, "a&amp;lt;");
  expect_says(page, "&lt;/td&gt;&lt;/table&gt;");
  expect_says_not(page, "\xff");
  expect_says_not(page, "\x01");
  expect_says_not(page, "\xe2\x80\xae");
  free(page);
}

Test(cli_pages, what_was_not_finite_has_its_reason) {
  static const char *const says[] = {"<section id=\"nonfinite\"",
                                     "4 fits of 2 configurations had a loss",
                                     "2 of 2",
                                     "the step was not finite",
                                     ">not finite</td>",
                                     NULL},
                           *const none[] = {"Nothing won", "<section id=\"nonfinite\"", "No configuration has finite",
                                            NULL};
  static const char how[] =
      "--train line.csv --recipe none --epochs 3 --optimizer sgd --clip-norm off --max-skips 1 --folds 2 --refit no";
  sweep_ok("%s --vary lr=0.01,1e30 --vary l2=off,0.1 --out dir", how);
  expect_page("dir/report.html", says);

  tool_result result = sweep_run("%s --vary lr=1e30,1e32 --out none", how);
  cr_assert_eq(result.code, 1);
  tool_free(&result);
  expect_page("none/report.html", none);
}

Test(cli_pages, rounds_of_halving) {
  static const char *const says[] = {"<section id=\"rounds\"", "<tr><td>1</td><td>1</td><td>8</td><td>16</td><td>",
                                     "<tr><td>2</td><td>2</td><td>4</td><td>8</td><td>",
                                     "<tr><td>4</td><td>8</td><td>1</td><td>2</td><td>", NULL};
  sweep_ok(
      "--train line.csv --recipe none --epochs 8 --search random --configs 8 --vary lr=1e-4..0.1:log --halving 2 "
      "--folds 2 --refit no --out dir");
  expect_page("dir/report.html", says);
}

/* The table has some hundreds, and says so; values as long as may be do not make it large. */
Test(cli_pages, many_fits_make_no_large_page) {
  static const char *const says[] = {"The best 300 of 1000 configurations", NULL};
  tool_write_npy("x.npy", "y.npy", 60);
  sweep_ok(
      "--train x.npy --train-labels y.npy --layers 3-3 --steps 1 --search random --configs 1000 --folds 1 "
      "--val-fraction 0.2 --refit no --quiet --vary lr=1e-4..0.1:log --vary l2=1e-6..0.1:log --vary clamp=0.1..1 "
      "--vary dropout=0..0.5 --out dir");
  expect_page("dir/report.html", says);
}

static void expect_damaged(const char *name, const char *text, const char *says) {
  size_t n = 0;
  char path[64], *before;
  snprintf(path, sizeof path, "dir/%s", name);
  before = tool_read(path, &n);
  if (text != NULL) {
    tool_write_text(path, text);
  } else {
    cr_assert_eq(unlink(path), 0);
  }
  tool_expect_refused("report dir --out out.html", says);

  FILE *file = fopen(path, "wb");
  cr_assert(file != NULL && fwrite(before, 1, n, file) == n && fclose(file) == 0);
  free(before);
}

Test(cli_pages, damaged_files_of_a_sweep_are_named) {
  sweep_ok("--train line.csv --recipe none --steps 5 --vary lr=0.1,0.01 --folds 2 --refit no --quiet --out dir");
  char *results = tool_read("dir/results.csv", NULL), *fits = tool_read("dir/fits.jsonl", NULL);
  const size_t n_results = strlen(results), n_fits = strlen(fits);

  expect_damaged("sweep.json", "{", "dir/sweep.json:1:");
  expect_damaged("sweep.json", "{}", "dir/sweep.json: is not what a sweep writes");
  expect_damaged("results.csv", NULL, "the sweep has not ended");
  expect_damaged("results.csv", "a,b\n1,2\n", "its columns are not those of the sweep");
  expect_damaged("fits.jsonl", NULL, "dir/fits.jsonl: cannot be read");
  results = realloc(results, 2 * n_results + 1);
  memcpy(results + n_results, results, n_results);
  results[2 * n_results] = '\0';
  expect_damaged("results.csv", results, "has more rows than the sweep has configurations");
  results[n_results - 30] = '\0';
  expect_damaged("results.csv", results, "the row of configuration 1 is damaged or missing");
  fits[n_fits / 2] = '\x02';
  expect_damaged("fits.jsonl", fits, "this line is damaged, or of another sweep");

  /* A last line that was cut is no damage. */
  fits[n_fits / 2] = '\0';
  tool_write_text("dir/fits.jsonl", "{\"config\":0,");
  tool_expect_ok("report dir");
  free(results);
  free(fits);
}

/* ---- runs ----------------------------------------------------------------------------------------------------------- */

Test(cli_pages, a_run_tells_what_metrics_jsonl_tells) {
  static const char *const says[] = {"<section id=\"curves\"",
                                     "<section id=\"effects\"",
                                     "<section id=\"time\"",
                                     "<h3>Weights at a bound of their box, %</h3>",
                                     "<h3>Norm of the weights</h3>",
                                     "<li><i class=\"c1\"></i><bdi>layer 1</bdi></li>",
                                     "<section id=\"weights\"",
                                     "<section id=\"net\"",
                                     "<section id=\"data\"",
                                     "vise train \\\n    --config run/config.json",
                                     "was trained for 6 epochs",
                                     "box -0.2 to 0.1:",
                                     "<h3>Layer 1: 5 to 3</h3>",
                                     "Norm of the gradient",
                                     ">steps whose norm was clipped</th>",
                                     NULL};
  tool_expect_ok(
      "train --train people.csv --drop who --val-fraction 0.2 --layers auto-5-auto --clamp -0.2:0.1 --epochs 6 "
      "--clip-norm 0.5 --log-every 1 --quiet --out run");
  tool_expect_ok("report run");
  expect_page("run/report.html", says);

  /* Scores to the last digit. */
  char *page = read_page("run/report.html"), *metrics = tool_read("run/metrics.jsonl", NULL), cell[64];
  json_t *end = tool_json_text(strstr(metrics, "{\"event\":\"end\""));
  const json_t *validation = json_object_get(json_object_get(end, "metrics"), "validation");
  snprintf(cell, sizeof cell, "<td data-v=\"%.17g\">", sweep_number(validation, "loss"));
  expect_says(page, cell);
  json_decref(end);
  free(metrics);
  free(page);
}

Test(cli_pages, runs_are_laid_over_each_other) {
  static const char *const says[] = {">one</bdi>", ">two</bdi>", "one, two", "has the lowest loss of 2 runs", NULL};
  tool_expect_ok("train --train line.csv --epochs 30 --quiet --out one");
  tool_expect_ok("train --train line.csv --epochs 5 --l2 0.1 --quiet --out two");
  tool_expect_refused("report one two", "several runs need --out FILE");
  tool_expect_ok("report one two --out both.html");
  expect_page("both.html", says);
}

/* One that was killed, one without a model, one whose lines are damaged. */
Test(cli_pages, runs_that_are_not_whole) {
  static const char *const says[] = {"has not ended, or was killed: 3 epochs are known of it", "<section id=\"curves\"",
                                     NULL};
  tool_expect_ok("train --train line.csv --epochs 4 --quiet --out run");
  char *metrics = tool_read("run/metrics.jsonl", NULL), *fourth = strstr(metrics, "\"epoch\":4");
  *fourth = '\0';
  tool_write_text("run/metrics.jsonl", metrics);
  cr_assert_eq(unlink("run/model.safetensors"), 0);
  tool_expect_ok("report run");
  expect_page("run/report.html", says);

  tool_write_text("run/model.safetensors", "none");
  tool_expect_refused("report run --out out.html", "run/model.safetensors");
  cr_assert_eq(unlink("run/model.safetensors"), 0);
  tool_write_text("run/config.json", "[");
  tool_expect_refused("report run --out out.html", "run/config.json:1:");
  cr_assert_eq(unlink("run/config.json"), 0);
  tool_expect_ok("report run");
  metrics[3] = '\x02';
  tool_write_text("run/metrics.jsonl", metrics);
  tool_expect_refused("report run --out out.html", "run/metrics.jsonl:1: this line is damaged");
  free(metrics);
}
