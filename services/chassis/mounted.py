"""Values in files of mounted Secrets: they are replaced while we run, so whoever connects anew reads them anew."""

from pathlib import Path

from services.chassis.logs import get_logger

log = get_logger(__name__)


class Mounted(str):
    """What a file says, without blanks around it, as a text that remembers the file."""

    __slots__ = ("file",)
    file: Path

    @classmethod
    def read(cls, file: Path) -> "Mounted":
        """Raises `OSError`."""
        value = cls(file.read_text(encoding="utf-8").strip())
        value.file = file
        return value


def newest(value: str) -> str:
    """What its file says now; the value itself if it is from no file, or from one that cannot be read at the moment."""
    if not isinstance(value, Mounted):
        return value
    try:
        return Mounted.read(value.file)
    except OSError as error:
        log.warning("a mounted secret cannot be read", file=str(value.file), error=str(error.strerror))
        return value
