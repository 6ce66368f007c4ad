"""What is asked of the database: World as it is, and which statements were run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchlab.contract import statements
from benchlab.contract.answers import World
from benchlab.contract.statements import Counted
from benchlab.engine.endpoints import Endpoint

# World's copy, for entries that quote identifiers.
QUOTED_COPY = '"World"'


@dataclass(frozen=True)
class Database:
    """The database at an endpoint, which runs or is starting. What is asked of it raises EngineError where it fails."""

    endpoint: Endpoint

    def pristine_world(self) -> World:
        """Return World as it is before any request, after restoring it."""
        return _world(self.endpoint.output("pristine-world"))

    def world(self, table: str = "world") -> World:
        """Return World, or its quoted copy, as it is now."""
        return _world(self.endpoint.output("print-world", table))

    @contextmanager
    def counting(self) -> Iterator[Callable[[], dict[str, Counted]]]:
        """Have statements counted for the length of the with block.

        Yields what returns them by table, those since it was last called. Counting costs throughput, so it is switched
        off again whatever happens.
        """
        self.endpoint.output("count-statements", "on")
        try:
            yield lambda: statements.parse(self.endpoint.output("count-statements", "take"))
        finally:
            self.endpoint.output("count-statements", "off")


def _world(lines: str) -> World:
    return {int(row_id): int(number) for row_id, number in (line.split(",") for line in lines.split())}
