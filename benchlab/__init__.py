"""A benchmark lab for Python web frameworks: plan, measure, keep, tabulate."""

__version__ = "0.2.0"
