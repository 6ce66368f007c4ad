"""The project behind a WSGI server."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from benchmark import startup  # noqa: E402  its models need the settings that are read above

startup.prepare(loop="none")
