"""The app: ``python app.py``. Webcam, photo and video, each with an explanation beside it.

Here are the layout and thin handlers. What they call lies in ``fer_cbam.serve``: pure functions of
a recogniser and one question, fair turns between visitors, and the weights of one's choice.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

import cv2

from fer_cbam import pretrained
from fer_cbam.backends.base import BACKENDS
from fer_cbam.detect import face_detector
from fer_cbam.detect.base import FaceDetector
from fer_cbam.errors import FerError
from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.hub.cards import CARD_FILE
from fer_cbam.recognizer import EmotionRecognizer
from fer_cbam.serve import address, answers, page, uploads
from fer_cbam.serve.clip_page import clip_numbers
from fer_cbam.serve.clips import Clips
from fer_cbam.serve.folder import upload_folder
from fer_cbam.serve.limits import LimitBodies
from fer_cbam.serve.proxies import proxies_aside
from fer_cbam.serve.recognizers import Shelf
from fer_cbam.serve.turns import StaleError, Turns
from fer_cbam.video.analysis import SEARCH_SIDE

with proxies_aside():  # gradio makes a client when it is imported, and asks nobody
    import gradio as gr
    from starlette.middleware import Middleware

ASSETS = Path(page.__file__).parent / "assets"
LIVE_SIDE = 320  # pixels that a frame is searched at: one quick search
KEEP_UPLOADS = 60.0  # seconds that a file sent to an endpoint stays after it was read
ENDPOINT_RUNS = 4  # of each endpoint at once
MAX_UPLOAD = "200mb"

SHARE_WARNING = """\
WARNING: --share without --auth: anyone who has or guesses the link can use this app, and this
computer's time with it. Add --auth USER:PASSWORD."""
NO_MCP = "app.py: --mcp needs gradio's extra; expected: pip install 'gradio[mcp]'"

ABOUT = """
## In short

- It finds faces and says which of **{count} expressions** each resembles most: {labels}.
- It reads **expressions, not feelings**, and always weighs its {count} names against each other,
  also for a face that shows none of them. A percentage is not the chance of being right.
- *Grad-CAM* shows the regions that spoke for the emotion you pick; *attention* shows where the
  network looks whatever the emotion. Both tell about the network, not about the person.
- Do not use it to judge, hire, grade, admit, monitor or diagnose anyone, to guess at lies, intent
  or health, or on people who have not agreed to it.
- Pictures are read in the memory of the computer that runs this page and forgotten with the
  answer. A clip lies in a temporary folder while it is read and is deleted with the answer. No
  picture, number or usage statistic is stored or sent elsewhere.

Weights in use: `{name}`.
"""


class Server:
    """What the handlers share: weights, turns, clips on their way, a quick detector for live
    pictures. Uploads lie in ``GRADIO_TEMP_DIR``."""

    def __init__(
        self,
        shelf: Shelf,
        live_detector: FaceDetector | None = None,
        clip_detector: FaceDetector | None = None,
    ):
        self.shelf = shelf
        self.turns = Turns()
        self.live_detector = live_detector or face_detector(max_side=LIVE_SIDE)
        self.clips = Clips(self.turns, self.folder, clip_detector)

    @staticmethod
    def folder() -> Path:
        return Path(os.environ["GRADIO_TEMP_DIR"])

    async def answer(
        self,
        question: Any,
        request: gr.Request,
        work: Callable[[EmotionRecognizer], dict],
        **turn: bool,
    ) -> dict:
        """``work(recognizer)`` with the weights that the question names, when its turn has come;
        whatever is wrong with it is said in the answer."""
        question = question if isinstance(question, dict) else {}
        try:
            return await self.turns.run(
                str(question.get("visitor"))[:80],
                lambda: work(self.shelf.get(question.get("weights"))),
                has_left=request.is_disconnected,
                **turn,
            )
        except StaleError:
            return {"failed": False, "stale": True, "message": ""}
        except FerError as error:
            return {"failed": True, "message": str(error), "result": "", "numbers": None}


def about(recognizer: EmotionRecognizer) -> str:
    """Markdown for the About tab: what holds for all weights, then the card of the embedded ones,
    which is markdown with YAML front matter, for hubs."""
    labels = ", ".join(recognizer.label_names)
    text = ABOUT.format(count=len(recognizer.label_names), labels=labels, name=recognizer.name)
    model_card = pretrained.EMBEDDED / recognizer.name / CARD_FILE
    if recognizer.name not in pretrained.embedded_names() or not model_card.is_file():
        return (
            f"{text}\nNo model card comes with these weights: ask who made them what they are for."
        )
    card = re.sub(r"\A---\n.*?\n---\n", "", model_card.read_text(encoding="utf-8"), flags=re.S)
    return f"{text}\n---\n{re.sub(r'<!--.*?-->', '', card, flags=re.S)}"


