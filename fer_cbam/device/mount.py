"""The page for the visitor's own device, served by the app beside its own."""

from __future__ import annotations

from collections.abc import Sequence
from mimetypes import guess_type
from pathlib import Path

from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from fer_cbam.device.offers import DEFAULT, offers
from fer_cbam.device.site import INDEX, site_files
from fer_cbam.errors import WeightsError
from fer_cbam.hub import DEFAULT_WEIGHTS

TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm",
         ".webmanifest": "application/manifest+json", ".txt": "text/plain"}  # fmt: skip


def offered(served: str | Path) -> list[str | Path]:
    """The sources of the weights that are offered beside a server's own: these first, where the
    page can run them, and those that it starts with otherwise."""
    usual: list[str | Path] = [*DEFAULT, DEFAULT_WEIGHTS]
    if served in usual:
        return usual
    try:
        offers([served, *usual])
    except WeightsError:
        return usual
    return [served, *usual]


class DevicePage:
    """An ASGI app with the files of :func:`fer_cbam.device.site.site_files`.

    address: what it is mounted under, such as ``/device``.
    """

    def __init__(self, weights: Sequence[str | Path], address: str) -> None:
        """Raises:
        WeightsError, FerError: see :func:`fer_cbam.device.site.site_files`.
        """
        self.address = f"{address}/"
        self.files = site_files(weights, server="../")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # What precedes the mount is no help: behind a sub-path that the proxy cuts off it is not
        # what Starlette expects.
        name = scope["path"].rpartition(self.address)[2] or INDEX
        await self._answer(name)(scope, receive, send)

    def _answer(self, name: str) -> Response:
        content = self.files.get(name)
        if content is None:
            return PlainTextResponse("No such file.\n", status_code=404)
        kind = TYPES.get(Path(name).suffix) or guess_type(name)[0]
        # As for the page's other modules: asked about each time.
        headers = {"Cache-Control": "no-cache"}
        if isinstance(content, Path):
            return FileResponse(content, media_type=kind, headers=headers)
        return Response(content, media_type=kind, headers=headers)
