"""Columns of one kind to numbers: plain values, dates, categories, texts. Each learns only from the rows it is fitted on."""
