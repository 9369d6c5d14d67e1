"""Models, the trainer, the search, and the documentation's own examples."""
import doctest
import importlib
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, GroupKFold

import vise

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


@pytest.mark.parametrize("name", ["vise", "vise.model", "vise._estimators", "vise._search", "vise._trainer"])
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0 and (result.attempted > 0)


def test_model_files_and_tensors(tmp_path):
    model = vise.Model([3, 5, 2], activation="tanh", seed=2)
    weight = model["0.weight"]
    assert weight.shape == (5, 3) and model["2.bias"].shape == (2,)
    model["0.weight"] = weight * 2
    vise.save(model, tmp_path / "m.safetensors")
    again = vise.load(tmp_path / "m.safetensors")
    assert np.array_equal(again["0.weight"], weight * 2) and repr(again) == repr(model)
    assert pickle.loads(pickle.dumps(model)).to_bytes() == model.to_bytes()
    with pytest.raises(KeyError, match="0.weight"):
        model["none"]
    with pytest.raises(ValueError, match="shape"):
        model["0.weight"] = np.zeros((3, 5))
    with pytest.raises(OSError, match="none.safetensors"):
        vise.load(tmp_path / "none.safetensors")
    with pytest.raises(ValueError):
        vise.Model.from_bytes(b"nothing")
    with pytest.raises(vise.Error):
        vise.Model([3, 0, 2])


def test_torch_agrees():
    torch = pytest.importorskip("torch")
    x, y = load_iris(return_X_y=True)
    net = vise.Classifier(layers="auto-8-6-auto", batch_norm=True, dropout=0.1, activation="silu").fit(x, y)
    inputs = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    with torch.no_grad():
        theirs = net.to_torch()(torch.from_numpy(inputs)).numpy()
    assert np.allclose(theirs, net.model_.predict(inputs, "raw"), rtol=1e-5, atol=1e-6)


def test_steps_with_a_loss_of_ones_own_are_those_of_the_library():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 3)), rng.normal(size=(16, 1))
    options = dict(optimizer="adam", lr=0.01, clamp=0.4, clip_norm=1)
    own = vise.Trainer(vise.Model([3, 8, 1], dtype="float64"), loss="external", **options)
    theirs = vise.Trainer(vise.Model([3, 8, 1], dtype="float64"), loss="mse", **options)
    for _ in range(20):
        out = own.forward(x)
        own.step_external(x, (out - y) / 16, loss=float(((out - y) ** 2).mean() / 2))
        theirs.step(x, y)
    assert np.allclose(own.model["0.weight"], theirs.model["0.weight"], rtol=0, atol=1e-12)
    assert abs(own.model["0.weight"]).max() <= 0.4


def test_tensors_come_and_go_by_dlpack():
    torch = pytest.importorskip("torch")
    trainer = vise.Trainer(vise.Model([3, 4, 1]), loss="external", lr=0.1)
    x = torch.randn(8, 3)
    scores = torch.from_dlpack(trainer.forward(x))
    assert scores.dtype == torch.float32 and scores.shape == (8, 1)
    step = trainer.step_external(x, torch.ones(8, 1) / 8)
    assert step.step == 1 and trainer.forward(x).mean() < scores.mean()


def test_a_state_goes_on_with_the_same_bits():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 3)), rng.normal(size=(16, 1))
    make = [vise.Trainer(vise.Model([3, 8, 1]), loss="mse", optimizer="adam") for _ in range(2)]
    make[0].step(x, y)
    make[1].restore(make[0].state())
    assert make[0].step(x, y) == make[1].step(x, y)
    assert make[0].model.to_bytes() == make[1].model.to_bytes()
    make[0].lr = 0.5
    assert make[0].step(x, y).lr == 0.5
    with pytest.raises(ValueError, match="learning rate"):
        make[0].lr = -1
    with pytest.raises(ValueError, match="dimensions"):
        make[0].step(np.zeros((2, 3, 1)), y)


def test_search_gives_the_scores_of_grid_search():
    x, y = load_iris(return_X_y=True)
    grid = [{"clamp": [0.1, 1.0], "l2": [0.0, 1e-3]}, {"max_norm": [1.0]}]
    net, groups = vise.Classifier(steps=60), np.arange(150) % 7
    by_group = dict(cv=GroupKFold(3), scoring="neg_log_loss", return_train_score=True)
    for extra, given in ((dict(cv=3), {}), (by_group, dict(groups=groups))):
        ours = vise.SearchCV(net, grid, **extra).fit(x, y, **given)
        theirs = GridSearchCV(net, grid, **extra).fit(x, y, **given)
        assert set(ours.cv_results_) == set(theirs.cv_results_)
        for name in theirs.cv_results_:
            if "time" not in name:
                assert list(ours.cv_results_[name]) == list(theirs.cv_results_[name]), name
        assert ours.best_params_ == theirs.best_params_ and ours.score(x, y) == theirs.score(x, y)
        assert np.array_equal(ours.predict_proba(x), theirs.predict_proba(x))


