/* C in integers gives, bit by bit, what the integer net gives, for many inputs and the extreme ones, and its compiler checks
   the proof. The compiler is that of this build. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "host/export/export.h"
#include "tests/support/random.h"
#include "tests/unit/model/rig.h"
#include "vise/run.h"

enum { N_IN = 20, N_HIDDEN = 12, N_OUT = 3, N_ROWS = 200, N_WATCHED = 20000 };

/* Rows of bytes from standard input, outputs to standard output. */
static const char driver[] =
    "#include <stdio.h>\n#include \"net.h\"\n"
    "int main(void) {\n"
    "  uint8_t x[NET_INPUTS];\n  int32_t y[NET_OUTPUTS];\n"
    "  while (fread(x, 1, NET_INPUTS, stdin) == NET_INPUTS) {\n"
    "    net_run(x, y);\n    if (fwrite(y, sizeof y, 1, stdout) != 1) return 1;\n  }\n"
    "#ifdef NET_CHECK_SUMS\n  if (net_n_overflows > 0) return 3;\n#endif\n"
    "  return 0;\n}\n";

typedef struct rig {
  vise_model *model;
  vise_dataset *data;
  float x[N_ROWS * N_IN];
  vise_export_config config;
  vise_i_export e;
  vise_i_integer_net *net;
  const char *dir;
} rig;

static void rig_begin(rig *r, vise_activation activation, const char *format) {
  uint64_t state = 5;
  vise_net_config net;
  vise_error err = VISE_ERROR_INIT;
  rig_make_folder();
  vise_net_config_init(&net);
  net.n_layers = 3;
  net.widths[0] = N_IN;
  net.widths[1] = net.widths[2] = N_HIDDEN;
  net.widths[3] = N_OUT;
  net.activation = activation;
  cr_assert_eq(vise_model_create(&net, VISE_F32, &r->model, NULL), VISE_OK);
  cr_assert_eq(vise_model_initialize(r->model, VISE_INIT_GLOROT, 3, NULL), VISE_OK);

  for (size_t i = 0; i < N_ROWS * N_IN; i++) r->x[i] = (float)rig_draw(&state) * 0x1p-31f - 1.0f;
  const vise_array array = vise_array_of(r->x, VISE_F32, N_ROWS, N_IN);
  cr_assert_eq(vise_dataset_from_arrays(&array, NULL, NULL, false, &r->data, NULL), VISE_OK);

  vise_export_config_init(&r->config);
  r->config.format = VISE_EXPORT_INTEGER_C;
  r->config.integers = format;
  r->config.data = r->data;
  r->dir = rig_in("net");
  cr_assert_eq(vise_export(r->model, &r->config, r->dir, &err), VISE_OK, "%s: %s", format, err.text);
  cr_assert_eq(vise_i_export_begin(r->model, &r->config, &r->e, &err), VISE_OK);
  cr_assert_eq(vise_i_export_integer_net(&r->e, &r->config, &r->net, &err), VISE_OK);
}

static void rig_end(rig *r) {
  vise_i_integer_net_free(r->net);
  vise_i_export_clear(&r->e);
  vise_dataset_free(r->data);
  vise_model_free(r->model);
  rig_remove_folder();
}

/* A command in the folder of the export; its exit status. */
static int run_there(const rig *r, const char *command) {
  char whole[1024];
  snprintf(whole, sizeof whole, "cd '%s' && %s", r->dir, command);
  return system(whole);
}

/* Rows of bytes up to most; of every eighth each byte is 0 or most. */
static void write_rows(const rig *r, size_t n, uint8_t **out) {
  uint64_t state = 11;
  const unsigned most = (unsigned)r->net->layers[0].in_max;
  char path[512];
  *out = malloc(n * N_IN);
  for (size_t i = 0; i < n * N_IN; i++) {
    const uint32_t bits = rig_draw(&state);
    (*out)[i] = (uint8_t)(i / N_IN % 8 == 0 ? (bits >> 20 & 1) * most : (bits >> 8) % (most + 1));
  }
  snprintf(path, sizeof path, "%s/rows", r->dir);
  rig_write(path, *out, n * N_IN);
}

