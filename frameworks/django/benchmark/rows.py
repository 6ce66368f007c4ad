"""Which rows requests are about, and what becomes of them: the same for the views of all entries."""

from collections.abc import Iterable
from operator import attrgetter
from random import randint, sample

from django.core.cache import cache
from django.db import transaction
from django.db.models import F

from .models import Fortune, World

Row = dict[str, int]


def number_of_rows(asked: object) -> int:
    """Return what a request asks for, from 1 to 500; 1 where that is no number."""
    try:
        return min(max(int(asked), 1), 500)
    except (TypeError, ValueError):
        return 1


def random_id() -> int:
    return randint(1, 10000)


def fill_cache() -> None:
    rows = World.objects.values("id", randomNumber=F("random_number"))
    cache.set_many({row["id"]: row for row in rows})


def cached_rows(count: int) -> list[Row]:
    return list(cache.get_many(sample(range(1, 10001), count)).values())


@transaction.atomic
def updated_worlds(count: int) -> list[World]:
    """Give so many rows a new number, and return them.

    They are locked as they are read, in the order of their ids: else two requests that lock the same rows would wait
    for each other until Postgres ends one of them as a deadlock.
    """
    ids = sorted(sample(range(1, 10001), count))
    worlds = [World.objects.select_for_update().get(id=id_) for id_ in ids]
    for world in worlds:
        world.random_number = randint(1, 10000)
    World.objects.bulk_update(worlds, ["random_number"])
    return worlds


def with_one_more(fortunes: Iterable[Fortune]) -> list[Fortune]:
    """Return the fortunes and the one that is added at request time, sorted by message."""
    added = Fortune(id=0, message="Additional fortune added at request time.")
    return sorted([*fortunes, added], key=attrgetter("message"))
