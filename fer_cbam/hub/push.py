"""Weights from a folder to a hub: config, safetensors and their card, one commit, a tag."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fer_cbam import pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.hub.cards import CARD_FILE, card_text
from fer_cbam.hub.load import load_model, local_folder
from fer_cbam.hub.remote import (
    REPOSITORY_FILES,
    api_client,
    check_revision,
    endpoint,
    need_client,
    parse,
    request_timeout,
    translated_errors,
    watched,
)

UPLOAD_PATIENCE, UPLOAD_RATE = 60.0, 50e3  # seconds, and bytes a second of a slow line


@dataclass(frozen=True)
class Pushed:
    """Where weights went. revision: the tag. commit: what it stands for, 40 hex digits."""

    repo_id: str
    revision: str
    commit: str
    url: str


def push(
    source: str | Path, repo_id: str, private: bool = False, revision: str | None = None
) -> Pushed:
    """Put weights on a hub: config.json, model.safetensors and their model card, one commit, a tag.

    source: a folder, or ``<arch>.<tag>``; loaded first, so that nothing broken leaves. A README.md
    in the folder is the card, else one is composed. See :func:`upload` for the rest.

    Raises:
        WeightsError: the weights do not load, or the hub does not take them.
    """
    folder = local_folder(source)
    load_model(folder)
    return upload(folder, repo_id, private, revision)


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
    need_client(repo_id)
    from huggingface_hub import get_token

    if not get_token():
        raise WeightsError(f"{repo_id}: no token to push with; expected HF_TOKEN or a login with "
                           "'hf auth login'")  # fmt: skip
    with tempfile.TemporaryDirectory() as staged, translated_errors(repo_id):
        size = _stage(folder, Path(staged), repo_id)
        tags = watched(lambda _: _prepare(repo_id, private, revision), request_timeout())
        return watched(
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

    api = api_client()
    try:
        info = api.model_info(repo_id, timeout=request_timeout())
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

    api = api_client()
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
    return Pushed(repo_id, revision, commit.oid, f"{endpoint()}/{repo_id}")


def _next_version(tags: Iterable[str]) -> str:
    numbers = [int(match[1]) for tag in tags if (match := re.fullmatch(r"v(\d{1,9})", tag))]
    return f"v{max(numbers, default=0) + 1}"
