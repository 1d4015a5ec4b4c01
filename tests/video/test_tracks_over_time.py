"""Tracks that a recurrent network answers: one that leaves and comes back, twenty at once, many."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch

from fer_cbam import hub
from fer_cbam.labels import LABEL_SETS
from fer_cbam.serve.memories import Memories
from fer_cbam.smoothing.base import Seen
from fer_cbam.smoothing.recurrent import Recurrent
from fer_cbam.video.tracks import FORGET_AFTER, Memory, follow
from tests.video.faces import face, recognition

LABELS = LABEL_SETS["ferplus"]


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Recurrent:
    torch.manual_seed(0)
    model = timm.create_model("fer_cbam_gru", in_features=8 + 8 + 20, width=12, hidden_size=16)
    for parameter in model.parameters():  # so that no part of it is 0
        torch.nn.init.normal_(parameter, 0, 0.4)
    folder = hub.save_model(model, tmp_path_factory.mktemp("gru"), LABELS, {})
    return Recurrent.load(folder)


def seen_at(x: float, seed: int):
    rng = np.random.default_rng(seed)
    probs = dict(zip(LABELS, rng.dirichlet(np.ones(8)).tolist(), strict=True))
    crop = rng.integers(0, 256, (48, 48, 3)).astype(np.uint8)
    found = recognition(face(x), probs)
    return replace(found, crop=crop, embedding=rng.normal(size=20).astype(np.float32))


def alone(network: Recurrent, faces: list, times: list[float]) -> np.ndarray:
    """What the network says of one face that nobody has to follow."""
    state, last, told = None, times[0], []
    for one, time in zip(faces, times, strict=True):
        probs, state = network.step(Seen.of(one, with_cues=True), time - last, state)
        told.append(probs)
        last = time
    return np.array(told)


def test_one_that_leaves_and_comes_back(network):
    """Gone for less than it is remembered it goes on with its state, and the seconds are told;
    gone for longer it is new."""
    times = [0.0, 0.1, 0.2, 0.2 + 0.9 * FORGET_AFTER, 5.0]
    faces = [seen_at(100, i) for i in range(5)]
    memory, told, tracks = Memory(), [], []
    for one, time in zip(faces, times, strict=True):
        for blank in (time - 0.05,) if time > 0.2 else ():  # nobody in a frame between
            _, memory = follow(memory, [], blank, smoother=network)
        (tracked,), memory = follow(memory, [one], time, smoother=network)
        tracks.append(tracked.track)
        told.append(list(tracked.recognition.prediction.probs.values()))
    assert tracks == [1, 1, 1, 1, 2]
    np.testing.assert_allclose(told[:4], alone(network, faces[:4], times[:4]), atol=1e-9)
    np.testing.assert_allclose(told[4], alone(network, faces[4:], times[4:])[0], atol=1e-9)


def test_twenty_at_once_are_twenty_alone(network):
    times = [0.1 * i for i in range(6)]
    frames = [[seen_at(100 + 200 * n, 100 * i + n) for n in range(20)] for i in range(6)]
    memory, told = Memory(), []
    for faces, time in zip(frames, times, strict=True):
        tracked, memory = follow(memory, faces, time, smoother=network)
        assert [one.track for one in tracked] == [*range(1, 21)]
        told.append([list(one.recognition.prediction.probs.values()) for one in tracked])
    for n in range(20):
        expected = alone(network, [faces[n] for faces in frames], times)
        np.testing.assert_allclose(np.array(told)[:, n], expected, atol=1e-9)


def test_many_frames_take_no_more_memory(network):
    """As an hour of ``python -m benchmarks.motion``, but shorter: each frame's memory is kept by a
    ticket, as the app keeps it."""
    memories, memory = Memories(most=50), Memory()
    faces = [seen_at(100, i) for i in range(10)]

    def run(frames: range) -> None:
        nonlocal memory
        for i in frames:
            _, memory = follow(memory, [faces[i % 10]] if i % 97 else [], i / 15, smoother=network)
            memory = memories.get(memories.put(memory))

    tracemalloc.start()
    try:
        run(range(1200))
        before = tracemalloc.get_traced_memory()[0]
        run(range(1200, 2400))
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 50_000 and len(memories) == 50
