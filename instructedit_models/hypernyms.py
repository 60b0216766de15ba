"""Words for a whole class of things: "animal", "vehicle", "fruit".

Grounding DINO proper finds an animal when it is asked for one. A detector that knows but a closed set of nouns is asked
for the nouns of that class instead (`search`), and the agent words captions with the noun that was found
(`agent.grammar.references`): "photo of a cat" says more to every text encoder than "photo of an animal".
"""

from collections.abc import Iterable

from instructedit_models.lexicon import singular

__all__ = ["HYPERNYMS", "hyponyms", "is_hypernym"]

_CREATURES = frozenset(
    "cat dog fish bird horse cow sheep goat pig fox wolf bear lion tiger rabbit hare mouse deer duck goose chicken "
    "elephant zebra giraffe monkey panda kitten puppy frog turtle parrot owl penguin squirrel".split()
)
_VEHICLES = frozenset(
    "car bus truck van taxi train tram boat ship bicycle bike motorcycle motorbike scooter tractor plane airplane "
    "helicopter lorry".split()
)
_BOATS = frozenset({"boat", "ship"})
_PLANES = frozenset({"plane", "airplane", "helicopter"})
HYPERNYMS: dict[str, frozenset[str]] = {
    "animal": _CREATURES,
    "creature": _CREATURES,
    "pet": frozenset("cat dog fish bird rabbit kitten puppy parrot turtle".split()),
    "vehicle": _VEHICLES,
    "automobile": frozenset("car taxi van".split()),
    "vessel": _BOATS,
    "ship": _BOATS,
    "sailboat": _BOATS,
    "aircraft": _PLANES,
    "fruit": frozenset("apple orange banana pear lemon peach cherry plum grape strawberry melon lime mango".split()),
    "plant": frozenset("tree flower bush rose tulip cactus palm".split()),
    "building": frozenset("house barn hut castle tower church shed cottage".split()),
    "home": frozenset("house hut cottage".split()),
    "lorry": frozenset({"truck"}),
    "armchair": frozenset({"chair"}),
    "furniture": frozenset("chair table sofa couch bed desk shelf stool lamp".split()),
    "shape": frozenset("star heart ball box square disc circle triangle cube sphere".split()),
    "mug": frozenset({"cup"}),
    "kitten": frozenset({"cat"}),
    "kitty": frozenset({"cat"}),
    "puppy": frozenset({"dog"}),
    "pup": frozenset({"dog"}),
    "blossom": frozenset({"flower"}),
    "cube": frozenset({"box"}),
    "sphere": frozenset({"ball"}),
}
"""Class or near name, in the singular: the nouns that it may stand for."""


def is_hypernym(noun: str) -> bool:
    """Whether a noun, in the singular or plural, names a class of things."""
    return _one(noun) in HYPERNYMS


def hyponyms(noun: str, known: Iterable[str]) -> tuple[str, ...]:
    """Those of the known nouns that a class stands for, in their order; () where the noun is known itself.

    Args:
        noun: in the singular or plural.
        known: nouns in the singular.
    """
    nouns = tuple(known)
    return () if _one(noun) in nouns else tuple(each for each in nouns if each in HYPERNYMS.get(_one(noun), ()))


def _one(noun: str) -> str:
    return noun if noun in HYPERNYMS else singular(noun) or noun
