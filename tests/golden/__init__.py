"""Small outputs of every system, so that a clone without the reference data notices a changed network.

`python -m tests.golden` writes them anew. Only do so after `python -m tests.parity` has passed on the reference data:
that is what ties these numbers to the authors'.
"""
