"""Transformers by kind of column: numbers, dates, categories, texts."""
