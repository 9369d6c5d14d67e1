/* Bad input: exit code 2, a message that names what is wrong, nothing printed and no file left. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tool.h"

static void enter(void) {
  tool_enter();
  tool_write_classes("iris.csv", 30);
  tool_write_line("line.csv", 30);
  tool_write_npy("x.npy", "y.npy", 30);
}

TestSuite(cli_refusal, .init = enter, .fini = tool_leave);

/* A wrong option or value of train, and part of the message it causes. */
typedef struct refused {
  const char *options, *says;
} refused;

static void expect_all(const char *before, const refused *rows, size_t n) {
  for (size_t i = 0; i < n; i++) {
    char arguments[1024];
    snprintf(arguments, sizeof arguments, "%s %s", before, rows[i].options);
    tool_expect_refused(arguments, rows[i].says);
  }
}
#define EXPECT_ALL(before, rows) expect_all(before, rows, sizeof rows / sizeof *rows)

Test(cli_refusal, unknown_and_abbreviated_options) {
  static const refused rows[] = {
      {"--frobnicate", "unknown option --frobnicate"},
      {"--clip-nrom 5", "did you mean --clip-norm?"},
      {"--epoch 3", "did you mean --epochs?"}, /* no abbreviations: they would change with every new option */
      {"--clip-n 5", "unknown option --clip-n"},
      {"--no-clip-norm", "unknown option --no-clip-norm"},
      {"-x", "unknown option -x"},
      {"more.csv", "unexpected argument 'more.csv'"},
      {"--lr", "--lr needs a value: --lr X"},
      {"--nesterov=yes", "--nesterov takes no value"},
  };

  EXPECT_ALL("train --train iris.csv --recipe none --out run", rows);
}

/* Before a file is looked for whose name has the number of a process in it. */
Test(cli_refusal, rows_of_processes_need_means_of_weights) {
  tool_expect_refused("train --train rows-{rank}.csv --own-data", "--own-data needs --sync-every: between the means");
}

Test(cli_refusal, numbers_that_are_none) {
  static const refused rows[] = {
      {"--lr fast", "--lr: 'fast' is not a number"},
      {"--lr 0.1x", "--lr: '0.1x' is not a number"},
      {"--lr 0,1", "is not a number"},
      {"--lr 0x10", "is not a number"},
      {"--lr nan", "is not a number"},
      {"--lr inf", "is not a number"},
      {"--lr 1e999", "too large"},
      {"--lr -1", "--lr -1: expected a number of at least 0"},
      {"--lr=", "is not a number"},
      {"--momentum 1", "--momentum 1: expected a number of at least 0 and below 1"},
      {"--beta1 1", "at least 0 and below 1"},
      {"--eps 0", "--eps 0: expected a number above 0\n"},
      {"--epochs 0", "expected a whole number of at least 1, or off"},
      {"--epochs 1.5", "not a whole number"},
      {"--epochs -3", "not a whole number"},
      {"--steps 99999999999999999999999", "too large"},
      {"--seed -1", "not a whole number"},
      {"--batch 0", "--batch 0: expected a whole number of at least 1, or full"},
      {"--batch some", "--batch: 'some' is not a whole number"},
      {"--threads 0", "--threads"},
      {"--threads 4097", "--threads 4097: expected a whole number from 1 to 4096, or auto"},
      {"--val-fraction 1", "--val-fraction 1: expected a number above 0 and below 1, or off"},
      {"--val-fraction 0", "--val-fraction"},
      {"--label-smoothing 1", "below 1"},
      {"--clip-norm 0", "--clip-norm 0: expected a number above 0, or off"},
      {"--clip-norm -5", "expected a number above 0"},
      {"--max-skips 0", "expected a whole number of at least 1"},
      {"--device x", "--device"},
  };

  EXPECT_ALL("train --train iris.csv --recipe none --out run", rows);
}

