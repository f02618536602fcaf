"""The idea: what to try, read from `idea.json`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from orchestrator.errors import BadInput


class Idea(BaseModel):
    """`Name`, `Title` and `Experiment` are required; anything else is kept and shown to the model."""

    model_config = ConfigDict(extra="allow")

    Name: str = Field(min_length=1)
    Title: str = Field(min_length=1)
    Experiment: str = Field(min_length=1)
    Technical_Details: str = ""
    Implementation_Plan: str = ""

    @field_validator("Name", "Title", "Experiment")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("is empty")
        return value

    @property
    def slug(self) -> str:
        """The name as a folder may be called."""
        return re.sub(r"[^A-Za-z0-9_.-]+", "_", self.Name).strip("._") or "idea"

    @property
    def others(self) -> dict[str, Any]:
        """The fields that have no place of their own."""
        return dict(self.model_extra or {})


def load_idea(path: Path, name: str | None = None) -> Idea:
    """Reads one idea; from a list of ideas the one called `name`. Raises BadInput."""
    data = _pick(_read_json(path), name, path)
    if not isinstance(data, dict):
        raise BadInput(f"{path}: an idea is a JSON object with Name, Title and Experiment; this is {_kind(data)}")
    try:
        return Idea.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{path}: field {field!r}: {_plain(first['type'], first['msg'])}") from None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; give the path of an idea (a JSON file)") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}: not JSON (line {error.lineno}, column {error.colno}: {error.msg})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None


def _pick(data: Any, name: str | None, path: Path) -> Any:
    if not isinstance(data, list):
        if name is not None and isinstance(data, dict) and data.get("Name") != name:
            raise BadInput(f"{path}: holds the idea {data.get('Name')!r}, not {name!r}")
        return data
    names = [str(d.get("Name")) for d in data if isinstance(d, dict)]
    if name is None:
        raise BadInput(
            f"{path}: a list of {len(data)} ideas; say which with --idea NAME (there are: {', '.join(names)})"
        )
    chosen = [d for d in data if isinstance(d, dict) and d.get("Name") == name]
    if len(chosen) != 1:
        raise BadInput(f"{path}: {len(chosen)} ideas are called {name!r}; there are: {', '.join(names)}")
    return chosen[0]


def _kind(data: Any) -> str:
    return {list: "a list", str: "a string", type(None): "null"}.get(type(data), f"a {type(data).__name__}")


def _plain(kind: str, message: str) -> str:
    if kind == "missing":
        return "is required and missing"
    if kind == "string_too_short":
        return "is empty"
    return message[0].lower() + message[1:]
