# mypy: disable-error-code="import-not-found"
"""Samples as numbers: token ids, how much each one counts, and batches of like length.

The last answer counts fully. The answers before it and the person's words count a little: they teach the language. What the
device writes itself (name, memories, labels, exemplars) is read and never predicted.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.workshop.format import BESIDE, END, LIKE, MARKERS, USER
from models.workshop.samples import Maker, Sample
from models.workshop.tokenizer import id_of

LAST, BEFORE, HEARD, EXEMPLAR = 1.0, 0.5, 0.1, 0.05
CHUNK = 1024  # samples that are sorted by length together


@dataclass(frozen=True)
class Batch:
    """`ids` (rows, time + 1) with `</s>` after the end; `weights` (rows, time) belong to `ids[:, 1:]`."""

    ids: NDArray[np.int64]
    weights: NDArray[np.float32]


def encode(samples: Iterable[Sample], tokenizer: Tokenizer, limit: int) -> list[tuple[list[int], list[float]]]:
    """Return ids and weights of each sample; the few that are longer than `limit` tokens are left out."""
    markers = {id_of(tokenizer, m): m for m in MARKERS}
    rows = []
    for encoding in tokenizer.encode_batch_fast([s.text for s in samples]):
        if len(encoding.ids) <= limit:
            rows.append((encoding.ids, _weights(encoding.ids, markers)))
    return rows


def _weights(ids: list[int], markers: dict[int, str]) -> list[float]:
    last = max(n for n, i in enumerate(ids) if markers.get(i) == BESIDE)
    counts = {BESIDE: BEFORE, USER: HEARD, LIKE: EXEMPLAR}
    out, now = [], 0.0
    for n, i in enumerate(ids):
        marker = markers.get(i)
        if marker is None:
            out.append(now)
            continue
        out.append(LAST if marker == END else 0.0)
        now = LAST if n == last else counts.get(marker, 0.0)
    return out


def batches(rows: list[tuple[list[int], list[float]]], tokens: int, end: int) -> Iterator[Batch]:
    """Yield batches of about `tokens` tokens, padding counted; rows of like length stand together."""
    rows = sorted(rows, key=lambda row: len(row[0]))
    group: list[tuple[list[int], list[float]]] = []
    for row in rows:
        if group and (len(group) + 1) * len(row[0]) > tokens:
            yield _batch(group, end)
            group = []
        group.append(row)
    if group:
        yield _batch(group, end)


def _batch(group: list[tuple[list[int], list[float]]], end: int) -> Batch:
    width = max(len(ids) for ids, _ in group)
    ids = np.full((len(group), width), end, np.int64)
    weights = np.zeros((len(group), width - 1), np.float32)
    for n, (row, counts) in enumerate(group):
        ids[n, : len(row)] = row
        weights[n, : len(row) - 1] = counts[1:]
    return Batch(ids, weights)


def chunk(maker: Maker, tokenizer: Tokenizer, seed: int, number: int, tokens: int, limit: int) -> list[Batch]:
    """Return the batches of one chunk: the same for the same corpus, seed and number, so that training resumes anywhere."""
    count = len(maker.targets)
    samples: list[Sample] = []
    orders: dict[int, list[int]] = {}
    for place in range(number * CHUNK, (number + 1) * CHUNK):
        epoch, at = divmod(place, count)
        if epoch not in orders:
            orders[epoch] = random.Random(f"{seed} order {epoch}").sample(range(count), count)
        samples.append(maker.sample(*maker.targets[orders[epoch][at]], random.Random(f"{seed} {place}")))
    found = list(batches(encode(samples, tokenizer, limit), tokens, id_of(tokenizer, END)))
    random.Random(f"{seed} batches {number}").shuffle(found)
    return found
