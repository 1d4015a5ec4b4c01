"""Train every row of a plan, and measure each where choosing is allowed.

    python -m train.ablate --plan train/ablations/ckplus48_paper.yaml --data ckplus48.zip \
        --out runs/ablation/ckplus48_paper --report reports/ablation/ckplus48_paper.json

A plan names a recipe, what all runs change in it (``set``: fewer epochs), a protocol, and rows: a
name and what each changes besides. It is measured on subjects held out of the training side
(``inner``: their share), who may stand on the test sides of other folds, or under ``public`` on
PublicTest. ``--stranger`` adds another data set, shown beside and never chosen by. A run that is
measured already, in ``--out`` or in the report, is not trained again; several processes can share
the work by ``--rows``, ``--splits`` and ``--seeds``.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from eval import metrics
from eval.report import dumps, provenance
from eval.studies.ablation import HELD_OUT, compare
from fer_cbam import data
from fer_cbam.data.protocols import Split, protocol_splits, twins_across, validation_part
from fer_cbam.errors import FerError
from train.__main__ import held_out_part, make_model, make_preprocess
from train.checkpoint import CHECKPOINT_FILE
from train.distill import lessons
from train.examples import Examples, Source, make_examples, read_source, with_detected
from train.loop import predict
from train.losses import head_columns
from train.recipe import Recipe, RecipeError, merged, parse_recipe
from train.refit import fit_split
from train.teachers import keep_teachers

RESULT_FILE = "result.json"


@dataclass(frozen=True)
class Plan:
    """rows: name -> changes to the recipe. splits: numbers of the protocol's splits. seeds: added
    to the recipe's, one run each. inner: share of the subjects of the training side to measure on,
    0 for the split's test side (``public`` only). teachers: of the rows that distil, as
    ``--teacher`` of ``train`` takes them."""

    recipe: dict[str, Any]
    protocol: str
    rows: dict[str, dict[str, Any]]
    splits: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (0,)
    inner: float = 0.0
    teachers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.inner and self.protocol != "public":
            raise RecipeError(
                f"protocol {self.protocol!r} without inner: its test side is not there to choose "
                "on; expected inner above 0, or 'public'"
            )

    def recipe_of(self, row: str) -> Recipe:
        return parse_recipe(merged(self.recipe, self.rows[row]))


def read_plan(path: Path) -> Plan:
    """Read a plan; its recipe is a file beside ``train/configs``.

    Raises:
        RecipeError: unreadable, unknown keys, or a row that is no recipe.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        recipe = yaml.safe_load((path.parents[1] / content.pop("recipe")).read_text("utf-8"))
        recipe = merged(recipe, content.pop("set", {}))
        rows = {row["name"]: row.get("set", {}) for row in content.pop("rows")}
        for key in {"splits", "seeds", "teachers"} & set(content):
            content[key] = tuple(content[key])
        plan = Plan(recipe, rows=rows, **content)
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise RecipeError(f"{path}: not a readable plan ({error!r})") from error
    for row in plan.rows:
        if plan.recipe_of(row).soup > 1 and len(plan.seeds) > 1:
            raise RecipeError(
                f"{path}: row {row!r} has a soup and the plan {len(plan.seeds)} seeds, whose soups "
                "would share runs; expected one seed"
            )
    return plan


def runs(plan: Plan, rows: Sequence[str], out: Path) -> Iterator[tuple[str, int, int, Path]]:
    """Row, split, seed and folder of every run; all rows once before any is repeated."""
    for seed in plan.seeds:
        for split in plan.splits:
            for row in rows:
                yield row, split, seed, out / row.replace(" ", "_") / f"split{split}_seed{seed}"


