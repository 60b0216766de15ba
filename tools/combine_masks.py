"""Tool `combine_masks`: set algebra over masks, e.g. "mask_1|mask_3-mask_2"."""

import re

import numpy as np
from pydantic import Field

from instructedit_models.errors import BadMaskError, BadParameterError
from tools.base import Arguments, Tool
from tools.context import ToolContext, ToolResult
from tools.conversation import Conversation
from tools.regions import RegionRecord

__all__ = ["CombineMasks", "CombineMasksArguments"]

_TOKEN = re.compile(r"\s*(mask_\d+|[|&~()+-])")
_LONGEST = 200
_HELD = 0.5


class CombineMasksArguments(Arguments):
    """Which picture and which masks."""

    image_id: str = Field(description="The picture that the masks are for, e.g. image_1.")
    expression: str = Field(
        description="Mask ids joined by | (union), & (intersection) or - (without), evaluated left to right; "
        "~ inverts; parentheses group. E.g. '(mask_1 | mask_3) - mask_2'."
    )


class CombineMasks(Tool[CombineMasksArguments]):
    """Makes a mask of other masks."""

    name = "combine_masks"
    description = "Makes a new mask out of others: union |, intersection &, difference -, inversion ~, parentheses."
    arguments = CombineMasksArguments

    def run(self, context: ToolContext, arguments: CombineMasksArguments) -> ToolResult:
        """The new mask's id and size.

        Raises:
            BadParameterError: the expression cannot be read, or a mask does not exist.
            BadMaskError: the masks are of other pictures' sizes, or nothing is left.
        """
        conversation, expression = context.conversation, arguments.expression.strip()
        parser = _Parser(expression, conversation, conversation.version(arguments.image_id).size)
        mask = parser.parse()
        if not mask.any():
            raise BadMaskError(f"Nothing is left of '{expression}': the combined mask is empty.")
        mask_id = conversation.add_mask(
            mask, arguments.image_id, "combine", expression, _regions(conversation, parser.used, mask)
        )
        return ToolResult(
            f"{mask_id} = {expression}, area {mask.mean() * 100:.0f}%.", image_id=arguments.image_id, mask_id=mask_id
        )


class _Parser:
    """expression := term (("|" | "+" | "&" | "-") term)*; term := "~" term | "(" expression ")" | mask id."""

    def __init__(self, text: str, conversation: Conversation, size: tuple[int, int]) -> None:
        self.text = text
        self.conversation = conversation
        self.shape = (size[1], size[0])
        self.used: list[str] = []
        self._tokens = self._split()

    def parse(self) -> np.ndarray:
        mask = self._expression()
        if self._tokens:
            raise self._error(f"'{self._tokens[0]}' was not expected")
        return mask

    def _split(self) -> list[str]:
        if len(self.text) > _LONGEST:
            raise BadParameterError(f"The mask expression is longer than {_LONGEST} characters.")
        tokens, position = [], 0
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if not match:
                raise self._error(f"'{self.text[position:].strip()[:20]}' is neither a mask id nor one of | & - ~ ( )")
            tokens.append(match.group(1))
            position = match.end()
        return tokens

    def _expression(self) -> np.ndarray:
        mask = self._term()
        while self._tokens and self._tokens[0] in "|+&-":
            operator, right = self._tokens.pop(0), self._term()
            if operator == "&":
                mask = mask & right
            elif operator == "-":
                mask = mask & ~right
            else:
                mask = mask | right
        return mask

    def _term(self) -> np.ndarray:
        if not self._tokens:
            raise self._error("a mask id is missing at the end")
        token = self._tokens.pop(0)
        if token == "~":
            return ~self._term()
        if token == "(":
            mask = self._expression()
            if not self._tokens or self._tokens.pop(0) != ")":
                raise self._error("a closing parenthesis is missing")
            return mask
        if not token.startswith("mask_"):
            raise self._error(f"a mask id was expected where '{token}' stands")
        mask = self.conversation.mask(token)
        if mask.shape != self.shape:
            raise BadMaskError(f"{token} is {mask.shape[1]} x {mask.shape[0]} pixels and does not fit this picture.")
        self.used.append(token)
        return mask

    def _error(self, what: str) -> BadParameterError:
        return BadParameterError(f"The mask expression '{self.text[:80]}' cannot be read: {what}.")


def _regions(conversation: Conversation, used: list[str], mask: np.ndarray) -> tuple[RegionRecord, ...]:
    """The candidates behind the masks used; chosen are those of which the new mask holds more than half."""
    found: dict[str, RegionRecord] = {}
    for mask_id in used:
        entry = conversation.mask_entry(mask_id)
        own = (region.model_copy(update={"mask_id": region.mask_id or mask_id}) for region in entry.regions)
        for region in own:
            if region.mask_id and region.mask_id not in found:
                pixels = conversation.mask(region.mask_id)
                held = pixels.any() and mask[pixels].mean() > _HELD
                found[region.mask_id] = region.model_copy(update={"chosen": bool(held)})
    return tuple(found.values())
