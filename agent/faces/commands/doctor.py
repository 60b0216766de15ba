"""`instructedit doctor`: whether this machine can run it, and what to do where it cannot."""

import argparse
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands
from agent.faces.work import Work, working
from instructedit_models.doctor import Check
from instructedit_models.errors import InstructEditError

if TYPE_CHECKING:
    from agent.config import Settings

AGENT_PACKAGES = {
    "langchain": "langchain",
    "langchain-openai": "langchain_openai",
    "langgraph": "langgraph",
    "openai": "openai",
    "pydantic": "pydantic",
    "pydantic-settings": "pydantic_settings",
}


def configure(commands: Commands) -> None:
    """Adds `doctor`."""
    parser = commands.add_parser("doctor", help="check this machine: packages, device, models, language model")
    options.add_models(parser)
    options.add_llm(parser)
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> int:
    """Checks everything; exits 0 when all is well, 1 otherwise."""
    with working(output) as work:
        checks = _checks(args, work)
    well = all(check.ok for check in checks)
    output.result({"ok": well, "checks": [dataclasses.asdict(check) for check in checks]}, _text(checks))
    return 0 if well else 1


def _checks(args: argparse.Namespace, work: Work) -> list[Check]:
    from agent.faces.request import settings_of
    from instructedit_models import doctor
    from instructedit_models.types import Progress

    checks = [doctor.check_python()]
    packages = doctor.PACKAGES | AGENT_PACKAGES
    for step, (name, module) in enumerate(packages.items(), start=1):
        checks += doctor.check_packages({name: module})
        work.step(Progress("check", step, len(packages)))
    checks += [doctor.check_device(), doctor.check_memory()]
    try:
        settings = settings_of(args)
    except InstructEditError as error:
        return [*checks, Check("settings", False, str(error), "Change or unset it.")]
    checks += _model_sets(settings)
    checks.append(_llm(settings))
    folders = [Path.cwd(), Path(tempfile.gettempdir())]
    return checks + doctor.check_folders(folders if settings.workspace is None else [*folders, settings.workspace])


def _model_sets(settings: "Settings") -> list[Check]:
    from instructedit_models.doctor import check_model_sets
    from instructedit_models.model_sets import load_model_set, model_set_names

    def missing(name: str) -> list[str]:
        models = load_model_set(name, **settings.model_options | {"solver": "auto"})  # not every set has every solver
        return [component.role for component in models.status() if not component.present]

    return check_model_sets(dict.fromkeys([*model_set_names(), settings.models]), missing, settings.models)


def _llm(settings: "Settings") -> Check:
    """Whether the language model can be built; nothing is sent to it."""
    from agent.llm import build_chat_model, default_llm_spec

    spec = default_llm_spec(settings)
    try:
        build_chat_model(spec, settings)
    except InstructEditError as error:
        return Check("language model", False, f"{spec}: {error}", "Set the key, or use --llm offline.")
    server = (
        "" if not spec.startswith("openai:") else f" at {settings.openai_base_url or 'api.openai.com'}, not contacted"
    )
    return Check("language model", True, f"{spec}{server}")


def _text(checks: list[Check]) -> str:
    width = min(28, max(len(check.name) for check in checks))
    lines = []
    for check in checks:
        lines.append(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<{width}}  {check.detail}")
        if not check.ok and check.hint:
            lines.append(f"      {'':<{width}}  {check.hint}")
    failed = sum(not check.ok for check in checks)
    lines.append("All is well." if not failed else f"{failed} of {len(checks)} checks failed.")
    return "\n".join(lines)
