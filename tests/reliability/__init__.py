"""What the project promises about accidents and hostile files, tried by force.

The quick part belongs to the suite (`test_quick.py`); `make torture` runs the long one, and `python -m
tests.reliability NAME` one of it. Each prints what it did in numbers and ends with the number of its failures.
"""
