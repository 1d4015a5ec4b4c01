"""Push and pull through the real client, against the hub of `hub_server` at its best and worst."""

from __future__ import annotations

import json
import logging
import time

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from huggingface_hub import constants
from huggingface_hub.utils import close_session

from eval import table
from eval.__main__ import main as evaluate
from fer_cbam import cli, hub, pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.hub import remote
from fer_cbam.labels import LABEL_SETS
from fer_cbam.recognizer import EmotionRecognizer
from tests.conftest import noise_faces
from tests.hub.server import Fault, HubServer, Repo

LABELS = ("anger", "disgust", "fear", "happiness")
LANDMARKS = [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]]
REPO = "user/faces"


@pytest.fixture(scope="module")
def server():
    server = HubServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def hf_hub(server, tmp_path, monkeypatch):
    """The hub, empty, as the one that huggingface_hub knows; with a cache of its own, no token."""
    server.reset()
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_ETAG_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    # What these environment variables do when huggingface_hub is imported.
    settings = {
        "ENDPOINT": server.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": server.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_TOKEN_PATH": str(tmp_path / "token"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "DOWNLOAD_CHUNK_SIZE": constants.DOWNLOAD_CHUNK_SIZE,
    }
    for name, value in settings.items():
        monkeypatch.setattr(constants, name, value)
    yield server
    close_session()


@pytest.fixture
def token(hf_hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hf_hub.token)
    return hf_hub.token


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return timm.create_model("fer_cbam_paper", num_classes=4, channels=(8, 8, 16)).eval()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    return hub.save_model(
        model, tmp_path_factory.mktemp("weights"), LABELS, {"landmarks": LANDMARKS}
    )


@pytest.fixture
def x():
    return torch.rand((3, 1, 48, 48), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def published(hf_hub, files):
    """The weights on the hub, tagged v1, public."""
    repo = hf_hub.repos[REPO] = Repo()
    repo.tags["v1"] = repo.commit({**files, "README.md": b"# A card\n"})
    return repo


def within(seconds, call, *args, **kwargs):
    """What the call raised, and that it took no longer."""
    start = time.monotonic()
    with pytest.raises(WeightsError) as raised:
        call(*args, **kwargs)
    assert time.monotonic() - start < seconds
    return str(raised.value)


def edited(files, **changes):
    """The files with keys at the root of config.json replaced."""
    config = json.loads(files["config.json"]) | changes
    return {**files, "config.json": json.dumps(config).encode()}


# Push.


def test_push_makes_one_commit_of_three_files_and_a_tag(hf_hub, folder, files, token):
    pushed = hub.push(folder, REPO)
    repo = hf_hub.repos[REPO]
    assert pushed == remote.Pushed(REPO, "v1", repo.branches["main"], f"{hf_hub.url}/{REPO}")
    assert repo.tags == {"v1": pushed.commit} and not repo.private
    assert len(repo.commits) == 2  # the hub's own first, and ours
    held = repo.commits[pushed.commit]
    assert sorted(held) == [".gitattributes", "README.md", "config.json", "model.safetensors"]
    assert {name: held[name] for name in files} == files


def test_the_card_of_the_folder_goes_along(hf_hub, files, tmp_path, token):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# Mine: ünlike any\n", "utf-8")
    pushed = hub.push(tmp_path, REPO)
    held = hf_hub.repos[REPO].commits[pushed.commit]
    assert held["README.md"] == (tmp_path / "README.md").read_bytes()


def test_embedded_weights_are_pushed_by_name_with_their_model_card(hf_hub, token):
    pushed = hub.push(hub.DEFAULT_WEIGHTS, REPO)
    card = hf_hub.repos[REPO].commits[pushed.commit]["README.md"].decode()
    embedded = pretrained.embedded_dir(hub.DEFAULT_WEIGHTS) / "README.md"
    assert card == embedded.read_text("utf-8")
    assert f"# Model card: `{hub.DEFAULT_WEIGHTS}`" in card


def test_same_content_keeps_its_tag_and_other_content_gets_the_next(
    hf_hub, folder, files, tmp_path, token
):
    first = hub.push(folder, REPO)
    assert hub.push(folder, REPO) == first
    for name, content in edited(files, temperature=2.0).items():
        (tmp_path / name).write_bytes(content)
    second = hub.push(tmp_path, REPO)
    assert second.revision == "v2" and second.commit != first.commit
    assert hf_hub.repos[REPO].tags == {"v1": first.commit, "v2": second.commit}


def test_a_tag_is_never_moved(hf_hub, folder, files, tmp_path, token):
    first = hub.push(folder, REPO, revision="paper")
    for name, content in edited(files, temperature=2.0).items():
        (tmp_path / name).write_bytes(content)
    message = within(5, hub.push, tmp_path, REPO, revision="paper")
    assert "tag 'paper' is there and is not moved" in message
    assert hf_hub.repos[REPO].tags == {"paper": first.commit}
    assert hf_hub.repos[REPO].branches["main"] == first.commit


def test_a_private_push_does_not_end_in_a_public_repository(hf_hub, folder, token):
    assert hub.push(folder, "user/own", private=True).revision == "v1"
    assert hf_hub.repos["user/own"].private
    hub.push(folder, REPO)
    before = len(hf_hub.repos[REPO].commits)
    assert "is public; expected a private one" in within(5, hub.push, folder, REPO, private=True)
    assert len(hf_hub.repos[REPO].commits) == before


def test_nothing_is_asked_without_a_token_or_with_broken_weights(
    hf_hub, folder, files, tmp_path, monkeypatch
):
    assert "no token to push with; expected HF_TOKEN" in within(5, hub.push, folder, REPO)
    monkeypatch.setenv("HF_TOKEN", hf_hub.token)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "model.safetensors").write_bytes(files["model.safetensors"][:1000])
    assert "damaged or no safetensors file" in within(5, hub.push, tmp_path, REPO)
    assert "neither embedded" in within(5, hub.push, "nowhere", REPO)
    for name in ("faces", "user/faces@v1", "hf-hub:user/faces", "a/b/c", "../faces"):
        assert "expected 'user/name'" in within(5, hub.push, folder, name)
    assert "revision '../v1'" in within(5, hub.push, folder, REPO, revision="../v1")
    assert hf_hub.asked == []


def test_push_with_a_wrong_token(hf_hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_Wrong")
    message = within(5, hub.push, folder, REPO)
    assert "answers 401" in message and "the token that was sent may not do this" in message
    assert hf_hub.repos == {}


def test_push_to_a_hub_that_hangs(hf_hub, folder, token, monkeypatch):
    monkeypatch.setattr(remote, "PATIENCE", 1)
    hf_hub.hang(".*")
    message = within(2, hub.push, folder, REPO)
    assert f"{REPO}: {hf_hub.url} has not answered for 1 s" in message


# Pull, and all ways to load.


@pytest.mark.parametrize("source", [REPO, f"hf-hub:{REPO}", f"{REPO}@v1", f"hf-hub:{REPO}@v1"])
def test_all_ways_give_the_same_logits(source, model, published, tmp_path, x):
    expected = model(x)
    loaded = hub.load_model(source)
    assert torch.equal(loaded.model(x), expected)
    assert (loaded.label_names, loaded.name) == (LABELS, source)
    name = source if source.startswith("hf-hub:") else f"hf-hub:{source}"
    assert torch.equal(timm.create_model(name, pretrained=True).eval()(x), expected)
    pulled = hub.pull(source, tmp_path / "new" / "folder")
    assert torch.equal(hub.load_model(pulled).model(x), expected)
    assert sorted(p.name for p in pulled.iterdir()) == [
        "README.md", "config.json", "model.safetensors"
    ]  # fmt: skip
    assert not any(p.is_symlink() for p in pulled.iterdir())


def test_recognizer_takes_a_revision(published, files):
    published.commit(edited(files, temperature=3.0))
    by_tag = EmotionRecognizer.from_pretrained(REPO, revision="v1")
    assert (by_tag.temperature, by_tag.name) == (1.0, f"{REPO}@v1")
    assert EmotionRecognizer.from_pretrained(REPO).temperature == 3.0
    commit = published.tags["v1"]
    assert EmotionRecognizer.from_pretrained(REPO, revision=commit).temperature == 1.0


def test_evaluation_reads_from_the_hub(hf_hub, token, tmp_path, monkeypatch):
    noise_faces(tmp_path / "faces", LABEL_SETS["ckplus48"], 10)
    hub.push(hub.DEFAULT_WEIGHTS, REPO, private=True)
    monkeypatch.chdir(tmp_path)
    tables = []
    for weights in (f"hf-hub:{REPO}", hub.DEFAULT_WEIGHTS):
        arguments = ["--weights", weights, "--data", "faces", "--protocol", "paper"]
        evaluate([*arguments, "--out", "out"])
        tables.append(table.read(tmp_path / "out" / "predictions.parquet"))
    assert hf_hub.to("/blob/", "GET")
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize(
    ("source", "revision", "message"),
    [
        (hub.DEFAULT_WEIGHTS, "v1", "expected a hub repository"),
        (f"{REPO}@v1", "v2", "which names one already"),
        (REPO, "../../v1", "expected a tag, a branch or a commit"),
        (f"{REPO}@../../v1", None, "expected a tag, a branch or a commit"),
        (f"{REPO}@", None, "expected a tag, a branch or a commit"),
        (f"{REPO}@v9", None, "no such revision"),
        ("hf-hub:faces", None, "expected 'user/name'"),
        ("hf-hub:user/..", None, "expected 'user/name'"),
    ],
)
def test_revisions_that_are_none(source, revision, message, published):
    assert message in within(5, EmotionRecognizer.from_pretrained, source, revision=revision)


def test_a_folder_is_never_taken_for_a_repository(hf_hub, folder, published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user").mkdir()
    (tmp_path / REPO).symlink_to(folder)
    assert hub.resolve(REPO) == hub.Path(REPO)
    assert hf_hub.asked == []


def test_a_pinned_revision_stays_when_main_moves(hf_hub, published, files):
    hub.load_model(f"{REPO}@v1")
    hub.load_model(REPO)
    published.commit(edited(files, temperature=3.0))
    hf_hub.asked.clear()
    assert hub.load_model(f"{REPO}@v1").config.get("temperature") is None
    assert hf_hub.asked == []  # a tag is not asked for again
    assert hub.load_model(REPO).config["temperature"] == 3.0


def test_what_timm_left_out_is_fetched_later(hf_hub, published):
    timm.create_model(f"hf-hub:{REPO}@v1", pretrained=True)
    assert hf_hub.to("README.md") == []
    assert (hub.resolve(f"{REPO}@v1") / "README.md").read_text() == "# A card\n"


def test_the_network_for_onnx_goes_along(hf_hub, token, x, monkeypatch):
    hub.push(hub.DEFAULT_WEIGHTS, REPO)
    by_onnx = EmotionRecognizer.from_pretrained(REPO, backend="onnx", revision="v1")
    expected = EmotionRecognizer.from_pretrained(hub.DEFAULT_WEIGHTS, backend="onnx")
    np.testing.assert_array_equal(
        by_onnx.backend.logits(x.numpy()), expected.backend.logits(x.numpy())
    )


def test_without_the_client(monkeypatch, folder):
    monkeypatch.setattr(remote, "find_spec", lambda name: None)
    for call in (lambda: hub.load_model(REPO), lambda: hub.push(folder, REPO)):
        assert "expected: pip install 'fer-cbam[hub]'" in within(1, call)


def test_a_new_card_alone_does_not_fetch_the_weights_again(hf_hub, published, tmp_path):
    hub.pull(REPO, tmp_path)
    published.commit({"README.md": b"# A better card\n"})
    hf_hub.asked.clear()
    hub.pull(REPO, tmp_path)
    assert (tmp_path / "README.md").read_text() == "# A better card\n"
    assert hf_hub.to("/blob/", "GET") == []


def test_pull_keeps_what_is_not_its_own(hf_hub, published, files, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    hub.pull(REPO, tmp_path)
    published.commit(edited(files, architecture="resnet18"))
    assert "'resnet18'; expected one of" in within(5, hub.pull, REPO, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "cache") == [
        "README.md", "config.json", "model.safetensors", "notes.txt"
    ]  # fmt: skip
    assert (tmp_path / "config.json").read_bytes() == files["config.json"]
    assert "neither" not in within(5, hub.pull, "not a repository", tmp_path)


# Private.


def test_private_with_and_without_a_token(hf_hub, published, monkeypatch, tmp_path):
    published.private = True
    message = within(5, hub.load_model, REPO)
    assert "answers 401: not there, or private (no token was sent)" in message
    assert "HF_TOKEN or a login with 'hf auth login'" in message
    monkeypatch.setenv("HF_TOKEN", "hf_OfSomeoneElse")
    assert "the token that was sent may not do this" in within(5, hub.load_model, REPO)
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "token").write_text(hf_hub.token)  # where 'hf auth login' puts it
    assert hub.load_model(REPO).label_names == LABELS


# Lines that break, hubs that fail.


def test_an_interrupted_download_is_resumed(hf_hub, published, model, x):
    hf_hub.cut("GET /blob/", after=100_000)
    assert torch.equal(hub.load_model(REPO).model(x), model(x))
    first, second = hf_hub.to("/blob/", "GET")
    assert first.range is None
    assert second.range == "bytes=65536-"  # the chunks of 64 KiB that had come


def test_a_wrong_checksum(hf_hub, published, model, x, tmp_path):
    hf_hub.corrupt("GET /blob/")
    message = within(5, hub.pull, REPO, tmp_path / "out")
    assert "model.safetensors" in message and "checksum" in message and "removed" in message
    assert not (tmp_path / "out").exists()
    hf_hub.faults.clear()
    assert torch.equal(hub.load_model(REPO).model(x), model(x))


def test_a_wrong_checksum_of_a_small_file(hf_hub, published):
    hf_hub.corrupt("GET .*config.json")
    assert "config.json" in within(5, hub.load_model, REPO)
    hf_hub.faults.clear()
    assert hub.load_model(REPO).label_names == LABELS


def test_a_cache_that_was_damaged_later(hf_hub, published):
    weights = (hub.resolve(f"{REPO}@v1") / "model.safetensors").resolve()
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "checksum" in within(5, hub.load_model, f"{REPO}@v1")
    assert hub.load_model(f"{REPO}@v1").label_names == LABELS


@pytest.mark.parametrize("path", ["/api/models/", "HEAD .*/resolve/", "GET /blob/"])
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "not there, or private"),
        (401, "not there, or private"),
        (403, "not there, or private"),
        (500, "answers 500, a fault of its own"),
        (503, "answers 503, a fault of its own"),
    ],
)
def test_statuses(path, status, message, hf_hub, published):
    hf_hub.fail(path, status)
    text = within(5, hub.load_model, REPO)
    assert text.startswith(f"{REPO}: {hf_hub.url}") and message in text and str(status) in text


