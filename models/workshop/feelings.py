"""The directions of the 32 emotions in MiniLM space, learned from every utterance that the authors labelled.

Multinomial logistic regression in numpy: 384 numbers an emotion, 25 kB in all, so the companion reads a feeling without a
neural network of its own. Rare emotions weigh more. `models/starter/feelings.npz` is what this made; it needs no PyTorch.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.embedding import Embedder
from models.workshop.corpus import EMOTIONS, Corpus, load
from models.workshop.slots import Filling

DECAY = 1e-4
STEPS, RATE = 400, 0.05
HELD_BACK = 10  # every tenth line is not trained on while the score is taken

Labelled = list[tuple[int, str]]
Head = tuple[NDArray[np.float32], NDArray[np.float32]]


def make(corpus: Path, minilm: Path, out: Path, seed: int, say: Callable[[str], None]) -> dict[str, float]:
    """Learn, score on lines and situations held back, learn again on all, write `out`."""
    train, held = load(corpus)
    authored = [(EMOTIONS.index(e.feeling), e.user) for e in train.exemplars]
    lines = labelled(train, seed) + authored + _labels(corpus / "labels/emotions.tsv")
    random.Random(seed).shuffle(lines)
    embedder = Embedder(minilm)
    say(f"{len(lines)} labelled lines")
    x, y = _vectors(embedder, lines)
    back = np.arange(len(y)) % HELD_BACK == 0
    head = fit(x[~back], y[~back])
    scores = {"lines": float(len(y)), **_scores("held-back lines", head, x[back], y[back])}
    scores |= _scores("held-out situations", head, *_vectors(embedder, labelled(held, seed)))
    say(json.dumps(scores, indent=2))
    weights, bias = fit(x, y)
    np.savez(out, weights=weights.astype(np.float16), bias=bias.astype(np.float16))
    return scores


def labelled(corpus: Corpus, seed: int) -> Labelled:
    rng = random.Random(seed)
    exchanges = [e for d in corpus.dialogues for e in d.exchanges]
    return [(EMOTIONS.index(e.feeling), Filling(corpus.pools, rng).heard(e.user)) for e in exchanges]


def _labels(path: Path) -> Labelled:
    rows = [line.split("\t")[:2] for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [(EMOTIONS.index(label), said) for label, said in rows]


def _vectors(embedder: Embedder, lines: Labelled) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    return embedder.embed_all([said for _, said in lines]), np.array([label for label, _ in lines])


def fit(x: NDArray[np.float32], y: NDArray[np.int64]) -> Head:
    """Full-batch Adam; a convex problem, so no seed and no patience."""
    count = len(EMOTIONS)
    params = np.zeros((x.shape[1] + 1, count))
    inputs = np.hstack([x, np.ones((len(x), 1))])
    weight = (1 / np.sqrt(np.bincount(y, minlength=count) + 5))[y]
    weight /= weight.mean()
    wanted = np.eye(count)[y]
    mean, square = np.zeros_like(params), np.zeros_like(params)
    for step in range(1, STEPS + 1):
        logits = inputs @ params
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        gradient = inputs.T @ ((shares - wanted) * weight[:, None]) / len(x)
        gradient[:-1] += DECAY * params[:-1]
        mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        params -= RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return params[:-1].astype(np.float32), params[-1].astype(np.float32)


def _scores(name: str, head: Head, x: NDArray[np.float32], y: NDArray[np.int64]) -> dict[str, float]:
    logits = x @ head[0] + head[1]
    ranked = np.argsort(-logits, axis=1)
    return {
        f"{name}: right": round(float((ranked[:, 0] == y).mean()), 3),
        f"{name}: among the first three": round(float((ranked[:, :3] == y[:, None]).any(axis=1).mean()), 3),
    }
