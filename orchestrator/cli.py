"""The command line: reads what the user says, calls the work, tells what came of it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.errors import OrchError

if TYPE_CHECKING:
    from orchestrator.loop import Outcome
    from orchestrator.session import Session

app = typer.Typer(
    help="Drives a language model through research: plan, edit, run, measure, write. Believes only what it measured.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
paper = typer.Typer(help="The paper of a session.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(paper, name="paper")

IdeaFile = Annotated[Path, typer.Argument(metavar="IDEA.json", help="The idea: a JSON file.")]
SessionFolder = Annotated[Path, typer.Argument(metavar="SESSION", help="A session's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
Usd = Annotated[float | None, typer.Option(help="Stop before the models cost more than this.", min=0)]
Tokens = Annotated[int | None, typer.Option(help="Stop before more tokens than this are used.", min=0)]
Hours = Annotated[float | None, typer.Option(help="Stop after this many hours at work.", min=0)]
GpuHours = Annotated[float | None, typer.Option(help="Stop before the jobs use more GPU hours than this.", min=0)]


@app.command()
def run(
    idea: IdeaFile,
    experiment: Annotated[str, typer.Option(help="A shipped experiment's name, or a folder.")] = "sae_variants",
    idea_name: Annotated[str | None, typer.Option("--idea", help="Which idea, where the file holds a list.")] = None,
    model: Annotated[str | None, typer.Option(help="As litellm names it, or cassette:FILE.")] = None,
    advisor_model: Annotated[str | None, typer.Option(help="Comments on each run; default: the model.")] = None,
    reviewer_model: Annotated[str | None, typer.Option(help="Reviews the paper; default: the model.")] = None,
    editor_model: Annotated[str | None, typer.Option(help="Turns the coder's answers into edits.")] = None,
    runs: Annotated[int, typer.Option(help="The most runs there may be.", min=1)] = 5,
    seeds: Annotated[int, typer.Option(help="Seeds of the baselines and of the best run.", min=1)] = 3,
    out: Annotated[Path | None, typer.Option(help="The session's folder; default: sessions/NAME-TIME.")] = None,
    executor: Annotated[str, typer.Option(help="Where jobs run: local.")] = "local",
    gpus: Annotated[str, typer.Option(help="GPUs that jobs may use, as in 0,1.")] = "",
    budget_usd: Usd = None,
    budget_tokens: Tokens = None,
    budget_hours: Hours = None,
    budget_gpu_hours: GpuHours = None,
    no_paper: Annotated[bool, typer.Option("--no-paper", help="Stop after the runs.")] = False,
    network: Annotated[bool, typer.Option("--network", help="Let jobs use the network.")] = False,
    no_sandbox: Annotated[bool, typer.Option("--no-sandbox", help="Run the model's code without a sandbox.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop where a cassette's prompt differs.")] = False,
    as_json: Json = False,
) -> None:
    """Work an idea from plan to paper."""
    from orchestrator import assembly
    from orchestrator.experiment import find_experiment
    from orchestrator.idea import load_idea
    from orchestrator.session import create_session, new_folder

    wanted, start = load_idea(idea, idea_name), find_experiment(experiment)
    folder = new_folder(wanted, out)
    settings = assembly.settings(
        experiment=experiment, model=model, advisor_model=advisor_model, reviewer_model=reviewer_model,
        editor_model=editor_model, runs=runs, seeds=seeds, executor=executor, gpus=gpus, budget_usd=budget_usd,
        budget_tokens=budget_tokens, budget_hours=budget_hours, budget_gpu_hours=budget_gpu_hours, paper=not no_paper,
        network=network, sandbox=not no_sandbox, strict=strict,
    )  # fmt: skip
    assembly.check_machine(settings)
    session = create_session(folder, wanted, start, settings)
    _go(session, as_json)


@app.command()
def resume(
    session: SessionFolder,
    from_run: Annotated[str | None, typer.Option("--from", help="Fork a new session from before this run.")] = None,
    model: Annotated[str | None, typer.Option(help="Go on with another model.")] = None,
    runs: Annotated[int | None, typer.Option(help="Another limit on runs.", min=1)] = None,
    out: Annotated[Path | None, typer.Option(help="The fork's folder.")] = None,
    budget_usd: Usd = None,
    budget_tokens: Tokens = None,
    budget_hours: Hours = None,
    budget_gpu_hours: GpuHours = None,
    as_json: Json = False,
) -> None:
    """Continue a session where it stopped, or fork it."""
    from orchestrator import assembly
    from orchestrator.session import Session, fork_session, new_folder

    if from_run is None:
        opened = Session(session)
    else:
        source = Session(session, read_only=True)
        folder = new_folder(source.idea, out)
        source.close()
        opened = fork_session(session, from_run, folder)
    changed = {"runs": runs, "budget_usd": budget_usd, "budget_tokens": budget_tokens, "budget_hours": budget_hours,
               "budget_gpu_hours": budget_gpu_hours}  # fmt: skip
    opened.settings = assembly.changed_settings(opened.settings, model, changed)
    assembly.check_machine(opened.settings)
    _go(opened, as_json)


def _go(session: Session, as_json: bool) -> None:
    """The session at work, whatever it comes to recorded."""
    from orchestrator import assembly
    from orchestrator.loop import run_session

    with assembly.at_work(session) as work:
        outcome = run_session(work)
    _print_outcome(session, outcome, as_json)
    if outcome.best is None:
        raise typer.Exit(1)


def _print_outcome(session: Session, outcome: Outcome, as_json: bool) -> None:
    if as_json:
        _print_json({
            "session": str(session.folder), "sound_runs": outcome.sound_runs, "failed_runs": outcome.failed_runs,
            "best": outcome.best, "paper": str(outcome.paper) if outcome.paper else None,
        })  # fmt: skip
        return
    print(f"session: {session.folder}")
    print(f"runs: {outcome.sound_runs} sound, {outcome.failed_runs} failed; best: {outcome.best or 'none'}")
    if outcome.paper:
        print(f"paper: {outcome.paper}")


@paper.command("build")
def paper_build(session: SessionFolder, as_json: Json = False) -> None:
    """Write what is not written yet, check every claim, compile."""
    from orchestrator import assembly
    from orchestrator.loop import finish_paper
    from orchestrator.session import Session

    opened = Session(session)
    with assembly.at_work(opened) as work:
        outcome = finish_paper(work)
    _print_outcome(opened, outcome, as_json)


@paper.command("check")
def paper_check(session: SessionFolder, as_json: Json = False) -> None:
    """Check every claim of the paper as it stands; exit 4 where one is not supported."""
    from orchestrator.steps.checking import check_session

    found = check_session(session)
    if as_json:
        _print_json(found.data())
    else:
        print("\n".join(found.lines()))
    if found.unsupported or found.problems:
        raise typer.Exit(4 if found.unsupported else 1)


@paper.command("review")
def paper_review(session: SessionFolder, as_json: Json = False) -> None:
    """Review the paper as it stands."""
    from orchestrator import assembly
    from orchestrator.session import Session
    from orchestrator.steps.finishing import review_again

    with assembly.at_work(Session(session)) as work:
        form = review_again(work)
    _print_json(form) if as_json else print(json.dumps(form, indent=1, ensure_ascii=False))


@app.command()
def status(
    session: Annotated[Path | None, typer.Argument(metavar="[SESSION]", help="One session; default: all here.")] = None,
    as_json: Json = False,
) -> None:
    """Every session, or one: runs, metrics, guards, cost, what is happening now."""
    from orchestrator.report.status import all_statuses, as_lines, session_status, to_data

    if session is not None:
        one = session_status(session)
        _print_json(to_data(one)) if as_json else print("\n".join(as_lines(one)))
        return
    every = all_statuses(Path())
    if as_json:
        _print_json([to_data(s) for s in every])
        return
    for each in every:
        print(f"{each.session:<50} {each.state:<10} {len(each.runs):>3} runs  {each.title}")
    if not every:
        print("no sessions here; `orch run IDEA.json` begins one")


@app.command()
def show(session: SessionFolder, run: str, as_json: Json = False) -> None:
    """A run's diff, metrics against baseline and parent, guards, log tail."""
    from orchestrator.report.show import as_lines, show_run

    data = show_run(session, run)
    _print_json(data) if as_json else print("\n".join(as_lines(data)))


