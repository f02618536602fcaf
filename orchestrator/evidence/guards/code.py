"""Guards on the change of the code: that there is one, that it ran, and that it is more than a constant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from orchestrator.evidence.changes import (
    Constant,
    called_name,
    constant_changes,
    enclosing,
    functions,
    is_docstring,
    parse,
    same_code,
)
from orchestrator.evidence.guards.context import Context, fail, listed, trained, warn
from orchestrator.evidence.unrun import never_ran
from orchestrator.records import Finding

_COMMENT_OR_BLANK = re.compile(r"[+-]\s*(#.*)?$")
_ABOUT_SETTINGS = re.compile(r"\b(sweep|grid|tun\w*|hyper-?parameters?|baseline|default)\b", re.IGNORECASE)
_MEANINGS = {
    "lr": "learning rate",
    "learning_rate": "lr",
    "k": "sparsity",
    "wd": "weight decay",
    "bs": "batch size",
    "d_sae": "latents",
    "dict_size": "latents",
    "n_latents": "dictionary",
    "l1_penalty": "sparsity",
    "epochs": "epoch",
}
_SAY_NOTHING = {"num", "max", "min", "size", "weight", "rate", "value", "default", "total", "factor", "coef", "coeff"}
_SAY_NOTHING |= {"scale", "init", "use", "learning", "steps", "the", "and"}
_EVALUATES = re.compile(r"(^|_)(eval|evaluate|evaluation|score|scores)(_|$)", re.IGNORECASE)
_IN_PLACE = {"copy_", "add_", "mul_", "sub_", "div_", "fill_", "zero_", "lerp_"}


def code_unchanged(context: Context) -> Finding | None:
    """Code that is the parent's."""
    if context.is_baseline or context.is_replicate:
        return None
    if context.parent_code is not None:
        same = same_code(trained(context.parent_code), trained(context.code))
    elif context.diff is not None:
        same = not _has_code(context.diff)
    else:
        return None
    parent = context.run.parent or "its parent"
    touched = bool((context.diff or "").strip())
    how = "differs from that of {} in comments and spacing only" if touched else "is that of {}, unchanged"
    return fail("code_unchanged", f"The code {how.format(parent)}: the run tests nothing new.") if same else None


def _has_code(diff: str) -> bool:
    """Whether a diff adds or removes a line that is neither blank nor a comment, in a file that can matter."""
    matters = False
    for line in diff.splitlines():
        if line.startswith(("+++ ", "--- ")):
            matters = (".py" in line and "plot.py" not in line) or (matters and "/dev/null" in line)
        elif matters and line.startswith(("+", "-")) and not _COMMENT_OR_BLANK.match(line):
            return True
    return False


def only_seed_changed(context: Context) -> Finding | None:
    """A change of the seed and of nothing else."""
    changes = _constants_since(context, context.parent_code)
    if changes and all("seed" in c.name.lower() for c in changes):
        change = f"from {changes[0].old} to {changes[0].new}"
        return fail("only_seed_changed", f"Only the seed was changed ({change}): it is a replicate, no new run.")
    return None


def only_settings_changed(context: Context) -> Finding | None:
    """The baseline's code with other values: a run of the baseline, whatever it is called."""
    changes = _constants_since(context, context.baseline_code)
    if not changes or all("seed" in c.name.lower() for c in changes):
        return None
    shown = listed([f"{c.name or 'a constant'}: {c.old} → {c.new}" for c in changes])
    sentence = f"All that differs from the baseline's code is {shown}: it is the baseline with other settings."
    if context.step is None or any(_speaks_of(context, c) for c in changes):
        return warn("only_settings_changed", sentence)
    planned = context.step.change or context.step.title
    return fail("only_settings_changed", f"{sentence} The plan says: {planned[:160]}")


def _constants_since(context: Context, old: object) -> list[Constant] | None:
    if not isinstance(old, dict) or context.is_baseline or context.is_replicate:
        return None
    return constant_changes(trained(old), trained(context.code))


def _speaks_of(context: Context, change: Constant) -> bool:
    """Whether the plan's step names the setting or its new value."""
    if context.step is None:
        return False
    text = f"{context.step.title} {context.step.change} {context.step.expected}".lower()
    if _ABOUT_SETTINGS.search(text) or change.new in _numbers(text):
        return True
    by_value = isinstance(change.new, str) and _squeezed(change.new) in _squeezed(text)
    return by_value or _names(text, change.name.lower())


def _names(text: str, name: str) -> bool:
    """Whether `text` speaks of the setting `name`: by name, by its meaning, or by a word of it that says something."""
    words = [w for w in name.split("_") if len(w) > 2 and w not in _SAY_NOTHING]
    whole = re.search(rf"\b({re.escape(name)}|{re.escape(name.replace('_', ' '))})\b", text) if name else None
    return bool(whole) or _MEANINGS.get(name, "\0") in text or any(w in _squeezed(text) for w in words)


def _squeezed(text: str) -> str:
    """`batchtopk` for `Batch-TopK`."""
    return re.sub(r"[^a-z0-9]", "", text.lower()) or "\0"


def _numbers(text: str) -> set[float]:
    found = re.findall(r"(?<![\w.])-?\d[\d_,]*(?:\.\d+)?(?:e-?\d+)?(?!\w)", text)
    return {float(number.replace(",", "").replace("_", "").rstrip(".")) for number in found}


