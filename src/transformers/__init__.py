"""Columns of one kind to numbers: plain values, dates, categories, texts. Each learns only from the rows it is fitted on.

The classes can be had from here, as files of models that were saved before each kind had its module expect.
"""

from src.transformers.categories import CategoryCodes, CategoryEncoder
from src.transformers.dates import DateParts
from src.transformers.matrix import MatrixColumn, NoColumns
from src.transformers.numbers import AsNumbers
from src.transformers.texts import TextTerms

__all__ = ["AsNumbers", "CategoryCodes", "CategoryEncoder", "DateParts", "MatrixColumn", "NoColumns", "TextTerms"]
