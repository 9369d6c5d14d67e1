"""Estimators: scikit-learn's own checks, and what they have beyond them."""
import inspect
import pickle
import signal
import threading
import time
import unittest
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import vise

BEFORE_1_6 = "on_fail" not in inspect.signature(check_estimator).parameters
SEARCH = {"batch": "full", "lr": 0.02, "steps": 250}


def estimators(backend):
    yield vise.Classifier(backend=backend)
    yield vise.Regressor(backend=backend)
    yield vise.SearchCV(vise.Classifier(backend=backend, **SEARCH), {"l2": [0, 1e-3]}, cv=2)
    yield vise.SearchCV(vise.Regressor(backend=backend, **SEARCH), {"l2": [0, 1e-3]}, cv=2)


def old_failures(estimator):
    """Checks that fail, by scikit-learn before 1.6, which stops at the first and takes all parameters for optional."""
    failures = []
    for one, check in check_estimator(estimator, generate_only=True):
        try:
            check(one)
        except unittest.SkipTest:
            pass
        except Exception as error:
            failures.append((str(check), error))
    return [failure for failure in failures if "check_parameters_default_constructible" not in failure[0]]


@pytest.mark.parametrize("backend", ["cpu", "cpu64"])
def test_all_checks_of_scikit_learn_pass(backend):
    for estimator in estimators(backend):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if BEFORE_1_6:
                assert not old_failures(estimator)
                continue
            checks = check_estimator(estimator, on_fail=None, on_skip=None)
        wrong = [(c["check_name"], c["exception"]) for c in checks if c["status"] not in ("passed", "skipped")]
        assert not wrong, (estimator, wrong)
        skipped = {c["check_name"] for c in checks if c["status"] == "skipped"}
        assert skipped <= {"check_array_api_input"}
        assert len(checks) > 55


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


def test_weights_stay_in_the_box(iris):
    net = vise.Classifier(clamp=(-0.3, 0.2), seed=1).fit(*iris)
    weights = net.model_["0.weight"]
    assert weights.min() == np.float32(-0.3) and weights.max() == np.float32(0.2)
    assert net.score(*iris) > 0.9


@pytest.mark.parametrize("value, text", [
    (dict(clamp=0.5), "-0.5:0.5"), (dict(clamp="-1:2"), "-1:2"), (dict(clamp=(-1, np.float32(2))), "-1:2"),
    (dict(layers=[None, 7, None]), "auto-7-auto"), (dict(layers="auto-7-3"), "auto-7-3"), (dict(bias=False), "yes"),
    (dict(clip_norm=False), "off"), (dict(shuffle=False), "no"), (dict(class_weights=[1, 2.5]), "1,2.5"),
    (dict(clamp_layer={1: 0.5}), "1=-0.5:0.5")])
def test_values_are_what_python_has_for_them(value, text):
    from vise._options import Configs

    configs = Configs()
    for name, given in value.items():
        configs.set(name, given)
        assert configs.get(name) == text


@pytest.mark.parametrize("params, error, says", [
    (dict(clamp="x"), ValueError, "clamp"), (dict(lr=-1), ValueError, "lr"), (dict(optimizer="best"), ValueError, "adam"),
    (dict(clamp=object()), TypeError, "clamp"), (dict(nesterov="maybe"), ValueError, "nesterov"),
    (dict(recipe="cake"), ValueError, "recipe"), (dict(seed=1, random_state=2), ValueError, "seed"),
    (dict(patience=3), ValueError, "patience"), (dict(drop=["z"]), ValueError, "z"),
    (dict(class_weight={7: 1.0}), ValueError, "7"), (dict(backend="cuda", step="none"), ValueError, "step"),
    (dict(layers="auto-8-2"), ValueError, "classes"), (dict(layers=64), ValueError, "`layers`: '64' is not two or more"),
    (dict(weight_op_t=2), ValueError, "`weight_op_t` 2"), (dict(threads=-1), ValueError, "`threads`"),
    (dict(patience=2, recipe="none"), ValueError, "`patience` needs validation data .`val_fraction`")])
def test_wrong_options_are_told(iris, params, error, says):
    with pytest.raises(error, match=says):
        vise.Classifier(**params).fit(*iris)


def test_same_seed_same_bits(iris):
    one, two = (vise.Classifier(seed=3, dropout=0.2).fit(*iris).model_.to_bytes() for _ in range(2))
    assert one == two != vise.Classifier(seed=4, dropout=0.2).fit(*iris).model_.to_bytes()


def test_warm_start_goes_on_with_the_same_bits_also_from_a_pickle(iris):
    options = dict(recipe="none", layers="auto-8-auto", optimizer="adam", momentum=None)
    net = vise.Classifier(epochs=5, warm_start=True, **options).fit(*iris)
    other = pickle.loads(pickle.dumps(net))
    net.fit(*iris), other.fit(*iris)
    once = vise.Classifier(epochs=10, **options).fit(*iris)
    for name in once.model_.tensor_names:
        assert np.array_equal(net.model_[name], once.model_[name])
        assert np.array_equal(other.model_[name], once.model_[name])
    for warm in (net, other):
        assert warm.n_iter_ == 5 and warm.n_steps_ == once.n_steps_ and warm.loss_curve_ == once.loss_curve_