def build(server: Server) -> gr.Blocks:
    """The page, and the endpoints for programs."""
    with gr.Blocks(
        title="FER-CBAM: expressions, and why",
        analytics_enabled=False,
        delete_cache=(60, 600),  # answers to programs; the page has its own deleted at once
        fill_width=True,  # app.css says how wide
    ) as blocks:
        header(server)
        with gr.Tab("Webcam"):
            webcam_tab(server)
        with gr.Tab("Photo"):
            photo_tab(server)
        with gr.Tab("Video"):
            video_tab(server)
        with gr.Tab("About") as tab:
            about_tab(server, tab)
        endpoints(server)
    return blocks


def part(name: str, functions: list[Callable], /, **props: Any) -> gr.HTML:
    """A part of the page, from ``name.html`` and ``name.js``, that may call functions by name."""
    return gr.HTML(
        html_template=asset(f"{name}.html"), js_on_load=asset("common.js") + asset(f"{name}.js"),
        server_functions=functions, apply_default_css=False, **props,
    )  # fmt: skip


def header(server: Server) -> None:
    async def pick(question: dict, request: gr.Request) -> dict:
        # Not a turn of the visitor's: loading may take seconds.
        return await server.answer(
            {"visitor": "pick"}, request, lambda _: answers.answer_pick(server.shelf.get, question),
            background=True,
        )  # fmt: skip

    first = server.shelf.first
    part(
        "header", [pick], name=first.name, names=server.shelf.names(),
        elsewhere=server.shelf.elsewhere, labels=list(first.label_names),
    )  # fmt: skip


def webcam_tab(server: Server) -> None:
    async def frame(question: dict, request: gr.Request) -> dict:
        return await server.answer(
            question, request, lambda r: answers.answer_frame(r, server.live_detector, question),
            newest_only=True,
        )  # fmt: skip

    async def explain(question: dict, request: gr.Request) -> dict:
        return await server.answer(
            question, request, lambda r: answers.answer_explanation(r, question),
            background=True, newest_only=True,
        )  # fmt: skip

    first = answers.answer_pick(server.shelf.get, {})
    part("webcam", [frame, explain], colors=first["colors"])


def photo_tab(server: Server) -> None:
    example = page.file_data_url(ASSETS / "astronaut.jpg")

    async def photo(question: dict, request: gr.Request) -> dict:
        return await server.answer(
            question, request, lambda r: answers.answer_photo(r, question), background=True
        )

    async def example_photo(question: dict, request: gr.Request) -> dict:
        return await server.answer(
            question,
            request,
            lambda r: answers.answer_photo(r, {"image": example}),
            background=True,
        )

    part("photo", [photo, example_photo])


def video_tab(server: Server) -> None:
    async def clip_start(question: dict) -> dict:
        question = question if isinstance(question, dict) else {}
        visitor = str(question.get("visitor"))[:80]
        try:
            file = uploads.uploaded(question, server.folder())
            # Loading weights takes seconds: not in the loop that answers everyone.
            recognizer = await server.turns.run(
                visitor, lambda: server.shelf.get(question.get("weights")), background=True
            )
            return {"failed": False, "clip": server.clips.start(file, recognizer, visitor).name}
        except FerError as error:
            return {"failed": True, "message": str(error)}

    async def clip_ask(question: dict) -> dict:
        return server.clips.ask(question.get("clip") if isinstance(question, dict) else None)

    async def clip_forget(question: dict) -> dict:
        server.clips.forget(question.get("clip") if isinstance(question, dict) else None)
        return {}

    part("video", [clip_start, clip_ask, clip_forget])


