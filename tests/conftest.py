"""What holds for all tests."""

import signal

# A script's background job inherits an ignored SIGINT, which the lab respects; its tests send one all the same.
signal.signal(signal.SIGINT, signal.default_int_handler)
