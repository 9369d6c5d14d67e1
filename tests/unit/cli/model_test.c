/* eval, predict and prune. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 60);
  tool_write_npy("x.npy", "y.npy", 60);
  tool_expect_ok(
      "train --train iris.csv --recipe none --layers auto-8-auto --lr 0.5 --epochs 40 --batch 10 --quiet --out run");
}

TestSuite(cli_model, .init = enter, .fini = tool_leave);

#define MODEL "--model run/model.safetensors "

static json_t *json_of(const char *arguments) {
  tool_result result = tool_run(arguments);
  cr_assert_eq(result.code, 0, "%s: %s", arguments, result.err);
  json_t *json = tool_json_text(result.out);
  tool_free(&result);
  return json;
}

static double number(const json_t *json, const char *key) {
  json_t *value = json_object_get(json, key);
  cr_assert(json_is_number(value), "no number \"%s\"", key);
  return json_number_value(value);
}

Test(cli_model, eval_prints_loss_and_accuracy) {
  tool_result result = tool_run("eval " MODEL "--data iris.csv");
  cr_assert_eq(result.code, 0);
  cr_assert_str_eq(result.err, "");
  SAYS(result.out, "rows 60  loss ");
  SAYS(result.out, "accuracy 100.00 %");
  tool_free(&result);

  static const char *const same[] = {"eval " MODEL "--data iris.csv --json",
                                     "eval " MODEL "--data iris.csv --target kind --json",
                                     "eval " MODEL "--data x.npy --labels y.npy --json --batch 7",
                                     "eval " MODEL "--data iris.csv --json --batch full --threads 1",
                                     "eval " MODEL "--data iris.csv --json --backend cpu64"};
  double loss = 0;

  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    json_t *json = json_of(same[i]);
    cr_assert_eq(number(json, "rows"), 60);
    cr_assert_eq(number(json, "accuracy"), 1);
    if (i == 0) loss = number(json, "loss");
    if (!(fabs(number(json, "loss") - loss) <= 1e-5))
      cr_assert_fail("%s: %g, not %g", same[i], number(json, "loss"), loss);
    json_decref(json);
  }
}

Test(cli_model, eval_of_numbers_prints_rmse) {
  tool_write_line("line.csv", 80);
  tool_expect_ok("train --train line.csv --recipe none --loss mse --lr 0.1 --epochs 20 --quiet --out line");
  tool_result result = tool_run("eval --model line/model.safetensors --data line.csv");
  SAYS(result.out, "RMSE ");
  SAYS(result.out, "R^2 ");
  tool_free(&result);
  json_t *json = json_of("eval --model line/model.safetensors --data line.csv --json");
  cr_assert(number(json, "rmse") > 0 && json_object_get(json, "accuracy") == NULL);
  json_decref(json);
  tool_expect_refused("predict --model line/model.safetensors --data line.csv --out p.csv --output class", "class");
}

/* Reads the n_columns numbers of each line after the header. */
static size_t read_csv(const char *path, size_t n_columns, double *out, size_t room) {
  char *text = tool_read(path, NULL), *at = strchr(text, '\n');
  size_t n = 0;
  cr_assert(at != NULL);

  for (at++; *at != '\0' && n < room;) {
    out[n++] = strtod(at, &at);
    cr_assert(*at == ',' || *at == '\n');
    at++;
  }

  cr_assert_eq(n % n_columns, 0);
  free(text);
  return n / n_columns;
}

/* A count that doubles with x. */
static void write_counts(const char *path, int first) {
  FILE *stream = fopen(path, "w");
  cr_assert_not_null(stream);
  (void)fputs("x,count\n", stream);
  for (int i = 0; i < 40; i++) (void)fprintf(stream, "%d,%d\n", i % 5, i == 0 ? first : 1 << i % 5);
  cr_assert_eq(fclose(stream), 0);
}

Test(cli_model, poisson_predicts_counts) {
  double means[40];
  write_counts("counts.csv", 1);
  tool_expect_ok("train --train counts.csv --loss poisson --lr 0.01 --epochs 400 --quiet --out counts");
  tool_expect_ok("predict --model counts/model.safetensors --data counts.csv --target count --out mean.csv");
  cr_assert_eq(read_csv("mean.csv", 1, means, 40), 40);
  for (int i = 0; i < 40; i++) {
    cr_expect(fabs(means[i] - (1 << i % 5)) <= 0.05 * (1 << i % 5), "row %d: %g", i, means[i]);
  }

  tool_result result = tool_run("eval --model counts/model.safetensors --data counts.csv");
  SAYS(result.out, "R^2 ");
  tool_free(&result);
  json_t *json = json_of("eval --model counts/model.safetensors --data counts.csv --json");
  cr_assert(number(json, "r2") > 0.99);
  json_decref(json);

  write_counts("negative.csv", -1);
  tool_expect_refused("train --train negative.csv --loss poisson",
                      "negative.csv: row 0 (from 0): target 0 is -1; must be at least 0");
}

