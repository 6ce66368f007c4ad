"""Folders in the format of the TechEmpower benchmarks made entries of the lab."""
