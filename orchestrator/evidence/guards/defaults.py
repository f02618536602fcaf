"""Guards on settings that hold the results against the constants and defaults of the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.evidence.changes import constant_changes, functions, parse
from orchestrator.evidence.guards.context import Context, fail, last, trained, warn
from orchestrator.evidence.guards.settings import number_of, same
from orchestrator.evidence.results import show
from orchestrator.records import Finding


def settings_not_in_code(context: Context) -> Finding | None:
    """A setting that the results state otherwise than the code sets it, where the code sets it in one way only."""
    bound = _bindings(context)
    for key, value in context.run.settings.items():
        typed = bound.get(last(key), set())
        number = number_of(value)
        if len(typed) != 1 or number is None or None in typed:
            continue
        (only,) = typed
        if only is not None and not same(number, only):
            sentence = (
                f"The results say {key} = {value}, but the code sets {last(key)} = {show(only)} and nothing else."
            )
            return warn("settings_not_in_code", sentence)
    return None


def _bindings(context: Context) -> dict[str, set[float | None]]:
    """Every value that the code gives to a name; None among them: a value that only running it can tell."""
    bound: dict[str, set[float | None]] = {}
    trees = [tree for text in trained(context.code).values() if (tree := parse(text)) is not None]
    if any(_fills_in(node) for tree in trees for node in ast.walk(tree)):
        return {}
    for tree in trees:
        for name, value in _pairs(tree):
            number = value.value if isinstance(value, ast.Constant) else None
            bound.setdefault(name.lower(), set()).add(number_of(number))
    return bound


def _fills_in(node: ast.AST) -> bool:
    """Whether fields may be set from data: `Config(**values)`, `replace(config, **values)`, `setattr`."""
    if not isinstance(node, ast.Call):
        return False
    name = _target(node.func)
    expands = any(k.arg is None for k in node.keywords)
    return name in ("setattr", "update") or (expands and (name == "replace" or name[:1].isupper()))


def _pairs(tree: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                names = [n for n in ast.walk(target) if isinstance(n, ast.Name)]
                unpacked = isinstance(target, ast.Tuple | ast.List)
                yield from ((n.id, None) for n in names) if unpacked else [(_target(target), node.value)]
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            yield _target(node.target), node.value if isinstance(node, ast.AnnAssign) else None
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg, node.value
        elif isinstance(node, ast.Dict):
            yield from ((_key(k), v) for k, v in zip(node.keys, node.values, strict=True) if _key(k))
        elif isinstance(node, ast.For | ast.comprehension):
            yield from ((n.id, None) for n in ast.walk(node.target) if isinstance(n, ast.Name))
        elif isinstance(node, ast.arguments):
            yield from _parameters(node)


def _parameters(node: ast.arguments) -> Iterator[tuple[str, ast.expr | None]]:
    positional = [*node.posonlyargs, *node.args]
    without = len(positional) - len(node.defaults)
    yield from ((a.arg, None) for a in positional[:without])
    yield from ((a.arg, d) for a, d in zip(positional[without:], node.defaults, strict=True))
    yield from ((a.arg, d) for a, d in zip(node.kwonlyargs, node.kw_defaults, strict=True))


def _key(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _target(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def default_overridden(context: Context) -> Finding | None:
    """A changed default that no call uses, because every call passes a value of its own."""
    if context.parent_code is None:
        return None
    old, new = trained(context.parent_code), trained(context.code)
    unused = [found for name in new for found in _unused_defaults(old.get(name, ""), new[name])]
    if not unused:
        return None
    changes = constant_changes(old, new)
    alone = changes is not None and len(changes) == len(unused)
    make = fail if alone else warn
    return make("default_overridden", f"{unused[0]}, but every call passes its own value: that change has no effect.")


def _unused_defaults(old: str, new: str) -> Iterator[str]:
    before, after = parse(old), parse(new)
    if before is None or after is None:
        return
    was = {(d.callee, d.name): d.value for d in _defaults(before)}
    for default in _defaults(after):
        old_value = was.get((default.callee, default.name), default.value)
        if old_value != default.value and _always_passed(after, default):
            change = f"from {old_value!r} to {default.value!r}"
            yield f"The default of {default.name} in {default.callee} was changed {change}"


@dataclass(frozen=True)
class _Default:
    callee: str
    """The function, or the class whose `__init__` or field it is."""
    name: str
    place: int
    """Its position in a call; -1: by keyword alone."""
    value: object


def _defaults(tree: ast.Module) -> Iterator[_Default]:
    owners = {id(f): c for c in ast.walk(tree) if isinstance(c, ast.ClassDef) for f in c.body}
    for function in functions(tree):
        owner = owners.get(id(function))
        callee = owner.name if owner is not None and function.name == "__init__" else function.name
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        for name, value in _parameters(function.args):
            if isinstance(value, ast.Constant) and _is_scalar(value):
                place = names.index(name) - (owner is not None) if name in names else -1
                yield _Default(callee, name, place, value.value)
    for owner in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
        for line in owner.body:
            value = line.value if isinstance(line, ast.AnnAssign) else None
            if isinstance(line, ast.AnnAssign) and isinstance(value, ast.Constant) and _is_scalar(value):
                yield _Default(owner.name, _target(line.target), -1, value.value)


def _is_scalar(node: ast.Constant) -> bool:
    return not isinstance(node.value, bytes | complex | type(...))


def _always_passed(tree: ast.Module, default: _Default) -> bool:
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and _target(n.func) == default.callee]
    return bool(calls) and all(_passes(call, default) for call in calls)


def _passes(call: ast.Call, default: _Default) -> bool:
    by_place = 0 <= default.place < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args)
    return by_place or any(k.arg == default.name for k in call.keywords)
