"""Versions of models: immutable folders, a ledger that shows any later change, and one version in production."""
