/* --config and config.json. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 90);
}

TestSuite(cli_config, .init = enter, .fini = tool_leave);

Test(cli_config, config_json_repeats_the_run_bit_for_bit) {
  static const char *const runs[] = {
      "--layers auto-6-auto --lr 0.1 --momentum 0.9 --nesterov --l2 1e-4 --l1 0.1e-3 --clip-norm 0.3 --clamp 0.25 "
      "--val-fraction 0.3 --seed 18446744073709551615",
      "--backend cpu64 --optimizer adam --lr 0.003 --layers 3-4-3 --activation tanh --no-bias --scale standard "
      "--clip-value -0.01:0.02 --clamp-layer 0=-0.3:inf --clamp-layer 1=0.4 --batch full --shuffle no",
      "--optimizer rmsprop --rho 0.95 --lr-schedule cosine --warmup-steps 3 --lr-final-ratio 0.1 --class-weights "
      "1,2,0.5 "
      "--label-smoothing 0.1 --clip-norm 1 --clip-norm-type unit --clip-schedule linear --clip-final-ratio 0.3",
      "--weight-op prune --weight-op-at epoch:2 --weight-op-fraction 0.3 --weight-op-scope row --max-norm 0.9 "
      "--drop-last --batch 7 --penalty-convention over_m --l2 3 --penalize-bias --decoupled-decay 0.01",
      "--loss hinge --prox-l1 --l1 0.001 --max-update 0.01 --steps 20 --threads 2 --clamp-bias --clamp 0.5 "
      "--clamp-schedule step --lr-gamma 0.5 --lr-step-epochs 1 --target kind --init-scheme he",
  };

  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
    char arguments[1024], first[64], second[64];

    snprintf(arguments, sizeof arguments, "train --train iris.csv --recipe none --epochs 4 --quiet --out first%zu %s",
             i, runs[i]);
    if (i == 4)
      snprintf(arguments, sizeof arguments, "train --train iris.csv --recipe none --layers 3-3 --quiet --out first4 %s",
               runs[i]);
    tool_expect_ok(arguments);

    snprintf(arguments, sizeof arguments, "train --config first%zu/config.json --out second%zu", i, i);
    tool_expect_ok(arguments);

    snprintf(first, sizeof first, "first%zu/model.safetensors", i);
    snprintf(second, sizeof second, "second%zu/model.safetensors", i);
    cr_assert(tool_same_bytes(first, second), "run %zu", i);
    snprintf(first, sizeof first, "first%zu/config.json", i);
    snprintf(second, sizeof second, "second%zu/config.json", i);
    cr_assert(tool_same_bytes(first, second), "run %zu: config.json", i);
  }
}

Test(cli_config, config_json_has_everything_resolved) {
  tool_expect_ok("train --train iris.csv --recipe none --layers auto-6-auto --epochs 1 --lr 0.1 --quiet --out run");
  json_t *config = tool_json("run/config.json");

  cr_assert_str_eq(json_string_value(json_object_get(config, "layers")), "3-6-3");
  cr_assert_str_eq(json_string_value(json_object_get(config, "backend")), "cpu");
  cr_assert_str_eq(json_string_value(json_object_get(config, "scale")), "none");
  cr_assert(json_integer_value(json_object_get(config, "threads")) >= 1);
  cr_assert_eq(json_integer_value(json_object_get(config, "batch")), 64);
  cr_assert_eq(json_number_value(json_object_get(config, "lr")), 0.1);
  cr_assert_eq(json_string_value(json_object_get(config, "train"))[0], '/');
  cr_assert(json_is_true(json_object_get(config, "quiet")));
  cr_assert(json_object_get(config, "out") == NULL);
  json_decref(config);

  char *text = tool_read("run/config.json", NULL);
  SAYS(text, "\"lr\": 0.1,"); /* the shortest exact number */
  free(text);
}

/* The file has the lines of the golden one, byte for byte and in its order; later options may have lines between them.
   The golden file has @ for the folder, and the default of checkpoint-every, which has changed since. */
static void expect_golden(const char *options, const char *golden) {
  char arguments[1024], path[256], folder[512];
  snprintf(arguments, sizeof arguments,
           "train --train iris.csv --recipe none --quiet --threads 1 --overwrite --out run %s", options);
  tool_expect_ok(arguments);
  cr_assert(getcwd(folder, sizeof folder) != NULL);
  snprintf(path, sizeof path, "%s/tests/golden/cli/%s", VISE_SOURCE_DIR, golden);

  char *lines = tool_read(path, NULL), *rest = lines, *line, *text = tool_read("run/config.json", NULL);
  for (char *at; (at = strstr(text, folder)) != NULL;) {
    *at = '@';
    memmove(at + 1, at + strlen(folder), strlen(at + strlen(folder)) + 1);
  }

  const char *from = text;
  while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
    const char *found = strstr(from, line);
    cr_assert(found != NULL && found[strlen(line)] == '\n', "%s: no line \"%s\" in\n%s", golden, line, from);
    from = found + strlen(line);
  }
  free(lines);
  free(text);
}

