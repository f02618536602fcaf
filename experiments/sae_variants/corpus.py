"""Text: documents of a data set, split by file into a training and an evaluation part.

`stdlib` is the text that ships with Python itself: the standard library's sources, and their docstrings as documents of
their own. Any other name is a local folder or file of text, or a data set of the `datasets` hub with a `text` column.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Part = Literal["train", "evaluation"]

EVALUATION_SHARE = 8  # one file in so many is kept for evaluation
HUB_DOCUMENTS = 20_000  # as many documents of a hub's data set are used
SKIPPED_FOLDERS = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "encodings"}


class SetupError(Exception):
    """Something the experiment needs is missing or wrong; told to the user in one line."""


@dataclass(frozen=True)
class Document:
    """One text. `name` is its file (with `#doc` for docstrings), `kind` its package and type, as `asyncio/source`."""

    name: str
    kind: str
    text: str

    @property
    def part(self) -> Part:
        """A file and its docstrings fall on the same side, so that no evaluated text was trained on."""
        digest = hashlib.sha256(self.name.removesuffix("#doc").encode()).digest()
        return "evaluation" if digest[0] % EVALUATION_SHARE == 0 else "train"


def load_documents(dataset: str, part: Part) -> list[Document]:
    """The documents of one part, in an order that is mixed but always the same.

    Raises SetupError where the data set cannot be found or holds no text.
    """
    rows = _rows(dataset)
    documents = [Document(row["name"], row["kind"], row["text"]) for row in rows if row["text"].strip()]
    chosen = [document for document in documents if document.part == part]
    if not chosen:
        raise SetupError(f"data set {dataset!r} holds no {part} text; name another one in ORCH_DATASET")
    return sorted(chosen, key=lambda document: hashlib.sha256(b"order" + document.name.encode()).digest())


@functools.cache
def _rows(dataset: str) -> Any:
    """A `datasets.Dataset` with the columns name, kind and text."""
    import datasets

    datasets.disable_progress_bars()
    if dataset == "stdlib":
        return datasets.Dataset.from_list(list(_standard_library()))
    if Path(dataset).exists():
        return datasets.Dataset.from_list(list(_local_files(Path(dataset))))
    return _hub_rows(dataset)


def _standard_library() -> Iterator[dict[str, str]]:
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if SKIPPED_FOLDERS & set(name.parts):
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        package = name.parts[0].removesuffix(".py")
        yield {"name": name.as_posix(), "kind": f"{package}/source", "text": text}
        yield {"name": f"{name.as_posix()}#doc", "kind": f"{package}/docstrings", "text": _docstrings(text)}


def _docstrings(source: str) -> str:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    return "\n\n".join(text for text in found if text)


def _local_files(path: Path) -> Iterator[dict[str, str]]:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        blocks = file.read_text(encoding="utf-8", errors="ignore").split("\n\n\n") if path.is_file() else None
        # A single file is cut at its larger gaps, so that it too has two parts.
        for number, text in enumerate(blocks or [file.read_text(encoding="utf-8", errors="ignore")]):
            yield {"name": f"{file.name}:{number}", "kind": f"{file.parent.name}/{file.suffix}", "text": text}


def _hub_rows(dataset: str) -> Any:
    import datasets

    try:
        stream = datasets.load_dataset(dataset, split="train", streaming=True).take(HUB_DOCUMENTS)
        texts = [str(row["text"]) for row in stream]
    except KeyError:
        raise SetupError(f"data set {dataset!r} has no column called text") from None
    except Exception as error:  # the hub's client raises many kinds, and each means the same here
        raise SetupError(
            f"data set {dataset!r} is neither a local path nor in reach on the hub ({_first_line(error)})"
        ) from None
    return [{"name": f"{dataset}:{i}", "kind": dataset, "text": text} for i, text in enumerate(texts)]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
