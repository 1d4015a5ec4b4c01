"""Weights that are missing, damaged or somebody else's are errors that say so, never a model."""

from __future__ import annotations

import json
import pickle
import re
import shutil

import numpy as np
import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.numpy import load_file, save_file
from timm.models import get_pretrained_cfg, save_for_hf

import fer_cbam.models  # noqa: F401  registers the models
from fer_cbam import pretrained
from fer_cbam.errors import WeightsError
from fer_cbam.labels import LABEL_SETS

NAME = "fer_cbam_paper.ckplus48"
TAGGED = timm.list_models("fer_cbam*", module="fer_cbam", include_tags=True)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder of weights as timm writes it, and the model that is in it."""
    torch.manual_seed(0)
    model = timm.create_model(NAME).eval()
    folder = tmp_path_factory.mktemp("saved")
    save_for_hf(model, folder, safe_serialization=True)
    return folder, model


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of it to be spoiled."""
    return shutil.copytree(saved[0], tmp_path / NAME)


def edit_config(folder, **changes):
    """Change keys of config.json; a dotted key goes into pretrained_cfg, None takes it out."""
    path = folder / pretrained.CONFIG_FILE
    config = json.loads(path.read_text())
    for key, value in changes.items():
        target = config["pretrained_cfg"] if key.startswith("cfg_") else config
        key = key.removeprefix("cfg_")
        target.pop(key, None)
        if value is not None:
            target[key] = value
    path.write_text(json.dumps(config))


def edit_tensors(folder, change):
    path = folder / pretrained.WEIGHTS_FILE
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def truncate(folder, length):
    path = folder / pretrained.WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:length])


def header_length(folder):
    return int.from_bytes((folder / pretrained.WEIGHTS_FILE).read_bytes()[:8], "little")


def create_embedded(folder, **kwargs):
    """``timm.create_model(NAME, pretrained=True)`` as if the embedded weights lay in a folder."""
    overlay = {"file": str(folder / pretrained.WEIGHTS_FILE)}
    return timm.create_model(NAME, pretrained=True, pretrained_cfg_overlay=overlay, **kwargs).eval()


def create_local(folder, **kwargs):
    return timm.create_model(f"local-dir:{folder}", pretrained=True, **kwargs).eval()


# Folders that are whole.


def test_config_is_read(folder):
    config = pretrained.read_config(folder)
    assert config["architecture"] == "fer_cbam_paper"
    assert pretrained.label_names(config) == LABEL_SETS["ckplus48"]
    edit_config(
        folder, label_names=list("gfedcba")
    )  # the root goes before pretrained_cfg, as in timm
    assert pretrained.label_names(pretrained.read_config(folder)) == tuple("gfedcba")
    assert create_local(folder).pretrained_cfg["label_names"] == list("gfedcba")


def test_embeddings_need_no_label_names(folder):
    edit_config(folder, cfg_label_names=None, num_classes=0, cfg_num_classes=0)
    config = pretrained.read_config(folder)
    with pytest.raises(WeightsError, match="label_names is None"):
        pretrained.label_names(config)


def test_tensor_shapes(saved):
    folder, model = saved
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert pretrained.tensor_shapes(folder) == expected


@pytest.mark.parametrize("create", [create_embedded, create_local])
def test_whole_weights_are_loaded(folder, saved, create):
    x = torch.rand(2, 1, 48, 48)
    torch.testing.assert_close(create(folder)(x), saved[1](x), atol=0, rtol=0)


@pytest.mark.parametrize("create", [create_embedded, create_local])
def test_another_classifier_on_purpose(folder, saved, create):
    model = create(folder, num_classes=3)
    x = torch.rand(2, 1, 48, 48)
    assert model(x).shape == (2, 3)
    torch.testing.assert_close(model.forward_features(x), saved[1].forward_features(x))
    embedding = create(folder, num_classes=0)(x)
    expected = saved[1].forward_head(saved[1].forward_features(x), pre_logits=True)
    torch.testing.assert_close(embedding, expected)


@pytest.mark.parametrize("create", [create_embedded, create_local])
def test_more_channels_see_grey_as_before(folder, saved, create):
    grey = torch.rand(2, 1, 48, 48)
    model = create(folder, in_chans=3)
    torch.testing.assert_close(
        model(grey.expand(-1, 3, -1, -1)), saved[1](grey), atol=1e-5, rtol=1e-5
    )


