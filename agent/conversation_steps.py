"""What the tools answered, as the offline chat model reads it: a step of a conversation, and what stands in its text.

`agent.conversation_reading` puts the steps of a conversation together.
"""

import re
from dataclasses import dataclass
from typing import Any

from agent.grammar.number import singular

__all__ = ["IMAGE", "MADE", "Candidate", "Step"]

IMAGE = re.compile(r"\bimage_\d+\b")
_RATIO = re.compile(r"encoding ratio (\d*\.?\d+)")
_VERSION = re.compile(r"^(image_\d+)( \(current\))?: from (image_\d+),", re.MULTILINE)
_LINE = re.compile(
    r"^(image_\d+)(?: \(current\))?: from (image_\d+)(?:, made again from (image_\d+))?, "
    r"(?:'(.*?)' \(mask_\d+\): '(.*?)' -> '(.*?)'|(without the edit of image_\d+))",
    re.MULTILINE,
)
MADE = re.compile(r"^(image_\d+) made from (image_\d+)(?: inside (mask_\d+))?")
_VARIED = re.compile(r"^((?:image_\d+, )*image_\d+) are variations of (image_\d+)")
_CURRENT = re.compile(r"(image_\d+) is current")
_CANDIDATE = re.compile(r"(?:^|; )(r\d+) = (mask_\d+) (.+?) (\d?\.\d+|\d) box \([^)]*\) area \S+ ?([^;.]*)")
_MAKING = frozenset({"edit_image", "adjust_edit", "variations", "reapply_edit"})


@dataclass(frozen=True)
class Candidate:
    """One of several things that a segmentation prompt may mean, as the tool segment lists it.

    Attributes:
        id: "r2".
        mask_id: its mask.
        phrase: what it was found as, "red box".
        place: where it is, "left".
    """

    id: str
    mask_id: str
    phrase: str
    place: str


@dataclass(frozen=True)
class Step:
    """A tool call that was answered.

    Attributes:
        name: the tool.
        arguments: what it was called with.
        text: its answer.
        ok: it did not fail.
    """

    name: str
    arguments: dict[str, Any]
    text: str
    ok: bool

    @property
    def cause(self) -> str:
        """The sentence of a failure, without the hints that are meant for the LLM."""
        line = next((line.strip() for line in self.text.splitlines() if line.strip()), "the tool gave no answer")
        return line.removeprefix("Error: ")

    @property
    def ambiguous(self) -> bool:
        """Whether it is a segmentation that the person has to decide."""
        return self.ok and self.name == "segment" and self.text.startswith("ambiguous:")

    @property
    def tied(self) -> bool:
        """Whether it is a segmentation that fits several things, of which the person has to choose or one was taken."""
        return self.ok and self.name == "segment" and " things equally well" in self.text

    def identifier(self, kind: str) -> str | None:
        """The first "image_3" or "mask_2" that the answer names."""
        match = re.search(rf"\b{kind}_\d+\b", self.text)
        return match.group() if match else None

    def masked_as(self, mask_id: str) -> str | None:
        """What a segmentation was asked for where it made that mask, or what it found as one of its candidates."""
        if not self.ok or self.name != "segment":
            return None
        if self.identifier("mask") == mask_id and not self.ambiguous:
            return str(self.arguments.get("segmentation_prompt"))
        return next((match[2] for match in _CANDIDATE.findall(self.text) if match[1] == mask_id), None)

    def encoding_ratio(self, image_id: str) -> float | None:
        """The ratio that the answer gives for a picture, in a line that begins with its id."""
        for line in self.text.splitlines():
            if re.match(rf"{image_id}\b", line) and (match := _RATIO.search(line)):
                return float(match.group(1))
        return None

    def depth(self, image_id: str) -> int:
        """How many edits lead to a picture, by the list of versions."""
        parents = {child: parent for child, _, parent in _VERSION.findall(self.text)}
        edits = 0
        while image_id in parents and edits <= len(parents):
            image_id, edits = parents[image_id], edits + 1
        return edits

    def changes(self) -> list[str]:
        """What led to the current picture, edit by edit, by the list of versions."""
        found: list[str] = []
        for image_id, prompt, before, after, taken_out in self._leading():
            words = (caption.split(" of ", 1)[-1] for caption in (before, after))
            found.append(f"{image_id}: {taken_out}" if taken_out else f"{image_id}: {prompt}, {' to '.join(words)}")
        return found

    def edit_about(self, words: str) -> str | None:
        """The newest edit behind the current picture that was about a thing, by the list of versions."""
        wanted = _content(words) - {"one"}
        gone = {match for line in self._leading() for match in IMAGE.findall(line[4])}
        for image_id, prompt, before, after, taken_out in reversed(self._leading()):
            if not taken_out and image_id not in gone and wanted and wanted <= _content(f"{prompt} {before} {after}"):
                return image_id
        return None

    def made_again(self, image_id: str) -> bool:
        """Whether an edit only made an earlier one again, by the list of versions."""
        return any(line[0] == image_id and line[2] for line in _LINE.findall(self.text))

    def _leading(self) -> list[tuple[str, str, str, str, str]]:
        """The listed versions that lead to the current one: id, prompt, both captions, what was taken out."""
        lines = {match[0]: match for match in _LINE.findall(self.text)}
        current = re.search(r"^(image_\d+) \(current\)", self.text, re.MULTILINE)
        image_id = current.group(1) if current else ""
        found: list[tuple[str, str, str, str, str]] = []
        while image_id in lines and len(found) <= len(lines):
            _, origin, parent, prompt, before, after, taken_out = lines[image_id]
            found.insert(0, (image_id, prompt, before, after, taken_out))
            image_id = parent or origin
        return found

    def made(self) -> tuple[str, ...]:
        """The pictures that an edit made, the one that became current last; () where it made none."""
        if not self.ok or self.name not in _MAKING:
            return ()
        if match := _VARIED.match(self.text):
            current = _CURRENT.search(self.text)
            ids = match.group(1).split(", ")
            return tuple(sorted(ids, key=lambda each: current is not None and each == current.group(1)))
        match = MADE.match(self.text)
        return (match.group(1),) if match else ()

    def candidates(self) -> tuple[Candidate, ...]:
        """The things that tie in an ambiguous segmentation, in the order in which the person was asked."""
        sentence, _, listed = self.text.partition("Candidates: ")
        return _listed(listed, re.findall(r"\b(r\d+) \(", sentence))

    def chosen(self) -> tuple[Candidate, ...]:
        """The things that a segmentation masked; () where the person has to decide, or it failed."""
        if not self.ok or self.ambiguous or self.name != "segment":
            return ()
        sentence, _, listed = self.text.partition("Candidates: ")
        return _listed(listed, re.findall(r"\br\d+\b", sentence.partition(" = ")[2]))


def _listed(listed: str, ids: list[str]) -> tuple[Candidate, ...]:
    """Those of the listed candidates that are named, in the order named."""
    matches = _CANDIDATE.findall(listed)
    found = {match[0]: Candidate(match[0], match[1], match[2], match[4].strip()) for match in matches}
    return tuple(found[each] for each in ids if each in found)


def _content(text: str) -> set[str]:
    """The words that say something, in the singular."""
    return {singular(word) for word in re.findall(r"[a-z0-9'-]+", text.lower())} - {
        "the",
        "a",
        "an",
        "of",
        "on",
        "photo",
    }
