"""What every room shares: the records of plan and run, errors, signals, counters, words and numbers as typed."""
