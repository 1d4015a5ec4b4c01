"""Who is who, and smoothing over time, as in fer_cbam/video."""

from __future__ import annotations

import numpy as np
import pytest

from fer_cbam.decide import Decision
from fer_cbam.smoothing.filter import Filter
from fer_cbam.smoothing.named import ANEW, RATE, SOFTENS
from fer_cbam.types import Face, Prediction, Recognition
from fer_cbam.video import tracks
from fer_cbam.video.assignment import assign
from tests.web.conftest import Ask, plain

LABELS = ("anger", "happiness", "neutral")
FOLLOW = """(() => {
  const decision = new module.Decision(data.labels, data.numbers);
  let memory = module.emptyMemory();
  return data.frames.map(({ time, faces }) => {
    const options = data.prior ? { smoother: module.filter(data.prior) } : {};
    const found = module.follow(memory, faces, time, decision, options);
    memory = found.memory;
    return found.tracked;
  });
})()"""


def test_assignment(ask: Ask):
    rng = np.random.default_rng(1)
    costs = [rng.integers(0, 9, rng.integers(1, 9, 2)) / 8 for _ in range(300)]
    (found,) = ask({"ask": "evaluate", "module": "assignment.mjs", "expression":
                    "data.map(module.assign)", "data": [c.tolist() for c in costs]})  # fmt: skip
    for cost, pairs in zip(costs, found, strict=True):
        assert [tuple(pair) for pair in pairs] == assign(cost)


def recognition(rng: np.random.Generator, x: float, y: float, side: float) -> Recognition:
    probs = rng.dirichlet(np.ones(len(LABELS)))
    landmarks = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    points = (landmarks * side + (x, y)).astype(np.float32)
    prediction = Prediction("anger", 0.0, dict(zip(LABELS, probs.tolist(), strict=True)),
                            no_face=bool(rng.random() < 0.1))  # fmt: skip
    face = Face((x, y, x + side, y + side), 0.9, points)
    return Recognition(face, prediction, np.zeros((48, 48, 3), np.uint8), np.eye(2, 3))


def walk(seed: int) -> list[tuple[float, list[Recognition]]]:
    """Four people who walk about, cross each other, are missed, and come and go; at times the clock
    jumps, or runs backwards."""
    rng = np.random.default_rng(seed)
    places, speeds = rng.uniform(0, 500, (4, 2)), rng.uniform(-300, 300, (4, 2))
    time, frames = 10.0, []
    for _ in range(60):
        passed = rng.choice([0.03, 0.1, 0.4, 1.5, -1.0], p=[0.5, 0.3, 0.1, 0.06, 0.04])
        time += passed
        places = np.abs(places + speeds * min(abs(passed), 0.1))
        seen = [recognition(rng, *place, 60 + 10 * i) for i, place in enumerate(places)
                if rng.random() < 0.85]  # fmt: skip
        frames.append((time, seen))
    return frames


@pytest.mark.parametrize("prior", [None, (0.2, 0.7, 0.1)])
@pytest.mark.parametrize("seed", range(3))
def test_the_same_tracks_and_answers(ask: Ask, seed: int, prior: tuple[float, ...] | None):
    frames = walk(seed)
    smoother = None if prior is None else Filter(LABELS, np.array(prior), RATE, ANEW, SOFTENS)
    met = None if prior is None else dict(zip(LABELS, prior, strict=True))
    decision = Decision(LABELS, lift=(0.4, -0.3, 0.0), uncertain_below=0.45)
    memory, expected = tracks.Memory(), []
    for time, seen in frames:
        tracked, memory = tracks.follow(memory, seen, time, decision, smoother)
        expected.append(tracked)
    asked = [
        {"time": time, "faces": [
            face | {"probs": r.prediction.probs, "no_face": r.prediction.no_face}
            for face, r in zip(plain([r.face for r in seen]), seen, strict=True)
        ]} for time, seen in frames
    ]  # fmt: skip
    numbers = {"lift": decision.lift, "uncertainBelow": decision.uncertain_below}
    (found,) = ask({
        "ask": "evaluate", "module": ["tracks.mjs", "decide.mjs", "smoothing.mjs"],
        "expression": FOLLOW,
        "data": {"labels": LABELS, "numbers": numbers, "frames": asked, "prior": met},
    })  # fmt: skip
    numbers_given = set()
    for ours, theirs in zip(found, expected, strict=True):
        assert [face["track"] for face in ours] == [face.track for face in theirs]
        for face, other in zip(ours, theirs, strict=True):
            prediction = other.recognition.prediction
            assert face["probs"] == pytest.approx(prediction.probs, abs=1e-9)
            assert (face["label"], face["uncertain"], face["no_face"]) == (
                prediction.label, prediction.uncertain, prediction.no_face,
            )  # fmt: skip
            numbers_given.add(face["track"])
    assert len(numbers_given) > 4  # some came anew