Test(cli_refusal, names_that_are_none) {
  static const refused rows[] = {
      {"--loss cross_entropy", "cross-entropy"},
      {"--loss external", "library"},
      {"--loss foo", "--loss: 'foo' is unknown; it can be cross-entropy, bce, mse, huber, hinge, poisson\n"},
      {"--activation swish", "gelu"},
      {"--optimizer adamw", "rmsprop"},
      {"--backend gpu", "cpu64"},
      {"--backend cuda", "CUDA"},
      {"--scale max", "standard"},
      {"--lr-schedule poly", "cosine"},
      {"--clip-norm-p 1", "inf"},
      {"--nonfinite ignore", "propagate"},
      {"--precision fp16", "bf16"},
      {"--init-scheme xavier", "glorot"},
      {"--shuffle maybe", "neither yes nor no"},
      {"--penalty-convention full", "over_m"},
      {"--precision tf32", "tf32"},
      {"--step fused", "fused"},
  };

  EXPECT_ALL("train --train iris.csv --recipe none --out run", rows);
}

Test(cli_refusal, ranges_layers_and_lists) {
  static const refused rows[] = {
      {"--clamp 0", "--clamp: '0' must be above 0"},
      {"--clamp -1", "must be above 0"},
      {"--clamp 1:-1", "lower bound is above"},
      {"--clamp 1:", "is not a number"},
      {"--clamp 1:2:3", "is not a number"},
      {"--clamp nan", "is not a number"},
      {"--clip-value -0.5", "must be above 0"},
      {"--clip-value 1:0", "lower bound is above"},
      {"--clamp-layer 0.5", "is not L=LO:HI"},
      {"--clamp-layer x=0.5", "not a whole number"},
      {"--clamp-layer 0=1:-1", "lower bound is above"},
      {"--clamp-layer 0=1 --clamp-layer 0=2", "has bounds already"},
      {"--clamp-layer 7=1", "7"},
      {"--layers 3", "two or more"},
      {"--layers 3--3", "'' is not a layer size"},
      {"--layers 3-auto-3", "first and the last"},
      {"--layers 3-0-3", "'0' is not a layer size"},
      {"--layers 3-x-3", "'x' is not a layer size"},
      {"--layers 4-8-3", "has 3 features"},
      {"--layers 3-8-2", "2"}, /* label 2 needs three outputs */
      {"--class-weights 1,-1,1", "number 1 is negative"},
      {"--class-weights 1,,1", "is not a number"},
      {"--class-weights 1,2", "class"},
      {"--weight-op-at step:0 --weight-op prune --weight-op-fraction 0.5", "counted from 1"},
      {"--weight-op-at tomorrow --weight-op prune --weight-op-fraction 0.5", "step:N, epoch:N or every"},
  };

  EXPECT_ALL("train --train iris.csv --recipe none --out run", rows);
}

Test(cli_refusal, contradictions) {
  static const refused rows[] = {
      {"--train iris.csv --recipe none --val iris.csv --val-fraction 0.2", "contradict"},
      {"--train x.npy --train-labels y.npy --target 0", "contradict"},
      {"--train iris.csv --recipe none --val-labels y.npy", "--val-labels needs --val"},
      {"--train iris.csv --recipe none --test-labels y.npy", "--test-labels needs --test"},
      {"--train iris.csv --recipe none --patience 3", "--patience needs validation data (--val or --val-fraction)"},
      {"--train iris.csv --recipe none --weight-op rel-clip --weight-op-t 0.5", "--weight-op-at"},
      {"--train iris.csv --recipe none --weight-op rel-clip --weight-op-at every", "--weight-op-t"},
      {"--train iris.csv --recipe none --weight-op prune --weight-op-at step:3", "--weight-op-fraction"},
      {"--train iris.csv --recipe none --weight-op prune --weight-op-at step:3 --weight-op-fraction 0.1 --weight-op-t "
       "0.1",
       "rel-*"},
      {"--train iris.csv --recipe none --weight-op-at step:3", "--weight-op-at needs --weight-op"},
      {"--train iris.csv --recipe none --weight-op-t 0.5", "rel-*"},
      {"--train iris.csv --recipe none --weight-op-literal", "rel-clip"},
      {"--train iris.csv --recipe none --nesterov", "--nesterov needs --momentum > 0"},
      {"--train iris.csv --recipe none --optimizer adam --momentum 0.9", "momentum"},
      {"--train iris.csv --recipe none --overwrite", "--overwrite needs --out"},
      {"--train iris.csv --recipe none --epochs off", "--epochs off needs --steps"},
      {"--train iris.csv --recipe none --clamp 0.1:1 --l1 0.1 --prox-l1 --out run", "0"},
      {"--train iris.csv --recipe none --resume run --out other", "--resume and --out contradict"},
      {"--train iris.csv --recipe none --resume run --overwrite", "--resume and --overwrite contradict"},
      {"--resume run --init m.safetensors", "--resume and --init contradict"},
      {"--resume run --config c.json", "--resume and --config contradict"},
      {"--layers 3-4-3", "--train is missing"},
  };

  EXPECT_ALL("train", rows);
}

