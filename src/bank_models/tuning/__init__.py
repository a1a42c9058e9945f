"""Hyper-parameter search by cross-validation on the training rows."""
