"""Fits at the edges: one row, one class, targets that are all the same, float32, numbers that go wrong, epochs by score."""
import pickle
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

import vise

STEEP = dict(recipe="none", layers="auto-100-auto", activation="identity", optimizer="sgd", lr=1, epochs=20, batch=200,
             patience=10, val_fraction=0.1)  # weights overflow within a few epochs


def test_one_row_is_learnt():
    with pytest.warns(RuntimeWarning, match="y is 4 in every row"):
        net = vise.Regressor(steps=300).fit([[2.0, 5.0]], [4.0])
    assert net.input_names_ == ["column 0", "column 1"] and abs(net.predict([[2.0, 5.0]])[0] - 4) < 1e-3
    with pytest.warns(RuntimeWarning, match="class 'a'"):
        assert vise.Classifier(steps=3).fit([[2.0]], ["a"]).predict([[9.0], [2.0]]).tolist() == ["a", "a"]


def test_constant_targets_are_predicted():
    x = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.warns(RuntimeWarning, match="y is 7 in every row") as told:
        net = vise.Regressor(val_fraction=0.2, patience=3).fit(x, np.full(40, 7.0))
    assert told[0].filename == __file__
    assert np.abs(net.predict(x) - 7).max() < 0.3
    several = vise.Regressor().fit(x, np.column_stack([x[:, 0], np.full(40, 7.0)]))  # one of two says something
    assert np.abs(several.predict(x)[:, 1] - 7).max() < 1


@pytest.mark.parametrize("y, weights, only", [(["a"] * 9, None, "a"), ([3] * 9, None, 3), ([0, 1, 2] * 3, [0, 1, 0] * 3, 1),
                                              ([0, 1, 0] * 3, [0, 0.5, 0] * 3, 1), ([0, 1, 0] * 3, [1, 0, 1] * 3, 0)])
def test_one_class_alone_is_predicted(y, weights, only):
    x = np.random.default_rng(0).normal(size=(9, 2))
    net = vise.Classifier(steps=5, label_smoothing=0.1)
    with pytest.warns(RuntimeWarning, match="all rows .* are of the class") as told:
        net.fit(x, y, weights)
    assert told[0].filename == __file__
    for one in (net, pickle.loads(pickle.dumps(net))):
        assert one.classes_.tolist() == sorted(set(y)) and set(one.predict(x).tolist()) == {only}
        assert np.array_equal(one.predict_proba(x), np.tile(one.classes_ == only, (9, 1)))
        decisions = one.decision_function(x)
        if len(one.classes_) == 2:
            assert ((decisions > 0) == (only == one.classes_[1])).all()
        elif len(one.classes_) == 3:
            assert set(decisions.argmax(axis=1)) == {one.classes_.tolist().index(only)}
    net.partial_fit(x, [only] * 9)
    with pytest.raises(ValueError, match="alone, and y has others|not those of this"):
        net.partial_fit(x, [only] * 8 + [5])
    two = net.fit(x, [0, 1, 1] * 3)
    assert len(two.classes_) == 2 and two.predict_proba(x).min() < 1


def test_partial_fit_takes_one_class():
    x = np.random.default_rng(0).normal(size=(9, 2))
    net = vise.Classifier().partial_fit(x, ["a"] * 9, classes=["a"]).partial_fit(x, ["a"] * 9)
    assert set(net.predict(x)) == {"a"} and np.array_equal(net.predict_proba(x), np.ones((9, 1)))


@pytest.mark.parametrize("backend", ["cpu", "cpu64"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_come_in_the_type_of_x(backend, dtype):
    x, y = load_iris(return_X_y=True)
    net = vise.Classifier(backend=backend, layers="auto-5-auto", epochs=2).fit(x.astype(dtype), y)
    line = vise.Regressor(backend=backend, epochs=2).fit(x.astype(dtype), y)
    made = [*net.coefs_, *net.intercepts_, line.predict(x.astype(dtype)), net.predict_proba(x.astype(dtype)),
            net.decision_function(x.astype(dtype)), net.predict_log_proba(x.astype(dtype))]
    assert {values.dtype for values in made} == {np.dtype(dtype)}
    assert [c.shape for c in net.coefs_] == [(4, 5), (5, 3)] and [b.shape for b in net.intercepts_] == [(5,), (3,)]
    assert np.array_equal(net.coefs_[0], net.model_["0.weight"].T.astype(dtype))
    assert line.predict(x).dtype == np.float64 and net.n_layers_ == 3 and net.n_outputs_ == 3


def test_coefs_are_those_of_linear_layers():
    x, y = load_iris(return_X_y=True)
    net = vise.Classifier(layers="auto-5-auto", epochs=2, batch_norm=True).fit(x, y)
    assert [c.shape for c in net.coefs_] == [(4, 5), (5, 3)] and [b.shape for b in net.intercepts_] == [(3,)]


def test_patience_by_score_keeps_the_best_epoch():
    x, y = load_iris(return_X_y=True)
    options = dict(recipe="none", layers="auto-8-auto", optimizer="adam", epochs=300, val_fraction=0.3, patience=5, seed=2)
    by_loss = vise.Classifier(**options).fit(x, y)
    net = vise.Classifier(patience_by="score", **options).fit(x, y)
    scores = net.validation_scores_
    assert len(scores) == net.n_iter_ == len(net.validation_loss_curve_) and net.stop_reason_ == "patience"
    assert net.best_validation_score_ == max(scores) == scores[net.best_epoch_ - 1] and net.best_loss_ is None
    assert net.best_epoch_ == 1 + scores.index(max(scores)) == net.n_iter_ - 5 and net.n_iter_ < by_loss.n_iter_
    none = vise.Classifier(epochs=3).fit(x, y)
    assert none.validation_scores_ is None and none.best_validation_score_ is None
    assert none.best_loss_ == min(none.loss_curve_)


def test_search_and_fit_agree_on_epochs_by_score():
    from sklearn.model_selection import GridSearchCV

    x, y = load_diabetes(return_X_y=True)
    net = vise.Regressor(patience=3, patience_by="score", val_fraction=0.2, epochs=60, steps=False)
    grid = {"lr": [1e-3, 1e-2]}
    ours, theirs = (kind(net, grid, cv=3).fit(x, y).cv_results_["mean_test_score"] for kind in (vise.SearchCV, GridSearchCV))
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("policy", [None, "propagate"])
def test_what_patience_kept_survives_numbers_that_go_wrong(policy):
    from sklearn.model_selection import GridSearchCV

    x, y = load_iris(return_X_y=True)
    net = vise.Regressor(nonfinite=policy, **STEEP)
    with pytest.warns(RuntimeWarning, match="the weights of epoch 1, the best before, are kept"):
        net.fit(x, y)
    assert net.best_epoch_ == 1 and net.stop_reason_ in ("nonfinite", "max-skips") and np.isfinite(net.predict(x)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = (kind(net, {"lr": [1, 1e-3]}, cv=2, error_score="raise").fit(x, y).cv_results_["mean_test_score"]
                        for kind in (vise.SearchCV, GridSearchCV))
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("params", [dict(nonfinite="halt"), dict(keep_best=False), dict(patience=None)])
def test_numbers_that_go_wrong_are_an_error_else(params):
    x, y = load_iris(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(FloatingPointError, match="finite"):
            vise.Regressor(**{**STEEP, **params}).fit(x, y)
