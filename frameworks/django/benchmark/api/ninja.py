"""The entry ninja: Django Ninja for what answers JSON, Django's own views for the rest."""

from typing import Annotated

import ninja.renderers
from django.http import HttpRequest
from django.urls import path
from ninja import NinjaAPI, Schema
from pydantic import BeforeValidator, Field

from ..models import World
from ..rows import Row, cached_rows, number_of_rows, random_id, updated_worlds
from .plain import fortunes, plaintext

FRAMEWORK, JSON = NinjaAPI, ninja.renderers.json

NumberOfRows = Annotated[int, BeforeValidator(number_of_rows)]
api = NinjaAPI()


class Message(Schema):
    message: str


class WorldRow(Schema):
    id: int
    randomNumber: int = Field(alias="random_number")  # noqa: N815


@api.get("/json", response=Message)
def json(request: HttpRequest) -> dict[str, str]:
    return {"message": "Hello, World!"}


@api.get("/db", response=WorldRow)
def db(request: HttpRequest) -> World:
    return World.objects.get(id=random_id())


@api.get("/queries", response=list[WorldRow])
def queries(request: HttpRequest, queries: NumberOfRows = 1) -> list[World]:
    return [World.objects.get(id=random_id()) for _ in range(queries)]


@api.get("/cached-queries")
def cached_queries(request: HttpRequest, count: NumberOfRows = 1) -> list[Row]:
    return cached_rows(count)


@api.get("/updates", response=list[WorldRow])
def updates(request: HttpRequest, queries: NumberOfRows = 1) -> list[World]:
    return updated_worlds(queries)


urlpatterns = [path("plaintext", plaintext), path("fortunes", fortunes), path("", api.urls)]
