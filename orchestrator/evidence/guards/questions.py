"""What no program can decide, put to the advisor."""

from __future__ import annotations

import re

from orchestrator.evidence.guards.context import Context

_MOST_LINES = 6
_ASKED_WHERE = (
    (
        r"\.detach\(|no_grad|\.item\(\)|\.data\b|\.numpy\(\)",
        "Is every term that is added to the loss computed on tensors with gradients? A term of detached values changes"
        " the reported loss and nothing else.",
    ),
    (
        r"self\.\w+\s*=|\.copy_\(|register_buffer|\.append\(",
        "Is state updated only in training steps, and never in encode, forward or the evaluation?",
    ),
    (
        r"prev|previous|temporal|history|last_",
        "Do the values that are compared over time belong together (neighbouring positions of one text), or are they"
        " unrelated batches?",
    ),
    (
        r"\.get\(|\[['\"]?\w+(\.\w+)*['\"]?\]\s*=|getattr|hasattr",
        "Is what is stored under a key or attribute looked up under the same one? A lookup that finds nothing leaves"
        " the method without effect.",
    ),
    (
        r"def \w+\(.*=|kwargs",
        "Do the calls use the new defaults, or pass the old values?",
    ),
    (
        r"clip_grad|backward\(|optimizer|\.step\(",
        "Is the order right: zero_grad, backward, clipping, step?",
    ),
    (
        r"def forward|def encode",
        "Is the change in what the evaluator calls (encode, decode), and the same in training and in evaluation?",
    ),
    (
        r"except|nan_to_num|isnan|os\.environ",
        "Could an error, a NaN or a special case be passed over here, so that the numbers look sound?",
    ),
)


def advisor_questions(context: Context) -> list[str]:
    """Questions for the advisor about this run's change, each with the lines that give rise to it.

    They go beside the diff and the plan's step. Without a diff there is nothing to ask.
    """
    diff = context.diff_text
    if not diff or not diff.strip():
        return []
    added = [line[1:].strip() for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
    questions = [_first(context)]
    for pattern, question in _ASKED_WHERE:
        lines = [line for line in added if re.search(pattern, line)][:_MOST_LINES]
        if lines:
            questions.append(question + " Lines: " + " ⏎ ".join(f"`{line[:120]}`" for line in lines))
    return questions


def _first(context: Context) -> str:
    if context.step is None:
        return "Does the diff do something that can change what is measured? Say what, or that it does not."
    step = context.step
    return (
        f"Does the diff do what the plan's step says ({step.title}: {step.change})? Name what is missing, what is only"
        " a changed constant or comment, and what is done that the step does not say."
    )
