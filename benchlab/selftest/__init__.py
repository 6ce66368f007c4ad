"""The instrument's own test: A/A tests, injected slowdowns, planted faults, wrk by hand."""
