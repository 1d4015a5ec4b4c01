"""Whole runs: every input has its rows, whatever happens."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fer_cbam.batch import recognize_dataset
from fer_cbam.batch import run as run_module
from fer_cbam.batch.answers import TaskRecognizer
from fer_cbam.batch.jobs import job_of
from fer_cbam.batch.manifest import Manifest
from fer_cbam.errors import BatchError
from fer_cbam.images import decode_image
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.video.clip import ClipWriter
from fer_cbam.words.cautions import cautions
from tests.batch.conftest import WEIGHTS, jpeg, same, table_of


@pytest.fixture(scope="module")
def recognizer(settings) -> TaskRecognizer:
    return TaskRecognizer(settings)


@pytest.fixture
def answer(recognizer, settings):
    """A run in this process, without workers."""

    def answer(names, out, **options):
        def engine(tasks):
            for task in tasks:
                yield from recognizer(task)

        return run_module.run(names, out, options.pop("settings", settings), engine, **options)

    return answer


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, photos):
    """Results of one process, and what it says of them."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    return out, recognize_dataset(photos, out, weights=WEIGHTS, backend="onnx", processes=1)


def test_rows_are_what_the_recogniser_says(undisturbed, photos):
    out, summary = undisturbed
    rows = table_of(out).to_pylist()
    recognizer = EmotionRecognizer.from_pretrained(WEIGHTS, backend="onnx")
    image = jpeg(faces=2)
    expected = recognizer(image)
    found = [row for row in rows if row["source"] == str(photos / "a.jpg")]
    assert [row["face"] for row in found] == [0, 1] and len(expected) == 2
    for row, face in zip(found, expected, strict=True):
        assert [row[k] for k in ("x1", "y1", "x2", "y2")] == pytest.approx(face.face.box, abs=0.006)
        assert row["landmarks"] == pytest.approx(face.face.landmarks.ravel(), abs=0.006)
        assert row["label"] == face.prediction.label
        assert row["uncertain"] == face.prediction.uncertain
        for label, prob in face.prediction.probs.items():
            assert row[f"prob_{label}"] == pytest.approx(prob, abs=2e-5)
        assert tuple(row["cautions"]) == cautions(decode_image(image), face.face)
        assert (row["width"], row["height"]) == (320, 160)
    assert (summary.images, summary.faces, summary.none) == (7, 4, 1)
    assert summary.failed == Counter({"damaged": 1, "empty": 1, "not a picture": 1})
    assert summary.others == 1


def test_each_input_has_a_row(undisturbed, photos):
    table = table_of(undisturbed[0])
    expected = {str(path) for path in photos.rglob("*.jpg")}
    assert set(table["source"].to_pylist()) == expected
    none = [row for row in table.to_pylist() if row["face"] is None]
    assert {Path(row["source"]).name: row["error_kind"] for row in none} == {
        "d.jpg": None, "e.jpg": "damaged", "f.jpg": "empty", "g.jpg": "not a picture",
    }  # fmt: skip


def test_rows_depend_on_no_other_image_and_no_process(undisturbed, photos, answer, tmp_path):
    recognize_dataset(photos, tmp_path / "two", weights=WEIGHTS, backend="onnx", processes=2)
    assert same(undisturbed[0], tmp_path / "two")
    for number, path in enumerate(sorted(photos.rglob("*.jpg"))[::-1]):  # one at a time
        answer([path], tmp_path / "alone")
        assert len(pq.ParquetDataset(tmp_path / "alone").files) == number + 1
    assert same(undisturbed[0], tmp_path / "alone")


def test_a_second_run_reads_nothing(undisturbed, photos, answer):
    out, _ = undisturbed
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
    summary = answer([photos, photos / "a.jpg", str(photos / "*.jpg")], out)
    assert (summary.inputs, summary.before, summary.images) == (7, 7, 0)
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")} == before


