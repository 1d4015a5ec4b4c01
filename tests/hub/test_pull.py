"""Pull through the real client: what comes, what stays, what is refused."""

from __future__ import annotations

import pytest
import torch

from fer_cbam import cli, hub
from tests.hub.conftest import REPO, edited, within


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


def test_a_wrong_checksum(hf_hub, published, model, x, tmp_path):
    hf_hub.corrupt("GET /blob/")
    message = within(5, hub.pull, REPO, tmp_path / "out")
    assert "model.safetensors" in message and "checksum" in message and "removed" in message
    assert not (tmp_path / "out").exists()
    hf_hub.faults.clear()
    assert torch.equal(hub.load_model(REPO).model(x), model(x))


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
