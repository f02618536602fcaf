"""The replies of a short session on the quick experiment, by step; a cassette is made of them."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.coders.cassette import Entry, cassette_text


def block(data: object) -> str:
    return f"```json\n{json.dumps(data)}\n```"


def edit(file: str, search: str, replace: str) -> str:
    return f"{file}\n```python\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n```\n"


def latex(text: str) -> str:
    return f"```latex\n{text}\n```"


PLAN = [
    {"run": 1, "title": "momentum 0.5", "change": "momentum = 0.5", "expected": "a lower error"},
    {"run": 2, "title": "momentum 0.9", "change": "momentum = 0.9", "expected": "a lower error still"},
]
ADVICE = block({"does_what_the_plan_says": True, "answers": ["It does."], "suggestions": ["Try a larger momentum."]})
TABLE = (
    "% The results of all runs.\nAll sound runs are in \\cref{tab:results}, and \\cref{fig:mse} shows the error.\n"
    "\\begin{table}\n\\centering\n\\resulttable\n\\caption{Every declared metric of every sound run.}\n\\label{tab:results}\n"
    "\\end{table}\n\\begin{figure}\n\\includegraphics[width=\\linewidth]{mse.pdf}\n"
    "\\caption{Held-out error of each run.}\n\\label{fig:mse}\n\\end{figure}\n"
    "The error of the baseline is \\res{run_0/core.mse} and that of the run with momentum is \\res{run_1/core.mse}."
)

REPLIES = {
    "plan/1": "Momentum first, then more of it.\n" + block(PLAN),
    "run/1/edit/1": edit("experiment.py", "    momentum: float = 0.0", "    momentum: float = 0.5"),
    "run/1/advice/1": ADVICE,
    "run/1/discuss/1": block({"notes": "The error fell to \\res{run_1/core.mse}.", "answers": ["Taken."]}),
    # The first attempt at the second run crashes; the second mends it.
    "run/2/edit/1": edit(
        "experiment.py",
        "    momentum: float = 0.5",
        "    momentum: float = 0.9",
    )
    + edit("experiment.py", "    speed_slope = speed_offset = 0.0", "    speed_slope = speed_offset = [][0]"),
    "run/2/repair-1/1": edit(
        "experiment.py", "    speed_slope = speed_offset = [][0]", "    speed_slope = speed_offset = 0.0"
    ),
    "run/2/advice/1": ADVICE,
    "run/2/discuss/1": block({"notes": "It overshoots.", "answers": ["Done."], "done": True}),
    "plot/edit/1": edit(
        "plot.py",
        'labels = {"run_0": "Baseline"}',
        'labels = {"run_0": "Baseline", "run_1": "Momentum 0.5", "run_2": "Momentum 0.9"}',
    ),
    "plot/notes/1": block({"mse.pdf": "The held-out error of each run."}),
    "write/title-and-abstract/1": latex(
        "\\title{Momentum for fitting a line}\n\\begin{abstract}\nWe add momentum to gradient descent.\n\\end{abstract}"
    ),
    "write/introduction/1": latex("% Why.\nMomentum may help when steps are few."),
    "write/background/1": latex("% What.\nGradient descent lowers the squared error."),
    "write/method/1": latex("% How.\nThe velocity is kept from step to step."),
    "write/experimental-setup/1": latex("% Settings.\nThe learning rate is \\setting{run_1/config.lr}."),
    "write/results/1": latex(TABLE),
    "write/conclusion/1": latex("% End.\nWe measured what momentum does here."),
    "write/related-work/1": latex("% Others.\nMomentum is an old idea."),
    "cite/1/1": block({"choice": None, "line": None, "why": None, "query": None}),
    "refine/1": "NO_CHANGE",
    "review/1": block(
        {
            "summary": "A small study.", "strengths": ["honest"], "weaknesses": ["small"], "questions": [],
            "limitations": [], "soundness": 3, "presentation": 3, "contribution": 1, "overall": 4, "confidence": 4,
            "decision": "reject",
        }
    ),
}  # fmt: skip
SECTIONS = [key.split("/")[1] for key in REPLIES if key.startswith("write/")]
REPLIES |= {f"criticise/{section}/1": "NO_CHANGE" for section in SECTIONS}


def write_cassette(folder: Path, **changes: str | None) -> Path:
    """The cassette, with some replies changed (`None`: left out); `/` in a key is written `__`."""
    replies = REPLIES | {key.replace("__", "/"): reply for key, reply in changes.items()}
    entries = [
        Entry(key=key, role="any", model="recorded", prompt="", reply=reply)
        for key, reply in replies.items()
        if reply is not None
    ]
    path = folder / "momentum.jsonl"
    path.write_text(cassette_text(entries), encoding="utf-8")
    return path
