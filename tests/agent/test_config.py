"""Settings come from the environment, and a bad value is one sentence."""

import ast
from pathlib import Path

import pytest
from PIL import Image

from agent.config import Settings, load_models, load_settings
from instructedit_models.errors import BadParameterError


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch):
    import os

    for name in list(os.environ):
        if name.startswith(("INSTRUCTEDIT_", "OPENAI_")):
            monkeypatch.delenv(name)


def test_defaults():
    settings = load_settings()
    assert (settings.models, settings.llm, settings.openai_api_key, settings.openai_base_url) == (
        "miniature",
        None,
        None,
        None,
    )


def test_the_environment_is_read_and_overrides_go_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("INSTRUCTEDIT_MODELS", "sd15")
    monkeypatch.setenv("INSTRUCTEDIT_LLM_TIMEOUT", "7.5")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    settings = load_settings(llm="offline", device=None)
    assert (settings.models, settings.llm_timeout, settings.llm, settings.device) == ("sd15", 7.5, "offline", "auto")
    assert settings.openai_base_url == "http://localhost:1/v1"
    assert settings.openai_api_key is not None and settings.openai_api_key.get_secret_value() == "sk-secret"
    assert "sk-secret" not in repr(settings)
    assert load_settings(models="miniature", openai_base_url="http://b/v1").openai_base_url == "http://b/v1"


@pytest.mark.parametrize(("name", "value"), [("LLM_TIMEOUT", "soon"), ("LLM_TIMEOUT", "0"), ("LLM_MAX_RETRIES", "-1")])
def test_a_bad_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(f"INSTRUCTEDIT_{name}", value)
    with pytest.raises(BadParameterError, match=f"INSTRUCTEDIT_{name}"):
        load_settings()


def test_an_unknown_override_is_refused():
    with pytest.raises(BadParameterError, match="colour"):
        load_settings(colour="red")


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Settings().models = "other"


def test_nothing_else_reads_the_environment():
    root = Path(__file__).parents[2]
    for path in [*root.glob("agent/**/*.py"), *root.glob("tools/**/*.py"), *root.glob("prompts/*.py")]:
        if path.name == "config.py":
            continue
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
                line = source.splitlines()[node.lineno - 1]
                assert "environ.setdefault(" in line, f"{path}:{node.lineno} reads the environment"


def test_models_are_loaded_in_one_way_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line, the library, scripted runs and replays all read the settings of device, solver and the rest."""
    import argparse

    from agent.api import edit_image
    from agent.batch_worker import JobWorker
    from agent.faces.request import model_options_of, model_set_of

    asked: list[tuple[str, dict]] = []

    class Asked(Exception):
        pass

    def load(name: str, **options: object) -> None:
        asked.append((name, options))
        raise Asked

    monkeypatch.setattr("instructedit_models.model_sets.load_model_set", load)
    monkeypatch.setenv("INSTRUCTEDIT_OFFLOAD", "sequential")
    monkeypatch.setenv("INSTRUCTEDIT_SOLVER", "dpm++")
    args = argparse.Namespace(models="light", solver="ddim", compile=None)
    picture = Image.new("RGB", (16, 16))
    for ask in (
        lambda: model_set_of(args),
        lambda: edit_image(picture, "make it red", models="light", llm="offline"),
        lambda: JobWorker()._set("light"),
        lambda: load_models("light", solver="ddim"),
        lambda: load_models(),
    ):
        with pytest.raises(Asked):
            ask()
    assert [name for name, _ in asked] == ["light"] * 4 + ["miniature"]
    assert [options["solver"] for _, options in asked] == ["ddim", "dpm++", "dpm++", "ddim", "dpm++"]
    assert {options["offload"] for _, options in asked} == {"sequential"}
    assert model_options_of(args) == {"solver": "ddim"}
