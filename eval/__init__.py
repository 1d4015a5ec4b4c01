"""Evaluation: predictions -> metrics, figures and the numbers of README and model card.

``import eval`` hides a builtin: write ``from eval.metrics import accuracy``.
"""
