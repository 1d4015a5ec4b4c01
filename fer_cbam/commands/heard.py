"""Clips in words: their faces, and what is heard, read or measured beside them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # heavy, or not needed for --help and wrong arguments
    from fer_cbam.physiology.pulse import Pulse
    from fer_cbam.recognizer import EmotionRecognizer
    from fer_cbam.video import ClipResult
    from fer_cbam.video.timeline import TimelinePoint


def answer(
    path: Path, recognizer: EmotionRecognizer, voice: str, as_json: bool, digits: int
) -> None:
    """One clip with its voice, or one sound without pictures, on stdout; notes on stderr.

    voice: weights for voices.

    Raises:
        FerError: neither.
    """
    from fer_cbam import video
    from fer_cbam.errors import VideoError
    from fer_cbam.video.clip import ClipReader
    from fer_cbam.video.together import hear

    beside = hear(path, voice=voice)
    try:
        ClipReader(path).close()
    except VideoError:
        if not beside.readings:  # neither pictures nor a voice
            raise
        result: ClipResult | None = None
        heard = video.ClipResult(0.0, 0, 0, (), (), beside=beside.timelines())
        numbers: dict[str, Any] = {"beside": heard.to_dict(digits)["beside"]}
        notes = [*beside.notes]
    else:
        result = video.run(video.analyse(path, recognizer, beside=beside))
        numbers, notes = result.to_dict(digits), [*result.notes]
    if as_json:
        print(json.dumps({"clip": str(path), **numbers}))
    else:
        print("\n".join(in_words(path, result, beside.timelines())))
    for note in notes:
        print(f"fer-cbam: {path}: {note}", file=sys.stderr)


def in_words(
    path: Path, result: ClipResult | None, heard: Mapping[str, Sequence[TimelinePoint]]
) -> list[str]:
    """A line for the file, one for each other modality, and one or two for each face."""
    seconds = max((points[-1].time for points in heard.values()), default=0.0)
    length = seconds if result is None else result.seconds
    faces = 0 if result is None else len(result.tracks)
    lines = [f"{path}: {faces} face{'' if faces == 1 else 's'} in {length:.1f} s"]
    for name, points in heard.items():
        lines.append(f"  {name}  {_shares(points)}")
    for face in result.tracks if result else ():
        shares = ", ".join(f"{said} {share:.0%}" for said, share in [*face.shares.items()][:3])
        lines.append(f"  {face.track}  {face.first:.1f} to {face.last:.1f} s  {shares}")
        lines += [f"     {heart(pulse)}" for pulse in face.pulse]
        if face.together:
            lines.append(f"     together  {_shares(face.together)}")
        lines += [f"     {said}  ({share:.0%})" for said, share in face.disagreements.items()]
    return lines


def heart(pulse: Pulse) -> str:
    """``at 10.0 s: pulse 72 a minute (quality 6 dB)``, or why there is none."""
    said = f"no pulse ({pulse.reason})" if pulse.bpm is None else f"pulse {pulse.bpm:.0f} a minute"
    quality = "" if pulse.quality is None else f" (quality {pulse.quality:.0f} dB)"
    return f"at {pulse.time:.1f} s: {said}{quality}"


def _shares(points: Sequence[TimelinePoint]) -> str:
    """The three labels that are on top most often."""
    tops = [max(p.probs, key=p.probs.__getitem__) for p in points if p.probs]
    counts = sorted({top: tops.count(top) for top in tops}.items(), key=lambda item: -item[1])
    return ", ".join(f"{label} {count / len(tops):.0%}" for label, count in counts[:3])