def test_warm_start_goes_on_with_other_rows_options_and_the_recipe(iris):
    x, y = iris
    net = vise.Classifier(warm_start=True, epochs=30).fit(x[::2], y[::2])
    score, curve = net.score(x, y), net.loss_curve_
    net.fit(x[1::2], y[1::2])
    assert net.score(x, y) >= score - 0.05 and net.loss_curve_[:30] == curve and len(net.loss_curve_) == 60
    assert net.loss_curve_[30] < 2 * curve[-1] and net.n_iter_ == 30
    net.set_params(l2=0.01, epochs=7).fit(x, y)
    assert net.n_iter_ == 7 and len(net.loss_curve_) == 67 and net.n_steps_ == 60 * 3 + 7 * 5
    net.fit(x, y)
    assert net.n_iter_ == 7 and len(net.loss_curve_) == 74 and not np.isnan(net.loss_curve_).any()
    with pytest.raises(ValueError, match=r"Previously got \[0 1 2\], `y` has \[0 1\]"):
        net.fit(x[:100], y[:100])
    with pytest.raises(ValueError, match="expecting 4 features"):
        net.fit(x[:, :2], y)
    assert net.score(x, y) > 0.9


def test_warm_start_keeps_the_scaling_of_targets():
    x, y = load_diabetes(return_X_y=True)
    net = vise.Regressor(warm_start=True, epochs=60, lr=0.01).fit(x[:300], y[:300])
    before = net.predict(x[:5])
    net.set_params(epochs=1, lr=1e-9).fit(x[300:], y[300:] + 50)
    assert np.allclose(net.predict(x[:5]), before, rtol=1e-3)
    assert np.array_equal(pickle.loads(pickle.dumps(net)).predict(x), net.predict(x))


def test_warm_start_notes_the_best_epoch_of_all(iris):
    net = vise.Classifier(warm_start=True, epochs=20, val_fraction=0.2, patience=50).fit(*iris)
    net.fit(*iris)
    curve = net.validation_loss_curve_
    assert len(curve) == 40 and curve[net.best_epoch_ - 1] == min(curve)
    net.set_params(l2=1e-3).fit(*iris)
    curve = net.validation_loss_curve_
    assert len(curve) == 60 and curve[net.best_epoch_ - 1] == min(curve[40:])


def test_partial_fit_keeps_columns_that_are_constant_at_first():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    y = np.where(x[:, 1] > 0, "up", "down")
    first = x[:20] * [1, 0]
    net = vise.Classifier(penalty_convention="over_m", l2=1e-3).partial_fit(first, y[:20], classes=["down", "up"])
    for _ in range(20):
        net.partial_fit(x, y)
    assert net.n_features_in_ == 2 and net.score(x, y) > 0.9


def test_partial_fit_learns_and_goes_on_from_a_pickle(iris):
    x, y = iris
    order = np.random.default_rng(0).permutation(len(y))
    x, y = x[order], np.array(["a", "b", "c"])[y[order]]
    net = vise.Classifier(clamp=1)
    with pytest.raises(ValueError, match="classes"):
        net.partial_fit(x, y)
    for _ in range(50):
        net.partial_fit(x[:70], y[:70], classes=["a", "b", "c"]).partial_fit(x[70:], y[70:])
    assert net.score(x, y) > 0.9 and abs(net.model_["0.weight"]).max() <= 1
    other = pickle.loads(pickle.dumps(net))
    assert net.partial_fit(x, y).model_.to_bytes() == other.partial_fit(x, y).model_.to_bytes()
    with pytest.raises(ValueError, match="classes"):
        net.partial_fit(x, np.full(len(y), "d"))


def test_partial_fit_scales_targets():
    x, y = load_diabetes(return_X_y=True)
    net = vise.Regressor(lr=0.01)
    for _ in range(20):
        net.partial_fit(x, y)
    assert net.score(x, y) > 0.4


def test_partial_fit_after_fit_has_the_recipe_of_its_rows(iris):
    net = vise.Classifier(steps=200).fit(*iris)
    before = net.score(*iris)
    for _ in range(10):
        net.partial_fit(*iris)
    assert float(net._live[0].get("decoupled_decay")) == 8 * (4 / 150) ** 0.5
    assert net.score(*iris) >= before - 0.05


def test_early_stopping_and_curves():
    x, y = load_diabetes(return_X_y=True)
    net = vise.Regressor(val_fraction=0.2, patience=5, epochs=500, lr=0.01).fit(x, y)
    assert net.stop_reason_ == "patience" and net.best_epoch_ == net.n_iter_ - 5
    curve = net.validation_loss_curve_
    assert len(curve) == len(net.loss_curve_) == net.n_iter_ and min(curve) == curve[net.best_epoch_ - 1]


