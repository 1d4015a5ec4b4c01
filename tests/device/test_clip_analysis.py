"""A clip's numbers and table in the page are those that Python would write."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from fer_cbam.decide import Decision
from fer_cbam.serve.clip_numbers import clip_numbers
from fer_cbam.types import Face, Recognition
from fer_cbam.video.analysis import TIMELINE_POINTS, ClipResult, _FaceSoFar
from fer_cbam.video.face_table import FaceTable
from fer_cbam.video.timeline import Timeline
from fer_cbam.video.tracks import Tracked

LABELS = ("anger", "fear", "happiness")
DECISION = Decision(LABELS, uncertain_below=0.5)
CROP, AFFINE = np.zeros((48, 48, 3), np.uint8), np.eye(2, 3)
# decision.mjs is tested by itself; here it is as short as it can be.
ANALYSIS = """(() => {
  const ofProbs = (probs) => {
    const [label, confidence] = Object.entries(probs).reduce((a, b) => (b[1] > a[1] ? b : a));
    return { label, uncertain: confidence < 0.5 };
  };
  const decision = { ofProbs };
  const made = new module.ClipAnalysis({ name: "w", labels: data.labels, decision });
  data.frames.forEach(([time, faces], number) => made.add(number, time, faces));
  return { numbers: made.numbers(data.notes), table: made.table() };
})()"""


def frames(count: int, seconds: float) -> list[tuple[float, list[Tracked]]]:
    """Two people; the second is there now and then, and no face at times."""
    rng = np.random.default_rng(3)
    found = []
    for number in range(count):
        faces = []
        for track in (1, 2) if number % 40 > 25 else (1,):
            probs = dict(zip(LABELS, rng.dirichlet((1, 1, 1)).tolist(), strict=True))
            prediction = DECISION.of_probs(probs, no_face=bool(rng.random() < 0.05))
            x, y = rng.uniform(0, 200, 2)
            face = Face((x, y, x + 50.25, y + 61.5), 0.9, np.zeros((5, 2), np.float32))
            faces.append(Tracked(track, Recognition(face, prediction, CROP, AFFINE)))
        found.append((seconds * number / count, faces))
    return found


def as_json(tracked: Tracked) -> dict:
    recognition = tracked.recognition
    prediction = recognition.prediction
    return {"track": tracked.track, "box": list(recognition.face.box),
            "label": prediction.label, "confidence": prediction.confidence,
            "uncertain": prediction.uncertain, "no_face": prediction.no_face,
            "probs": dict(prediction.probs)}  # fmt: skip


@pytest.mark.parametrize(("count", "seconds"), [(120, 10.0), (799, 65.3)])
def test_numbers_and_table_are_those_of_python(evaluate, tmp_path, count, seconds):
    clip = frames(count, seconds)
    given = [[time, [as_json(face) for face in faces]] for time, faces in clip]
    data = {"labels": LABELS, "frames": given, "notes": ["A note."]}
    answer = evaluate("clip_analysis.mjs", ANALYSIS, data)
    people: dict[int, _FaceSoFar] = {}
    with FaceTable(tmp_path / "faces.csv", LABELS) as table:
        for number, (time, faces) in enumerate(clip):
            for face in faces:
                people.setdefault(face.track, _FaceSoFar(time)).add(time, face.recognition)
            table.write(number, time, faces)
    tracks = [person.summary(track, []) for track, person in sorted(people.items())]
    result = ClipResult(clip[-1][0], count, count, tracks, ["A note."])
    expected = clip_numbers(result, "w", DECISION)
    assert answer["numbers"] == expected
    assert all(person["expressions"] for person in expected["tracks"])
    written = list(csv.reader((tmp_path / "faces.csv").open(newline="", encoding="utf-8")))
    shown = list(csv.reader(io.StringIO(answer["table"])))
    assert shown == written
    assert len(written) > count


def test_a_clip_without_a_face(evaluate):
    answer = evaluate(
        "clip_analysis.mjs", ANALYSIS, {"labels": LABELS, "frames": [[0.0, []]], "notes": []}
    )
    assert answer["numbers"]["notes"] == ["No face was found."]
    assert answer["numbers"]["tracks"] == []


def test_a_long_timeline_takes_no_more_space(evaluate):
    times = np.random.default_rng(4).uniform(0, 300, 2000)
    moments = [[float(t), {"fear": float(t) / 300}] for t in np.sort(times)]
    expected = Timeline(max_points=TIMELINE_POINTS)
    for time, probs in moments:
        expected.add(time, probs)
    script = (
        "(() => { const made = new module.Timeline();"
        " data.forEach(([time, probs]) => made.add(time, probs)); return made.points(); })()"
    )
    points = evaluate("clip_analysis.mjs", script, moments)
    assert len(points) == len(expected.points()) <= TIMELINE_POINTS
    for point, other in zip(points, expected.points(), strict=True):
        assert point["time"] == pytest.approx(other.time)
        assert point["probs"] == (other.probs and pytest.approx(other.probs))
