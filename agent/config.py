"""Settings, and the only place that reads the environment.

Commands and the web server call `load_settings()` once and hand the result on.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from instructedit_models.errors import BadParameterError

if TYPE_CHECKING:
    from instructedit_models.model_sets import ModelSet

OFFLINE = "offline"
"""The spec of the LLM that is no model at all but a grammar."""


class Settings(BaseSettings):
    """What may be set by INSTRUCTEDIT_* variables (OPENAI_* for the LLM's address and key).

    Attributes:
        models: name or path of the model set.
        llm: "offline" or "openai:MODEL"; None chooses by `default_llm_spec`.
        openai_api_key: the key; servers of one's own often need none.
        openai_base_url: another OpenAI-compatible server than OpenAI's.
        openai_model: the model that is asked when the LLM is chosen by the presence of a key or base URL.
        llm_timeout: seconds that one LLM call may take.
        llm_max_retries: retries of one LLM call after 429, 5xx and broken connections.
        llm_temperature: 0 makes runs repeatable; None leaves it to the server (some models take no other value).
        max_model_calls: LLM calls in one turn.
        max_tool_calls: tool calls in one turn.
        workspace: folder for pictures, masks and the edit graph; None for a temporary one.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        dtype: "auto", "float32", "float16", "bfloat16".
        offload: "auto" (what the model set says), "none", "model", "sequential".
        attention_slicing: compute attention in slices, for less memory; None for what the set says.
        compile: compile the UNet; None for what the set says.
        solver: "auto" (what the set says), "ddim", "dpm++", "lcm".
        safety: the NSFW checker: "auto", "off", "opennsfw", "diffusers" (see `instructedit_models.safety.build_guard`).
        safety_threshold: the score from which a picture is refused.
        safety_model: folder or repository of the diffusers checker; None for Stable Diffusion's own.
        refusals: whether instructions that break the rules of `prompts/policy.md` are refused.
        provenance: "full", "minimal" (without words that the person wrote) or "off".
        c2pa_certificate, c2pa_key: PEM files of the operator's certificate chain and private key; with both, saved
            pictures carry a signed C2PA manifest.
        c2pa_algorithm: of the key: "es256", "es384", "es512", "ps256", "ps384", "ps512" or "ed25519".
        c2pa_timestamp_url: a time-stamp authority; None for none, which needs no network.
    """

    model_config = SettingsConfigDict(env_prefix="INSTRUCTEDIT_", extra="ignore", frozen=True, populate_by_name=True)

    models: str = "miniature"
    llm: str | None = None
    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("INSTRUCTEDIT_OPENAI_API_KEY", "OPENAI_API_KEY")
    )
    openai_base_url: str | None = Field(
        default=None, validation_alias=AliasChoices("INSTRUCTEDIT_OPENAI_BASE_URL", "OPENAI_BASE_URL")
    )
    openai_model: str = "gpt-4o-mini"
    llm_timeout: float = Field(default=60.0, gt=0, le=3600)
    llm_max_retries: int = Field(default=2, ge=0, le=10)
    llm_temperature: float | None = Field(default=0.0, ge=0, le=2)
    max_model_calls: int = Field(default=20, ge=1, le=200)
    max_tool_calls: int = Field(default=20, ge=1, le=200)
    workspace: Path | None = None
    device: str = "auto"
    dtype: str = "auto"
    offload: str = "auto"
    attention_slicing: bool | None = None
    compile: bool | None = None
    solver: str = "auto"
    safety: Literal["auto", "off", "opennsfw", "diffusers"] = "auto"
    safety_threshold: float = Field(default=0.8, gt=0, le=1)
    safety_model: str | None = None
    refusals: bool = True
    provenance: Literal["full", "minimal", "off"] = "full"
    c2pa_certificate: Path | None = None
    c2pa_key: Path | None = None
    c2pa_algorithm: Literal["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"] = "es256"
    c2pa_timestamp_url: str | None = None

    @property
    def model_options(self) -> dict[str, Any]:
        """What `load_model_set` takes beside the set's name."""
        names = ("device", "dtype", "offload", "attention_slicing", "compile", "solver")
        return {name: getattr(self, name) for name in names}


def load_settings(**overrides: Any) -> Settings:
    """The settings from the environment; keyword arguments that are not None go before it.

    Raises:
        BadParameterError: a variable or an override has a value that cannot be used.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    unknown = sorted(set(given) - set(Settings.model_fields))
    if unknown:
        raise BadParameterError(f"There is no setting named {', '.join(unknown)}.")
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        variable = name if name.isupper() else f"INSTRUCTEDIT_{name.upper()}"
        raise BadParameterError(f"The setting {variable} cannot be used: {first['msg']}.") from None


def load_models(name: str | None = None, **overrides: Any) -> "ModelSet":
    """A model set on the device and in the way that the settings say; its models are loaded when they are first used.

    Every command, `agent.api`, scripted runs and replays load their models here.

    Args:
        name: a set or a TOML file; None for the one in the settings.
        overrides: as `load_settings` takes them.

    Raises:
        BadParameterError: there is no such set, device or way, or a setting cannot be used.
        ModelUnavailableError: the device is missing on this machine.
    """
    from instructedit_models.model_sets import load_model_set

    settings = load_settings(**overrides)
    return load_model_set(name or settings.models, **settings.model_options)


def default_llm_spec(settings: Settings) -> str:
    """The spec that is set; else OpenAI's when a key or a base URL is configured; else "offline"."""
    if settings.llm:
        return settings.llm
    if settings.openai_api_key is not None or settings.openai_base_url:
        return f"openai:{settings.openai_model}"
    return OFFLINE
