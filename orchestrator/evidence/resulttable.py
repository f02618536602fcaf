"""The generated tables: every declared metric × every sound run, and what the metrics are. Nothing can be left out."""

from __future__ import annotations

from orchestrator.evidence.ledger import Ledger, headings
from orchestrator.evidence.texcode import as_tex, number_source

LINE = 92
"""About how many characters of small type fit in a line."""
_CELL = 9
_CELL_WITH_HALF = 15
_ARROWS = {"max": r"\,$\uparrow$", "min": r"\,$\downarrow$"}


def result_table(ledger: Ledger) -> str:
    """Runs as rows and metrics as columns, in as many tables below one another as the line needs."""
    metrics = list(ledger.declared) or ledger.metric_names[:12]
    if not ledger.runs or not metrics:
        return r"\emph{no sound run}"
    blocks = _blocks(ledger, metrics)
    return r"\par\medskip ".join(rf"\orchfit{{{_tabular(ledger, block, metrics)}}}" for block in blocks)


def _blocks(ledger: Ledger, metrics: list[str]) -> list[list[str]]:
    """The metrics in groups that fit in a line beside the runs' names."""
    names = headings(metrics)
    room = LINE - min(max(len(ledger.title(run)) for run in ledger.runs), 30)
    blocks: list[list[str]] = [[]]
    used = 0
    for metric in metrics:
        several = any(len(ledger.values(run, metric)) > 1 for run in ledger.runs)
        width = max(len(names[metric]) + 3, _CELL_WITH_HALF if several else _CELL)
        if blocks[-1] and used + width > room:
            blocks.append([])
            used = 0
        blocks[-1].append(metric)
        used += width
    return blocks


def _tabular(ledger: Ledger, block: list[str], metrics: list[str]) -> str:
    names = headings(metrics)
    head = " & ".join(["", *(_heading(ledger, metric, names[metric]) for metric in block)])
    best = {metric: ledger.best(metric) for metric in block}
    rows = [_row(ledger, run, block, best) for run in ledger.runs]
    baselines = len(ledger.baselines)
    rule = [r"\midrule"] if 0 < baselines < len(rows) else []
    body = "\n".join([*rows[:baselines], *rule, *rows[baselines:]])
    return (
        rf"\small\begin{{tabular}}{{@{{}}l*{{{len(block)}}}{{r}}@{{}}}}"
        f"\n\\toprule\n{head} \\\\\n\\midrule\n{body}\n\\bottomrule\n\\end{{tabular}}"
    )


def _heading(ledger: Ledger, metric: str, name: str) -> str:
    declared = ledger.metric(metric)
    unit = f" ({as_tex(declared.unit)})" if declared.unit else ""
    return f"{as_tex(name)}{unit}{_ARROWS.get(declared.direction or '', '')}"


def _row(ledger: Ledger, run: str, block: list[str], best: dict[str, str | None]) -> str:
    cells = [_cell(ledger, run, metric, bold=best[metric] == run) for metric in block]
    return " & ".join([as_tex(_shortened(ledger.title(run))), *cells]) + r" \\"


def _shortened(title: str) -> str:
    return title if len(title) <= 48 else title[:47] + "…"


def _cell(ledger: Ledger, run: str, metric: str, bold: bool) -> str:
    values = ledger.values(run, metric)
    if not values:
        return "--"
    found = ledger.interval(run, metric)
    assert found is not None
    if found.half is None:
        text = rf"\orchnumber{{{number_source(found.mean)}}}"
    else:
        text = rf"\orchcell{{{number_source(found.mean)}}}{{{number_source(found.half)}}}"
    return rf"\orchbest{{{text}}}" if bold else text


def metrics_table(ledger: Ledger) -> str:
    """What each declared metric is: direction, unit, target and how to read it."""
    if not ledger.declared:
        return r"\emph{no metric is declared}"
    words = {"max": "higher", "min": "lower", None: "--"}
    names = headings(ledger.declared)
    rows = [
        f"{as_tex(names[m.name])} & {words[m.direction]} & {as_tex(m.unit) or '--'} & "
        f"{'--' if m.target is None else f'{m.target:g}'} & {as_tex(m.reading)} \\\\"
        for m in ledger.declared.values()
    ]
    return (
        "\\orchfit{\\small\\begin{tabular}{@{}llllp{0.45\\linewidth}@{}}\n\\toprule\n"
        "Metric & Better & Unit & Target & Reading \\\\\n\\midrule\n"
        + "\n".join(rows)
        + "\n\\bottomrule\n\\end{tabular}}"
    )