HELD_OUT = dict(val_fraction=0.2, patience=2)


@pytest.mark.parametrize("options, grid", [
    (dict(epochs=9), {"lr": [None, 0.1], "steps": [None, 40], "layers": ["auto-4-auto", None]}),
    (HELD_OUT, {"patience": [2, None, 9], "clamp": [None, 0.2]}), (HELD_OUT, {"seed": [1, 2]}),
    (HELD_OUT, {"shuffle": [True, False]}), (HELD_OUT, {"random_state": [3, 4]}), ({}, {"val_fraction": [0, 0.2]}),
    ({}, {"scale": ["none", "standard"]}), ({}, {"batch": [8, 200]}), ({}, {"backend": ["cpu", "cpu64"], "dropout": [0.1]}),
    ({}, {"loss": ["hinge", None]}), ({}, {"class_weight": [None, {0: 0.1}]}), ({}, {"drop": [None, [3]]}),
    (dict(recipe="none", warm_start=True), {"lr_schedule": [None, "cosine"], "epochs": [3]})])
def test_a_search_shares_the_data_of_those_fits_alone_that_have_the_same(options, grid):
    net = vise.Classifier(**{"epochs": 10, **options})
    x, y = load_iris(return_X_y=True)
    x[::9, 1] = np.nan
    ours = vise.SearchCV(net, grid, cv=3, scoring="r2").fit(x, y)
    theirs = GridSearchCV(net, grid, cv=3, scoring="r2").fit(x, y)
    for split in range(3):
        name = f"split{split}_test_score"
        assert list(ours.cv_results_[name]) == list(theirs.cv_results_[name])


def test_search_tells_what_is_wrong():
    x, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="lr"):
        vise.SearchCV(vise.Classifier(), {"lr": [-1]}, error_score="raise").fit(x, y)
    with pytest.warns(FitFailedWarning, match="lr"):
        search = vise.SearchCV(vise.Classifier(steps=10), {"lr": [-1, 0.1]}).fit(x, y)
    assert search.best_params_ == {"lr": 0.1} and np.isnan(search.cv_results_["mean_test_score"][0])
    with pytest.raises(TypeError, match="GridSearchCV"):
        vise.SearchCV(object(), {}).fit(x, y)


def test_import_is_light_and_needs_numpy_alone():
    code = ("import time, sys, numpy\nt = time.process_time()\nimport vise\nt = time.process_time() - t\n"
            "assert 'sklearn' not in sys.modules and 'pandas' not in sys.modules\nprint(t)")
    path = os.pathsep.join(p for p in sys.path if p)
    times = [float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True,
                                  env=dict(os.environ, PYTHONPATH=path)).stdout) for _ in range(5)]
    assert min(times) < 0.1  # some 15 ms on an idle machine

    hide = ("import sys\nsys.modules['sklearn'] = sys.modules['sklearn.base'] = None\nimport numpy as np, vise\n"
            "x = np.random.default_rng(0).normal(size=(99, 2))\n"
            "net = vise.Classifier(steps=300).fit(x, x[:, 0] > 0)\nassert net.score(x, x[:, 0] > 0) > 0.9\n"
            "assert vise.Regressor().fit(x, x[:, 0]).score(x, x[:, 0]) > 0.9\n"
            "labels = (x > 0).astype(int)\nassert vise.Classifier(steps=300).fit(x, labels).score(x, labels) > 0.8\n"
            "try:\n    vise.SearchCV\nexcept ImportError as error:\n    print(error)\nprint(net)")
    done = subprocess.run([sys.executable, "-c", hide], check=True, capture_output=True, text=True,
                          env=dict(os.environ, PYTHONPATH=path))
    assert done.stdout == ("vise.SearchCV needs scikit-learn, which is not installed: pip install scikit-learn\n"
                           "Classifier(steps=300)\n")


def test_version_is_that_of_the_project():
    with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as file:
        assert f'version = "{vise.__version__}"' in file.read()


def test_certificates_hold_for_the_rows():
    x, y = load_iris(return_X_y=True)
    net = vise.Classifier(clamp=1).fit(x, y)
    proof, raw = net.certify(x), net._outputs(x, "raw")
    bounds = np.array(proof["outputs"])
    assert (raw >= bounds[:, 0]).all() and (raw <= bounds[:, 1]).all()
    with pytest.raises(ValueError, match="inputs"):
        vise.Model([2, 1]).certify(inputs=(1, 2, 3))
    with pytest.raises(ValueError):
        vise.Model([2, 1]).certify()


