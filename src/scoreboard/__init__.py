"""One page for the portfolio: what was trained, how good it is, what speaks against it, and what is in production."""
