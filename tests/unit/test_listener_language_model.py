"""The arithmetic behind the bedside language model: probabilities sum to one, counted words gain, nothing is impossible."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from models.bedside_lm.ngrams import END, START, WittenBell, Words, mixed, write_arpa

VOCABULARY = ["leg", "my", "hurts", "sleep", END]
SENTENCES = st.lists(st.lists(st.sampled_from(VOCABULARY[:-1]), min_size=1, max_size=5), min_size=1, max_size=8)


def evenly(word: str, history: Words) -> float:
    return 1.0 / len(VOCABULARY)


@given(SENTENCES, st.lists(st.sampled_from([START, *VOCABULARY[:-1]]), max_size=2))
def test_witten_bell_when_anything_was_counted_sums_to_one(sentences: list[list[str]], history: list[str]) -> None:
    model = WittenBell(sentences, evenly)
    shares = [model.probability(word, tuple(history)) for word in VOCABULARY]
    assert abs(sum(shares) - 1.0) < 1e-9
    assert min(shares) > 0.0


def test_mixed_when_one_model_was_counted_prefers_its_words() -> None:
    model = mixed(WittenBell([["my", "leg", "hurts"]] * 5, evenly).probability, evenly, 0.5)
    assert model("leg", ("my",)) > 2 * evenly("leg", ("my",))


@given(SENTENCES)
def test_write_arpa_when_some_grams_are_left_out_still_sums_to_one(tmp_path_factory, sentences: list[list[str]]) -> None:  # type: ignore[no-untyped-def]
    model = WittenBell(sentences, evenly)
    path: Path = tmp_path_factory.getbasetemp() / "model.arpa"
    kept = {gram for number, gram in enumerate(sorted(model.grams(3))) if number % 2}
    write_arpa(path, [{(word,) for word in (*VOCABULARY, START)}, model.grams(2), kept], model.probability)
    share, backoff = read_arpa(path)

    def probability(word: str, history: Words) -> float:
        if (*history, word) in share:
            return share[(*history, word)]
        return backoff.get(history, 1.0) * probability(word, history[1:])

    for history in {gram[:-1] for gram in share if gram[-1] != START}:
        assert abs(sum(probability(word, history) for word in VOCABULARY) - 1.0) < 2e-3  # four decimals of a logarithm


def read_arpa(path: Path) -> tuple[dict[Words, float], dict[Words, float]]:
    share: dict[Words, float] = {}
    backoff: dict[Words, float] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = line.split("\t")
        if len(parts) >= 2:
            gram = tuple(parts[1].split())
            share[gram] = 10 ** float(parts[0])
            backoff[gram] = 10 ** float(parts[2]) if len(parts) == 3 else 1.0
    return share, backoff
