"""What decides a row, and how options are read."""

from __future__ import annotations

import shutil

import pytest

from fer_cbam import pretrained
from fer_cbam.batch.jobs import job_of, seconds, settings_of, weights_digest
from fer_cbam.batch.tasks import IMAGE, VIDEO, Input, Settings, Task, in_pieces
from fer_cbam.errors import BackendError, BatchError
from tests.batch.conftest import WEIGHTS


@pytest.mark.parametrize(
    ("text", "value"), [("0.5s", 0.5), ("500ms", 0.5), ("2", 2), (".25 s", 0.25), ("1min", 60)]
)
def test_times(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "0s", "-1", "1h", "s", "1e3", "nan"])
def test_no_times(text):
    with pytest.raises(ValueError, match="expected seconds above 0"):
        seconds(text)


def test_a_digest_is_of_the_files(tmp_path):
    folder = shutil.copytree(pretrained.embedded_dir(WEIGHTS), tmp_path / "w")
    assert weights_digest(folder) == weights_digest(WEIGHTS)
    (folder / "README.md").write_text("another card")
    assert weights_digest(folder) == weights_digest(WEIGHTS)
    config = folder / pretrained.CONFIG_FILE
    config.write_text(config.read_text() + "\n")
    assert weights_digest(folder) != weights_digest(WEIGHTS)


def test_settings_travel_as_text(settings):
    assert Settings.from_json(settings.to_json()) == settings
    assert settings.backend == "onnx" and settings.label_names[0] == "anger"
    other = settings_of(WEIGHTS, "onnx", "cpu", prior={"anger": 0.5})
    assert {k for k in job_of(settings) if job_of(settings)[k] != job_of(other)[k]} == {"prior"}
    task = Task((Input("a.tar", "tar", None, ("x", "y")), Input("b.jpg", IMAGE)), careful=True)
    assert Task.from_json(task.to_json()) == task


def test_settings_that_cannot_be():
    with pytest.raises(BackendError, match="expected one of: torch"):
        settings_of(WEIGHTS, "abacus")
    with pytest.raises(BatchError, match="expected seconds above 0"):
        settings_of(WEIGHTS, "onnx", video_every=0)


def test_tasks_are_of_images_or_of_one_archive():
    inputs = [Input(str(i), VIDEO if i == 3 else IMAGE) for i in range(6)]
    tasks = [[int(item.source) for item in task.inputs] for task in in_pieces(iter(inputs), 2)]
    assert tasks == [[0, 1], [3], [2, 4], [5]]


def test_what_is_left_of_a_task():
    task = Task((Input("a.jpg", IMAGE), Input("s.tar", "tar", skip=("0",))))
    left = task.without([("s.tar", "1"), ("a.jpg", "")])
    assert left.careful and [item.skip for item in left.inputs] == [("",), ("0", "1")]
