"""The app: ``python app.py``. Webcam, photo and video, each with an explanation beside it.

Here are the layout and thin handlers. What they call lies in ``fer_cbam.serve``; what the page does
in the browser are modules in its ``assets``.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

import cv2

from fer_cbam.backends.base import BACKENDS
from fer_cbam.backends.open import fastest_backend
from fer_cbam.detect import face_detector
from fer_cbam.errors import FerError
from fer_cbam.hub import DEFAULT_WEIGHTS
from fer_cbam.serve import address
from fer_cbam.serve.folder import Ended, upload_folder
from fer_cbam.serve.limits import LimitBodies
from fer_cbam.serve.modalities import Modalities
from fer_cbam.serve.page import weights_shown
from fer_cbam.serve.privacy import ON_SERVER
from fer_cbam.serve.proxies import proxies_aside
from fer_cbam.serve.recognizers import RecognizerCache
from fer_cbam.serve.server import ASSETS, LIVE_SIDE, Server
from fer_cbam.text import DEFAULT_TEXT
from fer_cbam.video.analysis import SEARCH_SIDE
from fer_cbam.voice import DEFAULT_VOICE

with proxies_aside():  # gradio makes a client when it is imported, and asks nobody
    import gradio as gr
    from starlette.middleware import Middleware
    from starlette.routing import Mount, Route

    from fer_cbam.device.mount import DevicePage, offered
    from fer_cbam.serve.modules import PageModules, healthy, model_card

# Python's own 5 ms keep an answer that is done waiting for whoever computes the next one.
SWITCH_SECONDS = 0.0005
ENDPOINT_RUNS = 4  # of each endpoint at once
MAX_UPLOAD = "200mb"
# Where the page's modules and the model cards are served, under the page's own address.
MODULES = "/fer-cbam"
CARDS = f"{MODULES}/cards"
HEALTH = "/healthz"  # for whoever watches over the app: no sign-in, nothing computed
# Where the page is that reads pictures on the visitor's own device.
DEVICE = "/device"

# Buttons cannot be pressed before their module is there; where none comes, that is said.
LOADER = """\
element.inert = true;
const from = (name) => import(`${{window.gradio_config.root}}{modules}/${{name}}.mjs`);
Promise.all([from("{name}"), from("gradio")])
  .then(([part, {{ gradioReader }}]) =>
    part.start({{ element, props, reader: gradioReader({{ server, upload }}) }}))
  .then(() => (element.inert = false))
  .catch((error) => (element.textContent = `A script did not come. Reload the page. ${{error}}`));
"""

SHARE_WARNING = """\
WARNING: --share without --auth: anyone who has or guesses the link can use this app, and this
computer's time with it. Add --auth USER:PASSWORD."""
NO_MCP = "app.py: --mcp needs gradio's extra; expected: pip install 'gradio[mcp]'"


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
        with gr.Tab("About"):
            part("about", [], kept=ON_SERVER["about"], **weights_shown(server.recognizers.first))
        endpoints(server)
    return blocks


def part(name: str, functions: list[Callable], /, **props: Any) -> gr.HTML:
    """A part of the page, from ``name.html`` and ``name.mjs``, that may call functions by name."""
    return gr.HTML(
        html_template=asset(f"{name}.html"), js_on_load=LOADER.format(modules=MODULES, name=name),
        server_functions=functions, apply_default_css=False, **props,
    )  # fmt: skip


def header(server: Server) -> None:
    async def pick(question: dict, request: gr.Request) -> dict:
        return await server.pick(question, request.is_disconnected)

    recognizers = server.recognizers
    part(
        "header", [pick], source=recognizers.default, choices=recognizers.choices(),
        elsewhere=recognizers.elsewhere, **weights_shown(recognizers.first),
    )  # fmt: skip


def webcam_tab(server: Server) -> None:
    async def frame(question: dict, request: gr.Request) -> dict:
        return await server.frame(question, request.is_disconnected)

    async def voice(question: dict, request: gr.Request) -> dict:
        return await server.voice(question, request.is_disconnected)

    part(
        "webcam", [frame, voice], kept=ON_SERVER["webcam"], missing=server.modalities.missing(),
        **weights_shown(server.recognizers.first),
    )  # fmt: skip


def photo_tab(server: Server) -> None:
    async def photo(question: dict, request: gr.Request) -> dict:
        return await server.photo(question, request.is_disconnected)

    async def example_photo(question: dict, request: gr.Request) -> dict:
        return await server.example_photo(question, request.is_disconnected)

    part("photo", [photo, example_photo], kept=ON_SERVER["photo"])


def video_tab(server: Server) -> None:
    async def clip_start(question: dict) -> dict:
        return await server.clip_start(question)

    async def example_clip(question: dict) -> dict:
        return await server.example_clip(question)

    async def clip_ask(question: dict) -> dict:
        return server.clip_ask(question)

    async def clip_forget(question: dict) -> dict:
        return server.clip_forget(question)

    part(
        "video", [clip_start, example_clip, clip_ask, clip_forget], kept=ON_SERVER["video"],
        missing=server.modalities.missing(), **weights_shown(server.recognizers.first),
    )  # fmt: skip


