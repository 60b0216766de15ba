"""What "it", "them", "the one on the left" are: from the sentence itself, else from the description of the picture."""

from dataclasses import dataclass, replace

from agent.grammar import lexicon
from agent.grammar.clauses import Clauses
from agent.grammar.description import Scene
from agent.grammar.drafts import Draft
from agent.grammar.looks import slot
from agent.grammar.nouns import parse
from agent.grammar.number import plural, same_noun, singular
from agent.grammar.phrases import NounPhrase
from agent.grammar.tokens import Tokens, tokenize
from agent.plans import EditPlan

_SINGULAR = frozenset({"it", "this", "that", "thing", "he", "she", "him", "her", "itself"})


@dataclass(frozen=True)
class Resolved:
    """What a phrase means in a described picture.

    Attributes:
        phrases: the things; () where the description names none that fits.
        ambiguous: what else it might have meant, beside the first, when several things fit.
    """

    phrases: tuple[NounPhrase, ...]
    ambiguous: tuple[str, ...] = ()


def edited_thing(edit: EditPlan) -> NounPhrase | None:
    """What an earlier edit made, as it is called now: "tiger on the right"."""
    source = parse(tokenize(edit.segmentation_prompt))
    after = parse(tokenize(edit.edited_caption.split(" of ", 1)[-1]))
    if source is None or after is None or not source.named or not after.named or source.owner is not None:
        return source if source is not None and source.named else None
    if edit.change == "background" or source.head in lexicon.OWN_BACKGROUNDS:
        return source
    core = (*after.core[:-1], plural(after.core[-1])) if source.plural else after.core
    quantifier: Tokens = (source.quantifier,) if source.quantifier else ()
    text = (*quantifier, *source.selectors, *core, *after.of, *source.behind)
    return replace(source, text=text, core=core, of=after.of, determiner="the")


def settle(clauses: Clauses, edited: NounPhrase | None = None) -> list[Draft]:
    """All drafts in order, with "it" replaced by what the sentence itself named before.

    A change to what an earlier draft already changes joins that draft: "turn the cat into a dog and make it white"
    is one edit.

    Args:
        clauses: the drafts of each clause.
        edited: what an earlier instruction made; an "it" that nothing else explains means this.
    """
    settled: list[Draft] = []
    before: list[int | NounPhrase] = [edited] if edited else []
    for drafts in clauses:
        current: list[int | NounPhrase] = []
        for draft in drafts:
            if draft.action == "mention":
                current += [draft.source] if draft.source else []
                continue
            draft = replace(draft, source=_with_noun_before(draft.source, before, settled))
            takers = before if _is_back_reference(draft, before, settled) else []
            if takers and draft.source and draft.source.pronoun in _SINGULAR:
                takers = takers[-1:]
            current += [_place(draft, taker, settled) for taker in takers or (None,)]
        before = current or before
    return settled


def _with_noun_before(
    source: NounPhrase | None, before: "list[int | NounPhrase]", settled: list[Draft]
) -> NounPhrase | None:
    """Names the thing of "the right one" after "the left star": the right star."""
    if source is None or source.pronoun not in {"one", "ones"} or not before:
        return source
    last = settled[before[-1]].source if isinstance(before[-1], int) else before[-1]
    if last is None or not last.named or not (source.selectors or source.core or source.behind):
        return source
    return _named_after(source, last, ())


def _place(draft: Draft, taker: "int | NounPhrase | None", settled: list[Draft]) -> int:
    """Puts a draft where it belongs; returns the index of the draft that it is now in."""
    if isinstance(taker, int) and _joins(settled[taker], draft):
        settled[taker] = replace(settled[taker], then=(*settled[taker].then, replace(draft, source=None)))
        return taker
    if taker is not None:
        antecedent = result_of(settled[taker]) if isinstance(taker, int) else taker
        draft = replace(draft, source=_with_antecedent(draft.source, antecedent))
    settled.append(draft)
    return len(settled) - 1


def _is_back_reference(later: Draft, before: "list[int | NounPhrase]", settled: list[Draft]) -> bool:
    source = later.source
    if not before or source is None:
        return False
    if source.pronoun in _SINGULAR | {"them", "these", "those", "they"} and not source.selectors and not source.behind:
        return True
    if source.owner and source.owner.pronoun in _SINGULAR | {"them", "they"}:
        return True
    if source.determiner in {"its", "his", "her", "their"} and source.owner is None:
        return True
    last = before[-1]
    if not isinstance(last, int) or not settled[last].things or settled[last].action != "become":
        return False
    if later.action == "become":
        return False  # "turn the dog into a cat and the cat into a dog" means the cat that was there
    bare = not (source.selectors or source.behind or source.owner or source.adjectives or source.quantifier)
    return bare and source.head == settled[last].things[0].head


def _joins(earlier: Draft, later: Draft) -> bool:
    """Whether both change the same thing as a whole."""
    if earlier.action not in {"look", "become", "add"} or later.action not in {"look", "become", "add"}:
        return False
    parts = (earlier.source and earlier.source.is_part) or (later.source and later.source.owner)
    own = later.source is not None and later.source.determiner in {"its", "his", "her", "their"}
    return not parts and not own


