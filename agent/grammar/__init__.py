"""The offline understanding of instructions: deterministic, no network, no weights.

`understand` is called by the offline chat model and, through it, by everything that plans without an LLM.
tokens -> politeness (wrappers off) -> clauses -> frames / statements (drafts) -> references ("it") -> realise (plans)
"""

from agent.grammar.understanding import CAN_DO, Understanding, understand

__all__ = ["CAN_DO", "Understanding", "understand"]
