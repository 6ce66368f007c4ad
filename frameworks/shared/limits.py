"""psycopg's connections, which end after 10 s without an answer; raises TimeoutError then.

psycopg itself waits for ever, and statement_timeout is the server's: one that hangs ends no statement.
"""

import psycopg
from psycopg.errors import _WaitTimeout

ANSWER_S = 10


class Connection(psycopg.Connection):
    def wait(self, gen, interval=0.1, timeout=ANSWER_S):
        try:
            return super().wait(gen, interval, timeout)
        except _WaitTimeout as error:
            self.pgconn.finish()
            raise TimeoutError(f"no answer from the database within {timeout} s") from error


class AsyncConnection(psycopg.AsyncConnection):
    async def wait(self, gen, interval=0.1, timeout=ANSWER_S):
        try:
            return await super().wait(gen, interval, timeout)
        except _WaitTimeout as error:
            self.pgconn.finish()
            raise TimeoutError(f"no answer from the database within {timeout} s") from error
