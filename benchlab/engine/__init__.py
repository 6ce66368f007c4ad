"""Docker and Compose: from a bare machine to containers ready to measure. Only this room imports docker."""
