"""What the model reads. Pure: the same words give the same prompt, and a longer history only adds to its end.

The order never changes: who | history | memories, face, feeling, intent, exemplars | last words. llama.cpp keeps what two
prompts share from their beginning, so everything that changes with each turn stands at the end. `stable` is the part that
the next turn will share. Each family of models has its own role tokens; Beside writes them itself and never runs a template
that comes inside a model file. Nothing a person or a memory says can become a role token: `plain` takes out what they are made of.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from device.errors import EngineError
from models.workshop.format import BESIDE, USER, starter_prompt

Exchange = tuple[str, str]  # (the person's words, what was heard of Beside's answer)

HISTORY_STEP = 3  # old exchanges leave in groups, so that the beginning stays the same for a few turns
STARTER_HISTORY = 6  # exchanges; it was trained on no more
CUT_WORDS = 40  # a monologue loses its beginning in pieces of this many words


@dataclass(frozen=True, slots=True)
class Ask:
    """Everything that a reply may rest on."""

    who: str
    history: tuple[Exchange, ...]  # oldest first
    memories: tuple[str, ...]  # whole sentences
    face: str  # empty: unknown
    feeling: str
    intent: str
    exemplars: tuple[str, ...]  # good answers to similar words
    last_words: str

    @property
    def known(self) -> str:
        """Everything that was said by or about this person; not the exemplars, which are about others."""
        return " ".join((self.who, *(text for exchange in self.history for text in exchange), *self.memories, self.last_words))


@dataclass(frozen=True, slots=True)
class Roles:
    """The role tokens of a family. `system` None: it has no such role, the text goes before the first words."""

    begin: str
    system: str | None
    user: str
    assistant: str
    opening: str  # after it the model speaks
    marker: str  # a token that only this family has


_CHATML = Roles(
    "", "<|im_start|>system\n{}<|im_end|>\n", "<|im_start|>user\n{}<|im_end|>\n", "<|im_start|>assistant\n{}<|im_end|>\n",
    "<|im_start|>assistant\n", "<|im_start|>",
)  # fmt: skip
FAMILIES: dict[str, Roles] = {
    "llama3": Roles(
        "<|begin_of_text|>", "<|start_header_id|>system<|end_header_id|>\n\n{}<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>", "<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n", "<|start_header_id|>",
    ),
    "gemma": Roles(
        "<bos>", None, "<start_of_turn>user\n{}<end_of_turn>\n", "<start_of_turn>model\n{}<end_of_turn>\n", "<start_of_turn>model\n",
        "<start_of_turn>",
    ),
    "gemma4": Roles(
        "<bos>", "<|turn>system\n{}<turn|>\n", "<|turn>user\n{}<turn|>\n", "<|turn>model\n{}<turn|>\n", "<|turn>model\n", "<|turn>",
    ),
    "granite": Roles(
        "", "<|start_of_role|>system<|end_of_role|>{}<|end_of_text|>\n", "<|start_of_role|>user<|end_of_role|>{}<|end_of_text|>\n",
        "<|start_of_role|>assistant<|end_of_role|>{}<|end_of_text|>\n", "<|start_of_role|>assistant<|end_of_role|>", "<|start_of_role|>",
    ),
    "chatml": _CHATML,
    # An empty thought is what switches thinking off: the model finds it done.
    "qwen3": replace(_CHATML, opening="<|im_start|>assistant\n<think>\n\n</think>\n\n"),
    "phi": Roles(
        "", "<|system|>\n{}<|end|>\n", "<|user|>\n{}<|end|>\n", "<|assistant|>\n{}<|end|>\n", "<|assistant|>\n", "<|assistant|>",
    ),
    "mistral": Roles("<s>", None, "[INST] {}[/INST]", " {}</s>", "", "[INST]"),
}  # fmt: skip

MANNER = """\
You are Beside, a voice that keeps {who} company at the bedside. You are a machine and say so when asked: you have no body, no family \
and no life to remember. You can listen, talk and be quiet; you cannot fetch, touch, call anyone or look things up.
Your answer is spoken aloud: one to three short sentences in plain words, no lists, no symbols. Begin with what was just said, in the \
person's own words, then add a little warmth, then at most one question. Do not repeat yourself.
Never give medical advice, a dose, a diagnosis, a forecast or a promise; the nurse and the call button are there for the body. \
When you do not know, say that you do not know."""

INTENTS = {
    "questioning": "ask one gentle question about what was said",
    "agreeing": "agree with what is true in it",
    "acknowledging": "show that you have heard it",
    "encouraging": "give a little courage without a promise",
    "consoling": "comfort",
    "sympathizing": "feel with them, without claiming to have lived it",
    "suggesting": "offer one small thing that can be done here and now, as a choice",
    "wishing": "wish them something kind",
    "neutral": "answer plainly",
}

_FORBIDDEN = str.maketrans({c: " " for c in "<>[]{}|\u2039\u203a\u276c\u276d\uff1c\uff1e\uff5b\uff5d\uff5c\uff3b\uff3d"})


def plain(text: str) -> str:
    """One line of speech without any character that a role token is made of."""
    printable = "".join(c if c.isprintable() else " " for c in text.translate(_FORBIDDEN))
    return " ".join(printable.split())


def stable(family: str, who: str, history: tuple[Exchange, ...]) -> str:
    """The beginning of every prompt with this person and history."""
    if family == "starter":
        return starter_prompt(plain(who), _plain_history(history), (), "", "", "", (), "").removesuffix(USER + BESIDE)
    roles = roles_of(family)
    manner = MANNER.format(who=plain(who) or "the person")
    if roles.system is not None:
        return roles.begin + roles.system.format(manner) + _turns(roles, _plain_history(history))
    if not history:
        return roles.begin + roles.user.split("{}", 1)[0] + manner + "\n\n"
    (first, reply), *rest = _plain_history(history)
    return roles.begin + _turns(roles, [(f"{manner}\n\n{first}", reply), *rest])


def full(family: str, ask: Ask) -> str:
    """The whole prompt; it begins with `stable` of the same person and history."""
    memories, exemplars = [plain(m) for m in ask.memories], [plain(e) for e in ask.exemplars]
    if family == "starter":
        return starter_prompt(
            plain(ask.who), _plain_history(ask.history), memories, ask.face, ask.feeling, ask.intent, exemplars, plain(ask.last_words)
        )
    roles, note = roles_of(family), _note(ask, memories, exemplars)
    begin = stable(family, ask.who, ask.history)
    if roles.system is not None:
        return begin + roles.system.format(note) + roles.user.format(plain(ask.last_words)) + roles.opening
    before, after = roles.user.split("{}", 1)
    opened = begin if not ask.history else begin + before
    return f"{opened}({note})\n\n{plain(ask.last_words)}{after}{roles.opening}"


def fit(family: str, ask: Ask, count: Callable[[str], int], budget_tokens: int) -> Ask:
    """The same ask, with as much of the past as `budget_tokens` allow: old exchanges leave first, then exemplars and memories,
    then the beginning of a monologue. EngineError when not even ten words fit."""
    longest = STARTER_HISTORY if family == "starter" else len(ask.history)
    first = 0
    while len(ask.history) - first > longest:
        first += HISTORY_STEP
    while True:
        tried = replace(ask, history=ask.history[first:])
        if count(full(family, tried)) <= budget_tokens:
            return tried
        if not tried.history:
            break
        first += HISTORY_STEP
    bare = replace(ask, history=(), exemplars=(), memories=())
    words = ask.last_words.split()
    while len(words) > 10 and count(full(family, bare)) > budget_tokens:
        words = words[min(CUT_WORDS, len(words) - 10) :]
        bare = replace(bare, last_words=" ".join(words))
    if count(full(family, bare)) > budget_tokens:
        raise EngineError(
            "context-too-small",
            "The language model's context is too small for a conversation.",
            "Raise thinker.context_tokens in config.yaml.",
        )
    return bare


def family_of(has_token: Callable[[str], bool]) -> str:
    """The family of a model, read from its vocabulary. EngineError if it is none that Beside can write for."""
    if has_token(BESIDE):
        return "starter"
    for name, roles in FAMILIES.items():
        if has_token(roles.marker):
            return "qwen3" if name == "chatml" and has_token("<think>") else name
    raise EngineError(
        "prompt-unknown", "Beside does not know how this language model wants to be spoken to.",
        "Choose an instruct model of the catalogue: beside models list",
    )  # fmt: skip


def roles_of(family: str) -> Roles:
    if family not in FAMILIES:
        known = ", ".join(["starter", *FAMILIES])
        raise EngineError("prompt-unknown", f"There is no prompt family '{family}'.", f"Use one of: {known}.")
    return FAMILIES[family]


def _plain_history(history: tuple[Exchange, ...]) -> list[Exchange]:
    return [(plain(words), plain(reply)) for words, reply in history]


def _turns(roles: Roles, history: list[Exchange]) -> str:
    return "".join(roles.user.format(words) + roles.assistant.format(reply) for words, reply in history)


def _note(ask: Ask, memories: list[str], exemplars: list[str]) -> str:
    lines = ["For you alone, not to be read out."]
    if memories:
        lines.append(f"What you were told before, to use only if it fits: {' '.join(memories)}")
    if ask.face and ask.face != "neutral":
        lines.append(f"The face may look {ask.face}; ask about it gently if it fits, never state it.")
    if ask.feeling:
        lines.append(f"The words sound {ask.feeling}.")
    lines.append(f"In this answer, {INTENTS.get(ask.intent, INTENTS['neutral'])}.")
    if exemplars:
        quoted = " ".join(f'"{e}"' for e in exemplars)
        lines.append(f"The manner of good answers, not their content: {quoted}")
    return re.sub(r"\s+", " ", " ".join(lines))
