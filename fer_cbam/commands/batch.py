"""``fer-cbam batch``: a table of the faces of many images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_cbam.backends.base import BACKENDS

if TYPE_CHECKING:  # heavy, or not needed for --help and wrong arguments
    from fer_cbam.batch.run import Progress


STOPPED = 130  # as shells say it of a command that Ctrl-C ended


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its arguments."""
    batch = commands.add_parser("batch", help="write a table of the faces of many images")
    batch.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="files, folders, patterns, tar or Parquet "
        "files, CSV files of paths, clips, URLs; - reads a list of paths"
    )  # fmt: skip
    batch.add_argument("--out", type=Path, required=True, metavar="DIR", help="of Parquet files; "
                       "the same command goes on where it was")  # fmt: skip
    batch.add_argument("--weights", help="<arch>.<tag>, a folder, or hf-hub:user/name")
    batch.add_argument(
        "--backend", choices=BACKENDS, help="what runs the network; default: torch on CUDA, "
        "else onnx"
    )  # fmt: skip
    batch.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda if there")
    batch.add_argument(
        "--prior", metavar="MIX", help="the expressions you expect, as in fer-cbam predict"
    )
    batch.add_argument("--embedding", action="store_true", help="add a column of embeddings")
    batch.add_argument(
        "--video-every", type=_seconds, default=0.5, metavar="TIME",
        help="between two frames of a clip; default: 0.5s",
    )  # fmt: skip
    batch.add_argument("--image-column", metavar="NAME", help="of a Parquet or CSV file")
    batch.add_argument("--processes", type=_count, metavar="N", help="default: one for each core")
    batch.add_argument("--quiet", action="store_true", help="no progress bar")
    ray = batch.add_argument_group("on a Ray cluster")
    ray.add_argument(
        "--ray", nargs="?", const="local", metavar="ADDRESS",
        help="of a running cluster, or auto; without one a cluster of this machine is started",
    )  # fmt: skip
    ray.add_argument("--ray-actors", type=_count, metavar="N", help="default: one for each core")
    ray.add_argument("--ray-cpus", type=float, default=1.0, metavar="N", help="for each actor")
    ray.add_argument("--ray-gpus", type=float, default=0.0, metavar="N", help="for each actor")
    ray.add_argument(
        "--ray-tasks", type=_count, default=1, metavar="N", help="of 64 images, for a call"
    )
    batch.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer all inputs; say on stderr how far it is and what became of them."""
    from fer_cbam.batch import recognize_dataset
    from fer_cbam.hub import DEFAULT_WEIGHTS
    from fer_cbam.prior import read_prior

    try:
        with _Bar(args.quiet) as bar:
            summary = recognize_dataset(
                args.inputs, args.out,
                weights=DEFAULT_WEIGHTS if args.weights is None else args.weights,
                backend=args.backend, device=args.device,
                prior=None if args.prior is None else read_prior(args.prior),
                embedding=args.embedding, video_every=args.video_every,
                image_column=args.image_column, processes=args.processes, ray=_cluster(args),
                report=bar.show,
            )  # fmt: skip
    except KeyboardInterrupt:
        print("fer-cbam: stopped; the same command goes on where it was", file=sys.stderr)
        return STOPPED
    print("\n".join(summary.lines()), file=sys.stderr)
    return 0


def _cluster(args: argparse.Namespace) -> Any:
    if args.ray is None:
        return None
    from fer_cbam.batch.cluster import Cluster

    address = None if args.ray == "local" else args.ray
    return Cluster(address, args.ray_actors, args.ray_cpus, args.ray_gpus, args.ray_tasks)


class _Bar:
    """Files done, images a second, and the time that is left, where tqdm is installed."""

    def __init__(self, quiet: bool) -> None:
        self._bar: Any = None
        if not quiet:
            try:
                from tqdm import tqdm
            except ModuleNotFoundError:
                return
            self._bar = tqdm(unit=" files", dynamic_ncols=True, smoothing=0.05, mininterval=0.5)

    def show(self, progress: Progress) -> None:
        """Called with each progress."""
        if self._bar is None:
            return
        if self._bar.total is None:  # what earlier runs did takes no time
            self._bar.initial = self._bar.n = self._bar.last_print_n = progress.before
        self._bar.total = progress.total
        self._bar.set_postfix(
            images=progress.images, faces=progress.faces, failed=progress.failed, refresh=False
        )
        self._bar.update(progress.done - self._bar.n)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def _count(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number from 1 up")
    return value


def _seconds(text: str) -> float:
    from fer_cbam.batch.jobs import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
