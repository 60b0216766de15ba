"""Tool `ask_image`: any question about the picture, answered by BLIP-2 in a few words."""

from pydantic import Field

from instructedit_models.errors import BadParameterError, UnknownWordError
from tools.base import Arguments, Tool
from tools.context import ToolContext, ToolResult
from tools.events import Described

__all__ = ["AskImage", "AskImageArguments"]


class AskImageArguments(Arguments):
    """Which picture and what about it."""

    image_id: str = Field(description="The picture, e.g. image_1.")
    question: str = Field(description="A short question, e.g. 'what colour is the car on the left?'.")


class AskImage(Tool[AskImageArguments]):
    """Answers a question about a picture."""

    name = "ask_image"
    description = "Answers one short question about what the picture shows."
    arguments = AskImageArguments

    def run(self, context: ToolContext, arguments: AskImageArguments) -> ToolResult:
        """The answer; where the question has words that the describer does not know, what it says of the picture.

        Raises:
            BadParameterError: the question is empty.
        """
        question = arguments.question.strip()
        if not question:
            raise BadParameterError("The question is empty; ask one about the picture.")
        image = context.conversation.image(arguments.image_id)
        with context.turn.timed("describe"):
            try:
                answer = context.models.describer.ask(image, question)
            except UnknownWordError as error:
                seen = context.models.describer.describe(image).text
                words = ", ".join(repr(word) for word in error.words)
                answer = f"I do not know the word {words}; what I see is {seen}."
        context.emit(Described(image_id=arguments.image_id, text=answer, question=question))
        return ToolResult(answer, image_id=arguments.image_id)
