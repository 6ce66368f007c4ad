"""The project behind an ASGI server."""

import asyncio

from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application

django = get_asgi_application()

from benchmark import startup  # noqa: E402  its models need the settings that are read above


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        await django(scope, receive, send)


async def lifespan(receive, send):
    """Make ready before the first request, and clean up after the last: Django itself answers nothing but requests."""
    await receive()
    await sync_to_async(startup.prepare)(loop=type(asyncio.get_running_loop()).__module__)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await sync_to_async(startup.close)()
    await send({"type": "lifespan.shutdown.complete"})
