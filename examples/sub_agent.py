"""A larger LangChain agent that uses InstructEdit as one of its tools.

    OPENAI_API_KEY=… python examples/sub_agent.py photo.jpg "Make the car blue, and note what it shows" -o out

The outer agent here prepares a picture for a web page: it has the picture edited by `edit_image`, inside which our own
agent plans, looks, finds, masks and checks, and it writes the alternative text with a tool of its own. The outer agent
never sees pixels and never learns how an edit is made.
"""

import argparse
import sys
from pathlib import Path

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import BaseTool, tool
from langchain_openai import ChatOpenAI

from agent.toolkit import InstructEditToolkit, ToolkitOptions

PROMPT = (
    "You prepare pictures for a web page. Have the picture edited with edit_image, one change after the other, and end "
    "by writing its alternative text. If edit_image asks something that the person has not said, ask the person."
)


def alternative_text(folder: Path) -> BaseTool:
    """A tool of the outer agent that has nothing to do with InstructEdit."""

    @tool
    def write_alternative_text(text: str) -> str:
        """Writes what the finished picture shows, for people who cannot see it."""
        (folder / "picture.txt").write_text(text + "\n", encoding="utf-8")
        return "Written."

    return write_alternative_text


def prepare(image: Path, request: str, folder: Path, options: ToolkitOptions, model: str) -> str:
    """Runs the outer agent once; returns its closing words. The picture is written to `folder/picture.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    with InstructEditToolkit.open(image, options) as toolkit:
        tools = [toolkit.edit_image_tool(), alternative_text(folder)]
        agent = create_agent(ChatOpenAI(model=model), tools, system_prompt=PROMPT)
        state = agent.invoke({"messages": [HumanMessage(request)]})
        toolkit.save(folder / "picture.png")
    return str(state["messages"][-1].text)


def main(arguments: list[str] | None = None) -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", type=Path)
    parser.add_argument("request", help="what you want, in your own words")
    parser.add_argument("-o", "--output", type=Path, required=True, help="a folder for picture and text")
    parser.add_argument("--model", default="gpt-4o-mini", help="the outer agent's language model")
    parser.add_argument("--llm", default="offline", help="the language model of the editing agent inside")
    parser.add_argument("--models", default="miniature", help="the model set that edits")
    given = parser.parse_args(arguments)
    options = ToolkitOptions(models=given.models, llm=given.llm)
    print(prepare(given.image, given.request, given.output, options, given.model))
    return 0


if __name__ == "__main__":
    sys.exit(main())
