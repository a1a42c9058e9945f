"""Conformity of extensions: every capability that is declared is tried, on small rows that are drawn for it."""
