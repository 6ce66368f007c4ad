"""gunicorn's settings; the number of workers comes from WEB_CONCURRENCY."""

import os
import resource

# Engines differ in the soft limit of open files they give a container; take what the hard limit allows.
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

bind = "0.0.0.0:8080"
worker_class = "worker.Worker"
threads = int(os.environ["DB_POOL_SIZE"])  # of a WSGI entry's worker: each finds a free database connection
worker_connections = 32_768  # the same; all of a level may come to one worker, which closes what is above this
keepalive = 620  # s; longer than the longest sample, so that no connection is closed under load
graceful_timeout = 1  # s; the load is over when the container is stopped
worker_tmp_dir = "/dev/shm"  # the heartbeat file must not wait for a disk
control_socket_disable = True  # nobody uses it, and the root file system is read-only
accesslog = None