def test_changed_inputs_are_read_again(answer, tmp_path):
    photo, other = tmp_path / "in" / "a.jpg", tmp_path / "in" / "b.jpg"
    photo.parent.mkdir()
    photo.write_bytes(jpeg())
    other.write_bytes(jpeg(faces=2))
    answer([photo.parent], tmp_path / "out")
    photo.write_bytes(jpeg(faces=0))
    summary = answer([photo.parent], tmp_path / "out")
    assert (summary.changed, summary.images, summary.before) == (1, 1, 1)
    rows = table_of(tmp_path / "out").to_pylist()
    assert [(Path(row["source"]).name, row["face"]) for row in rows] == [
        ("a.jpg", None), ("b.jpg", 0), ("b.jpg", 1),
    ]  # fmt: skip
    photo.unlink()
    assert answer([photo.parent], tmp_path / "out").elsewhere == 1


def test_what_could_not_be_opened_is_tried_again(answer, tmp_path):
    photo = tmp_path / "later.jpg"
    assert answer([photo], tmp_path / "out").failed == {"missing": 1}
    assert answer([photo], tmp_path / "out").failed == {"missing": 1}
    assert len(table_of(tmp_path / "out")) == 1
    photo.write_bytes(jpeg())
    summary = answer([photo], tmp_path / "out")
    assert (summary.faces, summary.failed.total()) == (1, 0)
    assert table_of(tmp_path / "out")["error"].to_pylist() == [None]


@pytest.mark.parametrize("change", ["weights", "embedding", "video_every"])
def test_results_of_another_job_are_not_mixed(undisturbed, photos, change):
    options = {
        "weights": {"weights": "fer_cbam_tiny.fer2013"},
        "embedding": {"weights": WEIGHTS, "embedding": True},
        "video_every": {"weights": WEIGHTS, "video_every": 2},
    }[change]
    before = table_of(undisturbed[0])
    with pytest.raises(BatchError, match=f"another job .{change} .*; expected the same"):
        recognize_dataset(photos, undisturbed[0], backend="onnx", processes=1, **options)
    assert table_of(undisturbed[0]).equals(before)


def test_folders_that_are_not_ours(photos, answer, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(BatchError, match="holds other files"):
        answer([photos], tmp_path)
    with pytest.raises(BatchError, match="a file; expected a folder"):
        answer([photos], tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_runs_at_once(photos, answer, settings, tmp_path):
    locked = pytest.raises(BatchError, match="another run writes here")
    with Manifest(tmp_path / "out", job_of(settings)), locked:
        answer([photos], tmp_path / "out")
    answer([photos / "a.jpg"], tmp_path / "out")


def test_a_full_disk_loses_nothing(undisturbed, photos, answer, tmp_path, monkeypatch):
    real = pq.write_table
    written = []

    def write_table(table, file, **options):
        if len(written) == 2:
            file.write(b"PAR1")
            raise OSError(28, "No space left on device")
        written.append(len(table))
        real(table, file, **options)

    monkeypatch.setattr(pq, "write_table", write_table)
    monkeypatch.setattr(run_module, "PART_ROWS", 1)
    monkeypatch.setattr(run_module, "TASK_IMAGES", 2)
    with pytest.raises(BatchError, match=r"the disk is full.*same command again"):
        answer([photos], tmp_path / "out")
    assert len(list(tmp_path.glob("out/part-*.parquet"))) == 2
    assert not list(tmp_path.glob("out/.part*"))
    monkeypatch.undo()
    summary = answer([photos], tmp_path / "out")
    assert (summary.before, summary.images) == (4, 3)
    assert same(undisturbed[0], tmp_path / "out")


def archive(path: Path, names: list[str]) -> Path:
    with tarfile.open(path, "w") as tar:
        for number, name in enumerate(names):
            data = jpeg(140, turn=number) if name.endswith("jpg") else b"{}"
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, BytesIO(data))
    return path


def test_tar_shards(answer, tmp_path):
    shard = archive(tmp_path / "s.tar", ["0/a.jpg", "0/a.json", "b.jpg", "b.jpg"])
    summary = answer([shard], tmp_path / "out")
    members = [row["member"] for row in table_of(tmp_path / "out").to_pylist()]
    assert members == ["0/a.jpg", "b.jpg", "b.jpg#2"]
    assert (summary.inputs, summary.images, summary.faces) == (1, 3, 3)
    assert answer([shard], tmp_path / "out").images == 0


@pytest.mark.parametrize("where", ["content", "header", "between"])
def test_a_tar_that_is_cut(answer, tmp_path, where):
    shard = archive(tmp_path / "s.tar", ["a.jpg", "b.jpg", "c.jpg"])
    with tarfile.open(shard) as tar:
        last = tar.getmember("c.jpg")
    cut = {"content": last.offset_data + 700, "header": last.offset + 100, "between": last.offset}
    os.truncate(shard, cut[where])
    summary = answer([shard], tmp_path / "out")
    rows = table_of(tmp_path / "out").to_pylist()
    assert [row["member"] for row in rows if row["face"] == 0] == ["a.jpg", "b.jpg"]
    (broken,) = [row for row in rows if row["member"] is None]
    assert broken["error_kind"] == "damaged" and "before this place was read" in broken["error"]
    named = [row["member"] for row in rows if row["error"] and row["member"]]
    assert named == (["c.jpg"] if where == "content" else [])
    assert summary.failed.total() == 1 + len(named)
    assert answer([shard], tmp_path / "out").images == 0


def test_a_tar_goes_on_where_it_was(answer, tmp_path, monkeypatch):
    shard = archive(tmp_path / "s.tar", [f"{i}.jpg" for i in range(5)])
    answer([shard], tmp_path / "whole")
    monkeypatch.setattr(run_module, "PART_ROWS", 1)
    monkeypatch.setattr("fer_cbam.batch.answers.ANSWER_IMAGES", 2)
    real, answers = run_module._Ledger.add, []

    def add(ledger, found):
        real(ledger, found)
        answers.append(found)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module._Ledger, "add", add)
    with pytest.raises(KeyboardInterrupt):
        answer([shard], tmp_path / "out")
    assert table_of(tmp_path / "out")["member"].to_pylist() == ["0.jpg", "1.jpg"]
    monkeypatch.setattr(run_module._Ledger, "add", real)
    assert answer([shard], tmp_path / "out").images == 3
    assert same(tmp_path / "whole", tmp_path / "out")


