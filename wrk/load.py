"""Runs wrk with all the open files that the container may have, and prints how long it took.

    load.py wrk -d 5 …

What wrk prints passes through; behind it comes a line `BENCHLAB-WALL <microseconds>`. wrk's own clock starts only when
all its threads have been started, so a host that stalls meanwhile is seen by no other clock.
"""

import resource
import subprocess
import sys
import time

# Newer engines give a soft limit of 1,024 open files: too few for 1,024 connections.
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

started_ns = time.monotonic_ns()
exit_code = subprocess.run(sys.argv[1:], check=False).returncode
print(f"BENCHLAB-WALL {(time.monotonic_ns() - started_ns) // 1000}")
sys.exit(exit_code)
