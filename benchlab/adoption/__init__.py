"""New entries: drafted from one that there is, or adopted from folders in the format of the TechEmpower benchmarks."""
