"""TensorBoard's own reader on the event files of vise train and vise sweep: tags, values as in metrics.jsonl, weights as
in the model, hparams, what a resumed run leaves, and a file that ends in the middle of a record."""
import csv
import glob
import json
import math
import os
import random
import shutil
import struct
import subprocess

import numpy as np
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.hparams import api_pb2, metadata

VISE, WORK = os.environ["VISE"], os.path.join(os.environ["WORK"], "tensorboard")
NET = ["--recipe", "none", "--layers", "4-16-16-3", "--batch", "16", "--lr", "0.1", "--threads", "1", "--quiet"]
LAYERS = ("0.weight", "2.weight", "4.weight")


def vise(*words, code=0):
    done = subprocess.run([VISE, *words], capture_output=True, text=True)
    assert done.returncode == code, (words, done.returncode, done.stderr)
    return done.stdout + done.stderr


def write_rows(path, n_rows):
    rng = random.Random(3)
    with open(path, "w") as file:
        file.write("a,b,c,d,kind\n")
        for _ in range(n_rows):
            x = [rng.gauss(0, 1) for _ in range(4)]
            file.write(",".join(f"{v:.4f}" for v in x) + f",{(x[0] > 0) + (x[1] * x[2] > 0)}\n")


def load(folder):
    read = event_accumulator.EventAccumulator(
        folder, size_guidance={name: 0 for name in ("scalars", "histograms", "tensors")})
    read.Reload()
    return read


def epochs_of(run):
    with open(f"{run}/metrics.jsonl") as file:
        return [event for event in map(json.loads, file) if event["event"] == "epoch"]


def same(points, events, value):
    """Points of a tag are those of the events for which value(event) is a number."""
    wanted = [(event["step"], np.float32(value(event))) for event in events if value(event) is not None]
    found = [(point.step, np.float32(point.value)) for point in points]
    assert wanted and found == wanted, (found[:3], wanted[:3], len(found), len(wanted))


def model_tensors(path):
    with open(path, "rb") as file:
        n = struct.unpack("<Q", file.read(8))[0]
        head, data = json.loads(file.read(n)), file.read()
    return {name: np.frombuffer(data[slice(*of["data_offsets"])], "<f4") for name, of in head.items()
            if name != "__metadata__"}


def check_histogram(histogram, weights):
    limits, counts = np.array(histogram.bucket_limit), np.array(histogram.bucket)
    assert (np.diff(limits) >= 0).all() and histogram.num == counts.sum() == weights.size
    wanted = np.diff(np.searchsorted(np.sort(weights.astype(np.float64)), limits, side="right"), prepend=0)
    assert (counts == wanted).all(), (counts, wanted)
    assert (histogram.min, histogram.max) == (weights.min(), weights.max())
    for found, exact in ((histogram.sum, weights.astype(np.float64).sum()),
                         (histogram.sum_squares, (weights.astype(np.float64)**2).sum())):
        assert math.isclose(found, exact, rel_tol=1e-9, abs_tol=1e-9), (found, exact)


