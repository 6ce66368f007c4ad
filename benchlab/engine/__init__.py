"""Docker and Compose: from a bare machine to containers that can be measured. The only room that imports docker."""
