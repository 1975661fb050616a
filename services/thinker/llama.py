"""llama.cpp: one model, one context, driven token by token through its low-level interface.

The context remembers the tokens it holds. A new prompt keeps what it shares with them from the beginning and only the rest
is evaluated, in batches small enough that a cancelled reply ends within a tenth of a second. The high-level class of the
library is not used: it runs the template found in the model file, copies all scores, and cannot be stopped.
"""

import codecs
import ctypes
import logging
import os
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

from device.clock import now_ns
from device.errors import EngineError
from services.thinker.mind import Limits, Written
from services.thinker.model_file import check
from services.thinker.prompt import family_of, roles_of

log = logging.getLogger(__name__)

BATCH_NS = 60_000_000  # how long one batch of the prompt should take: a cancel waits for no more than that
BATCH_LEAST, BATCH_MOST = 8, 256
TOP_K, TOP_P, MIN_P = 40, 0.92, 0.05
REPEAT_PENALTY, REPEAT_TOKENS = 1.1, 64  # within one reply: the person's own words are to be taken up
LEAST_CONTEXT = 512
RANDOM_SEED = 0xFFFFFFFF  # llama.cpp draws one itself
ANY_BUT = ("<think>", "<|think|>", "<|channel>")  # thinking aloud is switched off, whatever the model was trained for