@app.command()
def verify(session: SessionFolder, as_json: Json = False) -> None:
    """Check all evidence of a session again, from its files; exit 4 where something no longer holds."""
    from orchestrator.report.verify import as_lines, verify_session

    found = verify_session(session)
    _print_json([f.model_dump() for f in found]) if as_json else print("\n".join(as_lines(found)))
    if any(f.outcome == "fail" for f in found):
        raise typer.Exit(4)


@app.command()
def doctor(as_json: Json = False) -> None:
    """What this machine has and lacks, and the command that mends it."""
    from orchestrator.doctor import examine

    found = examine()
    if as_json:
        _print_json([check.model_dump() for check in found])
    else:
        print("\n".join(check.line() for check in found))
    if any(check.needed and not check.ok for check in found):
        raise typer.Exit(1)


def _print_json(data: Any) -> None:
    from orchestrator.records import to_json_data

    print(json.dumps(to_json_data(data), indent=1, ensure_ascii=False))


def main() -> None:
    """The command `orch`: errors told in a line or two, with the exit code that says what kind they are."""
    debug = "--debug" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        app(args=arguments, prog_name="orch", standalone_mode=True)
    except OrchError as error:
        if debug:
            raise
        print(f"orch: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("orch: interrupted; `orch resume` goes on", file=sys.stderr)
        os._exit(130)
    except BrokenPipeError:
        os._exit(1)
    except Exception as error:
        if debug:
            raise
        print(f"orch: {type(error).__name__}: {error} (--debug shows where)", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
