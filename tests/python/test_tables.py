"""DataFrames, and the tool's weights for the same rows."""
import os
import subprocess

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.datasets import load_iris

import vise

VISE = os.environ.get("VISE")


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    n = 1200
    frame = pd.DataFrame({
        "age": rng.integers(18, 80, n).astype(float), "income": rng.normal(3e4, 1e4, n),
        "city": rng.choice(["Bonn", "Ulm", "Köln", None], n), "flag": rng.choice([True, False], n),
        "when": pd.date_range("2020-01-01", periods=n)})
    frame.loc[::7, "age"] = np.nan
    return frame, pd.Series(np.where(frame.income > 3e4, "rich", "poor"), name="label")


def test_columns_of_all_kinds(people):
    x, y = people
    net = vise.Classifier(epochs=10).fit(x, y)
    assert net.input_names_ == ["age", "age is missing", "income", "city=Bonn", "city=Köln", "city=Ulm", "city is missing",
                                "flag=True", "when"]
    assert net.score(x, y) > 0.9 and list(net.classes_) == ["poor", "rich"]
    assert list(net.feature_names_in_) == list(x.columns)
    some = x.head(3).copy()
    some["city"] = ["Rome", None, "Ulm"]
    assert net.predict_proba(some).shape == (3, 2)
    with pytest.raises(ValueError, match="feature names should match"):
        net.predict(x.rename(columns={"age": "years"}))
    categories = x.assign(city=x.city.astype("category"))
    assert np.array_equal(vise.Classifier(epochs=10).fit(categories, y).predict_proba(x), net.predict_proba(x))


def test_gaps_of_all_kinds():
    rng = np.random.default_rng(0)
    n = 300
    x = pd.DataFrame({
        "whole": pd.array(rng.integers(0, 50, n), dtype="Int64"), "real": pd.array(rng.normal(size=n), dtype="Float64"),
        "flag": pd.array(rng.choice([True, False], n), dtype="boolean"),
        "text": pd.array(rng.choice(["a", "b"], n), "string"), "kind": pd.Categorical(rng.choice(["u", "v"], n)),
        "object": rng.choice(["r", "s"], n)})
    y = np.where(x.text == "a", "yes", "no")
    x.iloc[::7] = pd.NA
    net = vise.Classifier(steps=300).fit(x, y)
    assert net.input_names_ == ["whole", "whole is missing", "real", "real is missing", "flag=False", "flag=True",
                                "flag is missing", "text=a", "text=b", "text is missing", "kind=u", "kind=v",
                                "kind is missing", "object=r", "object=s", "object is missing"]
    assert net.score(x, y) > 0.9
    numbers = x[["whole", "real"]]
    plain = pd.DataFrame(numbers.to_numpy(float, na_value=np.nan), columns=numbers.columns)
    for batch in (32, "full"):
        nets = [vise.Classifier(steps=20, batch=batch).fit(frame, y).model_.to_bytes() for frame in (numbers, plain)]
        assert nets[0] == nets[1]
    with pytest.raises(ValueError, match="NaN"):
        vise.Classifier().fit(x, x.text)
    plain.iloc[5, 1] = np.inf
    with pytest.raises(ValueError, match="infinity.*'real'"):
        net.fit(plain, y)


def test_a_frame_of_numbers_is_its_array():
    x, y = load_iris(return_X_y=True, as_frame=True)
    x = x.assign(whole=np.arange(150), small=np.arange(150, dtype=np.float32) / 7)
    net, array = vise.Classifier(steps=50).fit(x, y), vise.Classifier(steps=50).fit(x.to_numpy(), y)
    assert all(np.array_equal(net.model_[name], array.model_[name]) for name in array.model_.tensor_names)
    assert np.array_equal(net.predict_proba(x), array.predict_proba(x.to_numpy()))
    assert list(net.feature_names_in_) == list(x.columns) == net.input_names_


def test_kinds_can_be_forced(people):
    x, y = people
    codes = pd.DataFrame({"zip": np.arange(1200) % 5, "income": x.income})
    assert vise.Classifier(epochs=1).fit(codes, y).input_names_ == ["zip", "income"]
    names = vise.Classifier(epochs=1, categorical=["zip"]).fit(codes, y).input_names_
    assert names == [f"zip={i}" for i in range(5)] + ["income"]
    as_text = codes.assign(income=codes.income.astype(str))
    net = vise.Classifier(epochs=1, numeric="income", drop="zip").fit(as_text, y)
    assert net.input_names_ == ["income"]
    with pytest.raises(ValueError, match="no column 'zap'"):
        vise.Classifier(categorical="zap").fit(codes, y)


def test_texts_with_a_word_for_a_gap_are_numbers(people):
    _, y = people
    x = pd.DataFrame({"v": ["?" if i % 9 == 0 else str(i % 37) for i in range(1200)], "w": np.arange(1200) % 11})
    assert vise.Classifier(epochs=1).fit(x, y).input_names_ == ["v", "v is missing", "w"]


def test_sparse_is_dense():
    x, y = load_iris(return_X_y=True)
    dense = vise.Classifier(steps=50).fit(x, y).model_.to_bytes()
    assert vise.Classifier(steps=50).fit(scipy.sparse.csr_matrix(x), y).model_.to_bytes() == dense


@pytest.mark.skipif(not VISE, reason="VISE does not name the tool")
@pytest.mark.parametrize("make, options", [
    (lambda: vise.Classifier(clamp=0.5, epochs=6), ["--clamp", "0.5", "--epochs", "6"]),
    (lambda: vise.Classifier(backend="cpu64", epochs=2, seed=5, dropout=0.1, batch_norm=True),
     ["--backend", "cpu64", "--epochs", "2", "--seed", "5", "--dropout", "0.1", "--batch-norm"]),
    (lambda: vise.Classifier(optimizer="sgd", lr=0.05, steps=150, val_fraction=0.25, loss="bce"),
     ["--optimizer", "sgd", "--lr", "0.05", "--steps", "150", "--val-fraction", "0.25", "--loss", "bce"]),
    (lambda: vise.Classifier(recipe="none", layers="auto-8-auto", epochs=3, scale="standard"),
     ["--recipe", "none", "--layers", "auto-8-auto", "--epochs", "3", "--scale", "standard"])])
def test_the_tool_makes_the_same_weights_of_the_csv(people, tmp_path, make, options):
    x, y = people
    path = tmp_path / "people.csv"
    x.assign(label=y).to_csv(path, index=False)
    subprocess.run([VISE, "train", "--train", path, "--quiet", "--out", tmp_path / "run", *options], check=True)
    theirs, ours = vise.load(tmp_path / "run"), make().fit(x, y).model_
    assert theirs.tensor_names == ours.tensor_names
    for name in ours.tensor_names:
        assert np.array_equal(theirs[name], ours[name]), name


@pytest.mark.skipif(not VISE, reason="VISE does not name the tool")
def test_the_tool_predicts_with_a_model_that_was_saved(people, tmp_path):
    x, y = people
    net = vise.Classifier(epochs=3).fit(x, y)
    net.save(tmp_path / "net.safetensors")
    x.to_csv(tmp_path / "rows.csv", index=False)
    subprocess.run([VISE, "predict", "--model", tmp_path / "net.safetensors", "--data", tmp_path / "rows.csv", "--output",
                    "class", "--out", tmp_path / "out.csv"], check=True)
    assert pd.read_csv(tmp_path / "out.csv").iloc[:, 0].tolist() == net.predict(x).tolist()
