"""What an explanation costs: Grad-CAM against the passes it is made of, in one run.

    python -m benchmarks.explain [--weights NAME] [--batch 1] [--rounds 50]

Each round times every way once, in turn, so that a machine whose speed drifts treats all alike; the
table gives medians and their ratios to one forward and one backward pass through the whole network.
One thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from pytorch_grad_cam import GradCAM

from fer_cbam.explain import gradcam
from fer_cbam.hub import DEFAULT_WEIGHTS, load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=50)
    args = parser.parse_args()
    torch.set_num_threads(1)
    loaded = load_model(args.weights)
    model = loaded.model
    x = torch.rand(args.batch, *loaded.preprocess.input_size)
    layer = model.get_submodule(model.feature_info[-1]["module"])

    def forward() -> None:
        with torch.no_grad():
            model(x)

    def forward_and_backward() -> None:
        inputs = x.clone().requires_grad_()
        torch.autograd.grad(model(inputs).amax(1).sum(), inputs)

    def reference() -> None:
        with GradCAM(model=model, target_layers=[layer]) as cam:
            cam(x.clone().requires_grad_(), None)

    ways: dict[str, Callable[[], object]] = {
        "forward": forward,
        "forward + backward": forward_and_backward,
        "Grad-CAM, ours": lambda: gradcam(model, x),
        "Grad-CAM, pytorch-grad-cam": reference,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_number in range(args.rounds + 3):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if round_number >= 3:  # the first rounds warm up
                seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{loaded.name}, batch {args.batch}, median of {args.rounds} rounds")
    for name, median in medians.items():
        ratio = median / medians["forward + backward"]
        print(f"{name:28} {1e3 * median:7.2f} ms   {ratio:5.2f} of forward + backward")


if __name__ == "__main__":
    main()
