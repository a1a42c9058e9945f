"""Scoreboard: all use cases on one page."""