def test_features_only(folder, saved):
    x = torch.rand(2, 1, 48, 48)
    maps = create_embedded(folder, features_only=True)(x)
    torch.testing.assert_close(maps[-1], saved[1].forward_features(x))


def test_weights_in_memory(saved):
    overlay = {"state_dict": saved[1].state_dict()}
    model = timm.create_model(NAME, pretrained=True, pretrained_cfg_overlay=overlay).eval()
    x = torch.rand(2, 1, 48, 48)
    torch.testing.assert_close(model(x), saved[1](x), atol=0, rtol=0)
    overlay = {"state_dict": {"head.fc.bias": torch.zeros(7)}}
    with pytest.raises(WeightsError, match="state_dict: not the weights of this model: missing"):
        timm.create_model(NAME, pretrained=True, pretrained_cfg_overlay=overlay)


# The embedded ones.


@pytest.mark.parametrize("name", TAGGED)
def test_registered_file_is_the_embedded_one(name):
    assert get_pretrained_cfg(name).file == str(pretrained.EMBEDDED / name / "model.safetensors")


@pytest.mark.parametrize("name", TAGGED)
def test_embedded_config_says_what_is_registered(name):
    if not (pretrained.EMBEDDED / name).exists():
        pytest.skip(f"{name}: not trained yet, nothing is embedded")
    cfg = pretrained.read_config(pretrained.EMBEDDED / name)["pretrained_cfg"]
    registered = get_pretrained_cfg(name).to_dict()
    for key in ("num_classes", "label_names", "input_size", "mean", "std", "interpolation",
                "crop_pct", "fixed_input_size", "first_conv", "classifier"):  # fmt: skip
        expected = registered[key]
        assert cfg[key] == (list(expected) if isinstance(expected, tuple) else expected), key
    model = timm.create_model(name, pretrained=True)
    assert all(p.isfinite().all() for p in model.state_dict().values())


def test_embedded_names(folder, monkeypatch):
    monkeypatch.setattr(pretrained, "EMBEDDED", folder.parent)
    (folder.parent / "empty").mkdir()
    assert pretrained.embedded_names() == [NAME]
    assert pretrained.embedded_dir(NAME) == folder
    with pytest.raises(WeightsError, match=f"no embedded weights named 'empty'.*{NAME}"):
        pretrained.embedded_dir("empty")


# Folders that are not. Each case: how it is spoiled, the file that is blamed, what is said of it.

CONFIG, WEIGHTS = pretrained.CONFIG_FILE, pretrained.WEIGHTS_FILE
LABELS = list(LABEL_SETS["ckplus48"])

