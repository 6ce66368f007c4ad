"""aiohttp's gunicorn worker, with the backlog that gunicorn is configured for."""

from aiohttp import GunicornUVLoopWebWorker


class Worker(GunicornUVLoopWebWorker):
    _listens = False

    def notify(self) -> None:
        """Tell gunicorn that the worker is alive; the first time, all sockets have just been opened for connections."""
        if not self._listens:
            for sock in self.sockets:
                sock.listen(self.cfg.backlog)
            self._listens = True
        super().notify()
