"""A hub on loopback: the part of the Hub's protocol that fetching and pushing models takes.

Two servers, as the real one has: the hub itself, and a storage on another port that large files are
uploaded to and redirected to. It speaks to the real client of huggingface_hub only, keeps every
request with the token that came with it, and can be told to misbehave.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

LARGE = (".safetensors", ".bin", ".onnx")  # stored as LFS, as the real hub's .gitattributes says


@dataclass(frozen=True)
class Asked:
    """A request as it came. port: of the server that it came to."""

    port: int
    method: str
    path: str
    authorization: str | None
    range: str | None


@dataclass
class Repo:
    """commits: 40 hex digits -> name -> content. refs: of branches and tags, to a commit."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Add or replace files on a branch; the new commit."""
        held = self.commits.get(self.branches.get(branch, ""), {})
        number = f"{len(self.commits)} {sorted(files)}".encode()
        sha = hashlib.sha1(number + b"".join(files.values())).hexdigest()
        self.commits[sha] = {**held, **files}
        self.branches[branch] = sha
        return sha

    def find(self, revision: str) -> str | None:
        if revision in self.commits:
            return revision
        return self.tags.get(revision) or self.branches.get(revision)


@dataclass
class Fault:
    """What to do instead of answering requests whose "METHOD path" matches. left: how often."""

    pattern: str
    act: Callable[[_Handler], bool]
    left: float = float("inf")


