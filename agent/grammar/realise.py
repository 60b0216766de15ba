"""From drafts to plans: the segmentation prompt, both captions and the kind of change of each edit."""

from dataclasses import dataclass, replace

from agent.grammar import lexicon
from agent.grammar.captions import Named, caption, source_name, target_name
from agent.grammar.description import NO_SCENE, Scene
from agent.grammar.drafts import Draft, VagueRequest
from agent.grammar.looks import Look, look_of
from agent.grammar.nouns import parse
from agent.grammar.number import same_noun, singular
from agent.grammar.phrases import NounPhrase
from agent.plans import EditPlan
from instructedit_models.types import Change


@dataclass(frozen=True)
class Context:
    """What is known beside the instruction.

    Attributes:
        scene: the described picture.
        names: words that the instruction writes like names.
    """

    scene: Scene = NO_SCENE
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _State:
    """A thing on its way through the steps of an edit.

    Attributes:
        name: what it is called.
        noun: its head, to tell another look from another thing.
        change: the strongest change so far.
    """

    name: Named
    noun: str
    change: Change = "appearance"


def plan_of(draft: Draft, context: Context) -> EditPlan:
    """The plan of a draft whose source is known.

    Raises:
        VagueRequest: what is asked for cannot be drawn.
    """
    source = draft.source
    if source is None or not source.named:
        raise VagueRequest("it does not name what to change")
    if source.head in lexicon.WHOLE_PICTURE and source.owner is None and not (source.adjectives or source.behind):
        raise VagueRequest(
            "it is about the picture as a whole, and only things in the picture or its background change"
        )
    if draft.action == "scene":
        ground = context.scene.background or "a background"
        return _plan(source, ground, _target(draft.things, context)[0].text, "background", context)
    if draft.action == "remove":
        return _removal(source, context)
    if source.is_part and source.owner is not None and source.owner.named:
        return _part(draft, source, source.owner, context)
    if source.head == "everything":  # "everything except the car" is what surrounds the car
        around = plan_of(replace(draft, source=parse(("the", "background"))), replace(context, scene=NO_SCENE))
        return around.model_copy(update={"segmentation_prompt": source.said, "change": "background"})
    before = source_name(source)
    if source.head in lexicon.BACKGROUND_ITSELF and context.scene.background and not source.adjectives:
        before = Named(tuple(context.scene.background.split()), bare=True)
    if draft.was is not None:
        before = before.looking(draft.was)
    state = _State(before, source.head)
    for step in (draft, *draft.then):
        state = _step(state, step, context)
    change = _of_background(source, draft, state.change)
    return _plan(source, before.text, state.name.text, change, context)


def _plan(source: NounPhrase, before: str, after: str, change: Change, context: Context) -> EditPlan:
    medium = context.scene.medium
    return EditPlan(
        segmentation_prompt=source.said,
        input_caption=caption(medium, before),
        edited_caption=caption(medium, after),
        change=change,
    )


def _step(state: _State, step: Draft, context: Context) -> _State:
    if step.action == "look" and step.look is not None:
        return replace(
            state,
            name=_looking(state.name, step.look),
            change="shape" if step.look.changes_shape or state.change == "shape" else "appearance",
        )
    if step.action == "add":
        things = _target(step.things, context)
        change: Change = "appearance" if step.joint.split()[0] in _SURFACES else "shape"
        return replace(state, name=state.name.bearing(step.joint, things), change=change)
    return _become(state, step.things, context)


_SURFACES = frozenset("covered coated wrapped plated painted sprinkled filled".split())


def _looking(name: Named, look: Look) -> Named:
    """An article that belongs to a described background ("a beach") stays before the new look."""
    if name.bare and name.core[:1] in {("a",), ("an",), ("the",)}:
        inner = replace(name, core=name.core[1:], bare=False, fixed="the" if name.core[0] == "the" else "")
        return inner.looking(look)
    return name.looking(look)


def _become(state: _State, things: tuple[NounPhrase, ...], context: Context) -> _State:
    first = things[0]
    if first.pronoun:  # "a blue one"
        groups = [word for word in state.name.core[:-1] if not _is_look(word, state)]
        core = (*first.core, *groups, singular(state.name.core[-1]) if not state.name.plural else state.name.core[-1])
        return replace(state, name=replace(state.name, core=core, tail=first.behind))
    names = _target(things, context)
    name = names[0]
    if len(names) > 1:
        listed = f"{', '.join(one.text for one in names[:-1])} and {names[-1].text}"
        name = Named(tuple(listed.split()), bare=True)
    same = len(things) == 1 and same_noun(first.head, state.noun)
    change: Change = "appearance" if same and state.change != "shape" else "shape"
    return _State(name, first.head, change)


def _is_look(word: str, state: _State) -> bool:
    phrase = NounPhrase(state.name.core, core=state.name.core)
    return any(word in adjective.text for adjective in look_of(phrase).adjectives)


def _target(things: tuple[NounPhrase, ...], context: Context) -> tuple[Named, ...]:
    return tuple(target_name(thing, context.names) for thing in things)


def _part(draft: Draft, part: NounPhrase, owner: NounPhrase, context: Context) -> EditPlan:
    """A part that only looks otherwise is captioned alone, as the crop around it shows it: "a roof", "a red roof".

    One that becomes something else is captioned on its owner: "a house with a dome".
    """
    whole = source_name(owner)
    now = source_name(replace(part, owner=None))
    if draft.was is not None:
        now = now.looking(draft.was)
    state = _State(now, part.head)
    for step in (draft, *draft.then):
        state = _step(state, step, context)
    if state.change == "appearance" and all(step.action == "look" for step in (draft, *draft.then)):
        return _plan(part, now.text, state.name.text, state.change, context)
    shown = bool(look_of(part).adjectives) or draft.was is not None or draft.action != "look"
    before = whole.bearing("with", (now,)) if shown else whole
    after = whole.bearing("with", (state.name,))
    return _plan(part, before.text, after.text, state.change, context)


def _removal(source: NounPhrase, context: Context) -> EditPlan:
    if source.is_part and source.owner is not None and source.owner.named:
        owner = source_name(source.owner)
        worn = owner.bearing("with", (source_name(replace(source, owner=None)),))
        return _plan(source, worn.text, owner.text, "shape", context)
    if source.head in lexicon.BACKGROUND_ITSELF:
        raise VagueRequest("a picture cannot be without a background; say what should be there instead")
    return _plan(source, source_name(source).text, context.scene.background or "a background", "shape", context)


def _of_background(source: NounPhrase, draft: Draft, change: Change) -> Change:
    """What is behind the objects stays behind them, whatever becomes of it."""
    if source.head not in lexicon.OWN_BACKGROUNDS or source.owner is not None:
        return change
    if source.head in lexicon.SURFACES and draft.action == "look":
        return change
    return "background"