def test_a_fit_ends_where_its_loss_rests(iris):
    net = vise.Classifier(recipe="none", epochs=500, stop_stall=3, min_delta=0.02).fit(*iris)
    best = net.loss_curve_[0], 1
    for epoch, loss in enumerate(net.loss_curve_, 1):
        best = (loss, epoch) if loss < best[0] - 0.02 else best
    assert net.stop_reason_ == "stop-stall" and net.n_iter_ == best[1] + 3 < 500
    search = vise.SearchCV(net, {"lr": [net.lr or 0.01]}, cv=[(np.arange(150), np.arange(150))], refit=False).fit(*iris)
    assert search.best_score_ == net.score(*iris)
    forever = vise.Classifier(recipe="none", epochs=20, stop_stall=np.inf).fit(*iris)
    assert forever.n_iter_ == 20
    assert vise.Classifier(stop_stall=3, min_delta=0.1).partial_fit(*iris, classes=[0, 1, 2]).n_iter_ == 1
    with pytest.raises(ValueError, match="partial_fit does not support `patience`"):
        vise.Regressor(patience=3).partial_fit(*iris)


def test_options_that_are_remembered_are_those_of_each_fit(iris):
    def weights(**options):
        return vise.Classifier(recipe="none", epochs=2, **options).fit(*iris).model_["0.weight"]

    layers = [None, 4, None]
    first = weights(layers=layers), weights(lr=1), weights(lr="0.5"), weights(class_weights=[1, 1, 9]), weights()
    layers[1] = 5
    assert weights(layers=layers).shape == (5, 4) and first[0].shape == (4, 4)
    again = weights(layers=[None, 4, None]), weights(lr=1.0), weights(), weights(class_weights=[1, 1, 9])
    for one, other in zip(again, (first[0], first[1], first[4], first[3])):
        assert np.array_equal(one, other)
    assert not np.array_equal(first[3], first[4]) and not np.array_equal(first[1], first[4])


def test_several_targets_and_losses():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    y = np.stack([x[:, 0] + x[:, 1], 100 * x[:, 2]], axis=1)
    net = vise.Regressor(steps=1500).fit(x, y)
    assert net.predict(x).shape == (300, 2) and net.score(x, y) > 0.95
    counts = rng.poisson(np.exp(x[:, 0]))
    rates = vise.Regressor(loss="poisson", steps=800).fit(x, counts).predict(x)
    assert np.corrcoef(rates, np.exp(x[:, 0]))[0, 1] > 0.8
    yes = vise.Classifier(loss="bce").fit(x, x[:, 0] > 0)
    assert yes.score(x, x[:, 0] > 0) > 0.9 and yes.predict_proba(x).shape == (300, 2)
    with pytest.raises(AttributeError, match="probabilities"):
        vise.Classifier(loss="hinge", layers="auto-4-1").fit(x, x[:, 0] > 0).predict_proba(x)


def test_weights_count(iris):
    x, y = iris
    weights = np.where(y == 0, 1e-3, 1.0)
    net = vise.Classifier(steps=300).fit(x, y, sample_weight=weights)
    assert (net.predict_proba(x)[:, 0].mean() <
            vise.Classifier(steps=300).fit(x, y).predict_proba(x)[:, 0].mean())
    balanced = vise.Classifier(steps=300, class_weight="balanced").fit(x[:120], y[:120])
    assert balanced.predict_proba(x[100:120])[:, 2].mean() > (
        vise.Classifier(steps=300).fit(x[:120], y[:120]).predict_proba(x[100:120])[:, 2].mean())


def test_ctrl_c_ends_a_fit_and_leaves_a_usable_model(iris):
    x, y = iris
    net = vise.Classifier(recipe="none", layers="auto-64-auto", epochs=10 ** 9)
    threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()
    begin = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        net.fit(x, y)
    assert time.perf_counter() - begin < 5
    assert net.stop_reason_ == "interrupted" and net.predict(x).shape == y.shape
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_threads_fit_at_once_with_the_bits_of_one_after_the_other(iris):
    def fit(seed):
        return vise.Classifier(seed=seed, steps=200).fit(*iris).model_.to_bytes()

    alone = [fit(seed) for seed in range(8)]
    together = [None] * 8

    def work(seed):
        together[seed] = fit(seed)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_many_fits_do_not_grow(iris):
    import resource

    net = vise.Classifier(recipe="none", epochs=1)
    for _ in range(200):
        net.fit(*iris)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(1000):
        net.fit(*iris)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2000  # KiB


def test_clones_pipelines_and_representations(iris):
    net = vise.Classifier(clamp=0.5, layers="auto-4-auto", steps=50)
    assert repr(clone(net)) == repr(net) == "Classifier(clamp=0.5, layers='auto-4-auto', steps=50)"
    assert make_pipeline(StandardScaler(), net).fit(*iris).predict(iris[0]).shape == iris[1].shape


def test_verbose_shows_epochs(iris, capsys):
    vise.Classifier(recipe="none", epochs=3, verbose=True).fit(*iris)
    assert capsys.readouterr().err.count("epoch ") == 3
