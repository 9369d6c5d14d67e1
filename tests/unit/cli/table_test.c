/* Tables as users have them: names, kinds, targets and defaults, through train, eval and predict. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

#define MODEL "--model run/model.safetensors "

/* A table of readings: what fails is hot and shakes. columns: the order of a (heat), b (shake), c (site), y (target); "#"
   is a row number. */
static void write_readings(const char *path, const char *columns, int n_rows) {
  static const char *const sites[] = {"north", "south", "west"};
  FILE *file = fopen(path, "w");
  cr_assert(file != NULL);

  for (int i = -1; i < n_rows; i++) {
    const double heat = 40 + 37 * i % 50, shake = 1 + 53 * i % 71 / 10.0;
    for (const char *c = columns; *c != '\0'; c++) {
      if (c > columns) fputc(',', file);
      if (i < 0) {
        fputs(*c == 'a' ? "heat" : *c == 'b' ? "shake" : *c == 'c' ? "site" : *c == 'y' ? "state" : "", file);
      } else if (*c == 'a') {
        fprintf(file, "%g", heat);
      } else if (*c == 'b') {
        fprintf(file, i % 19 == 3 ? "NA" : "%g", shake);
      } else if (*c == 'c') {
        fputs(sites[i % 3], file);
      } else if (*c == 'y') {
        fputs(heat / 20 + shake > 7 ? "broken" : "sound", file);
      } else {
        fprintf(file, "%d", i);
      }
    }
    fputc('\n', file);
  }
  fclose(file);
}

static void enter(void) {
  tool_enter();
  write_readings("train.csv", "abcy", 200);
}

TestSuite(cli_table, .init = enter, .fini = tool_leave);

static void expect_says(const char *arguments, const char *in_out, const char *in_err) {
  tool_result result = tool_run(arguments);
  cr_assert_eq(result.code, 0, "%s: %s", arguments, result.err);
  if (in_out != NULL) SAYS(result.out, in_out);
  if (in_err != NULL) SAYS(result.err, in_err);
  tool_free(&result);
}

Test(cli_table, one_option_trains_a_model_that_can_be_used) {
  tool_result result = tool_run("train --train train.csv --out run");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "data            train.csv: 200 rows, 4 columns to 6 inputs, 2 classes\n");
  SAYS(result.out, "1000 steps");
  SAYS(result.err, "net             6-64-2");
  const char *accuracy = strstr(result.out, "accuracy ");
  cr_assert(accuracy != NULL && strtod(accuracy + 9, NULL) > 90, "%s", result.out);
  tool_free(&result);

  tool_expect_ok("predict " MODEL "--data train.csv --out class.csv --output class");
  tool_expect_ok("predict " MODEL "--data train.csv --out p.csv --output probability");
  char *text = tool_read("class.csv", NULL);
  cr_assert(strncmp(text, "class\n", 6) == 0 && strstr(text, "\nsound\n") != NULL, "%.40s", text);
  free(text);
  text = tool_read("p.csv", NULL);
  cr_assert(strncmp(text, "broken,sound\n", 13) == 0, "%.40s", text);
  free(text);
}

Test(cli_table, columns_are_matched_by_name) {
  tool_expect_ok("train --train train.csv --steps 200 --quiet --out run");
  tool_expect_ok("predict " MODEL "--data train.csv --out first.csv");

  static const char *const orders[] = {"ycba", "#abcy", "bca#", "cab"};
  for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
    write_readings("other.csv", orders[i], 200);
    tool_expect_ok("predict " MODEL "--data other.csv --out other.out.csv");
    cr_assert(tool_same_bytes("first.csv", "other.out.csv"), "%s", orders[i]);
  }

  write_readings("other.csv", "#abcy", 200);
  expect_says("eval " MODEL "--data other.csv", "confusion matrix", "1 column left out");
  write_readings("other.csv", "acy", 200);
  unlink("first.csv");
  unlink("other.out.csv");
  tool_expect_refused("predict " MODEL "--data other.csv --out none.csv", "lacks the feature shake");
  write_readings("other.csv", "abc", 200);
  tool_expect_refused("eval " MODEL "--data other.csv", "lacks the target");
}

