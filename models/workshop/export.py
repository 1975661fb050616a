# mypy: disable-error-code="import-not-found,import-untyped,no-any-return,no-untyped-call"
"""From the checkpoint to the file that llama.cpp reads, and the proof that it says the same.

Matrices are Q8_0, norms F32. Two things are turned on the way: the rotary halves of queries and keys are interleaved, and
the tied matrix is written once (llama.cpp takes the embedding where `output.weight` is missing).
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.workshop import tokenizer as bpe
from models.workshop.format import starter_prompt
from models.workshop.model import Shape, Starter

MOST_BYTES = 25_000_000
PROOFS = (
    starter_prompt("Margaret", [], [], "", "nostalgic", "acknowledging", [], "i miss my garden"),
    starter_prompt("", [("i can hear the clock", "You can hear the clock.")], ["You told me that your sister kept bees."],
                   "sad", "lonely", "questioning", ["You miss your roses."], "she used to wind it every sunday"),
    starter_prompt("Käthe", [], [], "happy", "joyful", "agreeing", ["That is good news."], "my grandson seraphin is coming"),
)  # fmt: skip


class ExportError(Exception):
    """The file is too large, or llama.cpp does not answer as the checkpoint does."""


def export(work: Path, target: Path, threads: int, say: Callable[[str], None]) -> None:
    """Write `target` from `work`, load it in llama.cpp and compare; a file that fails the proof is not put in place."""
    tokenizer = bpe.load(work / "tokenizer.json")
    state = torch.load(work / "checkpoint.pt", weights_only=True)
    model = Starter(Shape(**state["shape"]))
    model.load_state_dict(state["model"])
    model.eval()
    fresh = target.with_suffix(".new")
    write(model, tokenizer, fresh)
    size = fresh.stat().st_size
    if size > MOST_BYTES:
        raise ExportError(f"{size:,} bytes are more than {MOST_BYTES:,}; make the model smaller")
    worst, agree = prove(model, tokenizer, fresh, threads)
    say(f"{size:,} bytes, step {state['progress']['step']}; a probability differs by at most {worst:.4f}, same first choice {agree:.1%}")
    if worst > 0.05 or agree < 0.95:
        raise ExportError("llama.cpp does not answer as the checkpoint does; the file stays beside it as .new")
    fresh.replace(target)
    sums = target.with_name(f"{target.name}.sha256")  # `beside models verify` compares with it
    sums.write_text(f"{hashlib.sha256(target.read_bytes()).hexdigest()}  {target.name}\n", encoding="ascii")
    say(f"written: {target}")


def write(model: Starter, tokenizer: Tokenizer, path: Path) -> None:
    shape = model.shape
    w = gguf.GGUFWriter(path, "llama")
    w.add_name("Beside starter")
    w.add_description("Bedside talk, trained from scratch by the Beside project. Not a therapist, not a medical device.")
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    w.add_context_length(shape.context)
    w.add_embedding_length(shape.dim)
    w.add_block_count(shape.layers)
    w.add_feed_forward_length(shape.ffn)
    w.add_head_count(shape.heads)
    w.add_head_count_kv(shape.kv_heads)
    w.add_rope_dimension_count(shape.head)
    w.add_rope_freq_base(shape.rope_base)
    w.add_layer_norm_rms_eps(shape.epsilon)
    w.add_vocab_size(tokenizer.get_vocab_size())
    bpe.describe(tokenizer, w)
    for name, weight in model.named_parameters():
        values = weight.detach().float().numpy()
        if ".attn_q." in name or ".attn_k." in name:
            values = interleave(values, shape.head)
        if values.ndim == 1:
            w.add_tensor(name, values)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            w.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def interleave(weight: NDArray[np.float32], head: int) -> NDArray[np.float32]:
    """Rows of each head from (0, half, ...) pairs half a head apart to llama.cpp's neighbours (0, 1), (2, 3)."""
    rows, columns = weight.shape
    turned = weight.reshape(rows // head, 2, head // 2, columns).swapaxes(1, 2).reshape(rows, columns)
    return np.ascontiguousarray(turned)


def prove(model: Starter, tokenizer: Tokenizer, path: Path, threads: int) -> tuple[float, float]:
    """Return the a probability differs by at most, and the share of places where both choose the same token."""
    from llama_cpp import Llama

    llama = Llama(str(path), n_ctx=model.shape.context, n_threads=threads, logits_all=True, verbose=False)
    worst, same, places = 0.0, 0, 0
    for prompt in PROOFS:
        ids = llama.tokenize(prompt.encode(), add_bos=False, special=True)
        if ids != tokenizer.encode(prompt).ids:
            raise ExportError(f"llama.cpp reads other tokens than the workshop in: {prompt}")
        llama.reset()
        llama.eval(ids)
        theirs = _softmax(np.array(llama.scores[: len(ids)], np.float64))
        with torch.no_grad():
            ours = _softmax(model.logits(model(torch.tensor([ids])))[0].double().numpy())
        worst = max(worst, float(np.abs(ours - theirs).max()))
        same += int((ours.argmax(1) == theirs.argmax(1)).sum())
        places += len(ids)
    return worst, same / places


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))
