"""What holds for all tests."""

import signal

# A script's background job inherits an ignored SIGINT, which the lab respects; its tests send one all the same.
signal.signal(signal.SIGINT, signal.default_int_handler)
# So does what was started by nohup with SIGHUP: the tests go on ignoring it, what they start gets the default.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)
