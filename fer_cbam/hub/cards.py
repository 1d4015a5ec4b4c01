"""The model card that travels with weights: README.md in their folder, as a hub shows it.

It is composed from their config.json, and from records of :mod:`eval.records` where there are any:
of embedded weights those of the committed reports (``python -m eval.docs``), of other weights those
of a ``metrics.json`` that ``python -m eval --out`` has put beside them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_cbam.data import titles
from fer_cbam.hub.card_trust import trust
from fer_cbam.pretrained import label_names, tensor_shapes

CARD_FILE = "README.md"
METRICS_FILE = "metrics.json"

Records = Sequence[Mapping[str, Any]]

#: The test side of each data set that weights which learnt it are judged by.
HOME = {"ferplus": "private", "fer2013": "private", "ckplus48": "subject10"}
INDEX_METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "ece": "expected calibration error",
}
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")  # of tensors, not parameters
_COLUMNS = {"accuracy": "accuracy (95 % interval)", "balanced_accuracy": "balanced accuracy",
            "macro_f1": "macro F1", "ece": "ECE", "coverage": "answered",
            "selective_accuracy": "right when answered"}  # fmt: skip

OWN = "folder"  # pictures of the author's own
_DATA = {
    OWN: "Pictures and labels of the author's own.",
    "fer2013": "FER2013 (Goodfellow et al. 2013, https://arxiv.org/abs/1307.0414): grey crops of "
    "48x48 pixels, found by a web search, labelled by one person each. Who is seen was not asked.",
    "ferplus": "FER+ (Barsoum et al. 2016, https://arxiv.org/abs/1608.01041): ten votes for each "
    "image of FER2013. Images on which the votes do not agree are left out of tests.",
    "ckplus48": "CK+48: 981 grey crops of 48x48 pixels, the last three frames of 327 posed "
    "sequences of 118 adults in one laboratory (CK+, Lucey et al. 2010, "
    "https://doi.org/10.1109/CVPRW.2010.5543262).",
}
_LICENCES = {
    "fer2013": "FER2013 was gathered for research. These weights are for research too, and not for "
    "commercial use.",
    "ckplus48": "CK+ may be used for research under an agreement of its own. These weights are for "
    "research too, and not for commercial use.",
}
_LICENCES["ferplus"] = _LICENCES["fer2013"]
_LIMITS = {
    "fer2013": "The training faces are mostly frontal, of adults, and of whoever a search engine "
    "showed. Nobody noted age, sex or ethnicity, so how well it does for each group is not known.",
    "ckplus48": "It has seen posed, frontal, evenly lit faces of one laboratory only. On "
    "photographs and webcams it is a demonstration and not a measurement.",
}
_LIMITS["ferplus"] = _LIMITS["fer2013"]

_TEXT = """\
# Model card: `{name}`

