# mypy: disable-error-code="import-not-found,no-any-return"
"""The tokenizer: byte-level BPE, split as GPT-2 splits, so that llama.cpp (`gpt2`, pre `gpt-2`) makes the same ids.

The markers of the prompt come first and are control tokens: no word of a person can be read as one of them.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from models.workshop.format import BEGIN, END, MARKERS

NORMAL, CONTROL = 1, 3  # token types of GGUF


def train(texts: Iterable[str], size: int) -> Tokenizer:
    """Learn `size` tokens from the texts; the 256 bytes are always among them, so nothing is unknown."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=2,
            show_progress=False,
            special_tokens=list(MARKERS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return tokenizer


def load(path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(path))


def id_of(tokenizer: Tokenizer, token: str) -> int:
    found = tokenizer.token_to_id(token)
    if found is None:
        raise KeyError(f"the tokenizer has no token {token}: learn it again with the step `tokenizer`")
    return int(found)


def tokens_and_merges(tokenizer: Tokenizer) -> tuple[list[str], list[str]]:
    """What a GGUF stores: the tokens by id, and the merges in order, two parts with a space between."""
    bpe = json.loads(tokenizer.to_str())["model"]
    tokens = [token for token, _ in sorted(bpe["vocab"].items(), key=lambda item: item[1])]
    merges = [" ".join(m) if isinstance(m, list) else m for m in bpe["merges"]]
    return tokens, merges


def describe(tokenizer: Tokenizer, writer: Any) -> None:
    """Write the vocabulary into a GGUF (`writer` is a `gguf.GGUFWriter`)."""
    tokens, merges = tokens_and_merges(tokenizer)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_merges(merges)
    writer.add_token_types([CONTROL if token in MARKERS else NORMAL for token in tokens])
    writer.add_bos_token_id(tokens.index(BEGIN))
    writer.add_eos_token_id(tokens.index(END))
    writer.add_add_bos_token(False)  # the prompt writes its own
    writer.add_add_space_prefix(False)
