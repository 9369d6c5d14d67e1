/* --tensorboard: the bytes of event files, read here by their description alone; whose files are replaced; what fails. */
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 120);
}

TestSuite(cli_tensorboard, .init = enter, .fini = tool_leave);

#define TRAINING "train --train iris.csv --recipe none --layers 3-8-3 --threads 1 --quiet "

/* ---- reading -------------------------------------------------------------------------------------------------------- */

/* CRC-32C bit by bit. */
static uint32_t crc32c(const uint8_t *bytes, size_t n) {
  uint32_t sum = UINT32_MAX;
  for (size_t i = 0; i < n; i++) {
    sum ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) sum = (sum >> 1) ^ (0x82f63b78u & (0u - (sum & 1)));
  }
  return ~sum;
}

static uint32_t masked(const uint8_t *bytes, size_t n) {
  const uint32_t sum = crc32c(bytes, n);
  return ((sum >> 15) | (sum << 17)) + 0xa282ead8u;
}

static uint64_t little(const uint8_t *bytes, size_t n) {
  uint64_t value = 0;
  for (size_t i = n; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

typedef struct message {
  const uint8_t *bytes;
  size_t n;
} message;

typedef struct field {
  unsigned number, type;
  uint64_t value; /* of varints and numbers of a fixed size */
  message inner;
} field;

static uint64_t varint(message *m) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    cr_assert_gt(m->n, 0, "a number ends too early");
    const uint8_t byte = *m->bytes++;
    m->n--;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  cr_assert_fail("a number is too long");
  return 0;
}

/* The next field; false at the end. */
static bool next_field(message *m, field *out) {
  if (m->n == 0) return false;
  const uint64_t key = varint(m);
  *out = (field){.number = (unsigned)(key >> 3), .type = (unsigned)(key & 7)};
  if (out->type == 0) {
    out->value = varint(m);
    return true;
  }

  const size_t n = out->type == 1 ? 8 : out->type == 5 ? 4 : (size_t)varint(m);
  cr_assert(out->type == 1 || out->type == 2 || out->type == 5, "type %u", out->type);
  cr_assert_leq(n, m->n, "field %u is longer than its message", out->number);
  if (out->type == 2) {
    out->inner = (message){m->bytes, n};
  } else {
    out->value = little(m->bytes, n);
  }
  m->bytes += n;
  m->n -= n;
  return true;
}

/* The field of this number; fails the test if there is none. */
static field field_of(message m, unsigned number) {
  field f;
  while (next_field(&m, &f)) {
    if (f.number == number) return f;
  }
  cr_assert_fail("there is no field %u", number);
  return (field){0};
}

static double as_double(field f) {
  double value;
  cr_assert_eq(f.type, 1);
  memcpy(&value, &f.value, sizeof value);
  return value;
}

static float as_float(field f) {
  const uint32_t bits = (uint32_t)f.value;
  float value;
  cr_assert_eq(f.type, 5);
  memcpy(&value, &bits, sizeof value);
  return value;
}

static bool is_text(message m, const char *text) {
  return m.n == strlen(text) && memcmp(m.bytes, text, m.n) == 0;
}

/* Takes the next record of a file, whose checksums are right. */
static bool next_record(message *file, message *out) {
  if (file->n == 0) return false;
  cr_assert_geq(file->n, 16, "a record is cut");
  const uint64_t n = little(file->bytes, 8);
  cr_assert_leq(n, file->n - 16, "a record is cut");
  cr_assert_eq(little(file->bytes + 8, 4), masked(file->bytes, 8));
  cr_assert_eq(little(file->bytes + 12 + n, 4), masked(file->bytes + 12, n));
  *out = (message){file->bytes + 12, n};
  file->bytes += 16 + n;
  file->n -= 16 + n;
  return true;
}

/* The paths of the event files in a folder, and how many other entries it has. */
static size_t list(const char *folder, char path[512], size_t *n_others) {
  size_t n = 0;
  DIR *dir = opendir(folder);
  cr_assert(dir != NULL, "%s", folder);
  if (n_others != NULL) *n_others = 0;
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    if (strncmp(entry->d_name, "events.out.tfevents.", 20) == 0) {
      snprintf(path, 512, "%s/%s", folder, entry->d_name);
      n++;
    } else if (entry->d_name[0] != '.' && n_others != NULL) {
      ++*n_others;
    }
  }
  closedir(dir);
  return n;
}

