"""Numbers in lines and sentences."""

import pytest

from bank_models.metrics.figures import score


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.78612, "0.786"),
        (0.0, "0.000"),
        (-0.25, "-0.250"),
        (153.2344, "153.234"),
        (30056.7, "30,057"),
        (0.0033333, "0.00333"),
        (-0.00012345, "-0.000123"),
        (1.0234e-9, "1.02e-09"),
    ],
)
def test_a_metric_is_written_with_digits_that_can_be_read_and_never_as_zero_where_it_is_not(value, text):
    assert score(value) == text
