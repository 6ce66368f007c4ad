"""How entries are loaded, and what is measured of that: a file for each load model."""
