"""Weights from a hub to a folder, checked before anything of the folder is replaced."""

from __future__ import annotations

import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from fer_cbam import pretrained
from fer_cbam.hub.download import fetch
from fer_cbam.hub.load import load_model
from fer_cbam.hub.remote import REPOSITORY_FILES
from fer_cbam.preprocess import Preprocess


def pull(source: str, folder: str | Path) -> Path:
    """Fetch ``[hf-hub:]user/name[@revision]``, check that it loads, and copy it to a folder.

    Other files of the folder stay, and its old weights until all new files are complete.

    Raises:
        WeightsError: see :func:`fer_cbam.hub.download.fetch` and :func:`load_model`.
    """
    cached = fetch(source)
    if find_spec("torch") and find_spec("timm"):
        load_model(cached)
    else:  # what can be told without; the rest when it is loaded
        Preprocess.from_config(pretrained.read_config(cached))
        pretrained.tensor_shapes(cached)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in REPOSITORY_FILES if (cached / name).is_file()]
    with tempfile.TemporaryDirectory(dir=folder) as partial:
        for name in names:
            shutil.copyfile(cached / name, Path(partial) / name)
        for name in names[::-1]:  # weights before the config that describes them, as save_model
            (Path(partial) / name).replace(folder / name)
    return folder