static void expect_same(const rig *r, const uint8_t *rows, size_t n) {
  char path[512];
  uint8_t *bytes = NULL, scratch[2 * N_IN];
  size_t n_bytes = 0, n_wrong = 0;
  snprintf(path, sizeof path, "%s/outputs", r->dir);
  rig_read(path, &bytes, &n_bytes);
  cr_assert_eq(n_bytes, n * N_OUT * sizeof(int32_t));

  for (size_t i = 0; i < n; i++) {
    int32_t y[N_OUT];
    vise_i_integer_forward(r->net, rows + i * N_IN, scratch, y, NULL);
    n_wrong += memcmp(y, bytes + i * sizeof y, sizeof y) != 0;
  }
  cr_assert_eq(n_wrong, 0, "%zu of %zu rows differ", n_wrong, n);
  free(bytes);
}

static void check(vise_activation activation, const char *format, size_t n) {
  static rig r;
  uint8_t *rows = NULL;
  char path[512];
  rig_begin(&r, activation, format);
  snprintf(path, sizeof path, "%s/driver.c", r.dir);
  rig_write(path, driver, strlen(driver));

  write_rows(&r, N_WATCHED, &rows);
  cr_assert_eq(run_there(&r, VISE_T_CC " -std=c99 -pedantic -Wall -Wextra -Wconversion -Werror -fsanitize=undefined "
                                       "-fno-sanitize-recover=all -ftrapv -DNET_CHECK_SUMS net.c driver.c -o watched"),
               0);
  cr_assert_eq(run_there(&r, "./watched < rows > outputs"), 0, "%s", format);
  expect_same(&r, rows, N_WATCHED);
  free(rows);

  write_rows(&r, n, &rows);
  cr_assert_eq(run_there(&r, VISE_T_CC " -std=c99 -O2 net.c driver.c -o fast && ./fast < rows > outputs"), 0);
  expect_same(&r, rows, n);
  free(rows);
  rig_end(&r);
}

Test(export_integer, gives_the_bits_of_the_net_for_a_million_inputs) {
  check(VISE_RELU, "int8,acc16", 1000000);
}

Test(export_integer, gives_them_for_each_activation_and_width) {
  check(VISE_LEAKY_RELU, "int8,acc16,act8,in8", 20000);
  check(VISE_IDENTITY, "int8,acc12,act4,in4", 20000);
  check(VISE_TANH, "int8,acc16", 20000);
  check(VISE_SIGMOID, "int8,acc20,act6", 20000);
  check(VISE_RELU, "int8,acc32", 20000);
  check(VISE_RELU, "int8,acc10,act2,in2", 20000);
}

Test(export_integer, gives_them_for_weights_of_16_bits) {
  check(VISE_RELU, "int16,acc32", 20000);
  check(VISE_LEAKY_RELU, "int16,acc24,act4", 20000);
  check(VISE_TANH, "int16,acc20,in4", 20000);
  check(VISE_SIGMOID, "int16,acc32", 20000);
  check(VISE_IDENTITY, "int16,acc16", 20000);
}

/* A weight or a bias that breaks the proof ends the compilation. weight: enough of these in a row, most: the largest sum. */
static void check_compiler(const char *format, const char *weight, const char *most) {
  static rig r;
  char command[256];
  rig_begin(&r, VISE_RELU, format);
  cr_assert_eq(run_there(&r, VISE_T_CC " -std=c99 -c net.c -o net.o"), 0);
  for (int sign = 0; sign < 2; sign++) {
    snprintf(command, sizeof command,
             "sed '/define NET_ROW_1_3/,/PROVE/s/X(-*[0-9]*)/X(%s%s)/g' net.c > wrong.c && ! cmp -s net.c wrong.c",
             sign == 0 ? "" : "-", weight);
    cr_assert_eq(run_there(&r, command), 0);
    cr_assert_neq(run_there(&r, VISE_T_CC " -std=c99 -c wrong.c -o wrong.o 2>/dev/null"), 0);
  }
  snprintf(command, sizeof command,
           "sed 's/NET_ROW_0_1, -*[0-9]*/NET_ROW_0_1, %s/' net.c > wrong.c && ! cmp -s net.c wrong.c", most);
  cr_assert_eq(run_there(&r, command), 0);
  cr_assert_neq(run_there(&r, VISE_T_CC " -std=c99 -c wrong.c -o wrong.o 2>/dev/null"), 0);
  rig_end(&r);
}

