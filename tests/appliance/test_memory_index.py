"""The real chromadb: what stands on its disk, what happens when it breaks, and that to forget is to forget."""

import logging
import os
import shutil
import time

import numpy as np
import pytest

from device.config import Config
from device.embedding import DIMENSIONS, Embedder, Vectors
from device.errors import EngineError
from services.thinker.exemplars import Bank
from services.thinker.index import Index, _scrub
from services.thinker.library import Library
from services.thinker.recall import Kept

pytestmark = pytest.mark.appliance
TEXTS = {
    "m1": "my sister anneliese kept bees behind the orchard",
    "m2": "i drove the night train to vladikavkaz for thirty years",
    "m3": "our dog bruno was afraid of thunder",
}


@pytest.fixture(scope="module")
def embedder():
    return Embedder(Config().paths.models)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "memory_index"


def rows(*ids: str) -> list[Kept]:
    return [Kept(i, TEXTS[i], "Maria", "said", "old", 1.0) for i in ids]


@pytest.fixture
def library(folder, embedder):
    """A library on `folder`, as a new process would open it: the one before lets go of the files."""
    opened: list[Index] = []

    def start() -> Library:
        for index in opened:
            index.close()
        opened.append(Index(folder))
        return Library(embedder.embed, opened[-1], Bank([], embedder.embed), 2)

    yield start
    opened[-1].close()


def remembered(found: Library, words: str) -> tuple[str, ...]:
    return found.draw(who="Maria", session="now", said=(), last_words=words, intent="questioning").ids


def test_memory_is_found_by_meaning_when_other_words_are_said(folder, embedder, library):
    found = library()
    found.keep(rows("m1", "m2", "m3"))
    assert remembered(found, "a swarm of honey bees came to the window")[0] == "m1"
    assert remembered(found, "i worked on the railway")[0] == "m2"
    assert remembered(found, "what is for lunch today") == ()


def test_no_word_stands_on_the_disk(folder, embedder, library):
    found = library()
    found.keep(rows("m1", "m2", "m3"))
    remembered(found, "anneliese and her bees")
    everything = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    for text in TEXTS.values():
        for word in text.split():
            if len(word) > 6:
                assert word.encode() not in everything.lower()


def test_forgotten_vector_is_nowhere_on_the_disk(folder, embedder, library):
    found = library()
    found.keep(rows("m1", "m2", "m3"))
    gone = embedder.embed(TEXTS["m1"]).astype(np.float32).tobytes()
    assert found.forget(["m1"], everything=False) == 2
    assert remembered(found, "a swarm of honey bees") == ()
    assert remembered(found, "i worked on the railway") == ("m2",)
    for file in folder.rglob("*"):
        if file.is_file():
            raw = file.read_bytes()
            assert not any(gone[i : i + 64] in raw for i in range(0, len(gone), 64)), file.name
            assert b"m1" not in raw or b"m2" in raw  # a chance match is no id
    assert found.forget([], everything=True) == 0
    library()
    assert Index(folder).ids() == set()


def test_an_old_vector_in_the_unused_part_of_a_file_is_overwritten(folder, embedder, library):
    library().keep(rows("m1", "m2"))
    gone = embedder.embed(TEXTS["m1"]).astype(np.float32)
    kept = embedder.embed(TEXTS["m2"]).astype(np.float32)
    left = folder / "data_level0.bin"  # as the index library leaves it now and then: it does not clear its memory
    left.write_bytes(b"head" + kept.tobytes() + bytes(100) + gone.tobytes()[:512] + b"tail")
    _scrub(folder, gone[None, :], kept[None, :])
    assert left.read_bytes() == b"head" + kept.tobytes() + bytes(612) + b"tail"


def test_index_is_rebuilt_when_its_files_are_garbage(folder, embedder, library):
    library().keep(rows("m1", "m2"))
    library()
    Index(folder).close()
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_bytes(os.urandom(2000))
    found = library()
    found.keep(rows("m1", "m2"))
    assert remembered(found, "a swarm of honey bees") == ("m1",)


def test_index_is_rebuilt_when_it_is_deleted_under_the_running_thinker(folder, embedder, library):
    found = library()
    found.keep(rows("m1"))
    shutil.rmtree(folder)
    found.keep(rows("m2"))
    remembered(found, "bees")
    remembered(found, "bees")
    assert remembered(found, "i worked on the railway") == ("m2",)
    assert remembered(found, "a swarm of honey bees") == ("m1",)


def test_what_was_forgotten_while_away_leaves_the_index_when_all_is_told(folder, embedder, library):
    library().keep(rows("m1", "m2"))
    found = library()
    found.keep(rows("m2"))
    found.settle()
    assert remembered(library(), "honey bees") == ()
    assert Index(folder).ids() == {"m2"}


def test_known_rows_are_not_computed_again_when_told_at_the_next_start(folder, embedder, library):
    library().keep(rows("m1", "m2"))
    library()
    asked: list[str] = []

    def counted(text):
        asked.append(text)
        return embedder.embed(text)

    again = Library(counted, Index(folder), Bank([], counted), 2)
    again.keep(rows("m1", "m2", "m3"))
    assert asked == [TEXTS["m3"]]


def test_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineError) as caught:
        Index(tmp_path / "file" / "memory_index")
    assert caught.value.remedy


def test_ten_thousand_memories_are_searched_in_a_moment(folder):
    count = 10_000
    rng = np.random.default_rng(0)
    vectors: Vectors = rng.standard_normal((count, DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = Index(folder)
    begin = time.monotonic()
    index.add([f"m{n}" for n in range(count)], vectors)
    added_s = time.monotonic() - begin
    times = []
    for n in range(40):
        begin = time.monotonic()
        assert index.nearest(vectors[n], 24)[0][0] == f"m{n}"
        times.append(time.monotonic() - begin)
    logging.getLogger(__name__).info("10k: added in %.1f s, query median %.1f ms", added_s, 1e3 * sorted(times)[20])
    assert sorted(times)[20] < 0.05
