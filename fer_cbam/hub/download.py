"""Weights fetched from a hub into huggingface_hub's cache, without torch.

The client fetches; this file decides what may be fetched, and adds what the client leaves open:

- Checksums are compared. The client names its files by them and compares sizes only.
- A listing that names a file outside the repository's folder is refused as a whole.
- A revision other than ``main`` is taken as fixed: once cached, nobody is asked for it again.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from fer_cbam import pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.hub.remote import (
    REPOSITORY_FILES,
    UnreachableError,
    api_client,
    need_client,
    parse,
    request_timeout,
    translated_errors,
    watched,
)

MAIN = "main"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".tar")

COMMIT = re.compile(r"[0-9a-f]{40}")
CHECKSUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_logger = logging.getLogger(__name__)


def fetch(source: str) -> Path:
    """The folder of the local cache that holds ``[hf-hub:]user/name[@revision]``.

    Raises:
        WeightsError: it cannot be reached and is not cached, is not there or may not be read, has
            no safetensors weights, or came with a wrong checksum.
    """
    repo_id, revision = parse(source)
    need_client(repo_id)
    from huggingface_hub import constants

    held, whole = _cached(repo_id, revision)
    if held and (constants.HF_HUB_OFFLINE or (whole and revision not in (None, MAIN))):
        return held
    if constants.HF_HUB_OFFLINE:
        raise WeightsError(f"{source}: not in the cache, and HF_HUB_OFFLINE is set; expected it to "
                           "be fetched once with a connection")  # fmt: skip
    try:
        with translated_errors(source):
            folder = watched(lambda sign: _download(repo_id, revision, sign), request_timeout())
    except UnreachableError as error:
        if not held:
            raise
        _logger.warning("%s; taking commit %s from the cache", error, held.name)
        return held
    check_sums(folder)
    return folder


def _cached(repo_id: str, revision: str | None) -> tuple[Path | None, bool]:
    """The cached folder, and whether it has all files that the repository has for us. Timm fetches
    two of them only."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repo_id, n, revision=revision) for n in REPOSITORY_FILES]
    config, weights = found[:2]
    if not isinstance(config, str) or not isinstance(weights, str):
        return None, False
    folder = Path(config).parent
    check_sums(folder)
    return folder, None not in found


def _download(repo_id: str, revision: str | None, sign: Callable[[], None]) -> Path:
    """Look first, then fetch. sign: called whenever something has come from the hub."""
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        def update(self, n: float | None = 1) -> bool | None:
            sign()
            shown: bool | None = super().update(n)
            return shown

    # By default 10 MB: a cut line would lose all of smaller files, and seem silent until they end.
    constants.DOWNLOAD_CHUNK_SIZE = min(constants.DOWNLOAD_CHUNK_SIZE, 2**16)
    info = api_client().model_info(repo_id, revision=revision, timeout=request_timeout())
    names = [sibling.rfilename for sibling in info.siblings or []]
    check_listing(repo_id, names)
    if not COMMIT.fullmatch(str(info.sha)):  # it becomes the name of a folder
        raise WeightsError(f"{repo_id}: commit {info.sha!r}; expected 40 hex digits")
    folder = Path()
    for name in REPOSITORY_FILES:
        sign()
        if name not in names:
            with suppress(EntryNotFoundError):  # the cache remembers that it is not there
                hf_hub_download(repo_id, name, revision=info.sha)
            continue
        _check_answer(repo_id, name, info.sha)
        sign()
        folder = Path(hf_hub_download(repo_id, name, revision=info.sha, tqdm_class=Bar)).parent
    if revision != info.sha:  # for the cache to know what the name of the revision stands for
        sign()
        hf_hub_download(repo_id, pretrained.CONFIG_FILE, revision=revision)
    return folder


def _check_answer(repo_id: str, name: str, commit: str) -> None:
    """Ask for a file once: the client would ask a hub that fails again and again. And it makes
    files of the names that it is told."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repo_id, name, revision=commit)
    metadata = get_hf_file_metadata(url, timeout=request_timeout())
    if metadata.commit_hash != commit or not CHECKSUM.fullmatch(str(metadata.etag)):
        raise WeightsError(
            f"{repo_id}: {name} has ETag {metadata.etag!r} and commit {metadata.commit_hash!r}; "
            f"expected a checksum and {commit}"
        )


def check_listing(repo_id: str, names: Iterable[str]) -> None:
    """Hold the files that a repository lists against what may be fetched.

    Raises:
        WeightsError: a name leads out of the folder, or config or safetensors weights are missing.
    """
    names = list(names)
    for name in names:
        parts = re.split(r"[/\\]", name)
        if ".." in parts or "" in parts or ":" in parts[0] or "\0" in name:
            raise WeightsError(f"{repo_id}: lists a file {name!r}, which would lie outside its "
                               "folder; nothing was fetched")  # fmt: skip
    if pretrained.WEIGHTS_FILE not in names:
        pickles = [name for name in names if name.endswith(PICKLES)]
        found = f"only {', '.join(pickles[:3])}, which is never opened" if pickles else "none"
        raise WeightsError(
            f"{repo_id}: weights: {found}; expected {pretrained.WEIGHTS_FILE}"
            + (" (its author can convert it)" if pickles else "")
        )
    if pretrained.CONFIG_FILE not in names:
        raise WeightsError(f"{repo_id}: no {pretrained.CONFIG_FILE}; expected timm's")


def check_sums(folder: Path) -> None:
    """The cache names a file by git's checksum of it, or by SHA-256 where it is large."""
    for name in REPOSITORY_FILES:
        blob = (folder / name).resolve()
        if not blob.is_file() or not CHECKSUM.fullmatch(blob.name):
            continue  # absent; or a system without symbolic links, where the name is lost
        content = blob.read_bytes()
        if len(blob.name) == 64:
            found = hashlib.sha256(content).hexdigest()
        else:
            found = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        if found != blob.name:
            (folder / name).unlink(missing_ok=True)
            blob.unlink(missing_ok=True)
            raise WeightsError(f"{name} of {folder}: checksum {found}, expected {blob.name}; it "
                               "was removed, ask again to fetch it anew")  # fmt: skip
