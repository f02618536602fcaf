"""Faults of a Python file that are seen without running it: syntax, names that are nowhere defined."""

from __future__ import annotations

_FATAL = {
    "UndefinedName",
    "UndefinedLocal",
    "UndefinedExport",
    "DuplicateArgument",
    "ReturnOutsideFunction",
    "YieldOutsideFunction",
    "ContinueOutsideLoop",
    "BreakOutsideLoop",
    "DefaultExceptNotLast",
    "ForwardAnnotationSyntaxError",
}


def lint_python(name: str, code: str) -> list[str]:
    """One line a fault: `file:line: what`."""
    import ast

    from pyflakes.checker import Checker

    try:
        tree = ast.parse(code, filename=name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        return [f"{name}:{line}: {getattr(error, 'msg', error)}"]
    found = [m for m in Checker(tree, filename=name).messages if type(m).__name__ in _FATAL]
    return [f"{name}:{m.lineno}: {m.message % m.message_args}" for m in sorted(found, key=lambda m: m.lineno)]
