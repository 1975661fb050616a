"""The general English model of PocketSphinx' wheel, read whole: its API answers questions but cannot list what it knows.

The file is a reversed trie in packed bits: under the newest word stand the words before it. All numbers little-endian.
  "Trie Language Model", order (1 byte), counts (uint32 each), quantiser (int32 kind, then 65,536 floats each for the bigrams'
  probability and back-off and the trigrams' probability), unigrams (float probability, float back-off, uint32 first child; one
  more than counted), then bigrams as word | 16 bits back-off | 16 bits probability | first child, then trigrams as word | 16 bits
  probability, then the words, each ended by a zero byte. Probabilities are logarithms to the base 1.0001.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAGIC = b"Trie Language Model"
BINS = 1 << 16
LOG_BASE = 1.0001
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WheelModel:
    """Natural logarithms. Bigram i is P(word2[i] | before2[i]); trigram i is P(word | bigram's before, before3) with parent bigram."""

    words: list[str]
    log1: Floats
    backoff1: Floats
    word2: Ints
    before2: Ints
    log2: Floats
    backoff2: Floats
    parent3: Ints  # index of the bigram (before, word) that this trigram refines
    before3: Ints  # the word before `before`
    log3: Floats


def _bits(count: int) -> int:
    return max(1, int(count).bit_length())


def _field(raw: NDArray[np.uint8], first_bit: int, stride: int, width: int, count: int) -> Ints:
    """`count` unsigned fields of `width` bits (at most 25), `stride` bits apart."""
    at = first_bit + stride * np.arange(count, dtype=np.int64)
    byte = at >> 3
    value = np.zeros(count, np.int64)
    for offset in range(5):
        value |= raw[byte + offset].astype(np.int64) << (8 * offset)
    return (value >> (at & 7)) & ((1 << width) - 1)


def felt_bigrams(model: WheelModel, keep: int) -> Ints:
    """Indices of the `keep` bigrams whose loss would be felt most: P(before, word) |log(explicit / backed off)|."""
    backed_off = model.backoff1[model.before2] + model.log1[model.word2]
    gain = np.exp(model.log1[model.before2] + model.log2) * np.abs(model.log2 - backed_off)
    return np.argsort(-gain)[:keep]


def felt_trigrams(model: WheelModel, keep: int) -> Ints:
    """The same for trigrams; the history's own bigram is looked up, and what has none is left out."""
    size = len(model.words)
    keys = model.before2 * size + model.word2
    order = np.argsort(keys)
    wanted = model.before3 * size + model.before2[model.parent3]
    place = np.minimum(np.searchsorted(keys[order], wanted), keys.size - 1)
    history = order[place]
    backed_off = model.backoff2[history] + model.log2[model.parent3]
    joint = np.exp(model.log1[model.before3] + model.log2[history] + model.log3)
    gain = np.where(keys[history] == wanted, joint * np.abs(model.log3 - backed_off), 0.0)
    return np.argsort(-gain)[:keep]


def read(path: Path) -> WheelModel:
    """ValueError when the file is not such a model of order three."""
    raw = np.fromfile(path, np.uint8)
    if raw[: len(MAGIC)].tobytes() != MAGIC or raw[len(MAGIC)] != 3:
        raise ValueError(f"{path} is no trigram model of PocketSphinx")
    at = len(MAGIC) + 1
    counts = raw[at : at + 12].view("<u4").astype(int)
    at += 12 + 4
    tables = raw[at : at + 12 * BINS].view("<f4").astype(np.float64).reshape(3, BINS)
    at += 12 * BINS
    unigrams = raw[at : at + 12 * (counts[0] + 1)].view(np.dtype([("log", "<f4"), ("backoff", "<f4"), ("first", "<u4")]))
    at += 12 * (counts[0] + 1)
    word_bits, next_bits = _bits(counts[0]), _bits(counts[2])
    stride2, stride3 = word_bits + 32 + next_bits, word_bits + 16
    bigrams, at = raw[at:], at + ((counts[1] + 1) * stride2 + 7) // 8 + 8
    trigrams, at = raw[at:], at + ((counts[2] + 1) * stride3 + 7) // 8 + 8
    used = int(unigrams["first"][-1])  # a few fewer than counted: what stands beyond is empty
    first3 = _field(bigrams, word_bits + 32, stride2, next_bits, used)
    word_of_bigram = np.repeat(np.arange(counts[0]), np.asarray(np.diff(unigrams["first"].astype(np.int64)), np.int64))
    parents = np.repeat(np.arange(used), np.diff(first3, append=counts[2]))
    low, high = (_field(bigrams, word_bits + shift, stride2, 16, used) for shift in (0, 16))
    natural = np.log(LOG_BASE)
    return WheelModel(
        words=[word.decode() for word in raw[at + 4 :].tobytes().split(b"\0")[: counts[0]]],
        log1=unigrams["log"][:-1] * natural, backoff1=unigrams["backoff"][:-1] * natural,
        word2=word_of_bigram, before2=_field(bigrams, 0, stride2, word_bits, used),
        log2=tables[0][high] * natural, backoff2=tables[1][low] * natural,
        parent3=parents, before3=_field(trigrams, 0, stride3, word_bits, parents.size),
        log3=tables[2][_field(trigrams, word_bits, stride3, 16, parents.size)] * natural,
    )  # fmt: skip
