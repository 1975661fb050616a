import numpy as np
import pytest

from device.embedding import DIMENSIONS, Vector
from device.errors import InputError
from services.thinker.exemplars import TABLE, open_bank, read

ROWS = """\
sad	consoling	i miss my garden	You miss it.
sad	questioning	i miss my garden so	What grew there?
joyful	agreeing	it is sunny	It is.
"""


def embed(text: str) -> Vector:
    vector = np.zeros(DIMENSIONS, np.float32)
    for word in text.split():
        vector[sum(word.encode()) % DIMENSIONS] += 1
    return vector / np.float32(np.linalg.norm(vector))


def test_wanted_intent_comes_first_and_far_answers_never(tmp_path):
    (tmp_path / "table.tsv").write_text(ROWS)
    bank = open_bank(tmp_path / "table.tsv", embed, tmp_path / "cache")
    assert bank.nearest(embed("i miss my garden"), "consoling") == (), "nothing is prepared yet"
    bank.learn(10)
    assert bank.nearest(embed("i miss my garden"), "consoling") == ("You miss it.", "What grew there?")
    assert bank.nearest(embed("i miss my garden so"), "questioning")[0] == "What grew there?"
    assert bank.nearest(embed("completely different talk"), "consoling") == ()


def test_vectors_are_computed_once_and_again_when_the_table_changes(tmp_path):
    table, asked = tmp_path / "table.tsv", list[str]()

    def counted(text: str) -> Vector:
        asked.append(text)
        return embed(text)

    table.write_text(ROWS)
    open_bank(table, counted, tmp_path / "cache").learn(10)
    assert open_bank(table, counted, tmp_path / "cache").complete
    assert len(asked) == 3
    table.write_text(ROWS + "sad\twishing\tgood night\tSleep well.\n")
    assert not open_bank(table, counted, tmp_path / "cache").complete
    (next((tmp_path / "cache").glob("*.npy"))).write_bytes(b"broken")
    table.write_text(ROWS)
    assert not open_bank(table, counted, tmp_path / "cache").complete


def test_wrong_line_is_named(tmp_path):
    (tmp_path / "table.tsv").write_text(ROWS + "only one cell\n")
    with pytest.raises(InputError, match="line 4"):
        read(tmp_path / "table.tsv")
    with pytest.raises(InputError):
        read(tmp_path / "nowhere.tsv")


def test_shipped_table_can_be_read():
    rows = read(TABLE)
    assert len(rows) > 500
    assert all(row.reply and row.utterance for row in rows)
