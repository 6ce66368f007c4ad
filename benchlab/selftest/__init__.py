"""The instrument's own test: A/A tests, injected slowdowns, injected faults, wrk by hand."""
