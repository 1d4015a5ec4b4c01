"""What a card says of trust, from the records of ``python -m eval trust``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fer_cbam.data import titles

Records = Sequence[Mapping[str, Any]]
UNUSED, GAUSSIAN = "unused fills", "over Gaussian"
#: Test -> what a map is held against, and the largest rank correlation that is asked for.
TESTS = {
    "head": ("the same network with a shuffled head", 0.3),
    "labels": ("a network that learnt shuffled labels", 0.3),
    "another face": ("another face", 0.5),
    "another class": ("the second most probable emotion", 0.5),
}
USES = {"still": "A photograph", "live": "A camera's picture"}


def trust(records: Records) -> str:
    """A section of a card, empty where nothing was measured.

    records: of one set of weights, of :mod:`eval.records`; of several data sets each is told apart.
    """
    told = {data: _of_data([r for r in records if r["data"] == data], data)
            for data in dict.fromkeys(r["data"] for r in records)}  # fmt: skip
    parts = [text for text in told.values() if text]
    return "\n\n".join(["## How far to trust it", *parts]) + "\n\n" if parts else ""


def _of_data(records: Records, data: str) -> str:
    lines = [_map(records, use) for use in USES] + [_sentence(records), _no_face(records)]
    lines.append(_spoilt(records))
    told = [line for line in lines if line]
    title = titles.DATA.get(data, data)
    return " ".join([f"Measured on {title} (`python -m eval trust`).", *told]) if told else ""


def _one(records: Records, **where: Any) -> Mapping[str, Any] | None:
    found = (r for r in records if all(r.get(k) == v for k, v in where.items()))
    return next((r for r in found if r.get("value") is not None), None)


def _map(records: Records, use: str) -> str:
    shown = _one(records, metric="default", option=use)
    if shown is None:
        return ""
    of = {"condition": shown["condition"], "option": UNUSED}
    gain = _one(records, metric="abpc_gain", group=GAUSSIAN, **of)
    area = _one(records, metric="abpc", **of)
    if gain is None or area is None:
        return ""
    clear = "" if gain["low"] > 0 else ", which is not clear of zero"
    text = (
        f"{USES[use]} shows `{shown['condition']}` first: hidden and shown in its order, pixels "
        f"move the answer's probability by {_number(area, '.2f')} on average (ABPC, {area['n']} "
        f"faces), {_number(gain, '+.2f')} against a blob in the middle of the face{clear}."
    )
    rhos = [(words, most, r) for test, (words, most) in TESTS.items()
            if (r := _one(records, metric="rank_correlation", condition=shown["condition"],
                          option=test))]  # fmt: skip
    if not rhos:
        return text
    against = ", ".join(f"{words} {r['value']:.2f}" for words, _, r in rhos)
    text += f" Rank correlation of that map with the map of: {against}."
    failed = [words for words, most, r in rhos if abs(r["value"]) > most]
    return text + (f" Too much alike: {', '.join(failed)}." if failed else "")


def _sentence(records: Records) -> str:
    named, holds = (_one(records, metric=metric) for metric in ("named", "holds"))
    if named is None or holds is None:
        return ""
    return (
        f"A region of the face is named for {named['value']:.0%} of {named['n']} faces; there, "
        f"hiding it costs at least 0.02 under two fills that had no say in {holds['value']:.0%}."
    )


def _no_face(records: Records) -> str:
    answered = [r for r in records if r["metric"] == "answered" and r["value"] is not None
                and "kinds" not in str(r.get("condition"))]  # fmt: skip
    lost = _one(records, metric="faces_lost")
    if not answered or lost is None or not lost["value"]:
        return ""
    worst = sorted(answered, key=lambda r: -r["value"])[:2]
    most = " and ".join(f"{r['value']:.0%} of {r['condition']}" for r in worst)
    return (
        f"{lost['value']:.1%} of faces get no answer because they do not look like one; of "
        f"{len(answered)} kinds of pictures that are no faces, most often answered are {most}."
    )


def _spoilt(records: Records) -> str:
    kept = _one(records, metric="relative_accuracy", condition="all corruptions")
    error = _one(records, metric="corruption_error", condition="all corruptions")
    if kept is None or error is None:
        return ""
    return (
        f"Spoilt by noise, blur, light, pose or hidden parts, it keeps {kept['value']:.0%} of its "
        f"accuracy, an error of {error['value']:.1%}."
    )


def _number(record: Mapping[str, Any], spec: str) -> str:
    value, low, high = (format(record[key], spec) for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
