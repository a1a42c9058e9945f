"""Conformity tests of extensions: every declared capability, on small drawn tables."""
