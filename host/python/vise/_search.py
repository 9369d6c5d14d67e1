"""vise.SearchCV: cross-validation of many configurations at once, in the library's threads."""
from __future__ import annotations

import ctypes
import numbers
import time
import warnings
from ctypes import byref, c_bool
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.metrics import check_scoring
from sklearn.model_selection import ParameterGrid, check_cv
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.metaestimators import available_if

from . import _library as _l
from ._base import Estimator
from ._checks import label_columns, labels_of
from ._library import Handle, lib, made
from ._options import leaves_data
from .model import Model

POLL_SECONDS = 0.1  # so that Ctrl-C is seen


def _has(name: str) -> Callable[[Any], bool]:
    """Whether the estimator, fitted or not, has a method."""

    def check(self: SearchCV) -> bool:
        getattr(getattr(self, "best_estimator_", self.estimator), name)
        return True

    return check


class _Fit:
    """One configuration on one split."""

    def __init__(self, candidate: int, split: int, estimator: Any) -> None:
        self.candidate, self.split, self.estimator = candidate, split, estimator
        self.begun: Any = None
        self.failure: Optional[Exception] = None
        self.score, self.train_score, self.fit_seconds, self.score_seconds = np.nan, np.nan, 0.0, 0.0


class SearchCV(MetaEstimatorMixin, BaseEstimator):
    """Chooses the parameters of a vise.Classifier or vise.Regressor by cross-validation, as GridSearchCV does, with all
    fits in the threads of the library (on a GPU many in one launch).

    Parameters
    ----------
    estimator : vise.Classifier or vise.Regressor
        What is fitted; the grid's values replace its own.
    param_grid : dict of lists, or a list of such dicts
        Values to try, as in GridSearchCV.
    scoring : str or callable, default None
        As in GridSearchCV; None: accuracy, or R^2.
    cv : int, splitter or list of (train, test), default None
        As in GridSearchCV; None: 5 folds, stratified for classes.
    refit : bool, default True
        Whether the best parameters are fitted to all rows in the end.
    n_jobs : int, default None
        Fits at a time; None or -1: one for each processor.
    error_score : "raise" or number, default nan
        The score of a fit that fails.
    return_train_score : bool, default False
        Whether training rows are scored too.
    verbose : bool, default False
        Whether a line says how each fit came out.

    Attributes
    ----------
    cv_results_, best_estimator_, best_params_, best_score_, best_index_, scorer_, n_splits_, refit_time_
        As in GridSearchCV.

    Examples
    --------
    >>> import vise
    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> search = vise.SearchCV(vise.Classifier(steps=100), {"clamp": [0.1, 1], "l2": [0, 1e-3]}, cv=3).fit(x, y)
    >>> sorted(search.best_params_)
    ['clamp', 'l2']
    >>> len(search.cv_results_["mean_test_score"])
    4
    """

    def __init__(self, estimator: Any, param_grid: Any, *, scoring: Any = None, cv: Any = None, refit: bool = True,
                 n_jobs: Optional[int] = None, error_score: Any = np.nan, return_train_score: bool = False,
                 verbose: bool = False) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.scoring = scoring
        self.cv = cv
        self.refit = refit
        self.n_jobs = n_jobs
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.verbose = verbose

    # ---- what scikit-learn asks ---------------------------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        from copy import deepcopy

        from sklearn.utils import get_tags

        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags, tags.regressor_tags = deepcopy(inner.classifier_tags), deepcopy(inner.regressor_tags)
        tags.input_tags, tags.target_tags = deepcopy(inner.input_tags), deepcopy(inner.target_tags)
        return tags

    def _more_tags(self) -> Dict[str, Any]:
        """The same for scikit-learn before 1.6."""
        return Estimator._more_tags(self.estimator)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_")

    # ---- the search ---------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, *, groups: Any = None, sample_weight: Any = None) -> SearchCV:
        """Searches, then fits the best to all rows. groups: for splitters that take them. Returns self."""
        if not isinstance(self.estimator, Estimator):
            raise TypeError(f"`estimator` is a {type(self.estimator).__name__}: SearchCV takes vise.Classifier and "
                            "vise.Regressor; scikit-learn's GridSearchCV takes others, and pipelines with these")
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        candidates = list(ParameterGrid(self.param_grid))
        scorer = check_scoring(self.estimator, scoring=self.scoring)
        of_one_column = np.asarray(y).ndim == 1
        splitter = check_cv(self.cv, np.asarray(y) if of_one_column else y, classifier=is_classifier(self.estimator))
        if is_classifier(self.estimator) and label_columns(y) is None:
            y = labels_of(y, type(self).__name__)
        X, y, groups, sample_weight = indexable(X, y, groups, sample_weight)
        splits = list(splitter.split(X, y, groups))

        fits = self._run(X, y, sample_weight, candidates, splits, scorer)
        self.scorer_, self.n_splits_, self.multimetric_ = scorer, len(splits), False
        self.cv_results_ = self._results(candidates, fits, len(splits))
        self.best_index_ = int(self.cv_results_["rank_test_score"].argmin())
        self.best_score_ = float(self.cv_results_["mean_test_score"][self.best_index_])
        self.best_params_ = candidates[self.best_index_]

        self.best_estimator_ = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        if not self.refit:
            del self.best_estimator_
            return self
        start = time.perf_counter()
        self.best_estimator_.fit(X, y, sample_weight)
        self.refit_time_ = time.perf_counter() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        return self

    def _run(self, X: Any, y: Any, weights: Any, candidates: List[Dict[str, Any]], splits: Any,
             scorer: Any) -> List[_Fit]:
        """All fits, in the order of candidates, then splits."""
        fits = [_Fit(c, s, clone(self.estimator).set_params(**clone(params, safe=False)))
                for c, params in enumerate(candidates) for s in range(len(splits))]
        rows = [(_take(X, y, weights, train), _take(X, y, weights, test)) for train, test in splits]
        config = _l.sized(_l.SweepConfig, lib.vise_sweep_config_init_sized)
        config.n_jobs = self.n_jobs if self.n_jobs is not None and self.n_jobs > 0 else 0
        sweep = Handle(made(lib.vise_sweep_create, byref(config)), lib.vise_sweep_free)

        names = {name for params in candidates for name in params}
        shares = all(map(leaves_data, names)) and not self.estimator.warm_start
        first: Dict[int, Tuple[Any, Any]] = {}  # by split: a fit that began, and what it noted

        waiting = list(reversed(range(len(fits))))
        result, found = _l.SweepResult(), c_bool()
        while True:
            while waiting and lib.vise_sweep_n_wanted(sweep.pointer) > 0:
                i = waiting.pop()
                self._submit(sweep, i, fits[i], rows[fits[i].split], names, first if shares else {})
            if not waiting and lib.vise_sweep_n_open(sweep.pointer) == 0:
                return fits
            _l.call(lib.vise_sweep_next_sized, ctypes.sizeof(result), sweep.pointer, POLL_SECONDS, byref(result),
                    byref(found))
            if found.value:
                self._take_result(fits[result.id], result, rows[fits[result.id].split], scorer)
                lib.vise_sweep_result_clear(byref(result))

    def _submit(self, sweep: Handle, i: int, fit: _Fit, rows: Any, names: Set[str], first: Dict[int, Any]) -> None:
        """Begins a fit, with the data of the first one of its split if there is one; one that cannot begin has its score at
        once."""
        (x, y, weights), _ = rows
        try:
            if fit.split in first:
                begun = fit.estimator._begin_alike(*first[fit.split], names)
            else:
                begun = fit.estimator._begin(x, y, weights)
                first[fit.split] = (begun, fit.estimator._noted())
            asked = _l.sized(_l.SweepFit, lib.vise_sweep_fit_init_sized)
            asked.id, asked.training = i, ctypes.addressof(begun.configs.train)
            if fit.estimator._has_signs():
                begun.initial = fit.estimator._new_model(begun.configs, begun.data.preprocessor)
                asked.initial = begun.initial._pointer
            else:
                asked.net = ctypes.addressof(begun.configs.net)
            asked.init_scheme = _l.named(lib.vise_init_scheme_parse, fit.estimator.init_scheme or "linear")
            asked.train, asked.keep_model = begun.data.train.pointer, True
            if begun.data.validation is not None:
                asked.validation = begun.data.validation.pointer
            _l.call(lib.vise_sweep_submit, sweep.pointer, byref(asked))
            fit.begun = begun
        except Exception as error:
            self._fail(fit, error)

    def _take_result(self, fit: _Fit, result: Any, rows: Any, scorer: Any) -> None:
        fit.fit_seconds = result.seconds
        try:
            if result.status != 0:
                _l.fail(result.status, result.error.text)
            pointer, result.model = result.model, None
            model = Model._of(pointer, fit.begun.data.preprocessor)
            fit.estimator._adopt(model, fit.begun.data)
            fit.estimator._note_result(result)
            start = time.perf_counter()
            (x, y, _), (x_test, y_test, _) = rows
            fit.score = _number(scorer(fit.estimator, x_test, y_test))
            fit.score_seconds = time.perf_counter() - start
            if self.return_train_score:
                fit.train_score = _number(scorer(fit.estimator, x, y))
        except Exception as error:
            self._fail(fit, error)
        if self.verbose:
            print(f"configuration {fit.candidate} split {fit.split}: {fit.score:.6g} in {fit.fit_seconds:.3g} s")
        fit.begun, fit.estimator = None, None

    def _fail(self, fit: _Fit, error: Exception) -> None:
        if isinstance(self.error_score, str):
            raise error
        fit.score = fit.train_score = float(self.error_score)
        fit.failure = error
        warnings.warn(f"configuration {fit.candidate}, split {fit.split}: {error}", FitFailedWarning, stacklevel=5)

    def _results(self, candidates: List[Dict[str, Any]], fits: List[_Fit], n_splits: int) -> Dict[str, Any]:
        """cv_results_"""
        results: Dict[str, Any] = {}

        def note(name: str, values: List[float], each: bool = False, rank: bool = False) -> None:
            by_split = np.array(values, dtype=np.float64).reshape(len(candidates), n_splits)
            for s in range(n_splits if each else 0):
                results[f"split{s}_{name}"] = by_split[:, s]
            results[f"mean_{name}"], results[f"std_{name}"] = by_split.mean(axis=1), by_split.std(axis=1)
            if rank:
                results[f"rank_{name}"] = _ranks(results[f"mean_{name}"])

        note("fit_time", [fit.fit_seconds for fit in fits])
        note("score_time", [fit.score_seconds for fit in fits])
        for name in sorted({name for params in candidates for name in params}):
            column = np.ma.MaskedArray(np.empty(len(candidates), dtype=object), mask=True)
            for c, params in enumerate(candidates):
                if name in params:
                    column[c] = params[name]
            results[f"param_{name}"] = column
        results["params"] = candidates
        note("test_score", [fit.score for fit in fits], each=True, rank=True)
        if self.return_train_score:
            note("train_score", [fit.train_score for fit in fits], each=True)
        if np.isnan(results["mean_test_score"]).all():
            raise ValueError(f"All the {len(fits)} fits failed. The first: {fits[0].failure}")
        return results

    # ---- the best estimator -------------------------------------------------------------------------------------

    def _best(self) -> Any:
        if not hasattr(self, "best_estimator_"):
            raise NotFittedError(f"This {type(self).__name__} instance is not fitted yet, or was with refit=False. Call "
                                 "'fit' with appropriate arguments before using this estimator.")
        return self.best_estimator_

    @property
    def classes_(self) -> np.ndarray:
        """The classes of the best estimator."""
        return self._best().classes_

    @property
    def n_features_in_(self) -> int:
        """Features seen by fit."""
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(f"{type(self).__name__} object has no n_features_in_ attribute: it is not fitted")
        return self.best_estimator_.n_features_in_

    def score(self, X: Any, y: Any = None) -> float:
        """The score of the best estimator, by `scoring`."""
        best = self._best()
        return self.scorer_(best, X, y)

    def predict(self, X: Any) -> np.ndarray:
        """Predictions of the best estimator."""
        return self._best().predict(X)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities by the best estimator."""
        return self._best().predict_proba(X)

    @available_if(_has("predict_log_proba"))
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Their logarithms."""
        return self._best().predict_log_proba(X)

    @available_if(_has("decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """Outputs before the softmax of the best estimator."""
        return self._best().decision_function(X)


def _take(x: Any, y: Any, weights: Any, rows: np.ndarray) -> Tuple[Any, Any, Any]:
    return (_safe_indexing(x, rows), _safe_indexing(y, rows),
            None if weights is None else _safe_indexing(weights, rows))


def _number(score: Any) -> float:
    if not isinstance(score, numbers.Real):
        raise ValueError(f"scoring must return a number, got {score!r} ({type(score)}) instead.")
    return float(score)


def _ranks(means: np.ndarray) -> np.ndarray:
    """1 for the largest; equal ones share the lowest rank, and NaN the last."""
    known = np.where(np.isnan(means), -np.inf, means)
    return np.array([1 + int((known > value).sum()) for value in known], dtype=np.int32)