def endpoints(server: Server) -> None:
    """What programs may call: named, typed, described; see docs/app.md."""

    async def photo(image: gr.FileData, weights: str = "") -> dict:
        """Recognise the facial expressions in a photo and say which regions of each face are
        evidence for them. Expressions, not feelings.

        Args:
            image: A JPEG, PNG, WebP, BMP, GIF or TIFF file of at most 25 MB.
            weights: A name from the page's picker; empty for its default.

        Returns:
            Faces from the largest to the smallest, with box, landmarks, label, confidence,
            uncertain, probs, a sentence, cautions, and for each label the share of each region.
        """
        try:
            return await server.photo_numbers(image, weights)
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
            numbers, annotated, table = await server.clip_numbers(clip, weights)
        except FerError as error:
            raise gr.Error(str(error), print_exception=False) from error
        # gradio copies the files into its cache; ours are forgotten soon.
        return numbers, gr.FileData(path=str(annotated)), gr.FileData(path=str(table))

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
    ).set(  # contrast of at least 4.5 : 1, which the defaults miss
        body_text_color_subdued="*neutral_600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
    )


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Facial expressions, and why, in the browser.")
    add = parser.add_argument
    add("--weights", default=DEFAULT_WEIGHTS, help="<arch>.<tag>, a folder, or hf-hub:user/name")
    add(
        "--backend",
        choices=BACKENDS,
        help="what runs the network (default: the fastest of those installed)",
    )
    add("--voice", default=DEFAULT_VOICE, help="weights for voices, embedded ones or a folder")
    add("--text", default=DEFAULT_TEXT, help="weights for words, embedded ones or a folder")
    add(
        "--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 is every one",
    )  # fmt: skip
    add("--port", type=address.port, help="by default the first free one from 7860")
    add(
        "--root-path", type=address.root_path, default=os.environ.get("GRADIO_ROOT_PATH") or None,
        metavar="PATH", help="where a proxy shows the app: a path such as /faces, or an address",
    )  # fmt: skip
    add("--share", action="store_true", help="a public link through gradio.live")
    add("--open", action="store_true", help="open the page in this computer's browser")
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
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        address.check_free(args.host, args.port)
        print(f"Loading weights {args.weights} ...")
        recognizers = RecognizerCache(
            args.weights, elsewhere=args.any_weights, backend=args.backend
        )
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)
        with upload_folder() as folder:
            serve(recognizers, folder, args)
    except Ended:  # by a signal; what is still being answered is for nobody
        kill_tunnels()
        sys.stdout.flush()
        os._exit(0)
    except (FerError, OSError) as error:  # no folder for uploads; a port that was taken meanwhile
        print(f"app.py: {error}", file=sys.stderr)
        return 1
    return 0


def kill_tunnels() -> None:
    """End gradio's program behind a public link, which would outlive this one."""
    for tunnel in gr.tunneling.CURRENT_TUNNELS:
        tunnel.kill()


def serve(recognizers: RecognizerCache, folder: Path, args: argparse.Namespace) -> None:
    """Until a key or a signal ends it. folder: for uploads, gradio's cache and matplotlib's."""
    os.environ |= {"GRADIO_TEMP_DIR": str(folder), "GRADIO_ANALYTICS_ENABLED": "False"}
    os.environ.setdefault("MPLCONFIGDIR", str(folder))  # gradio loads it where it is installed
    backend = args.backend or fastest_backend(args.weights)
    live = face_detector(backend, max_side=LIVE_SIDE)
    clip = face_detector(backend, max_side=SEARCH_SIDE)
    modalities = Modalities(args.voice, args.text)
    blocks = build(Server(recognizers, folder, live, clip, modalities=modalities))
    # gradio asks its own page once; a public link is asked for elsewhere.
    own = ("localhost", "127.0.0.1", "::1", args.host) if args.share else ()
    with proxies_aside(*own):
        _, local, shared = launch(
            blocks, args, prevent_thread_lock=True, quiet=True, inbrowser=args.open
        )
    print(f"Open {shared or local}   (Ctrl+C ends it)")
    blocks.block_thread()


def device_page(args: argparse.Namespace) -> DevicePage:
    """With --auth only weights that everybody has: its files are not behind the password."""
    return DevicePage(offered(DEFAULT_WEIGHTS if args.auth else args.weights), DEVICE)


def launch(blocks: gr.Blocks, args: argparse.Namespace, **more: Any) -> Any:
    return blocks.launch(
        server_name=address.in_url(args.host), server_port=args.port,
        root_path=args.root_path, share=args.share, auth=args.auth,
        theme=theme(), css=asset("app.css"), footer_links=[], run_history=False,
        ssr_mode=False, enable_monitoring=False, max_file_size=MAX_UPLOAD, mcp_server=args.mcp,
        app_kwargs={
            "middleware": [Middleware(LimitBodies)],
            "routes": [
                Route(HEALTH, healthy),
                Mount(CARDS, model_card),
                Mount(DEVICE, device_page(args)),
                Mount(MODULES, PageModules(directory=ASSETS)),
            ],
        }, **more,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
