"""The card that goes along with weights that have none."""

from __future__ import annotations

import json

import pytest
import timm
from huggingface_hub import ModelCard

from eval.records import metric_records, write_report
from fer_cbam import hub, pretrained
from fer_cbam.hub import cards
from tests.hub.conftest import LABELS


def text_of(folder):
    return cards.card_text(folder, pretrained.read_config(folder), "user/faces")


@pytest.fixture
def trained(model, tmp_path):
    """Weights that say what they learnt."""
    training = {"data": "faces", "protocol": "paper", "split": "seed0", "images": 1234}
    return hub.save_model(model, tmp_path / "w", LABELS, {"training": training})


def test_a_card_of_its_own_is_taken_as_it_is(folder, trained):
    (trained / "README.md").write_text("# mine\n")
    assert text_of(trained) == "# mine\n"
    assert text_of(folder).count("# Model card: `user/faces`") == 1


def test_what_is_not_known_is_not_claimed(folder):
    text = text_of(folder)
    assert "`config.json` does not say what it was trained on." in text
    assert "Nothing was measured, as far as these files tell." in text
    assert "not calibrated" in text
    data = ModelCard(text).data
    assert data.datasets is None and data.eval_results is None
    assert 'from_pretrained("user/faces")' in text and '"hf-hub:user/faces"' in text
    assert "8" not in text.split("probabilities")[0].rpartition(", ")[2]
    assert "4 probabilities out: anger, disgust, fear, happiness. There is no neutral" in text


def test_numbers_come_from_a_report_beside_the_weights(trained):
    classes = {"fear": {"recall": {"value": 0.25, "low": 0.1, "high": 0.5}}}
    of = {"data": "faces", "protocol": "paper", "weights": "fer_cbam_paper.faces", "n": 10}
    metrics = {"accuracy": {"value": 0.8125, "low": 0.75, "high": 0.9}, "ece": 0.02}
    made = [*metric_records(metrics, classes, option="plain", **of),
            *metric_records({"accuracy": 0.99}, option="flip", **of)]  # fmt: skip
    write_report(trained / "metrics.json", "evaluation", {"command": "c"}, made)
    text = text_of(trained)
    assert "| faces, random 80/20 | 10 | 81.2 (75.0\u201390.0) | \u2013 | \u2013 | 2.0 |" in text
    assert "| fear | 25.0 (10.0\u201350.0) |" in text
    assert "99.0" not in text  # not the plain figure
    assert "It was trained on 1,234 images (protocol `paper`, split `seed0`)." in text
    results = ModelCard(text).data.eval_results
    assert {(r.metric_type, r.metric_value) for r in results} == {
        ("accuracy", 0.8125), ("ece", 0.02)
    }  # fmt: skip


def test_data_that_was_not_trained_on_is_said_to_be_never_seen(trained):
    made = metric_records({"accuracy": 0.5}, data="ckplus48", protocol="subject10", n=981)
    write_report(trained / "metrics.json", "evaluation", {"command": "c"}, made)
    text = text_of(trained)
    assert "| CK+48, never seen | 981 | 50.0 |" in text
    assert "No image of CK+48 was in training" in text


@pytest.mark.parametrize("licence", ["mit", 'a: "b"\n- c', None])
def test_a_licence_does_not_break_the_front_matter(trained, licence):
    config = json.loads((trained / "config.json").read_text())
    config["pretrained_cfg"]["license"] = licence
    (trained / "config.json").write_text(json.dumps(config))
    assert ModelCard(text_of(trained)).data.license == (licence or "unknown")


def test_how_sure_and_which_balance(trained):
    config = pretrained.read_config(trained)
    plain = cards.compose(trained, config, "n", [])
    told = cards.compose(
        trained, {**config, "temperature": 0.75, "uncertain_below": 0.5, "balance": 0.25}, "n", []
    )
    assert "not calibrated" in plain and "Rare labels" not in plain
    assert "temperature 0.75" in told and "confidence of 0.5" in told
    assert "the latter counts 0.25" in told
    decision = {"balance": 0.7, "shift": {"disgust": -1.3, "neutral": -0.3},
                "silent": ["contempt"]}  # fmt: skip
    probe = {"weights": [0.0], "bias": 0.0}
    chosen = cards.compose(
        trained, {**config, "temperature": 0.75, "decision": decision, "face_probe": probe}, "n", []
    )
    assert "a balance of 0.7, and shifted besides: disgust by -1.3 and neutral by -0.3." in chosen
    assert "It never says contempt:" in chosen
    assert "does not look like a face" in chosen and "does not look like a face" not in told


def test_the_recipe_and_its_teachers(trained):
    config = pretrained.read_config(trained)
    plain = cards.compose(trained, config, "n", [])
    recipe = {"name": "my_recipe", "stages": [{"teachers": []}, {"teachers": ["first"]}]}
    config["training"]["recipe"] = recipe
    told = cards.compose(trained, config, "n", [])
    assert "How it was trained stands in" in plain and "other networks" not in plain
    assert "The recipe, `my_recipe`, stands in" in told and "answers of other networks" in told


def test_a_foreign_teacher_and_its_share_are_named(trained):
    config = pretrained.read_config(trained)
    config["training"]["recipe"] = {"stages": [{"teachers": ["a.b@c", "zoo.xml"]}]}
    told = cards.compose(trained, {**config, "blend": {"zoo": 0.5}}, "me/x", [])
    assert "answers of other networks: `a.b@c`, `zoo.xml`." in told
    assert "`zoo.xml` is of OpenVINO's Open Model Zoo" in told
    assert "The head `zoo` has a share of 0.5 in the released classifier." in told


def test_parameters_against_torch(trained):
    model = timm.create_model("fer_cbam_paper", num_classes=4, channels=(8, 8, 16))
    assert cards.parameters(trained) == sum(p.numel() for p in model.parameters())


def test_what_was_learnt():
    heads = [{"labels": "ferplus"}, {"labels": "fer2013"}]
    assert cards.training_data({"training": {"data": "fer2013", "recipe": {"heads": heads}}}) == [
        "fer2013", "ferplus"
    ]  # fmt: skip
    taught = [*heads, {"labels": "retail", "answers": ["anger"]}]
    assert "retail" not in cards.training_data({"training": {"recipe": {"heads": taught}}})
    assert cards.training_data({"training": {"data": "faces"}}) == ["faces"]
    assert cards.training_data({}) == []
