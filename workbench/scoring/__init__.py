"""Scores of models on lm-eval tasks, as records with standard errors and per-item results."""
