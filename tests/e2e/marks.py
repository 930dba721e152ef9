"""Marks: what nobody may find anywhere, in all the ways in which it could be written, and looking for it."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CHUNK = 16 * 1024 * 1024
OVERLAP = 4096
LEAST = 6
"""Characters of base64 that are the mark's own; fewer would be found by chance."""


def spellings(number: str) -> set[bytes]:
    """A Korean mobile number, given as `010…`, as people, programs and databases may write it, and its plain hashes.

    What begins with a country's code or an area's ends with what is looked for here, so it is found, too.
    """
    middle, last = number[3:-4], number[-4:]
    plain = {f"{middle}{gap}{last}".encode() for gap in ("", "-", " ", ".", "%20", "\\u002d")}
    hashed = {hashlib.sha256(each.encode()).digest() for each in (number, f"+82{number[1:]}", f"82{number[1:]}")}
    written = plain | {f"{middle}{last}"[::-1].encode()}
    return {each for text in written for each in encodings(text)} | {each for text in hashed for each in coded(text)}


def encodings(text: bytes) -> set[bytes]:
    """Itself, and what becomes of it in hexadecimal digits, base64 and UTF-16."""
    return {text, text.decode().encode("utf-16-le"), *coded(text)}


def coded(text: bytes) -> set[bytes]:
    """In hexadecimal digits and in base64, wherever in a longer text it stands."""
    return {text.hex().encode(), text.hex().upper().encode(), *_in_base64(text)}


def _in_base64(text: bytes) -> Iterator[bytes]:
    for before in range(3):
        whole = base64.b64encode(bytes(before) + text)
        # the first and the last characters depend on what stands beside it
        kept = whole[-(-before * 8 // 6) : (before + len(text)) * 8 // 6]
        if len(kept) >= LEAST:
            yield kept
            yield kept.replace(b"+", b"-").replace(b"/", b"_")


@dataclass(frozen=True)
class Find:
    """Where a mark was found, which one, and what stands around it."""

    where: str
    mark: str
    around: bytes


class Marks:
    """Marks by name, each with its spellings."""

    def __init__(self, marks: Mapping[str, Iterable[bytes]]) -> None:
        self._name_of = {spelling: name for name, spellings in marks.items() for spelling in spellings}
        longest_first = sorted(self._name_of, key=len, reverse=True)
        self._any = re.compile(b"|".join(map(re.escape, longest_first)))

    def in_text(self, where: str, text: bytes) -> Iterator[Find]:
        """Every mark in it."""
        for found in self._any.finditer(text):
            yield Find(where, self._name_of[found[0]], text[max(0, found.start() - 60) : found.end() + 60])

    def in_folder(self, folder: Path, allowed: Iterable[str] = ()) -> Iterator[Find]:
        """Every mark in any byte of any file, but for those at the `allowed` patterns."""
        for path in sorted(folder.rglob("*")):
            where = str(path.relative_to(folder))
            if path.is_file() and not path.is_symlink() and not any(path.match(pattern) for pattern in allowed):
                yield from self._in_file(where, path)

    def _in_file(self, where: str, path: Path) -> Iterator[Find]:
        before = b""
        try:
            with path.open("rb") as file:
                while part := file.read(CHUNK):
                    yield from self.in_text(where, before + part)
                    before = part[-OVERLAP:]
        except FileNotFoundError:
            return  # servers delete files of theirs
