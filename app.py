"""The app: ``python app.py``. Webcam and photo, each with an explanation beside it.

Here are the layout and thin handlers; what they call computes. The handlers are pure functions of
the recogniser and one question. Pictures travel inside questions and answers, so that none is ever
written to disk, and what a live picture has to remember travels with its frames, so that the server
holds nothing of a visitor's between two questions.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

from fer_cbam import page, smoothing
from fer_cbam.backend import BACKENDS
from fer_cbam.detect import face_detector
from fer_cbam.detect.base import FaceDetector
from fer_cbam.detect.yunet import YuNetDetector
from fer_cbam.errors import FerError
from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.images import decode_image
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.render import annotate, overlay
from fer_cbam.types import Recognition

ASSETS = Path(page.__file__).parent / "assets"
MODEL_CARD = Path(__file__).parent / "model_card.md"
MAX_FRAME_BYTES, MAX_FRAME_PIXELS = 2_000_000, 2_000_000
MAX_PHOTO_BYTES = 25_000_000
MAPS = ("gradcam", "spatial_attention")
MAX_FACES = 12  # explained in one picture; of a crowd the largest
LIVE_SIDE = 320  # pixels that a frame is searched at: one quick search

# A photo may take a second and 150 MB; frames must not wait behind several of them.
_one_photo = threading.Semaphore(1)

SHARE_WARNING = """\
WARNING: --share without --auth: anyone who has or guesses the link can use this app, and this
computer's time with it. Add --auth USER:PASSWORD."""

ABOUT = """
## In short

- It finds faces and says which of **{count} expressions** each resembles most: {labels}.
- It reads **expressions, not feelings**, and always picks one of its {count} names, also for a face
  that shows none of them. A percentage weighs the names against each other; it is not the chance of
  being right.
- *Grad-CAM* shows the regions that spoke for the emotion you pick; *attention* shows where the
  network looks whatever the emotion. Both tell about the network, not about the person.
- Do not use it to judge, hire, grade, admit, monitor or diagnose anyone, to guess at lies, intent
  or health, or on people who have not agreed to it.
- Pictures are read in the memory of the computer that runs this page and forgotten with the
  answer. No picture, number or usage statistic is stored or sent elsewhere.

Weights in use: `{name}`.
"""


def answer_frame(
    recognizer: EmotionRecognizer, detector: FaceDetector, question: Any
) -> dict[str, Any]:
    """One webcam frame: drawn plain and explained, with smoothed probabilities.

    question: ``image`` (data URL), ``time`` (seconds, any even clock), ``memory`` (from the last
    answer, at first empty), ``map`` (``"gradcam"`` or ``"spatial_attention"``).
    """
    try:
        image, memory, time, kind = read_frame(question)
    except FerError as error:
        return {"failed": True, "message": f"The camera's picture cannot be read: {error}"}
    faces = detector.detect(image)[:MAX_FACES]
    recognitions = recognizer.recognize(image, faces, explain=True)
    recognitions, memory = smoothing.smooth(memory, recognitions, time, recognizer.uncertain_below)
    return {
        "failed": False,
        "message": "" if recognitions else "No face in view.",
        "plain": page.data_url(annotate(image, recognitions)),
        "explained": page.data_url(explain_all(recognizer, image, recognitions, kind)),
        "faces": page.live_faces(recognitions),
        "memory": smoothing.to_json(memory),
    }


def read_frame(question: Any) -> tuple[np.ndarray, list[smoothing.RememberedFace], float, str]:
    """Image, memory, time and kind of map of a question, none of them taken on trust.

    Raises:
        FerError: anything is missing or of another kind.
    """
    question = question if isinstance(question, dict) else {}
    data = page.from_data_url(question.get("image"), MAX_FRAME_BYTES)
    time, kind = question.get("time"), question.get("map")
    if not smoothing.is_number(time):
        raise FerError(f"time: got {time!r}; expected seconds")
    if kind not in MAPS:
        raise FerError(f"map: got {kind!r}; expected one of {', '.join(MAPS)}")
    memory = smoothing.from_json(question.get("memory"))
    return decode_image(data, MAX_FRAME_PIXELS), memory, float(time), kind


def explain_all(
    recognizer: EmotionRecognizer,
    image: np.ndarray,
    recognitions: list[Recognition],
    kind: str,
) -> np.ndarray:
    """The image with the chosen map over each face, for the emotion that is shown as its answer."""
    for recognition in recognitions:
        label = recognition.prediction.label
        for saliency in recognition.saliencies:
            if saliency.kind != kind:
                continue
            if saliency.label not in (None, label):  # smoothing kept another emotion on top
                saliency = recognizer.explain(recognition.crop, label)
            image = overlay(image, recognition, saliency)
    return image


