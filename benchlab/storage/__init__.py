"""A run's folder: manifest, journal, what is derived from them; resuming."""
