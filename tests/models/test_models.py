"""What timm tests on every model of its own (its tests/test_models.py), on every model of ours.

Shapes and traits as there, and beyond it values: two ways to one result must agree.
"""

from __future__ import annotations

import copy
import math

import pytest
import timm
import torch
from timm.data import resolve_model_data_config
from timm.layers import set_scriptable
from timm.models import FeatureInfo, group_parameters, save_for_hf
from timm.optim import param_groups_layer_decay
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

import fer_cbam  # noqa: F401  registers the models
from fer_cbam.models.fer_cbam import FlattenHead, InputNorm

NAMES = timm.list_models("fer_cbam*", module="fer_cbam")
TAGGED = timm.list_models("fer_cbam*", module="fer_cbam", include_tags=True)
every_model = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def create(name, **kwargs):
    return timm.create_model(name, **kwargs).eval()


def sample_input(model, batch=2, size=None):
    channels, *default = model.pretrained_cfg["input_size"]
    return torch.rand(batch, channels, *(size or default))


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif hasattr(module, "drop_prob"):
            module.drop_prob = 0.0
    return model


def assert_fits(maps, info, input_size):
    """Feature maps have the channels and the stride that feature_info promises."""
    assert len(maps) == len(info.channels())
    for feature, channels, reduction in zip(maps, info.channels(), info.reduction(), strict=True):
        assert feature.shape[1] == channels
        assert tuple(feature.shape[2:]) == tuple(side // reduction for side in input_size[-2:])
        assert torch.isfinite(feature).all()


def test_models_are_registered():
    assert "fer_cbam_paper" in NAMES
    assert "fer_cbam_paper.ckplus48" in TAGGED
    assert "fer_cbam_paper.ckplus48" in timm.list_models("fer_cbam*", pretrained=True)


@every_model
def test_forward(name):
    model = create(name)
    x = sample_input(model, 3)
    logits = model(x)
    assert logits.shape == (3, model.num_classes)
    assert torch.isfinite(logits).all()
    # Samples of a batch do not see each other.
    torch.testing.assert_close(model(x[1:2]), logits[1:2], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model.forward_head(model.forward_features(x)), logits)


@every_model
def test_backward(name):
    model = create(name, num_classes=42).train()
    logits = model(sample_input(model, 4))
    assert logits.shape == (4, 42)
    logits.square().mean().backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize("name", TAGGED)
def test_default_cfg(name):
    model = create(name)
    cfg, tensors = model.pretrained_cfg, model.state_dict()
    x = sample_input(model)
    features = model.forward_features(x)
    assert features.shape == (2, model.num_features, *cfg["pool_size"])
    embedding = model.forward_head(features, pre_logits=True)
    assert embedding.shape == (2, model.head_hidden_size)
    assert model.num_classes == cfg["num_classes"] == len(cfg["label_names"])

    assert f"{cfg['classifier']}.weight" in tensors
    assert model.get_classifier() is model.get_submodule(cfg["classifier"])
    assert tensors[f"{cfg['first_conv']}.weight"].shape[1] == cfg["input_size"][0] == 1

    model.reset_classifier(0)
    assert model.num_classes == 0
    torch.testing.assert_close(model(x), embedding)
    model.reset_classifier(0, "")
    torch.testing.assert_close(model(x), features)
    model.reset_classifier(7, "flatten" if isinstance(model.head, FlattenHead) else "avg")
    assert model(x).shape == (2, 7)


def test_a_head_that_flattens_refuses_other_pooling():
    model = create("fer_cbam_paper", num_classes=0, global_pool="")
    with pytest.raises(ValueError, match="with 7 classes: this head flattens"):
        model.reset_classifier(7)
    with pytest.raises(ValueError, match="'avg'"):
        model.reset_classifier(7, "avg")


@every_model
def test_created_without_classifier(name):
    full = create(name)
    embedder, backbone = create(name, num_classes=0), create(name, num_classes=0, global_pool="")
    for model in (embedder, backbone):
        model.load_state_dict(full.state_dict(), strict=False)
    x = sample_input(full)
    features = full.forward_features(x)
    torch.testing.assert_close(embedder(x), full.forward_head(features, pre_logits=True))
    torch.testing.assert_close(backbone(x), features)


@every_model
@pytest.mark.parametrize("num_classes", [1, 8])
@pytest.mark.parametrize("in_chans", [1, 3])
def test_other_classes_and_channels(name, num_classes, in_chans):
    model = create(name, num_classes=num_classes, in_chans=in_chans)
    assert model(torch.rand(2, in_chans, 48, 48)).shape == (2, num_classes)
    assert (model.num_classes, model.in_chans) == (num_classes, in_chans)


@every_model
@pytest.mark.parametrize("img_size", [(64, 64), (40, 56), (50, 50)])
def test_other_input_size(name, img_size):
    model = create(name, img_size=img_size)
    x = sample_input(model, size=img_size)
    assert model(x).shape == (2, model.num_classes)
    features = model.forward_features(x)
    reduction = model.feature_info[-1]["reduction"]
    assert tuple(features.shape[2:]) == tuple(side // reduction for side in img_size)


@every_model
@pytest.mark.parametrize(
    "kwargs", [{}, {"feature_cls": "getter"}, {"feature_cls": "hook"}, {"feature_cls": "fx"}]
)
def test_features_only(name, kwargs):
    full = create(name)
    model = create(name, features_only=True, **kwargs)
    own = model.model if "getter" in kwargs.values() else model
    # A feature network names its modules in its own way, but in the same order.
    loaded = dict(zip(own.state_dict(), full.state_dict().values(), strict=False))
    own.load_state_dict(loaded)
    x = sample_input(full)
    maps = model(x)
    info = FeatureInfo(copy.deepcopy(full.feature_info), tuple(range(len(full.feature_info))))
    assert model.feature_info.channels() == info.channels()
    assert_fits(maps, info, x.shape)
    _, expected = full.forward_intermediates(x)
    for ours, theirs in zip(maps, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@every_model
@pytest.mark.parametrize("feature_cls", ["list", "getter"])
@pytest.mark.parametrize("out_indices", [(0, 2), (1,), (-1,), (-2, -1)])
def test_features_only_out_indices(name, feature_cls, out_indices):
    model = create(name, features_only=True, feature_cls=feature_cls, out_indices=out_indices)
    x = sample_input(model)
    maps = model(x)
    assert_fits(maps, model.feature_info, x.shape)
    every = create(name).feature_info
    assert [m.shape[1] for m in maps] == [every[i]["num_chs"] for i in out_indices]


@every_model
def test_forward_intermediates(name):
    model = create(name)
    x = sample_input(model)
    with torch.no_grad():
        final, maps = model.forward_intermediates(x)
        torch.testing.assert_close(final, model.forward_features(x))
        torch.testing.assert_close(maps[-1], final)
        hooked = []
        for info in model.feature_info:
            module = model.get_submodule(info["module"])
            module.register_forward_hook(lambda _m, _i, output: hooked.append(output))
        model(x)
        for ours, seen in zip(maps, hooked, strict=True):
            torch.testing.assert_close(ours, seen)
        assert_fits(maps, FeatureInfo(copy.deepcopy(model.feature_info), len(maps)), x.shape)

        only = model.forward_intermediates(x, indices=[0, -1], intermediates_only=True)
        assert len(only) == 2
        torch.testing.assert_close(only[0], maps[0])
        torch.testing.assert_close(only[1], maps[-1])
        last_two = model.forward_intermediates(x, indices=2, intermediates_only=True)
        torch.testing.assert_close(last_two[0], maps[-2])

        hooked.clear()
        stopped, first = model.forward_intermediates(x, indices=[0], stop_early=True)
        assert len(hooked) == 1  # the stages behind did not run
        torch.testing.assert_close(stopped, maps[0])
        torch.testing.assert_close(first[0], maps[0])
    with pytest.raises(ValueError, match="'NLC'"):
        model.forward_intermediates(x, output_fmt="NLC")


@every_model
def test_prune_intermediate_layers(name):
    model = create(name)
    x = sample_input(model)
    _, maps = model.forward_intermediates(x)
    assert model.prune_intermediate_layers([0, 1]) == [0, 1]
    names = {n.split(".")[1] for n, _ in model.named_parameters() if n.startswith("stages.")}
    assert names == {"0", "1"}
    torch.testing.assert_close(model(x), maps[1])
    assert model.num_classes == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@every_model
def test_jit_trace(name):
    model = create(name)
    traced = torch.jit.trace(model, sample_input(model))
    x = sample_input(model, 5)
    torch.testing.assert_close(traced(x), model(x))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@every_model
def test_jit_script(name, tmp_path):
    with set_scriptable(True):
        model = create(name)
    x = sample_input(model)
    model(x)  # maps of an earlier pass must not stand in the way
    scripted = torch.jit.script(model)
    torch.testing.assert_close(scripted(x), model(x))
    scripted.save(tmp_path / "model.pt")
    torch.testing.assert_close(torch.jit.load(tmp_path / "model.pt")(x), model(x))


@every_model
def test_export(name):
    model = create(name)
    batch = torch.export.Dim("batch")
    program = torch.export.export(
        model, (sample_input(model),), dynamic_shapes={"x": {0: batch}}, strict=False
    )
    x = sample_input(model, 5)
    torch.testing.assert_close(program.module()(x), model(x), atol=1e-6, rtol=1e-5)


@every_model
def test_fx_forward(name):
    model = create(name)
    x = sample_input(model)
    last = get_graph_node_names(model)[1][-1]
    extractor = create_feature_extractor(model, [last])
    torch.testing.assert_close(extractor(x)[last], model(x), atol=0, rtol=0)


@every_model
def test_fx_backward(name):
    model = create(name).train()
    last = get_graph_node_names(model)[0][-1]
    extractor = create_feature_extractor(model, [last]).train()
    extractor(sample_input(model))[last].mean().backward()
    assert all(p.grad is not None for p in model.parameters())


@every_model
def test_grad_checkpointing(name):
    model = without_dropout(create(name).train())
    twin = copy.deepcopy(model)
    twin.set_grad_checkpointing()
    x, passes = sample_input(model), []
    first_stage = twin.get_submodule(twin.feature_info[0]["module"])
    first_stage.register_forward_pre_hook(lambda *_: passes.append(1))
    logits, again = model(x), twin(x)
    torch.testing.assert_close(again, logits)
    logits.square().sum().backward()
    again.square().sum().backward()
    assert len(passes) == 2  # the second time in the backward pass: nothing had been kept
    for (parameter_name, p), q in zip(model.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, msg=lambda m, n=parameter_name: f"{n}: {m}")
    expected = model.forward_intermediates(x, intermediates_only=True)
    maps = twin.forward_intermediates(x, intermediates_only=True)
    torch.testing.assert_close(maps, expected)
    twin.set_grad_checkpointing(False)
    passes.clear()
    twin(x).sum().backward()
    assert len(passes) == 1


@every_model
@pytest.mark.parametrize("coarse", [False, True])
def test_group_matcher(name, coarse):
    model = create(name)
    groups = group_parameters(model, model.group_matcher(coarse=coarse))
    names = [n for group in groups.values() for n in group]
    assert sorted(names) == sorted(n for n, _ in model.named_parameters())
    place = {n: index for index, group in groups.items() for n in group}
    # From the input to the logits, groups never go back.
    order = [place[n] for n, _ in model.named_parameters()]
    assert order == sorted(order)
    assert place[model.pretrained_cfg["first_conv"] + ".weight"] == 0
    assert place[model.pretrained_cfg["classifier"] + ".weight"] == len(groups) - 1
    stages = len(model.feature_info)
    assert len(groups) == stages + 1 if coarse else len(groups) > stages + 1


@every_model
def test_layer_decay(name):
    model = create(name)
    groups = param_groups_layer_decay(model, weight_decay=0.05, layer_decay=0.5)
    scale = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    assert set(scale) == {id(p) for p in model.parameters()}
    scales = [scale[id(p)] for p in model.parameters()]
    assert scales[-1] == 1.0
    assert scales == sorted(scales)
    assert scales[0] == min(scales) < 0.3
    for group in groups:
        assert all((p.ndim > 1) == (group["weight_decay"] > 0) for p in group["params"])


@every_model
@pytest.mark.parametrize("drop_rate", [0.0, 0.3])
def test_drop_rate(name, drop_rate):
    model = create(name, drop_rate=drop_rate, num_classes=0)
    assert model.drop_rate == drop_rate
    features = model.forward_features(sample_input(model, 1)).detach()
    embedding = model.forward_head(features.expand(2000, -1, -1, -1), pre_logits=True)
    model.train()
    if isinstance(model.head, FlattenHead):  # timm's own head drops before the embedding too
        torch.testing.assert_close(
            model.forward_head(features.expand(2000, -1, -1, -1), pre_logits=True), embedding
        )
    dropped = model.forward_head(features.expand(2000, -1, -1, -1))
    zero = dropped == 0
    torch.testing.assert_close(dropped[~zero], embedding[~zero] / (1 - drop_rate))
    assert zero[embedding != 0].float().mean().item() == pytest.approx(drop_rate, abs=0.01)


@every_model
def test_saved_and_reloaded(name, tmp_path):
    model = create(name)
    for module in model.modules():  # running statistics that are not those of a fresh model
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    save_for_hf(model, tmp_path, model_config={"temperature": 1.5}, safe_serialization=True)
    assert {p.name for p in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    again = create(f"local-dir:{tmp_path}", pretrained=True)
    x = sample_input(model)
    torch.testing.assert_close(again(x), model(x), atol=0, rtol=0)
    for key in ("label_names", "input_size", "mean", "std", "interpolation"):
        assert tuple(again.pretrained_cfg[key]) == tuple(model.pretrained_cfg[key])


@every_model
def test_saved_with_other_options(name, tmp_path):
    labels = ["calm", "tense"]
    model = create(name, num_classes=2, in_chans=3, img_size=64)
    config = {"label_names": labels}
    save_for_hf(model, tmp_path, model_config=config, safe_serialization=True)
    again = create(f"local-dir:{tmp_path}", pretrained=True)
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(again(x), model(x), atol=0, rtol=0)
    assert again.pretrained_cfg["label_names"] == labels
    config = resolve_model_data_config(again)
    # Any size fits a network that pools, so timm keeps the one that its weights were made for.
    side = 64 if model.pretrained_cfg["fixed_input_size"] else 48
    assert config["input_size"] == (3, side, side)
    assert (tuple(config["mean"]), tuple(config["std"])) == ((0.0,) * 3, (1.0,) * 3)


@every_model
def test_data_config(name):
    config = resolve_model_data_config(create(name))
    assert config["input_size"] == (1, 48, 48)
    assert (config["mean"], config["std"]) == ((0.0,), (1.0,))
    assert (config["interpolation"], config["crop_pct"]) == ("bilinear", 1.0)


@every_model
def test_unknown_options_are_refused(name):
    with pytest.raises(ValueError, match=r"'se'.*expected 'cbam'"):
        create(name, attention=("se", "", "", "")[: len(create(name).feature_info)])
    with pytest.raises(TypeError, match="no_such_option"):
        create(name, no_such_option=1)


def test_input_norm_takes_exposure_and_contrast_away():
    x = torch.rand(3, 1, 48, 48) * 0.4 + 0.2
    model = create("fer_cbam_tiny")
    normed = InputNorm()(x)
    torch.testing.assert_close(normed.mean((1, 2, 3)), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(normed.std((1, 2, 3), correction=0), torch.ones(3))
    darker = 0.5 * x + torch.tensor([0.0, 0.1, 0.3]).view(3, 1, 1, 1)
    torch.testing.assert_close(model(darker), model(x), atol=1e-4, rtol=1e-4)
    flat = torch.full((1, 1, 48, 48), 0.7)
    assert InputNorm()(flat + 1e-4 * torch.randn(1, 1, 48, 48)).abs().max() < 0.05


@pytest.mark.parametrize(
    ("name", "parameters", "macs", "said"),
    [
        ("fer_cbam_base", 5e6, 400e6, "2.94 M parameters, 216 M multiply-adds"),
        ("fer_cbam_tiny", 5e5, 40e6, "0.44 M parameters, 39 M multiply-adds"),
    ],
)
def test_sizes_keep_to_their_budget(name, parameters, macs, said):
    model = create(name)
    count = sum(p.numel() for p in model.parameters())
    assert count < parameters
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(sample_input(model, 1))
    multiply_adds = counter.get_total_flops() // 2
    assert 0.5 * macs < multiply_adds < macs
    assert said == f"{count / 1e6:.2f} M parameters, {multiply_adds / 1e6:.0f} M multiply-adds"
    assert said in (timm.model_entrypoint(name).__doc__ or "")
    # Explanations are read from a map as fine as that of the paper's network.
    assert model.forward_features(sample_input(model, 1)).shape[-2:] == (6, 6)


# The paper's network, part by part.

PAPER = {"channels": (32, 64, 128), "depth": 2, "hidden": 64, "classes": 7, "reduction": 16}


def test_paper_layer_order():
    model = create("fer_cbam_paper")
    called = []
    leaves = [(n, m) for n, m in model.named_modules() if not list(m.children())]
    for _, module in leaves:
        module.register_forward_hook(lambda m, _i, _o: called.append(type(m).__name__))
    model(sample_input(model))
    block = ["Conv2d", "ELU", "BatchNorm2d"] * 2 + ["MaxPool2d", "Dropout"]
    mlp = ["Conv2d", "ReLU", "Conv2d"]
    cbam = [*mlp, *mlp, "Conv2d"]  # the MLP is shared by both poolings; then the 7x7
    head = ["Flatten", "Linear", "ELU", "Dropout", "Linear"]
    called = [name for name in called if name != "Identity"]
    assert called == [*block, *block, *block, *cbam, *head]
    rates = [m.p for _, m in leaves if isinstance(m, nn.Dropout)]
    assert rates == [0.1, 0.1, 0.1, 0.5]


def test_paper_parameters():
    total, before = 0, 1
    for width in PAPER["channels"]:
        for i in range(PAPER["depth"]):
            total += 9 * (before if i == 0 else width) * width + width  # 3x3 with bias
            total += 2 * width  # BatchNorm
        before = width
    total += 2 * before * (before // PAPER["reduction"])  # shared MLP, no bias
    total += 2 * 7 * 7  # 7x7 over two maps, no bias
    flat = before * (48 // 8) ** 2
    total += flat * PAPER["hidden"] + PAPER["hidden"]
    total += PAPER["hidden"] * PAPER["classes"] + PAPER["classes"]
    assert total == 584_905
    assert sum(p.numel() for p in create("fer_cbam_paper").parameters()) == total


def paper_macs():
    total, before, side = 0, 1, 48
    for width in PAPER["channels"]:
        for i in range(PAPER["depth"]):
            total += 9 * (before if i == 0 else width) * width * side**2
        before, side = width, side // 2
    total += 2 * 2 * before * (before // PAPER["reduction"])  # two poolings through the MLP
    total += 2 * 7 * 7 * side**2
    return total + before * side**2 * PAPER["hidden"] + PAPER["hidden"] * PAPER["classes"]


def test_paper_macs():
    """By formula, by hooks on every layer with weights, and by torch's own counter."""
    model, counted = create("fer_cbam_paper"), []

    def count(module, _inputs, output):
        per_value = module.weight[0].numel()  # multiplications behind one value of the output
        counted.append(math.prod(output.shape[1:]) * per_value)

    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(sample_input(model, 1))
    assert sum(counted) == paper_macs() == counter.get_total_flops() // 2
    assert paper_macs() == 85_901_192