Test(cli_refusal, data) {
  tool_write_text("ragged.csv", "a,b,c\n1,2,0\n1,2\n");
  tool_write_text("words.csv", "a,b,c\n1,2,0\n1,many,1\n");
  tool_write_text("nan.csv", "a,b,c\n1,2,0\n1,nan,1\n");
  tool_write_text("empty.csv", "");
  tool_write_text("broken.json", "{\n  lr: 0.1\n}\n");
  tool_write_text("noise.npy", "\x93NUMPY but not really");
  tool_write_npy("short-x.npy", "short-y.npy", 20);

  static const refused rows[] = {
      {"--train missing.csv", "missing.csv"},
      {"--train ragged.csv", "ragged.csv:3"},
      {"--train words.csv --numeric b", "words.csv:3"},
      {"--train nan.csv --missing error", "nan.csv"},
      {"--train empty.csv", "empty.csv"},
      {"--train noise.npy --train-labels y.npy", "noise.npy"},
      {"--train x.npy", "x.npy"},
      {"--train x.npy --train-labels short-y.npy", "20"},
      {"--train iris.csv --recipe none --target species", "species"},
      {"--train iris.csv --recipe none --target 9", "9"},
      {"--train iris.csv --recipe none --test line.csv", "line.csv"},
      {"--train line.csv --recipe none --loss cross-entropy", "line.csv: target column \"y\""},
      {"--train iris.csv --recipe none --loss bce --layers 3-1", "iris.csv"},
      {"--train iris.csv --recipe none --row-weights short-y.npy", "20"},
      {"--train iris.csv --recipe none --scale unit", "unit"},
      {"--train iris.csv --recipe none --init missing.safetensors", "missing.safetensors"},
      {"--train iris.csv --recipe none --init x.npy", "x.npy"},
      {"--train iris.csv --recipe none --mask x.npy", "x.npy"},
      {"--train iris.csv --recipe none --out line.csv", "--out line.csv is a file"},
      {"--train iris.csv --recipe none --out line.csv --overwrite", "--out line.csv is a file"},
      {"--train iris.csv --recipe none --layers 3-2", "has 3 classes"},
      {"--train iris.csv --recipe none --config missing.json", "missing.json: cannot be opened: No such file"},
      {"--train iris.csv --recipe none --config .", ".: cannot be read: Is a directory"},
      {"--train iris.csv --recipe none --config /dev/zero", "/dev/zero: has more than the 16777216 bytes allowed"},
      {"--train iris.csv --recipe none --config broken.json", "broken.json:2:3: expected a key in quotation marks"},
      {"--resume nothing-here", "nothing-here"},
  };

  EXPECT_ALL("train", rows);
}

Test(cli_refusal, rows_that_take_more_memory_than_is_allowed) {
  FILE *file = fopen("wide.csv", "w");
  cr_assert(file != NULL);
  for (int i = 0; i < 40000; i++) fprintf(file, "%d,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,%d\n", i, i % 2);
  fclose(file);
  static const refused rows[] = {
      {"--train wide.csv --memory-limit 2M", "of memory, over the 2 MiB allowed; --memory-limit 1G allows it"},
      {"--train x.npy --train-labels y.npy --memory-limit 100",
       "over the 100 bytes allowed; --memory-limit 1G allows it"},
      {"--train iris.csv --memory-limit 0", "--memory-limit"},
  };
  EXPECT_ALL("train", rows);
  tool_expect_ok("train --train wide.csv --epochs 1 --memory-limit 64M --cross-validate no");
}

