"""What to try instead of an edit that failed its check: sweeps, each a few sets of parameters made in one batch."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from instructedit_models.types import Change, EditOptions
from tools.context import EditOverrides

__all__ = ["sweeps"]

GUIDANCE = 1.4
"""Factor of the stronger guidance that a sweep tries."""
BOLD = 1.8
"""The same of what the second sweep of a change of the look tries: of 5 things on validation scenes that no other try
had made wooden, a guidance of 18 made 2 so, and guidance away from another caption 2."""
SEEDS = 3
"""Other seeds that a sweep of a change of shape tries."""
GROWTH = 6
"""Pixels that every second sweep adds to the mask."""
_MOST_GROWTH = 128
_MOST_GUIDANCE = 30.0


def sweeps(options: EditOptions, change: Change, fixed: EditOverrides, count: int) -> Iterator[tuple[EditOptions, ...]]:
    """What to try instead, sweep after sweep, nothing twice; a parameter that the person fixed stays.

    Every sweep goes to stronger encoding ratios and to more guidance, and draws other noise; every second one also
    grows the mask. A new look and a new shape at the full ratio have sweeps of their own (`_look`, `_shape`).

    Args:
        options: what was tried.
        change: the kind of change.
        fixed: what the person fixed.
        count: sweeps at most.
    """
    tried = {options}
    for number in range(1, count + 1):
        room = _Room(options, change, fixed, number)
        if change == "shape" and room.full == options and fixed.seed is None:
            wanted = _shape(room)
        else:
            wanted = _look(room) if change == "appearance" else _strength(room)
        new = tuple(one for one in dict.fromkeys(wanted) if one not in tried)
        tried.update(new)
        if new:
            yield new


@dataclass(frozen=True)
class _Room:
    """What the sweep of a number may vary."""

    options: EditOptions
    change: Change
    fixed: EditOverrides
    number: int

    @property
    def ratios(self) -> list[float]:
        """Encoding ratios, that of the options first, the strongest last."""
        ratio = self.options.encoding_ratio
        if self.fixed.encoding_ratio is not None or ratio >= 1:
            return [ratio]
        return [ratio, 1.0] if ratio >= 0.8 else [ratio, round((1 + ratio) / 2, 2), 1.0]

    @property
    def scales(self) -> list[float]:
        """Guidance scales, that of the options first."""
        scale = self.options.guidance_scale
        free = self.fixed.guidance_scale is None and scale > 1
        return [scale, _more(scale, GUIDANCE)] if free else [scale]

    @property
    def seeds(self) -> list[int]:
        """Seeds, that of the options first, and one of other noise where the seed is free."""
        seed = self.options.seed
        return [seed, seed + self.number] if self.fixed.seed is None else [seed]

    @property
    def base(self) -> EditOptions:
        """The options, the mask grown in every second sweep."""
        if self.number % 2 or self.fixed.grow is not None or self.change == "background":
            return self.options
        grow = self.options.grow + GROWTH * (self.number // 2)
        return replace(self.options, grow=min(_MOST_GROWTH, grow))

    @property
    def full(self) -> EditOptions:
        """The options at the strongest ratio."""
        return replace(self.options, encoding_ratio=self.ratios[-1])


def _strength(room: _Room) -> list[EditOptions]:
    """Every ratio with every guidance scale, the strongest from other noise too; from the third sweep vice versa."""
    seeds = room.seeds if room.number <= 2 else room.seeds[::-1]
    wanted = _each(room.base, room.ratios, room.scales, seeds[0])
    if len(seeds) > 1:
        scales = room.scales if room.change == "appearance" else room.scales[:1]
        wanted += _each(room.base, room.ratios[-1:], scales, seeds[1])
    return wanted


def _shape(room: _Room) -> list[EditOptions]:
    """Other seeds, one of them with more guidance too: the noise that the shape grows from is what decides."""
    first = room.options.seed + (room.number - 1) * SEEDS + 1
    wanted = [replace(room.base, seed=first + k) for k in range(SEEDS)]
    return [*wanted, replace(room.base, seed=first, guidance_scale=room.scales[-1])]


def _look(room: _Room) -> list[EditOptions]:
    """As `_strength`, but the first sweep leads away from another caption too, and the second one is bold.

    Of 26 new materials on validation scenes that are hard to make one try makes 17 away from the input caption, 20 away
    from halfway to the empty one, and one of these two 23. Noise that is partly drawn anew is what grain and dots grow
    from where the picture was plain, so that the inversion left little: of 48 other new materials one try at the full
    ratio made 38 without and 42 with it.
    """
    if room.number == 2 and room.fixed.guidance_scale is None:
        return _each(room.base, room.ratios[-1:], room.scales, room.seeds[-1]) + _bold(room.full)
    wanted = _strength(room)
    if room.number == 1 and room.options.negative != "empty":
        if len(room.ratios) > 1:  # in place of more guidance at the lowest of them
            wanted.remove(replace(room.options, guidance_scale=room.scales[-1]))
        wanted.append(_led_elsewhere(room.full))
    return wanted


def _bold(options: EditOptions) -> list[EditOptions]:
    """Much more guidance, and, where the input caption is led away from, guidance away from something else."""
    strong = replace(options, guidance_scale=_more(options.guidance_scale, BOLD))
    if options.negative == "empty":
        return [strong]
    return [strong, _led_elsewhere(options), replace(strong, negative="empty")]


def _led_elsewhere(options: EditOptions) -> EditOptions:
    """The same, where guidance leads away from the input caption alone, or else from halfway to the empty one."""
    return replace(options, negative="input" if options.negative == "both" else "both")


def _each(base: EditOptions, ratios: list[float], scales: list[float], seed: int) -> list[EditOptions]:
    return [
        replace(base, encoding_ratio=ratio, guidance_scale=scale, seed=seed) for ratio in ratios for scale in scales
    ]


def _more(scale: float, factor: float) -> float:
    return min(_MOST_GUIDANCE, round(scale * factor, 2))
