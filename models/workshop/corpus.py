"""Read what the authors wrote: dialogues, patterns and exemplars. A mistake is named with its file, line and remedy."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.workshop.slots import SLOT, Pools, load_pools

INTENTS = ("questioning", "agreeing", "acknowledging", "encouraging", "consoling", "sympathizing", "suggesting", "wishing", "neutral")
_EMOTIONS = """
    afraid angry annoyed anticipating anxious apprehensive ashamed caring confident content devastated disappointed
    disgusted embarrassed excited faithful furious grateful guilty hopeful impressed jealous joyful lonely nostalgic prepared
    proud sad sentimental surprised terrified trusting
"""
EMOTIONS = tuple(_EMOTIONS.split())
FACES = ("angry", "disgusted", "afraid", "happy", "sad", "surprised", "neutral")
_LINE = re.compile(r"^([UB]) \(([a-z]+)\):\s*(.*)$")
_FIELD = re.compile(r"^(name|memory|face):\s*(.*)$")


class CorpusError(Exception):
    """A line that is not as corpus/README.md says."""


@dataclass(frozen=True)
class Exchange:
    """The person's words and Beside's answer, slots still open."""

    user: str
    feeling: str
    reply: str
    intent: str


@dataclass(frozen=True)
class Dialogue:
    topic: str
    name: str
    memories: tuple[str, ...]
    face: str
    exchanges: tuple[Exchange, ...]
    place: str  # file:line of its first line


@dataclass(frozen=True)
class Corpus:
    """Everything that is trained on, or everything that is held out."""

    dialogues: tuple[Dialogue, ...]
    exemplars: tuple[Exchange, ...]
    pools: Pools
    mistakes: tuple[str, ...] = ()


def load(folder: Path) -> tuple[Corpus, Corpus]:
    """Return (training, held out). Patterns are dialogues of one exchange. The bank of exemplars serves both.

    What is wrong is left out and named in `mistakes`, all at once.
    """
    train_pools, held_pools = load_pools(folder / "slots.yaml")
    train, train_mistakes = _folders(folder, ("dialogues", "patterns"), train_pools)
    held, held_mistakes = _folders(folder, ("heldout",), held_pools)
    exemplars: list[Exchange] = []
    path = folder / "exemplars.tsv"
    if path.exists():
        for found in read_exemplars(path.read_text(encoding="utf-8"), str(path), train_pools):
            exemplars.append(found) if isinstance(found, Exchange) else train_mistakes.append(str(found))
    bank = tuple(exemplars)
    return Corpus(train, bank, train_pools, tuple(train_mistakes)), Corpus(held, bank, held_pools, tuple(held_mistakes))


def _folders(folder: Path, parts: tuple[str, ...], pools: Pools) -> tuple[tuple[Dialogue, ...], list[str]]:
    dialogues: list[Dialogue] = []
    mistakes: list[str] = []
    for path in (p for part in parts for p in sorted((folder / part).glob("*.txt"))):
        for found in read_dialogues(path.read_text(encoding="utf-8"), str(path), pools):
            dialogues.append(found) if isinstance(found, Dialogue) else mistakes.append(str(found))
    return tuple(dialogues), mistakes


def read_dialogues(text: str, file: str, pools: Pools) -> Iterator[Dialogue | CorpusError]:
    """Yield a file's dialogues, or what is wrong with them. Blank lines part them; a pattern may do without its `=` line."""
    block: list[tuple[int, str]] = []
    stem = Path(file).stem
    for number, line in enumerate([*text.splitlines(), ""], 1):
        line = line.strip()
        if line.startswith("#"):
            continue
        if line and not (line.startswith("= ") and block):
            block.append((number, line))
            continue
        if block:
            try:
                yield _dialogue(block, file, stem, pools)
            except CorpusError as mistake:
                yield mistake
        block = [(number, line)] if line else []


def _dialogue(block: list[tuple[int, str]], file: str, stem: str, pools: Pools) -> Dialogue:
    topic, name, face, memories = stem, "", "", []
    exchanges: list[Exchange] = []
    waiting: tuple[str, str] | None = None
    for number, line in block:

        def wrong(what: str, number: int = number) -> CorpusError:
            return CorpusError(f"{file}:{number}: {what}")

        for slot in SLOT.finditer(line):
            if slot[1] not in pools:
                raise wrong(f"there is no slot '{slot[0]}' in slots.yaml")
        if line.startswith("= "):
            topic = re.sub(r"-\d+$", "", line[2:].strip())
        elif field := _FIELD.match(line):
            if exchanges or waiting:
                raise wrong(f"'{field[1]}:' belongs above the first U line")
            if field[1] == "name":
                name = field[2]
            elif field[1] == "memory":
                memories.append(field[2])
            elif field[2] in FACES:
                face = field[2]
            else:
                raise wrong(f"face '{field[2]}' is none of {', '.join(FACES)}")
        elif said := _LINE.match(line):
            who, label, words = said.groups()
            if label not in (EMOTIONS if who == "U" else INTENTS):
                raise wrong(f"'{label}' is no {'emotion' if who == 'U' else 'intent'}")
            if not words:
                raise wrong("nothing is said here")
            if who == "U" and waiting is None:
                waiting = (words, label)
            elif who == "B" and waiting is not None:
                exchanges.append(Exchange(waiting[0], waiting[1], words, label))
                waiting = None
            else:
                raise wrong("U and B take turns, U first")
        else:
            raise wrong("expected '= topic-NN', 'name:', 'memory:', 'face:', 'U (emotion): ...' or 'B (intent): ...'")
    place = f"{file}:{block[0][0]}"
    if waiting or not exchanges:
        raise CorpusError(f"{place}: this dialogue does not end with an answer")
    if "{name" in " ".join(e.reply for e in exchanges) and not name:
        name = "{name}"
    return Dialogue(topic, name, tuple(memories), face, tuple(exchanges), place)


def read_exemplars(text: str, file: str, pools: Pools) -> Iterator[Exchange | CorpusError]:
    """Yield the bank: `emotion<TAB>intent<TAB>utterance<TAB>reply`, or what is wrong with a line."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith(("#", "emotion\t")):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        unknown = [slot[0] for slot in SLOT.finditer(line) if slot[1] not in pools]
        if len(cells) != 4 or cells[0] not in EMOTIONS or cells[1] not in INTENTS or not all(cells):
            yield CorpusError(f"{file}:{number}: expected emotion, intent, utterance and reply, with tabs between")
        elif unknown:
            yield CorpusError(f"{file}:{number}: there is no slot '{unknown[0]}' in slots.yaml")
        else:
            yield Exchange(cells[2], cells[0], cells[3], cells[1])
