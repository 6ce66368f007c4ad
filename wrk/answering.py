"""Asks for a few answers before, under and after a load, to see that the server goes on to answer rightly.

One connection beside wrk's, opened before the load so that it does not queue behind it: a request every quarter of a
second at the most, each after the answer to the one before.
"""

import http.client
import threading

from fetch import fetch

INTERVAL_S = 0.25


class Checker:
    """Collects answers for the length of a with block; without a job, none.

    The job is {"host", "port", "name", "path", "accept", "timeout_s"}; answers are as fetch.py prints them. The first
    comes from before the block and the last from after it. After one that did not come, no other is asked for.
    """

    def __init__(self, job):
        self._job = job
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on_asking)
        self.answers = []

    def __enter__(self):
        if self._job:
            self._connection = http.client.HTTPConnection(
                self._job["host"], self._job["port"], timeout=self._job["timeout_s"]
            )
            self._ask()
            self._thread.start()
        return self

    def __exit__(self, *exception):
        if self._job:
            self._over.set()
            self._thread.join()
            self._ask()
            self._connection.close()

    def _go_on_asking(self):
        while not self._over.wait(INTERVAL_S):
            self._ask()

    def _ask(self):
        if self.answers and "error" in self.answers[-1]:
            return
        self.answers.append(fetch(self._connection, self._job["path"], self._job["accept"], self._job.get("name")))
