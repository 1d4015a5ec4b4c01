from __future__ import annotations

import pandas as pd
import pytest
from torch import nn

from eval.docs.records import load
from eval.studies import cost


def counts_of(path):
    """Metric -> value of the only report in a folder."""
    table = load(path.parent)
    return dict(zip(table["metric"], table["value"], strict=True))


def test_multiply_adds_by_hand():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip
    expected = 8 * 8 * 4 * 9 + 8 * 8 * 4 * 9 + 4 * 3
    assert cost.multiply_adds(model, (1, 8, 8)) == expected
    assert not any(layer._forward_hooks for layer in model.modules())


def test_the_command(save_weights, tmp_path):
    folder = save_weights("w", {"data": "ferplus", "images": 1000})
    pd.DataFrame({"epoch": [1, 2, 3], "seconds": [600.0, 600, 600]}).to_csv(tmp_path / "h.csv")
    out = ["--weights", str(folder), "--threads", "2", "--out", str(tmp_path / "out")]
    cost.main([*out, "--history", str(tmp_path / "h.csv")])
    counts = counts_of(tmp_path / "out" / "cost.json")
    assert counts["images_seen"] == 3000
    assert counts["core_hours"] == pytest.approx(1.0)
    assert counts["peta_multiply_adds"] == pytest.approx(
        3000 * counts["multiply_adds_millions"] / 1e9, abs=1e-6
    )
    unknown = save_weights("u", {"data": "ferplus"})
    with pytest.raises(SystemExit, match="says images None; expected how many"):
        cost.main(["--weights", str(unknown), "--history", str(tmp_path / "h.csv"),
                   "--threads", "2", "--out", str(tmp_path / "out")])  # fmt: skip
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit, match="expected epoch and seconds"):
        cost.main([*out, "--history", str(tmp_path / "bad.csv")])
    with pytest.raises(SystemExit, match="cannot be read"):
        cost.main([*out, "--history", str(tmp_path / "no.csv")])


def test_every_stage_counts(save_weights, tmp_path):
    folder = save_weights("w", {"data": "ferplus", "images": 1000})
    for name, epochs in (("first", 3), ("second", 2)):
        table = pd.DataFrame({"epoch": range(1, epochs + 1), "seconds": [360.0] * epochs})
        table.to_csv(tmp_path / f"{name}.csv")
    cost.main(["--weights", str(folder), "--threads", "2", "--out", str(tmp_path / "out"),
               "--history", str(tmp_path / "first.csv"), str(tmp_path / "second.csv")])  # fmt: skip
    counts = counts_of(tmp_path / "out" / "cost.json")
    assert (counts["epochs"], counts["images_seen"]) == (5, 5000)
    assert counts["core_hours"] == pytest.approx(1.0)
    runs = ["--history", str(tmp_path / "first.csv"), str(tmp_path / "second.csv")]
    run = ["--weights", str(folder), "--out", str(tmp_path / "out"), *runs, "--threads"]
    cost.main([*run, "4", "1"])  # 3 epochs of 360 s on four cores, 2 on one
    counts = counts_of(tmp_path / "out" / "cost.json")
    assert counts["core_hours"] == pytest.approx(1.4)
    with pytest.raises(SystemExit, match=r"threads \[4, 1, 2\] for 2 histories"):
        cost.main([*run, "4", "1", "2"])
