"""The entry django: Django's own views, each request in a thread."""

import django.http.response
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path

from ..models import Fortune, World
from ..rows import Row, cached_rows, number_of_rows, random_id, updated_worlds, with_one_more

FRAMEWORK, JSON = JsonResponse, django.http.response.json


def json(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"message": "Hello, World!"})


def plaintext(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello, World!", content_type="text/plain")


def db(request: HttpRequest) -> JsonResponse:
    return JsonResponse(row(World.objects.get(id=random_id())))


def queries(request: HttpRequest) -> JsonResponse:
    count = number_of_rows(request.GET.get("queries"))
    worlds = [World.objects.get(id=random_id()) for _ in range(count)]
    return JsonResponse([row(world) for world in worlds], safe=False)


def cached_queries(request: HttpRequest) -> JsonResponse:
    return JsonResponse(cached_rows(number_of_rows(request.GET.get("count"))), safe=False)


def fortunes(request: HttpRequest) -> HttpResponse:
    return render(request, "fortunes.html", {"fortunes": with_one_more(Fortune.objects.all())})


def updates(request: HttpRequest) -> JsonResponse:
    worlds = updated_worlds(number_of_rows(request.GET.get("queries")))
    return JsonResponse([row(world) for world in worlds], safe=False)


def row(world: World) -> Row:
    return {"id": world.id, "randomNumber": world.random_number}


urlpatterns = [
    path("json", json),
    path("plaintext", plaintext),
    path("db", db),
    path("queries", queries),
    path("cached-queries", cached_queries),
    path("fortunes", fortunes),
    path("updates", updates),
]
