"""Faults on purpose: what this project promises to withstand, tried again and again."""
