"""Whether the changed lines of the code were executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.evidence.changes import Function, enclosing, is_docstring, parse

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NOT_EXECUTABLE = (*_DEFINITIONS, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Pass)
_IMPLICITLY_CALLED = {"forward"}


@dataclass(frozen=True)
class Unrun:
    """Changed lines that were not executed."""

    ran: int
    """How many changed statements were executed."""
    missed: dict[str, tuple[int, ...]]
    """File to the first lines of the changed statements that were not."""
    dead: dict[str, tuple[int, ...]]
    """Those of `missed` that no executed code leads to: a function nobody calls, a condition that is always false."""


def never_ran(
    changed: Mapping[str, set[int]],
    executed: Mapping[str, frozenset[int] | set[int]],
    code: Mapping[str, str],
) -> Unrun:
    """Which changed statements were not executed. A def or class line does not stand for its body.

    `executed`: lines of each file that ran, as coverage reports them. Files that are not in it, or do not parse, are
    left out: nothing is known of them.
    """
    ran, missed, dead = 0, {}, {}
    for file, lines in changed.items():
        tree = parse(code.get(file, ""))
        if tree is None or file not in executed:
            continue
        statements = [s for s in _executable(tree) if lines & _header(s)]
        silent = [s for s in statements if not _header(s) & executed[file]]
        ran += len(statements) - len(silent)
        if silent:
            missed[file] = tuple(s.lineno for s in silent)
            unreached = [s.lineno for s in silent if _is_dead(s, tree, executed[file])]
            if unreached:
                dead[file] = tuple(unreached)
    return Unrun(ran, missed, dead)


def _executable(tree: ast.AST) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not isinstance(node, _NOT_EXECUTABLE) and not is_docstring(node):
            yield node


def _header(statement: ast.stmt) -> set[int]:
    """The lines of a statement without the statements inside it."""
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return set(range(statement.lineno, max(last, statement.lineno) + 1))


def _is_dead(statement: ast.stmt, tree: ast.Module, executed: frozenset[int] | set[int]) -> bool:
    if any(_never_true(test, tree) for test in _conditions(tree, statement)):
        return True
    function = enclosing(tree, statement.lineno)
    if function is None or _entered(function, executed):
        return False
    if function.name in _IMPLICITLY_CALLED or function.name.startswith("__"):
        return True
    return not _may_be_called(function, tree, executed)


def _entered(function: Function, executed: frozenset[int] | set[int]) -> bool:
    return any(_header(s) & executed for s in _executable(function) if s is not function)


def _may_be_called(function: Function, tree: ast.Module, executed: frozenset[int] | set[int]) -> bool:
    """Whether code that was entered mentions the function outside its own body."""
    own = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute | ast.Name) or node.lineno in own:
            continue
        if function.name != (node.attr if isinstance(node, ast.Attribute) else node.id):
            continue
        caller = enclosing(tree, node.lineno)
        if caller is None or _entered(caller, executed):
            return True
    return False


def _conditions(tree: ast.AST, statement: ast.stmt) -> Iterator[ast.expr]:
    """The tests of all `if`s in whose first branch the statement lies."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and any(statement is inner for b in node.body for inner in ast.walk(b)):
            yield node.test


def _never_true(test: ast.expr, tree: ast.Module) -> bool:
    if isinstance(test, ast.Constant):
        return not test.value
    if not isinstance(test, ast.Name):
        return False
    bound = [n for n in ast.walk(tree) if isinstance(n, ast.Assign | ast.AnnAssign) and _binds(n, test.id)]
    values = [n.value for n in bound]
    return bool(values) and all(isinstance(v, ast.Constant) and not v.value for v in values)


def _binds(node: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(t, ast.Name) and t.id == name for t in targets)