def about_tab(server: Server, tab: gr.Tab) -> None:
    text = gr.Markdown(about(server.shelf.first))
    weights = gr.Textbox(visible=False)

    def about_picked(source: str) -> str:
        return about(server.shelf.get(source))

    tab.select(
        about_picked, weights, text, js="() => window.ferWeights ?? ''", queue=False,
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip


def endpoints(server: Server) -> None:
    """What programs may call: named, typed, described; see README."""

    async def photo(image: gr.FileData, weights: str = "") -> dict:
        """Recognise the facial expressions in a photo and say which regions of each face spoke for
        them. Expressions, not feelings.

        Args:
            image: A JPEG, PNG, WebP, BMP, GIF or TIFF file of at most 25 MB.
            weights: A name from the page's picker; empty for its default.

        Returns:
            Faces from the largest to the smallest, with box, landmarks, label, confidence,
            uncertain, probs, a sentence, cautions, and for each label the share of each region.
        """
        try:
            file = uploads.uploaded(image, server.folder())
            data = uploads.take(file, answers.MAX_PHOTO_BYTES, KEEP_UPLOADS)
            return await server.turns.run(
                "api", lambda: answers.photo_numbers(server.shelf.get(weights), data),
                background=True,
            )  # fmt: skip
        except FerError as error:
            raise gr.Error(str(error), print_exception=False) from error

    async def video(clip: gr.FileData, weights: str = "") -> tuple[dict, gr.FileData, gr.FileData]:
        """Follow the faces of a clip and recognise their expressions over time. Expressions, not
        feelings.

        Args:
            clip: MP4, MOV, WebM, MKV, AVI, MPEG, Ogg or FLV; the first ten minutes are read.
            weights: A name from the page's picker; empty for its default.

        Returns:
            For each face its seconds, the shares of the expressions and a timeline; the clip with
            faces marked (WebM); a CSV with a row for each face and frame.
        """
        try:
            file = uploads.uploaded(clip, server.folder())
            recognizer = await server.turns.run(
                "api", lambda: server.shelf.get(weights), background=True
            )
            read = await server.clips.run(file, recognizer, f"api {id(clip)}")
        except FerError as error:
            raise gr.Error(str(error), print_exception=False) from error
        assert read.result is not None  # or there had been an error
        numbers = clip_numbers(read.result, recognizer.name, recognizer.label_names)
        # gradio copies the files into its cache; ours are forgotten soon.
        marked = gr.FileData(path=str(read.result.annotated))
        return numbers, marked, gr.FileData(path=str(read.result.table))

    for function in (photo, video):
        # gradio reads the types of answers as they stand, and here they stand as text.
        function.__annotations__ = get_type_hints(function)
        # More wait in gradio's queue, where a program that asks a hundred times is not turned away.
        gr.api(function, api_name=function.__name__, concurrency_limit=ENDPOINT_RUNS)


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
    add(
        "--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 is every one",
    )  # fmt: skip
    add("--port", type=address.port, help="by default the first free one from 7860")
    add("--share", action="store_true", help="a public link through gradio.live")
    add("--auth", type=user_and_password, metavar="USER:PASSWORD", help="ask visitors for these")
    add("--mcp", action="store_true", help="serve the endpoints as MCP tools too")
    add(
        "--any-weights", action=argparse.BooleanOptionalAction, default=None,
        help="let visitors load folders of this computer and hub repositories; by default only "
        "where nobody but this computer can open the page",
    )  # fmt: skip
    args = parser.parse_args(argv)
    if args.any_weights is None:
        args.any_weights = address.is_loopback(args.host) and not args.share
    return args


def user_and_password(text: str) -> tuple[str, str]:
    user, _, password = text.partition(":")
    if not user or not password:
        raise argparse.ArgumentTypeError("expected USER:PASSWORD, neither of them empty")
    return user, password


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    if args.share and not args.auth:
        print(SHARE_WARNING, file=sys.stderr)
    if args.mcp and find_spec("mcp") is None:
        print(NO_MCP, file=sys.stderr)
        return 1
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a log shows the address as soon as it is said
    # One thread for each frame: two gain nothing and get in each other's way.
    cv2.setNumThreads(1)
    try:
        address.check_free(args.host, args.port)
        shelf = Shelf(args.weights, elsewhere=args.any_weights, backend=args.backend)
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)
        with upload_folder() as folder:
            serve(shelf, folder, args)
    except (FerError, OSError) as error:  # no folder for uploads; a port that was taken meanwhile
        print(f"app.py: {error}", file=sys.stderr)
        return 1
    return 0


def serve(shelf: Shelf, folder: Path, args: argparse.Namespace) -> None:
    """Until a key or a signal ends it. folder: for uploads, gradio's cache and matplotlib's."""
    os.environ |= {"GRADIO_TEMP_DIR": str(folder), "GRADIO_ANALYTICS_ENABLED": "False"}
    os.environ.setdefault("MPLCONFIGDIR", str(folder))  # gradio loads it where it is installed
    live = face_detector(args.backend or "torch", max_side=LIVE_SIDE)
    clip = face_detector(args.backend or "torch", max_side=SEARCH_SIDE)
    blocks = build(Server(shelf, live, clip))
    # gradio asks its own page once; a public link is asked for elsewhere.
    own = ("localhost", "127.0.0.1", "::1", args.host) if args.share else ()
    with proxies_aside(*own):
        launch(blocks, args, prevent_thread_lock=True)
    blocks.block_thread()


def launch(blocks: gr.Blocks, args: argparse.Namespace, **more: Any) -> Any:
    return blocks.launch(
        server_name=address.in_url(args.host), server_port=args.port,
        share=args.share, auth=args.auth,
        theme=theme(), css=asset("app.css"), footer_links=[], run_history=False,
        ssr_mode=False, enable_monitoring=False, max_file_size=MAX_UPLOAD, mcp_server=args.mcp,
        app_kwargs={"middleware": [Middleware(LimitBodies)]}, **more,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
