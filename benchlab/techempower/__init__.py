"""Entries made from others: drafted from one that there is, or adopted from the TechEmpower format."""