def measure(
    plan: Plan, row: str, split: Split, seed: int, source: Source, folder: Path,
    stranger: data.Dataset | None,
) -> None:  # fmt: skip
    """Train one row on one split, and write its ``result.json``."""
    recipe = plan.recipe_of(row)
    recipe = dataclasses.replace(recipe, seed=recipe.seed + split.index + 1000 * seed)
    make = functools.partial(make_model, recipe, source)
    preprocess = make_preprocess(make(), source)
    measured = split.test
    if plan.inner:
        inner_train, measured = validation_part(
            source.faces, split.train, plan.inner, seed=split.index, by_subject=True
        )
        split = Split(inner_train, measured, split.name, split.index)
    train, held_out = held_out_part(recipe, source.faces, split, plan.protocol)
    teachers = [Path(teacher) for teacher in plan.teachers] if recipe.distill else []
    out = folder.parents[1]
    keep_teachers(folder, teachers, source.names, resume=True)
    taught, tutor = lessons(recipe, source, train, teachers, out, preprocess)
    examples = make_examples(taught, preprocess)
    if recipe.augment.detected:
        examples = with_detected(examples, source, train, preprocess, out)
    model = fit_split(make, recipe, examples, train, held_out, folder, True, tutor=tutor)
    twin = twins_across(source.faces)[measured]
    result = scores(model, recipe, examples, measured, twin, source)
    if stranger is not None:
        x = torch.from_numpy(preprocess([s.pixels for s in stranger.samples]))
        result[f"stranger {stranger.name}"] = stranger_scores(
            model, x, stranger, source.label_names[0]
        )
    (folder / RESULT_FILE).write_text(dumps(result), encoding="utf-8")
    for checkpoint in folder.rglob(CHECKPOINT_FILE):
        checkpoint.unlink()


def scores(
    model: Any, recipe: Recipe, examples: Examples, measured: np.ndarray, twin: np.ndarray,
    source: Source,
) -> dict[str, Any]:  # fmt: skip
    """Accuracy and balanced accuracy of each head, on samples with one clear label in it.

    measured: positions of the examples. twin: bool, which of them have a near-copy in Training;
    where some have, also the accuracy without those.
    """
    logits = predict(model, examples.x[measured], torch.device("cpu"))
    target_probs = examples.target_probs[measured]
    result = {}
    for name, head in zip(source.names, head_columns(recipe, examples.sizes), strict=True):
        target = head.of(target_probs)
        clear = (target.amax(1) > 0.5).numpy()
        targets, preds = target.argmax(1).numpy(), head.of(logits).argmax(1).numpy()
        result[name] = _rates(targets[clear], preds[clear], target.shape[1])
        if twin.any():
            alone = clear & ~twin
            result[name]["accuracy_without_twins"] = float((targets == preds)[alone].mean())
    return result


def stranger_scores(
    model: Any, x: torch.Tensor, stranger: data.Dataset, label_names: Sequence[str]
) -> dict[str, Any]:
    """The same on another data set; a prediction that its labels do not have is an error."""
    logits = predict(model, x, torch.device("cpu"))[:, : len(label_names)]
    position = {label: i for i, label in enumerate(stranger.label_names)}
    preds = np.array([position.get(label_names[i], -1) for i in logits.argmax(1).tolist()])
    return _rates(stranger.targets(), preds, len(stranger.label_names))


def _rates(targets: np.ndarray, preds: np.ndarray, num_classes: int) -> dict[str, Any]:
    matrix = metrics.confusion_matrix(targets, preds, num_classes)
    return {
        "n": len(targets),
        "accuracy": float(metrics.accuracy(matrix)),
        "balanced_accuracy": float(metrics.balanced_accuracy(matrix)),
    }


def restore(plan: Plan, report: Path, out: Path) -> None:
    """Put the results of an earlier report back where runs leave them, if there are none.

    Raises:
        RecipeError: the report is of another recipe, has a row with other changes, or a run that
            the plan has no place for, which writing the report again would lose.
    """
    if not report.is_file():
        return
    earlier = json.loads(report.read_text(encoding="utf-8"))
    if _whole(earlier.get("recipe", {})) != _whole(plan.recipe):
        raise RecipeError(f"{report}: its rows were measured with another recipe than the plan's "
                          "is now; expected the same, or the name of a new report")  # fmt: skip
    folders = {(r, s, seed): folder for r, s, seed, folder in runs(plan, list(plan.rows), out)}
    for row, entry in earlier["rows"].items():
        if row in plan.rows and entry["set"] != _plain(plan.rows[row]):
            raise RecipeError(f"{report}: row {row!r} was measured with {entry['set']}; expected "
                              f"{plan.rows[row]}, or another name")  # fmt: skip
        for run in entry["runs"]:
            split, seed = run.pop("split"), run.pop("seed")
            if (row, split, seed) not in folders:
                raise RecipeError(f"{report}: has row {row!r}, split {split}, seed {seed}; "
                                  "expected it in the plan, or another report")  # fmt: skip
            folder = folders[row, split, seed]
            if not (folder / RESULT_FILE).is_file():
                folder.mkdir(parents=True, exist_ok=True)
                (folder / RESULT_FILE).write_text(dumps(run), encoding="utf-8")


