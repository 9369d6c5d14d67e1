"""Monotone nets, and weights that keep their signs."""
import os
import pickle
import subprocess

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, KFold

import vise

VISE = os.environ.get("VISE")


@pytest.fixture
def cars():
    rng = np.random.default_rng(0)
    n = 300
    x = pd.DataFrame({"weight": rng.normal(1500, 300, n), "power": rng.normal(100, 30, n),
                      "fuel": rng.choice(["diesel", "petrol"], n)})
    x.loc[::11, "power"] = np.nan
    return x, pd.Series(30 - x.weight / 100 + x.power.fillna(100) / 40 + rng.normal(0, 4, n), name="range")


def outputs_along(net, x, column):
    """Predictions where one column takes values from low to high, the others stay as they are: [rows, values]."""
    low, high = x[column].min(), x[column].max()
    return np.stack([net.predict(x.head(40).assign(**{column: low + (high - low) * i / 15})) for i in range(16)], axis=1)


@pytest.mark.parametrize("monotone", [{"weight": -1, "power": "+"}, {0: -1, 1: 1, "fuel": 0}, [-1, 1, 0], "weight=-,power=+",
                                      np.array([-1.0, 1.0, 0.0])])
def test_outputs_are_monotone_however_it_is_said(cars, monotone):
    x, y = cars
    net = vise.Regressor(monotone=monotone, epochs=40).fit(x, y)
    assert (np.diff(outputs_along(net, x, "weight"), axis=1) <= 1e-4).all()
    assert (np.diff(outputs_along(net, x, "power"), axis=1) >= -1e-4).all()
    assert net.score(x, y) > 0.2
    same = vise.Regressor(monotone="weight=-,power=+", epochs=40).fit(x, y)
    assert same.model_.to_bytes() == net.model_.to_bytes()


def test_they_stay_so_in_warm_starts_pickles_clones_and_partial_fits(cars):
    x, y = cars
    net = clone(vise.Regressor(monotone={"power": 1}, warm_start=True, epochs=3)).fit(x, y)
    for _ in range(3):
        net = pickle.loads(pickle.dumps(net)).fit(x, -y)
        assert (np.diff(outputs_along(net, x, "power"), axis=1) >= -1e-4).all()
    net = vise.Regressor(monotone={"power": 1})
    for _ in range(5):
        net.partial_fit(x, -y)
    net = pickle.loads(pickle.dumps(net)).partial_fit(x, -y)
    assert (np.diff(outputs_along(net, x, "power"), axis=1) >= -1e-4).all()


def test_a_search_has_the_scores_of_grid_search():
    x, y = load_diabetes(return_X_y=True)
    net, grid = vise.Regressor(steps=150, monotone=[0, 0, 1, 1] + [0] * 6), {"l2": [0, 1e-2], "monotone": [None, {2: 1}]}
    ours = vise.SearchCV(net, grid, cv=KFold(3)).fit(x, y)
    theirs = GridSearchCV(net, grid, cv=KFold(3)).fit(x, y)
    assert np.array_equal(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])
    assert ours.best_estimator_.model_.to_bytes() == theirs.best_estimator_.model_.to_bytes()


@pytest.mark.parametrize("options, error, says", [
    (dict(monotone={"colour": 1}), ValueError, "no feature 'colour'; it has weight"),
    (dict(monotone={"weight": 2}), ValueError, "2 for 'weight'"), (dict(monotone=[1, 0]), ValueError, "each of the 3"),
    (dict(monotone=1), ValueError, "dict by feature"), (dict(monotone="weight+"), ValueError, "NAME=+"),
    (dict(monotone="weight=+,weight=-"), ValueError, "twice"), (dict(monotone={"fuel": 1}), ValueError, "holds text"),
    (dict(monotone={3: 1}), ValueError, "no feature 3"), (dict(monotone=[1, 0, 0], activation="gelu"), ValueError, "gelu"),
    (dict(monotone={"power": 1}, sign={"0.weight": 1}), ValueError, "both"), (dict(sign=3), TypeError, "sign"),
    (dict(sign={"9.weight": 1}), ValueError, "9.weight"), (dict(sign={"0.weight": 2}), ValueError, "other than"),
    (dict(sign={"0.weight": [1]}), ValueError, "shape"), (dict(sign="none.safetensors"), OSError, "none.safetensors")])
def test_what_is_wrong_is_told(cars, options, error, says):
    with pytest.raises(error, match=says):
        vise.Regressor(steps=10, **options).fit(*cars)


def test_classes(cars):
    x, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="loss='bce'"):
        vise.Classifier(monotone={0: 1}).fit(x, y)
    net = vise.Classifier(monotone={2: 1}, loss="bce").fit(x[50:], y[50:])
    rising = x[50:70].copy()
    rising[:, 2] += 1
    assert (net.decision_function(rising) >= net.decision_function(x[50:70])).all() and net.score(x[50:], y[50:]) > 0.9


def test_signs_of_tensors(tmp_path):
    x, y = load_diabetes(return_X_y=True)
    net = vise.Regressor(steps=200, layers="auto-6-auto", sign={"0.weight": 1, "2.weight": [[-1, -1, 0, 0, 1, 1]]}).fit(x, y)
    first, second = net.model_["0.weight"], net.model_["2.weight"][0]
    assert first.min() == 0 and second[:2].max() <= 0 and second[4:].min() >= 0 and second[2:4].any()
    model = vise.Model([2, 3, 1], seed=3)
    model.set_signs({"2.weight": -1})
    assert model["2.weight"].max() <= 0
    trainer = vise.Trainer(model, loss="mse", lr=0.1)
    rng = np.random.default_rng(0)
    for _ in range(30):
        trainer.step(rng.normal(size=(16, 2)), np.ones((16, 1)))
    assert trainer.model["2.weight"].max() <= 0


@pytest.mark.skipif(not VISE, reason="VISE does not name the tool")
def test_the_tool_makes_the_same_weights(cars, tmp_path):
    x, y = cars
    x.assign(range=y).to_csv(tmp_path / "cars.csv", index=False)
    frame = pd.read_csv(tmp_path / "cars.csv")
    x, y = frame.drop(columns="range"), frame["range"]

    def tool(*options):
        subprocess.run([VISE, "train", "--train", tmp_path / "cars.csv", "--cross-validate", "no", "--epochs", "5", "--out",
                        tmp_path / "run", "--overwrite", "--quiet", *options], check=True)
        return vise.load(tmp_path / "run")

    theirs = tool("--monotone", "weight=-,power=+")
    ours = vise.Regressor(monotone={"weight": -1, "power": 1}, epochs=5).fit(x, y).model_
    assert all(np.array_equal(theirs[name], ours[name]) for name in ours.tensor_names)
    signs = tmp_path / "run" / "signs.safetensors"
    kept = tmp_path / "kept.safetensors"
    kept.write_bytes(signs.read_bytes())
    theirs, ours = tool("--sign", kept), vise.Regressor(sign=kept, epochs=5).fit(x, y).model_
    assert all(np.array_equal(theirs[name], ours[name]) for name in ours.tensor_names)
