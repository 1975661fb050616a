"""The starter's prompt: one pure function, shared by the workshop that trains on it and the thinker that asks with it.

The order is fixed, so that llama.cpp can keep its prefix: who | history | memories, face, feeling, intent, exemplars,
mirror | last words. Each marker is one control token. After a marker stands a space: the tokenizer keeps a word's leading space in its
token, so a name or a noun has the same token here and in the middle of the answer, and can be copied.
"""

from collections.abc import Sequence

from models.workshop.mirror import mirror

BEGIN, END = "<s>", "</s>"
WHO, USER, BESIDE, MEMORY = "<who>", "<user>", "<beside>", "<memory>"
FACE, FEELING, INTENT, LIKE, MIRROR = "<face>", "<feeling>", "<intent>", "<like>", "<mirror>"
MARKERS = (BEGIN, END, WHO, USER, BESIDE, MEMORY, FACE, FEELING, INTENT, LIKE, MIRROR)


def starter_prompt(
    who: str,
    history: Sequence[tuple[str, str]],
    memories: Sequence[str],
    face: str,
    feeling: str,
    intent: str,
    exemplars: Sequence[str],
    last_words: str,
    mirrored: bool = True,
) -> str:
    """Return the prompt; the model goes on with a space, the reply, and `</s>`.

    `history` holds (the person's words, Beside's reply), oldest first. Memories and exemplars are whole sentences, at most
    two of each are used. The mirror of the last words stands before them where they have one and no memory is to be taken
    up; then the reply begins with it. An empty `who`, `face`, `feeling` or `intent` is unknown; an unknown name keeps its
    marker.
    """
    parts = [BEGIN, WHO, _said(who)]
    for words, reply in history:
        parts += [USER, _heard(words), BESIDE, _said(reply)]
    parts += [part for memory in memories[:2] for part in (MEMORY, _said(memory))]
    for marker, label in ((FACE, face), (FEELING, feeling), (INTENT, intent)):
        parts += [marker, _said(label)] if label else []
    parts += [part for reply in exemplars[:2] for part in (LIKE, _said(reply))]
    turned = mirror(_heard(last_words)) if mirrored and not memories else ""
    parts += [MIRROR, _said(turned)] if turned else []
    return "".join([*parts, USER, _heard(last_words), BESIDE])


def _heard(words: str) -> str:
    """The person's words as the recogniser of the training data delivers them: lower case, no punctuation but '."""
    kept = "".join(c if c.isalnum() or c in "' -" else " " for c in words.replace("\u2019", "'").lower())
    return _said(kept.replace("-", " "))


def _said(text: str) -> str:
    """A sentence that cannot hold a marker, with single spaces and one before it."""
    return "".join(f" {word}" for word in text.replace("<", " ").replace(">", " ").replace("\u2019", "'").split())
