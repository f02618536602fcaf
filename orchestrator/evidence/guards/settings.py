"""Guards on the settings: what was in force, what the code says, what must equal the baseline's."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.evidence.changes import constant_changes, functions, parse
from orchestrator.evidence.guards.context import Context, fail, last, listed, trained, warn
from orchestrator.evidence.results import show
from orchestrator.records import Evidence, Finding, Scalar

USUALLY_COMPARABLE = {
    "lm_name",
    "model_name",
    "dataset",
    "dataset_name",
    "activation_dim",
    "dict_size",
    "d_sae",
}
USUALLY_COMPARABLE |= {"steps", "num_steps", "training_steps", "layer", "num_tokens", "training_tokens"}
_IDENTITY = {"lm_name", "dataset", "dataset_name", "activation_dim"}
_ALIASES = (
    {"lr", "learning_rate"},
    {"l1_penalty", "sparsity_penalty", "l1_coefficient", "sparsity_coefficient", "l1_coeff"},
    {"k", "topk", "top_k"},
    {"dict_size", "d_sae", "n_latents"},
)
_CLASSES = ("trainer_class", "dict_class", "model_class", "trainer", "architecture")


def not_comparable(context: Context) -> Finding | None:
    """Settings that must equal the baseline's and do not."""
    if context.is_baseline or not context.baselines:
        return None
    if not context.comparable:
        return _usually_comparable(context)
    apart, unknown = [], []
    for key in context.comparable:
        theirs = {b.run: _stated(b, key) for b in context.baselines}
        ours = _stated(context.run, key)
        if ours is None and all(v is None for v in theirs.values()):
            unknown.append(key)
        elif not any(_same(ours, v) for v in theirs.values()):
            apart.append(_against(key, ours, theirs))
    if apart:
        return fail("not_comparable", f"It cannot be compared with the baseline: {listed(apart)}.")
    if unknown:
        return warn(
            "not_comparable",
            f"Neither the run nor the baseline states {listed(unknown)}, which must be equal.",
        )
    return None


def _usually_comparable(context: Context) -> Finding | None:
    """Where experiment.toml names nothing: the model, data, layer, sizes and steps, by their usual names."""
    apart, keys = [], []
    for key in sorted({*context.run.settings, *context.measured}):
        theirs = {b.run: v for b in context.baselines if (v := _stated(b, key)) is not None}
        ours = _stated(context.run, key)
        known = last(key) in USUALLY_COMPARABLE and theirs and ours is not None
        if known and not any(_same(ours, v) for v in theirs.values()):
            apart.append(_against(key, ours, theirs))
            keys.append(last(key))
    if not apart:
        return None
    sentence = f"It differs from the baseline in more than its method: {listed(apart)}."
    return fail("not_comparable", sentence) if _IDENTITY & set(keys) else warn("not_comparable", sentence)


def _stated(evidence: Evidence, key: str) -> Scalar:
    return evidence.settings.get(key, evidence.metrics.get(key, evidence.claimed.get(key)))


def _against(key: str, ours: Scalar, theirs: Mapping[str, Scalar]) -> str:
    values = sorted({"nothing" if v is None else str(v) for v in theirs.values()})
    return f"{key} is {'not stated' if ours is None else ours}, the baseline's {' or '.join(values)}"


def data_changed(context: Context) -> Finding | None:
    """Other data than the baseline's, or less of it in the evaluation."""
    name = "data_changed"
    prints = {b.provenance.data for b in context.baselines} - {None}
    ours = context.run.provenance.data
    if not context.is_baseline and ours is not None and prints and ours not in prints:
        first = sorted(p for p in prints if p)[0]
        return fail(name, f"The data are not the baseline's: fingerprint {ours[:12]}, there {first[:12]}.")
    for key, value in context.measured.items():
        theirs = [b.metrics[key] for b in context.baselines if key in b.metrics]
        if _counts_evaluation(key) and theirs and value < min(theirs) and not context.is_baseline:
            return warn(name, f"{key} = {show(value)}: the baseline was evaluated on {show(min(theirs))}.")
    return None


