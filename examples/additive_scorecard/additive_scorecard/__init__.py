"""A scorecard that adds points for each feature, learnt in rounds."""
