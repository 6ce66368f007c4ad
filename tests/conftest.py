"""What holds for all tests."""

import signal

import pytest
from hypothesis import settings

from .tested import TESTED

# A busy host makes no test fail.
settings.register_profile("lab", deadline=None)
settings.load_profile("lab")
# A script's background job inherits an ignored SIGINT, which the lab respects; its tests send one all the same.
signal.signal(signal.SIGINT, signal.default_int_handler)
# So it is with nohup and SIGHUP. Caught, it ends the tests no more than ignored, and their children do not inherit it.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)


def pytest_report_header(config: pytest.Config) -> str:
    """Say which entries the tests on an engine are of, where there may be any."""
    return "" if "not docker" in config.getoption("markexpr") else str(TESTED)
