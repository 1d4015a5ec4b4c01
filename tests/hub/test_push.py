"""Push through the real client, to the hub of `tests.hub.server`."""

from __future__ import annotations

from fer_cbam import hub, pretrained
from fer_cbam.hub import remote
from fer_cbam.hub.push import Pushed
from tests.hub.conftest import REPO, edited, within


def test_push_makes_one_commit_of_three_files_and_a_tag(hf_hub, folder, files, token):
    pushed = hub.push(folder, REPO)
    repo = hf_hub.repos[REPO]
    assert pushed == Pushed(REPO, "v1", repo.branches["main"], f"{hf_hub.url}/{REPO}")
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
