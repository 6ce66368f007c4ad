"""How entries are loaded: a file for each load model."""