Test(cli_config, config_json_is_that_of_the_first_release) {
  expect_golden(
      "--optimizer rmsprop --rho 0.95 --lr-schedule cosine --warmup-steps 3 --lr-final-ratio 0.1 --class-weights "
      "1,2,0.5 --label-smoothing 0.1 --clip-norm 1 --clip-norm-type unit --clip-schedule linear --clip-final-ratio 0.3 "
      "--epochs 4",
      "config_rmsprop.json");
  expect_golden(
      "--backend cpu64 --optimizer adam --lr 0.003 --layers 3-4-3 --activation tanh --no-bias --scale standard "
      "--clip-value -0.01:0.02 --clamp-layer 0=-0.3:inf --clamp-layer 1=0.4 --batch full --shuffle no --epochs 2",
      "config_adam.json");
}

/* Memory sizes may have suffixes; config.json holds bytes. Other backends refuse GPU options by name. */
Test(cli_config, device_memory_limit) {
  static const struct {
    const char *text, *bytes;
  } cases[] = {{"1000", "1000"}, {"3K", "3072"}, {"5M", "5242880"}, {"2G", "2147483648"}};
  char arguments[256];

  for (size_t i = 0; i < 4; i++) {
    char says[128];
    snprintf(arguments, sizeof arguments, "train --train iris.csv --recipe none --backend cpu --device-memory-limit %s",
             cases[i].text);
    snprintf(says, sizeof says, "--device-memory-limit %s: --backend cpu has no devices", cases[i].bytes);
    tool_expect_refused(arguments, says);
  }

  static const char *const wrong[] = {
      "0", "M", "-5", "1.5G", "3T", "20000000000G", "99999999999999999999999999999999999"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    snprintf(arguments, sizeof arguments, "train --train iris.csv --recipe none --device-memory-limit=%s", wrong[i]);
    tool_expect_refused(arguments, wrong[i]);
  }

  tool_expect_ok("train --train iris.csv --recipe none --epochs 1 --device-memory-limit off --quiet --out run");
  json_t *config = tool_json("run/config.json");
  cr_assert(json_is_null(json_object_get(config, "device-memory-limit")));
  cr_assert_str_eq(json_string_value(json_object_get(config, "precision")), "fp32");
  json_decref(config);
}

Test(cli_config, works_from_another_folder) {
  cr_assert_eq(mkdir("elsewhere", 0700), 0);
  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --quiet --out run");
  cr_assert_eq(chdir("elsewhere"), 0);
  tool_expect_ok("train --config ../run/config.json --out run");
  tool_expect_ok("train --resume ../run --epochs 3");
  cr_assert_eq(chdir(".."), 0);
  cr_assert(tool_exists("elsewhere/run/model.safetensors"));
}

Test(cli_config, takes_every_form_of_value) {
  tool_write_text("c.json",
                  "{\"train\": \"iris.csv\", \"epochs\": 2, \"lr\": \"0.25\", \"l2\": 1e-3, \"no-bias\": true, "
                  "\"shuffle\": false, \"clamp-layer\": [\"0=0.5\"], \"clip-norm\": null, \"batch\": \"full\", "
                  "\"seed\": 7, \"momentum\": 0.5, \"quiet\": true, \"patience\": \"off\"}");
  tool_expect_ok("train --config c.json --out run");

  json_t *config = tool_json("run/config.json");
  cr_assert_eq(json_number_value(json_object_get(config, "lr")), 0.25);
  cr_assert_eq(json_integer_value(json_object_get(config, "seed")), 7);
  cr_assert_str_eq(json_string_value(json_object_get(config, "shuffle")), "no");
  cr_assert_str_eq(json_string_value(json_object_get(config, "batch")), "full");
  cr_assert(json_is_true(json_object_get(config, "no-bias")));
  json_decref(config);
}

Test(cli_config, the_command_line_wins) {
  tool_write_text("c.json",
                  "{\"train\": \"iris.csv\", \"epochs\": 5, \"lr\": 0.5, \"nesterov\": true, \"momentum\": 0.9, "
                  "\"clamp\": 0.5, \"clamp-layer\": [\"0=0.5\"], \"quiet\": true}");
  tool_expect_ok("train --config c.json --epochs 1 --lr 0.1 --no-nesterov --clamp off --clamp-layer 0=0.1 --out run");

  json_t *config = tool_json("run/config.json");
  cr_assert_eq(json_integer_value(json_object_get(config, "epochs")), 1);
  cr_assert_eq(json_number_value(json_object_get(config, "lr")), 0.1);
  cr_assert(json_is_false(json_object_get(config, "nesterov")));
  cr_assert(json_is_null(json_object_get(config, "clamp")));
  cr_assert_eq(json_array_size(json_object_get(config, "clamp-layer")), 1);
  cr_assert_str_eq(json_string_value(json_array_get(json_object_get(config, "clamp-layer"), 0)), "0=-0.1:0.1");
  json_decref(config);
}

