"""The programs of examples/python, each to its end, with what it claims."""
import os
import re
import subprocess
import sys

import pytest

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "python")


def output_of(name, *arguments):
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run([sys.executable, os.path.join(FOLDER, name), *map(str, arguments)], capture_output=True, text=True,
                          env=dict(os.environ, PYTHONPATH=path))
    assert done.returncode == 0, done.stderr
    return done.stdout


def number(text, before):
    return float(re.search(re.escape(before) + r"\s*([-+.e0-9]+)", text)[1])


def test_table(tmp_path):
    pytest.importorskip("matplotlib")
    text = output_of("table.py", tmp_path / "clamp.png")
    assert number(text, "accuracy on rows held out:") > 0.7
    assert number(text, "largest weight:") <= number(text, "'clamp':")
    assert "age is missing" in text and os.path.getsize(tmp_path / "clamp.png") > 5000


def test_wgan():
    pytest.importorskip("torch")
    text = output_of("wgan.py")
    assert abs(number(text, "radius of what is generated:") - 1) < 0.1
    assert number(text, "largest weight of the critic:") <= 0.1


def test_policy():
    text = output_of("policy.py")
    assert number(text, "student") > 190 and number(text, "longest row of weights:") <= 1


def test_all_are_here():
    assert sorted(os.listdir(FOLDER)) == ["policy.py", "table.py", "wgan.py"]
