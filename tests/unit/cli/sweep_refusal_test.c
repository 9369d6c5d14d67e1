/* vise sweep: what cannot be, and what is said of it. */
#include <stdio.h>
#include <stdlib.h>

#include "sweep_rig.h"

static void enter(void) {
  tool_enter();
  sweep_write_people("people.csv", 72);
  tool_write_line("line.csv", 60);
  tool_write_npy("x.npy", "y.npy", 60);
}

TestSuite(cli_sweep_refusal, .init = enter, .fini = tool_leave);

typedef struct refusal {
  const char *options, *says;
} refusal;

static void expect_refused(const char *with, const refusal *rows, size_t n) {
  for (size_t i = 0; i < n; i++) sweep_refused(rows[i].says, "%s %s", with, rows[i].options);
}

#define EXPECT_REFUSED(with, ...)                              \
  do {                                                         \
    static const refusal rows_[] = {__VA_ARGS__};              \
    expect_refused(with, rows_, sizeof rows_ / sizeof *rows_); \
  } while (0)

Test(cli_sweep_refusal, options_that_cannot_be_varied) {
  EXPECT_REFUSED(
      "--train people.csv",
      {"--vary target=a,b", "--vary target: it cannot be varied: all configurations are to be scored on the same rows"},
      {"--vary val-fraction=0.1,0.2", "--vary val-fraction: it cannot be varied: all configurations are to be scored"},
      {"--vary decimal=.;:", "--vary decimal: it cannot be varied: the rows are read once, for all configurations"},
      {"--vary init=a,b", "--vary init: it cannot be varied: the rows are read once"},
      {"--vary fold-seed=1,2", "--vary fold-seed: it cannot be varied: the folds are the same for all configurations"},
      {"--vary group=a,b", "--vary group: it cannot be varied: the folds are the same"},
      {"--vary backend=cpu,cpu64",
       "--vary backend: it cannot be varied: all configurations are trained in the same place"},
      {"--vary threads=1,2", "--vary threads: it cannot be varied: all configurations are trained in the same place"},
      {"--vary out=a,b", "--vary out: it cannot be varied: it does not change what is trained"},
      {"--vary epochs=1,2 --halving 2", "--vary epochs and --halving contradict each other: rungs go by epochs"},
      {"--vary stop-after-epoch=1,2 --halving 2", "--vary stop-after-epoch and --halving contradict each other"},
      {"--vary class-weights=1,2,1;1,1,1",
       "--vary class-weights: losses of its values cannot be compared; give another"},
      {"--vary recipe=none,table", "--vary recipe: losses of its values cannot be compared"},
      {"--vary label-smoothing=0,0.1", "--vary label-smoothing: losses of its values cannot be compared"},
      {"--vary missing=error,drop-rows", "--vary missing: drop-rows leaves rows out"},
      {"--vary seed=1,2 --folds 1 --val-fraction 0.2", "--val-fraction and --vary seed contradict each other"},
      {"--vary seed=1,2 --test-fraction 0.2", "--test-fraction and --vary seed contradict each other"},
      {"--vary l2=1,2 --l2 3", "--l2 and --vary l2 contradict each other: give one of them"},
      {"--vary l2=1 --vary l2=2", "--vary l2 is varied twice: give all of its values at once"},
      {"--vary momentun=1,2", "--vary: train has no option 'momentun'; did you mean momentum?"},
      {"--vary folds=2,3", "--vary: train has no option 'folds'; did you mean fold?"},
      {"--vary zzzzzz=1,2", "--vary: train has no option 'zzzzzz'"}, {"--vary l2", "--vary"},
      {"--vary l2=", "--vary l2"}, {"--vary =1", "--vary"}, {"--vary l2=1,,2", "--vary l2"},
      {"--vary l2=1..2", "--vary l2"});
}

Test(cli_sweep_refusal, values_that_train_would_refuse) {
  EXPECT_REFUSED(
      "--train people.csv", {"--vary l2=1,-1", "configuration 1 (l2=-1): --l2"},
      {"--vary l2=1,x", "configuration 1 (l2=x): --l2: 'x' is not a number"},
      {"--vary batch-norm=yes,maybe", "configuration 1 (batch-norm=maybe): --batch-norm"},
      {"--vary optimizer=adam,sdg", "configuration 1 (optimizer=sdg): --optimizer"},
      {"--vary momentum=0,0.9 --optimizer adam --recipe none",
       "configuration 1 (momentum=0.9), fold 1 of repeat 0: --momentum 0.9: --optimizer adam has --beta1 in its place"},
      {"--vary layers=auto-8-auto,8", "configuration 1 (layers=8): --layers"},
      {"--vary seed=1..9 --search random --configs 3", "is not a whole number"});
}

