"""Can a phrase end here? "because", "and my", "I want" go on; "yes I am" does not. Grammar of English, pure.

The recogniser's last word may be wrong, so this is one witness of two; the other is the melody (Smart Turn).
"""

from typing import Literal


def _listed(text: str) -> frozenset[str]:
    return frozenset(phrase.strip() for line in text.strip().splitlines() for phrase in line.split(","))


# Conjunctions, articles, possessives, prepositions, auxiliaries, fillers: a phrase does not end in these.
OPEN_WORDS = _listed("""
    a, about, after, an, and, are, as, at, be, because, been, before, but, by, can, cause, could, did, does, do, er, for, from
    get, gets, had, has, have, he, hm, her, his, i, if, i'd, i'll, i'm, i've, in, into, is, it's, its, just, like, maybe, might
    my, nor, of, on, onto, or, our, really, said, she, should, since, so, than, that, that's, the, their, then, there's, they
    to, uh, um, unless, until, very, was, we, we're, well, were, what, when, where, whether, which, while, who, whose, will
    with, would, your
""")
# Of these, the ones that no sentence ends in, whatever the melody says.
SURELY_OPEN_WORDS = _listed("""
    a, about, an, and, as, at, because, but, by, for, from, i, i'd, i'll, i'm, i've, if, in, into, my, of, on, or, our, than
    the, their, to, until, very, we're, whether, with, your
""")
OPEN_ENDINGS = _listed("""
    you know, i mean, i want, i need, i think, i feel, i guess, sort of, kind of, as well as, going to, used to, want to
    the other, let me, tell me, next to, one of, a lot of
""")
# Endings that are finished although their last word is listed above.
CLOSED_ENDINGS = _listed("""
    i do, i am, i did, i have, i can, i will, i would, i could, i should, i had, i was, he was, she was, it was, it is, that is
    they are, he is, she is, there is, where are you, are you there, how are you, who are you, where am i, who am i, so do i
    come on, going on, carry on, keep on, this about, that about, it about, all about, looking at, let me in, stay in, bring them in
    what for, what is it, who is it, what was that, what is that, come in, turn it on, put it on, go on, move on, hold on
    like that, like this, about that, do that, after that, because of that, than that, stop that, say that, with that, to do
    think so, hope so, believe so, very well, not well, so well, feel well, sleep well, slept well, get well, as well
    he said, she said, i said, what about you, about you, a lot to, tell her, ask her, miss her, love her, loved her, see her
    to her, with her, call her, about her, oh my, what did you do, what they do, what can i do, what should i do, like before
""")
# Finished only when they are all that was said.
CLOSED_ALONE = _listed("what, why, when, where, who, well, so, can i, could you, would you")


def openness(words: str) -> Literal["closed", "open", "surely-open"]:
    """Whether the phrase can end here. `words`: lower case, no punctuation; no words at all count as open."""
    if words in CLOSED_ALONE:
        return "closed"
    tail = words.split()[-4:]
    endings = [" ".join(tail[-length:]) for length in range(len(tail), 1, -1)]
    if any(ending in CLOSED_ENDINGS for ending in endings):
        return "closed"
    if tail and tail[-1] in SURELY_OPEN_WORDS:
        return "surely-open"
    return "open" if not tail or tail[-1] in OPEN_WORDS or any(ending in OPEN_ENDINGS for ending in endings) else "closed"
