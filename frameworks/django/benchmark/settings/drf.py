"""The entry drf. The API is public and speaks JSON: it asks nobody who he is, and has no pages to browse it."""

from .base import *  # noqa: F403

INSTALLED_APPS = ["rest_framework", "benchmark"]
ROOT_URLCONF = "benchmark.api.drf"
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,  # the default is a user of django.contrib.auth
}
