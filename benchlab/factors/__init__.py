"""What variants of an entry may differ in."""