def check_run():
    vise("train", "--train", "rows.csv", *NET, "--epochs", "400", "--clamp", "0.21", "--clip-norm", "0.5", "--l2", "1e-3",
         "--val-fraction", "0.2", "--test-fraction", "0.1", "--out", "run", "--tensorboard")
    read, epochs = load("run/tensorboard"), epochs_of("run")

    for tag, key in (("loss/train", "train_loss"), ("loss/validation", "val_loss"), ("loss/test", "test_loss"),
                     ("accuracy/train", "train_accuracy"), ("accuracy/validation", "val_accuracy"),
                     ("accuracy/test", "test_accuracy"), ("optimizer/lr", "lr"), ("loss/penalty", "penalty"),
                     ("gradient/norm", "grad_norm"), ("gradient/norm_clipped", "grad_norm_clipped"),
                     ("regularization/clipped_values", "clipped_values")):
        same(read.Scalars(tag), epochs, lambda event: event.get(key))
    assert len(read.Scalars("loss/train")) == 400

    records = [event for event in epochs if "layers" in event]
    same(read.Scalars("regularization/steps_clipped"), records, lambda event: event["steps_norm_clipped"] / event["steps"])
    same(read.Scalars("regularization/steps_skipped"), records, lambda event: event["skipped_steps"] / event["steps"])
    for i, layer in enumerate(LAYERS):
        of = lambda key: lambda event: event["layers"][i][key]
        assert all(event["layers"][i]["name"] == layer for event in records)
        same(read.Scalars(f"norm/{layer}"), records, of("norm"))
        same(read.Scalars(f"max_abs/{layer}"), records, of("max_abs"))
        same(read.Scalars(f"regularization/zero/{layer}"), records,
             lambda event: of("zero_weights")(event) / of("weights")(event))
        same(read.Scalars(f"regularization/at_bound/{layer}"), records,
             lambda event: (of("at_lower_bound")(event) + of("at_upper_bound")(event)) / of("weights")(event))

    known = {event["step"]: event for event in records}
    tensors = model_tensors("run/model.safetensors")
    for i, layer in enumerate(LAYERS):
        points = read.Histograms(f"weights/{layer}")
        assert points
        for point in points:
            box, of = point.histogram_value, known[point.step]["layers"][i]
            edge = float(np.float32(0.21))  # which is below 0.21
            assert (box.bucket_limit[0], box.bucket_limit[-1]) == (-edge, edge), box
            assert (box.bucket[0], box.bucket[-1]) == (of["at_lower_bound"], of["at_upper_bound"])
            assert sum(box.bucket) == box.num == of["weights"]
            assert math.isclose(math.sqrt(box.sum_squares), of["norm"], rel_tol=1e-9)
        assert any(point.histogram_value.bucket[0] > 0 for point in points), "no weight is at a bound"
        kept = read.Histograms(f"weights_kept/{layer}")
        assert [point.step for point in kept] == [epochs[-1]["step"]]
        check_histogram(kept[0].histogram_value, tensors[layer])

    text = read.Tensors("run")[0].tensor_proto.string_val[0].decode()
    assert '"clip-norm": 0.5' in text and "4-16-16-3" in text, text
    assert read.SummaryMetadata("run").plugin_data.plugin_name == "text"
    assert "bound" in read.SummaryMetadata(f"regularization/at_bound/{LAYERS[0]}").summary_description


def check_many_epochs():
    """Curves are thinned, and have the last epoch all the same."""
    vise("train", "--train", "rows.csv", *NET, "--batch", "full", "--epochs", "2999", "--out", "long", "--tensorboard")
    read, epochs = load("long/tensorboard"), epochs_of("long")
    shown = [event for event in epochs if event["epoch"] <= 1000 or "layers" in event or event is epochs[-1]]
    same(read.Scalars("loss/train"), shown, lambda event: event["train_loss"])
    assert 1000 < len(shown) < 2000 and len(read.Histograms(f"weights/{LAYERS[0]}")) < 200


def check_regression():
    vise("train", "--train", "rows.csv", "--target", "a", "--loss", "mse", "--recipe", "none", "--layers", "4-8-1",
         "--backend", "cpu64", "--epochs", "300", "--val-fraction", "0.2", "--out", "line", "--tensorboard", "--quiet",
         "--clamp-layer", "0=-0.1:inf")
    read = load("line/tensorboard")
    tags = set(read.Tags()["scalars"])
    assert {"rmse/validation", "r2/validation", "loss/validation"} <= tags and "accuracy/train" not in tags, tags
    records = {event["step"]: event for event in epochs_of("line") if "layers" in event}
    points = read.Histograms("weights/0.weight")
    for point in points:
        seen, of = point.histogram_value, records[point.step]["layers"][0]
        assert seen.bucket_limit[0] == -0.1 and seen.bucket_limit[-1] == seen.max and sum(seen.bucket) == 32, seen
        assert seen.bucket[0] == of["at_lower_bound"] and "upper_bound" in of, (seen, of)
    assert any(point.histogram_value.bucket[0] > 0 for point in points), "no weight is at the bound"


