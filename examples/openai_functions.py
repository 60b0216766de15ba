"""The OpenAI client alone, without LangChain: a loop that offers the tools as functions and runs what is called.

    OPENAI_API_KEY=… python examples/openai_functions.py photo.jpg "Make the car on the left blue" -o out.png

With `--words` the model is offered one function that takes an instruction instead of fourteen with typed arguments.
Any server that speaks chat completions will do: set OPENAI_BASE_URL.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from openai import OpenAI

from agent.schemas import Functions
from agent.toolkit import InstructEditToolkit, ToolkitOptions

MOST_ROUNDS = 20


def converse(client: OpenAI, model: str, functions: Functions, messages: list[dict[str, Any]]) -> str:
    """Asks the model and runs what it calls, until it answers in words.

    Args:
        client: of OpenAI, or of a server like it.
        model: the language model's name.
        functions: what is offered.
        messages: the conversation so far; what is said is added to it.

    Raises:
        RuntimeError: the model comes to no end.
    """
    for _ in range(MOST_ROUNDS):
        answer = client.chat.completions.create(model=model, messages=messages, tools=functions.schemas())  # type: ignore[call-overload]
        message = answer.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        if not message.tool_calls:
            return message.content or ""
        for call in message.tool_calls:
            # Never raises for what the model may mend: a wrong call is answered with "Error: …".
            said = functions.run(call.function.name, call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": said})
    raise RuntimeError(f"The model came to no end within {MOST_ROUNDS} rounds.")


def main(arguments: list[str] | None = None) -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", type=Path)
    parser.add_argument("instruction")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--words", action="store_true", help="offer one function that takes an instruction in words")
    parser.add_argument("--model", default="gpt-4o-mini", help="the language model")
    parser.add_argument("--models", default="miniature", help="the model set that edits")
    given = parser.parse_args(arguments)
    with InstructEditToolkit.open(given.image, ToolkitOptions(models=given.models, llm="offline")) as toolkit:
        functions = toolkit.functions("edit" if given.words else "structured")
        system = "You have pictures edited." if given.words else toolkit.system_prompt()
        messages = [{"role": "system", "content": system}, {"role": "user", "content": given.instruction}]
        print(converse(OpenAI(), given.model, functions, messages))
        toolkit.save(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
