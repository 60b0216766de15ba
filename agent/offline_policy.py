"""Which tool comes next, once it is understood what the person wants. `agent.offline_llm` asks after every answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.conversation_reading import Made, PastTurn, Reading, Step
from agent.grammar import CAN_DO, Understanding
from agent.grammar.classes import description_of, names_class, nouns_of_class
from agent.grammar.description import Scene, parse_description
from agent.grammar.owning import part_it_may_have
from agent.offline_words import changes, question, result
from agent.plans import EditPlan

__all__ = ["Call", "Policy", "Words"]

_RATIOS = (0.1, 1.0)
_GUIDANCE, _MORE_GUIDANCE = 13.0, 3.0
"""The guidance scale of "stronger" at an encoding ratio of 1, and what each further "stronger" adds."""
_OBJECT = "object"
"""The segmentation prompt for "any thing", where the instruction names none."""
_NO_TOOL = "I cannot edit pictures here: the tools for it are missing."


@dataclass(frozen=True)
class Call:
    """A tool call to make."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Words:
    """The last words of a turn, and what kind of turn it was."""

    text: str
    kind: str


class Policy:
    """Decides the next step of one turn from what its tools answered so far."""

    def __init__(self, reading: Reading, tools: frozenset[str], understand: Callable[[Reading], Understanding]) -> None:
        """Keeps what it decides from.

        Args:
            reading: the conversation.
            tools: names of the tools there are.
            understand: understands a turn, for what is asked for after a move ("go back to the cat and make it red").
        """
        self.reading = reading
        self.tools = tools
        self.understand = understand

    def next(self, wanted: Understanding) -> Call | Words:
        """The next tool call of this turn, or its last words."""
        kind, image_id = wanted.kind, self.reading.image_id
        if kind == "cannot_parse":
            return Words(wanted.message or CAN_DO, "cannot_parse")
        if kind == "cancelled":
            return Words(wanted.message or "All right.", "answer")
        if kind == "question":
            asked = {"image_id": image_id, "question": wanted.question}
            return self._once("ask_image", asked, lambda text: Words(text, "answer"))
        if kind == "versions":
            return self._history()
        if kind in ("undo", "redo", "go_back"):
            return self._moved(wanted)
        if kind == "take_out":
            return self._taken_out(wanted)
        if kind == "feedback":
            return self._adjusted(wanted)
        if kind == "name":
            return self._named(wanted)
        if kind == "variations":
            arguments = {"image_id": image_id, "count": wanted.steps}
            return self._once("variations", arguments, lambda text: Words(text, "edit"))
        return self._edited(wanted)

    def _history(self) -> Call | Words:
        versions = self.reading.last("list_versions")
        if versions is None or not versions.ok:
            return self._once("list_versions", {}, lambda text: Words(text, "answer"))
        return Words(changes(versions), "answer")

    def _named(self, wanted: Understanding) -> Call | Words:
        """Saves the mask of what is to be called by a name, which is looked for where it was not edited last."""
        reading = self.reading
        if "name_mask" not in self.tools:
            return Words(wanted.message or CAN_DO, "cannot_parse")
        last = reading.edit_of(reading.image_id)
        mask_id = self._known_place(wanted, last) if wanted.thing else last.mask_id if last else None
        if isinstance(mask_id, Call):
            return mask_id
        if mask_id is None and not wanted.thing:
            example = f'for example "call the dog the {wanted.name}"'
            return Words(
                f'Nothing was edited yet; say what is to be called "{wanted.name}", {example}.', "cannot_parse"
            )
        if mask_id is None:
            segment = {"image_id": reading.image_id, "segmentation_prompt": wanted.thing}
            found = reading.step("segment", segment)
            if found is None:
                return Call("segment", segment) if "segment" in self.tools else Words(_NO_TOOL, "cannot_parse")
            if found.ambiguous:
                return Words(question(f"Which {wanted.thing}", found), "question")
            mask_id = found.identifier("mask")
            if not found.ok or mask_id is None:
                return Words(found.cause, "error")
        said = f'All right; "the {wanted.name}" means that from now on, for example "make the {wanted.name} blue".'
        return self._once("name_mask", {"mask_id": mask_id, "label": wanted.name}, lambda _: Words(said, "answer"))

    # edits

    def _edited(self, wanted: Understanding) -> Call | Words:
        reading = self.reading
        if wanted.needs_description and reading.description is None and not wanted.same_place and not wanted.choice:
            described = reading.last("describe_image")
            if described is None and "describe_image" in self.tools:
                reason = wanted.why or "the instruction does not name what to change"
                return Call("describe_image", {"image_id": reading.image_id, "reason": reason})
            if not wanted.edits:
                cause = described.cause if described else "I cannot look at the picture"
                return Words(f"Please name what to change: {wanted.why}. ({cause})", "cannot_parse")
        if not wanted.edits:
            return Words(wanted.message or CAN_DO, "cannot_parse")
        if wanted.ambiguous and len(wanted.edits) == 1 and "segment" in self.tools:
            named = self._which(wanted)
            if not isinstance(named, Understanding):
                return named
            wanted = named
        if not (wanted.choice or wanted.same_place):
            known = self._by_their_nouns(wanted)
            if not isinstance(known, Understanding):
                return known
            wanted = known
        edits = self._of_what_it_has(wanted)
        return edits if isinstance(edits, Call) else self._all_edits(replace(wanted, edits=tuple(edits)))

    def _which(self, wanted: Understanding) -> Understanding | Call | Words:
        """Looks for everything that an "it" may mean; asks where it is more than one thing, or takes what was taken."""
        reading = self.reading
        segment = {"image_id": reading.image_id, "segmentation_prompt": _OBJECT}
        found = reading.step("segment", segment)
        if found is None:
            return Call("segment", segment)
        if found.ambiguous:
            return Words(question("What", found), "question")
        taken = found.chosen() if found.tied else ()
        if len(taken) != 1:
            return wanted
        again = self._understood_of([taken[0].phrase])
        return replace(again, mask_id=taken[0].mask_id) if len(again.edits) == 1 else wanted

    def _by_their_nouns(self, wanted: Understanding) -> Understanding | Call | Words:
        """The edits worded with the nouns of what is there, where they name a class: "the animals", a cat and a dog."""
        reading = self.reading
        nouns: list[str] = []
        for edit in wanted.edits:
            prompt = edit.segmentation_prompt
            if not names_class(prompt) or "segment" not in self.tools:
                continue
            segment = {"image_id": reading.image_id, "segmentation_prompt": prompt}
            found = reading.step("segment", segment)
            if found is None:
                return Call("segment", segment)
            if not found.ambiguous:
                nouns += nouns_of_class(prompt, (one.phrase for one in found.chosen()))
        if not nouns:
            return wanted
        again = self._understood_of(nouns)
        return replace(again, message=again.message or wanted.message) if again.edits else wanted

    def _understood_of(self, nouns: Sequence[str]) -> Understanding:
        """What the instruction means of a picture that shows just these things, in its own medium and place."""
        reading = self.reading
        scene = parse_description(reading.description) if reading.description else Scene(reading.medium or "photo")
        return self.understand(replace(reading, description=description_of(nouns, scene)))

    def _of_what_it_has(self, wanted: Understanding) -> list[EditPlan] | Call:
        """The edits, what is added to a thing ("a hat with a pink ribbon") as an edit of the part where it has it."""
        known = wanted.choice or wanted.same_place or "segment" not in self.tools
        edits = []
        for edit in wanted.edits:
            part = None if known else part_it_may_have(edit)
            if part is not None:
                segment = {"image_id": self.reading.image_id, "segmentation_prompt": part.segmentation_prompt}
                found = self.reading.step("segment", segment)
                if found is None:
                    return Call("segment", segment)
                part = part if found.ok else None
            edits.append(part or edit)
        return edits

    def _all_edits(self, wanted: Understanding) -> Call | Words:
        """Segment and edit_image for each edit in turn; what failed is passed over and told at the end."""
        before = self.reading.edit_of(self.reading.image_id)
        image_id = before.parent_id if wanted.replaces and before else self.reading.image_id
        told: list[str] = []
        questions: list[str] = []
        done = 0
        for edit in wanted.edits:
            mask_id = self._known_place(wanted, before)
            if isinstance(mask_id, Call):
                return mask_id
            if mask_id is None:
                # What "other" leaves out is where the picture was edited last, so a correction looks there too.
                other = wanted.replaces and "other" in edit.segmentation_prompt.split()
                looked_at = self.reading.image_id if other else image_id
                segment = {"image_id": looked_at, "segmentation_prompt": edit.segmentation_prompt}
                found = self.reading.step("segment", segment)
                if found is None:
                    return Call("segment", segment) if "segment" in self.tools else Words(_NO_TOOL, "cannot_parse")
                if found.ambiguous:
                    questions.append(question(f"Which {edit.segmentation_prompt}", found))
                    continue
                mask_id = found.identifier("mask")
                if not found.ok or mask_id is None:
                    told.append(found.cause)
                    continue
            made = self._make(wanted, edit, image_id, mask_id)
            if not isinstance(made, Step):
                return made
            new_id = next(iter(made.made()), None) or made.identifier("image")
            if not made.ok or new_id is None:
                told.append(made.cause)
                continue
            image_id, done = new_id, done + 1
            told.append(result(edit, made, new_id))
        if wanted.message:
            told.append(wanted.message)
        text = " ".join(dict.fromkeys([*told, *questions]))
        return Words(text, "edit" if done else "question" if questions else "error")

    def _known_place(self, wanted: Understanding, before: Made | None) -> str | Call | None:
        """The mask that is known without a look at the picture: what the person chose, or the last edit's."""
        if wanted.mask_id:
            return wanted.mask_id
        pending = self.reading.pending
        if wanted.choice and pending is not None:
            masks = [pending.candidates[place].mask_id for place in wanted.choice]
            if len(masks) == 1:
                return masks[0]
            combine = {"image_id": pending.image_id, "expression": "|".join(masks)}
            step = self.reading.step("combine_masks", combine)
            if step is None:
                return Call("combine_masks", combine)
            return step.identifier("mask") or masks[0]
        if wanted.same_place and before is not None and len(wanted.edits) == 1:
            return before.mask_id
        return None

    def _make(self, wanted: Understanding, edit: EditPlan, image_id: str, mask_id: str) -> Step | Call | Words:
        """The edit's answer, once it is made; an edit that only words the last one anew takes its inversion."""
        before = self.reading.edit_of(self.reading.image_id)
        name, arguments = "edit_image", {"image_id": image_id, "mask_id": mask_id, **edit.model_dump()}
        if wanted.replaces and wanted.same_place and before and before.plan and "adjust_edit" in self.tools:
            if (before.plan.input_caption, before.plan.change) == (edit.input_caption, edit.change):
                name = "adjust_edit"
                arguments = {"image_id": before.image_id, "edited_caption": edit.edited_caption}
        made = self.reading.step(name, arguments)
        if made is None:
            return Call(name, arguments) if name in self.tools else Words(_NO_TOOL, "cannot_parse")
        return made

    # versions

    def _moved(self, wanted: Understanding) -> Call | Words:
        """Undo, redo or go back, and what is asked for after that."""
        step = self._move_step(wanted)
        if not isinstance(step, Step):
            return step
        if not step.ok or not step.text.strip():
            return Words(step.cause, "error")
        image_id = step.identifier("image")
        if not wanted.then or image_id is None:
            return Words(step.text, "undo")
        made = self.reading.edit_of(image_id)
        later = replace(
            self.reading,
            instruction=wanted.then,
            image_id=image_id,
            edited_before=made.plan if made else None,
            encoding_ratio=made.encoding_ratio if made else None,
            description=None,
            pending=None,
        )
        decided = Policy(later, self.tools, self.understand).next(self.understand(later))
        return decided if isinstance(decided, Call) else Words(f"{step.text} {decided.text}", decided.kind)

    def _taken_out(self, wanted: Understanding) -> Call | Words:
        """One edit out of the current picture, found by what it was about."""
        versions = self.reading.last("list_versions")
        if versions is None or not versions.ok:
            return self._once("list_versions", {}, lambda text: Words(text, "answer"))
        image_id = versions.edit_about(wanted.version or "")
        if image_id is None:
            sentence = f'No edit that still shows was about "{wanted.version}"; "what did we change?" lists them.'
            return Words(sentence, "error")
        newest = image_id == self.reading.image_id and not versions.made_again(image_id)
        if newest and "undo" in self.tools:
            return self._once("undo", {"steps": 1}, lambda text: Words(text, "undo"))
        return self._once("remove_edit", {"image_id": image_id}, lambda text: Words(text, "undo"))

    def _move_step(self, wanted: Understanding) -> Step | Call | Words:
        name, arguments = self._move_call(wanted)
        if name == "undo" and "undo" in self.tools and wanted.steps == 0:
            name, arguments = "go_back", {"version": "original"}
        step = self.reading.step(name, arguments)
        if step is not None:
            return step
        return (
            Call(name, arguments)
            if name in self.tools
            else Words(f"I cannot do that here: {name} is missing.", "error")
        )

    def _move_call(self, wanted: Understanding) -> tuple[str, dict[str, Any]]:
        if wanted.kind == "redo":
            return "redo", {"steps": max(1, wanted.steps)}
        if wanted.kind == "go_back":
            return "go_back", {"version": wanted.version or "previous"}
        steps, image_id, simple = 0, self.reading.image_id, True
        for _ in range(wanted.steps):
            turn = _made_by(image_id, self.reading.past)
            if turn is None:
                return "undo", {"steps": wanted.steps}
            # Of several instructions, one that only corrects another counts as one with it.
            target = turn.start_id if wanted.steps == 1 else turn.base_id
            simple = simple and turn.edits > 0 and target == turn.start_id
            steps, image_id = steps + turn.edits, target
        return ("undo", {"steps": steps}) if simple else ("go_back", {"version": image_id})

    def _adjusted(self, wanted: Understanding) -> Call | Words:
        """The last edit again: with a larger or smaller encoding ratio, or with another seed."""
        reading = self.reading
        arguments: dict[str, Any] = {"image_id": reading.image_id}
        if wanted.feedback == "again" and wanted.grow is None:
            number = reading.image_id.rpartition("_")[2]
            arguments["seed"] = int(number) if number.isdigit() else 0
        elif wanted.feedback in ("stronger", "weaker"):
            ratio = reading.encoding_ratio
            if ratio is None:
                versions = reading.last("list_versions")
                if versions is None and "list_versions" in self.tools:
                    return Call("list_versions", {})
                ratio = (versions.encoding_ratio(reading.image_id) if versions else None) or 0.5
            by = wanted.amount if wanted.feedback == "stronger" else -wanted.amount
            asked = round(min(_RATIOS[1], max(_RATIOS[0], ratio + by)), 2)
            if asked != ratio:
                arguments["encoding_ratio"] = asked
            elif by > 0:
                arguments["guidance_scale"] = self._more_guidance()
            elif wanted.grow is None:
                return Words("The edit is already as weak as it can be.", "answer")
        if wanted.grow is not None:
            arguments["grow"] = wanted.grow
        said = {"stronger": "stronger", "weaker": "weaker", "again": "once more"}[wanted.feedback or "again"]
        return self._once(
            "adjust_edit", arguments, lambda text: Words(f"I made the edit again, {said}: {text}", "edit")
        )

    def _more_guidance(self) -> float:
        """What is left to turn up where everything is denoised anew already."""
        made = self.reading.edit_of(self.reading.image_id)
        now = made.guidance_scale if made else None
        return now + _MORE_GUIDANCE if now else _GUIDANCE

    def _once(self, name: str, arguments: dict[str, Any], closing: Callable[[str], Words]) -> Call | Words:
        """One tool call, then the closing words on its answer, or the cause of its failure."""
        step = self.reading.last(name)
        if step is None:
            missing = Words(f"I cannot do that here: {name} is missing.", "error")
            return Call(name, arguments) if name in self.tools else missing
        return closing(step.text) if step.ok and step.text.strip() else Words(step.cause, "error")


def _made_by(image_id: str, past: tuple[PastTurn, ...]) -> PastTurn | None:
    """The turn that made a picture."""
    return next((turn for turn in reversed(past) if turn.edited and turn.end_id == image_id), None)
