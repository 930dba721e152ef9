"""The files that let messages survive a restart: JSON lines, only ever added to."""

import fcntl
import json
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any, Self

FILE, OLDER, LOCK = "kakao.jsonl", "kakao.older.jsonl", "kakao.lock"


class InUse(Exception):
    """Another process writes this journal."""


class Journal:
    """One folder's journal, held open and locked: what is written now, and what was written before."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = (folder / LOCK).open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise InUse(f"another process uses {folder}") from None
        self._file = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._lock.close()

    def read(self) -> Iterator[dict[str, Any]]:
        """What was written, oldest first. A line cut short by a crash is left out."""
        for name in (OLDER, FILE):
            if (self._folder / name).exists():
                yield from _records(self._folder / name)

    def append(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def turn_over(self) -> None:
        """Begins an empty file; of the ones before, only the last is kept."""
        self._file.close()
        (self._folder / FILE).replace(self._folder / OLDER)
        self._file = self._open()

    def _open(self) -> FileIO:
        path = self._folder / FILE
        file = path.open("ab", buffering=0)
        if file.tell() and not _ends_a_line(path):
            file.write(b"\n")
        return file


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