def test_parquet_of_bytes_and_of_paths(answer, tmp_path):
    (tmp_path / "c.jpg").write_bytes(jpeg(140))
    images = [{"bytes": jpeg(140), "path": "a.jpg"}, {"bytes": None, "path": "c.jpg"}, None]
    pq.write_table(pa.table({"n": [1, 2, 3], "image": images}), tmp_path / "t.parquet",
                   row_group_size=2)  # fmt: skip
    summary = answer([tmp_path / "t.parquet"], tmp_path / "out")
    rows = table_of(tmp_path / "out").to_pylist()
    assert [row["member"] for row in rows] == ["000000000", "000000001", "000000002"]
    assert [row["face"] for row in rows] == [0, 0, None]
    assert rows[0]["confidence"] == rows[1]["confidence"]
    assert (summary.inputs, summary.images, summary.failed) == (1, 3, {"not a picture": 1})
    assert answer([tmp_path / "t.parquet"], tmp_path / "out").images == 0


def test_a_parquet_without_images_costs_one_row(answer, tmp_path):
    pq.write_table(pa.table({"caption": ["a"]}), tmp_path / "t.parquet")
    (tmp_path / "u.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "c.jpg").write_bytes(jpeg(140))
    summary = answer([tmp_path], tmp_path / "out")
    errors = {row["source"]: row["error"] for row in table_of(tmp_path / "out").to_pylist()}
    assert "columns caption; expected one of image," in errors[str(tmp_path / "t.parquet")]
    assert "expected a whole Parquet file" in errors[str(tmp_path / "u.parquet")]
    assert (summary.faces, summary.failed.total()) == (1, 2)


def test_csv_of_paths_and_a_list(answer, settings, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(jpeg(140))
    with (tmp_path / "in" / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "photo"], [1, "a.jpg"], [2, "gone.jpg"]])
    named = replace(settings, image_column="photo")
    summary = answer([tmp_path / "in" / "list.csv"], tmp_path / "out", settings=named)
    assert (summary.faces, summary.failed) == (1, {"missing": 1})
    summary = answer([tmp_path / "in" / "list.csv"], tmp_path / "other")
    (row,) = table_of(tmp_path / "other").to_pylist()
    assert "columns id, photo; expected one of image" in row["error"]
    monkeypatch.setattr("sys.stdin", [f"{tmp_path}/in/a.jpg\n", "\n"])
    assert answer(["-"], tmp_path / "listed").faces == 1