def _whole(recipe: Mapping[str, Any]) -> Any:
    """With its defaults: a key that is new since a report was written changes nothing."""
    return _plain(merged(dataclasses.asdict(Recipe("", schedule="constant")), recipe))


def _plain(content: Mapping[str, Any]) -> Any:
    """Keys and values as JSON gives them back."""
    return json.loads(json.dumps(content))


def collect(plan: Plan, out: Path) -> dict[str, Any]:
    """Every row that has a result: each run's, means, and the difference to the first row."""
    table: dict[str, Any] = {}
    for row, split, seed, folder in runs(plan, list(plan.rows), out):
        if (folder / RESULT_FILE).is_file():
            result = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
            entry = table.setdefault(row, {"set": plan.rows[row], "runs": []})
            entry["runs"].append({"split": split, "seed": seed, **result})
    compare(table, next(iter(plan.rows)))
    return table


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.ablate", description=(__doc__ or "").splitlines()[0]
    )
    add = parser.add_argument
    add("--plan", type=Path, required=True, help="train/ablations/*.yaml")
    add("--data", type=Path, required=True, help="data set file or folder")
    add("--votes", type=Path, help="fer2013new.csv, for the head ferplus")
    add("--stranger", type=Path, help="another data set, shown beside")
    add("--rows", help="numbers of the rows to train, such as 0,2 (default: all)")
    add("--splits", help="numbers of the plan's splits to train, such as 0,4 (default: all)")
    add("--seeds", help="of the plan's seeds those to train, such as 1,2 (default: all)")
    add("--out", type=Path, required=True, help="folder for the runs")
    add("--report", type=Path, help="JSON to write all rows to that have a result")
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = parser.parse_args(arguments)
    try:
        run(args, arguments)
    except FerError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


class Sources:
    """The data of a plan, read once for each choice of heads: rows may differ in theirs."""

    def __init__(self, path: Path, votes: Path | None):
        self.path, self.votes = path, votes
        self._read: dict[tuple[str, ...], Source] = {}

    def of(self, recipe: Recipe) -> Source:
        heads = tuple(head.labels for head in recipe.heads)
        if heads not in self._read:
            self._read[heads] = read_source(recipe, self.path, self.votes)
        return self._read[heads]


def _numbers(flag: str, choice: str | None, valid: Sequence[int]) -> list[int]:
    """Numbers separated by commas; all that are valid where none are given."""
    try:
        numbers = [int(i) for i in choice.split(",")] if choice else list(valid)
    except ValueError:
        numbers = [-1]
    if not set(numbers) <= set(valid):
        expected = ", ".join(str(i) for i in valid)
        raise FerError(f"{flag} {choice}: expected some of {expected}, separated by commas")
    return numbers


def _of_all(arguments: Sequence[str]) -> list[str]:
    """The command without a process's share: a report holds what all of them have measured."""
    shares = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in ("--rows", "--splits", "--seeds"):
        shares.add_argument(flag)
    return shares.parse_known_args(list(arguments))[1]


def run(args: argparse.Namespace, arguments: Sequence[str]) -> None:
    plan = read_plan(args.plan)
    names = list(plan.rows)
    rows = [names[i] for i in _numbers("--rows", args.rows, range(len(names)))]
    wanted = {
        *product(_numbers("--splits", args.splits, plan.splits),
                 _numbers("--seeds", args.seeds, plan.seeds))
    }  # fmt: skip
    stranger = data.load(args.stranger) if args.stranger else None
    sources = Sources(args.data, args.votes)
    splits = protocol_splits(sources.of(plan.recipe_of(names[0])).faces, plan.protocol)
    if args.report:
        restore(plan, args.report, args.out)
    for row, split, seed, folder in runs(plan, rows, args.out):
        if (split, seed) in wanted and not (folder / RESULT_FILE).is_file():
            source = sources.of(plan.recipe_of(row))
            measure(plan, row, splits[split], seed, source, folder, stranger)
            print(
                row, folder.name, (folder / RESULT_FILE).read_text().replace("\n", ""), flush=True
            )
    if args.report:
        args.report.parent.mkdir(parents=True, exist_ok=True)
        content = {
            **provenance("train.ablate", _of_all(arguments)),
            "plan": args.plan.stem,
            "protocol": HELD_OUT if plan.inner else plan.protocol,
            "weights": plan.recipe["model"],
            "recipe": plan.recipe,
            "rows": collect(plan, args.out),
        }
        args.report.write_text(dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main()
