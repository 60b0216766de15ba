"""Text as data: system prompt, task template, examples, tool descriptions.

The agent and the tools render these files by name; the hash of what was rendered goes on record with every run.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

__all__ = [
    "PromptError",
    "content_hash",
    "examples",
    "names",
    "render",
    "tool_description",
    "variables",
    "worded_examples",
]

_FOLDER = Path(__file__).parent
_SUFFIXES = frozenset({".md", ".txt", ".json"})
_VARIABLE = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")


class PromptError(ValueError):
    """A prompt file is missing, or its variables and the given ones differ."""


def names() -> tuple[str, ...]:
    """The names of all prompt files, sorted: "examples.json", "system.md" and so on."""
    files = (path for path in _FOLDER.rglob("*") if path.suffix in _SUFFIXES)
    return tuple(sorted(path.relative_to(_FOLDER).as_posix() for path in files))


def variables(name: str) -> tuple[str, ...]:
    """The variables that the file names as `{{variable}}`, in order of appearance."""
    return tuple(dict.fromkeys(_VARIABLE.findall(_read(name))))


def render(name: str, **values: str) -> str:
    """The text of a prompt file with every `{{variable}}` replaced, in one pass, by the value given.

    Raises:
        PromptError: the file does not exist, a variable has no value, or a value no variable.
    """
    text = _read(name)
    wanted = set(variables(name))
    if wanted != set(values):
        missing, unknown = sorted(wanted - set(values)), sorted(set(values) - wanted)
        raise PromptError(f"prompts/{name}: missing variables {missing}, unknown variables {unknown}")
    return _VARIABLE.sub(lambda match: values[match.group(1)], text).rstrip("\n")


def tool_description(tool: str) -> str:
    """What the LLM is told of a tool: the text of `tools/<tool>.md`."""
    return render(f"tools/{tool}.md")


def examples(name: str = "examples.json") -> list[dict[str, Any]]:
    """The few-shot examples of a file: each an instruction, a description or None, and the plan to answer with."""
    return json.loads(_read(name))


def worded_examples() -> str:
    """The few-shot examples as text, for the `{{examples}}` of a prompt."""
    return "\n\n".join(
        f"Instruction: {example['instruction']}\n"
        + (f"Description: {example['description']}\n" if example["description"] else "")
        + f"Plan: {json.dumps(example['answer'], ensure_ascii=False)}"
        for example in examples()
    )


def content_hash(*chosen: str) -> str:
    """SHA-256, 16 hex digits, over the named files (all of them when none is named) and their contents."""
    digest = hashlib.sha256()
    for name in sorted(chosen or names()):
        digest.update(f"{name}\0{_read(name)}\0".encode())
    return digest.hexdigest()[:16]


def _read(name: str) -> str:
    path = _FOLDER / name
    if path.suffix not in _SUFFIXES or ".." in path.parts or not path.is_file():
        raise PromptError(f"There is no prompt file {name!r}; there are {', '.join(names())}.")
    return path.read_text(encoding="utf-8")
