"""Search for parameters by cross-validation on the training rows: what is tried, how it is fitted fast, what came of it."""
