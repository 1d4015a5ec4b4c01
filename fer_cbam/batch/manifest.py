"""The folder of results: Parquet parts, and what they are of.

A part is written under another name, brought to the disk and renamed; then one transaction of
``_manifest.sqlite`` says which inputs it answers, with their sizes and times. A part that no
transaction names is left over from a run that was killed in between, and is removed by the next
one. So nothing is there twice, and nothing is lost but what was not yet written.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fer_cbam import __version__
from fer_cbam.batch.inputs import MARK, Listed
from fer_cbam.batch.tasks import Key
from fer_cbam.errors import BatchError

if TYPE_CHECKING:
    import pyarrow as pa

BEGUN, ENDED, AGAIN = 0, 1, 2  # states of a source; the last is read again by the next run
_TABLES = """
CREATE TABLE IF NOT EXISTS job(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts(part INTEGER PRIMARY KEY, rows INTEGER);
CREATE TABLE IF NOT EXISTS sources(source TEXT PRIMARY KEY, size INTEGER, modified TEXT,
    state INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places(source TEXT, part INTEGER, PRIMARY KEY(source, part))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS members(source TEXT, member TEXT, PRIMARY KEY(source, member))
    WITHOUT ROWID;
CREATE TEMP TABLE listed(number INTEGER PRIMARY KEY, source TEXT UNIQUE, size INTEGER,
    modified TEXT, kind TEXT);
"""  # members: of sources that are begun only


class Manifest:
    """An open folder of results. Use it in a ``with`` block.

    out: the folder, made where there is none. job: name -> text of what decides the content of a
    row.

    Raises:
        BatchError: a folder with something else in it, of another job, or that another run writes
            to.
    """

    def __init__(self, out: str | Path, job: dict[str, str]) -> None:
        self.folder = Path(out)
        _check_empty_or_ours(self.folder)
        with _told(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.folder / MARK, isolation_level=None, timeout=0)
            self._open(job)
            self._remove_left_over()

    def _open(self, job: dict[str, str]) -> None:
        # The lock is let go by the system, however this run ends.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA synchronous = FULL")
        try:
            with self._transaction():
                for statement in filter(str.strip, _TABLES.split(";")):
                    self._db.execute(statement)
                known = dict(self._db.execute("SELECT name, value FROM job"))
                _check_job(self.folder, known, job)
                self._db.executemany("INSERT OR IGNORE INTO job VALUES (?, ?)", job.items())
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Manifest:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def note(self, listing: Iterable[Listed]) -> list[Listed]:
        """Note what there is to read. Returns what cannot be."""
        failed: dict[str, Listed] = {}
        with _told(self.folder), self._transaction():
            for item in listing:
                if item.kind is None:
                    failed[item.stored.source] = item
                    continue
                found = item.stored
                self._db.execute(
                    "INSERT OR IGNORE INTO listed(source, size, modified, kind) VALUES (?,?,?,?)",
                    (found.source, found.size, found.modified, item.kind),
                )
        return list(failed.values())

    def forget_changed(self, failed: Sequence[Listed]) -> int:
        """Remove the rows of inputs that are not what they were, and of those that are read again.
        Returns how many inputs that are."""
        changed = {
            row[0]
            for row in self._db.execute(
                "SELECT source FROM sources JOIN listed USING (source) WHERE state = ? OR "
                "sources.size != listed.size OR sources.modified != listed.modified", (AGAIN,),
            )
        }  # fmt: skip
        known = "SELECT 1 FROM sources WHERE source = ?"
        changed |= {
            item.stored.source
            for item in failed
            if self._db.execute(known, (item.stored.source,)).fetchone()
        }
        self._forget(sorted(changed))
        return len(changed)

    def counts(self) -> tuple[int, int, int]:
        """Inputs that are listed, those of them that are done, and those with results here that are
        not listed."""
        one = "SELECT count(*) FROM "
        both = "sources JOIN listed USING (source) WHERE state = ?"
        (listed,) = self._db.execute(one + "listed").fetchone()
        (done,) = self._db.execute(one + both, (ENDED,)).fetchone()
        (known,) = self._db.execute(one + "sources").fetchone()
        (present,) = self._db.execute(one + "sources JOIN listed USING (source)").fetchone()
        return listed, done, known - present

    def todo(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Source and kind of each input that is not done, in the order of the listing, and its
        members whose rows are there."""
        last = 0
        while True:  # page by page: what is written meanwhile must not move a cursor
            page = self._db.execute(
                "SELECT number, listed.source, kind, state FROM listed LEFT JOIN sources "
                "USING (source) WHERE number > ? ORDER BY number LIMIT 1000", (last,),
            ).fetchall()  # fmt: skip
            if not page:
                return
            for _, source, kind, state in page:
                if state != ENDED:
                    yield source, kind, self._members(source) if state == BEGUN else ()
            last = page[-1][0]

    def _members(self, source: str) -> tuple[str, ...]:
        found = self._db.execute("SELECT member FROM members WHERE source = ?", (source,))
        return tuple(row[0] for row in found)

    def commit(
        self, table: pa.Table, done: Sequence[Key], ended: Sequence[str], again: Sequence[str]
    ) -> None:
        """Write a part, and that it answers these images and ends these sources.

        again: of those that are ended, the ones that the next run shall read again.

        Raises:
            BatchError: it cannot be written; nothing of it is left then.
        """
        with _told(self.folder):
            part = self._write(table) if len(table) else None
            try:
                with self._transaction():
                    if part is not None:
                        self._db.execute("INSERT INTO parts VALUES (?, ?)", (part, len(table)))
                    self._note_done(part, done, ended, again)
            except BaseException:
                if part is not None:
                    self._path(part).unlink()
                raise

    def _note_done(
        self, part: int | None, done: Sequence[Key], ended: Sequence[str], again: Sequence[str]
    ) -> None:
        begun = {source for source, _ in done}
        for source in sorted(begun | set(ended)):
            self._note_source(source, part if source in begun else None)
        self._db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", done)
        for state, names in ((ENDED, ended), (AGAIN, again)):
            self._db.executemany(
                "UPDATE sources SET state = ? WHERE source = ?", [(state, name) for name in names]
            )
        self._db.executemany("DELETE FROM members WHERE source = ?", [(name,) for name in ended])

    def _note_source(self, source: str, part: int | None) -> None:
        found = self._db.execute(
            "SELECT size, modified FROM listed WHERE source = ?", (source,)
        ).fetchone()
        size, modified = found or (0, "")
        self._db.execute(
            "INSERT OR IGNORE INTO sources VALUES (?, ?, ?, ?)", (source, size, modified, BEGUN)
        )
        if part is not None:
            self._db.execute("INSERT OR IGNORE INTO places VALUES (?, ?)", (source, part))

    def _write(self, table: pa.Table) -> int:
        import pyarrow.parquet as pq

        (last,) = self._db.execute("SELECT max(part) FROM parts").fetchone()
        part = (last or 0) + 1
        partial = self.folder / f".part-{part:06d}.partial"
        table = table.replace_schema_metadata({"fer_cbam": __version__})
        try:
            with partial.open("wb") as file:
                pq.write_table(table, file, compression="zstd")
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path(part))
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        _sync_folder(self.folder)
        return part

    def _forget(self, sources: list[str]) -> None:
        """Write the parts of some sources anew, without them."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        parts: dict[int, list[str]] = {}
        for source in sources:
            for (part,) in self._db.execute("SELECT part FROM places WHERE source = ?", (source,)):
                parts.setdefault(part, []).append(source)
        for part, names in sorted(parts.items()):
            table = pq.read_table(self._path(part), partitioning=None)
            left = table.filter(pc.invert(pc.is_in(table["source"], pa.array(names))))
            with _told(self.folder):
                new = self._write(left) if len(left) else None
                with self._transaction():
                    self._replace(part, new, names, len(left))
            self._path(part).unlink()
        with self._transaction():
            for source in sources:  # those that are begun without a row
                self._db.execute("DELETE FROM sources WHERE source = ?", (source,))
                self._db.execute("DELETE FROM members WHERE source = ?", (source,))

    def _replace(self, part: int, new: int | None, without: Sequence[str], rows: int) -> None:
        for source in without:
            self._db.execute("DELETE FROM places WHERE source = ? AND part = ?", (source, part))
            # Not done before its rows are written anew, should this run end here.
            self._db.execute("UPDATE sources SET state = ? WHERE source = ?", (AGAIN, source))
        if new is not None:
            self._db.execute("INSERT INTO parts VALUES (?, ?)", (new, rows))
            self._db.execute("UPDATE places SET part = ? WHERE part = ?", (new, part))
        self._db.execute("DELETE FROM parts WHERE part = ?", (part,))

    def _remove_left_over(self) -> None:
        known = {self._path(part).name for (part,) in self._db.execute("SELECT part FROM parts")}
        for path in (*self.folder.glob("part-*.parquet"), *self.folder.glob(".part-*.partial")):
            if path.name not in known:
                path.unlink()
        missing = sorted(name for name in known if not (self.folder / name).is_file())
        if missing:
            raise BatchError(
                f"{self.folder}: {len(missing)} parts are gone ({', '.join(missing[:3])}); "
                "expected the folder as it was left, or another --out"
            )

    def _path(self, part: int) -> Path:
        return self.folder / f"part-{part:06d}.parquet"

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _check_empty_or_ours(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BatchError(f"{folder}: a file; expected a folder for the results, or none yet")
    if folder.is_dir() and not (folder / MARK).is_file() and any(folder.iterdir()):
        raise BatchError(
            f"{folder}: holds other files; expected an empty folder, none yet, or results of this "
            "command"
        )


def _check_job(folder: Path, known: dict[str, str], job: dict[str, str]) -> None:
    """Rows that were made otherwise are not mixed."""
    other = [name for name in job if known and known.get(name) != job[name]]
    if other:
        told = "; ".join(f"{name} {known.get(name)!r}, now {job[name]!r}" for name in other)
        raise BatchError(f"{folder}: results of another job ({told}); expected the same, or "
                         "another --out")  # fmt: skip


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Failures of disk and database, in words."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            text = f"{folder}: another run writes here; expected it to have ended"
        else:
            text = _full(folder) if "full" in str(error) else f"{folder}: {error}"
        raise BatchError(text) from error
    except sqlite3.DatabaseError as error:
        text = f"{folder / MARK}: {error}; expected the one that was left here, or another --out"
        raise BatchError(text) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise BatchError(_full(folder) if full else f"{folder}: {error}") from error


def _full(folder: Path) -> str:
    return (
        f"{folder}: the disk is full; what is written is whole. Make room and run the same command "
        "again: it goes on where it was"
    )


def _sync_folder(folder: Path) -> None:
    """Bring a new name to the disk; Windows opens no folders."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
