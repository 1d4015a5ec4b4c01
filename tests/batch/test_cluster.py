"""A Ray cluster gives the rows of one machine, also where it loses a node."""

from __future__ import annotations

import os

import pytest

from fer_cbam import cli
from fer_cbam.batch import recognize_dataset
from fer_cbam.batch import run as run_module
from fer_cbam.batch.cluster import Cluster
from tests.batch.conftest import WEIGHTS, jpeg, same, table_of

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # a busy machine takes its time
STORE = 80 << 20  # bytes, the least that Ray takes is 75 MiB
IMAGES = 12


def test_without_ray(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    assert cli.main(["batch", str(photos), "--out", str(tmp_path / "out"), "--ray", "--quiet"]) == 1
    assert "needs ray, which is not installed; expected: pip install" in capsys.readouterr().err


@pytest.mark.slow
def test_a_node_that_dies_costs_nothing(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="ray is not installed: no cluster is tested")
    from ray.cluster_utils import Cluster as Nodes

    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(IMAGES):
        (folder / f"{number}.jpg").write_bytes(jpeg(120, faces=1 + number % 3, turn=number))
    (folder / "bad.jpg").write_bytes(b"no picture")
    options = {"weights": WEIGHTS, "backend": "onnx"}
    recognize_dataset(folder, tmp_path / "one", processes=1, **options)

    monkeypatch.setattr(run_module, "TASK_IMAGES", 1)
    nodes = Nodes(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE}
    )
    try:
        second = nodes.add_node(num_cpus=1, object_store_memory=STORE)
        ray.init(address=nodes.address, log_to_driver=False)
        lost = []

        def report(progress):
            if progress.done > 2 and not lost:
                lost.append(progress.done)
                nodes.remove_node(second, allow_graceful=False)

        cluster = Cluster(actors=2)
        summary = recognize_dataset(folder, tmp_path / "two", ray=cluster, report=report, **options)
    finally:
        ray.shutdown()
        nodes.shutdown()
    assert lost and summary.images == IMAGES + 1
    assert len(table_of(tmp_path / "two")) == summary.faces + summary.none + 1
    assert same(tmp_path / "one", tmp_path / "two")
