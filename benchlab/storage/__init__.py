"""The run's folder: journal, manifest, what is derived of them; the formats of others."""
