"""The FER-CBAM networks: plain convolutional stages with CBAM, for small grey faces.

``fer_cbam_paper`` is the network of Joy and Obasi, IJCSMT 11(11), 2025. Where the paper leaves
something open, this file decides:

- "multiple" convolutions in a block: two, 3x3, padded;
- the dropout rate behind each block: 0.1 (the classifier's is 0.5, as printed);
- the activation of the dense layer of 64: ELU, like everywhere else in the network;
- CBAM's reduction and kernel: 16 and 7, the defaults of Woo et al. 2018;
- BatchNorm's momentum and epsilon, and the initial weights: Keras's defaults.

``fer_cbam_base`` and ``fer_cbam_tiny`` are ours, for faces in the wild: the same stages in today's
order (convolution, BatchNorm, ReLU), each image standardised before the first, global average
pooling and one linear layer behind the last. With that head Grad-CAM has a closed form, and ReLU
costs a fraction of ELU on a CPU. Their last spatial gate has mean 1 (``models/cbam.py``).

Every network takes ``(B, in_chans, H, W)``, already normalised, and gives logits ``(B, K)``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from timm.layers import (  # type: ignore[attr-defined, unused-ignore]
    ClassifierHead,
    create_act_layer,
)
from timm.models import (
    build_model_with_cfg,
    checkpoint_seq,
    generate_default_cfgs,
    register_model,
    resolve_pretrained_cfg,
)
from timm.models._features import feature_take_indices
from torch import Tensor, nn
from torch.jit import is_scripting  # type: ignore[attr-defined, unused-ignore]

from fer_cbam import pretrained as weights
from fer_cbam.errors import WeightsError
from fer_cbam.labels import LABEL_SETS
from fer_cbam.models.cbam import CBAM

__all__ = ["FerCbam"]


# Keras's defaults (its momentum of 0.99 is torch's 0.01). The slower average matters with the small
# batches of small data sets: torch's own default makes the validation loss jump.
NORM_EPS, NORM_MOMENTUM = 1e-3, 0.01
PAPER_CHANNELS = (32, 64, 128)


class InputNorm(nn.Module):
    """Each image on its own to mean 0 and standard deviation 1: what is left does not depend on
    exposure or contrast. ``(B, C, H, W)`` -> the same shape.

    least_std: the least standard deviation (of pixels in [0, 1]) to divide by. A crop below it is a
    flat patch, whose noise shall not be blown up into a face.
    """

    def __init__(self, least_std: float = 0.02):
        super().__init__()
        self.least_std = least_std

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((1, 2, 3), keepdim=True)
        centred = x - mean
        std = centred.square().mean((1, 2, 3), keepdim=True).sqrt()
        return centred / std.clamp_min(self.least_std)


class ConvLayer(nn.Module):
    """3x3 convolution, activation, BatchNorm, in the order of the paper (norm last)."""

    def __init__(self, in_chs: int, out_chs: int, act_layer: str = "elu"):
        super().__init__()
        self.conv = nn.Conv2d(in_chs, out_chs, 3, padding=1)
        self.act = create_act_layer(act_layer)
        self.norm = nn.BatchNorm2d(out_chs, eps=NORM_EPS, momentum=NORM_MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.act(self.conv(x)))
        return x


class ConvNormAct(nn.Module):
    """3x3 convolution, BatchNorm, activation."""

    def __init__(self, in_chs: int, out_chs: int, act_layer: str = "relu"):
        super().__init__()
        self.conv = nn.Conv2d(in_chs, out_chs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_chs)
        self.act = create_act_layer(act_layer)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.conv(x)))
        return x


class Stage(nn.Module):
    """Convolutions, dropout and attention (or none), with 2x2 max-pooling behind the convolutions
    (``pool="last"``), before them (``"first"``) or not at all (``""``).

    ``(B, in_chs, H, W)`` -> ``(B, out_chs, H // 2, W // 2)``; without pooling H and W stay.
    """

    def __init__(
        self,
        in_chs: int,
        out_chs: int,
        depth: int,
        act_layer: str = "elu",
        drop_rate: float = 0.0,
        attention: nn.Module | None = None,
        norm_last: bool = True,
        pool: str = "last",
    ):
        super().__init__()
        layer = ConvLayer if norm_last else ConvNormAct
        self.convs = nn.Sequential(
            *(layer(in_chs if i == 0 else out_chs, out_chs, act_layer) for i in range(depth))
        )
        self.shrink = nn.MaxPool2d(2) if pool == "first" else nn.Identity()
        self.pool = nn.MaxPool2d(2) if pool == "last" else nn.Identity()
        self.drop = nn.Dropout(drop_rate)
        self.attention = attention or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention(self._features(x))
        return x

    def forward_gated(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The same, and the spatial gate ``(B, 1, h, w)``, None where there is none."""
        x = self._features(x)
        attention = self.attention
        return attention.forward_gated(x) if isinstance(attention, CBAM) else (attention(x), None)

    def _features(self, x: Tensor) -> Tensor:
        x = self.drop(self.pool(self.convs(self.shrink(x))))
        return x


class FlattenHead(nn.Module):
    """Flatten, dense layer, dropout, classifier.

    Built for one feature map size; ``global_pool=""`` with ``num_classes=0`` hands the feature map
    on as it is.
    """

    def __init__(
        self,
        in_chs: int,
        map_size: tuple[int, int],
        num_classes: int,
        hidden_size: int,
        act_layer: str,
        drop_rate: float,
    ):
        super().__init__()
        self.map_size = map_size
        self.num_features = hidden_size
        self.global_pool = "flatten"
        self.flatten = nn.Flatten()
        self.hidden = nn.Linear(in_chs * map_size[0] * map_size[1], hidden_size)
        self.act = create_act_layer(act_layer)
        self.drop = nn.Dropout(drop_rate)
        self.fc = nn.Linear(hidden_size, num_classes) if num_classes > 0 else nn.Identity()

    def reset(self, num_classes: int, global_pool: str | None = None) -> None:
        pool = self.global_pool if global_pool is None else global_pool
        if pool not in ("", "flatten") or (pool == "" and num_classes > 0):
            raise ValueError(
                f"global_pool={pool!r} with {num_classes} classes: this head flattens; "
                "expected 'flatten', or '' with no classifier"
            )
        self.global_pool = pool
        self.fc = nn.Linear(self.num_features, num_classes) if num_classes > 0 else nn.Identity()

    def forward(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        if not self.global_pool:
            return x
        x = self.act(self.hidden(self.flatten(x)))
        return x if pre_logits else self.fc(self.drop(x))


class FerCbam(nn.Module):
    """Convolutional stages with attention behind some of them, and a head.

    channels, depths: width and number of convolutions of each stage. pool_last: each stage ends by
    halving the map, as in the paper; otherwise each but the first begins with it, so that the last
    map, which explanations are read from, is as large as its convolutions saw it.
    attention: for each stage ``"cbam"``, ``"cbam_normalized"`` (its spatial gate has mean 1),
    ``"channel"``, ``"spatial"`` or ``""``.
    block_drop_rate: dropout behind each stage. drop_rate: dropout before the classifier.
    hidden_size: width of the dense layer behind the flattened map, whose output is the embedding
    that ``num_classes=0`` returns; 0 for global pooling (``global_pool``) and no dense layer.
    norm_last: layers as in the paper (convolution, activation, norm) or convolution, norm,
    activation. input_norm: standardise each image first.
    """

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        img_size: int | tuple[int, int] = 48,
        channels: tuple[int, ...] = PAPER_CHANNELS,
        depths: tuple[int, ...] = (2, 2, 2),
        attention: tuple[str, ...] = ("", "", "cbam"),
        reduction: int = 16,
        act_layer: str = "elu",
        block_drop_rate: float = 0.1,
        drop_rate: float = 0.5,
        hidden_size: int = 64,
        global_pool: str | None = None,
        norm_last: bool = True,
        input_norm: bool = False,
        pool_last: bool = True,
    ):
        super().__init__()
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.grad_checkpointing = False
        self.input_norm = InputNorm() if input_norm else nn.Identity()
        stages, self.feature_info = [], []
        for i, (width, depth, kind) in enumerate(zip(channels, depths, attention, strict=True)):
            pool = "last" if pool_last else "first" if i > 0 else ""
            stages.append(
                Stage(in_chans if i == 0 else channels[i - 1], width, depth, act_layer,
                      block_drop_rate, _attention(kind, width, reduction), norm_last, pool)
            )  # fmt: skip
            self.feature_info.append(
                {"num_chs": width, "reduction": 2 ** (i + pool_last), "module": f"stages.{i}"}
            )
        self.stages = nn.Sequential(*stages)
        self.num_features = channels[-1]
        self.head_hidden_size = hidden_size or channels[-1]
        if hidden_size == 0:
            pool = "avg" if global_pool is None else global_pool
            self.head: FlattenHead | ClassifierHead = ClassifierHead(
                channels[-1], num_classes, pool, drop_rate
            )
            self.apply(_init_kaiming)
            return
        height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
        shrink = 2 ** len(channels)
        self.head = FlattenHead(
            channels[-1], (height // shrink, width // shrink), num_classes, hidden_size,
            act_layer, drop_rate,
        )  # fmt: skip
        if global_pool is not None:
            self.head.reset(num_classes, global_pool)
        self.apply(_init_weights)

    @torch.jit.ignore  # type: ignore[untyped-decorator, unused-ignore]
    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        return {"stem": r"^stages\.0", "blocks": r"^stages\.(\d+)" if coarse else
                [(r"^stages\.(\d+)\.convs\.(\d+)", None), (r"^stages\.(\d+)", (99,))]}  # fmt: skip

    @torch.jit.ignore  # type: ignore[untyped-decorator, unused-ignore]
    def set_grad_checkpointing(self, enable: bool = True) -> None:
        self.grad_checkpointing = enable

    @torch.jit.ignore  # type: ignore[untyped-decorator, unused-ignore]
    def get_classifier(self) -> nn.Module:
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        self.num_classes = num_classes
        self.head.reset(num_classes, global_pool)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """The feature maps behind chosen stages, as timm defines it.

        indices: stages to take, the last n for an int, all for None. Returns the final features and
        the list, or the list alone.
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt={output_fmt!r}; expected 'NCHW'")
        take, last = feature_take_indices(len(self.stages), indices)
        stages = self.stages[: last + 1] if stop_early else self.stages
        intermediates = []
        x = self.input_norm(x)
        for i, stage in enumerate(stages):
            x = checkpoint_seq([stage], x) if self.grad_checkpointing else stage(x)
            if i in take:
                intermediates.append(x)
        return intermediates if intermediates_only else (x, intermediates)

    def prune_intermediate_layers(
        self,
        indices: int | list[int] = 1,
        prune_norm: bool = False,
        prune_head: bool = True,
    ) -> list[int]:
        """Drop the stages behind the last one in ``indices``, and the classifier."""
        take, last = feature_take_indices(len(self.stages), indices)
        self.stages = self.stages[: last + 1]
        if prune_head:
            self.reset_classifier(0, "")
        return take

    def forward_features(self, x: Tensor) -> Tensor:
        """``(B, in_chans, H, W)`` -> the last feature map, behind the last attention."""
        x = self.input_norm(x)
        if self.grad_checkpointing and not is_scripting():
            x = checkpoint_seq(self.stages, x)
        else:
            x = self.stages(x)
        return x

    def forward_gated(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """`forward_features`, and the spatial gate of the last CBAM ``(B, 1, h, w)``, None where
        no stage has one."""
        x, last = self.input_norm(x), None
        for stage in self.stages:
            x, gate = cast(Stage, stage).forward_gated(x)
            last = last if gate is None else gate
        return x, last

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Feature map -> logits ``(B, K)``, or the embedding ``(B, head_hidden_size)``."""
        x = self.head(x, pre_logits=pre_logits)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


def _attention(kind: str, channels: int, reduction: int) -> nn.Module | None:
    if kind == "":
        return None
    if kind not in ("cbam", "cbam_normalized", "channel", "spatial"):
        raise ValueError(
            f"attention {kind!r}; expected 'cbam', 'cbam_normalized', 'channel', 'spatial' or ''"
        )
    return CBAM(channels, reduction, channel=kind != "spatial", spatial=kind != "channel",
                normalized=kind == "cbam_normalized")  # fmt: skip


def _init_weights(module: nn.Module) -> None:
    # Glorot, as Keras (the paper's framework) does by default.
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _init_kaiming(module: nn.Module) -> None:
    # He et al. 2015, for layers that are followed by ReLU; the linear layer keeps torch's default.
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _cfg(name: str, label_set: str, **kwargs: Any) -> dict[str, Any]:
    labels = LABEL_SETS[label_set]
    return {
        "file": str(weights.EMBEDDED / name / weights.WEIGHTS_FILE),
        "num_classes": len(labels),
        "label_names": labels,
        "input_size": (1, 48, 48),
        "fixed_input_size": True,
        "pool_size": (6, 6),
        "interpolation": "bilinear",
        "crop_pct": 1.0,
        "mean": (0.0,),
        "std": (1.0,),
        "first_conv": "stages.0.convs.0.conv",
        "classifier": "head.fc",
        **kwargs,
    }


def _pooled_cfg(name: str, label_set: str) -> dict[str, Any]:
    return _cfg(name, label_set, fixed_input_size=False, license="other")


default_cfgs = generate_default_cfgs(
    {
        **{
            f"{arch}.{labels}": _pooled_cfg(f"{arch}.{labels}", labels)
            for arch in ("fer_cbam_base", "fer_cbam_tiny")
            for labels in ("ferplus", "fer2013")
        },
        "fer_cbam_paper.ckplus48": _cfg(
            "fer_cbam_paper.ckplus48",
            "ckplus48",
            license="other",
            paper_name="Joy & Obasi, IJCSMT 11(11), 2025",
        ),
    }
)


def _create(variant: str, pretrained: bool, **kwargs: Any) -> nn.Module:
    """timm's builder, with weights that are held against the model before they are loaded."""
    stages = tuple(range(len(kwargs.get("channels", PAPER_CHANNELS))))
    kwargs.setdefault("feature_cfg", {"out_indices": stages, "flatten_sequential": True})
    if not pretrained:
        return build_model_with_cfg(FerCbam, variant, False, **kwargs)
    cfg, overlay = kwargs.pop("pretrained_cfg", None), kwargs.pop("pretrained_cfg_overlay", None)
    resolved: Any = resolve_pretrained_cfg(variant, cfg, overlay)
    cfg = resolved.to_dict()
    if cfg.get("source") == "hf-hub":
        cfg["hf_hub_filename"] = weights.WEIGHTS_FILE  # else timm falls back to a pickle
        weights.check_labels({"pretrained_cfg": cfg}, cfg["hf_hub_id"])
    elif cfg.get("file") and not cfg.get("state_dict"):
        folder = _check_folder(variant, cfg)
        if "cbam_normalized" in kwargs.get("attention", ()) and not _has_normalized_gate(folder):
            # Weights of version 0.2 and before.
            kwargs["attention"] = tuple(kind.partition("_")[0] for kind in kwargs["attention"])
    kwargs |= {"pretrained_cfg": cfg, "pretrained_filter_fn": check_state}
    try:
        return build_model_with_cfg(FerCbam, variant, True, **kwargs)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{variant}: its weights cannot be read: {error}") from error


def _has_normalized_gate(folder: Path) -> bool:
    return any(".attention.spatial.norm." in name for name in weights.tensor_shapes(folder))


def _check_folder(variant: str, cfg: dict[str, Any]) -> Path:
    """A whole weights file, beside it a config.json that promises what timm's cfg promises; their
    folder."""
    path = Path(cfg["file"])
    if cfg.get("source") == "local-dir":
        path /= weights.WEIGHTS_FILE
    if path.name != weights.WEIGHTS_FILE:
        raise WeightsError(f"{path}: expected a file named {weights.WEIGHTS_FILE}")
    config = weights.read_config(path.parent)
    weights.tensor_shapes(path.parent)
    if config["architecture"] != variant:
        raise WeightsError(
            f"{path.parent}: weights of architecture {config['architecture']!r}; "
            f"expected {variant!r}"
        )
    expected = tuple(cfg.get("label_names") or ())
    if cfg["num_classes"] and weights.label_names(config) != expected:
        found = weights.label_names(config)
        raise WeightsError(f"{path.parent}: label_names {found}; {variant} expects {expected}")
    return path.parent


def check_state(state_dict: dict[str, Tensor], model: Any) -> dict[str, Tensor]:
    """timm adapts the first convolution and leaves out the classifier where the caller asked for
    other channels or classes, and loads without strictness then; everything else has to fit."""
    cfg = model.pretrained_cfg
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    first_conv = f"{cfg['first_conv']}.weight"
    if first_conv in expected:
        out_chs, _, *kernel = expected[first_conv]
        expected[first_conv] = (out_chs, cfg["input_size"][0], *kernel)
    replaced = () if model.num_classes == cfg["num_classes"] else (f"{cfg['classifier']}.",)
    found = {name: tuple(tensor.shape) for name, tensor in state_dict.items()}
    in_memory = "state_dict" if cfg.get("state_dict") else None
    source = in_memory or cfg.get("file") or cfg.get("hf_hub_id") or cfg["architecture"]
    weights.check_tensors(found, expected, source, optional=replaced)
    return state_dict


@register_model
def fer_cbam_paper(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """The network of Joy and Obasi (2025): 0.58 M parameters, 48x48 grey, 7 classes."""
    return _create("fer_cbam_paper", pretrained, **kwargs)


def _pooled(default_channels: tuple[int, ...], **kwargs: Any) -> dict[str, Any]:
    """What ``base`` and ``tiny`` have in common, overridden by what the caller asked for."""
    return {
        "channels": default_channels,
        "depths": (2, 2, 3, 3),
        "attention": ("", "", "cbam", "cbam_normalized"),
        "act_layer": "relu",
        "block_drop_rate": 0.0,
        "drop_rate": 0.3,
        "hidden_size": 0,
        "norm_last": False,
        "pool_last": False,
        "input_norm": True,
        **kwargs,
    }


@register_model
def fer_cbam_base(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """For faces in the wild: 2.94 M parameters, 216 M multiply-adds at 48x48 grey, 8 classes."""
    return _create("fer_cbam_base", pretrained, **_pooled((32, 64, 160, 320), **kwargs))


@register_model
def fer_cbam_tiny(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """For the edge: 0.44 M parameters, 39 M multiply-adds at 48x48 grey, 8 classes."""
    return _create("fer_cbam_tiny", pretrained, **_pooled((16, 32, 64, 120), **kwargs))
