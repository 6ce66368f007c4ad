"""A run's folder: manifest, journal, and what is derived from them."""
