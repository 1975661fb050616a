"""The corpus is read as its README says, and every mistake has its file and line."""

import random
from pathlib import Path

import pytest

from models.workshop.corpus import CorpusError, Dialogue, Exchange, load, read_dialogues, read_exemplars
from models.workshop.samples import Maker
from models.workshop.slots import Filling, SlotError, load_pools, turn_round

POOLS = {
    "name": ["Margaret"], "thing": ["umbrella", "hat"], "event": ["my wedding"],
    "relative": ["sister", "brother"], "relative_name": ["Élise"], "colour": ["red"],
}  # fmt: skip
TEXT = """\
# a comment
= not-sleeping-01
name: {name}
memory: You told me that your {relative} {relative_name} kept bees.
face: sad
U (lonely): i can hear the clock again
B (acknowledging): You can hear the clock again, {name}.
U (nostalgic): my {relative} {relative_name} wound it
B (questioning): {relative_name} wound it. What do you see?

U (lonely): i miss my {thing}
B (acknowledging): You miss your {thing}.
"""


def read(text: str) -> list[Dialogue | CorpusError]:
    return list(read_dialogues(text, "x.txt", POOLS))


def test_dialogue_and_pattern_are_read():
    dialogue, pattern = read(TEXT)
    assert isinstance(dialogue, Dialogue)
    assert (dialogue.topic, dialogue.name, dialogue.face, dialogue.place) == ("not-sleeping", "{name}", "sad", "x.txt:2")
    assert dialogue.exchanges[0] == Exchange(
        "i can hear the clock again", "lonely", "You can hear the clock again, {name}.", "acknowledging"
    )
    assert isinstance(pattern, Dialogue)
    assert (pattern.topic, len(pattern.exchanges)) == ("x", 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("U (lonely): a\nU (lonely): b\n", "x.txt:2: U and B take turns"),
        ("U (lonley): a\nB (neutral): b\n", "x.txt:1: 'lonley' is no emotion"),
        ("U (lonely): a\nB (shouting): b\n", "x.txt:2: 'shouting' is no intent"),
        ("U (lonely): a\n", "x.txt:1: this dialogue does not end"),
        ("U (lonely): a {hat}\nB (neutral): b\n", "x.txt:1: there is no slot '{hat}'"),
        ("face: blue\nU (lonely): a\nB (neutral): b\n", "x.txt:1: face 'blue'"),
        ("hello\n", "x.txt:1: expected"),
    ],
)
def test_mistake_names_file_and_line(text: str, says: str):
    (mistake,) = read(text)
    assert isinstance(mistake, CorpusError)
    assert str(mistake).startswith(says)


def test_exemplars_are_read_and_a_short_row_is_named():
    good, bad = read_exemplars("lonely\tneutral\ti am here\tI hear you.\nlonely\tneutral\tx\n", "e.tsv", POOLS)
    assert good == Exchange("i am here", "lonely", "I hear you.", "neutral")
    assert str(bad).startswith("e.tsv:2:")


def test_slots_keep_their_value_turn_round_and_take_their_article():
    fill = Filling(POOLS, random.Random(1))
    assert fill.heard("Before {event} with {relative_name}") == "before my wedding with élise"
    assert fill.said("{event} came to mind. {relative_name} wore a {colour} one.") == "Your wedding came to mind. Élise wore a red one."
    thing = fill.value("thing")
    assert fill.said("a {thing}") == f"A{'n' if thing == 'umbrella' else ''} {thing}"
    assert {fill.value("relative"), fill.value("relative", "2")} == {"sister", "brother"}


def test_turn_round_turns_person_and_verb():
    assert turn_round("i was in my garden and i'm tired") == "you were in your garden and you're tired"


def test_slots_file_with_a_bare_no_is_refused(tmp_path: Path):
    path = tmp_path / "slots.yaml"
    path.write_text("answer: [yes, no]\n")
    with pytest.raises(SlotError, match="needs quotes"):
        load_pools(path)


def test_samples_are_the_same_for_the_same_seed(tmp_path: Path):
    (tmp_path / "dialogues").mkdir()
    (tmp_path / "dialogues/x.txt").write_text(TEXT)
    (tmp_path / "slots.yaml").write_text("\n".join(f"{k}: [{', '.join(v)}]" for k, v in POOLS.items()))
    corpus, held = load(tmp_path)
    assert (len(corpus.dialogues), corpus.mistakes, held.dialogues) == (2, (), ())
    maker = Maker(corpus)
    first, second = ([s.text for s in maker.epoch(random.Random(7))] for _ in range(2))
    assert first == second
    assert all(t.startswith("<s><who>") and t.endswith("</s>") and "{" not in t for t in first)
