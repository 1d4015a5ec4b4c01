"""How much of the accuracy is left when a crop is spoilt.

:mod:`~eval.robustness.corruptions` spoils uint8 crops, before any preprocessing, at the levels of
``levels.json``, which are fixed: nothing is chosen by a result. :mod:`~eval.robustness.scores` says
what is left. Hendrycks and Dietterich 2019, https://arxiv.org/abs/1903.12261.
"""