Test(cli_refusal, a_folder_that_holds_something) {
  cr_assert_eq(mkdir("full", 0700), 0);
  tool_write_text("full/letter.txt", "dear");
  tool_expect_refused("train --train iris.csv --recipe none --epochs 1 --out full", "not empty");
  cr_assert(tool_exists("full/letter.txt"));
  cr_assert_not(tool_exists("full/config.json"));
}

Test(cli_refusal, other_commands) {
  tool_expect_ok("train --train iris.csv --recipe none --layers auto-4-auto --epochs 1 --out run");

  static const refused rows[] = {
      {"eval --data iris.csv", "--model is missing"},
      {"eval --model run/model.safetensors", "--data is missing"},
      {"eval --model iris.csv --data iris.csv", "iris.csv"},
      {"eval --model run/model.safetensors --data line.csv", "lacks the features a, b, c"},
      {"eval --model run/model.safetensors --data iris.csv --target a",
       "the target of run/model.safetensors is \"kind\""},
      {"eval --model run/model.safetensors --data iris.csv --labels y.npy", "not from a file of labels"},
      {"eval --model run/model.safetensors --data x.npy", "x.npy"},
      {"eval --model run/model.safetensors --data iris.csv --layers 3-4", "unknown option --layers"},
      {"predict --model run/model.safetensors --data iris.csv", "--out is missing"},
      {"predict --model run/model.safetensors --data iris.csv --out p.txt", "must end in .npy or .csv"},
      {"predict --model run/model.safetensors --data iris.csv --out no/p.csv", "the folder no does not exist"},
      {"predict --model run/model.safetensors --data y.npy --out p.csv", "y.npy: 1 columns"},
      {"predict --model run/model.safetensors --data iris.csv --out p.csv --output logits", "probability"},
      {"prune --model run/model.safetensors --out q.safetensors", "--weight-op is missing"},
      {"prune --model run/model.safetensors --op none --out q.safetensors", "--weight-op is missing"},
      {"prune --model run/model.safetensors --op prune --out q.safetensors", "needs --weight-op-fraction"},
      {"prune --model run/model.safetensors --op prune --fraction 1.5 --out q.safetensors",
       "--weight-op-fraction 1.5: expected a number from 0 to 1"},
      {"prune --model run/model.safetensors --op rel-clip --out q.safetensors", "needs --weight-op-t"},
      {"prune --model run/model.safetensors --op rel-clip --t 2 --out q.safetensors", "at most 1"},
      {"prune --model run/model.safetensors --op rel-clip --t 0.5", "--out is missing"},
      {"prune --model run/model.safetensors --op rel-clip --t 0.5 --mask-out m.safetensors", "--mask-out needs"},
      {"prune --model run/model.safetensors --op rel-retain --t 0.5 --literal --out q.safetensors", "rel-clip"},
      {"prune --model run/model.safetensors --op rel-clip --t 0.5 --layers 5 --out q.safetensors", "5"},
      {"prune --model run/model.safetensors --op rel-clip --t 0.5 --layers 0,x --out q.safetensors", "whole number"},
      {"prune --model run/model.safetensors --op prune --fraction 0.5 --out a --mask-out a", "contradict"},
      {"prune --model run/model.safetensors --op prune --fraction 0.5 --out a --mask-out ./a", "contradict"},
      {"prune --model run/model.safetensors --op prune --fraction 0.5 --out run/a --mask-out run/../run/a",
       "contradict"},
      {"predict --model run/model.safetensors --data iris.csv --out ./iris.csv", "would replace the rows of --data"},
      {"prune --model run/model.safetensors --op prune --fraction 0.5 --out no/q.safetensors", "the folder no"},
      {"check --layers auto-4-3", "need --train"},
      {"check --train iris.csv --recipe none --lr x", "--lr"},
      {"check --backend cuda", "CUDA"},
      {"info --layers 3-4", "--layers needs --plan"},
  };

  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) tool_expect_refused(rows[i].options, rows[i].says);
}
