"""The command line: what a user can ask for."""