Test(cli_table, a_run_goes_on_and_repeats_bit_for_bit) {
  tool_expect_ok("train --train train.csv --epochs 6 --lr-schedule constant --val-fraction 0.2 --quiet --out whole");
  tool_expect_ok("train --train train.csv --epochs 3 --lr-schedule constant --val-fraction 0.2 --quiet --out run");
  tool_expect_ok("train --resume run --epochs 6 --quiet");
  cr_assert(tool_same_bytes("run/model.safetensors", "whole/model.safetensors"));
  tool_expect_ok("train --config whole/config.json --quiet --out again");
  cr_assert(tool_same_bytes("again/model.safetensors", "whole/model.safetensors"));
}

Test(cli_table, init_keeps_how_inputs_are_made) {
  write_readings("part.csv", "ycba", 60);
  tool_expect_ok("train --train train.csv --steps 200 --quiet --out run");
  tool_expect_ok(
      "train --train part.csv --init run/model.safetensors --lr 0 --decoupled-decay 0 --steps 1 --quiet --out on");

  tool_expect_ok("predict " MODEL "--data train.csv --out before.csv");
  tool_expect_ok("predict --model on/model.safetensors --data train.csv --out after.csv");
  cr_assert(tool_same_bytes("before.csv", "after.csv"));

  expect_says("train --train train.csv --init run/model.safetensors --steps 1", NULL,
              "of the model of --init are kept");
  expect_says("train --train train.csv --init run/model.safetensors --scale standard --steps 1", NULL,
              "fitted to these rows");
}

Test(cli_table, init_keeps_the_scaling_of_arrays) {
  tool_write_npy("x.npy", "y.npy", 90);
  tool_expect_ok("train --train x.npy --train-labels y.npy --scale standard --epochs 3 --quiet --out run");
  tool_expect_ok(
      "train --train x.npy --train-labels y.npy --init run/model.safetensors --lr 0 --epochs 1 --quiet --out on");
  tool_expect_ok("predict " MODEL "--data x.npy --out before.csv");
  tool_expect_ok("predict --model on/model.safetensors --data x.npy --out after.csv");
  cr_assert(tool_same_bytes("before.csv", "after.csv"));
}

Test(cli_table, targets_are_taken_for_what_they_are) {
  static const struct {
    const char *values[3]; /* in turn, of 60 rows */
    const char *says;
  } cases[] = {
      {{"1", "2", "3"}, "3 classes"},
      {{"1", "101", "201"}, "3 classes"},
      {{"-1", "1", "1"}, "2 classes"},
      {{"red", "green", "blue"}, "3 classes"},
      {{NULL}, "1 target"}, /* 60 different numbers */
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    FILE *file = fopen("t.csv", "w");
    fputs("a,b,y\n", file);
    for (int r = 0; r < 60; r++) {
      fprintf(file, "%d,%d,", r % 7, r % 11);
      if (cases[i].values[0] != NULL) {
        fprintf(file, "%s\n", cases[i].values[r % 3]);
      } else {
        fprintf(file, "%d\n", 250000 + 37 * r * r % 10007);
      }
    }
    fclose(file);
    expect_says("train --train t.csv --steps 5 --quiet", cases[i].says, NULL);
  }

  tool_write_text("same.csv", "a,b,y\n1,2,0\n2,4,0\n3,1,0\n4,4,0\n");
  unlink("t.csv");
  tool_expect_refused("train --train same.csv", "nothing to learn");
}

