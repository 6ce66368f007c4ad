"""The host, its Docker engine and Compose: from a bare machine to containers that can be measured."""
