"""The page's own files, served as they are: its modules import each other by name."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope


class PageModules(StaticFiles):
    """The files of one folder, without those below it."""

    def get_path(self, scope: Scope) -> str:
        """The name after the last slash. What precedes it is no help: behind a sub-path that the
        proxy cuts off it is not what Starlette expects."""
        path: str = scope["path"]
        return path.rpartition("/")[2]

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """A file that a browser asks about each time. Otherwise it may keep a module for days, and
        after an update run it beside newer ones."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response