Test(cli_table, no_row_is_lost_to_a_header_that_is_none) {
  static const char *const firsts[] = {"?,0.8,0", ",0.8,0", "1,0.8,0"};
  for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
    FILE *file = fopen("t.csv", "w");
    fprintf(file, "%s\n", firsts[i]);
    for (int r = 1; r < 60; r++) fprintf(file, "%g,%g,%d\n", r / 7.0, r % 13 / 3.0, r % 2);
    fclose(file);
    expect_says("train --train t.csv --steps 5 --quiet", "60 rows", NULL);
    expect_says("train --train t.csv --steps 5 --quiet", "line 1 is data", NULL);
  }
}

Test(cli_table, how_fields_are_spelt_is_kept_with_the_model) {
  FILE *file = fopen("de.csv", "w"), *plain = fopen("en.csv", "w");
  fputs("a;b;y\n", file);
  fputs("a,b,y\n", plain);
  for (int r = 0; r < 60; r++) {
    fprintf(file, "%d,5;%s;%s\n", r % 17, r % 9 == 0 ? "-999" : r % 2 ? "3" : "4", r % 17 > 8 ? "ja" : "nein");
    fprintf(plain, "%d.5,%s,%s\n", r % 17, r % 9 == 0 ? "" : r % 2 ? "3" : "4", r % 17 > 8 ? "ja" : "nein");
  }
  fclose(file);
  fclose(plain);

  tool_expect_ok("train --train de.csv --decimal , --na -999 --steps 50 --quiet --out run");
  tool_expect_ok("predict " MODEL "--data de.csv --out de.out.csv");
  tool_expect_ok("predict " MODEL "--data en.csv --decimal . --out en.out.csv");
  cr_assert(tool_same_bytes("de.out.csv", "en.out.csv"));
}

Test(cli_table, a_value_beyond_float32_is_refused_where_it_stands) {
  tool_write_text("new.csv", "heat,shake,site\n50,2,north\n-1e39,2,north\n");
  tool_expect_ok("train --train train.csv --steps 5 --quiet --out run");
  tool_expect_refused("predict " MODEL "--data new.csv --out p.csv", "new.csv:3: column \"heat\"");
  tool_expect_refused("predict " MODEL "--backend cpu64 --data new.csv --out p.csv", "new.csv:3: column \"heat\"");
}

Test(cli_table, rows_are_held_out_class_by_class) {
  tool_result result = tool_run("train --train train.csv --val-fraction 0.1 --test-fraction 0.25 --steps 20 --quiet");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "train.csv: 130 rows");
  SAYS(result.out, "validation      train.csv: 20 rows");
  SAYS(result.out, "test            train.csv: 50 rows");
  tool_free(&result);
  tool_expect_refused("train --train train.csv --test train.csv --test-fraction 0.1", "contradict");
}

Test(cli_table, eval_tells_of_each_class) {
  tool_expect_ok("train --train train.csv --quiet --out run");
  tool_result result = tool_run("eval " MODEL "--data train.csv --json");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *json = tool_json_text(result.out), *classes = json_object_get(json, "classes"), *row;
  size_t i, k, n = 0, n_right = 0;
  json_t *cell;

  json_array_foreach(json_object_get(json, "confusion"), i, row) {
    json_array_foreach(row, k, cell) {
      n += (size_t)json_integer_value(cell);
      n_right += i == k ? (size_t)json_integer_value(cell) : 0;
    }
  }
  cr_assert_eq(n, 200);
  cr_assert(fabs((double)n_right / 200 - json_real_value(json_object_get(json, "accuracy"))) < 1e-12);
  cr_assert(json_real_value(json_object_get(json, "auc")) > 0.9);
  cr_assert_str_eq(json_string_value(json_object_get(json_array_get(classes, 0), "name")), "broken");
  json_decref(json);
  tool_free(&result);
}

