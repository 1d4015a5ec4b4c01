"""What a camera does to a face, for whole batches: size, light, photon noise and JPEG.

Training images stand in for the recogniser's crops: a face that was smaller or larger in its
picture than the network's input, in less light, coded as JPEG. The steps are those of a camera and
in its order. They are drawn from ranges that hold what ``eval.studies.camera_frames`` measures, but
for faces of more than 80 pixels, which lose less of what 48 can show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from train.draws import log_uniform, uniform

SIDES = (32, 80)  # pixels of the face's side in the camera's picture
LIGHT = (0.2, 1.0)  # of what would use the whole range of values
PHOTONS = (300.0, 3000.0)  # of a white pixel in good light; eval/studies/camera_frames.py has 1000
QUALITY = (25, 90)  # of JPEG

BLOCK = 8
# ITU-T T.81, table K.1: the steps that luminance is rounded to at quality 50.
LUMINANCE = torch.tensor([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
], dtype=torch.float32)  # fmt: skip


def through_camera(x: Tensor, probability: float, generator: Generator) -> Tensor:
    """A batch of which some faces, each with this probability, were taken by a bad camera.

    x: float32 ``(B, C, H, W)``, pixels in [0, 1] (what lies outside is cut off). The side and the
    place of JPEG's blocks are drawn once for the batch, the rest for each face. Faces in little
    light stay dark.
    """
    chosen = (torch.rand(len(x), generator=generator) < probability).nonzero().flatten()
    side = int(uniform(generator, 1, *SIDES).round())
    n = len(chosen)
    light, photons = (log_uniform(generator, n, *ends) for ends in (LIGHT, PHOTONS))
    quality = uniform(generator, n, *QUALITY)
    top, left = torch.randint(BLOCK, (2,), generator=generator).tolist()
    if n == 0:
        return x
    y = resize(x[chosen].clamp(0, 1), (side, side)) * light.view(n, 1, 1, 1)
    # Poisson by its normal approximation, which is close from some twenty photons on.
    deviation = (y / photons.view(n, 1, 1, 1)).sqrt()
    y = (y + deviation * torch.randn(y.shape, generator=generator)).clamp(0, 1)
    y = resize(jpeg(y, quality, top, left), x.shape[-2:])
    return x.index_copy(0, chosen, y)


def jpeg(x: Tensor, quality: Tensor, top: int = 0, left: int = 0) -> Tensor:
    """Written and read as a grey JPEG, each channel on its own; in steps of 1/255.

    x: float32 ``(B, C, H, W)`` in [0, 1]. quality: ``(B,)`` in [1, 100], as libjpeg has it. top,
    left: in [0, 8), where in its first block of 8x8 pixels the image begins.
    """
    batch, channels, height, width = x.shape
    bottom, right = -(top + height) % BLOCK, -(left + width) % BLOCK
    pixels = F.pad((x * 255).round() - 128, (left, right, top, bottom), mode="replicate")
    rows, columns = pixels.shape[-2] // BLOCK, pixels.shape[-1] // BLOCK
    blocks = pixels.view(batch, channels, rows, BLOCK, columns, BLOCK).transpose(3, 4)
    dct, steps = _dct(), _steps(quality).view(batch, 1, 1, 1, BLOCK, BLOCK)
    rounded = (dct @ blocks @ dct.T / steps).round() * steps
    pixels = (dct.T @ rounded @ dct).transpose(3, 4).reshape(pixels.shape)
    pixels = pixels[..., top : top + height, left : left + width]
    return (pixels + 128).round().clamp(0, 255) / 255


def _steps(quality: Tensor) -> Tensor:
    """libjpeg's tables ``(B, 8, 8)``: K.1 enlarged below quality 50, and made smaller above."""
    quality = quality.round().view(-1, 1, 1)
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    return ((LUMINANCE * percent + 50) / 100).floor().clamp(1, 255)


def _dct() -> Tensor:
    """The orthonormal discrete cosine transform (type II) of 8 values, as a matrix."""
    k, i = torch.arange(BLOCK).view(-1, 1), torch.arange(BLOCK)
    matrix = torch.cos(math.pi * (2 * i + 1) * k / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """A batch at ``(height, width)``, bilinear and antialiased."""
    return F.interpolate(x, tuple(size), mode="bilinear", antialias=True, align_corners=False)