Test(cli_config, works_for_the_other_commands) {
  tool_expect_ok("train --train iris.csv --recipe none --epochs 2 --quiet --out run");
  tool_write_text("e.json", "{\"model\": \"run/model.safetensors\", \"data\": \"iris.csv\", \"json\": true}");
  tool_result result = tool_run("eval --config e.json");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_decref(tool_json_text(result.out));
  tool_free(&result);
  tool_write_text("p.json", "{\"model\": \"run/model.safetensors\", \"op\": \"rel-clip\", \"t\": 0.5, \"out\": \"q\"}");
  tool_expect_ok("prune --config p.json");
  cr_assert(tool_exists("q"));
  tool_expect_ok("check --config run/config.json");
}

Test(cli_config, refuses_files_that_are_wrong) {
  static const struct {
    const char *text, *says;
  } rows[] = {
      {"", "c.json:"},
      {"{\"lr\": 0.1", "c.json:1"},
      {"{\n\"lr\": 0.1,\n\"lr\": 0.2}", "c.json:3"},
      {"[1]", "not a JSON object"},
      {"{\"learning-rate\": 0.1}", "unknown key \"learning-rate\""},
      {"{\"--lr\": 0.1}", "unknown key \"--lr\""},
      {"{\"epocs\": 5}", "unknown key \"epocs\"; did you mean \"epochs\"?"},
      {"{\"clamp_layer\": []}", "unknown key \"clamp_layer\"; did you mean \"clamp-layer\"?"},
      {"{\"bias\": false}", "unknown key \"bias\""},
      {"{\"data\": \"iris.csv\"}", "unknown key \"data\""}, /* eval's */
      {"{\"config\": \"d.json\"}", "command line only"},
      {"{\"resume\": \"run\"}", "command line only"},
      {"{\"lr\": \"fast\"}", "c.json: \"lr\": 'fast' is not a number"},
      {"{\"lr\": true}", "must be a text or a number"},
      {"{\"lr\": [0.1]}", "must be a text or a number"},
      {"{\"lr\": {}}", "must be a text or a number"},
      {"{\"nesterov\": \"yes\"}", "must be true or false"},
      {"{\"nesterov\": 1}", "must be true or false"},
      {"{\"epochs\": 1.5}", "not a whole number"},
      {"{\"epochs\": -1}", "not a whole number"},
      {"{\"clamp-layer\": [1]}", "is not L=LO:HI"},
      {"{\"clamp-layer\": [[\"0=1\"]]}", "must be an array of texts"},
      {"{\"loss\": \"log\"}", "c.json: \"loss\""},
      {"{\"lr\": 1e999}", "c.json:1"},
  };

  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    tool_write_text("c.json", rows[i].text);
    tool_expect_refused("train --config c.json --train iris.csv --recipe none --out run", rows[i].says);
  }

  tool_expect_refused("train --config missing.json", "missing.json");
}

/* Writes text to a pipe that the tool reads. */
static void feed(const char *path, const char *text) {
  const int fd = open(path, O_WRONLY);
  cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

/* Makes the file the standard input of what is run next. */
static void read_from(const char *path) {
  const int fd = open(path, O_RDONLY);
  cr_assert(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
  close(fd);
}

Test(cli_config, a_pipe_and_standard_input_are_read) {
  static const char text[] = "{\"train\": \"iris.csv\", \"recipe\": \"none\", \"epochs\": 1, \"out\": \"run\"}";
  tool_write_text("options.json", text);
  cr_assert_eq(mkfifo("pipe", 0600), 0);

  const pid_t pid = tool_start("train --config pipe", "piped");
  feed("pipe", text);
  tool_result result = tool_wait(pid, "piped");
  cr_assert_eq(result.code, 0, "%s", result.err);
  cr_assert(tool_exists("run/model.safetensors"));
  tool_free(&result);

  read_from("options.json");
  tool_expect_ok("train --config - --overwrite");
  read_from("options.json");
  tool_expect_ok("train --config /dev/stdin --overwrite");
  read_from("options.json");
  tool_expect_refused("train --train - --config - --overwrite", "--train - and --config -: standard input can be read");
}

Test(cli_config, a_large_file_is_read_in_blocks_and_a_larger_one_refused) {
  FILE *file = fopen("large.json", "w");
  cr_assert(file != NULL);
  fprintf(file, "{\"train\": \"iris.csv\", \"recipe\": \"none\", \"epochs\": 1");
  for (size_t i = 0; i < 3 << 20; i++) fputc(' ', file);
  fprintf(file, "}\n");
  fclose(file);
  tool_expect_ok("train --config large.json");

  cr_assert_eq(truncate("large.json", (16 << 20) + 1), 0);
  tool_expect_refused("train --config large.json", "large.json: has more than the 16777216 bytes allowed");
}
