"""Tests of the Python package: with the library of VISE_LIBRARY and host/python, or with the installed package."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
if os.environ.get("VISE_LIBRARY"):
    sys.path.insert(0, os.path.join(HERE, "..", "..", "host", "python"))
