"""What a user can ask for: the commands, their flags, and what they print."""