def test_certificates_have_the_sums_of_integers():
    x, y = load_iris(return_X_y=True)
    assert "integer" not in vise.Classifier().fit(x, y).certify(x)
    for net, more, trained in ((vise.Classifier(quantize="int8,acc14,act4"), {}, True),
                               (vise.Classifier(), dict(integers="int16,acc24"), False)):
        proof = net.fit(x, y).certify(x, **more)["integer"]
        low, high = proof["limits"]
        assert proof["trained"] is trained and 0 < proof["fullest"] <= 1
        assert all(low <= a <= b <= high for layer in proof["layers"] for a, b in layer["sums"])
    proof = vise.Model([2, 3, 1], seed=1).certify((-1, 1), integers="int8,acc16", data=[[0.5, -1], [1, 1]])
    assert proof["integer"]["format"] == "int8,acc16,act8,in8"
    with pytest.raises(ValueError, match="unconstrained"):
        net.certify(x, integers="int8,acc16,unconstrained")


# What predicts with the C of a net in integers: rows of numbers in, raw outputs out.
INTEGER_MAIN = """
#include <stdio.h>
#include "net.h"
int main(void) {
  uint8_t x[NET_INPUTS];
  int32_t y[NET_OUTPUTS];
  float value;
  for (int i = 0; scanf("%f", &value) == 1; i++) {
    x[i % NET_INPUTS] = net_quantize(i % NET_INPUTS, value);
    if (i % NET_INPUTS != NET_INPUTS - 1) continue;
    net_run(x, y);
    for (int k = 0; k < NET_OUTPUTS; k++) printf("%.17g\\n", (double)net_real(k, y[k]));
  }
  return 0;
}
"""


def test_predictions_in_integers_are_those_of_the_exported_c(tmp_path):
    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    rounded = vise.Classifier(layers="auto-8-auto", scale="none").fit(x, y).model_
    trained = vise.Classifier(layers="auto-8-auto", scale="none", quantize="int8,acc14,act4").fit(x, y).model_
    for name, model, more in (("rounded", rounded, dict(integers="int8,acc16", data=x[::2])), ("trained", trained, {})):
        folder = tmp_path / name
        model.export(folder, "c", **more)
        (folder / "main.c").write_text(INTEGER_MAIN)
        subprocess.run(["cc", "-std=c99", "net.c", "main.c", "-o", "main"], cwd=folder, check=True)
        rows = " ".join(repr(float(value)) for value in x.ravel())
        told = subprocess.run(["./main"], cwd=folder, input=rows, check=True, capture_output=True, text=True).stdout
        outputs = np.array(told.split(), dtype=float).reshape(len(x), 3)
        got = model.predict(x, "raw", **(more or dict(integers="int8,acc14,act4")))
        np.testing.assert_allclose(got, outputs, rtol=1e-6)
    assert (rounded.predict(x, integers="int8,acc16", data=x[:9]) != rounded.predict(x, integers="int8,acc16")).any()
    assert (rounded.predict(x, integers="int8,acc16", data=x) == rounded.predict(x, integers="int8,acc16")).all()


def test_predictions_in_integers_refuse():
    model, x = vise.Model([2, 3, 1], seed=1), [[0.5, -1.0]]
    with pytest.raises(ValueError, match="`data` is for `integers`"):
        model.predict(x, data=x)
    for text in ("int8", "int7,acc16", "int8,acc99"):
        with pytest.raises(ValueError, match="acc|int"):
            model.predict(x, integers=text)
    with pytest.raises(ValueError):
        model.predict(x, integers="int8,acc16", data=[[1.0, 2.0, 3.0]])
    quantized = vise.Regressor(quantize="int8,acc16").fit(np.eye(4), np.arange(4.0)).model_
    with pytest.raises(ValueError, match="ranges"):
        quantized.predict(np.eye(4), integers="int8,acc16", data=np.eye(4))


def test_exports_are_files_that_run(tmp_path):
    x, y = load_iris(return_X_y=True)
    net = vise.Classifier(layers="auto-8-auto").fit(x, y)
    net.export(tmp_path / "onnx")
    assert os.listdir(tmp_path / "onnx") == ["net.onnx"]
    for format_, more in (("h", {}), ("c", dict(integers="int8,acc16"))):
        folder = tmp_path / format_
        net.export(folder, format_, X=x, name="iris", **more)
        sources = [name for name in os.listdir(folder) if name.endswith(".c")]
        subprocess.run(["cc", "-std=c99", "-Werror", *sources, "-o", "check", "-lm"], cwd=folder, check=True)
        assert ", 0 " in subprocess.run(["./check"], cwd=folder, check=True, capture_output=True, text=True).stdout
    with pytest.raises(ValueError, match="not empty"):
        net.export(tmp_path / "h", "h")
    with pytest.raises(ValueError, match="onnx"):
        net.export(tmp_path / "new", "tflite")
    assert not (tmp_path / "new").exists()
