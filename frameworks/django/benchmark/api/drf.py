"""The entry drf: Django REST framework for what answers JSON, Django's own views for the rest."""

import rest_framework.utils.json
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..models import World
from ..rows import cached_rows, number_of_rows, random_id, updated_worlds
from .plain import fortunes, plaintext

FRAMEWORK, JSON = APIView, rest_framework.utils.json.json


class WorldSerializer(serializers.ModelSerializer):
    randomNumber = serializers.IntegerField(source="random_number", read_only=True)  # noqa: N815

    class Meta:
        model = World
        fields = read_only_fields = ("id", "randomNumber")


class JsonView(APIView):
    def get(self, request: Request) -> Response:
        return Response({"message": "Hello, World!"})


class DbView(APIView):
    def get(self, request: Request) -> Response:
        return Response(WorldSerializer(World.objects.get(id=random_id())).data)


class QueriesView(APIView):
    def get(self, request: Request) -> Response:
        count = number_of_rows(request.query_params.get("queries"))
        worlds = [World.objects.get(id=random_id()) for _ in range(count)]
        return Response(WorldSerializer(worlds, many=True).data)


class CachedQueriesView(APIView):
    def get(self, request: Request) -> Response:
        return Response(cached_rows(number_of_rows(request.query_params.get("count"))))


class UpdatesView(APIView):
    def get(self, request: Request) -> Response:
        worlds = updated_worlds(number_of_rows(request.query_params.get("queries")))
        return Response(WorldSerializer(worlds, many=True).data)


urlpatterns = [
    path("json", JsonView.as_view()),
    path("plaintext", plaintext),
    path("db", DbView.as_view()),
    path("queries", QueriesView.as_view()),
    path("cached-queries", CachedQueriesView.as_view()),
    path("fortunes", fortunes),
    path("updates", UpdatesView.as_view()),
]