def check_resume():
    """What was written after the checkpoint is gone, what was before it stays, and nothing is there twice."""
    words = ["--train", "rows.csv", *NET, "--val-fraction", "0.2", "--checkpoint-every", "100"]
    vise("train", *words, "--epochs", "30", "--out", "whole", "--tensorboard")
    vise("train", *words, "--epochs", "20", "--out", "cut", "--tensorboard")
    steps = sorted(os.listdir("cut/checkpoints"))
    assert len(steps) == 2, steps
    shutil.rmtree(f"cut/checkpoints/{steps[-1]}")
    first = int(steps[0][5:])
    before = glob.glob("cut/tensorboard/*")
    vise("train", "--resume", "cut", "--epochs", "30")
    assert len(glob.glob("cut/tensorboard/*")) == 2 and before[0] == min(glob.glob("cut/tensorboard/*"))

    whole, cut = load("whole/tensorboard"), load("cut/tensorboard")
    steps = [point.step for point in cut.Scalars("loss/validation")]
    assert first in steps and steps[0] < first < steps[-1], (first, steps)
    for tag in whole.Tags()["scalars"]:
        assert [(p.step, p.value) for p in whole.Scalars(tag)] == [(p.step, p.value) for p in cut.Scalars(tag)], tag

    new = [event_pb2.Event.FromString(data) for data in RawEventFileLoader(max(glob.glob("cut/tensorboard/*"))).Load()]
    assert new[0].file_version == "brain.Event:2" and new[1].session_log.status == event_pb2.SessionLog.START
    assert new[1].step == min(step for step in steps if step > first), (new[1].step, first)


