# mypy: disable-error-code="import-not-found,import-untyped,no-any-return"
"""The GGUF through llama-cpp-python, as the thinker runs it: the only judge of what the starter really says."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Spoken:
    text: str
    tokens: int
    first_token_ms: float
    seconds: float


class Engine:
    """`Engine(gguf, threads)`; answers are cut at `</s>` and at `most` tokens."""

    def __init__(self, gguf: Path, threads: int) -> None:
        from llama_cpp import Llama

        self._llama = Llama(str(gguf), n_ctx=1024, n_threads=threads, n_threads_batch=threads, logits_all=False, verbose=False)
        self._scoring = Llama(str(gguf), n_ctx=1024, n_threads=threads, logits_all=True, verbose=False)

    def reply(self, prompt: str, seed: int, temperature: float = 0.5, most: int = 60) -> Spoken:
        llama = self._llama
        ids = llama.tokenize(prompt.encode(), add_bos=False, special=True)
        begun = time.monotonic()
        first = 0.0
        out: list[int] = []
        llama.set_seed(seed)
        for token in llama.generate(ids, temp=temperature, top_k=40, top_p=0.9, min_p=0.05, repeat_penalty=1.05):
            first = first or time.monotonic() - begun
            if token == llama.token_eos() or len(out) >= most:
                break
            out.append(token)
        text = llama.detokenize(out).decode(errors="replace").strip()
        return Spoken(text, len(out), first * 1000, time.monotonic() - begun)

    def surprise(self, prompt: str, reply: str) -> tuple[float, int]:
        """Return (sum of -log p, tokens) of ` reply</s>` after the prompt."""
        llama = self._scoring
        head = llama.tokenize(prompt.encode(), add_bos=False, special=True)
        tail = [*llama.tokenize(f" {reply}".encode(), add_bos=False, special=True), llama.token_eos()]
        llama.reset()
        llama.eval([*head, *tail])
        scores = np.array(llama.scores[len(head) - 1 : len(head) + len(tail) - 1], np.float64)
        top = scores.max(1, keepdims=True)
        logs = scores - top - np.log(np.exp(scores - top).sum(1, keepdims=True))
        return float(-logs[np.arange(len(tail)), tail].sum()), len(tail)