class Llama:
    """The mind that `path` holds. Every call belongs in one thread. EngineError when the file or a call is no good."""

    def __init__(
        self, path: Path, *, context_tokens: int, threads: int = 0, temperature: float = 0.4, family: str = "", seed: int = RANDOM_SEED
    ) -> None:
        header = check(path)
        if header.context_tokens and header.context_tokens < LEAST_CONTEXT:
            raise EngineError(
                "model-context-small",
                f"The language model {path.name} can hold only {header.context_tokens} tokens.",
                "Choose another model.",
            )
        _enough_memory(path, header.file_bytes)
        self._c = _library()
        self.name = path.stem
        self.context_tokens = min(context_tokens, header.context_tokens or context_tokens)
        self._model = self._load(path)
        self._vocab = self._c.llama_model_get_vocab(self._model)
        self._words = self._c.llama_vocab_n_tokens(self._vocab)
        self.family = family or family_of(self._has_token)
        if family and family != "starter":
            roles_of(family)
        self._context = self._new_context(threads or max(1, (os.cpu_count() or 2) - 1))
        self._memory = self._c.llama_get_memory(self._context)
        self._batch = self._c.llama_batch_init(BATCH_MOST, 0, 1)
        self._batch_tokens = 32
        self._held: list[int] = []
        self._sampler = self._new_sampler(temperature, seed)
        self.probe()

    # ---- the face ----

    def count(self, text: str) -> int:
        return len(self._tokens(text))

    def write(self, prompt: str, limits: Limits, stop: threading.Event, hear: Callable[[str], None]) -> Written:
        tokens = self._tokens(prompt)
        kept = self._keep_prefix(tokens)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # one letter may be spread over several tokens
        first = last = written = 0
        why: Literal["complete", "cancelled", "limit"] = "limit"
        self._c.llama_sampler_reset(self._sampler)
        if not self._evaluate(tokens[kept:], stop, limits.deadline_ns):
            return Written("cancelled" if stop.is_set() else "limit", 0, 0, 0, len(tokens), kept)
        while written < limits.tokens and len(self._held) < self.context_tokens:
            token = self._c.llama_sampler_sample(self._sampler, self._context, -1)
            last = now_ns()
            first = first or last
            if self._c.llama_vocab_is_eog(self._vocab, token) or self._c.llama_vocab_is_control(self._vocab, token):
                why = "complete"
                break
            written += 1
            if piece := decoder.decode(self._piece(token)):
                hear(piece)
            if stop.is_set():
                why = "cancelled"
                break
            if last > limits.deadline_ns:
                break
            self._decode([token])
        return Written(why, written, first, last, len(tokens), kept)

    def warm(self, prefix: str, stop: threading.Event) -> int:
        tokens = self._tokens(prefix)[: self.context_tokens - 1]
        if not tokens:
            self._c.llama_memory_clear(self._memory, True)  # True: the words are overwritten, too
            self._held.clear()
            return 0
        kept = self._keep_prefix(tokens)
        before = len(self._held)
        self._evaluate(tokens[kept:], stop, None)
        return len(self._held) - before

    def probe(self) -> None:
        end = len(self._held)
        if end >= self.context_tokens:
            end -= 1
            self._forget_from(end)
        self._decode([self._held[-1] if self._held else 0])
        self._c.llama_sampler_sample(self._sampler, self._context, -1)
        self._forget_from(end)

    def close(self) -> None:
        """Give the memory back. Nothing may be called afterwards."""
        self._c.llama_sampler_free(self._sampler)
        self._c.llama_batch_free(self._batch)
        self._c.llama_free(self._context)
        self._c.llama_model_free(self._model)

    # ---- loading ----

    def _load(self, path: Path) -> Any:
        params = self._c.llama_model_default_params()
        params.load_mode = self._c.LLAMA_LOAD_MODE_MMAP
        params.n_gpu_layers = 0
        model = self._c.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise EngineError(
                "model-refused", f"The language model {path.name} cannot be loaded.", "Run: beside models verify, or choose another model."
            )
        return model

    def _new_context(self, threads: int) -> Any:
        params = self._c.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = self.context_tokens, BATCH_MOST, BATCH_MOST, 1
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = self._c.LLAMA_FLASH_ATTN_TYPE_DISABLED  # slower on a CPU at this length
        params.no_perf = True
        context = self._c.llama_init_from_model(self._model, params)
        if not context:
            raise EngineError(
                "context-refused",
                "There is not enough memory for the language model.",
                "Lower thinker.context_tokens, or take a smaller model.",
            )
        return context

    def _new_sampler(self, temperature: float, seed: int) -> Any:
        c = self._c
        chain = c.llama_sampler_chain_init(c.llama_sampler_chain_default_params())
        banned = [self._tokens(text)[0] for text in ANY_BUT if self._has_token(text)]
        if banned:
            biases = (c.llama_logit_bias * len(banned))(*[c.llama_logit_bias(token, float("-inf")) for token in banned])
            c.llama_sampler_chain_add(chain, c.llama_sampler_init_logit_bias(self._words, len(banned), biases))
        c.llama_sampler_chain_add(chain, c.llama_sampler_init_penalties(self._words, REPEAT_TOKENS, REPEAT_PENALTY, 0.0, 0.0))
        if temperature == 0:
            c.llama_sampler_chain_add(chain, c.llama_sampler_init_greedy())
            return chain
        for sampler in (
            c.llama_sampler_init_top_k(TOP_K), c.llama_sampler_init_top_p(TOP_P, 1), c.llama_sampler_init_min_p(MIN_P, 1),
            c.llama_sampler_init_temp(temperature), c.llama_sampler_init_dist(seed),
        ):  # fmt: skip
            c.llama_sampler_chain_add(chain, sampler)
        return chain

    # ---- tokens ----

    def _tokens(self, text: str) -> list[int]:
        """Role tokens are parsed: `prompt.plain` has taken them out of everything a person said."""
        raw = text.encode()
        room = (ctypes.c_int32 * (len(raw) + 8))()
        count = self._c.llama_tokenize(self._vocab, raw, len(raw), room, len(room), False, True)
        if count < 0:
            raise EngineError("model-failed", "The language model could not read its prompt.", "It is started again by itself.")
        return list(room[:count])

    def _has_token(self, text: str) -> bool:
        return len(self._tokens(text)) == 1

    def _piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        count = self._c.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        return buffer.raw[: max(0, count)]

    # ---- the context ----

    def _keep_prefix(self, tokens: list[int]) -> int:
        """Drop what the context holds beyond the beginning it shares with `tokens`; how many tokens are kept."""
        if not 0 < len(tokens) < self.context_tokens:
            raise EngineError("context-too-small", "The prompt is longer than the model's context.", "Raise thinker.context_tokens.")
        shared = 0
        for held, new in zip(self._held, tokens[:-1], strict=False):  # the last is evaluated anew: its scores are needed
            if held != new:
                break
            shared += 1
        return self._forget_from(shared)

    def _forget_from(self, position: int) -> int:
        """Cut the context at `position`; a model that cannot be cut loses everything. How many tokens remain."""
        if not self._c.llama_memory_seq_rm(self._memory, 0, position, -1):
            self._c.llama_memory_clear(self._memory, True)
            position = 0
        del self._held[position:]
        return position

    def _evaluate(self, tokens: list[int], stop: threading.Event, deadline_ns: int | None) -> bool:
        """Read `tokens` in small batches; False if stopped or out of time between two of them."""
        for batch in self._batches(tokens):
            if stop.is_set() or (deadline_ns is not None and now_ns() > deadline_ns):
                return False
            begin = now_ns()
            self._decode(batch)
            took = max(1, now_ns() - begin)
            if len(batch) >= BATCH_LEAST:
                self._batch_tokens = max(BATCH_LEAST, min(BATCH_MOST, len(batch) * BATCH_NS // took, 2 * len(batch)))
        return not stop.is_set()

    def _batches(self, tokens: list[int]) -> Iterator[list[int]]:
        at = 0
        while at < len(tokens):
            size = self._batch_tokens
            yield tokens[at : at + size]
            at += size

    def _decode(self, tokens: list[int]) -> None:
        batch, start = self._batch, len(self._held)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, start + i, 1, False
            batch.seq_id[i][0] = 0
        batch.logits[len(tokens) - 1] = True
        answer = self._c.llama_decode(self._context, batch)
        if answer != 0:
            self._c.llama_memory_clear(self._memory, True)
            self._held.clear()
            raise EngineError(
                "model-failed", f"The language model failed while thinking (code {answer}).", "It is started again by itself."
            )
        self._held += tokens


@cache
def _library() -> Any:
    """llama.cpp, loaded late and silenced once: its callback must live as long as the library."""
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # read when it is loaded: spinning threads starve the voice
    import llama_cpp

    _kept_alive.append(llama_cpp.llama_log_callback(_drop))
    llama_cpp.llama_log_set(_kept_alive[0], ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return llama_cpp


_kept_alive: list[Any] = []


def _drop(level: int, text: bytes, data: object) -> None:
    """llama.cpp prints pages while loading; what goes wrong comes back as a value."""


def _enough_memory(path: Path, needed_bytes: int) -> None:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:") and int(line.split()[1]) * 1024 < needed_bytes:
            raise EngineError(
                "model-too-large",
                f"The language model {path.name} needs more memory than this machine has free.",
                "Choose a smaller model.",
            )