def oid(name: str, content: bytes) -> str:
    """The checksum that the hub gives as ETag."""
    if name.endswith(LARGE):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Clients that were told to give up do."""


class HubServer:
    """token: the only one that may push and read what is private. repos: by ``user/name``."""

    def __init__(self, token: str = "hf_SecretOfTheTests"):
        self.token = token
        self.repos: dict[str, Repo] = {}
        self.storage: dict[str, bytes] = {}
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.released = threading.Event()  # ends what hangs
        self._servers = [_Quiet(("127.0.0.1", 0), _Handler) for _ in range(2)]
        for server in self._servers:
            server.hub = self  # type: ignore[attr-defined]
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.port, self.storage_port = (server.server_port for server in self._servers)
        self.url = f"http://127.0.0.1:{self.port}"
        self.storage_url = f"http://localhost:{self.storage_port}"  # another host by name too

    def close(self) -> None:
        self.released.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def reset(self) -> None:
        """As new, on the same ports."""
        self.released.set()
        self.released = threading.Event()
        self.repos, self.storage, self.asked, self.faults = {}, {}, [], []

    def to(self, pattern: str, method: str = "") -> list[Asked]:
        """Requests whose path matches, in their order."""
        return [a for a in self.asked if re.search(pattern, a.path) and a.method.startswith(method)]

    # Faults.

    def fail(self, pattern: str, status: int, headers: dict[str, str] | None = None,
             body: bytes = b"{}", left: float = float("inf")) -> None:  # fmt: skip
        def act(handler: _Handler) -> bool:
            handler.answer(status, body, headers)
            return True

        self.faults.append(Fault(pattern, act, left))

    def hang(self, pattern: str) -> None:
        released = self.released

        def act(handler: _Handler) -> bool:
            released.wait(60)
            handler.close_connection = True
            return True

        self.faults.append(Fault(pattern, act))

    def cut(self, pattern: str, after: int, left: float = 1) -> None:
        """End the connection after some bytes of a body."""
        self.faults.append(Fault(pattern, lambda h: setattr(h, "cut_after", after) or False, left))

    def stall(self, pattern: str, after: int) -> None:
        """Send some bytes of a body and then no more, with the connection open."""

        def act(handler: _Handler) -> bool:
            handler.cut_after, handler.stall = after, self.released
            return False

        self.faults.append(Fault(pattern, act))

    def corrupt(self, pattern: str) -> None:
        """Change one byte of a body, not its length."""
        self.faults.append(Fault(pattern, lambda h: setattr(h, "corrupt", True) or False))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cut_after: int | None = None
    stall: threading.Event | None = None
    corrupt = False

    @property
    def hub(self) -> HubServer:
        return self.server.hub  # type: ignore[attr-defined]

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._take(_GET)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self._take(_POST)

    def do_PUT(self) -> None:
        self._take(_PUT)

    def _take(self, routes: list[tuple[str, Callable[..., None]]]) -> None:
        self.cut_after, self.stall, self.corrupt = None, None, False  # one handler a connection
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        authorization = self.headers.get("Authorization")
        port = self.server.server_address[1]
        asked = Asked(port, self.command, path, authorization, self.headers.get("Range"))
        self.hub.asked.append(asked)
        for fault in self.hub.faults:
            if fault.left > 0 and re.search(fault.pattern, f"{self.command} {path}"):
                fault.left -= 1
                if fault.act(self):
                    return
        for pattern, answer in routes:
            if match := re.fullmatch(pattern, path):
                answer(self, *match.groups())
                return
        self.answer(404, b'{"error": "no such route"}')

    # Answers.

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        if self.corrupt and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body if self.cut_after is None else body[: self.cut_after])
        if self.cut_after is not None:
            self.wfile.flush()
            if self.stall:
                self.stall.wait(60)
            self.close_connection = True

    def json(self, value: Any, status: int = 200) -> None:
        self.answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def refuse(self, status: int, code: str, message: str) -> None:
        self.answer(status, headers={"X-Error-Code": code, "X-Error-Message": message})

    def may_push(self) -> bool:
        if self._known():
            return True
        self.answer(401, headers={"X-Error-Message": "Invalid username or password."})
        return False

    def _known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def repo(self, repo_id: str) -> Repo | None:
        repo = self.hub.repos.get(repo_id)
        if repo is None or (repo.private and not self._known()):
            # As the real one: without a token nobody is told that it is not there.
            status = 401 if "Authorization" not in self.headers else 404
            self.refuse(status, "RepoNotFound", "Repository not found")
            return None
        return repo

    def revision(self, repo_id: str, revision: str) -> tuple[Repo, str] | None:
        repo = self.repo(repo_id)
        if repo is None:
            return None
        sha = repo.find(revision)
        if sha is None:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return None
        return repo, sha

    # Reading.

    def model_info(self, repo_id: str, revision: str | None = None) -> None:
        if found := self.revision(repo_id, revision or "main"):
            repo, sha = found
            files = [{"rfilename": name} for name in repo.commits[sha]]
            self.json({"_id": "1", "id": repo_id, "modelId": repo_id, "sha": sha,
                       "private": repo.private, "siblings": files, "tags": []})  # fmt: skip

    def tree(self, repo_id: str, revision: str) -> None:
        if found := self.revision(repo_id, revision):
            repo, sha = found
            rows = []
            for name, content in repo.commits[sha].items():
                row: dict[str, Any] = {"type": "file", "path": name, "size": len(content)}
                row["oid"] = hashlib.sha1(content).hexdigest()
                if name.endswith(LARGE):
                    row["lfs"] = {"oid": oid(name, content), "size": len(content),
                                  "pointerSize": 134}  # fmt: skip
                rows.append(row)
            self.json(rows)

    def refs(self, repo_id: str) -> None:
        if repo := self.repo(repo_id):
            kinds = {"branches": ("heads", repo.branches), "tags": ("tags", repo.tags)}
            self.json({"converts": []} | {
                kind: [{"name": name, "ref": f"refs/{folder}/{name}", "targetCommit": sha}
                       for name, sha in refs.items()]
                for kind, (folder, refs) in kinds.items()
            })  # fmt: skip

    def resolve(self, repo_id: str, revision: str, name: str) -> None:
        found = self.revision(repo_id, revision)
        if not found:
            return
        repo, sha = found
        content = repo.commits[sha].get(name)
        if content is None:
            self.answer(404, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha})
            return
        tag = oid(name, content)
        if name.endswith(LARGE):
            self.hub.storage[tag] = content
            self.answer(302, headers={
                "Location": f"{self.hub.storage_url}/blob/{tag}", "X-Repo-Commit": sha,
                "X-Linked-Etag": f'"{tag}"', "X-Linked-Size": str(len(content)),
            })  # fmt: skip
        else:
            self.answer(200, content, {"ETag": f'"{tag}"', "X-Repo-Commit": sha})

    def blob(self, tag: str) -> None:
        content = self.hub.storage[tag]
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            start = int(match[1])
            part = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206, content[start:], {"Content-Range": part})
        else:
            self.answer(200, content)

    # Pushing.

    def create(self) -> None:
        if self.may_push():
            asked = json.loads(self.body)
            repo_id = f"{asked.get('organization') or 'user'}/{asked['name']}"
            if repo_id in self.hub.repos:
                self.json({"error": "You already created this model repo"}, 409)
                return
            private = asked.get("visibility") == "private" or asked.get("private") is True
            repo = self.hub.repos[repo_id] = Repo(private)
            repo.commit({".gitattributes": b"*.safetensors filter=lfs\n"})
            self.json({"url": f"{self.hub.url}/{repo_id}", "id": "1"})

    def validate_yaml(self) -> None:
        text = json.loads(self.body)["content"]
        match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
        try:
            held = yaml.safe_load(match[1]) if match else None
        except yaml.YAMLError as error:
            self.json({"errors": [{"message": str(error)}], "warnings": []}, 400)
            return
        empty = [] if held else [{"message": "empty or missing yaml metadata in repo card"}]
        self.json({"errors": [], "warnings": empty})

    def preupload(self, repo_id: str, revision: str) -> None:
        if self.may_push() and (found := self.revision(repo_id, revision)):
            repo, sha = found
            files = []
            for asked in json.loads(self.body)["files"]:
                name = asked["path"]
                mode = "lfs" if name.endswith(LARGE) else "regular"
                row = {"path": name, "uploadMode": mode, "shouldIgnore": False}
                if name in repo.commits[sha]:
                    row["oid"] = oid(name, repo.commits[sha][name])
                files.append(row)
            self.json({"files": files})

    def lfs_batch(self, repo_id: str) -> None:
        if self.may_push() and self.repo(repo_id):
            rows = []
            for asked in json.loads(self.body)["objects"]:
                href = f"{self.hub.storage_url}/upload/{asked['oid']}"
                rows.append({**asked, "actions": {"upload": {"href": href}}})
            self.json({"objects": rows, "transfer": "basic"})

    def upload(self, tag: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != tag:
            self.answer(400)
            return
        self.hub.storage[tag] = self.body
        self.answer(200)

    def commit(self, repo_id: str, branch: str) -> None:
        if self.may_push() and (repo := self.repo(repo_id)):
            files = {}
            for line in self.body.splitlines():
                operation = json.loads(line)
                value = operation["value"]
                if operation["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif operation["key"] == "lfsFile":
                    files[value["path"]] = self.hub.storage[value["oid"]]
            sha = repo.commit(files, branch)
            url = f"{self.hub.url}/{repo_id}/commit/{sha}"
            self.json({"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})

    def tag(self, repo_id: str, revision: str) -> None:
        if self.may_push() and (found := self.revision(repo_id, revision)):
            repo, sha = found
            name = json.loads(self.body)["tag"]
            if name in repo.tags:
                self.json({"error": "Tag reference exists already"}, 409)
                return
            repo.tags[name] = sha
            self.answer(200)


_ID = r"([\w.-]+/[\w.-]+)"
_GET = [
    (rf"/api/models/{_ID}", _Handler.model_info),
    (rf"/api/models/{_ID}/revision/(.+)", _Handler.model_info),
    (rf"/api/models/{_ID}/tree/([^/]+)", _Handler.tree),
    (rf"/api/models/{_ID}/refs", _Handler.refs),
    (rf"/{_ID}/resolve/([^/]+)/(.+)", _Handler.resolve),
    (r"/blob/(\w+)", _Handler.blob),
]
_POST = [
    (r"/api/repos/create", _Handler.create),
    (r"/api/validate-yaml", _Handler.validate_yaml),
    (rf"/api/models/{_ID}/preupload/(.+)", _Handler.preupload),
    (rf"/{_ID}\.git/info/lfs/objects/batch", _Handler.lfs_batch),
    (rf"/api/models/{_ID}/commit/(.+)", _Handler.commit),
    (rf"/api/models/{_ID}/tag/(.+)", _Handler.tag),
]
_PUT = [(r"/upload/(\w+)", _Handler.upload)]


def main() -> None:
    """Serve until the end of standard input; the first line printed is the address."""
    import sys

    server = HubServer()
    print(server.url, flush=True)
    sys.stdin.read()
    server.close()


if __name__ == "__main__":
    main()
