"""What host the engine runs on, what on it harms a measurement, and what is inside the containers."""
