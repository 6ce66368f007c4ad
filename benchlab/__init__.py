"""A benchmark lab for Python web frameworks: plan, measure, keep, tabulate."""

__version__ = "0.2.0"

# The rooms, each with one line on what it is for in its own __init__.py. A room imports only from those before it.
ROOMS = (
    "core",
    "records",
    "experiment",
    "factors",
    "contract",
    "quality",
    "load",
    "storage",
    "statistics",
    "engine",
    "host",
    "report",
    "run",
    "selftest",
    "techempower",
    "cli",
)