def _counts_evaluation(key: str) -> bool:
    words = set(last(key).split("_"))
    return bool(words & {"eval", "evaluation", "test"}) and bool(
        words & {"tokens", "samples", "examples", "batches"}
    )


def settings_disagree(context: Context) -> Finding | None:
    """The run states other settings than the evaluator found."""
    if context.results is None or context.evaluated is None:
        return None
    for key, found in context.evaluated.settings.items():
        said = context.results.settings.get(key)
        if said is not None and not _same(said, found):
            sentence = f"{context.results_file} says {key} = {said}, the evaluator found {found}."
            return fail("settings_disagree", sentence)
    return None


def settings_contradict(context: Context) -> Finding | None:
    """One setting with two values in one results file, or a TopK whose L0 is not its k."""
    values: dict[str, Scalar] = dict(context.run.settings)
    values |= {k: v for k, v in context.measured.items() if k not in values}
    for names in _ALIASES:
        stated = {key: v for key, v in values.items() if last(key) in names and _number(v) is not None}
        keys = list(stated)
        other = next((k for k in keys[1:] if not _same(stated[k], stated[keys[0]])), None)
        if other is not None:
            sentence = f"The results contradict themselves: {keys[0]} = {stated[keys[0]]}, {other} = {stated[other]}."
            return warn("settings_contradict", f"{sentence} Which was in force is not known.")
    twice = [p for p in (context.results.problems if context.results else []) if "stated twice" in p]
    return warn("settings_contradict", twice[0]) if twice else _k_against_l0(context, values)


def _k_against_l0(context: Context, values: dict[str, Scalar]) -> Finding | None:
    is_topk = any(isinstance(v, str) and "topk" in v.lower() for v in context.run.settings.values())
    k = next((_number(v) for key, v in context.run.settings.items() if last(key) == "k"), None)
    l0 = next((_number(v) for key, v in values.items() if last(key) == "l0"), None)
    if not is_topk or not k or l0 is None or k / 2 <= l0 <= 1.5 * k:
        return None
    sentence = f"The settings say k = {show(k)}, but {show(l0)} features are active: another k was in force."
    return warn("settings_contradict", sentence)


def settings_not_in_code(context: Context) -> Finding | None:
    """A setting that the results state otherwise than the code sets it, where the code sets it in one way only."""
    bound = _bindings(context)
    for key, value in context.run.settings.items():
        typed = bound.get(last(key), set())
        number = _number(value)
        if len(typed) != 1 or number is None or None in typed:
            continue
        (only,) = typed
        if only is not None and not _same(number, only):
            sentence = f"The results say {key} = {value}, but the code sets {last(key)} = {show(only)} and nothing else."
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
            bound.setdefault(name.lower(), set()).add(_number(number))
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
            yield from ((_target(t), node.value) for t in node.targets)
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
    return make(
        "default_overridden", f"{unused[0]}, but every call passes its own value: that change has no effect."
    )


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


def baselines_method(context: Context) -> Finding | None:
    """Settings that name the baseline's own classes, where the code is not known."""
    if context.is_baseline or context.code or context.diff is not None:
        return None
    for baseline in context.baselines:
        shared = [
            k
            for k, v in context.run.settings.items()
            if last(k) in _CLASSES and v == baseline.settings.get(k)
        ]
        if shared:
            named = listed([f"{last(k)} = {context.run.settings[k]}" for k in shared])
            sentence = f"Its settings name the baseline's own method ({named}), and its code is not known."
            return warn("baselines_method", f"{sentence} Nothing shows that it is another method.")
    return None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _same(a: Scalar, b: Scalar) -> bool:
    first, second = _number(a), _number(b)
    if first is not None and second is not None:
        return abs(first - second) <= 1e-9 * max(abs(first), abs(second))
    return a == b