BAD_CONFIGS = {
    "missing": (lambda f: (f / CONFIG).unlink(), "no such file; expected a timm config.json"),
    "empty": (lambda f: (f / CONFIG).write_text(""), "not a readable JSON file"),
    "cut": (
        lambda f: (f / CONFIG).write_text((f / CONFIG).read_text()[:100]),
        "not a readable JSON file",
    ),
    "binary": (lambda f: (f / CONFIG).write_bytes(b"\xff\xfe\x00"), "not a readable JSON file"),
    "a list": (lambda f: (f / CONFIG).write_text("[]"), "expected an object with"),
    "no cfg": (lambda f: edit_config(f, pretrained_cfg=None), "'pretrained_cfg' object in it"),
    "no architecture": (
        lambda f: edit_config(f, architecture=None), "'architecture' is missing; expected a name",
    ),
    "no labels": (lambda f: edit_config(f, cfg_label_names=None), "label_names is None; expected"),
    "labels no list": (
        lambda f: edit_config(f, cfg_label_names="anger"), "label_names is 'anger'; expected",
    ),
    "six labels": (
        lambda f: edit_config(f, cfg_label_names=LABELS[:6]),
        "6 label_names for 7 classes; expected one name for each logit",
    ),
    "twice the same": (
        lambda f: edit_config(f, cfg_label_names=["anger", *LABELS[:6]]), "expected different",
    ),
    "numbers": (
        lambda f: edit_config(f, cfg_label_names=list(range(7))), "expected different strings",
    ),
    "no number of classes": (
        lambda f: edit_config(f, num_classes=None, cfg_num_classes=None), "7 label_names for None",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_CONFIGS)
def test_bad_config(folder, case):
    spoil, message = BAD_CONFIGS[case]
    spoil(folder)
    with pytest.raises(WeightsError, match=re.escape(message)) as caught:
        pretrained.read_config(folder)
    assert str(folder / CONFIG) in str(caught.value)
    with pytest.raises(WeightsError, match=re.escape(message)):
        create_embedded(folder)


def test_missing_folder(tmp_path):
    gone = tmp_path / "gone"
    with pytest.raises(WeightsError, match=re.escape(f"{gone / CONFIG}: no such file")):
        pretrained.read_config(gone)
    with pytest.raises(WeightsError, match=re.escape(f"{gone / WEIGHTS}: no such file; expected")):
        pretrained.tensor_shapes(gone)
    with pytest.raises(WeightsError, match=re.escape(str(gone))):
        create_embedded(gone)


def pickled(folder):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was opened",))

    (folder / WEIGHTS).write_bytes(pickle.dumps(Bomb()))


BAD_FILES = {
    "missing": (lambda f: (f / WEIGHTS).unlink(), "no such file; expected safetensors weights"),
    "only a pickle": (
        lambda f: (f / WEIGHTS).rename(f / "pytorch_model.bin"), "no such file; expected",
    ),
    "empty": (lambda f: truncate(f, 0), "damaged or no safetensors file"),
    "cut in the length": (lambda f: truncate(f, 5), "damaged or no safetensors file"),
    "cut behind the length": (lambda f: truncate(f, 8), "damaged or no safetensors file"),
    "cut in the header": (
        lambda f: truncate(f, 8 + header_length(f) // 2), "damaged or no safetensors file",
    ),
    "cut behind the header": (
        lambda f: truncate(f, 8 + header_length(f)), "damaged or no safetensors file",
    ),
    "cut in half": (lambda f: truncate(f, 1_000_000), "damaged or no safetensors file"),
    "one byte short": (lambda f: truncate(f, -1), "damaged or no safetensors file"),
    "longer": (
        lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes() + b"\0"),
        "damaged or no safetensors file",
    ),
    "a pickle": (pickled, "damaged or no safetensors file"),
    "a folder": (
        lambda f: ((f / WEIGHTS).unlink(), (f / WEIGHTS).mkdir()), "no such file; expected",
    ),
}  # fmt: skip


@pytest.mark.parametrize("create", [create_embedded, create_local])
@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file(folder, case, create):
    spoil, message = BAD_FILES[case]
    spoil(folder)
    expected = re.escape(f"{folder / WEIGHTS}: ") + message
    with pytest.raises(WeightsError, match=expected):
        pretrained.tensor_shapes(folder)
    with pytest.raises(WeightsError, match=expected):
        create(folder)


def rename_tensor(tensors):
    tensors["head.classifier.bias"] = tensors.pop("head.fc.bias")


def other_width(tensors):
    tensors["head.hidden.weight"] = np.zeros((64, 1152), np.float32)


def other_classes(tensors):
    tensors["head.fc.weight"] = np.zeros((8, 64), np.float32)
    tensors["head.fc.bias"] = np.zeros(8, np.float32)


BAD_TENSORS = {
    "missing": (lambda t: t.pop("stages.1.convs.0.conv.weight"), "missing stages.1.convs"),
    "more": (
        lambda t: t.update({"head.extra": np.zeros(1, np.float32)}), "unexpected head.extra",
    ),
    "renamed": (rename_tensor, "missing head.fc.bias; unexpected head.classifier.bias"),
    "other shape": (
        other_width, r"head.hidden.weight is \(64, 1152\), expected \(64, 4608\)",
    ),
    "eight classes": (
        other_classes,
        r"head.fc.bias is \(8,\), expected \(7,\); head.fc.weight is \(8, 64\), expected \(7, 64\)",
    ),
    "a prefix": (
        lambda t: t.update({f"ema.{k}": t.pop(k) for k in list(t)}),
        r"missing .* and \d+ more",
    ),
    "two channels": (
        lambda t: t.update({"stages.0.convs.0.conv.weight": np.zeros((32, 2, 3, 3), np.float32)}),
        r"stages.0.convs.0.conv.weight is \(32, 2, 3, 3\), expected \(32, 1, 3, 3\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("create", [create_embedded, create_local])
@pytest.mark.parametrize("case", BAD_TENSORS)
def test_bad_tensors(folder, case, create):
    spoil, message = BAD_TENSORS[case]
    edit_tensors(folder, spoil)
    with pytest.raises(WeightsError, match=message) as caught:
        create(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("case", ["missing", "other shape", "two channels"])
def test_bad_tensors_with_another_classifier(folder, case):
    """timm loads without strictness then; nothing but the classifier may differ all the same."""
    spoil, message = BAD_TENSORS[case]
    edit_tensors(folder, spoil)
    for options in ({"num_classes": 5}, {"num_classes": 0}, {"in_chans": 3}):
        with pytest.raises(WeightsError, match=message):
            create_embedded(folder, **options)


def test_other_input_size_does_not_fit(folder):
    with pytest.raises(WeightsError, match=r"hidden.weight is \(64, 4608\), expected \(64, 8192\)"):
        create_embedded(folder, img_size=64)


def test_other_labels_beside_the_embedded_weights(folder):
    swapped = [LABELS[1], LABELS[0], *LABELS[2:]]
    edit_config(folder, cfg_label_names=swapped)
    with pytest.raises(WeightsError, match=r"label_names \('contempt', 'anger'") as caught:
        create_embedded(folder)
    assert str(folder) in str(caught.value)
    assert f"expects {LABEL_SETS['ckplus48']}" in str(caught.value)
    create_local(folder)  # a folder of one's own may have labels of its own


def test_other_architecture(folder):
    edit_config(folder, architecture="fer_cbam_other")
    with pytest.raises(WeightsError, match="'fer_cbam_other'; expected 'fer_cbam_paper'"):
        create_embedded(folder)


def test_other_file_name(folder):
    for name in ("pytorch_model.bin", "best.pth"):
        overlay = {"file": str(folder / name)}
        with pytest.raises(WeightsError, match=f"{name}: expected a file named model.safetensors"):
            timm.create_model(NAME, pretrained=True, pretrained_cfg_overlay=overlay)


def test_hub_weights_are_safetensors_and_checked(folder, saved, monkeypatch):
    """With the hub's client replaced by a folder: the file asked for, and what is done with it."""
    asked = []

    def download(repo_id, filename, **_):
        asked.append((repo_id, filename))
        if not (folder / filename).exists():
            raise LocalEntryNotFoundError(f"{filename} is not there")
        return str(folder / filename)

    monkeypatch.setattr("timm.models._hub.hf_hub_download", download)
    (folder / "pytorch_model.bin").write_bytes(b"not to be opened")
    x = torch.rand(1, 1, 48, 48)
    model = timm.create_model("hf-hub:someone/faces", pretrained=True).eval()
    torch.testing.assert_close(model(x), saved[1](x), atol=0, rtol=0)
    assert asked == [("someone/faces", CONFIG), ("someone/faces", WEIGHTS)]
    edit_tensors(folder, other_width)
    with pytest.raises(WeightsError, match=r"someone/faces: not the weights.*\(64, 1152\)"):
        timm.create_model("hf-hub:someone/faces", pretrained=True)
    truncate(folder, 1000)
    with pytest.raises(WeightsError, match="fer_cbam_paper: its weights cannot be read"):
        timm.create_model("hf-hub:someone/faces", pretrained=True)
    (folder / WEIGHTS).unlink()
    with pytest.raises(WeightsError, match=r"cannot be read: model.safetensors is not there"):
        timm.create_model("hf-hub:someone/faces", pretrained=True)
    assert "pytorch_model.bin" not in {filename for _, filename in asked}


def test_what_reads_no_faces_is_not_offered_for_them(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "EMBEDDED", tmp_path)
    for name in ("fer_cbam_text.a", "fer_cbam_prosody.b", "fer_cbam_gru.c", "fer_cbam_tiny.d"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    assert pretrained.embedded_names() == ["fer_cbam_tiny.d"]
    assert pretrained.embedded_texts() == ["fer_cbam_text.a"]
    assert pretrained.embedded_voices() == ["fer_cbam_prosody.b"]
