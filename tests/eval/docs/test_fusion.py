"""Tables of fusion from records whose cells are known."""

from __future__ import annotations

from eval.docs import fusion
from eval.docs.markdown import NOT_YET
from eval.records import record


def test_methods_stand_in_one_order_with_their_differences(loaded):
    rows = []
    for number, method in enumerate(reversed(fusion.METHODS)):
        fields = {"data": "crema_d", "protocol": "p", "weights": method, "low": 0.1, "high": 0.2}
        rows += [record("cross_entropy", 1 + number / 8, **fields),
                 record("favourite", 0.5, **fields)]  # fmt: skip
        if not method.endswith(" alone"):
            rows.append(record("cross_entropy over the better alone", -0.25, **fields))
    lines = fusion.people(loaded(fusion=rows)).splitlines()[2:]
    assert [line.split(" | ")[0].strip("| ") for line in lines] == list(fusion.METHODS.values())
    assert lines[0] == "| voice alone | 1.750 (0.100\u20130.200) | \u2013 | 50.0 (10.0\u201320.0) |"
    assert "| -0.250 (+0.100\u2013+0.200) |" in lines[-1]


def test_sentiment_stands_beside_what_was_published(loaded):
    rows = [record("accuracy", 0.75, data="cmu_mosi", protocol="p", weights=weights,
                   condition=condition, sd=0.01)
            for weights, condition in (("text", "all"), ("text+audio+video", "all"),
                                       ("text+audio+video", "text missing"),
                                       ("bc-LSTM, text", None))]  # fmt: skip
    records = loaded(fusion=rows)
    got = fusion.sentiment(records)
    assert "| text | 75.0 \u00b1 1.0 | 75.0 \u00b1 1.0 | \u2013 | 78.1 |" in got
    assert "| audio | \u2013 | \u2013 | \u2013 | 60.3 |" in got
    assert "| text missing | 75.0 \u00b1 1.0 |" in fusion.missing(records)
    assert "| all | 75.0 \u00b1 1.0 |" in fusion.missing(records)


def test_a_pulse_that_was_put_in(loaded):
    fields = {"data": "synthetic pulse", "condition": "at rest"}
    rows = [record("quality", 7.25, **fields), record("answered", 0.5, **fields),
            record("error", 1.5, **fields)]  # fmt: skip
    assert "| at rest | 7.2 | 50 | 1.5 | \u2013 |" in fusion.pulse(loaded(fusion=rows))


def test_nothing_measured(loaded):
    records = loaded(evaluation=[record("accuracy", 0.5, data="ferplus")])
    assert fusion.people(records) == fusion.sentiment(records) == NOT_YET
