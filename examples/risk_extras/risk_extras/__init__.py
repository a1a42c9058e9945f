"""A metric, a transformer and a report section of a risk team."""
