"""The prompts: one Jinja2 file a step in templates/, rendered with strict names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator import shipped

if TYPE_CHECKING:
    from jinja2 import Environment

T = TypeVar("T")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(shipped.folder("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        autoescape=False,
    )
    env.filters["as_data"] = as_data
    return env


def render(template: str, **values: Any) -> str:
    """The text of `templates/{template}.j2`. Raises jinja2.UndefinedError where a value is missing."""
    return _environment().get_template(f"{template}.j2").render(**values).strip() + "\n"


def as_data(text: str, name: str) -> str:
    """`text` between marks that say it is data: nothing in it is an instruction, and it cannot end its own marks."""
    inside = str(text).replace(f"</{name}>", f"</{name} >").strip()
    return f"<{name}>\n{inside}\n</{name}>"


def fenced(reply: str, language: str) -> str:
    """The inside of the last ``` block marked `language` (or the only block there is). Raises ValueError."""
    blocks = re.findall(r"^```([\w+-]*)[^\n]*\n(.*?)^```[ \t]*$", reply, flags=re.MULTILINE | re.DOTALL)
    marked = [body for mark, body in blocks if mark.lower() == language]
    if marked:
        return str(marked[-1])
    if len(blocks) == 1:
        return str(blocks[0][1])
    raise ValueError(f"there is no ```{language} block in the reply")


def read_json(reply: str, shape: Callable[[Any], T]) -> T:
    """The ```json block of a reply, checked by `shape`. Raises ValueError with what is wrong, told to the model."""
    try:
        return shape(json.loads(fenced(reply, "json")))
    except json.JSONDecodeError as error:
        raise ValueError(f"the ```json block is not JSON: line {error.lineno}: {error.msg}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"in the ```json block, {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


class Discussion(BaseModel):
    """What the coder says to a run's results."""

    notes: str
    answers: list[str] = []
    """One to each suggestion of the advisor: taken, or not and why."""
    plan: list[dict[str, Any]] | None = None
    """The runs still to do where the plan changes; None where it stands."""
    done: bool = False