`{architecture}` of FER-CBAM, a small convolutional network with CBAM attention
(Woo et al. 2018, https://arxiv.org/abs/1807.06521). {parameters:.2f} M parameters.{paper}
One {colour} face of {size} pixels in, {count} probabilities out: {labels}.{neutral}

## How to use it

```python
from fer_cbam import EmotionRecognizer

recognizer = EmotionRecognizer.from_pretrained("{name}")
for found in recognizer("photo.jpg", explain=True):
    print(found.prediction.label, found.prediction.confidence)
```

As a timm model, after `import fer_cbam`: `timm.create_model("{timm_name}", pretrained=True)`.

## Training data

{training}

## How well it does

{results}

## How sure it is

{confidence}

{trust}## Limits

- It reads the expression in one picture, not what a person feels. Faces do not tell feelings
  reliably (Barrett et al. 2019, https://doi.org/10.1177/1529100619832930).
{limits}- A map shows where the network's evidence for an answer lies. It does not show why a person
  looks as they do.

## What it is for, and what not

For research on expressions and explanations, and for teaching. Not for decisions about people: not
for hiring, schooling, policing, border control, credit, health or surveillance. Inferring emotions
at the workplace and in education is prohibited in the European Union (Regulation 2024/1689,
Article 5(1)(f)).

## Licence

{licence}
"""


def card_text(folder: Path, config: Mapping[str, Any], repo_id: str) -> str:
    """The card of a folder of weights: its own, or one composed from what lies in the folder.

    config: as :func:`fer_cbam.pretrained.read_config` gives it. repo_id: ``user/name``.
    """
    path = Path(folder) / CARD_FILE
    if path.is_file():
        return path.read_text(encoding="utf-8")
    metrics = Path(folder) / METRICS_FILE
    records = json.loads(metrics.read_text("utf-8"))["records"] if metrics.is_file() else []
    return compose(folder, config, repo_id, records)


def compose(
    folder: Path, config: Mapping[str, Any], name: str, records: Records, trusted: Records = ()
) -> str:
    """A card from a config.json and the records of these weights.

    name: how the weights are loaded, ``<arch>.<tag>`` or ``user/name``. records: of ``python -m
    eval``. trusted: of ``python -m eval trust``.
    """
    cfg = config["pretrained_cfg"]
    channels, height, width = cfg["input_size"]
    labels = label_names(config)
    learnt = training_data(config)
    measured = [r for r in records if r.get("option", "plain") == "plain" and "value" in r]
    neutral = "" if "neutral" in labels else (
        " There is no neutral label: a resting face is always given one of these."
    )  # fmt: skip
    texts = {text for data in learnt if (text := _LIMITS.get(data))}
    return _front_matter(config, name, learnt, measured) + _TEXT.format(
        name=name,
        architecture=config["architecture"],
        parameters=parameters(folder) / 1e6,
        paper=f" The network is that of {cfg['paper_name']}." if cfg.get("paper_name") else "",
        size=f"{height}x{width}",
        colour="grey" if channels == 1 else "RGB",
        count=len(labels),
        labels=", ".join(labels),
        neutral=neutral,
        timm_name=f"hf-hub:{name}" if "/" in name else name,
        training=_training(config, learnt),
        results=_results(config, measured),
        confidence=_confidence(config),
        trust=trust(trusted),
        limits="".join(f"- {text}\n" for text in sorted(texts)),
        licence=_licence(cfg.get("license"), learnt),
    )


def parameters(folder: Path) -> int:
    """How many numbers the network of a folder has learnt."""
    shapes = tensor_shapes(folder)
    return sum(math.prod(s) for name, s in shapes.items() if not name.endswith(_BUFFERS))


def training_data(config: Mapping[str, Any]) -> list[str]:
    """Names of the data sets that weights have learnt from; their own first."""
    training = config.get("training")
    if not isinstance(training, Mapping):
        return []
    heads = (training.get("recipe") or {}).get("heads") or ()
    # A head with ``answers`` has no data of its own: only a teacher answers it.
    own = sorted(head["labels"] for head in heads if not head.get("answers"))
    before = (training.get("started_from") or {}).get("data") or ()
    names = [training.get("data"), *own, *before]
    return list(dict.fromkeys(name for name in names if name))


def _front_matter(
    config: Mapping[str, Any], name: str, learnt: Sequence[str], records: Records
) -> str:
    # Values are quoted as JSON: a licence of anyone's must not break the YAML around it.
    licence = json.dumps(config["pretrained_cfg"].get("license") or "unknown")
    lines = ["---", "library_name: timm", "pipeline_tag: image-classification",
             f"license: {licence}"]  # fmt: skip
    named = sorted(set(learnt) - {OWN})
    if named and set(named) <= set(_LICENCES):
        lines.append("license_name: research-non-commercial")
    lines += ["datasets:", *(f"  - {data}" for data in named)] if named else []
    lines += ["tags:", "  - facial-emotion-recognition", "  - cbam", "  - grad-cam"]
    lines += _model_index(name, learnt, records)
    return "\n".join([*lines, "---", "", ""])


def _model_index(name: str, learnt: Sequence[str], records: Records) -> list[str]:
    """``model-index`` as hubs read it, a result for each test."""
    lines = []
    for data, protocol in _tests(records):
        own = _by_metric(records, data, protocol)
        title = _test_title(data, protocol, learnt)
        lines += ["      - task:", "          type: image-classification",
                  "          name: facial emotion recognition", "        dataset:",
                  f"          type: {data}", f'          name: "{title}"',
                  "        metrics:"]  # fmt: skip
        for metric, title in INDEX_METRICS.items():
            if own.get(metric, {}).get("value") is not None:
                lines += [f"          - type: {metric}", f"            name: {title}",
                          f"            value: {own[metric]['value']:.4f}"]  # fmt: skip
    return [*("model-index:", f"  - name: {name}", "    results:"), *lines] if lines else []


def _tests(records: Records) -> list[tuple[str, str]]:
    """Data set and protocol of every test, in the order of the records."""
    return list(dict.fromkeys((r["data"], r["protocol"]) for r in records if "data" in r))


def _by_metric(
    records: Records, data: str, protocol: str, group: str | None = None
) -> dict[str, Mapping[str, Any]]:
    return {r["metric"]: r for r in records
            if (r.get("data"), r.get("protocol"), r.get("group")) == (data, protocol, group)
            and "condition" not in r}  # fmt: skip


def _test_title(data: str, protocol: str, learnt: Sequence[str]) -> str:
    seen = titles.PROTOCOLS.get(protocol, protocol) if data in learnt else "never seen"
    return f"{titles.DATA.get(data, data)}, {seen}"


def _training(config: Mapping[str, Any], learnt: Sequence[str]) -> str:
    training = config.get("training")
    if not isinstance(training, Mapping) or not learnt:
        return "`config.json` does not say what it was trained on."
    lines = [_DATA.get(data, f"{titles.DATA.get(data, data)}: `{data}`.") for data in learnt]
    facts = []
    if training.get("images"):
        facts.append(f"It was trained on {training['images']:,} images")
        facts[0] += f" (protocol `{training.get('protocol')}`, split `{training.get('split')}`)."
    if started := training.get("started_from"):
        facts.append(f"It started from `{started['weights']}`.")
    elif len(learnt) > 1:
        both = " and ".join(learnt)
        facts.append(f"It learnt the labels of {both} at once; these weights answer with those of "
                     f"{learnt[0]}.")  # fmt: skip
    recipe = training.get("recipe") or {}
    teachers = [t for stage in recipe.get("stages") or () for t in stage.get("teachers") or ()]
    if training.get("teachers") or teachers:
        named = f": {', '.join(f'`{name}`' for name in teachers)}" if teachers else ""
        facts.append(f"It also learnt from the answers of other networks{named}.")
    for name in teachers:
        if name.endswith(".xml"):
            facts.append(f"`{name}` is of OpenVINO's Open Model Zoo (Apache-2.0), which does not "
                         "say what it was trained on.")  # fmt: skip
    for head, share in (config.get("blend") or {}).items():
        facts.append(f"The head `{head}` has a share of {share:g} in the released classifier.")
    name = f"The recipe, `{recipe['name']}`," if recipe.get("name") else "How it was trained"
    facts.append(f"{name} stands in `config.json` under `training`.")
    return "\n\n".join([*lines, " ".join(facts)])


def _results(config: Mapping[str, Any], records: Records) -> str:
    if not _tests(records):
        return "Nothing was measured, as far as these files tell."
    learnt = training_data(config)
    rows, notes = [], set()
    for data, protocol in _tests(records):
        own = _by_metric(records, data, protocol)
        n = own.get("images", {}).get("value") or own["accuracy"]["n"]
        rows.append([_test_title(data, protocol, learnt), f"{n:,.0f}",
                     *(_percent(own.get(metric)) for metric in _COLUMNS)])  # fmt: skip
        if data in learnt and protocol in ("paper", "subject10"):
            notes.add("On CK+48 each split is tested by a network of its own, trained by the same "
                      "recipe without that split's test images.")  # fmt: skip
        elif data not in learnt:
            notes.add(f"No image of {titles.DATA.get(data, data)} was in training; an answer that "
                      "its labels do not have is an error there.")  # fmt: skip
    parts = [_table(["%", "images", *_COLUMNS.values()], rows), *sorted(notes)]
    home = next(((d, p) for d, p in _tests(records) if d in learnt), _tests(records)[0])
    recalls = [(group, _by_metric(records, *home, group)) for group in label_names(config)]
    rows = [[group, _percent(own["recall"])] for group, own in recalls if "recall" in own]
    if rows:
        parts.append(
            _table([f"recall, {_test_title(*home, learnt)}, %", "95 % interval in brackets"], rows)
        )
    return "\n\n".join(parts)


def _percent(record: Mapping[str, Any] | None) -> str:
    if record is None or record["value"] is None:
        return "\u2013"
    shown = f"{100 * record['value']:.1f}"
    if record.get("low") is not None:
        return f"{shown} ({100 * record['low']:.1f}\u2013{100 * record['high']:.1f})"
    return shown


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _confidence(config: Mapping[str, Any]) -> str:
    if "temperature" not in config:
        return "Its confidence is not calibrated: it may be surer than it is right."
    own = (config.get("training") or {}).get("data") == OWN
    faces = "the pictures that were held out" if own else "PublicTest"
    lines = [f"Probabilities are calibrated on {faces} (temperature {config['temperature']:g}). "
             f"An answer below a confidence of {config.get('uncertain_below', 0.0):g} is "
             "\"uncertain\": above it, nine of ten are right there."]  # fmt: skip
    decision = config.get("decision")
    if decision is not None:
        lines.append("The label that is said is chosen by `decision` in `config.json`: rare labels "
                     f"are lifted by a balance of {decision.get('balance', 0.0):g}"
                     f"{_shifts(decision)}. The confidence is the probability of the label that is "
                     "said. `prior=` answers for another class mix.")  # fmt: skip
        if decision.get("silent"):
            lines.append(f"It never says {_listed(decision['silent'])}: where it did, it would be "
                         "right less often than one time in three.")  # fmt: skip
    elif config.get("balance"):
        lines.append("Rare labels are lifted after training, for a mean of accuracy and balanced "
                     f"accuracy in which the latter counts {config['balance']:g}.")  # fmt: skip
    if "face_probe" in config:
        lines.append("A crop that does not look like a face gets no answer; on PublicTest that are "
                     "at most 1 % of the faces.")  # fmt: skip
    return " ".join(lines)


def _shifts(decision: Mapping[str, Any]) -> str:
    shifts = [f"{label} by {value:+g}" for label, value in decision.get("shift", {}).items()]
    return f", and shifted besides: {_listed(shifts)}" if shifts else ""


def _listed(names: Sequence[str]) -> str:
    return " and ".join(", ".join(names).rsplit(", ", 1))


def _licence(licence: str | None, learnt: Sequence[str]) -> str:
    texts = list(dict.fromkeys(_LICENCES[data] for data in learnt if data in _LICENCES))
    code = "The code of FER-CBAM is Apache-2.0."
    return " ".join([*(texts or [f"Licence of the weights: {licence or 'unknown'}."]), code])
