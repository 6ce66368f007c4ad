"""The entry django-asgi: Django's own views as coroutines, over the asynchronous methods of its object mapper."""

import django.http.response
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path

from ..models import Fortune, World
from ..rows import cached_rows, number_of_rows, random_id, updated_worlds, with_one_more
from .plain import row

FRAMEWORK, JSON = JsonResponse, django.http.response.json


async def json(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"message": "Hello, World!"})


async def plaintext(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello, World!", content_type="text/plain")


async def db(request: HttpRequest) -> JsonResponse:
    return JsonResponse(row(await World.objects.aget(id=random_id())))


async def queries(request: HttpRequest) -> JsonResponse:
    count = number_of_rows(request.GET.get("queries"))
    worlds = [await World.objects.aget(id=random_id()) for _ in range(count)]
    return JsonResponse([row(world) for world in worlds], safe=False)


async def cached_queries(request: HttpRequest) -> JsonResponse:
    return JsonResponse(cached_rows(number_of_rows(request.GET.get("count"))), safe=False)


async def fortunes(request: HttpRequest) -> HttpResponse:
    stored = [fortune async for fortune in Fortune.objects.all()]
    return render(request, "fortunes.html", {"fortunes": with_one_more(stored)})


async def updates(request: HttpRequest) -> JsonResponse:
    # Django has no asynchronous transactions: what is one runs in a thread as a whole.
    worlds = await sync_to_async(updated_worlds)(number_of_rows(request.GET.get("queries")))
    return JsonResponse([row(world) for world in worlds], safe=False)


urlpatterns = [
    path("json", json),
    path("plaintext", plaintext),
    path("db", db),
    path("queries", queries),
    path("cached-queries", cached_queries),
    path("fortunes", fortunes),
    path("updates", updates),
]
