"""Several labels: y with a column of 0 and 1 for each."""
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import log_loss

import vise


@pytest.fixture
def labels():
    """Rows of which each label is there by an input of its own; three columns, of all combinations."""
    x = np.random.default_rng(0).normal(size=(400, 3))
    return x, (x > [0, 0.5, -0.5]).astype(int)


def test_labels_are_learnt_each_by_itself(labels):
    x, y = labels
    net = vise.Classifier(steps=600).fit(x, y)
    assert net.model_.loss == "bce" and net.model_.widths[-1] == 3 and net.classes_.tolist() == [0, 1, 2]
    assert net.score(x, y) > 0.9
    chances = net.predict_proba(x)
    assert np.array_equal(net.predict(x), (chances > 0.5).astype(int))
    assert np.array_equal(net.decision_function(x) > 0, chances > 0.5)
    assert np.abs(chances.sum(axis=1) - 1).max() > 0.5
    assert np.allclose(1 / (1 + np.exp(-net.decision_function(x))), chances, atol=1e-6)
    assert np.array_equal(pickle.loads(pickle.dumps(net)).predict_proba(x), chances)


def test_the_loss_is_the_mean_over_labels(labels):
    x, y = labels
    net = vise.Classifier(recipe="none", backend="cpu64", layers="auto-3", epochs=1, batch="full", lr=0).fit(x, y)
    chances = net.predict_proba(x)
    assert net.loss_ == pytest.approx(np.mean([log_loss(y[:, k], chances[:, k]) for k in range(3)]), rel=1e-12)


def test_the_same_bits_however_labels_come(labels):
    x, y = labels
    bits = vise.Classifier(steps=50).fit(x, y).model_["0.weight"]
    frame = vise.Classifier(steps=50).fit(pd.DataFrame(x, columns=list("abc")), pd.DataFrame(y, columns=["c", "d", "e"]))
    assert np.array_equal(frame.model_["0.weight"], bits)
    for other in (y.astype(bool), y.astype(np.float32), y.tolist(), csr_matrix(y)):
        assert np.array_equal(vise.Classifier(steps=50).fit(x, other).model_["0.weight"], bits)


def test_other_ways_to_fit_labels(labels):
    x, y = labels
    search = vise.SearchCV(vise.Classifier(steps=300), {"l2": [0, 0.3]}, cv=3).fit(x, y)
    assert search.best_params_ == {"l2": 0} and search.best_score_ > 0.8 and search.predict(x).shape == y.shape
    net = vise.Classifier(lr=0.01)
    for _ in range(60):
        net.partial_fit(x, y, classes=["red", "green", "blue"])
    assert net.score(x, y) > 0.8 and net.classes_.tolist() == ["blue", "green", "red"]
    warm = vise.Classifier(warm_start=True, epochs=20).fit(x, y)
    begun = warm.loss_curve_[-1]
    assert len(warm.fit(x, y).loss_curve_) == 40 and warm.loss_ < begun
    assert vise.Classifier(loss="hinge", steps=600).fit(x, y).score(x, y) > 0.9
    absent = np.column_stack([y, np.zeros(len(y))])
    assert vise.Classifier(steps=300).fit(x, absent).predict_proba(x)[:, 3].max() < 0.3


def test_what_does_not_go_with_labels_is_told(labels):
    x, y = labels
    fitted = vise.Classifier(warm_start=True, epochs=2).fit(x, y)
    for call, says in (
            (lambda: vise.Classifier().fit(x, y + 1), "other values than 0 and 1"),
            (lambda: vise.Classifier().fit(x, np.where(y == 0, "no", "yes")), "other values than 0 and 1"),
            (lambda: vise.Classifier().fit(x, np.where(y == 0, np.nan, y)), "NaN"),
            (lambda: vise.Classifier(loss="cross-entropy").fit(x, y), "bce or hinge"),
            (lambda: vise.Classifier(class_weight="balanced").fit(x, y), "one class in each row"),
            (lambda: vise.Classifier().fit(x[:9], y), "inconsistent numbers of samples"),
            (lambda: vise.Classifier().partial_fit(x, y, classes=[0, 1]), "3 labels, but there are 2"),
            (lambda: fitted.fit(x, y[:, :2]), "3 columns, not 2"),
            (lambda: fitted.fit(x, y[:, 0]), "same classes"),
            (lambda: fitted.partial_fit(x, y[:, :2]), "2 labels, but there are 3"),
            (lambda: fitted.partial_fit(x, y[:, 0]), "3 labels in the first call")):
        with pytest.raises(ValueError, match=says):
            call()