Test(cli_table, libsvm_files_are_tables) {
  FILE *file = fopen("t.svm", "w");
  for (int r = 0; r < 60; r++) fprintf(file, "%d 1:%g 3:%d\n", r % 2 ? 1 : -1, r % 2 + r / 100.0, r % 5);
  fclose(file);
  tool_expect_ok("train --train t.svm --quiet --out run");
  expect_says("eval " MODEL "--data t.svm", "AUC", NULL);
}

Test(cli_table, recipes_set_what_is_not_given) {
  tool_expect_ok("train --train train.csv --optimizer sgd --batch 10 --steps 5 --quiet --out run");
  json_t *config = tool_json("run/config.json");
  cr_assert_str_eq(json_string_value(json_object_get(config, "optimizer")), "sgd");
  cr_assert_str_eq(json_string_value(json_object_get(config, "lr-schedule")), "constant");
  cr_assert_str_eq(json_string_value(json_object_get(config, "scale")), "standard");
  cr_assert_eq(json_integer_value(json_object_get(config, "batch")), 10);
  cr_assert(json_number_value(json_object_get(config, "decoupled-decay")) > 0.1);
  json_decref(config);

  tool_expect_ok("train --train train.csv --recipe none --epochs 1 --quiet --out none");
  config = tool_json("none/config.json");
  cr_assert_str_eq(json_string_value(json_object_get(config, "optimizer")), "sgd");
  cr_assert_str_eq(json_string_value(json_object_get(config, "scale")), "none");
  json_decref(config);
  expect_says("info --recipes", "--layers auto-64-auto", NULL);
  expect_says("train --train train.csv --lr 0.5 --steps 2", NULL, "is high for adam");
}

Test(cli_table, a_batch_of_weight_0_has_no_gradient) {
  static const char *const backends[] = {"cpu", "cpu64"};
  tool_write_text("x.csv", "a\n1\n2\n3\n4\n5\n6\n");
  tool_write_text("y.csv", "y\n0\n1\n0\n1\n0\n1\n");
  tool_write_text("w.csv", "w\n0\n0\n0\n0\n1\n1\n");
  tool_write_text("x2.csv", "a\n5\n6\n");
  tool_write_text("y2.csv", "y\n0\n1\n");

  for (size_t i = 0; i < 2; i++) {
    char first[256], second[256];
    snprintf(first, sizeof first,
             "train --train x.csv --train-labels y.csv --row-weights w.csv --batch 2 --shuffle no --recipe none "
             "--layers 1-2 --loss cross-entropy --epochs 3 --lr 0.1 --backend %s --quiet --out all%zu",
             backends[i], i);
    snprintf(second, sizeof second,
             "train --train x2.csv --train-labels y2.csv --batch 2 --shuffle no --recipe none --layers 1-2 "
             "--loss cross-entropy --epochs 3 --lr 0.1 --backend %s --quiet --out two%zu",
             backends[i], i);
    tool_result result = tool_run(first);
    cr_assert_eq(result.code, 0, "%s", result.err);
    SAYS(result.out, "skipped steps                         0.000 %");
    SAYS(result.out, "(6 rows, the loss by their weights)");
    tool_free(&result);
    tool_expect_ok(second);
    snprintf(first, sizeof first, "predict --model all%zu/model.safetensors --data x2.csv --out all.csv", i);
    snprintf(second, sizeof second, "predict --model two%zu/model.safetensors --data x2.csv --out two.csv", i);
    tool_expect_ok(first);
    tool_expect_ok(second);
    cr_assert(tool_same_bytes("all.csv", "two.csv"));
  }
}

