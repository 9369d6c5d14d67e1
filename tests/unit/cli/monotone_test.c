/* --sign and --monotone, as a user gives them. */
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

TestSuite(cli_monotone, .init = tool_enter, .fini = tool_leave);

#define TRAIN "train --train line.csv --layers auto-8-8-auto --seed 3 --quiet "

/* Rows with x from -2 to 2 and z at rest, or the other way round. */
static void write_walk(bool moves_x) {
  char text[4096];
  size_t n = (size_t)snprintf(text, sizeof text, "x,z\n");
  for (int i = 0; i <= 40; i++) {
    const double at = -2 + 0.1 * i;
    n += (size_t)snprintf(text + n, sizeof text - n, "%g,%g\n", moves_x ? at : 0.3, moves_x ? 0.3 : at);
  }
  tool_write_text("walk.csv", text);
}

/* The outputs of a model along that walk never step against `direction`. */
static void expect_monotone(const char *model, bool moves_x, double direction) {
  char arguments[128];
  size_t n_bytes;
  write_walk(moves_x);
  (void)snprintf(arguments, sizeof arguments, "predict --model %s --data walk.csv --out y.csv", model);
  tool_expect_ok(arguments);

  char *text = tool_read("y.csv", &n_bytes), *at = strchr(text, '\n') + 1;
  double last = -direction * 1e300, span = 0;
  for (int i = 0; i <= 40; i++) {
    char *end;
    const double y = strtod(at, &end);
    cr_assert(end != at, "row %d of %s", i, text);
    cr_assert((y - last) * direction >= 0, "%s, row %d: %g after %g", model, i, y, last);
    if (i > 0) span += (y - last) * direction;
    last = y;
    at = end + 1;
  }
  cr_expect(span > 0.5, "%s: %g", model, span);
  free(text);
}

/* y = 3x - 2z + 1: learnt against its own direction, x becomes a constant. */
Test(cli_monotone, outputs_follow_the_features) {
  tool_write_line("line.csv", 200);
  tool_expect_ok(TRAIN "--monotone x=+,z=- --assert-projection --epochs 20 --out run");
  cr_assert(tool_exists("run/signs.safetensors"));
  cr_assert(!tool_exists("run/mask.safetensors"));
  expect_monotone("run", true, 1);
  expect_monotone("run", false, -1);

  tool_expect_ok(TRAIN "--monotone 0=+,1=- --batch-norm --row-l1 4 --backend cpu64 --epochs 20 --out normed");
  expect_monotone("normed", true, 1);
}

Test(cli_monotone, a_run_goes_on_with_its_signs) {
  tool_write_line("line.csv", 120);
  tool_expect_ok(TRAIN "--monotone x=+,z=- --epochs 6 --out whole");
  tool_expect_ok(TRAIN "--monotone x=+,z=- --epochs 6 --stop-after-epoch 3 --out cut");
  tool_expect_ok("train --resume cut --stop-after-epoch off --quiet");
  cr_assert(tool_same_bytes("whole/model.safetensors", "cut/model.safetensors"));
  cr_assert(tool_same_bytes("whole/signs.safetensors", "cut/signs.safetensors"));

  tool_expect_ok(TRAIN "--sign whole/signs.safetensors --epochs 6 --out given");
  cr_assert(tool_same_bytes("whole/model.safetensors", "given/model.safetensors"));
  tool_expect_ok(TRAIN "--sign whole/signs.safetensors --epochs 6 --stop-after-epoch 2 --out late");
  cr_assert_eq(unlink("whole/signs.safetensors"), 0);
  tool_expect_ok("train --resume late --stop-after-epoch off --quiet");
  cr_assert(tool_same_bytes("whole/model.safetensors", "late/model.safetensors"));
}

/* Each fit of a sweep has them. */
Test(cli_monotone, sweeps) {
  tool_write_line("line.csv", 120);
  tool_expect_ok(
      "sweep --train line.csv --layers auto-4-auto --monotone x=+ --epochs 3 --folds 2 --quiet --vary "
      "row-l1=off,1 --out swept");
  cr_assert(tool_exists("swept/best/signs.safetensors"));
}

Test(cli_monotone, refusals) {
  static const char *const cases[][2] = {
      {"--monotone x", "'x' is not NAME=+ or NAME=-"},
      {"--monotone q=+", "the table has no column 'q'"},
      {"--monotone y=+", "column 'y' is no feature"},
      {"--monotone x=+,0=-", "'0' is there twice"},
      {"--monotone x=+ --activation gelu", "not with --activation gelu"},
      {"--monotone x=+ --clamp 0.1:1", "with signs the box must contain 0"},
      {"--monotone x=+ --sign s.safetensors", "--sign and --monotone contradict"},
      {"--sign s.safetensors", "s.safetensors: cannot be opened"},
  };
  tool_write_line("line.csv", 60);
  tool_write_classes("iris.csv", 60);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char arguments[256];
    (void)snprintf(arguments, sizeof arguments, TRAIN "--out run %s", cases[i][0]);
    tool_expect_refused(arguments, cases[i][1]);
  }
  tool_expect_refused("train --train iris.csv --monotone a=+ --out run", "not with --loss cross-entropy");
}
