/* Texts of others do nothing on a terminal: escape sequences, C1 controls, what turns the order of characters. */
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

TestSuite(cli_plain, .init = tool_enter, .fini = tool_leave);

/* ---- characters ----------------------------------------------------------------------------------------------------- */

/* The tool says which command it does not know. */
static void expect_plain(const char *text, const char *wanted) {
  char start[200];
  snprintf(start, sizeof start, "vise: unknown command '%s'", wanted);
  tool_result result = tool_run(text);
  cr_expect_eq(strncmp(result.err, start, strlen(start)), 0, "%s, not %s", result.err, start);
  tool_free(&result);
}

Test(cli_plain, lets_text_through_and_controls_not) {
  expect_plain("caf\xc3\xa9_\xe2\x82\xac_\xf0\x9f\x98\x80.", "caf\xc3\xa9_\xe2\x82\xac_\xf0\x9f\x98\x80.");
  expect_plain("\x1b[2J\r\a\x7f.", "?[2J???.");
  expect_plain(
      "\xc2\x9b"
      "2J\xc2\xa0.",
      "?2J\xc2\xa0.");
  expect_plain(
      "\x9b"
      "2J\xff\xfe.",
      "?2J??.");
  expect_plain(
      "\xe2\x80\xae"
      "gnp\xe2\x81\xa6.",
      "?gnp?.");
  expect_plain("\xc0\x9b\xe0\x80\x9b\xed\xa0\x80\xf4\x90\x80\x80.", "????????????.");
  expect_plain("\xe2\x82x\xc3.", "?x?.");
}

/* ---- the tool ------------------------------------------------------------------------------------------------------- */

/* What names are made of here: a screen cleared, a title set, a color, in 7 bits, in C1 and in raw bytes. */
#define EVIL                        \
  "\x1b[2J\x1b]0;pwned\x07\xc2\x9b" \
  "31m"

static void write_evil_table(void) {
  FILE *file = fopen("evil.csv", "w");
  cr_assert(file != NULL);
  fprintf(file, "a" EVIL ",b,c" EVIL "\n");
  for (int i = 0; i < 60; i++) fprintf(file, "%d,%d,%s\n", i * 37 % 11, i * 53 % 7, i % 2 == 0 ? "x" EVIL : "y");
  fclose(file);
}

/* Runs the tool on a terminal; returns all it showed. */
static char *show(const char *arguments) {
  int master = -1, status = 0;
  char command[1000];
  snprintf(command, sizeof command, "exec %s %s", TOOL_PATH, arguments);
  const pid_t pid = forkpty(&master, NULL, NULL, NULL);
  cr_assert(pid >= 0);
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }

  size_t n = 0, room = 1 << 20;
  char *shown = malloc(room + 1);
  for (ssize_t got; n < room && (got = read(master, shown + n, room - n)) > 0;) n += (size_t)got;
  shown[n] = '\0';
  close(master);
  cr_assert(waitpid(pid, &status, 0) == pid);
  return shown;
}

static void expect_harmless(const char *arguments) {
  char *shown = show(arguments);
  cr_expect(strlen(shown) > 20, "%s: %s", arguments, shown);
  cr_expect(strstr(shown, "\x1b[2J") == NULL, "%s clears the screen: %s", arguments, shown);
  cr_expect(strstr(shown, "\x1b]") == NULL, "%s sets a title", arguments);
  cr_expect(strchr(shown, '\a') == NULL, "%s rings", arguments);
  cr_expect(strstr(shown, "\xc2\x9b") == NULL, "%s writes C1", arguments);
  free(shown);
}

Test(cli_plain, names_of_data_do_nothing) {
  write_evil_table();
  expect_harmless("train --train evil.csv --epochs 3 --log-every 1 --test-fraction 0.2 --out run");
  expect_harmless("info run");
  expect_harmless("info run --json");
  expect_harmless("eval --model run --data evil.csv");
  expect_harmless("eval --model run --data evil.csv --json");
  expect_harmless("predict --model run --data evil.csv --out -");
  expect_harmless("sweep --train evil.csv --epochs 2 --folds 2 --vary \"drop=a" EVIL ";b\"");
  expect_harmless("train --train evil.csv --target 'no" EVIL "'");
}

Test(cli_plain, nor_do_those_of_files_options_and_tensors) {
  write_evil_table();
  cr_assert_eq(rename("evil.csv", "evil" EVIL ".csv"), 0);
  tool_write_text("config.json", "{\"lr\\u001b[2J\\u009b31m\": 1}");
  expect_harmless("train --train 'evil" EVIL ".csv' --epochs 2 --out 'run" EVIL "'");
  expect_harmless("train --train 'none" EVIL ".csv'");
  expect_harmless("train --config config.json");
  expect_harmless("train '--lr" EVIL "' 1");
  expect_harmless("train --lr '" EVIL "'");
  expect_harmless("'com" EVIL "mand'");
  expect_harmless("help '--o" EVIL "'");

  /* A model whose only tensor has such a name. */
  const char header[] = "{\"\\u001b[2J\\u009b31m\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
  FILE *file = fopen("m.safetensors", "wb");
  const unsigned char length[8] = {sizeof header - 1};
  fwrite(length, 1, 8, file);
  fwrite(header, 1, sizeof header - 1, file);
  fwrite("\0\0\0\0", 1, 4, file);
  fclose(file);
  expect_harmless("info --model m.safetensors");
  expect_harmless("eval --model m.safetensors --data x.csv");
}

/* Wherever a long text is cut for being written. */
Test(cli_plain, no_character_of_a_long_text_is_lost) {
  FILE *file = fopen("long.csv", "w");
  for (int i = 0; i < 4000; i++)
    fprintf(file, "%d,%s\n", i % 2, i % 2 == 0 ? "\xe2\x82\xac\xc3\xa9" : "\xf0\x9f\x98\x80");
  fclose(file);
  tool_expect_ok("train --train long.csv --steps 50 --out run");
  char *shown = show("predict --model run --data long.csv --output class --out -");
  size_t n = 0;
  for (const char *at = shown; (at = strstr(at, "\xe2\x82\xac\xc3\xa9\r\n")) != NULL; at++) n++;
  cr_expect_eq(n, 2000);
  cr_expect(strchr(shown, '?') == NULL);
  free(shown);
}

/* What is data stays as it is. */
Test(cli_plain, data_are_not_changed) {
  write_evil_table();
  tool_expect_ok("train --train evil.csv --epochs 3 --out run");
  tool_expect_ok("predict --model run --data evil.csv --output class --out answers.csv");
  tool_result printed = tool_run("predict --model run --data evil.csv --output class --out -");
  char *saved = tool_read("answers.csv", NULL);
  cr_expect_str_eq(printed.out, saved);
  cr_expect(strstr(saved, "\x1b[2J") != NULL, "%s", saved);
  free(saved);
  tool_free(&printed);

  tool_result json = tool_run("info run --json");
  json_t *object = tool_json_text(json.out);
  const char *name = json_string_value(json_object_get(json_array_get(json_object_get(object, "columns"), 0), "name"));
  cr_expect_str_eq(name, "a" EVIL);
  json_decref(object);
  tool_free(&json);
}
