"""The appendix: what was tried, and what it takes to see it again; written from the record, at no exchange."""

from __future__ import annotations

from orchestrator.records import Evidence, Scalar
from orchestrator.steps.context import Work
from orchestrator.steps.planning import command


def write_appendix(work: Work) -> None:
    """`latex/appendix.tex`, from the evidence alone."""
    evidence = work.evidence
    text = "\n".join([r"\appendix", *_tried(evidence), *_reproduce(work, evidence)])
    (work.folder / "latex" / "appendix.tex").write_text(text + "\n", encoding="utf-8")


def _tried(evidence: list[Evidence]) -> list[str]:
    runs = [e for e in evidence if e.seed == 0]
    attempts = sum(e.attempts for e in runs)
    lines = [
        r"\section{What was tried}",
        rf"In all {attempts} attempts were made at {len(runs)} runs, baselines included.",
        r"\begin{description}",
    ]
    for e in runs:
        state = "sound" if e.status == "sound" else f"failed and excluded: {e.reason}"
        lines.append(rf"\item[{escape(e.run)}] {escape(e.title)}; {escape(state)}; attempts: {e.attempts}.")
        lines += [rf"{escape(f.guard)} ({f.outcome}): {escape(f.sentence)}" for f in e.findings if f.outcome != "pass"]
    return [*lines, r"\end{description}"]


def _reproduce(work: Work, evidence: list[Evidence]) -> list[str]:
    rows = [rf"{escape(e.run)} & {e.seed} & \texttt{{{_commit(e)}}} & {_seconds(e)} & {e.status} \\" for e in evidence]
    first = evidence[0].provenance
    hardware = ", ".join(_fact(name, value) for name, value in first.hardware.items() if value)
    packages = ", ".join(
        f"{k} {v}" for k, v in first.packages.items() if k in ("torch", "transformers", "numpy", "datasets")
    )
    box = "Code ran in a sandbox." if work.settings.sandbox else r"\textbf{Code ran without a sandbox.}"
    return [
        r"\section{Reproducibility}",
        rf"Command: \texttt{{{_command(work)}}}.",
        rf"Python {escape(first.python or 'unknown')}; {escape(packages)}.",
        rf"Hardware: {escape(hardware)}.",
        box,
        r"\begin{center}\small\begin{tabular}{lrlrl}\toprule",
        r"run & seed & commit & seconds & status \\ \midrule",
        *rows,
        r"\bottomrule\end{tabular}\end{center}",
    ]


def _commit(evidence: Evidence) -> str:
    return (evidence.provenance.commit or "unknown")[:10]


def _seconds(evidence: Evidence) -> str:
    wall = evidence.provenance.wall_seconds
    return "unknown" if wall is None else f"{wall:.1f}"


def _command(work: Work) -> str:
    return escape(command(work, "run_i")).replace("--", "-{}-")


def _fact(name: str, value: Scalar) -> str:
    """`memory_bytes: 25276510208` as a person writes it."""
    if name == "memory_bytes" and isinstance(value, int):
        return f"memory: {value / 1e9:.0f} GB"
    return f"{name}: {value}"


def escape(text: str) -> str:
    """Plain text as LaTeX, long words allowed to break."""
    from pylatexenc.latexencode import unicode_to_latex

    return str(unicode_to_latex(text, non_ascii_only=False)).replace(r"\_", r"\_\allowbreak{}")