static char *read_events(const char *folder, message *out) {
  char path[512];
  size_t n;
  cr_assert_eq(list(folder, path, NULL), 1, "%s", folder);
  char *bytes = tool_read(path, &n);
  *out = (message){(const uint8_t *)bytes, n};
  return bytes;
}

/* ---- the bytes ------------------------------------------------------------------------------------------------------- */

Test(cli_tensorboard, checksums_are_those_of_the_standard) {
  const uint8_t zeros[32] = {0};
  cr_assert_eq(crc32c((const uint8_t *)"123456789", 9), 0xe3069283u);
  cr_assert_eq(crc32c(zeros, sizeof zeros), 0x8a9136aau);
}

Test(cli_tensorboard, records_and_values_are_those_of_the_format) {
  tool_expect_ok(TRAINING "--epochs 300 --batch 4 --val-fraction 0.2 --clamp 0.3 --out run --tensorboard");
  message file, event;
  char *bytes = read_events("run/tensorboard", &file), *metrics = tool_read("run/metrics.jsonl", NULL), *line = metrics;

  /* brain.Event:2, whose time is about now and which is of step 0. */
  cr_assert(next_record(&file, &event));
  field f = field_of(event, 1);
  cr_assert(fabs(as_double(f) - (double)time(NULL)) < 100);
  cr_assert_eq(f.type, 1);
  cr_assert(is_text(field_of(event, 3).inner, "brain.Event:2"));
  cr_assert(is_text(field_of(field_of(event, 10).inner, 1).inner, "vise"));

  /* A text. */
  cr_assert(next_record(&file, &event));
  message value = field_of(field_of(event, 5).inner, 1).inner;
  cr_assert(is_text(field_of(value, 1).inner, "run"));
  cr_assert_eq(field_of(field_of(value, 8).inner, 1).value, 7);

  size_t n_epochs = 0, n_scalars = 0, n_histograms = 0;
  while (next_record(&file, &event)) {
    char *end = strchr(line, '\n');
    cr_assert(end != NULL);
    *end = '\0';
    json_t *object = tool_json_text(line);
    const char *loss = json_is_number(json_object_get(object, "val_loss")) ? "loss/validation" : NULL;
    const json_int_t step = json_integer_value(json_object_get(object, "step"));
    message summary = field_of(event, 5).inner;
    bool has_loss = false;
    field v;

    while (next_field(&summary, &v)) {
      cr_assert_eq(v.number, 1);
      const message tag = field_of(v.inner, 1).inner;
      field content = {0};
      for (message rest = v.inner; next_field(&rest, &content) && content.number != 2 && content.number != 5;) {
      }
      n_scalars += content.number == 2;
      n_histograms += content.number == 5;
      if (loss == NULL || !is_text(tag, loss)) continue;
      has_loss = true;
      cr_assert_eq((json_int_t)field_of(event, 2).value, step);
      cr_assert_eq(as_float(content), (float)json_number_value(json_object_get(object, "val_loss")));
    }
    n_epochs += has_loss;
    if (has_loss) line = end + 1; /* the last event has the weights alone */
    if (!has_loss) *end = '\n';
    json_decref(object);
  }

  cr_assert_eq(n_epochs, 300);
  cr_assert(n_scalars > 1200 && n_histograms >= 4 && n_histograms % 2 == 0, "%zu, %zu", n_scalars, n_histograms);
  free(metrics);
  free(bytes);
}

/* ---- what is refused --------------------------------------------------------------------------------------------------- */

Test(cli_tensorboard, needs_a_folder) {
  tool_expect_refused(TRAINING "--epochs 1 --tensorboard", "--tensorboard needs --out");
  tool_expect_refused("sweep --train iris.csv --recipe none --vary l2=0,1 --tensorboard", "--tensorboard needs --out");
  tool_expect_refused("sweep --train iris.csv --vary tensorboard=yes,no", "does not change what is trained");
}

Test(cli_tensorboard, is_repeated_by_config_and_may_be_left_out) {
  char path[512];
  tool_expect_ok(TRAINING "--epochs 2 --out run --tensorboard");
  char *config = tool_read("run/config.json", NULL);
  SAYS(config, "\"tensorboard\": true");
  free(config);
  tool_expect_ok("train --config run/config.json --out again");
  cr_assert_eq(list("again/tensorboard", path, NULL), 1);
  tool_expect_ok("train --config run/config.json --out plain --no-tensorboard");
  cr_assert_not(tool_exists("plain/tensorboard"));
  cr_assert(tool_same_bytes("run/model.safetensors", "plain/model.safetensors"));
  tool_expect_ok("check --config run/config.json");
}

/* ---- whose files they are ------------------------------------------------------------------------------------------------ */

