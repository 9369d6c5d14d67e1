"""From a table with gaps and texts to a net whose strengths are chosen by cross-validation, and a picture of the choice.

The table is made up here, so that the example needs no network: replace `people` by pandas.read_csv of your own."""
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402

import vise  # noqa: E402


def people(n=900, seed=0):
    """Who repays a loan: two numbers with gaps, a date, a text; one answer in ten is wrong."""
    rng = np.random.default_rng(seed)
    income, age = rng.lognormal(10, 0.5, n), rng.integers(18, 80, n).astype(float)
    region = rng.choice(["north", "south", "west"], n)
    odds = np.log(income) - 10 + (age - 45) / 40 - 1.5 * (region == "south") + rng.normal(0, 0.3, n)
    repaid = np.where((odds > -0.3) ^ (rng.random(n) < 0.1), "yes", "no")
    age[rng.random(n) < 0.2] = np.nan
    since = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 2000, n), unit="D")
    return pd.DataFrame({"income": income, "age": age, "region": region, "since": since}), pd.Series(repaid, name="repaid")


x, y = people()
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)

clamps, decays = [0.05, 0.1, 0.2, 0.5, 1.0], [0.0, 1e-3, 1e-2]
search = vise.SearchCV(vise.Classifier(steps=400), {"clamp": clamps, "l2": decays}, cv=5, scoring="neg_log_loss")
search.fit(x_train, y_train)
net = search.best_estimator_

print("inputs:", ", ".join(net.input_names_))
print("best:", search.best_params_)
print(f"accuracy on rows held out: {net.score(x_test, y_test):.3f}")
print(f"largest weight: {max(abs(net.model_[f'{i}.weight']).max() for i in (0, 2)):.3g}")

scores = -search.cv_results_["mean_test_score"].reshape(len(clamps), len(decays))
errors = search.cv_results_["std_test_score"].reshape(scores.shape) / np.sqrt(5)
figure, axes = plt.subplots(figsize=(6, 4))
for i, l2 in enumerate(decays):
    axes.errorbar(clamps, scores[:, i], errors[:, i], marker="o", capsize=3, label=f"l2 {l2:g}")
axes.set(xscale="log", xlabel="clamp", ylabel="held-out log loss", title="Which box?")
axes.legend()
figure.tight_layout()
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "clamp.png", dpi=100)
