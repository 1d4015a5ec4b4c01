"""Weights on a hub: fetched into huggingface_hub's cache, and uploaded, without torch.

Every request is made by huggingface_hub, which also finds the token and keeps it from other hosts.
This file decides what may be fetched, and adds what the client leaves open:

- A hub that falls silent is given up after a few seconds. The client asks six times, with pauses
  of up to 8 s; the name server is outside its time limits altogether.
- Checksums are compared. The client names its files by them and compares sizes only.
- A listing that names a file outside the repository's folder is refused as a whole.
- A revision other than ``main`` is taken as fixed: once cached, nobody is asked for it again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fer_cbam import pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.hub.cards import CARD_FILE, card_text

PREFIX = "hf-hub:"
MAIN = "main"
# All that is ever fetched or uploaded; the first two have to be there. Nothing that is unpickled.
REPOSITORY_FILES = (
    pretrained.CONFIG_FILE,
    pretrained.WEIGHTS_FILE,
    pretrained.GRAPH_FILE,
    CARD_FILE,
)
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".tar")

PATIENCE = 4.0  # seconds of silence, unless HF_HUB_ETAG_TIMEOUT says otherwise
UPLOAD_PATIENCE, UPLOAD_RATE = 60.0, 50e3  # seconds, and bytes a second of a slow line

REPO_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
REVISION = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*")
COMMIT = re.compile(r"[0-9a-f]{40}")
CHECKSUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_logger = logging.getLogger(__name__)
T = TypeVar("T")


class _UnreachableError(WeightsError):
    """The hub said nothing of use: what is cached may still do."""


@dataclass(frozen=True)
class Pushed:
    """Where weights went. revision: the tag. commit: what it stands for, 40 hex digits."""

    repo_id: str
    revision: str
    commit: str
    url: str


def is_hub_id(source: str) -> bool:
    """Whether a source of weights reads as ``[hf-hub:]user/name[@revision]``."""
    repo_id = source.removeprefix(PREFIX).partition("@")[0]
    return source.startswith(PREFIX) or REPO_ID.fullmatch(repo_id) is not None


def parse(source: str) -> tuple[str, str | None]:
    """``[hf-hub:]user/name[@revision]`` -> repository and revision.

    Raises:
        WeightsError: it is not of that form, or a revision that git would refuse too.
    """
    repo_id, _, revision = source.removeprefix(PREFIX).partition("@")
    if not REPO_ID.fullmatch(repo_id) or ".." in repo_id or "--" in repo_id:
        raise WeightsError(f"hub repository {repo_id!r}; expected 'user/name'")
    if "@" in source:
        check_revision(revision)
    return repo_id, revision or None


def check_revision(revision: str) -> None:
    """Raises WeightsError unless a revision may be the name of a branch, a tag or a commit. The
    client makes a file of that name."""
    if not REVISION.fullmatch(revision) or ".." in revision:
        raise WeightsError(f"revision {revision!r}; expected a tag, a branch or a commit")


def fetch(source: str) -> Path:
    """The folder of the local cache that holds ``[hf-hub:]user/name[@revision]``.

    Raises:
        WeightsError: it cannot be reached and is not cached, is not there or may not be read, has
            no safetensors weights, or came with a wrong checksum.
    """
    repo_id, revision = parse(source)
    _need_client(repo_id)
    from huggingface_hub import constants

    held, whole = _cached(repo_id, revision)
    if held and (constants.HF_HUB_OFFLINE or (whole and revision not in (None, MAIN))):
        return held
    if constants.HF_HUB_OFFLINE:
        raise WeightsError(f"{source}: not in the cache, and HF_HUB_OFFLINE is set; expected it to "
                           "be fetched once with a connection")  # fmt: skip
    try:
        with _told_apart(source):
            folder = _watched(lambda sign: _download(repo_id, revision, sign), _patience())
    except _UnreachableError as error:
        if not held:
            raise
        _logger.warning("%s; taking commit %s from the cache", error, held.name)
        return held
    _check_sums(folder)
    return folder


def _need_client(repo_id: str) -> None:
    if find_spec("huggingface_hub") is None:
        raise WeightsError(f"hub repository {repo_id!r}: huggingface_hub is not installed; "
                           "expected: pip install 'fer-cbam[hub]'")  # fmt: skip


def _cached(repo_id: str, revision: str | None) -> tuple[Path | None, bool]:
    """The cached folder, and whether it has all files that the repository has for us. Timm fetches
    two of them only."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repo_id, n, revision=revision) for n in REPOSITORY_FILES]
    config, weights = found[:2]
    if not isinstance(config, str) or not isinstance(weights, str):
        return None, False
    folder = Path(config).parent
    _check_sums(folder)
    return folder, None not in found


