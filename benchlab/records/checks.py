"""What a number or a time in a record must be: refused when it is made, so that no table fails over it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from benchlab.core.letters import quoted

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

# A petabyte, or thirty years in microseconds: no counter of one sample grows by more.
MOST = 10**15
# Sums of times and lengths end in the year 9999; no length in a record is longer than MOST microseconds, 32 years.
LAST_YEAR = 9900


def counts(of: str, least: int, /, **values: int) -> None:
    """Raise ValueError where a value is not from `least` to MOST. `of` names the record in the message."""
    for name, value in values.items():
        if not least <= value <= MOST:
            raise ValueError(
                f"{of}: {name} of {quoted(value)} cannot be; it is {least} or more, and {MOST:.0e} at most"
            )


def amounts(of: str, /, **values: float) -> None:
    """Raise ValueError where a value is no number from 0 to MOST."""
    for name, value in values.items():
        if not 0 <= value <= MOST:
            raise ValueError(f"{of}: {name} of {quoted(value)} cannot be; it is a number from 0 to {MOST:.0e}")


def moment(text: str) -> datetime:
    """Return the time in a text of ISO 8601, in UTC. Raises ValueError or OverflowError."""
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    if read.year > LAST_YEAR:
        raise ValueError(f"{text} cannot be: it is after the year {LAST_YEAR}")
    return read.astimezone(UTC)


class _AsMoment:
    """Has pydantic read a time as `moment` does."""

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        from pydantic_core import PydanticCustomError, core_schema

        def read(text: str) -> datetime:
            try:
                return moment(text)
            except (ValueError, OverflowError) as error:
                raise PydanticCustomError("moment", "no time with its zone") from error

        return core_schema.no_info_after_validator_function(read, core_schema.str_schema())


class _AsWritten:
    """Has pydantic read a whole number as one, although others stand in its place."""

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        from pydantic_core import core_schema

        either = core_schema.union_schema([core_schema.int_schema(), core_schema.float_schema()])
        return core_schema.custom_error_schema(either, "float_type")


Moment = Annotated[datetime, _AsMoment()]
Number = Annotated[float, _AsWritten()]
