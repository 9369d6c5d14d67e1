"""Tables as rows of pandas: reading, repeated splits, the inputs that the recipe makes of columns, and the score of the
peer, scikit-learn's pipeline. Both sides get the same columns: no row numbers and names, and dates as days."""

import csv
import re
import warnings

import numpy as np
import pandas as pd

from tables import CLASSES, path_of

ROW_NAMES = re.compile(r"id|index|obs|case|no|rownames|.*[_.]id", re.IGNORECASE)
DATE = re.compile(r"\d{4}[-/]\d\d?[-/]\d\d?([T ].*)?")
TEST_SHARE = 0.25


class Rows:
    """Of a table: lines as they lie (without the header's), features and targets by row. Row names are left out, and
    rows that lack the target."""

    def __init__(self, table, folder):
        path = path_of(table, folder)
        with open(path, encoding="utf-8-sig") as stream:
            lines = stream.read().splitlines()
        self.header = lines.pop(0) if table.has_header else None
        frame = pd.read_csv(path, header=0 if table.has_header else None, encoding="utf-8-sig", low_memory=False)
        target = table.target if table.has_header else frame.columns[-1]

        known = frame[target].notna().to_numpy()
        self.lines = np.array(lines, dtype=object)[known]
        frame = frame[known].reset_index(drop=True)
        self.targets = frame.pop(target)
        self.features = frame.drop(columns=[name for name in frame.columns if names_rows(name, frame[name])])
        for name in self.features.columns:
            if not is_number(self.features[name]):
                self.features[name] = days_or_text(self.features[name])
        self.target_is_last = self.header is None or next(csv.reader([self.header]))[-1] == target

    def split(self, table, seed):
        """Positions of the training and of the test rows."""
        from sklearn.model_selection import train_test_split

        stratify = self.targets if table.task == CLASSES else None
        return train_test_split(np.arange(len(self.lines)), test_size=TEST_SHARE, random_state=seed, stratify=stratify)

    def write(self, path, positions):
        """The lines of these rows as a CSV file."""
        lines = ([self.header] if self.header is not None else []) + list(self.lines[positions])
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")


def is_number(column):
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def is_dates(column):
    return bool(column.dropna().map(lambda text: DATE.fullmatch(str(text)) is not None).all())


def days_or_text(column):
    """Dates as days, others as texts with NaN for gaps."""
    if is_dates(column):
        return (pd.to_datetime(column) - pd.Timestamp("1970-01-01")).dt.total_seconds() / 86400
    texts = column.map(str, na_action="ignore").astype(object)
    return texts.where(texts.notna(), np.nan)


def names_rows(name, column):
    """Whether a column tells rows apart and nothing else: numbers that are called so, or texts that hardly repeat."""
    if not is_number(column):
        return column.nunique() > 0.9 * len(column) and not is_dates(column)
    text = str(name)
    return column.is_unique and (text.startswith("Unnamed:") or ROW_NAMES.fullmatch(text) is not None)


# ---- the inputs that the recipe makes of columns, fitted on training rows ----


def number_input(column):
    """Returns a function that makes inputs of a column of numbers: the z-score, or the value itself where all are 0 or
    1, with the mean for gaps; and where the training rows have gaps one more, 1 for a gap."""
    known = column.dropna().to_numpy(np.float64)
    mean = known.mean() if len(known) else 0.0
    filled = column.fillna(mean).to_numpy(np.float64)
    is_flag = bool(np.isin(known, (0.0, 1.0)).all())
    shift, scale = (0.0, 1.0) if is_flag else (filled.mean(), filled.std() or 1.0)
    has_gaps = bool(column.isna().any())

    def apply(other):
        values = other.to_numpy(np.float64)
        inputs = [(np.where(np.isnan(values), mean, values) - shift) / scale]
        return inputs + ([np.isnan(values).astype(np.float64)] if has_gaps else [])

    return apply


def n_kept(counts, max_categories):
    """How many of the categories, the most frequent first, have an input of their own. max_categories 0: as vise train
    --max-categories auto."""
    if max_categories > 0:
        return max_categories
    return max(64, min(256, int((counts >= 3).sum())))


def text_input(column, max_categories):
    """Returns a function that makes 0/1 inputs of a column of text; a gap is a category, those beyond the most frequent
    are one."""
    counts = column.fillna("").value_counts()
    kept = counts.index[:n_kept(counts, max_categories)].tolist()
    rare = set(counts.index[len(kept):])
    kept = kept[1:] if len(counts) == 2 else kept

    def apply(other):
        values = other.fillna("")
        inputs = [(values == category).to_numpy(np.float64) for category in kept]
        return inputs + ([values.isin(rare).to_numpy(np.float64)] if rare else [])

    return apply


def column_input(column, max_categories):
    """None: the column is left out, since it is constant, or text that differs in more than half of the rows."""
    if column.nunique(dropna=False) < 2:
        return None
    if is_number(column):
        return number_input(column)
    return None if column.nunique() > len(column) / 2 else text_input(column, max_categories)


def prepared(train, test, max_categories):
    """The inputs of training and test rows, float32, and the number of columns they are made of."""
    makers = {name: column_input(train[name], max_categories) for name in train.columns}
    makers = {name: maker for name, maker in makers.items() if maker is not None}

    def inputs(rows):
        columns = [made for name, maker in makers.items() for made in maker(rows[name])]
        return np.column_stack(columns).astype(np.float32)

    return inputs(train), inputs(test), len(makers)


# ---- the peer ----


def peer_pipeline(task, features, seed, max_iter):
    from sklearn.compose import TransformedTargetRegressor, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in features.columns if is_number(features[name])]
    texts = [name for name in features.columns if name not in numbers]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (make_pipeline(SimpleImputer(strategy="most_frequent"),
                       OneHotEncoder(handle_unknown="ignore", sparse_output=False)), texts))
    if task == CLASSES:
        return make_pipeline(columns, MLPClassifier(random_state=seed, max_iter=max_iter))
    net = MLPRegressor(random_state=seed, max_iter=max_iter)
    return make_pipeline(columns, TransformedTargetRegressor(net, transformer=StandardScaler()))


def peer_score(table, rows, seed, max_iter):
    """Accuracy or R^2 of scikit-learn's pipeline on the test rows."""
    train, test = rows.split(table, seed)
    features = rows.features.copy()
    features.columns = features.columns.map(str)
    targets = rows.targets.map(str) if table.task == CLASSES else rows.targets.astype(float)
    pipeline = peer_pipeline(table.task, features, seed, max_iter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(features.iloc[train], targets.iloc[train])
        return pipeline.score(features.iloc[test], targets.iloc[test])