def _download(repo_id: str, revision: str | None, sign: Callable[[], None]) -> Path:
    """Look first, then fetch. sign: called whenever something has come from the hub."""
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        def update(self, n: float | None = 1) -> bool | None:
            sign()
            return super().update(n)

    # By default 10 MB: a cut line would lose all of smaller files, and seem silent until they end.
    constants.DOWNLOAD_CHUNK_SIZE = min(constants.DOWNLOAD_CHUNK_SIZE, 2**16)
    info = _api().model_info(repo_id, revision=revision, timeout=_patience())
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
    metadata = get_hf_file_metadata(url, timeout=_patience())
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


def _check_sums(folder: Path) -> None:
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


def upload(
    folder: Path, repo_id: str, private: bool = False, revision: str | None = None
) -> Pushed:
    """Put a folder of weights on the hub as one commit with a tag.

    folder: checked already. private: for a repository that is made now; one that exists has to be
    private then. revision: a tag that is not there yet; by default the next of v1, v2, ..., or the
    tag that the same content has.

    Raises:
        WeightsError: no token or not a good one, a hub that cannot be reached, a tag that exists.
    """
    if parse(repo_id) != (repo_id, None):
        raise WeightsError(f"hub repository {repo_id!r}; expected 'user/name'")
    if revision is not None:
        check_revision(revision)
    _need_client(repo_id)
    from huggingface_hub import get_token

    if not get_token():
        raise WeightsError(f"{repo_id}: no token to push with; expected HF_TOKEN or a login with "
                           "'hf auth login'")  # fmt: skip
    with tempfile.TemporaryDirectory() as staged, _told_apart(repo_id):
        size = _stage(folder, Path(staged), repo_id)
        tags = _watched(lambda _: _prepare(repo_id, private, revision), _patience())
        return _watched(
            lambda _: _commit(repo_id, Path(staged), private, revision, tags),
            UPLOAD_PATIENCE + size / UPLOAD_RATE,
        )


def _stage(folder: Path, staged: Path, repo_id: str) -> int:
    """Copy what is uploaded, with a card; its bytes."""
    for name in REPOSITORY_FILES:
        if name != CARD_FILE and (folder / name).is_file():
            (staged / name).write_bytes((folder / name).read_bytes())
    text = card_text(folder, pretrained.read_config(folder), repo_id)
    (staged / CARD_FILE).write_text(text, encoding="utf-8")
    return sum(path.stat().st_size for path in staged.iterdir())


def _prepare(repo_id: str, private: bool, revision: str | None) -> dict[str, str] | None:
    """Tags of the repository and their commits, None where there is none yet."""
    from huggingface_hub.errors import RepositoryNotFoundError

    api = _api()
    try:
        info = api.model_info(repo_id, timeout=_patience())
    except RepositoryNotFoundError:
        return None
    if private and not info.private:
        raise WeightsError(
            f"{repo_id}: is there and is public; expected a private one. Nothing was uploaded"
        )
    tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo_id).tags}
    if revision in tags:
        raise WeightsError(f"{repo_id}: tag {revision!r} is there and is not moved; expected a new "
                           f"one, found: {', '.join(sorted(tags))}")  # fmt: skip
    return tags


