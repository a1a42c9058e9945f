"""Numbers in sentences: four significant digits, separators of thousands, no powers of ten where six decimals do."""

import math


def score(value: float) -> str:
    """A metric in one line with others: 0.786, 30,057, and three significant digits of what is below 0.01."""
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    if not value or abs(value) >= 0.01:
        return f"{value:.3f}"
    return f"{value:.3g}" if abs(value) < 1e-6 else f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"


def figure(value: float) -> str:
    """A number as people write it: 0.7862, 30,057, -0.00312."""
    return _written(value, "")


def change(value: float) -> str:
    """A difference with its sign: +0.0274, -1,204."""
    return _written(value, "+")


def _written(value: float, sign: str) -> str:
    if abs(value) >= 1_000:
        return f"{value:{sign},.0f}"
    text = f"{value:{sign}.4g}"
    return text if "e" not in text or abs(value) < 1e-6 else f"{value:{sign}.6f}".rstrip("0")


def six_digits(value: object) -> object:
    """A float as tables keep it, with six significant digits; anything else as it is."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