static void expect_files(const char *folder, size_t n, size_t n_others) {
  char path[512];
  size_t others;
  cr_assert_eq(list(folder, path, &others), n, "%s", folder);
  cr_assert_eq(others, n_others, "%s", folder);
}

Test(cli_tensorboard, overwriting_removes_the_event_files_of_the_run_before) {
  tool_expect_ok(TRAINING "--epochs 2 --out run --tensorboard");
  tool_expect_ok(TRAINING "--epochs 3 --out run --tensorboard --overwrite");
  expect_files("run/tensorboard", 1, 0);
  tool_expect_ok(TRAINING "--epochs 2 --out run --overwrite");
  cr_assert_not(tool_exists("run/tensorboard"), "they would be taken for those of the new run");
}

Test(cli_tensorboard, files_of_others_are_not_replaced) {
  static const char *const names[] = {"notes.txt", "events.out.tfevents.1.torch", "config-000001"};
  for (size_t i = 0; i < 3; i++) {
    char path[128], shown[256];
    tool_expect_ok(TRAINING "--epochs 2 --out run --tensorboard --overwrite");
    snprintf(path, sizeof path, "run/tensorboard/%s", names[i]);
    tool_write_text(path, "something that another program wrote, longer than what is looked at of a file");

    snprintf(shown, sizeof shown, "%s: it is no event file of Vise", path);
    tool_expect_refused(TRAINING "--epochs 3 --out run --tensorboard --overwrite", shown);
    char *metrics = tool_read("run/metrics.jsonl", NULL);
    SAYS_NOT(metrics, "\"epoch\":3");
    free(metrics);
    tool_expect_ok(TRAINING "--epochs 3 --out run --overwrite");
    cr_assert(tool_exists(path));
    expect_files("run/tensorboard", i == 1 ? 2 : 1, i == 1 ? 0 : 1);
    cr_assert_eq(unlink(path), 0);
  }
}

/* Links in the place of the folder, or in it, lead nowhere; a pipe does not stop anybody. */
Test(cli_tensorboard, links_and_pipes_are_not_followed) {
  cr_assert_eq(mkdir("elsewhere", 0700), 0);
  tool_expect_ok(TRAINING "--epochs 2 --out run");
  cr_assert_eq(symlink("../elsewhere", "run/tensorboard"), 0);
  tool_expect_refused(TRAINING "--epochs 3 --out run --tensorboard --overwrite", "run/tensorboard: it is not a folder");
  tool_expect_refused("train --resume run --epochs 3 --tensorboard", "run/tensorboard: it is not a folder");
  tool_expect_ok(TRAINING "--epochs 3 --out run --overwrite");
  expect_files("elsewhere", 0, 0);
  cr_assert_eq(unlink("run/tensorboard"), 0);

  tool_expect_ok(TRAINING "--epochs 2 --out run --tensorboard --overwrite");
  tool_write_text("mine", "");
  cr_assert_eq(symlink("../../mine", "run/tensorboard/events.out.tfevents.9.x.1.0"), 0);
  tool_expect_refused(TRAINING "--epochs 3 --out run --tensorboard --overwrite", "it is no event file of Vise");
  cr_assert_eq(unlink("run/tensorboard/events.out.tfevents.9.x.1.0"), 0);
  cr_assert_eq(mkfifo("run/tensorboard/events.out.tfevents.9.x.1.0", 0600), 0);
  tool_expect_refused(TRAINING "--epochs 3 --out run --tensorboard --overwrite", "it is no event file of Vise");
  tool_expect_ok("train --resume run --epochs 3"); /* which adds one, and needs nothing of the others */
  expect_files("run/tensorboard", 3, 0);
  cr_assert(tool_exists("mine"));
}

Test(cli_tensorboard, a_sweep_replaces_its_own_alone) {
  tool_expect_ok(
      "sweep --train iris.csv --recipe none --layers 3-3 --vary l2=0,1,2 --epochs 1 --folds 2 --out s "
      "--tensorboard --refit no --quiet");
  expect_files("s/tensorboard", 1, 3);
  tool_expect_ok(
      "sweep --train iris.csv --recipe none --layers 3-3 --vary l2=0,1 --epochs 1 --folds 2 --out s "
      "--tensorboard --refit no --quiet --overwrite");
  expect_files("s/tensorboard", 1, 2);
  expect_files("s/tensorboard/config-000001", 1, 0);

  tool_write_text("s/tensorboard/config-000001/notes.txt", "mine");
  tool_expect_refused(
      "sweep --train iris.csv --recipe none --layers 3-3 --vary l2=0,1 --epochs 1 --folds 2 --out s "
      "--tensorboard --refit no --quiet --overwrite",
      "s/tensorboard/config-000001/notes.txt: it is no event file of Vise");
  tool_expect_ok(
      "sweep --train iris.csv --recipe none --layers 3-3 --vary l2=0,1 --epochs 1 --folds 2 --out s "
      "--refit no --quiet --overwrite");
  expect_files("s/tensorboard", 1, 2);
}

