"""A run: what there is to read, shared out, and written down part by part."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fer_cbam.batch.archives import image_column, parquet_file
from fer_cbam.batch.inputs import Listing, error_kind, may_pass
from fer_cbam.batch.jobs import job_of
from fer_cbam.batch.manifest import Manifest
from fer_cbam.batch.rows import Place, Rows, from_stream, schema
from fer_cbam.batch.tasks import PARQUET, Answer, Input, Key, Settings, Task, in_pieces

if TYPE_CHECKING:
    import pyarrow as pa

TASK_IMAGES = 64  # of one task, where each is a file
PART_ROWS = 50_000  # of one part
PART_SECONDS = 30.0  # after which a part is written, however small: what a killed run loses

#: Tasks -> their answers: the processes of one machine, or a cluster.
Engine = Callable[[Iterator[Task]], Iterator[Answer]]


@dataclass
class Summary:
    """What a run has done.

    inputs: files that are listed. before: of those, done by earlier runs. changed: of those, done
    anew as they are not what they were, or could not be read. elsewhere: files with results in the
    folder that are not listed now. others: files of folders that are neither images nor clips nor
    archives. images: that were read, or failed; of an archive its members, of a clip its frames.
    faces: found. none: images without one. failed: kind -> count. seconds: that it took.
    """

    inputs: int = 0
    before: int = 0
    changed: int = 0
    elsewhere: int = 0
    others: int = 0
    images: int = 0
    faces: int = 0
    none: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, table: pa.Table) -> None:
        """Count the rows of a table."""
        kinds = [kind for kind in table["error_kind"].to_pylist() if kind]
        self.failed.update(kinds)
        faces = table["face"]
        self.faces += len(table) - faces.null_count
        self.none += faces.null_count - len(kinds)
        self.images += faces.null_count + faces.to_pylist().count(0)  # each has one or the other

    def lines(self) -> list[str]:
        """In words."""
        rate = self.images / self.seconds if self.seconds else 0.0
        said = [
            f"{self.images} images in {self.seconds:.0f} s ({rate:.1f} a second): {self.faces} "
            f"faces, {self.none} without a face, {self.failed.total()} failed"
        ]
        said += [f"  {count} {kind}" for kind, count in self.failed.most_common()]
        notes = (
            (self.before, "inputs were done already"),
            (self.changed, "inputs were done anew: changed since, or they could not be read"),
            (self.elsewhere, "inputs with results here were not asked for this time"),
            (self.others, "files were left alone: neither images nor clips nor archives"),
        )
        return said + [f"{count} {text}" for count, text in notes if count]


@dataclass(frozen=True)
class Progress:
    """done, total: files. before: of those, done by earlier runs. images: that were read or failed.
    faces: found. failed: images."""

    done: int
    total: int
    before: int
    images: int
    faces: int
    failed: int


def run(
    names: Iterable[str | Path],
    out: str | Path,
    settings: Settings,
    engine: Engine,
    report: Callable[[Progress], None] | None = None,
) -> Summary:
    """Answer all inputs that are not answered yet.

    report: called after each answer. See :func:`fer_cbam.batch.recognize_dataset`.
    """
    began = time.monotonic()
    listing = Listing([str(name) for name in names], settings.image_column)
    with Manifest(out, job_of(settings)) as manifest:
        failed = manifest.note(listing)
        summary = Summary(changed=manifest.forget_changed(failed))
        listed, summary.before, summary.elsewhere = manifest.counts()
        summary.inputs, summary.others = listed + len(failed), listing.others
        ledger = _Ledger(manifest, summary, settings)
        for item in failed:
            assert item.error
            ledger.fail(item.stored.source, item.error)
        answers = engine(in_pieces(_planned(manifest, settings, ledger), TASK_IMAGES))
        try:
            for answer in answers:
                ledger.add(answer)
                if report is not None:
                    report(ledger.progress())
        finally:
            if isinstance(answers, Generator):
                answers.close()  # ends the processes
            ledger.write()  # also where the run is interrupted
    summary.seconds = time.monotonic() - began
    return summary


def _planned(manifest: Manifest, settings: Settings, ledger: _Ledger) -> Iterator[Input]:
    """Inputs, a Parquet file by its groups of rows."""
    for source, kind, done in manifest.todo():
        if kind == PARQUET:
            yield from _row_groups(source, done, settings, ledger)
        else:
            yield Input(source, kind, skip=done)


def _row_groups(
    source: str, done: tuple[str, ...], settings: Settings, ledger: _Ledger
) -> Iterator[Input]:
    try:
        with parquet_file(source) as file:
            image_column(file, source, settings.image_column)
            groups = file.num_row_groups
    except Exception as error:  # of whatever kind: it belongs to this file
        ledger.fail(source, error)
        return
    if not groups:
        ledger.end(source)
    ledger.expect(source, groups)
    for group in range(groups):
        yield Input(source, PARQUET, group, done)


class _Ledger:
    """What is answered and not written yet. ended: inputs of which nothing is left to do."""

    def __init__(self, manifest: Manifest, summary: Summary, settings: Settings) -> None:
        self.manifest = manifest
        self.summary = summary
        self.ended = 0
        self._schema = schema(settings.label_names, settings.embedding)
        self._groups: dict[str, int] = {}  # of the rows of a Parquet file, that are to come
        self._clear()

    def _clear(self) -> None:
        self._tables: list[pa.Table] = []
        self._done: list[Key] = []
        self._ended: list[str] = []
        self._again: list[str] = []
        self._rows, self._since = 0, time.monotonic()

    def expect(self, source: str, groups: int) -> None:
        """A source that comes in several inputs."""
        self._groups[source] = groups

    def add(self, answer: Answer) -> None:
        """Raises:
        BatchError: the rows cannot be written.
        """
        if answer.rows:
            table = from_stream(answer.rows)
            self.summary.add(table)
            self._tables.append(table)
            self._rows += len(table)
        self._done += answer.done
        self._again += answer.again
        for source in answer.ended:
            self._groups[source] = self._groups.get(source, 1) - 1
            if self._groups[source] == 0:
                del self._groups[source]
                self.end(source)
        if self._rows >= PART_ROWS or time.monotonic() - self._since > PART_SECONDS:
            self.write()

    def fail(self, source: str, error: Exception) -> None:
        """An input of which nothing can be read."""
        rows = Rows(self._schema)
        rows.add_error(Place(source), error_kind(error), str(error) or type(error).__name__)
        table = rows.taken()
        self.summary.add(table)
        self._tables.append(table)
        self._rows += 1
        self._done.append((source, ""))
        self.end(source)
        if may_pass(error):
            self._again.append(source)

    def end(self, source: str) -> None:
        """Nothing is left to do of a source."""
        self._ended.append(source)
        self.ended += 1

    def progress(self) -> Progress:
        """How far the run is."""
        of = self.summary
        return Progress(
            of.before + self.ended, of.inputs, of.before, of.images, of.faces, of.failed.total()
        )

    def write(self) -> None:
        """Write what there is, if anything."""
        import pyarrow as pa

        if self._done or self._ended:
            table = pa.concat_tables([self._schema.empty_table(), *self._tables])
            self.manifest.commit(table, self._done, self._ended, self._again)
        self._clear()
