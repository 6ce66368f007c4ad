"""Which samples count: the rules of a sample's validity, and its verdict."""