def change_never_ran(context: Context) -> Finding | None:
    """Changed lines that were not executed in the smoke run."""
    name = "change_never_ran"
    if context.executed is None or context.is_baseline or context.is_replicate:
        return None
    found = never_ran(context.changed, context.executed, context.code)
    if not found.missed:
        return None
    if found.ran == 0 and found.missed == found.dead:
        return fail(name, f"No changed line was ever run, and no code that ran leads to one: {_places(found.missed)}.")
    if found.dead:
        return warn(name, f"Changed lines that nothing leads to: {_places(found.dead)}.")
    share = "none of the changed lines ran" if found.ran == 0 else "some changed lines did not run"
    return warn(name, f"In the smoke run {share}: {_places(found.missed)}.")


def _places(lines: dict[str, tuple[int, ...]]) -> str:
    return "; ".join(f"{file}, line {listed([str(n) for n in numbers])}" for file, numbers in lines.items())


def placeholder_left(context: Context) -> Finding | None:
    """A function that the change added, with `...` or `pass` for a body."""
    for file, function in _changed_functions(context):
        body = [s for s in function.body if not is_docstring(s)]
        empty = all(isinstance(s, ast.Pass) or _is_ellipsis(s) for s in body)
        if empty and body and not function.decorator_list and not _in_protocol(context, file, function):
            sentence = f"{function.name} in {file}, line {function.lineno}, has no body yet: it does nothing."
            return warn("placeholder_left", sentence)
    return None


def _is_ellipsis(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and value.value is ...


def _in_protocol(context: Context, file: str, function: ast.AST) -> bool:
    tree = parse(context.code[file])
    classes = [c for c in ast.walk(tree) if isinstance(c, ast.ClassDef) and function in c.body] if tree else []
    return any("Protocol" in ast.unparse(base) for c in classes for base in c.bases)


def clip_before_backward(context: Context) -> Finding | None:
    """Gradients clipped before `backward`: those of the step before, or none."""
    for file, function in _changed_functions(context):
        calls = sorted((n for n in ast.walk(function) if isinstance(n, ast.Call)), key=lambda n: n.lineno)
        clips = [c.lineno for c in calls if called_name(c).startswith(("clip_grad_norm", "clip_grad_value"))]
        backward = [c.lineno for c in calls if called_name(c) == "backward"]
        if clips and backward and clips[0] < backward[0]:
            sentence = f"{file} clips the gradients in line {clips[0]}, before backward in line {backward[0]}"
            return warn("clip_before_backward", f"{sentence}: that has no effect on them.")
    return None


def state_in_encode(context: Context) -> Finding | None:
    """State that `encode` updates, so that evaluation changes the model."""
    for file, function in _changed_functions(context):
        if function.name not in ("encode", "decode"):
            continue
        for node in _unguarded(function.body):
            if node.lineno in context.changed.get(file, ()) and (what := _alters_self(node)):
                sentence = (
                    f"{function.name} in {file}, line {node.lineno}, alters {what}: evaluation changes the model."
                )
                return warn("state_in_encode", sentence)
    return None


def _unguarded(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that are not under a condition on `training`."""
    for statement in body:
        if isinstance(statement, ast.If) and "training" in ast.unparse(statement.test):
            continue
        yield statement
        yield from _unguarded([s for s in ast.iter_child_nodes(statement) if isinstance(s, ast.stmt)])


def _alters_self(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Assign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return next((ast.unparse(t) for t in targets if ast.unparse(t).startswith("self.")), "")
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and called_name(call) in _IN_PLACE and ast.unparse(call.func).startswith("self."):
        return ast.unparse(call.func).rsplit(".", 1)[0]
    return ""


def change_not_evaluated(context: Context) -> Finding | None:
    """A change that lives in `forward` alone, while the evaluator calls `encode`."""
    if not context.evaluator_code or context.is_baseline or not context.changed:
        return None
    trees = [t for t in map(parse, context.evaluator_code.values()) if t]
    called = {called_name(n) for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Call)}
    places = {f.name if f else "" for f in _owners_of_changes(context)}
    if places == {"forward"} and {"encode", "decode"} & called and "forward" not in called:
        sentence = "The change lies in forward alone, but the evaluator calls encode and decode"
        return warn("change_not_evaluated", f"{sentence}: it may shape training, but it is not in what is measured.")
    return None


def evaluation_edited(context: Context) -> Finding | None:
    """A change of the code that computes the metrics, where no evaluator of the experiment's own does."""
    if context.evaluated is not None or context.is_baseline:
        return None
    edited = sorted({f.name for f in _owners_of_changes(context) if f and _EVALUATES.search(f.name)})
    if not edited:
        return None
    sentence = f"The change touches the code that measures ({listed(edited)})"
    return warn("evaluation_edited", f"{sentence}: the numbers may not mean what the baseline's do.")


def _owners_of_changes(context: Context) -> list[ast.FunctionDef | ast.AsyncFunctionDef | None]:
    """The function around each changed line; None for lines outside of any. Blank lines do not count."""
    found = []
    for file, lines in context.changed.items():
        text = context.code.get(file, "").splitlines()
        tree = parse(context.code.get(file, ""))
        told = [n for n in lines if n <= len(text) and text[n - 1].strip() and not text[n - 1].strip().startswith("#")]
        found += [enclosing(tree, n) for n in told] if tree else []
    return found


def _changed_functions(context: Context) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for file, lines in context.changed.items():
        tree = parse(context.code.get(file, ""))
        for function in functions(tree) if tree else ():
            if lines & set(range(function.lineno, (function.end_lineno or function.lineno) + 1)):
                yield file, function
