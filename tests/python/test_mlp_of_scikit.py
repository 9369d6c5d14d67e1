"""scikit-learn's own tests of its MLPs."""
import os
import subprocess
import sys

import pytest

import vise


def test_they_pass_but_for_what_differs():
    pytest.importorskip("joblib")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mlp_of_scikit.py")
    folder = os.path.dirname(os.path.dirname(os.path.abspath(vise.__file__)))
    path = os.pathsep.join([folder, *(p for p in sys.path if p)])
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=dict(os.environ, PYTHONPATH=path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fails" not in done.stdout
