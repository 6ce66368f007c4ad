"""aiohttp's gunicorn worker, with the backlog that gunicorn is configured for, and the event loop that LOOP names."""

import os

from aiohttp import GunicornUVLoopWebWorker, GunicornWebWorker

LOOPS = {"uvloop": GunicornUVLoopWebWorker, "asyncio": GunicornWebWorker}


class Worker(LOOPS[os.environ.get("LOOP", "uvloop")]):
    _listens = False

    def notify(self) -> None:
        """Tell gunicorn that the worker is alive; the first time, all sockets have just been opened for connections."""
        if not self._listens:
            for sock in self.sockets:
                sock.listen(self.cfg.backlog)
            self._listens = True
        super().notify()
