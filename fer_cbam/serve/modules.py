"""What is served beside gradio: the page's own files, as they are (its modules import each other by
name), model cards, and whether the app is there."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from fer_cbam import __version__
from fer_cbam.serve.cards import card_text, has_card


class PageModules(StaticFiles):
    """The files of one folder, without those below it."""

    def get_path(self, scope: Scope) -> str:
        """The name after the last slash. What precedes it is no help: behind a sub-path that the
        proxy cuts off it is not what Starlette expects."""
        return _last_part(scope)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """A file that a browser asks about each time. Otherwise it may keep a module for days, and
        after an update run it beside newer ones."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def model_card(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI app: the model card of the embedded weights that end the path, as text."""
    weights = _last_part(scope)
    response = PlainTextResponse("No such model card.\n", status_code=404)
    if has_card(weights):
        response = PlainTextResponse(card_text(weights))
    await response(scope, receive, send)


async def healthy(request: Request) -> Response:
    """That the app answers: ``{"status": "ok"}`` and its version."""
    return JSONResponse({"status": "ok", "version": __version__})


def _last_part(scope: Scope) -> str:
    path: str = scope["path"]
    return path.rpartition("/")[2]