/* ---- what fails ---------------------------------------------------------------------------------------------------------- */

/* The run is worth more: it ends well, with one warning, and what was written can be read. */
Test(cli_tensorboard, a_full_disk_ends_the_curves_but_not_the_run) {
  const struct rlimit limit = {45000, 45000}; /* bytes of a file: three epochs of 16 layers */
  char arguments[512] = "train --train iris.csv --recipe none --epochs 8 --out run --tensorboard --quiet --layers 3";
  for (size_t i = 0; i < 16; i++) strcat(arguments, "-3");
  cr_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  tool_result result = tool_run(arguments);
  cr_assert_eq(result.code, 0, "%s", result.err);
  const char *warning = strstr(result.err, "TensorBoard will not show the rest of it");
  cr_assert(warning != NULL && strstr(warning + 1, "TensorBoard will not") == NULL, "%s", result.err);
  cr_assert(tool_exists("run/model.safetensors"));
  char *metrics = tool_read("run/metrics.jsonl", NULL);
  SAYS(metrics, "{\"event\":\"end\"");
  SAYS(strstr(metrics, "\"warnings\":"), "TensorBoard will not show");

  message file, event;
  char *bytes = read_events("run/tensorboard", &file);
  cr_assert(file.n > 3000 && file.n <= 45000, "%zu bytes", file.n);
  size_t n = 0;
  while (next_record(&file, &event)) n++;
  cr_assert(n >= 4 && n < 10, "%zu records", n); /* version, text, and some of the epochs */
  free(bytes);
  free(metrics);
  tool_free(&result);
}

/* The file of a run that goes on comes after those that are there, whatever the clock says, and begins with a start at
   the first step that it shows: what the files before have from there on does not hold any more. */
Test(cli_tensorboard, a_run_that_goes_on_has_a_file_after_the_others) {
  static const char later[] = "run/tensorboard/events.out.tfevents.4000000000.x.1.0";
  char path[512];
  message file, event;
  tool_expect_ok(TRAINING "--epochs 3 --batch 40 --out run --tensorboard");
  cr_assert_eq(list("run/tensorboard", path, NULL), 1);
  cr_assert_eq(rename(path, later), 0);
  tool_expect_ok("train --resume run --epochs 5");
  cr_assert_eq(list("run/tensorboard", path, NULL), 2);

  cr_assert_eq(rename(later, "first"), 0);
  char *bytes = read_events("run/tensorboard", &file);
  cr_assert_eq(list("run/tensorboard", path, NULL), 1);
  cr_assert(strstr(path, "events.out.tfevents.4000000001.") != NULL, "%s", path);
  cr_assert(next_record(&file, &event) && is_text(field_of(event, 3).inner, "brain.Event:2"));
  cr_assert(next_record(&file, &event));
  cr_assert_eq(field_of(event, 2).value, 12); /* of 3 in an epoch */
  cr_assert_eq(field_of(field_of(event, 7).inner, 1).value, 1);
  free(bytes);
}

/* Killed at some moment: whole records, of which at most the last one may be cut. */
Test(cli_tensorboard, a_killed_run_leaves_what_can_be_read) {
  char path[512];
  pid_t pid = tool_start(TRAINING "--epochs 100000000 --checkpoint-every 50 --out run --tensorboard", "call");
  struct stat info = {.st_size = 0};
  for (int i = 0; i < 3000 && info.st_size == 0; i++) {
    usleep(10000);
    if (!tool_exists("run/tensorboard") || list("run/tensorboard", path, NULL) == 0) continue;
    cr_assert_eq(stat(path, &info), 0);
  }
  cr_assert_eq(kill(pid, SIGKILL), 0);
  tool_result result = tool_wait(pid, "call");
  cr_assert(result.killed);
  tool_free(&result);

  message file, event;
  char *bytes = read_events("run/tensorboard", &file);
  size_t n = 0;
  while (file.n >= 16 && little(file.bytes, 8) <= file.n - 16 && next_record(&file, &event)) n++;
  cr_assert_gt(n, 10);
  free(bytes);
}
