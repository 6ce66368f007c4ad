"""What the environment chooses of an application on Starlette, FastAPI's too: no-op middlewares, and a JSON library."""

import os
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

if os.environ.get("JSON") == "orjson":
    import orjson


class Plain:
    """A middleware that does nothing: one ASGI application around another."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class Based(BaseHTTPMiddleware):
    """The same on Starlette's base class, which makes a request of the scope and a stream of the response."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


class OrjsonResponse(JSONResponse):
    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


# The usual level of MIDDLEWARE first; which response answers usually is the application's to say.
MIDDLEWARE = {
    "none": [],
    "asgi-1": [Middleware(Plain)],
    "asgi-2": [Middleware(Plain), Middleware(Plain)],
    "base-1": [Middleware(Based)],
    "base-2": [Middleware(Based), Middleware(Based)],
}
RESPONSES = {"json": JSONResponse, "orjson": OrjsonResponse}

middleware = MIDDLEWARE[os.environ.get("MIDDLEWARE", "none")]
