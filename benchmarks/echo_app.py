"""The plainest gradio apps that send a webcam picture to the server and show what comes back: the
yardsticks of ``benchmarks/app.py``. Nothing is computed.

    python -m benchmarks.echo_app image|html [--port PORT]

``image`` is gradio's own: a streaming ``gr.Image``. ``html`` goes the way of our app: a server
function of ``gr.HTML`` that is asked again when its answer is on the screen.
"""

from __future__ import annotations

import argparse

import gradio as gr

PAGE = '<button>Start</button><video muted playsinline></video><img class="echo">'
SCRIPT = """
const [button, video, image] = ["button", "video", "img"].map((s) => element.querySelector(s));
const shot = document.createElement("canvas");
video.style.width = "1px";
button.onclick = async () => {
  const size = { width: { ideal: 640 }, height: { ideal: 480 } };
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: size });
  await video.play();
  let fresh = true;
  const note = () => { fresh = true; video.requestVideoFrameCallback(note); };
  note();
  while (true) {
    if (!fresh) { await new Promise((done) => setTimeout(done, 4)); continue; }
    fresh = false;
    [shot.width, shot.height] = [video.videoWidth, video.videoHeight];
    shot.getContext("2d").drawImage(video, 0, 0);
    image.src = await server.echo(shot.toDataURL("image/jpeg", 0.85));
    await image.decode();
  }
};
"""


def echo(picture):
    return picture


def image_app() -> gr.Blocks:
    with gr.Blocks(analytics_enabled=False) as blocks:
        camera = gr.Image(sources=["webcam"], streaming=True)
        shown = gr.Image(elem_classes="echo")
        camera.stream(
            echo, camera, shown, stream_every=1 / 30, time_limit=3600, concurrency_limit=None
        )
    return blocks


def html_app() -> gr.Blocks:
    with gr.Blocks(analytics_enabled=False) as blocks:
        gr.HTML(html_template=PAGE, js_on_load=SCRIPT, server_functions=[echo])
    return blocks


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["image", "html"])
    parser.add_argument("--port", type=int)
    args = parser.parse_args()
    blocks = image_app() if args.kind == "image" else html_app()
    blocks.launch(server_port=args.port, ssr_mode=False, run_history=False, quiet=True)


if __name__ == "__main__":
    main()
