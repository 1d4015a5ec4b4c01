"""The files of the page for the visitor's own device, and the folder that they are written to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from fer_cbam import pretrained
from fer_cbam.device.offers import DEFAULT, Offer, offers
from fer_cbam.device.settings import settings
from fer_cbam.errors import FerError
from fer_cbam.serve.privacy import ON_DEVICE
from fer_cbam.serve.server import ASSETS

PACKAGE = Path(__file__).parents[1]
#: In a checkout the files lie beside the package, in an installed one within it.
WEB = next(
    (folder for folder in (PACKAGE / "device" / "web", PACKAGE.parent / "web") if folder.is_dir()),
    PACKAGE / "device" / "web",
)
#: Kinds of files in `WEB` that the page consists of; what else lies there makes them.
KINDS = (".mjs", ".js", ".css", ".wasm", ".svg", ".png", ".webmanifest")
INDEX = "index.html"
PARTS = ("header", "webcam", "photo", "video", "about")
OF_SERVER_ONLY = "gradio.mjs"

#: Path in the folder -> its content, or the file that has it.
Files = Mapping[str, bytes | Path]


def site_files(weights: Sequence[str | Path] = DEFAULT, server: str = "") -> Files:
    """All files of the page.

    weights: see :func:`fer_cbam.device.offers.offers`; those that come first are what a visitor
    fetches first. server: see :func:`fer_cbam.device.settings.settings`.

    Raises:
        WeightsError: weights that the page cannot offer.
        FerError: an installation without the page's files.
    """
    found = offers(weights)
    files: dict[str, bytes | Path] = {**_shared(), **_own()}
    files[INDEX] = _index(found[0]).encode()
    files["settings.json"] = json.dumps(settings(found, server)).encode()
    files["yunet.onnx"] = PACKAGE / "detect" / "yunet.onnx"
    first = ["./", *(name for name in files if name not in (INDEX, "service_worker.js"))]
    for offer in found:
        own = _weights(offer)
        files |= own
        first += own if offer is found[0] else ()
    files["service_worker.js"] = _service_worker(files, first)
    return files


def write_site(
    out: str | Path, weights: Sequence[str | Path] = DEFAULT, *, overwrite: bool = False
) -> Path:
    """Write the page into a folder.

    overwrite: replace the page that a folder holds already. Files that are none of the page's stay.

    Raises:
        FerError: the folder is there and not empty, or no folder.
        WeightsError: weights that the page cannot offer.
    """
    out = Path(out)
    files = site_files(weights)
    if out.exists() and not out.is_dir():
        raise FerError(f"{out}: a file; expected a folder to write the page to")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise FerError(f"{out}: there already, not empty; expected a new folder, or --overwrite")
    for name, content in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(content))
    return out


def content_of(content: bytes | Path) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else content


def _shared() -> dict[str, Path]:
    """Modules, style and example of the server's page."""
    kinds = (".mjs", ".css", ".jpg")
    return {
        path.name: path
        for path in sorted(ASSETS.iterdir())
        if path.suffix in kinds and path.name != OF_SERVER_ONLY
    }


def _own() -> dict[str, Path]:
    if not (WEB / INDEX).is_file():
        raise FerError(f"{WEB}: the page's files are missing; expected an installation with them")
    return {path.name: path for path in sorted(WEB.iterdir()) if path.suffix in KINDS}


def _index(first: Offer) -> str:
    """The page with its parts in it, as gradio puts them into the server's."""
    parts = {
        name: Template((ASSETS / f"{name}.html").read_text(encoding="utf-8")).substitute(
            kept=ON_DEVICE.get(name, ""), title=first.shown["title"]
        )
        for name in PARTS
    }
    return Template((WEB / INDEX).read_text(encoding="utf-8")).substitute(parts)


def _weights(offer: Offer) -> dict[str, bytes | Path]:
    folder = f"weights/{offer.name}"
    names = (pretrained.CONFIG_FILE, pretrained.WEIGHTS_FILE)
    files: dict[str, bytes | Path] = {f"{folder}/{name}": offer.folder / name for name in names}
    if offer.network is not None:
        own = f"weights/{offer.network.name}"
        files |= {f"{own}/{name}": offer.network / name for name in names}
    if offer.card is not None:
        # With a mark, by which a browser knows UTF-8 whatever the host says.
        files[f"{folder}/card.txt"] = offer.card.encode("utf-8-sig")
    return files


def _service_worker(files: Files, first: Sequence[str]) -> bytes:
    """Its script below what it keeps: at once ``first``, and the others when they are fetched."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = content_of(files[name])
        digest.update(f"{name} {len(content)}\n".encode() + content)
    script = files["service_worker.js"]
    head = {"VERSION": digest.hexdigest()[:16], "FIRST": list(first), "ALL": ["./", *files]}
    lines = [f"const {name} = {json.dumps(value)};\n" for name, value in head.items()]
    return "".join(lines).encode() + content_of(script)
