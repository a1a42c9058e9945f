"""Models and metrics of a team, outside of the training system."""
