"""What all four entries have in common; a module beside this one is each one's DJANGO_SETTINGS_MODULE."""

import os

from limits import Connection

DEBUG = False
ALLOWED_HOSTS = ["tfb-server"]
INSTALLED_APPS = ["benchmark"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
TIME_ZONE = "UTC"
USE_I18N = False
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["DB_HOST"],
        "PORT": os.environ["DB_PORT"],
        "NAME": os.environ["DB_NAME"],
        "USER": os.environ["DB_USER"],
        "PASSWORD": os.environ["DB_PASSWORD"],
        "OPTIONS": {
            "connect_timeout": 5,  # s
            "pool": {
                "connection_class": Connection,
                "min_size": int(os.environ["DB_POOL_SIZE"]),
                "max_size": int(os.environ["DB_POOL_SIZE"]),
                "timeout": 10,  # s, for a free connection
                "reconnect_timeout": 10,  # s; then the next request tries again, not the pool ever more seldom
            },
        },
    }
}

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "TIMEOUT": None,
        "OPTIONS": {"MAX_ENTRIES": 10_000},  # as many as World has rows; by itself it would drop all above 300
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"psycopg.pool": {"level": "WARNING"}},  # at INFO it has a line for each request
}
