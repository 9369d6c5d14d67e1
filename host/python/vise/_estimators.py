"""vise.Classifier and vise.Regressor."""
from __future__ import annotations

from typing import Any, Dict, List, Optional

import numpy as np

from . import _checks, _fit
from . import _library as _l
from ._base import Begun, Estimator
from ._library import Handle, lib
from ._options import first_batch
from ._parameters import PARAMETERS
from ._tables import column_name, texts_of, title_of

try:
    from sklearn.base import ClassifierMixin, RegressorMixin
except ImportError:
    from ._without_sklearn import ClassifierMixin, RegressorMixin


class Classifier(ClassifierMixin, Estimator):
    classes_: np.ndarray
    _class_order: np.ndarray  # where each class of the net stands in classes_
    _only_class: Optional[int] = None  # the place in classes_ of the one that all rows had
    _n_labels: int = 0  # columns of y, of which several may be 1; 0: y has classes

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _more_tags(self) -> Dict[str, Any]:
        """The same for scikit-learn before 1.6."""
        return {**super()._more_tags(), "multilabel": True}

    def _settings(self) -> Dict[str, Any]:
        settings = super()._settings()
        return settings if self._only_class is None else _for_one_class(settings)

    def _checked(self, settings: Dict[str, Any], X: Any, y: Any, sample_weight: Any, again: bool) -> Any:
        """X, y and weights, with classes_ noted."""
        if y is None:
            _checks.column_of(y, type(self).__name__)
        x = _checks.check_features(self, X) if again else self._note_features(X)
        labels = _checks.labels_of(y, type(self).__name__)
        _checks.same_length(x, labels)
        weights = _checks.weights_of(sample_weight, len(labels))
        classes = _checks.distinct(labels)
        if again and (self._n_labels > 0 or not np.array_equal(classes, self.classes_)):
            raise ValueError("warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                             f"Previously got {self.classes_}, `y` has {classes}")
        self.classes_, self._n_labels = classes, 0
        present = classes if weights is None else np.unique(labels[weights > 0])
        if len(present) == 1:
            self._only_class = int(np.searchsorted(classes, present[0]))
            _checks.warn_of_constant(f"all rows (of weight above 0) are of the class {present.tolist()[0]!r}", 4)
        return _checks.in_one_batch(x, labels, weights, first_batch(settings, len(labels)))

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Classifier:
        """One pass over the rows X [n, features] with classes y [n] or labels y [n, labels], in batches; epochs and steps
        do not count. classes: all classes there are, wanted by the first call, whose rows also decide the scaling and the
        values of texts. The learning rate is constant unless lr_schedule is given. Returns self."""
        first = not hasattr(self, "model_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        self._refuse_patience()
        columns = None if y is None else _checks.label_columns(y)
        if first:
            self.classes_, self._n_labels = np.unique(classes), 0 if columns is None else columns.shape[1]
            self._class_order = np.arange(len(self.classes_))
            self._only_class = 0 if len(self.classes_) == 1 and self._n_labels == 0 else None
        x = self._note_features(X) if first else _checks.check_features(self, X)
        targets = self._class_codes(x, y, classes) if columns is None else self._known_labels(x, columns, classes)
        weights = _checks.weights_of(sample_weight, len(targets))
        if first:
            loss = self._label_loss() if self._n_labels > 0 else self.loss if self.loss is not None else "cross-entropy"
            of_one = self._n_labels == 0 and loss == "bce" and len(self.classes_) == 2
            self._begin_partial(x, targets, 1 if of_one else len(self.classes_), loss)
        elif not self._is_partial():
            self._go_on_partial(x)
        self._pass_over(x, targets, weights)
        return self

    def _class_codes(self, x: Any, y: Any, classes: Any) -> np.ndarray:
        """The net's classes of y [n, 1], for partial_fit."""
        labels = _checks.labels_of(y, type(self).__name__)
        _checks.same_length(x, labels)
        if self._n_labels > 0:
            raise ValueError(f"y of {self._n_labels} labels in the first call to partial_fit has one column in this one")
        unknown = np.setdiff1d(labels, self.classes_)
        if len(unknown) > 0 or (classes is not None and not np.array_equal(np.unique(classes), self.classes_)):
            raise ValueError(f"`classes` {self.classes_.tolist()} of the first call to partial_fit are not those of this "
                             f"one: {np.unique(labels if classes is None else classes).tolist()}")
        if self._only_class is not None:
            only = self.classes_[self._only_class]
            if (labels != only).any():
                raise ValueError(f"the net was fitted to rows of the class {only!r} alone, and y has others: call fit")
            return np.ones((len(labels), 1), dtype=np.int64)
        place = np.full(len(self.classes_), -1, dtype=np.int64)
        place[self._class_order] = np.arange(len(self._class_order))
        return place[np.searchsorted(self.classes_, labels)][:, None]

    def _known_labels(self, x: Any, columns: np.ndarray, classes: Any) -> np.ndarray:
        """Labels [n, labels] for partial_fit, as many as in its first call."""
        _checks.same_length(x, columns)
        n = self._n_labels if classes is None else len(np.unique(classes))
        if columns.shape[1] != self._n_labels or n != self._n_labels or len(self.classes_) != self._n_labels:
            raise ValueError(f"y has {columns.shape[1]} labels, but there are {len(self.classes_)} `classes`, one for each "
                             "label, of the first call to partial_fit")
        return columns

    def _label_loss(self) -> str:
        """The loss of a net with an output for each label."""
        if self.class_weight is not None or self.class_weights is not None:
            raise ValueError("`class_weight` is for y with one class in each row, and y has several labels; sample_weight "
                             "weighs its rows")
        if self.loss not in (None, "bce", "hinge"):
            raise ValueError(f"`loss` is {self.loss!r}, but y has several labels, each of them there or not: that takes bce "
                             "or hinge")
        return self.loss or "bce"

    def _begin_labels(self, X: Any, y: Any, columns: np.ndarray, sample_weight: Any, again: bool) -> Begun:
        """A fit to several labels, each of which a row may have."""
        settings = dict(self._settings(), loss=self._label_loss())
        x = _checks.check_features(self, X) if again else self._note_features(X)
        _checks.same_length(x, columns)
        if again and self._n_labels != columns.shape[1]:
            raise ValueError("warm_start can only be used where `y` has the same labels as in the previous call to fit: "
                             f"{self._n_labels} columns, not {columns.shape[1]}")
        self._n_labels = columns.shape[1]
        self.classes_ = self._class_order = np.arange(self._n_labels)
        weights = _checks.weights_of(sample_weight, len(columns))
        x, columns, weights = _checks.in_one_batch(x, columns, weights, first_batch(settings, len(columns)))
        return self._prepared(settings, x, columns, y, weights, "label", again)

    def _begin(self, X: Any, y: Any, sample_weight: Any, again: bool = False) -> Begun:
        columns, self._only_class = None if y is None else _checks.label_columns(y), None
        if columns is not None:
            return self._begin_labels(X, y, columns, sample_weight, again)
        settings = self._settings()
        x, labels, weights = self._checked(settings, X, y, sample_weight, again)
        if self._only_class is not None:
            return self._begin_one_class(settings, x, y, weights, again)
        names, table = self._names(), self._table(x)
        target = column_name(title_of(y, "class"), names) if names is not None else None
        if labels.dtype.kind in "OUSb":
            table.add_texts(texts_of(labels.tolist()), target)
        else:
            table.add_numbers(labels, None if target is None else [target])
        all_names = names + [target] if names is not None and target is not None else None

        how = self._how(settings, table.n_rows, 1, all_names, _l.TARGET_CLASSES)
        if self.class_weight is not None:
            settings = dict(settings, class_weights=self._class_weights(labels, weights))
        data = _fit.prepare(table, how, settings, weights, self._preprocessor if again else None)
        self._order_classes(data.preprocessor)
        return Begun(data, settings)

    def _begin_one_class(self, settings: Dict[str, Any], x: Any, y: Any, weights: Optional[np.ndarray],
                         again: bool) -> Begun:
        """A fit to rows of one class: a net with an output for it, which is 1 in every row."""
        self._class_order = np.array([self._only_class])
        return self._prepared(_for_one_class(settings), x, np.ones((x.shape[0], 1)), y, weights, "class", again)

    def _class_weights(self, labels: np.ndarray, weights: Optional[np.ndarray]) -> List[float]:
        """class_weight as a list in the order of classes_."""
        if self.class_weights is not None:
            raise ValueError("`class_weight` and `class_weights` are both given: give one of the two")
        if isinstance(self.class_weight, str):
            if self.class_weight != "balanced":
                raise ValueError(f"`class_weight` is {self.class_weight!r}; it is 'balanced', a dict or None")
            counts = np.array([(labels == c).sum() if weights is None else weights[labels == c].sum()
                               for c in self.classes_], dtype=np.float64)
            return (counts.sum() / (len(counts) * counts)).tolist()
        given = dict(self.class_weight)
        unknown = [c for c in given if c not in self.classes_]
        if unknown:
            raise ValueError(f"`class_weight` has the class {unknown[0]!r}, which y lacks")
        return [float(given.get(c, 1.0)) for c in self.classes_.tolist()]

    def _order_classes(self, preprocessor: Handle) -> None:
        """Where each class of the net stands in classes_."""
        is_number = self.classes_.dtype.kind not in "OUSb"
        n = lib.vise_preprocessor_n_classes(preprocessor.pointer)
        if is_number and n == len(self.classes_):  # both ascend
            self._class_order = np.arange(n)
            return
        by_text = {}
        for i, c in enumerate(self.classes_.tolist()):
            by_text[float(c) if not isinstance(c, (str, bytes, bool)) else str(c)] = i
        texts = [lib.vise_preprocessor_class_name(preprocessor.pointer, i).decode() for i in range(n)]
        self._class_order = np.array([by_text[float(text) if is_number else text] for text in texts])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities [n, classes] in the order of classes_; of labels each by itself."""
        self._check_fitted()
        if self.model_.loss not in ("cross-entropy", "bce"):
            raise AttributeError(f"a net trained for the loss {self.model_.loss} has no probabilities; cross-entropy and "
                                 "bce have")
        made_ = self._outputs(X, "probability")
        if self._n_labels > 0:
            return made_
        if self._only_class is not None:
            made_[:] = 1  # no other is known
            return self._by_class(made_, 0)
        if made_.shape[1] == 1:
            made_ = np.hstack([1 - made_, made_])
        elif self.model_.loss == "bce":
            made_ = made_ / made_.sum(axis=1, keepdims=True)
        return self._by_class(made_, 0)

    def _by_class(self, outputs: np.ndarray, otherwise: float) -> np.ndarray:
        """Outputs of the net in the order of classes_, `otherwise` for those that it does not know."""
        out = np.full((len(outputs), len(self.classes_)), otherwise, dtype=outputs.dtype)
        out[:, self._class_order] = outputs[:, :len(self._class_order)]
        return out

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of predict_proba."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def decision_function(self, X: Any) -> np.ndarray:
        """Outputs before the softmax [n, classes]; [n] for two classes, positive for the second; [n, labels], positive for
        those that are there."""
        made_ = self._outputs(X, "raw")
        if self._n_labels > 0:
            return made_
        if self._only_class is not None:  # in favour of the one that is known
            made_ = np.abs(made_)
            if len(self.classes_) <= 2:
                return made_[:, 0] if self._only_class == len(self.classes_) - 1 else -made_[:, 0]
            return self._by_class(made_, -np.inf)
        if made_.shape[1] == 1:
            return made_[:, 0]
        out = self._by_class(made_, -np.inf)
        return out[:, 1] - out[:, 0] if out.shape[1] == 2 else out

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class of each row: [n]; 1 for each likely label, else 0: [n, labels]."""
        if self._n_labels > 0:
            return (self._outputs(X, "raw") > 0).astype(np.int64)
        codes = self._outputs(X, "class")[:, 0]
        if self._only_class is not None:
            codes = np.zeros_like(codes)
        return self.classes_[self._class_order[codes.astype(np.intp)]]


class Regressor(RegressorMixin, Estimator):
    _one_dimension: bool  # of y
    _n_targets: int

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _begin(self, X: Any, y: Any, sample_weight: Any, again: bool = False) -> Begun:
        settings = self._settings()
        if y is None:
            _checks.targets_of(y, type(self).__name__)
        x = _checks.check_features(self, X) if again else self._note_features(X)
        targets, self._one_dimension = _checks.targets_of(y, type(self).__name__)
        _checks.same_length(x, targets)
        if _is_constant(targets):
            _checks.warn_of_constant(f"y is {targets[0].tolist()[0]:g} in every row", 3)
        if again and targets.shape[1] != self._n_targets:
            raise ValueError("warm_start can only be used where `y` has as many columns as in the previous call to fit: "
                             f"{self._n_targets}, not {targets.shape[1]}")
        self._n_targets = targets.shape[1]
        weights = _checks.weights_of(sample_weight, len(targets))
        x, targets, weights = _checks.in_one_batch(x, targets, weights, first_batch(settings, len(targets)))

        return self._prepared(settings, x, targets, y, weights, "target", again)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:
        """One pass over the rows X [n, features] with the numbers y, in batches; epochs and steps do not count.
        The rows of the first call decide the scaling and the values of texts. The learning rate is constant unless
        lr_schedule is given. Returns self."""
        first = not hasattr(self, "model_")
        self._refuse_patience()
        x = self._note_features(X) if first else _checks.check_features(self, X)
        targets, self._one_dimension = _checks.targets_of(y, type(self).__name__)
        _checks.same_length(x, targets)
        weights = _checks.weights_of(sample_weight, len(targets))
        if first:
            self._begin_partial(x, targets, targets.shape[1], self.loss if self.loss is not None else "mse")
        elif not self._is_partial():
            self._go_on_partial(x)
        self._pass_over(x, targets, weights)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predicted numbers, of the shape that y had."""
        out = self._outputs(X, "auto")
        return out[:, 0] if self._one_dimension else out


def _for_one_class(settings: Dict[str, Any]) -> Dict[str, Any]:
    """Settings for a net with one output, for the one class that there is."""
    of_several = ("class_weight", "class_weights", "label_smoothing")
    kept = {name: value for name, value in settings.items() if name not in of_several}
    return dict(kept, loss=kept["loss"] if kept.get("loss") in ("bce", "hinge") else "bce")


def _is_constant(targets: np.ndarray) -> bool:
    """Whether a single target is the same in every row."""
    return targets.shape[1] == 1 and len(targets) > 0 and bool((targets == targets[0]).all())


def _document(estimator: Any, head: str, example: str) -> None:
    estimator.__doc__ = head + PARAMETERS + _ATTRIBUTES + example


_ATTRIBUTES = """
    Attributes
    ----------
    model_ : vise.Model
        The trained net.
    n_features_in_, feature_names_in_
        As in scikit-learn.
    input_names_ : list of str
        The inputs of the net that the columns became.
    n_iter_ : int
        Epochs of the last fit.
    n_steps_ : int
        Steps that were taken, with warm_start those of all fits.
    loss_ : float
        Training loss averaged over the last epoch.
    loss_curve_, validation_loss_curve_, validation_scores_ : list of float
        Loss of each epoch, and loss and accuracy or R^2 of the validation rows, with warm_start of all fits; NaN where these
        were not looked at or the numbers went wrong, None without them.
    best_loss_, best_validation_score_ : float or None
        The least of loss_curve_, where there are no validation rows; the largest of validation_scores_, where there are.
    coefs_, intercepts_ : list of ndarray
        Weights [inputs, outputs] and biases [outputs] of the linear layers, as float32 where X was, else as float64: copies,
        of a net whose inputs are input_names_. model_ has those that it computes with.
    n_layers_, n_outputs_ : int
        Layers, that of the inputs counted, and outputs of the net.
    best_epoch_ : int or None
        With patience, the epoch whose weights were kept.
    stop_reason_ : str
        Why training ended: "epochs", "steps", "patience", "interrupted", ...
"""

_document(Classifier, """A net that tells classes apart, trained with hard regularization.

    Columns with texts, gaps, categories and dates are taken as they are: the library makes the inputs. With recipe
    "table" what is not given is chosen by the table's size; recipe "none" leaves each option at its own default.
""", """
    classes_ : ndarray
        The classes, sorted; 0, 1, 2, ... for the labels where y has several columns of 0 and 1, one for each label.

    Examples
    --------
    >>> import numpy as np, vise
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = np.where(x[:, 0] > x[:, 1], "left", "right")
    >>> net = vise.Classifier(layers="auto-8-auto", steps=300, clamp=1).fit(x, y)
    >>> bool(net.score(x, y) > 0.9)
    True
    >>> bool(abs(net.model_["0.weight"]).max() <= 1)
    True
""")

_document(Regressor, """A net that predicts numbers, trained with hard regularization.

    Columns with texts, gaps, categories and dates are taken as they are: the library makes the inputs. With recipe
    "table" what is not given is chosen by the table's size; recipe "none" leaves each option at its own default. With the
    loss mse targets are scaled to mean 0 and standard deviation 1 unless scale_target or loss are given.
""", """
    Examples
    --------
    >>> import numpy as np, vise
    >>> x = np.linspace(-1, 1, 100)[:, None]
    >>> net = vise.Regressor(steps=500, l2=1e-4).fit(x, x[:, 0] ** 2)
    >>> bool(net.score(x, x[:, 0] ** 2) > 0.9)
    True
""")
