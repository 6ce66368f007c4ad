"""The application behind uvicorn alone, which starts its workers by itself; set as gunicorn.conf.py sets the others."""

import os
import resource

import uvicorn

if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvicorn.run(
        "app:app",
        host="0.0.0.0",
        port=8080,
        workers=int(os.environ["WEB_CONCURRENCY"]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        timeout_keep_alive=620,  # s
        timeout_graceful_shutdown=1,  # s
        timeout_worker_healthcheck=30,  # s; as long as gunicorn waits for a worker's sign of life
    )
