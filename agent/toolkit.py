"""InstructEdit inside another LangChain agent: a toolkit of all tools, or one tool that does as it is told in words.

    with InstructEditToolkit.open("photo.png") as toolkit:
        agent = create_agent(model, toolkit.get_tools(), system_prompt=toolkit.system_prompt())   # or
        agent = create_agent(model, [toolkit.edit_image_tool()])
        ...
        toolkit.save("out.png")

Pictures never pass through the outer agent's messages: it reads and writes ids, the host takes the pictures out here.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from langchain_core.tools import BaseTool, BaseToolkit, StructuredTool, ToolException
from PIL import Image
from pydantic import BaseModel, ConfigDict, PrivateAttr

from agent.api import chat_model_for, loaded_picture, settings_for
from agent.schemas import EDIT_DESCRIPTION, EDIT_NAME, EditInstruction, Functions, Offer, misfit
from agent.session import Session, system_prompt
from instructedit_models.errors import CancelledError, InstructEditError
from instructedit_models.imaging import LoadedImage
from prompts import tool_description
from tools.context import EditOverrides, Models
from tools.registry import TOOLS
from tools.workspace import Workspace

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from agent.events import EventCallback

__all__ = ["InstructEditToolkit", "ToolkitOptions"]


@dataclass(frozen=True)
class ToolkitOptions:
    """What `InstructEditToolkit.open` may be told beside the picture.

    Attributes:
        models: a model set, or the name of one.
        llm: the language model of `edit_image_tool`: "offline", "openai:MODEL", a chat model, or None for what the
            environment says; the tools of `get_tools` use none.
        overrides: parameters to fix for all edits.
        yes: take the best candidate where several tie, instead of asking.
        workspace: where the conversation is kept; None for a temporary place that `close` deletes.
        on_event: receives every event of `agent.events`; raising CancelledError in it stops the work.
    """

    models: str | Models = "miniature"
    llm: str | BaseChatModel | None = None
    overrides: EditOverrides = EditOverrides()
    yes: bool = False
    workspace: str | PathLike[str] | None = None
    on_event: EventCallback | None = None


class InstructEditToolkit(BaseToolkit):
    """The tools over one conversation about one or more pictures.

    Attributes:
        session: the conversation; build one yourself, or let `open` do it.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    session: Session
    _workspace: Workspace | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=RLock)
    _functions: dict[Offer, Functions] = PrivateAttr(default_factory=dict)

    @classmethod
    def open(
        cls, image: str | PathLike[str] | Image.Image | LoadedImage, options: ToolkitOptions | None = None
    ) -> Self:
        """Begins a conversation about a picture, which becomes `image_1`; close it, or use it in a `with` statement.

        Args:
            image: a file, a PIL picture, or what `imaging.load_image` read.
            options: models, language model and the rest.

        Raises:
            BadImageError: the picture cannot be read.
            BadParameterError: there is no such model set or language model.
            ModelUnavailableError: weights, a package or a device are missing.
        """
        options = options or ToolkitOptions()
        picture, source = _picture(image)
        models = options.models
        if isinstance(models, str):
            from agent.config import load_models

            models = load_models(models)
        chat_model, spec, limits = chat_model_for(options.llm)
        settings = settings_for(options.overrides, options.yes, models)
        workspace = Workspace.temporary() if options.workspace is None else Workspace(Path(options.workspace))
        try:
            session = Session(
                models,
                chat_model,
                workspace.start(picture, source),
                llm=spec,
                settings=settings,
                limits=limits,
                on_event=options.on_event,
            )
        except BaseException:
            workspace.close()
            raise
        toolkit = cls(session=session)
        toolkit._workspace = workspace
        return toolkit

    def close(self) -> None:
        """Closes the workspace that `open` made."""
        if self._workspace is not None:
            self._workspace.close()
            self._workspace = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get_tools(self) -> list[BaseTool]:
        """Every tool with typed arguments: segment, edit_image (inside a mask), undo and so on.

        An error becomes the tool's answer, so that the outer agent can mend it; only CancelledError is raised.
        """
        return [self._tool("structured", name, tool_description(name), tool.arguments) for name, tool in TOOLS.items()]

    def edit_image_tool(self) -> BaseTool:
        """One tool, `edit_image`, that does what an instruction in words says; our own agent works inside it."""
        return self._tool("edit", EDIT_NAME, EDIT_DESCRIPTION, EditInstruction)

    def functions(self, offer: Offer = "structured") -> Functions:
        """The same as OpenAI functions; every caller of a toolkit waits for the one before."""
        return self._functions.setdefault(offer, Functions(self.session, offer, self._lock))

    def system_prompt(self) -> str:
        """How the tools are used together, for an agent that is given all of them, with the current picture's id."""
        return f"{system_prompt()}\n\nThe current picture is {self.session.conversation.current_id}."

    def add_image(self, image: str | PathLike[str] | Image.Image | LoadedImage) -> str:
        """Adds another original, makes it current and returns its id; raises as `open`."""
        return self.session.conversation.add_image(*_picture(image))

    def image(self, image_id: str | None = None) -> Image.Image:
        """A version, PIL RGB, by default the current one.

        Raises:
            BadParameterError: there is none of that id.
        """
        conversation = self.session.conversation
        return conversation.image(image_id or conversation.current_id).copy()

    def save(self, path: str | PathLike[str], image_id: str | None = None) -> tuple[str, ...]:
        """Writes a version, by default the current one, with what its original file held and how it was made.

        Returns:
            Sentences on what could not be kept.

        Raises:
            BadOutputError: the file cannot be written there, or is the original.
            BadParameterError: there is no such version.
        """
        from agent.saving import save_version

        conversation = self.session.conversation
        return save_version(conversation, image_id or conversation.current_id, Path(path))

    def _tool(self, offer: Offer, name: str, description: str, arguments: type[BaseModel]) -> BaseTool:
        functions = self.functions(offer)

        def run(**given: Any) -> str:
            try:
                return functions.call(name, given).text
            except CancelledError:
                raise
            except InstructEditError as error:
                raise ToolException(f"Error: {error}") from error

        return StructuredTool.from_function(
            func=run,
            name=name,
            description=description,
            args_schema=arguments,
            handle_tool_error=True,
            handle_validation_error=lambda error: f"Error: {misfit(name, error)}",
        )


def _picture(image: str | PathLike[str] | Image.Image | LoadedImage) -> tuple[Image.Image, str]:
    """RGB pixels, and where they came from."""
    source = str(Path(image).resolve()) if isinstance(image, str | PathLike) else ""
    return loaded_picture(image).image, source