/* Files as other programs write them: what surrounds the rows is no row, and no row is lost. */
Test(cli_table, decorated_files_keep_their_rows) {
  static const struct {
    const char *first, *delimiter, *end, *says;
  } cases[] = {
      {"", ",", "\n", "line 1 is data, not a header"},
      {"", ",", ",\n", "line 1 is data, not a header"},
      {"a,b,kind\n", ",", ",\n", "line 1 is a header"},
      {"a,b,kind,\n", ",", ",\n", "line 1 is a header"},
      {"sep=;\r\n", ";", "\r\n", "line 2 is data, not a header"},
      {"# made by a tool, 2026\n", ",", "\n", "1 line before line 2 begins with # and is taken for a comment"},
      {"# made by\n# a tool\na,b,kind\n", ",", "\n", "line 3 is a header"},
      {"#a,b,kind\n", ",", "\n", "line 1 is a header"},
  };
  static const char *const kinds[] = {"low", "mid", "high"};

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    FILE *file = fopen("d.csv", "w");
    cr_assert(file != NULL);
    fputs(cases[i].first, file);
    for (int r = 0; r < 60; r++) {
      fprintf(file, "%d.5%s%d%s%s%s", r % 7, cases[i].delimiter, r * r % 11, cases[i].delimiter, kinds[r % 3],
              cases[i].end);
    }
    cr_assert_eq(fclose(file), 0);
    expect_says("train --train d.csv --steps 5 --quiet", cases[i].says, NULL);
    expect_says("train --train d.csv --steps 5 --quiet", "60 rows", NULL);
    expect_says("train --train d.csv --steps 5 --quiet", "classes: high 20, low 20, mid 20", NULL);
  }
}

/* A gap in line 1 of a file of labels or weights is refused like any other; that line is never a header for it. */
Test(cli_table, no_label_is_lost_to_a_header_that_is_none) {
  char labels[256] = "?\n", x[1024] = "";
  for (int r = 0; r < 40; r++) {
    sprintf(x + strlen(x), "%d,%d\n", r % 7, r % 5);
    if (r > 0) sprintf(labels + strlen(labels), "%d\n", r % 2);
  }
  tool_write_text("x.csv", x);
  tool_write_text("y.csv", labels);
  tool_expect_refused("train --train x.csv --train-labels y.csv",
                      "y.csv:1: column 0 (from 0): the field is empty or marks");
  tool_expect_refused("train --train x.csv --row-weights y.csv",
                      "y.csv:1: column 0 (from 0): the field is empty or marks");

  labels[0] = '1';
  tool_write_text("y.csv", labels);
  expect_says("train --train x.csv --train-labels y.csv --steps 5 --quiet", "40 rows", NULL);
  expect_says("train --train x.csv --train-labels y.csv --header yes --steps 5 --quiet", "39 rows", NULL);
}

/* Without names the target is known by its place. */
Test(cli_table, init_goes_on_from_a_table_without_names, .timeout = 30) {
  FILE *file = fopen("bare.csv", "w");
  for (int i = 0; i < 60; i++)
    fprintf(file, "%g,%d,%s\n", 0.5 * (i * 7 % 13), i * 5 % 11, i * 7 % 13 > 6 ? "hi" : "lo");
  fclose(file);

  tool_expect_ok("train --train bare.csv --steps 20 --out run --quiet");
  tool_expect_ok("train --train bare.csv --init run --steps 5 --quiet");
  tool_expect_refused("train --train bare.csv --init run --loss mse --steps 5",
                      "--loss mse and --init contradict each other: the target of run is 2 classes, not numbers");
}

/* cpu64 works on as many rows at a time, whatever is asked for. */
Test(cli_table, predictions_do_not_depend_on_the_batch) {
  static const char *const batches[] = {"1", "7", "100", "full"};
  tool_expect_ok("train --train train.csv --steps 20 --out run --quiet --backend cpu64");
  for (size_t i = 0; i < 4; i++) {
    char arguments[160];
    snprintf(arguments, sizeof arguments,
             "predict " MODEL "--data train.csv --backend cpu64 --batch %s --out %s.npy --output raw", batches[i],
             batches[i]);
    tool_expect_ok(arguments);
    char path[16];
    snprintf(path, sizeof path, "%s.npy", batches[i]);
    cr_expect(tool_same_bytes("1.npy", path), "batches of %s", batches[i]);
  }
}
