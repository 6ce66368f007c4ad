"""What is measured, in which order and on which CPUs: entries, workloads, profiles, schedule, forecast."""
