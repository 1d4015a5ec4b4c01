"""What every request to a hub needs: names of repositories, a client, patience and clear errors.

Every request is made by huggingface_hub, which also finds the token and keeps it from other hosts.
A hub that falls silent is given up after a few seconds. The client asks six times, with pauses of
up to 8 s; the name server is outside its time limits altogether.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fer_cbam import pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.hub.cards import CARD_FILE

PREFIX = "hf-hub:"
# All that is ever fetched or uploaded; the first two have to be there. Nothing that is unpickled.
REPOSITORY_FILES = (
    pretrained.CONFIG_FILE,
    pretrained.WEIGHTS_FILE,
    pretrained.GRAPH_FILE,
    CARD_FILE,
)
PATIENCE = 4.0  # seconds of silence, unless HF_HUB_ETAG_TIMEOUT says otherwise

REPO_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
REVISION = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*")

T = TypeVar("T")


class UnreachableError(WeightsError):
    """The hub said nothing of use: what is cached may still do."""


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


def need_client(repo_id: str) -> None:
    if find_spec("huggingface_hub") is None:
        raise WeightsError(f"hub repository {repo_id!r}: huggingface_hub is not installed; "
                           "expected: pip install 'fer-cbam[hub]'")  # fmt: skip


def api_client() -> Any:
    from huggingface_hub import HfApi

    from fer_cbam import __version__

    return HfApi(library_name="fer-cbam", library_version=__version__)


def request_timeout() -> float:
    return float(os.environ.get("HF_HUB_ETAG_TIMEOUT") or PATIENCE)


def endpoint() -> str:
    """The hub's address without a password."""
    from huggingface_hub import constants

    parts = urlsplit(constants.ENDPOINT)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def watched(call: Callable[[Callable[[], None]], T], patience: float) -> T:
    """Run a call in a thread of its own, and leave it there once nothing is heard of it.

    call: gets a function to call at each sign of life. A thread waiting for a name server or a
    socket cannot be stopped from outside; as a daemon it holds nobody up.

    Raises:
        UnreachableError: nothing for ``patience`` seconds.
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
    raise UnreachableError(_silence(patience))


def _silence(patience: float) -> str:
    return (
        f"{endpoint()} has not answered for {patience:g} s; set HF_HUB_ETAG_TIMEOUT to wait "
        "longer, or HF_HUB_OFFLINE=1 to ask the cache only"
    )


@contextmanager
def translated_errors(source: str) -> Iterator[None]:
    """Turns what the client raises into a WeightsError that says what to do, without the token."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HTTPError

    try:
        yield
    except WeightsError as error:
        if source.removeprefix(PREFIX).partition("@")[0] in str(error):
            raise
        raise type(error)(f"{source}: {error}") from None
    except (
        HfHubHTTPError,
        HTTPError,
        EntryNotFoundError,
        OSError,
        ValueError,
        ImportError,
    ) as error:
        # ImportError: a SOCKS proxy of the environment, which needs a package more.
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
    where = endpoint()
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
            UnreachableError,
            f"{where} answers {status}, a fault of its own; try again later",
        )
    if "Timeout" in type(error).__name__:
        return UnreachableError, _silence(request_timeout())
    if status is None and isinstance(error, errors.HTTPError):
        return UnreachableError, f"{where} cannot be reached ({type(error).__name__}: {error})"
    first_line = str(error).strip().partition("\n")[0]
    return WeightsError, f"{where}: {type(error).__name__}: {first_line}"
