"""One short experiment a claim of the slides, run over five training seeds, and its stored results.

`python -m evidence` runs what is missing, `python -m evidence --check` validates what is stored; see runner.py.
"""
