"""The end of a paper: checked and mended until clean, compiled, reviewed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from orchestrator.errors import BadInput, Failed
from orchestrator.evidence.claims import Claim, mark_unsupported, repair_lines
from orchestrator.paper import document
from orchestrator.paper.latex import BuildResult, collect
from orchestrator.paper.review import Review, parse_review
from orchestrator.steps.appendix import write_appendix
from orchestrator.steps.checking import check_paper, write_claims
from orchestrator.steps.context import Work
from orchestrator.steps.texbox import build_in_box
from orchestrator.steps.writing import blocks_of, draft_of, facts, put_in, save, write_macros

ROUNDS = 5
CLAIM_ROUNDS = 3


def check(work: Work) -> list[Claim]:
    """Mends what a program can, asks the coder for the rest. Returns the claims left unsupported."""
    for number in range(1, ROUNDS + 1):
        data = work.session.step(f"check/{number}", f"Check the paper, round {number}", lambda: _check_once(work))
        if not data["problems"] or (number > CLAIM_ROUNDS and not data["build"]):
            break
        work.progress.say(f"check, round {number}: {len(data['problems'])} findings")
        work.session.step(f"mend/{number}", f"Mend what the check found, round {number}",
                          lambda: _mend(work, number, data["problems"]))  # fmt: skip
    return check_paper(work.folder, work.experiment).unsupported


def build(work: Work, unsupported: list[Claim]) -> Path:
    """`paper.pdf`; with unsupported claims in red. Raises Failed where TeX does not get through."""

    def compile_it() -> str:
        write_macros(work)
        write_appendix(work)
        write_claims(work.folder, check_paper(work.folder, work.experiment).claims)
        result = _build_marked(work, unsupported) if unsupported else build_in_box(work, work.folder / "latex")
        if not result.ok or result.pdf is None:
            said = _error(result)
            raise Failed(
                f"{work.folder / 'latex'}: the paper does not compile: {said}\nmend it, then `orch paper build`"
            )
        shutil.copyfile(result.pdf, work.folder / "paper.pdf")
        return "paper.pdf"

    work.progress.say("building the PDF")
    return work.folder / str(work.session.step("build", "Build the paper", compile_it))


def review(work: Work, paper: Path) -> dict[str, Any]:
    """The reviewer's form: `review.json`."""
    return dict(work.session.step("review", "Review", lambda: _review(work, "review")))


def review_again(work: Work) -> dict[str, Any]:
    """One more review of the paper as it stands. Raises BadInput where there is none."""
    if not (work.folder / "paper.pdf").is_file():
        raise BadInput(f"{work.folder}: has no paper.pdf yet; `orch paper build {work.folder}` makes it")
    number = 1 + sum(1 for e in work.journal.events("review") if e.state == "finished" and e.key.count("/") == 0)
    key = f"review-{number}"
    return dict(work.session.step(key, f"Review {number}", lambda: _review(work, key)))


def _review(work: Work, key: str) -> dict[str, Any]:
    work.progress.say("reviewing the paper")
    form: Review = work.ask_for(key, "reviewer", "11_review", parse_review, paper=_plain_paper(work))
    (work.folder / "review.json").write_text(form.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return form.model_dump(mode="json")


def _plain_paper(work: Work) -> str:
    """The paper's text as the PDF shows it, numbers filled in; its source where no reader of PDFs is installed."""
    import subprocess

    if shutil.which("pdftotext") is None:
        return draft_of(work)
    done = subprocess.run(
        ["pdftotext", "-layout", "paper.pdf", "-"],
        cwd=work.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout or draft_of(work)


def _check_once(work: Work) -> dict[str, Any]:
    write_macros(work)
    write_appendix(work)
    mended = save(work, draft_of(work))
    for change in mended:
        work.progress.say(f"mended: {change}")
    found = check_paper(work.folder, work.experiment)
    listed = repair_lines(found.claims) + found.problems
    result = build_in_box(work, work.folder / "latex")
    if not result.ok:
        listed.insert(0, f"TeX stops: {_error(result)}")
    return {"problems": listed, "build": not result.ok}


def _mend(work: Work, number: int, listed: list[str]) -> list[str]:
    tex = draft_of(work)
    blocks = work.ask_for(
        f"mend/{number}", "coder", "10_mend", lambda reply: blocks_of(reply, tex), problems=listed, draft=tex,
        round=number, rounds=ROUNDS, **facts(work),
    )  # fmt: skip
    return put_in(work, blocks)


def _build_marked(work: Work, unsupported: list[Claim]) -> BuildResult:
    """The draft with its unsupported claims in red, built from a copy so that the source stays clean."""
    marked = work.folder / ".orch" / "marked"
    shutil.rmtree(marked, ignore_errors=True)
    marked.mkdir(parents=True)
    collect(work.folder / "latex", marked)
    tex = document.with_evidence(draft_of(work))
    (marked / "template.tex").write_text(mark_unsupported(tex, unsupported), encoding="utf-8")
    return build_in_box(work, marked)


def _error(result: BuildResult) -> str:
    if result.error is None:
        return "latexmk wrote no PDF"
    return json.dumps(result.error.model_dump(), ensure_ascii=False)