Test(export_integer, the_compiler_checks_the_proof) {
  check_compiler("int8,acc16", "127", "32767");
  check_compiler("int16,acc24", "32512", "8388607");
}

static vise_model *train_for(const rig *r, const char *format) {
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = NULL;
  vise_dataset *data = NULL;
  vise_trainer *trainer = NULL;
  vise_train_config training;
  float y[N_ROWS];
  for (size_t i = 0; i < N_ROWS; i++) y[i] = (float)(i % N_OUT);
  const vise_array x = vise_array_of(r->x, VISE_F32, N_ROWS, N_IN), labels = vise_array_of(y, VISE_F32, N_ROWS, 1);
  cr_assert_eq(vise_dataset_from_arrays(&x, &labels, NULL, false, &data, &err), VISE_OK, "%s", err.text);
  cr_assert_eq(vise_model_clone(r->model, VISE_F32, &model, NULL), VISE_OK);

  vise_train_config_init(&training);
  training.backend = VISE_BACKEND_CPU;
  training.epochs = 1;
  training.quantize = format;
  cr_assert_eq(vise_trainer_create(&training, model, data, NULL, NULL, &trainer, &err), VISE_OK, "%s", err.text);
  cr_assert_eq(vise_trainer_run(trainer, NULL, NULL, &err), VISE_OK, "%s", err.text);
  vise_trainer_free(trainer);
  vise_dataset_free(data);
  return model;
}

/* A model that was trained for a format is that net, whether the format is given or not. */
Test(export_integer, what_was_trained_stays_as_it_is) {
  static rig r;
  vise_error err = VISE_ERROR_INIT;
  rig_begin(&r, VISE_RELU, "int8,acc16");
  vise_model *trained = train_for(&r, "int8,acc16");
  r.config.integers = NULL;
  r.config.data = NULL;
  cr_assert_eq(vise_export(trained, &r.config, rig_in("without"), &err), VISE_OK, "%s", err.text);
  r.config.integers = "int8,acc16";
  cr_assert_eq(vise_export(trained, &r.config, rig_in("given"), &err), VISE_OK, "%s", err.text);
  r.config.data = r.data;
  cr_assert_eq(vise_export(trained, &r.config, rig_in("data"), &err), VISE_OK, "%s", err.text);
  cr_assert_eq(run_there(&r, "cmp ../without/net.c ../given/net.c && cmp ../without/net.c ../data/net.c"), 0);

  r.config.integers = "int16,acc16";
  r.config.data = NULL;
  cr_assert_neq(vise_export(trained, &r.config, rig_in("refused"), &err), VISE_OK);
  cr_assert(strstr(err.text, "was trained for int8,acc16,act8,in8: leave `as` away") != NULL, "%s", err.text);
  vise_model_free(trained);
  rig_end(&r);
}

static void expect_refused(vise_activation activation, const char *format, const vise_dataset *data, const char *says) {
  vise_model *model = rig_model((const size_t[]){N_IN, 4, 2, 0}, true, VISE_F32);
  vise_error err = VISE_ERROR_INIT;
  vise_export_config config;
  vise_export_config_init(&config);
  config.format = VISE_EXPORT_INTEGER_C;
  config.integers = format;
  config.data = data;
  cr_assert_eq(vise_model_set_activation(model, activation, NULL), VISE_OK);
  cr_expect_neq(vise_export(model, &config, rig_in("refused"), &err), VISE_OK);
  cr_expect(strstr(err.text, says) != NULL, "\"%s\" does not say \"%s\"", err.text, says);
  vise_model_free(model);
}

Test(export_integer, refuses_with_the_reason) {
  static rig r;
  rig_begin(&r, VISE_RELU, "int8,acc16");
  expect_refused(VISE_GELU, "int8,acc16", r.data, "gelu, for which there is no integer form: train with relu");
  expect_refused(VISE_RELU, NULL, r.data, "give `as`, as in int8,acc16, and `data`");
  expect_refused(VISE_RELU, "int8,acc16", NULL, "give `as`, as in int8,acc16, and `data`");
  expect_refused(VISE_RELU, "int8,acc9", r.data, "as");
  expect_refused(VISE_RELU, "int16", r.data, "`as`: 'int16': expected int8,accP with P from 10 to 32 (int16,accP");
  rig_end(&r);
}
