"""The page's own files, served as they are: its modules import each other by name."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles


class PageModules(StaticFiles):
    """Static files that a browser asks about each time.

    Without this it may keep a module for days, and after an update run it beside newer ones.
    """

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response
