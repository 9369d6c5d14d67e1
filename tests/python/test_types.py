"""Types: the package under mypy, and a program that uses it under mypy --strict."""
import os
import subprocess
import sys

import pytest

import vise

PROGRAM = '''
import numpy as np

import vise

x, y = np.zeros((9, 2)), np.arange(9)
net: vise.Classifier = vise.Classifier(clamp=(-0.5, 0.25), layers=[None, 8, None], monotone={0: 1}, verbose=True)
regressor = vise.Regressor(l2=1e-3, lr="0.1")
search = vise.SearchCV(net, {"l2": [0, 1]}, cv=3)
model: vise.Model = vise.load("model.safetensors")
weights: np.ndarray = model["0.weight"]
widths: list[int] = model.widths
step: vise.Step = vise.Trainer(model, loss="mse").step(x, y)
loss: float = step.loss
try:
    vise.save(net, "model.safetensors")
except vise.FileError as error:
    code: str = error.code
'''


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    pytest.importorskip("mypy")
    here = os.path.dirname(os.path.abspath(__file__))
    config, cache = os.path.join(here, "..", "..", "pyproject.toml"), tmp_path_factory.mktemp("cache")
    environment = dict(os.environ)
    if os.environ.get("VISE_LIBRARY"):
        environment["MYPYPATH"] = os.path.dirname(os.path.dirname(os.path.abspath(vise.__file__)))

    def run(*arguments):
        command = [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir", cache, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment).stdout

    return run


def test_the_package_is_sound(mypy):
    assert mypy("-p", "vise").startswith("Success")


def test_programs_are_checked(mypy, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    found = mypy("--strict", path)
    assert found.count("error:") == 1 and 'Argument "lr" to "Regressor" has incompatible type "str"' in found, found
