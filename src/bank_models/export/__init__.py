"""Export of models to formats of others."""