Test(cli_model, predict_writes_each_output) {
  static double raw[180], probability[180], class_index[60];
  tool_expect_ok("predict " MODEL "--data iris.csv --out raw.csv");
  tool_expect_ok("predict " MODEL "--data iris.csv --out probability.csv --output probability");
  tool_expect_ok("predict " MODEL "--data iris.csv --out class.csv --output class");

  cr_assert_eq(read_csv("raw.csv", 3, raw, 180), 60);
  cr_assert_eq(read_csv("probability.csv", 3, probability, 180), 60);
  cr_assert_eq(read_csv("class.csv", 1, class_index, 60), 60);

  size_t bad = 0;
  for (size_t i = 0; i < 60; i++) {
    const double *z = &raw[3 * i], *p = &probability[3 * i];
    double sum = exp(z[0]) + exp(z[1]) + exp(z[2]);
    for (size_t k = 0; k < 3; k++) {
      if (!(fabs(p[k] - exp(z[k]) / sum) <= 1e-5)) bad++;
      if (!(z[(size_t)class_index[i]] >= z[k])) bad++;
    }
    if (!(class_index[i] == (double)(i % 3))) bad++;
  }
  cr_assert_eq(bad, 0);

  char *text = tool_read("raw.csv", NULL);
  cr_assert(strncmp(text, "output_0,output_1,output_2\n", 27) == 0);
  free(text);
  text = tool_read("class.csv", NULL);
  cr_assert(strncmp(text, "class\n0\n1\n2\n", 12) == 0, "%.20s", text);
  free(text);
}

Test(cli_model, predict_takes_files_with_and_without_targets) {
  char *text = tool_read("iris.csv", NULL);
  FILE *bare = fopen("bare.csv", "w");
  cr_assert(bare != NULL);
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    *strrchr(line, ',') = '\0';
    fprintf(bare, "%s\n", line);
  }
  fclose(bare);
  free(text);

  tool_expect_ok("predict " MODEL "--data iris.csv --out with.npy");
  tool_expect_ok("predict " MODEL "--data bare.csv --out without.npy");
  tool_expect_ok("predict " MODEL "--data iris.csv --target kind --out named.npy");
  tool_expect_ok("predict " MODEL "--data bare.csv --target kind --out lacking.npy");
  tool_expect_ok("predict " MODEL "--data iris.csv --target -1 --out indexed.npy");

  cr_assert(tool_same_bytes("with.npy", "without.npy"));
  cr_assert(tool_same_bytes("with.npy", "named.npy"));
  cr_assert(tool_same_bytes("with.npy", "lacking.npy"));
  cr_assert(tool_same_bytes("with.npy", "indexed.npy"));

  tool_expect_ok("predict " MODEL "--data x.npy --out numpy.npy");
  json_t *json = json_of("predict " MODEL "--data x.npy --out again.npy --json");
  cr_assert_eq(number(json, "rows"), 60);
  cr_assert_eq(number(json, "columns"), 3);
  json_decref(json);
  cr_assert(tool_same_bytes("numpy.npy", "again.npy"));
}

Test(cli_model, prune_reports_what_changed) {
  json_t *json =
      json_of("prune " MODEL "--op prune --fraction 0.25 --out q.safetensors --mask-out m.safetensors --json");
  cr_assert_eq(number(json, "considered"), 48); /* 3*8 + 8*3 */
  cr_assert_eq(number(json, "reached"), 12);
  cr_assert_eq(number(json, "zero"), 12);
  cr_assert(number(json, "norm_after") <= number(json, "norm_before"));
  json_decref(json);
  cr_assert(tool_exists("q.safetensors") && tool_exists("m.safetensors"));

  json = json_of(
      "prune --model q.safetensors --op prune --fraction 0.5 --scope global --layers 1 --mask m.safetensors "
      "--out r.safetensors --json");
  cr_assert_eq(number(json, "considered"), 24);
  cr_assert_eq(number(json, "zero"), 12);
  json_decref(json);

  json = json_of("prune " MODEL
                 "--weight-op rel-retain --weight-op-t 0.5 --weight-op-layers 0,1 --out s.safetensors --json");
  cr_assert_eq(number(json, "considered"), 48);
  cr_assert_eq(number(json, "zero"), 48 - number(json, "reached"));
  json_decref(json);

  tool_result result =
      tool_run("prune " MODEL "--weight-op rel-clip --weight-op-t 0.1 --weight-op-literal --out t.safetensors");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "reached the threshold");
  SAYS(result.out, "Frobenius norm");
  tool_free(&result);
  tool_expect_ok("eval --model q.safetensors --data iris.csv");
}

Test(cli_model, damaged_models_are_refused) {
  size_t n = 0;
  char *bytes = tool_read("run/model.safetensors", &n);
  FILE *file = fopen("cut.safetensors", "wb");
  cr_assert(file != NULL);
  fwrite(bytes, 1, n - 3, file);
  fclose(file);
  free(bytes);

  tool_expect_refused("eval --model cut.safetensors --data iris.csv", "cut.safetensors");
  tool_expect_refused("predict --model cut.safetensors --data iris.csv --out p.csv", "cut.safetensors");
  tool_expect_refused("prune --model cut.safetensors --op rel-clip --t 0.5 --out p", "cut.safetensors");
}