def test_a_folder_that_cannot_be_read(answer, photos, tmp_path, monkeypatch):
    real = os.scandir

    def scandir(folder):
        if str(folder).endswith("more"):
            raise PermissionError(13, "Permission denied", str(folder))
        return real(folder)

    monkeypatch.setattr("fer_cbam.batch.storage.os.scandir", scandir)
    summary = answer([photos], tmp_path / "out")
    assert summary.failed["unreadable"] == 1 and summary.faces == 3
    monkeypatch.undo()
    summary = answer([photos], tmp_path / "out")
    assert summary.faces == 1  # of c.jpg alone
    assert len(set(table_of(tmp_path / "out")["source"].to_pylist())) == 8


def test_clips_have_rows_by_time(answer, tmp_path):
    with ClipWriter(tmp_path / "c.webm", 10) as writer:
        for number in range(21):
            image = decode_image(jpeg(200, faces=0 if number > 14 else 1))
            writer.write(image, number / 10)
    summary = answer([tmp_path / "c.webm"], tmp_path / "out")
    rows = table_of(tmp_path / "out").to_pylist()
    assert [row["frame"] for row in rows] == [0, 5, 10, 15, 20]
    assert [row["time_s"] for row in rows] == pytest.approx([0, 0.5, 1, 1.5, 2], abs=0.01)
    assert [row["track"] for row in rows] == [1, 1, 1, None, None]
    assert (summary.inputs, summary.images, summary.none) == (1, 5, 2)
    (tmp_path / "d.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    assert answer([tmp_path / "d.mp4"], tmp_path / "out").failed == {"damaged": 1}


def test_names_that_are_no_text(answer, tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    try:
        (tmp_path / name).write_bytes(jpeg(140))
    except OSError:
        pytest.skip("this file system takes no such name")
    (tmp_path / "b.jpg").write_bytes(jpeg(140))
    summary = answer([tmp_path], tmp_path / "out")
    assert (summary.faces, summary.failed) == (1, {"damaged": 1})
    assert "not UTF-8" in table_of(tmp_path / "out")["error"].to_pylist()[1]


def test_urls(answer, tmp_path):
    pytest.importorskip("fsspec")
    import fsspec

    system = fsspec.filesystem("memory")
    system.pipe("/shelf/a.jpg", jpeg(140))
    system.pipe("/shelf/deep/b.jpg", jpeg(140, faces=2))
    try:
        summary = answer(["memory://shelf"], tmp_path / "out")
        assert (summary.inputs, summary.faces) == (2, 3)
        assert answer(["memory:///shelf/**/*.jpg"], tmp_path / "out").inputs == 2
    finally:
        system.rm("/shelf", recursive=True)
    with pytest.raises(BatchError, match=r"nosuch://.*driver"):
        answer(["nosuch://x/a.jpg"], tmp_path / "out")


def test_killed_twice_and_finished(undisturbed, photos, tmp_path):
    """The run dies with SIGKILL after its first and after its second part."""
    out = tmp_path / "out"
    code = (
        "import sys\n"
        "from fer_cbam.batch import recognize_dataset, run\n"
        "run.PART_ROWS, run.TASK_IMAGES = 1, 1\n"
        f"recognize_dataset(sys.argv[1], sys.argv[2], weights={WEIGHTS!r}, backend='onnx', "
        "processes=1)\n"
    )
    for parts in (1, 3):
        run = subprocess.Popen([sys.executable, "-c", code, str(photos), str(out)])
        end = time.monotonic() + 120
        while run.poll() is None and time.monotonic() < end:
            if len(list(out.glob("part-*.parquet"))) >= parts:
                run.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        assert run.wait(60) == -signal.SIGKILL
    assert not same(undisturbed[0], out)
    summary = recognize_dataset(photos, out, weights=WEIGHTS, backend="onnx", processes=1)
    assert 0 < summary.before < 7
    assert same(undisturbed[0], out)