def _commit(
    repo_id: str,
    staged: Path,
    private: bool,
    revision: str | None,
    tags: dict[str, str] | None,
) -> Pushed:
    from huggingface_hub import CommitOperationAdd

    api = _api()
    if tags is None:
        api.create_repo(repo_id, private=private)
    files = [CommitOperationAdd(path.name, path) for path in sorted(staged.iterdir())]
    message = f"Weights {revision}" if revision else "Weights"
    commit = api.create_commit(repo_id, files, commit_message=message)
    tags = tags or {}
    same = [tag for tag, target in tags.items() if target == commit.oid]
    if revision is None and same:
        revision = same[0]
    else:
        revision = revision or _next_version(tags)
        api.create_tag(repo_id, tag=revision, revision=commit.oid)
    return Pushed(repo_id, revision, commit.oid, f"{_endpoint()}/{repo_id}")


def _next_version(tags: Iterable[str]) -> str:
    numbers = [int(match[1]) for tag in tags if (match := re.fullmatch(r"v(\d{1,9})", tag))]
    return f"v{max(numbers, default=0) + 1}"


def _api() -> Any:
    from huggingface_hub import HfApi

    from fer_cbam import __version__

    return HfApi(library_name="fer-cbam", library_version=__version__)


def _patience() -> float:
    return float(os.environ.get("HF_HUB_ETAG_TIMEOUT") or PATIENCE)


def _endpoint() -> str:
    """The hub's address without a password."""
    from huggingface_hub import constants

    parts = urlsplit(constants.ENDPOINT)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _watched(call: Callable[[Callable[[], None]], T], patience: float) -> T:
    """Run a call in a thread of its own, and leave it there once nothing is heard of it.

    call: gets a function to call at each sign of life. A thread waiting for a name server or a
    socket cannot be stopped from outside; as a daemon it holds nobody up.

    Raises:
        _UnreachableError: nothing for ``patience`` seconds.
    """
    heard = [time.monotonic()]
    future: Future[T] = Future()

    def sign() -> None:
        heard[0] = time.monotonic()

    def run() -> None:
        try:
            future.set_result(call(sign))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="fer_cbam.hub.remote").start()
    while (left := heard[0] + patience - time.monotonic()) > 0:
        if wait([future], timeout=left).done:
            return future.result()
    raise _UnreachableError(_silence(patience))


def _silence(patience: float) -> str:
    return (
        f"{_endpoint()} has not answered for {patience:g} s; set HF_HUB_ETAG_TIMEOUT to wait "
        "longer, or HF_HUB_OFFLINE=1 to ask the cache only"
    )


@contextmanager
def _told_apart(source: str) -> Iterator[None]:
    """Turns what the client raises into a WeightsError that says what to do, without the token."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HTTPError

    try:
        yield
    except WeightsError as error:
        if source.removeprefix(PREFIX).partition("@")[0] in str(error):
            raise
        raise type(error)(f"{source}: {error}") from None
    except (HfHubHTTPError, HTTPError, EntryNotFoundError, OSError, ValueError) as error:
        kind, message = _explained(error)
        text = f"{source}: {message}"
        token = get_token()
        if token and (token in text or token in str(error)):  # a hub that repeats it
            raise kind(text.replace(token, "(token)")) from None
        raise kind(text) from error


def _explained(error: BaseException) -> tuple[type[WeightsError], str]:
    from huggingface_hub import errors, get_token

    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__:
        error = error.__cause__  # "an error happened", and what did
    where = _endpoint()
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return WeightsError, f"{where} wants its terms accepted first: {where}/<user>/<name>"
    if isinstance(error, errors.RevisionNotFoundError):
        return WeightsError, f"no such revision at {where}; expected a tag, a branch or a commit"
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403, 404):
        sent = "the token that was sent may not do this" if get_token() else "no token was sent"
        return WeightsError, (
            f"{where} answers {status}: not there, or private ({sent}); expected a repository, and "
            "for a private one HF_TOKEN or a login with 'hf auth login'"
        )
    if status is not None and (status >= 500 or status in (408, 429)):
        return (
            _UnreachableError,
            f"{where} answers {status}, a fault of its own; try again later",
        )
    if "Timeout" in type(error).__name__:
        return _UnreachableError, _silence(_patience())
    if status is None and isinstance(error, errors.HTTPError):
        return _UnreachableError, f"{where} cannot be reached ({type(error).__name__}: {error})"
    first_line = str(error).strip().partition("\n")[0]
    return WeightsError, f"{where}: {type(error).__name__}: {first_line}"