def test_a_hub_that_hangs_is_given_up_within_5_seconds(hf_hub, published):
    hf_hub.hang(".*")
    message = within(5, hub.load_model, REPO)
    silent = (
        f"{REPO}: {hf_hub.url} has not answered for 4 s; set HF_HUB_ETAG_TIMEOUT to wait longer"
    )
    assert message.startswith(silent)


@pytest.mark.parametrize(
    "path", ["HEAD .*config.json", "HEAD .*safetensors", "GET .*config.json", "GET /blob/"]
)
def test_a_hub_that_hangs_later(path, hf_hub, published, monkeypatch):
    monkeypatch.setattr(remote, "PATIENCE", 1)
    hf_hub.hang(path)
    assert "has not answered for 1 s" in within(2, hub.load_model, REPO)


def test_a_download_that_stalls(hf_hub, published, monkeypatch):
    monkeypatch.setattr(remote, "PATIENCE", 1)
    hf_hub.stall("GET /blob/", after=100_000)
    assert "has not answered for 1 s" in within(2, hub.load_model, REPO)


def test_a_line_that_is_slow_but_alive_is_waited_for(hf_hub, published, monkeypatch):
    """Each answer comes within the patience, all of them together do not."""
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "0.8")
    hf_hub.faults.append(Fault("/(api|blob|user)/", lambda handler: time.sleep(0.2)))
    start = time.monotonic()
    assert hub.load_model(REPO).label_names == LABELS
    assert time.monotonic() - start > 1


