from __future__ import annotations

import pytest

from eval.docs import pruning
from eval.docs.markdown import NOT_YET
from eval.records import record, write_report

TINY = pruning.RELEASED
NETWORKS = {(TINY, "onnx"): (0.85, 1.0), (TINY, "onnx-int8"): (0.84, 0.5),
            ("unpruned", "onnx"): (0.80, 1.1), ("pruned-two-thirds", "onnx"): (0.75, 0.4),
            ("scratch-two-thirds", "onnx"): (0.70, 0.4)}  # fmt: skip


@pytest.fixture
def records(tmp_path):
    quality, times = [], []
    for (name, option), (accuracy, ms) in NETWORKS.items():
        of = {"condition": name, "option": option}
        spread = {"n": 1} if name == TINY else {"sd": 0.01, "n": 3}
        quality += [
            record("accuracy", accuracy, **spread, **of),
            record("balanced_accuracy", accuracy - 0.2, **spread, **of),
            record("megabytes", 1.8, **of),
            record("multiply_adds_millions", 39.2, **of),
        ]
        times += [record("milliseconds", ms, low=ms - 0.1, high=ms + 0.1, n=9, **of),
                  record("share_of_time", ms / 1.1, n=9, **of)]  # fmt: skip
    for kind, gap in (("difference", -0.05), ("over_scratch", 0.05)):
        for metric in ("accuracy", "balanced_accuracy"):
            quality.append(record(f"{metric}_{kind}", gap, low=gap - 0.01, high=gap + 0.01,
                                  condition="pruned-two-thirds", option="onnx", n=3))  # fmt: skip
    quality.append(record("images_seen", 78807, condition="unpruned"))
    cost = [record("images_seen", 4360654, weights=TINY)]
    write_report(tmp_path / "c.json", "cost", {"command": "c"}, cost)
    write_report(tmp_path / "q.json", "pruning", {"command": "q"}, quality)
    write_report(tmp_path / "t.json", "pruning_speed", {"command": "t"}, times, processor="a CPU")
    from eval.docs.records import load

    return load(tmp_path)


def test_the_front_is_what_no_faster_network_equals(records):
    """The same accuracy or less for more time is off it."""
    assert pruning.front(records) == [
        ("pruned-two-thirds", "onnx"), (TINY, "onnx-int8"), (TINY, "onnx")
    ]  # fmt: skip


def test_a_row_for_each_network_and_runtime(records):
    lines = pruning.pruning(records).splitlines()
    assert lines[0].startswith("| FER+ PublicTest, %, 3 seeds | accuracy | balanced | MB |")
    assert lines[-1].startswith("Images seen in training: 4,360,654 by the embedded network")
    assert lines[-2] == "" and ", 78,807 by each of the others" in lines[-1]
    assert lines[2:-2] == [
        "| embedded: distilled | 85.0 | 65.0 | 1.80 | 39.2 | 1.00 (0.90\u20131.10) | 91 | yes |",
        "| embedded: distilled, int8 | 84.0 | 64.0 | 1.80 | 39.2 | 0.50 (0.40\u20130.60) | 45 | "
        "yes |",
        "| embedded, trained on | 80.0 \u00b1 1.0 | 60.0 \u00b1 1.0 | 1.80 | 39.2 | "
        "1.10 (1.00\u20131.20) | 100 |  |",
        "| pruned to 16, 24, 40, 80 channels | 75.0 \u00b1 1.0 | 55.0 \u00b1 1.0 | 1.80 | 39.2 | "
        "0.40 (0.30\u20130.50) | 36 | yes |",
        "| these widths from nothing | 70.0 \u00b1 1.0 | 50.0 \u00b1 1.0 | 1.80 | 39.2 | "
        "0.40 (0.30\u20130.50) | 36 |  |",
    ]  # fmt: skip
    assert pruning.pruning(records[:0]) == NOT_YET


def test_differences_have_their_interval(records):
    assert pruning.differences(records).splitlines()[-1] == (
        "| pruned to 16, 24, 40, 80 channels | -5.0 (-6.0 to -4.0) | -5.0 (-6.0 to -4.0) | "
        "+5.0 (+4.0 to +6.0) | +5.0 (+4.0 to +6.0) |"
    )


def test_the_figure_places_what_the_table_says(records):
    from eval.docs.pruning_figure import figure

    (ax,) = figure(records).axes
    drawn = {(round(float(x), 6), round(float(y), 6)) for line in ax.lines
             for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)}  # fmt: skip
    assert {(ms, 100 * accuracy) for accuracy, ms in NETWORKS.values()} <= drawn
    assert ax.get_xlabel().endswith("a CPU")
