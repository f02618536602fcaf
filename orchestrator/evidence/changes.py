"""What a change of the code consists of: its lines, and whether only constants differ."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Constant:
    """A constant that differs between two versions of the code."""

    name: str
    """What it is bound to: a variable, field, argument or key; empty where it stands in an expression alone."""
    old: object
    new: object


def changed_lines(diff: str) -> dict[str, set[int]]:
    """The added or altered lines of each file in a unified diff, numbered as in the new version."""
    changed: dict[str, set[int]] = {}
    file, line, left = "", 0, 0
    for text in diff.splitlines():
        hunk = _HUNK.match(text) if left <= 0 else None
        if hunk:
            line, left = int(hunk[1]), int(hunk[2] or 1)
        elif left > 0:
            if text.startswith("+"):
                changed.setdefault(file, set()).add(line)
            if not text.startswith(("-", "\\")):
                line, left = line + 1, left - 1
        elif text.startswith("+++ "):
            file = text[4:].split("\t")[0].strip('"').removeprefix("b/")
    changed.pop("/dev/null", None)
    return changed


def unified_diff(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """The change between two sets of files as a unified diff."""
    lines: list[str] = []
    for name in sorted({*old, *new}):
        before, after = old.get(name, "").splitlines(), new.get(name, "").splitlines()
        lines += difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm="")
    return "\n".join(lines)


@lru_cache(maxsize=64)
def parse(code: str) -> ast.Module | None:
    """The syntax tree, or None where the code does not parse. Trees are shared: not to be altered."""
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return None


def same_code(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether two sets of files are the same program: comments, spacing and docstrings aside."""
    return set(old) == set(new) and all(_shape(old[name]) == _shape(new[name]) for name in old)


def constant_changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[Constant] | None:
    """The constants that differ, where nothing else does; None where the code itself differs."""
    if set(old) != set(new):
        return None
    changes: list[Constant] = []
    for name in sorted(old):
        before, after = _tree(old[name]), _tree(new[name])
        if before is None or after is None or not _collect(before, after, "", changes):
            return None
    return changes


def functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def enclosing(tree: ast.AST, line: int) -> Function | None:
    """The innermost function whose body or header holds `line`."""
    holding = [f for f in functions(tree) if f.lineno <= line <= (f.end_lineno or f.lineno)]
    return max(holding, key=lambda f: f.lineno, default=None)


def called_name(call: ast.Call) -> str:
    """`encode` for `model.encode(x)` and for `encode(x)`."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


class _Plain(ast.NodeTransformer):
    """Takes docstrings out, and makes -1 a constant as 1 is."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        value = node.operand.value if isinstance(node.operand, ast.Constant) else None
        if isinstance(node.op, ast.USub) and isinstance(value, int | float):
            return ast.copy_location(ast.Constant(-value), node)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        self.generic_visit(node)
        return ast.copy_location(ast.Pass(), node) if is_docstring(node) else node


@lru_cache(maxsize=64)
def _tree(code: str) -> ast.Module | None:
    try:
        return _without_pass(_Plain().visit(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError):
        return None


def _without_pass(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [s for s in body if not isinstance(s, ast.Pass)]
    return tree


@lru_cache(maxsize=64)
def _shape(code: str) -> str:
    tree = _tree(code)
    return code if tree is None else ast.dump(tree)


def _collect(old: object, new: object, name: str, changes: list[Constant]) -> bool:
    """Adds the differing constants of two trees; False where the trees differ in anything else."""
    if isinstance(old, ast.Constant) and isinstance(new, ast.Constant):
        if repr(old.value) != repr(new.value):
            changes.append(Constant(name, old.value, new.value))
        return True
    if type(old) is not type(new):
        return False
    if isinstance(old, list) and isinstance(new, list):
        pairs = zip(old, new, strict=False)
        return len(old) == len(new) and all(_collect(a, b, name, changes) for a, b in pairs)
    if isinstance(old, ast.AST) and isinstance(new, ast.AST):
        return all(_collect(a, b, label, changes) for a, b, label in _parts(old, new, name))
    return old == new


def _parts(old: ast.AST, new: ast.AST, name: str) -> Iterator[tuple[object, object, str]]:
    """The parts of two nodes of one kind in pairs, each with what its constants are bound to."""
    if isinstance(old, ast.Dict) and isinstance(new, ast.Dict):
        yield len(old.keys), len(new.keys), name
        pairs = zip(old.keys, new.keys, old.values, new.values, strict=False)
        for old_key, new_key, old_value, new_value in pairs:
            yield old_key, new_key, name
            yield old_value, new_value, _name_of(old_key) or name
    elif isinstance(old, ast.arguments) and isinstance(new, ast.arguments):
        yield [old.posonlyargs, old.args, old.vararg], [new.posonlyargs, new.args, new.vararg], name
        yield [old.kwonlyargs, old.kwarg], [new.kwonlyargs, new.kwarg], name
        yield len(old.defaults), len(new.defaults), name
        for arg, before, after in _defaults(old, new):
            yield before, after, arg
    else:
        label = _label(old) or name
        for key, value in ast.iter_fields(old):
            if key not in ("type_comment", "kind"):
                yield value, getattr(new, key, None), label


def _defaults(old: ast.arguments, new: ast.arguments) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    positional = [*old.posonlyargs, *old.args][len(old.posonlyargs) + len(old.args) - len(old.defaults) :]
    for arg, before, after in zip(positional, old.defaults, new.defaults, strict=False):
        yield arg.arg, before, after
    for arg, before_kw, after_kw in zip(old.kwonlyargs, old.kw_defaults, new.kw_defaults, strict=False):
        yield arg.arg, before_kw, after_kw


def _label(node: ast.AST) -> str:
    if isinstance(node, ast.Assign):
        return _name_of(node.targets[0])
    if isinstance(node, ast.AnnAssign | ast.AugAssign):
        return _name_of(node.target)
    return node.arg or "" if isinstance(node, ast.keyword) else ""


def _name_of(node: ast.expr | None) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return str(node.value) if isinstance(node, ast.Constant) else ""