def test_nobody_there(hf_hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://me:secret@127.0.0.1:9")
    message = within(5, hub.load_model, REPO)
    assert f"{REPO}: http://127.0.0.1:9 cannot be reached (ConnectError" in message
    assert "secret" not in message


def test_a_name_server_that_does_not_answer(monkeypatch):
    import socket

    def never(*_, **__):
        time.sleep(20)

    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", never)
    monkeypatch.setattr(remote, "PATIENCE", 1)
    assert "http://hub.invalid has not answered for 1 s" in within(2, hub.load_model, REPO)


def test_the_cache_helps_out_when_the_hub_does_not_answer(hf_hub, published, caplog, monkeypatch):
    hub.load_model(REPO)
    hf_hub.fail(".*", 500)
    with caplog.at_level(logging.WARNING):
        assert hub.load_model(REPO).label_names == LABELS
    commit = published.branches["main"]
    assert (
        f"answers 500, a fault of its own; try again later; taking commit {commit}" in caplog.text
    )
    hf_hub.faults.clear()
    hf_hub.hang(".*")
    monkeypatch.setattr(remote, "PATIENCE", 1)
    start = time.monotonic()
    assert hub.load_model(REPO).label_names == LABELS
    assert time.monotonic() - start < 2


def test_offline(hf_hub, published, monkeypatch):
    for source in (f"{REPO}@v1", REPO):
        hub.load_model(source)
    hf_hub.asked.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for source in (f"{REPO}@v1", REPO, f"{REPO}@{published.tags['v1']}"):
        start = time.monotonic()
        assert hub.load_model(source).label_names == LABELS
        assert time.monotonic() - start < 1
    assert "not in the cache, and HF_HUB_OFFLINE is set" in within(1, hub.load_model, f"{REPO}@v2")
    assert hf_hub.asked == []


# What is refused.


def test_a_repository_without_weights(hf_hub, published, files):
    hf_hub.repos["user/empty"] = empty = Repo()
    empty.commit({"config.json": files["config.json"], "README.md": b"soon"})
    message = within(5, hub.load_model, "user/empty")
    assert "user/empty: weights: none; expected model.safetensors" in message
    hf_hub.repos["user/bare"] = bare = Repo()
    bare.commit({"model.safetensors": files["model.safetensors"]})
    assert "user/bare: no config.json" in within(5, hub.load_model, "user/bare")


class Trap:
    """Says so if it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def test_pickle_only(hf_hub, files, tmp_path):
    torch.save({"trap": Trap()}, tmp_path / "pytorch_model.bin")
    repo = hf_hub.repos[REPO] = Repo()
    pickle = (tmp_path / "pytorch_model.bin").read_bytes()
    repo.commit({"config.json": files["config.json"], "pytorch_model.bin": pickle})
    message = within(5, hub.load_model, REPO)
    assert "only pytorch_model.bin, which is never opened; expected model.safetensors" in message
    with pytest.raises(WeightsError, match="its weights cannot be read"):
        timm.create_model(f"hf-hub:{REPO}", pretrained=True)
    assert hf_hub.to(r"pytorch_model|/blob/") == []


def test_a_pickle_beside_the_weights_is_not_fetched(hf_hub, published, tmp_path):
    published.commit({"pytorch_model.bin": b"\x80\x04."})
    hub.pull(REPO, tmp_path / "out")
    assert not (tmp_path / "out" / "pytorch_model.bin").exists()
    assert hf_hub.to("pytorch_model") == []


@pytest.mark.parametrize(
    "name", ["../evil.py", "a/../../evil.py", "/etc/evil", "..\\evil.py", "C:/evil", "a//b"]
)
def test_a_file_name_that_leads_out_of_the_folder(name, hf_hub, published, tmp_path):
    published.commit({name: b"evil"})
    message = within(5, hub.pull, REPO, tmp_path / "out")
    assert f"lists a file {name!r}, which would lie outside its folder" in message
    assert not (tmp_path / "out").exists()
    assert hf_hub.to("/resolve/") == []
    assert not list(tmp_path.rglob("*evil*"))


def test_a_commit_or_checksum_that_leads_out_of_the_cache(hf_hub, published, tmp_path):
    sha = published.branches["main"]
    hf_hub.fail("HEAD .*config.json", 200, {"X-Repo-Commit": sha, "ETag": '"../../../../evil"'})
    assert "has ETag '../../../../evil'" in within(5, hub.load_model, REPO)
    hf_hub.faults.clear()
    hf_hub.fail("HEAD .*config.json", 200, {"X-Repo-Commit": "../../../evil", "ETag": "0" * 40})
    assert "commit '../../../evil'" in within(5, hub.load_model, REPO)
    hf_hub.faults.clear()
    answer = {"id": REPO, "sha": "../../../evil", "siblings": []}
    answer["siblings"] = [{"rfilename": n} for n in ("config.json", "model.safetensors")]
    hf_hub.fail("/api/models/", 200, body=json.dumps(answer).encode())
    assert "commit '../../../evil'; expected 40 hex digits" in within(5, hub.load_model, REPO)
    assert not list(tmp_path.rglob("*evil*"))


def test_another_label_set_keeps_its_own_names(hf_hub, tmp_path, x):
    torch.manual_seed(1)
    names = tuple(f"mood{i}" for i in range(7))  # as many as fer_cbam_paper has by default
    other = timm.create_model("fer_cbam_paper").eval()
    made = hub.save_model(other, tmp_path / "made", names)
    repo = hf_hub.repos[REPO] = Repo()
    repo.commit({path.name: path.read_bytes() for path in made.iterdir()})
    loaded = hub.load_model(REPO)
    assert loaded.label_names == names
    by_timm = timm.create_model(f"hf-hub:{REPO}", pretrained=True).eval()
    assert tuple(by_timm.pretrained_cfg["label_names"]) == names
    assert torch.equal(by_timm(x), loaded.model(x))


@pytest.mark.parametrize("names", [["anger", "fear"], ["anger"] * 4, ["a", "b", "c", 4], None])
def test_label_names_that_do_not_fit(names, hf_hub, published, files):
    config = json.loads(files["config.json"])
    config["pretrained_cfg"]["label_names"] = names
    published.commit({"config.json": json.dumps(config).encode()})
    assert "label_names" in within(5, hub.load_model, REPO)
    with pytest.raises(WeightsError, match="label_names"):
        timm.create_model(f"hf-hub:{REPO}", pretrained=True)


def test_tensors_that_do_not_fit(hf_hub, published, files):
    wider = {"channels": [8, 8, 32], "num_classes": 4, "in_chans": 1, "img_size": [48, 48]}
    published.commit(edited(files, model_args=wider))
    message = within(5, hub.load_model, REPO)
    assert "not the weights of this model" in message and "is (16,), expected (32,)" in message
    published.commit({**files, "model.safetensors": files["model.safetensors"][:-1]})
    assert "damaged or no safetensors file" in within(5, hub.load_model, REPO)


# The token.


def carried(asked):
    return {a.port for a in asked if a.authorization}


def test_the_token_stays_on_the_hub(hf_hub, folder, token, tmp_path):
    hub.push(folder, REPO, private=True)
    hub.pull(REPO, tmp_path / "out")
    timm.create_model(f"hf-hub:{REPO}", pretrained=True)
    assert hf_hub.to("/upload/", "PUT") and hf_hub.to("/blob/", "GET")  # on the other port
    assert {a.port for a in hf_hub.asked} == {hf_hub.port, hf_hub.storage_port}
    assert carried(hf_hub.asked) == {hf_hub.port}


@pytest.mark.parametrize("path", ["GET /api/", "HEAD .*/resolve/", "GET .*/resolve/"])
def test_a_redirect_to_another_host_does_not_carry_the_token(path, hf_hub, published, token):
    hf_hub.fail(path, 307, {"Location": f"{hf_hub.storage_url}/elsewhere"})
    within(5, hub.load_model, REPO)
    assert carried(hf_hub.asked) == {hf_hub.port}
    assert path.startswith("HEAD") or hf_hub.to("/elsewhere")  # it was followed, without


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_the_token_is_not_printed_even_if_the_hub_repeats_it(
    status, hf_hub, published, folder, token, capfd, caplog
):
    hf_hub.fail(".*", status, {"X-Error-Message": f"bad header: Bearer {token}"})
    with caplog.at_level(logging.INFO):
        assert cli.main(["pull", REPO, str(folder / "out")]) == 1
        assert cli.main(["push", str(folder), REPO]) == 1
    printed = "".join(capfd.readouterr()) + caplog.text
    assert f"fer-cbam: {REPO}: " in printed
    assert token not in printed


def test_an_uncaught_error_does_not_show_the_token_either(hf_hub, published, token):
    import traceback

    hf_hub.fail(".*", 400, {"X-Error-Message": f"bad header: Bearer {token}"})
    with pytest.raises(WeightsError) as raised:
        hub.load_model(REPO)
    shown = "".join(traceback.format_exception(raised.value))
    assert "(token)" in shown and token not in shown


def test_command_line(hf_hub, folder, files, token, tmp_path, capsys):
    assert cli.main(["push", str(folder), REPO, "--private", "--revision", "paper-1.0"]) == 0
    commit = hf_hub.repos[REPO].tags["paper-1.0"]
    assert hf_hub.repos[REPO].private
    out = capsys.readouterr().out
    assert out == f"{hf_hub.url}/{REPO}: {REPO}@paper-1.0, commit {commit}\n"
    assert cli.main(["pull", f"{REPO}@paper-1.0", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"{REPO}@paper-1.0: pulled to {tmp_path / 'out'}\n"
    assert {n: (tmp_path / "out" / n).read_bytes() for n in files} == files
    assert cli.main(["pull", "user/other", str(tmp_path / "out")]) == 1
    assert "fer-cbam: user/other: " in capsys.readouterr().err