def check_torn():
    """A file that ends anywhere is read up to its last whole record."""
    path, = glob.glob("run/tensorboard/*")
    data = open(path, "rb").read()
    n_events = len(list(RawEventFileLoader(path).Load()))
    os.makedirs("torn", exist_ok=True)
    last = None
    for n in (len(data) - 1, len(data) - 500, len(data) // 2, 60):
        with open("torn/events.out.tfevents.1.x", "wb") as file:
            file.write(data[:n])
        n_read = len(list(RawEventFileLoader("torn/events.out.tfevents.1.x").Load()))
        assert n_read < n_events and (last is None or n_read <= last), (n, n_read)
        last = n_read
    assert n_events > 400 and last < 2


def plugin_data(read, tag):
    return read.SummaryMetadata(tag).plugin_data.content


def check_sweep():
    vise("sweep", "--train", "rows.csv", "--recipe", "none", "--layers", "4-8-3", "--vary", "l2=off,1e-3,1e-2", "--vary",
         "clamp=off,0.3", "--vary", "batch-norm=yes,no", "--vary", "optimizer=sgd,adam", "--epochs", "4", "--folds", "3",
         "--out", "grid", "--tensorboard", "--quiet")
    experiment = metadata.parse_experiment_plugin_data(plugin_data(load("grid/tensorboard"), metadata.EXPERIMENT_TAG))
    infos = {info.name: info for info in experiment.hparam_infos}
    values = {name: [getattr(value, value.WhichOneof("kind")) for value in info.domain_discrete.values]
              for name, info in infos.items()}
    assert values == {"l2": [0, 1e-3, 1e-2], "clamp": ["off", "0.3"], "batch-norm": [True, False],
                      "optimizer": ["sgd", "adam"]}, values
    assert [infos[name].type for name in ("l2", "clamp", "batch-norm", "optimizer")] == [
        api_pb2.DATA_TYPE_FLOAT64, api_pb2.DATA_TYPE_STRING, api_pb2.DATA_TYPE_BOOL, api_pb2.DATA_TYPE_STRING]
    metrics = [info.name.tag for info in experiment.metric_infos]
    assert metrics[0] == "sweep/score" and experiment.metric_infos[0].display_name == "loss", metrics

    with open("grid/results.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24 == len(glob.glob("grid/tensorboard/config-*"))
    for row in rows:
        read = load(f"grid/tensorboard/config-{int(row['config']):06d}")
        start = metadata.parse_session_start_info_plugin_data(plugin_data(read, metadata.SESSION_START_INFO_TAG))
        end = metadata.parse_session_end_info_plugin_data(plugin_data(read, metadata.SESSION_END_INFO_TAG))
        assert end.status == api_pb2.STATUS_SUCCESS
        hparams = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
        assert hparams == {"l2": 0 if row["param_l2"] == "off" else float(row["param_l2"]), "clamp": row["param_clamp"],
                           "batch-norm": row["param_batch_norm"] == "yes", "optimizer": row["param_optimizer"]}, hparams
        for tag, column in (("score", "mean_test_score"), ("standard_error", "se_test_score"), ("rank", "rank_test_score"),
                            ("train_score", "mean_train_score"), ("epochs", "mean_epochs"),
                            ("seconds", "mean_fit_time")):
            assert read.Scalars(f"sweep/{tag}")[-1].value == np.float32(row[column]), (tag, row)
        if row["param_clamp"] == "off":
            assert "sweep/at_bound" not in read.Tags()["scalars"]
        else:
            assert read.Scalars("sweep/at_bound")[-1].value == np.float32(row["mean_at_bound"])
    assert load("grid/best/tensorboard").Scalars("loss/train"), "the winner has no curves"


def check_many_configurations():
    """The best 500, and ranges; a sweep that goes on writes them again."""
    words = ("--train", "few.csv", "--recipe", "none", "--target", "a", "--layers", "4-1", "--search", "random", "--configs",
             "520", "--vary", "lr=1e-3..1e30:log", "--vary", "batch=2..8:int", "--epochs", "3", "--folds", "2", "--refit", "no")
    said = vise("sweep", *words, "--out", "many", "--tensorboard")
    assert "the best 500 of 520 configurations" in said, said
    with open("many/results.csv") as file:
        ranked = sorted(csv.DictReader(file), key=lambda row: (int(row["rank_test_score"]), int(row["config"])))
    shown = {f"config-{int(row['config']):06d}" for row in ranked[:500]}
    assert {os.path.basename(path) for path in glob.glob("many/tensorboard/config-*")} == shown

    experiment = metadata.parse_experiment_plugin_data(plugin_data(load("many/tensorboard"), metadata.EXPERIMENT_TAG))
    domains = {info.name: (info.domain_interval.min_value, info.domain_interval.max_value)
               for info in experiment.hparam_infos}
    assert domains == {"lr": (1e-3, 1e30), "batch": (2, 8)} and "500" in experiment.description, experiment

    failed = [row for row in ranked[:500] if int(row["n_nonfinite"]) > 0]
    assert failed, "all fits were finite"
    for row in failed[:1] + ranked[:1]:
        read = load(f"many/tensorboard/config-{int(row['config']):06d}")
        end = metadata.parse_session_end_info_plugin_data(plugin_data(read, metadata.SESSION_END_INFO_TAG))
        assert end.status == (api_pb2.STATUS_FAILURE if row in failed else api_pb2.STATUS_SUCCESS), row
        assert ("sweep/score" in read.Tags()["scalars"]) == (row not in failed)

    before = set(glob.glob("many/tensorboard/events*"))
    vise("sweep", "--resume", "many")
    after = set(glob.glob("many/tensorboard/events*"))
    assert len(after) == len(before) == 1
    assert {os.path.basename(path) for path in glob.glob("many/tensorboard/config-*")} == shown


def check_halving():
    vise("sweep", "--train", "rows.csv", "--recipe", "none", "--layers", "4-3", "--vary", "lr=1e-3,1e-2,0.1,1", "--epochs",
         "8", "--halving", "2", "--folds", "3", "--out", "halves", "--tensorboard", "--quiet", "--refit", "no")
    with open("halves/results.csv") as file:
        best = min(csv.DictReader(file), key=lambda row: int(row["rank_test_score"]))
    with open("halves/fits.jsonl") as file:
        fits = [fit for fit in map(json.loads, file) if fit["config"] == int(best["config"])]
    points = load(f"halves/tensorboard/config-{int(best['config']):06d}").Scalars("sweep/score")
    wanted = {epochs: np.float32(sum(fit["score"] for fit in fits if fit["epochs"] == epochs) / 3)
              for epochs in sorted({fit["epochs"] for fit in fits})}
    assert {p.step: p.value for p in points} == wanted and len(wanted) > 1, (points, wanted)


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    os.chdir(WORK)
    write_rows("rows.csv", 500)
    write_rows("few.csv", 40)
    for check in (check_run, check_many_epochs, check_regression, check_resume, check_torn, check_sweep,
                  check_many_configurations, check_halving):
        check()
        print("ok", check.__name__)


main()
