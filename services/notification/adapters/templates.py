"""The registry of templates, read from the data files beside this package."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.notification.application.ports import Wording

FOLDER = Path(__file__).resolve().parents[1] / "templates"
FALLBACK = "ko"

_VARIABLE = re.compile(r"#\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """One text with `#{variables}`, as the vendor knows it under its code."""

    key: str
    language_code: str
    code: str
    content: str
    variables: tuple[str, ...]
    pattern: str

    def word(self, values: Mapping[str, str]) -> Wording:
        """The template filled in. A value is never looked into for variables."""
        used = {name: values[name] for name in self.variables}
        return Wording(self.language_code, self.code, used, self.pattern % used)


class Templates:
    """Templates by key and language, and by the vendor's code."""

    def __init__(self, templates: Mapping[str, Mapping[str, Template]], unknown_store: Mapping[str, str]) -> None:
        self._templates = templates
        self._unknown_store = unknown_store

    def word(self, key: str, language_code: str, values: Mapping[str, str]) -> Wording:
        """Fill in the template `key`; Korean when there is none in that language."""
        return self._templates.get(language_code, self._templates[FALLBACK])[key].word(values)

    def unknown_store(self, language_code: str) -> str:
        """What to call a store whose name is not known yet."""
        return self._unknown_store.get(language_code, self._unknown_store[FALLBACK])

    def __iter__(self) -> Iterator[Template]:
        return (template for of_language in self._templates.values() for template in of_language.values())


def load(folder: Path = FOLDER) -> Templates:
    """Read `<language>.toml` files. Raises when one is not well-formed or lacks a key that Korean has."""
    files = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))}
    unknown_store = {language: file.pop("unknown_store") for language, file in files.items()}
    templates = {language: _templates(language, file) for language, file in files.items()}
    for language, of_language in templates.items():
        if of_language.keys() != templates[FALLBACK].keys():
            raise ValueError(f"{language}.toml and {FALLBACK}.toml have different templates")
    return Templates(templates, unknown_store)


def _templates(language: str, file: Mapping[str, Any]) -> dict[str, Template]:
    return {key: _template(key, language, **entry) for key, entry in file.items()}


def _template(key: str, language: str, code: str, content: str) -> Template:
    variables = tuple(dict.fromkeys(_VARIABLE.findall(content)))
    pattern = _VARIABLE.sub(r"%(\1)s", content.replace("%", "%%"))
    return Template(key, language, code, content, variables, pattern)