def answer_photo(recognizer: EmotionRecognizer, question: Any) -> dict[str, Any]:
    """A photo: its faces, what each resembles, and what spoke for every emotion.

    question: ``{"image": data URL}``.
    """
    with _one_photo:
        try:
            question = question if isinstance(question, dict) else {}
            image = decode_image(page.from_data_url(question.get("image"), MAX_PHOTO_BYTES))
        except FerError as error:
            message = f"This file cannot be read as a photo. {error}"
            return {"failed": True, "message": message, "result": ""}
        faces = recognizer.detector.detect(image)
        recognitions = recognizer.recognize(image, faces[:MAX_FACES], explain=True)
        gradcams = [
            {label: recognizer.explain(r.crop, label) for label in recognizer.label_names}
            for r in recognitions
        ]
        return {
            "failed": False,
            "message": page.photo_message(len(faces), len(recognitions)),
            "result": page.photo_result(image, recognitions, gradcams) if faces else "",
        }


def about(recognizer: EmotionRecognizer, model_card: Path = MODEL_CARD) -> str:
    """Markdown for the About tab: what holds for all weights, then the card of the embedded ones.

    model_card: markdown with YAML front matter, for the hub.
    """
    labels = ", ".join(recognizer.label_names)
    text = ABOUT.format(count=len(recognizer.label_names), labels=labels, name=recognizer.name)
    if recognizer.name != DEFAULT_WEIGHTS or not model_card.is_file():
        return (
            f"{text}\nNo model card comes with these weights: ask who made them what they are for."
        )
    card = re.sub(r"\A---\n.*?\n---\n", "", model_card.read_text(encoding="utf-8"), flags=re.S)
    return f"{text}\n---\n{re.sub(r'<!--.*?-->', '', card, flags=re.S)}"


def build(recognizer: EmotionRecognizer, detector: FaceDetector | None = None) -> gr.Blocks:
    """The page. detector: for the webcam; by default one quick search."""
    live_detector = detector or YuNetDetector(max_side=LIVE_SIDE)
    example = page.file_data_url(ASSETS / "astronaut.jpg")

    # Named after what the page calls them by.
    def frame(question: dict) -> dict:
        return answer_frame(recognizer, live_detector, question)

    def photo(question: dict) -> dict:
        return answer_photo(recognizer, question)

    def example_photo(_question: dict) -> dict:
        return answer_photo(recognizer, {"image": example})

    with gr.Blocks(
        title="FER-CBAM: expressions, and why",
        analytics_enabled=False,
        delete_cache=(60, 60),
        fill_width=True,  # app.css says how wide
    ) as blocks:
        gr.HTML(asset("header.html"), js_on_load=None)
        with gr.Tab("Webcam"):
            gr.HTML(
                html_template=asset("webcam.html"), js_on_load=asset("webcam.js"),
                server_functions=[frame], apply_default_css=False,
            )  # fmt: skip
        with gr.Tab("Photo"):
            gr.HTML(
                html_template=asset("photo.html"), js_on_load=asset("photo.js"),
                server_functions=[photo, example_photo], apply_default_css=False,
            )  # fmt: skip
        with gr.Tab("About"):
            gr.Markdown(about(recognizer))
    return blocks


def asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Fonts of the visitor's system: nothing is fetched from elsewhere."""
    return gr.themes.Base(
        primary_hue="indigo",
        neutral_hue="slate",
        font=["system-ui", "-apple-system", "Segoe UI", "sans-serif"],
        font_mono=["ui-monospace", "Consolas", "monospace"],
    ).set(body_text_color_subdued="*neutral_500")  # 4.8 : 1 on white; the default has 2.6


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Facial expressions, and why, in the browser.")
    add = parser.add_argument
    add("--weights", default=DEFAULT_WEIGHTS, help="<arch>.<tag>, a folder, or hf-hub:user/name")
    add("--backend", choices=BACKENDS, help="what runs the network (default: torch if installed)")
    add("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 is every one")
    add("--port", type=int, help="by default the first free one from 7860")
    add("--share", action="store_true", help="a public link through gradio.live")
    add("--auth", type=user_and_password, metavar="USER:PASSWORD", help="ask visitors for these")
    return parser.parse_args(argv)


def user_and_password(text: str) -> tuple[str, str]:
    user, _, password = text.partition(":")
    if not user or not password:
        raise argparse.ArgumentTypeError("expected USER:PASSWORD, neither of them empty")
    return user, password


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    if args.share and not args.auth:
        print(SHARE_WARNING, file=sys.stderr)
    # One thread for each frame: two gain nothing and get in each other's way.
    cv2.setNumThreads(1)
    try:
        recognizer = EmotionRecognizer.from_pretrained(args.weights, backend=args.backend)
    except FerError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 1
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the folder below is removed
    with tempfile.TemporaryDirectory(prefix="fer-cbam-") as folder:
        # gradio's own cache; the page puts nothing into it.
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        live = face_detector(args.backend or "torch", max_side=LIVE_SIDE)
        build(recognizer, live).launch(
            server_name=args.host, server_port=args.port, share=args.share, auth=args.auth,
            theme=theme(), css=asset("app.css"), footer_links=[], run_history=False,
            ssr_mode=False, enable_monitoring=False, max_file_size="1kb",
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
