"""Weights from the hub of `tests.hub.server` at its best and worst, and from the cache."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from huggingface_hub import constants

from eval import table
from eval.__main__ import main as evaluate
from fer_cbam import hub
from fer_cbam.errors import WeightsError
from fer_cbam.hub import remote
from fer_cbam.labels import LABEL_SETS
from fer_cbam.recognizer import EmotionRecognizer
from tests.conftest import noise_faces
from tests.hub.conftest import LABELS, REPO, edited, within
from tests.hub.server import Fault, Repo


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
    assert (by_tag.decision.temperature, by_tag.name) == (1.0, f"{REPO}@v1")
    assert EmotionRecognizer.from_pretrained(REPO).decision.temperature == 3.0
    commit = published.tags["v1"]
    by_commit = EmotionRecognizer.from_pretrained(REPO, revision=commit)
    assert by_commit.decision.temperature == 1.0


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


def test_a_folder_is_never_taken_for_a_repository(hf_hub, folder, published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user").mkdir()
    (tmp_path / REPO).symlink_to(folder)
    assert hub.resolve(REPO) == Path(REPO)
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
    found, sent = by_onnx.backend.forward(x.numpy()), expected.backend.forward(x.numpy())
    np.testing.assert_array_equal(found.logits, sent.logits)


def test_an_interrupted_download_is_resumed(hf_hub, published, model, x):
    hf_hub.cut("GET /blob/", after=100_000)
    assert torch.equal(hub.load_model(REPO).model(x), model(x))
    first, second = hf_hub.to("/blob/", "GET")
    assert first.range is None
    assert second.range == "bytes=65536-"  # the chunks of 64 KiB that had come


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
