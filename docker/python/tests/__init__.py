"""Tests of the Python peers: `python -m unittest discover -s tests -t .` in docker/python."""