Test(cli_sweep_refusal, what_contradicts) {
  EXPECT_REFUSED(
      "--train people.csv --vary l2=1,2", {"--val people.csv", "--val and --folds contradict each other"},
      {"--val-fraction 0.2", "--val-fraction and --folds contradict each other"},
      {"--folds 1", "--folds 1 needs --val or --val-fraction: the rows that configurations are scored on"},
      {"--folds 1 --val-fraction 0.2 --repeats 2", "--repeats and --folds 1 contradict each other"},
      {"--folds 1 --val-fraction 0.2 --group who", "--group and --folds 1 contradict each other"},
      {"--folds 1 --val-fraction 0.2 --fold-seed 2", "--fold-seed and --folds 1 contradict each other"},
      {"--time-order --repeats 2", "--repeats and --time-order contradict each other"},
      {"--time-order --group who", "--time-order and --group contradict each other"},
      {"--time-order --stratify yes", "--time-order and --stratify yes contradict each other"},
      {"--time-order --fold-seed 2", "--time-order and --fold-seed contradict each other"},
      {"--search random", "--search random needs --configs N: how many configurations it draws"},
      {"--search sobol", "--search sobol needs --configs N"},
      {"--configs 3", "--configs needs --search random or sobol: a grid has all combinations of its values"},
      {"--refit yes", "--refit needs --out"}, {"--overwrite", "--overwrite needs --out"}, {"--halving 1", "--halving"},
      {"--jobs 0", "--jobs"}, {"--folds 0", "--folds"}, {"--score speed", "--score"},
      {"--halving 3", "--halving 3: it takes at least as many configurations and epochs; there are 2 and"},
      {"--halving 2 --epochs 1 --recipe none", "--halving 2: it takes at least as many configurations and epochs"},
      {"--fold 1/2", "unknown option --fold; did you mean --folds?"}, {"--configz 3", "did you mean --configs?"},
      {"--backend cuda", "backend cuda"});
}

Test(cli_sweep_refusal, rows_that_do_not_do) {
  tool_write_text("one.csv", "x,y\n1,2\n");
  tool_write_text("head.csv", "x,y\n");
  sweep_refused("--train is missing: give the file with the training rows", "--vary l2=1,2");
  sweep_refused("--vary is missing: give an option of train and values, as in --vary l2=off,1e-4,1e-3",
                "--train people.csv");
  sweep_refused("72 rows with a target are too few for 73 folds", "--train people.csv --vary l2=1,2 --folds 73");
  sweep_refused("9 groups in column \"who\" are too few for 10 folds",
                "--train people.csv --vary l2=1,2 --folds 10 --group who");
  sweep_refused("so there is nothing to learn", "--train one.csv --vary l2=1,2");
  sweep_refused("head.csv", "--train head.csv --vary l2=1,2");
  sweep_refused("--target names \"nope\", which is no column", "--train people.csv --target nope --vary l2=1,2");
  sweep_refused("none.csv: cannot be opened: No such file or directory", "--train none.csv --vary l2=1,2");
  sweep_refused("--train -: a sweep reads these rows more than once; give a file, or --refit no",
                "--train - --vary l2=1,2 --out dir");
  sweep_refused("--test -: a sweep reads these rows more than once", "--train people.csv --test - --vary l2=1,2");
  sweep_refused("--group and --train-labels contradict each other",
                "--train x.npy --train-labels y.npy --group 0 --vary l2=1,2");
}

/* What ends a sweep is told, not what came after it. */
Test(cli_sweep_refusal, scores_that_the_rows_do_not_have) {
  static const struct {
    const char *rows, *score;
  } calls[] = {{"line.csv", "auc"},    {"line.csv", "accuracy"}, {"line.csv", "f1"},
               {"people.csv", "rmse"}, {"people.csv", "mae"},    {"people.csv", "auc"}};
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    char says[96];
    tool_result result = sweep_run("--train %s --steps 2 --vary l2=1,2 --folds 2 --score %s --out scored",
                                   calls[i].rows, calls[i].score);
    cr_assert(!tool_exists("scored"), "%s", calls[i].score);
    snprintf(says, sizeof says, "its held-out rows have no %s: the targets, or the loss, are not of the kind for it",
             calls[i].score);
    cr_assert_eq(result.code, 2, "%d: %s", result.code, result.err);
    SAYS(result.err, says);
    SAYS(result.err, "vise sweep: configuration ");
    tool_free(&result);
  }
}

/* Seen before anything is trained: three rows of one class are in three of five folds. */
Test(cli_sweep_refusal, held_out_rows_of_one_class_have_no_auc) {
  char rows[600] = "x,y\n";
  for (int i = 0; i < 40; i++) snprintf(rows + strlen(rows), 12, "%d,%c\n", i, i % 13 == 5 ? 'p' : 'q');
  tool_write_text("rare.csv", rows);
  sweep_refused("fold 4 of repeat 0: its held-out rows (8) all have the same target, and there is no auc of such",
                "--train rare.csv --vary l2=1,2 --score auc");
  sweep_refused("its held-out rows (4) all have the same target, and there is no r2 of such: hold out other rows",
                "--train rare.csv --vary l2=1,2 --score r2 --folds 1 --val-fraction 0.1");
  tool_result trained = sweep_run("--train rare.csv --steps 2 --vary l2=1,2 --score auc --folds 3");
  cr_assert_eq(trained.code, 0, "%s", trained.err);
  tool_free(&trained);
}

/* A space that is large is gone through, not held: it is the folds of its fits that it takes memory for. */
Test(cli_sweep_refusal, a_huge_grid_is_a_number_first) {
  char values[900] = "";
  for (int i = 0; i < 100; i++) snprintf(values + strlen(values), 8, "%s%d", i > 0 ? "," : "", i);
  tool_result result = sweep_run(
      "--train line.csv --vary l2=%s --vary l1=%s --vary lr=%s --vary seed=%s --vary "
      "max-norm=%s",
      values + 2, values + 2, values + 2, values, values + 2);
  cr_assert_eq(result.code, 2, "%d: %s", result.code, result.err);
  SAYS(result.err, "configurations");
  tool_free(&result);
}
