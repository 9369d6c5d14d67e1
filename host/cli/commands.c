#include "host/cli/commands.h"

#include <string.h>

const vise_i_cli_command vise_i_cli_commands[] = {
    {VISE_COMMAND_TRAIN,
     "train",
     "Train",
     "train a model",
     "Trains a model and, with `out`, saves it. An option that can be off takes the word off too, which undoes what "
     "`config` says. config.json in the folder of `out` has every option as it was resolved, files by their whole "
     "path; `config` repeats the run.",
     {"vise train --train data.csv --target label --val-fraction 0.2 --out run",
      "vise train --train data.csv --layers auto-32-auto --clamp 0.5 --out boxed",
      "vise train --train x.npy --train-labels y.npy --epochs 20 --out arrays", "vise train --resume run", NULL}},
    {VISE_COMMAND_SWEEP,
     "sweep",
     "Train",
     "choose strengths by cross-validation: many fits at a time",
     "Trains every configuration of the options that `vary` names on every fold of the training rows, several fits at "
     "a time, and says which configuration to use. The other options are those of train, for all fits. With `out`, "
     "fits.jsonl has every fit, results.csv a row for each configuration, best/ is the run of the winner on all rows, "
     "and report.html a page about all of it; a sweep that was stopped goes on by `resume`, and further processes, on "
     "this machine or others, help by `join`. `fold` of train repeats any fit, bit for bit.",
     {"vise sweep --train data.csv --vary l2=off,1e-4,1e-3 --vary clamp=off,1 \\\n      --out strengths",
      "vise sweep --train data.csv --search random --configs 60 --halving 3 \\\n"
      "      --vary lr=1e-4..1e-1:log --vary dropout=0..0.5 --score f1 --out drawn",
      "vise sweep --resume strengths", "vise sweep --join strengths --jobs 4", NULL}},
    {VISE_COMMAND_WATCH,
     "watch",
     "Train",
     "follow a run or a sweep from another terminal",
     "Follows a run of train, or a sweep, by the files in its folder, which it only reads: a bar on a terminal, else a "
     "line for each epoch, until the run ends. It waits for a run that has not begun, follows one that is resumed or "
     "replaced, and tells one that died from one that is slow. Exits with 0 when the run ended as asked or was "
     "interrupted, and with 1 when it failed or died; Ctrl-C ends the watching alone.",
     {"vise watch run", "vise watch run --once --json", "vise watch strengths", NULL}},
    {VISE_COMMAND_CHECK,
     "check",
     "Train",
     "compare gradients and backends on this machine",
     "Compares gradients with differences, and every backend with cpu64, on this machine. Takes the options of train; "
     "without `train` it makes up a small data set.",
     {"vise check", "vise check --train data.csv --layers auto-32-auto --clamp 0.5", NULL}},

    {VISE_COMMAND_EVAL,
     "eval",
     "Use",
     "loss and accuracy of a saved model",
     "Prints loss and accuracy (or RMSE and R^2) of a saved model.",
     {"vise eval --model run/model.safetensors --data test.csv",
      "vise eval --model arrays/model.safetensors --data x.npy --labels y.npy --json", NULL}},
    {VISE_COMMAND_PREDICT,
     "predict",
     "Use",
     "outputs of a saved model, as CSV or NPY",
     "Writes the outputs of a saved model, a line for each row of the data.",
     {"vise predict --model run/model.safetensors --data new.csv --out answers.csv",
      "vise predict --model run/model.safetensors --data new.csv --out a.npy --json", NULL}},
    {VISE_COMMAND_PRUNE,
     "prune",
     "Use",
     "cut or drop weights of a saved model, once",
     "Applies a weight operation to a saved model, once.",
     {"vise prune --model run --weight-op prune --weight-op-fraction 0.5 \\\n      --out pruned.safetensors",
      "vise prune --model run --weight-op rel-clip --weight-op-t 0.3 \\\n      --out clipped.safetensors", NULL}},
    {VISE_COMMAND_CERTIFY,
     "certify",
     "Use",
     "proven bounds of a saved model",
     "Proves, for inputs within ranges, in which range every output and every pre-activation of a saved model lies, in "
     "exact arithmetic and in float32 with sums in any order; how much its outputs can change with the inputs; and in "
     "which inputs they are monotone. The ranges are those of `inputs`, or of the rows of `data`. The certificate goes "
     "into the metadata of the model's file, which is replaced whole or not at all; `keep-model` leaves it alone.",
     {"vise certify --model run --data data.csv", "vise certify --model arrays --inputs -1:1 --out certificate.json",
      "vise certify --model run --data data.csv --inputs a=-2:2 --keep-model --json", NULL}},
    {VISE_COMMAND_EXPORT,
     "export",
     "Use",
     "a saved model as ONNX or C",
     "Writes a saved model into a new or empty folder as files for other places. Their inputs are those before "
     "scaling, "
     "their outputs what predict calls raw.",
     {"vise export --model run --format onnx --out for-onnx",
      "vise export --model run --format h --data data.csv --out for-c",
      "vise export --model run --format c --weights int8 --acc 16 \\\n      --data data.csv --out integers", NULL}},
    {VISE_COMMAND_REPORT,
     "report",
     "Use",
     "a page of HTML of a sweep, or of runs",
     "Writes one page of HTML about a sweep or about runs, with charts; it needs no network and no other file. A sweep "
     "with `out` writes its page by itself.",
     {"vise report strengths", "vise report run", "vise report run boxed --out compared.html", NULL}},

    {VISE_COMMAND_BENCH,
     "bench",
     "Machine",
     "time the training step on this machine",
     "Times the training step on this machine, verified against cpu64 before it is timed: cases x modes x precisions, "
     "without `case`, `grid` or `layers` the named cases. Times of the device modes are by CUDA events around whole "
     "calls; `phases` shows where a fused step spends its own. Exits with 1 when a verification failed; such a row has "
     "no times. Anything that this build or machine lacks is skipped with a note.",
     {"vise bench --quick", "vise bench --layers 784-128-10 --batch 64,256 --mode cpu", NULL}},
    {VISE_COMMAND_INFO,
     "info",
     "Machine",
     "backends, GPUs and build; a model; what a GPU would run",
     "Prints backends, GPUs, versions and build options. With the file of a model, or the folder of a run, it shows "
     "the net, its columns and classes, their scaling, and how it was trained. With `plan` it takes the options of "
     "train and shows what the cuda backend would run for them; that needs no GPU.",
     {"vise info", "vise info run", "vise info --plan --layers 784-128-10 --batch 64", NULL}},
    {.name = NULL},
};

const vise_i_cli_command *vise_i_cli_command_of(unsigned bit) {
  const vise_i_cli_command *command = vise_i_cli_commands;
  while (command->name != NULL && command->bit != bit) command++;
  return command->name == NULL ? NULL : command;
}

const vise_i_cli_command *vise_i_cli_command_named(const char *name) {
  const vise_i_cli_command *command = vise_i_cli_commands;
  while (command->name != NULL && strcmp(command->name, name) != 0) command++;
  return command->name == NULL ? NULL : command;
}