def result_of(draft: Draft) -> NounPhrase:
    """The thing as it is called after the edit, for a later "it": "dog on the left" after "cat on the left"."""
    source = draft.source
    things = next((step.things for step in (*draft.then[::-1], draft) if step.action == "become" and step.things), ())
    if source is None or not things or not things[0].named:
        return source.owner if source and source.is_part and source.owner else source or things[0]
    thing = things[0]
    text = (*source.selectors, *thing.core, *thing.of, *source.behind)
    return replace(thing, text=text, determiner="the", selectors=source.selectors, behind=source.behind)


def _with_antecedent(source: NounPhrase | None, antecedent: NounPhrase) -> NounPhrase:
    if source is None or source.pronoun or not (source.owner or source.determiner in {"its", "his", "her", "their"}):
        return antecedent
    return owned(source, antecedent)


def owned(part: NounPhrase, owner: NounPhrase) -> NounPhrase:
    """The part with its owner named: "wheels of the bus" for "its wheels"."""
    if part.owner is not None and part.owner.named:
        return part
    core = (*part.selectors, *part.core)
    article: Tokens = () if owner.quantifier else ("the",)
    return replace(part, text=(*core, "of", *article, *owner.text), determiner="the", owner=owner)


def is_open(phrase: NounPhrase | None) -> bool:
    """Whether it takes a look at the picture to know what is meant."""
    if phrase is None or phrase.pronoun:
        return True
    if phrase.owner is not None and phrase.owner.pronoun and phrase.owner.determiner != "compound":
        return True
    return phrase.determiner == "its" and phrase.head in lexicon.PARTS


def resolve(phrase: NounPhrase | None, scene: Scene) -> Resolved:
    """The things that an open phrase means in a described picture."""
    if phrase is not None and not phrase.pronoun:
        owner = phrase.owner if phrase.owner else parse(("it",))
        found = resolve(owner, scene)
        return Resolved(tuple(owned(phrase, thing) for thing in found.phrases[:1]), found.ambiguous)
    pronoun = phrase.pronoun if phrase else "it"
    if phrase is not None and (phrase.selectors or phrase.behind or phrase.core or pronoun in {"one", "ones"}):
        return _one(phrase, scene)
    if phrase is not None and (phrase.plural or pronoun in {"them", "these", "those", "they"}):
        return _several(phrase, scene)
    fitting = _people(pronoun, scene)
    rest = tuple(thing.said for thing in fitting[1:] if not thing.plural or fitting[0].plural)
    return Resolved(fitting[:1], rest if pronoun not in {"him", "her", "he", "she"} else ())


def _people(pronoun: str, scene: Scene) -> tuple[NounPhrase, ...]:
    things = scene.all_things
    groups: list[frozenset[str]] = []
    if pronoun in {"him", "he"}:
        groups = [lexicon.MALE, lexicon.PEOPLE - lexicon.FEMALE, lexicon.ANIMALS]
    elif pronoun in {"her", "she"}:
        groups = [lexicon.FEMALE, lexicon.PEOPLE - lexicon.MALE, lexicon.ANIMALS]
    for group in groups:
        fitting = tuple(thing for thing in things if thing.head in group)
        if fitting:
            return fitting
    single = tuple(thing for thing in scene.objects if not thing.plural)
    return single or scene.objects or scene.others


def _several(phrase: NounPhrase, scene: Scene) -> Resolved:
    groups = tuple(thing for thing in scene.objects if thing.plural)
    things = groups[:1] or scene.objects or scene.others[:1]
    if phrase.quantifier in {"both", "all"} and len(things) == 1 and things[0].plural:
        words = (phrase.quantifier, *(("the",) if phrase.quantifier == "all" else ()), *things[0].text)
        things = (replace(things[0], text=words, quantifier=phrase.quantifier),)
    return Resolved(things, tuple(thing.said for thing in groups[1:]))


def _one(phrase: NounPhrase, scene: Scene) -> Resolved:
    """As in "the one on the left", "the red one", "the second from the left", "the other one"."""
    things = scene.all_things
    wanted = tuple(word for word in phrase.core if slot(word))
    fitting = [thing for thing in things if wanted and set(wanted) <= set(thing.core)]
    if not fitting:
        repeated = [a for a in things if any(a is not b and same_noun(a.head, b.head) for b in things)]
        fitting = [thing for thing in things if thing.plural] or repeated or list(scene.objects or things)
    if not fitting:
        return Resolved(())
    model = fitting[0]
    alike = [thing for thing in things if same_noun(thing.head, model.head)]
    return Resolved((_named_after(phrase, model, model.core[:-1] if len(alike) == 1 and not wanted else ()),))


def _named_after(phrase: NounPhrase, model: NounPhrase, shared: Tokens) -> NounPhrase:
    """The thing of "the left one", with the noun of the model and the adjectives that all of its kind share."""
    noun = model.core[-1] if phrase.plural else singular(model.core[-1])
    core = (*shared, *phrase.core, noun)
    quantifier = (phrase.quantifier,) if phrase.quantifier else ()
    text = (*quantifier, *phrase.selectors, *core, *model.of, *phrase.behind)
    return replace(phrase, text=text, core=core, of=model.of, pronoun="", determiner="the")
