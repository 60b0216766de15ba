"""Tool `combine_masks`: set algebra over masks, e.g. "mask_1|mask_3-mask_2" or "grow(mask_1, 8) & 'skyline'"."""

import re

import numpy as np
from pydantic import Field

from instructedit_models import masks
from instructedit_models.errors import BadMaskError, BadParameterError
from instructedit_models.limits import MAX_RING
from tools.base import Arguments, Tool
from tools.context import ToolContext, ToolResult
from tools.conversation import Conversation
from tools.own_masks import saved_mask
from tools.regions import RegionRecord

__all__ = ["CombineMasks", "CombineMasksArguments"]

_TOKEN = re.compile(r"\s*(mask_\d+|'[^']{1,60}'|grow|shrink|fill|largest|\d{1,4}|[|&~(),+-])")
_JOINED: dict[str, masks.MaskMode] = {"|": "add", "+": "add", "&": "intersect", "-": "subtract"}
_SIZED = {"grow": masks.grow, "shrink": masks.shrink}
_PLAIN = {"fill": masks.fill_holes, "largest": masks.keep_largest}
_LONGEST = 200
_HELD = 0.5


class CombineMasksArguments(Arguments):
    """Which picture and which masks."""

    image_id: str = Field(description="The picture that the masks are for, e.g. image_1.")
    expression: str = Field(
        description="Mask ids joined by | (union), & (intersection) or - (without), evaluated left to right; "
        "~ inverts; parentheses group. E.g. '(mask_1 | mask_3) - mask_2'. Also grow(mask_1, 8) and shrink(mask_1, 8) "
        "in pixels, fill(mask_1) for holes, largest(mask_1), and the name of a saved mask in quotes."
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
    """expression := term (("|" | "+" | "&" | "-") term)*; term := "~" term | "(" expression ")" | call | mask | name.

    call := ("grow" | "shrink") "(" expression "," pixels ")" | ("fill" | "largest") "(" expression ")".
    """

    def __init__(self, text: str, conversation: Conversation, size: tuple[int, int]) -> None:
        self.text = text
        self.conversation = conversation
        self.size, self.shape = size, (size[1], size[0])
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
            mask = masks.combine(mask, right, _JOINED[operator])
        return mask

    def _term(self) -> np.ndarray:
        if not self._tokens:
            raise self._error("a mask id is missing at the end")
        token = self._tokens.pop(0)
        if token == "~":
            return masks.invert(self._term())
        if token == "(":
            mask = self._expression()
            self._expect(")", "a closing parenthesis is missing")
            return mask
        if token in _SIZED or token in _PLAIN:
            return self._call(token)
        if token.startswith("'"):
            token = self._saved(token.strip("'"))
        if not token.startswith("mask_"):
            raise self._error(f"a mask id was expected where '{token}' stands")
        mask = self.conversation.mask(token)
        if mask.shape != self.shape:
            raise BadMaskError(f"{token} is {mask.shape[1]} x {mask.shape[0]} pixels and does not fit this picture.")
        self.used.append(token)
        return mask

    def _call(self, name: str) -> np.ndarray:
        self._expect("(", f"'{name}' needs a mask in parentheses")
        mask = self._expression()
        if name in _PLAIN:
            self._expect(")", "a closing parenthesis is missing")
            return _PLAIN[name](mask)
        self._expect(",", f"'{name}' needs a number of pixels, as in {name}(mask_1, 8)")
        pixels = self._tokens.pop(0) if self._tokens else ""
        if not pixels.isdigit() or int(pixels) > MAX_RING:
            raise self._error(f"the pixels of '{name}' must be 0 to {MAX_RING}")
        self._expect(")", "a closing parenthesis is missing")
        return _SIZED[name](mask, int(pixels))

    def _saved(self, name: str) -> str:
        entry = saved_mask(self.conversation, name, self.size)
        if entry is None:
            raise self._error(f"no mask of this picture's size is saved as '{name[:40]}'")
        return entry.id

    def _expect(self, token: str, otherwise: str) -> None:
        if not self._tokens or self._tokens.pop(0) != token:
            raise self._error(otherwise)

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
