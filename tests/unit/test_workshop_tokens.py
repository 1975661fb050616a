"""Tokens: the workshop and llama.cpp read the same ids; the network is turned and weighed as it should be."""

import random
from pathlib import Path

import pytest

CORPUS = Path(__file__).resolve().parents[2] / "models/starter/corpus"
tokenizers = pytest.importorskip("tokenizers", reason="the tokenizer library is not installed")


def lines(count: int) -> list[str]:
    found = [line for path in sorted(CORPUS.glob("*/*.txt")) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return random.Random(1).sample(found, min(count, len(found)))


def test_llama_cpp_reads_the_same_ids_as_the_workshop(tmp_path: Path):
    gguf = pytest.importorskip("gguf", reason="the GGUF writer belongs to the workshop and is not installed")
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama.cpp is not installed")
    from models.workshop import tokenizer
    from models.workshop.format import starter_prompt

    texts = lines(400)
    learned = tokenizer.train(texts, 1200)
    path = tmp_path / "words.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for add, value in (
        (writer.add_context_length, 64), (writer.add_embedding_length, 32), (writer.add_block_count, 1),
        (writer.add_feed_forward_length, 32),
        (writer.add_head_count, 1), (writer.add_layer_norm_rms_eps, 1e-5), (writer.add_vocab_size, learned.get_vocab_size()),
    ):  # fmt: skip
        add(value)
    tokenizer.describe(learned, writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    prompts = [starter_prompt("Käthe", [("x", t)], [t], "sad", "lonely", "neutral", [t], t) for t in texts[:200]]
    for text in [*texts[:200], *prompts, "  two  spaces ", "don't  we'll 1,234 …", "Ayşe 😀"]:
        assert llama.tokenize(text.encode(), add_bos=False, special=True) == learned.encode(text).ids, text
    llama.close()


def test_last_answer_counts_fully_and_what_the_device_wrote_does_not():
    from models.workshop import tokenizer
    from models.workshop.batches import batches, encode
    from models.workshop.format import starter_prompt
    from models.workshop.samples import Sample

    learned = tokenizer.train(lines(50), 400)
    prompt = starter_prompt("Rose", [("hello", "Good evening.")], ["You sing."], "", "sad", "neutral", [], "i am cold")
    sample = Sample(prompt, "You are cold.", "Rose", (), (), "", "sad", "neutral", (), "i am cold", "x:1")
    ((ids, weights),) = encode([sample], learned, 200)
    shown = {w: learned.decode([i for i, v in zip(ids, weights, strict=True) if v == w]).split() for w in set(weights)}
    assert shown[1.0] == ["You", "are", "cold."]
    assert shown[0.5] == ["Good", "evening."]
    assert shown[0.1] == ["hello", "i", "am", "cold"]
    assert weights[-1] == 1.0  # the end is learned too
    (batch,) = batches([(ids, weights), (ids[:9], weights[:9])], 1000, ids[-1])
    assert batch.ids.shape == (2, len(ids))
    assert batch.weights.shape == (2, len(ids) - 1)
    assert batch.weights[0, 8:].sum() == 0  # what fills a short row counts nothing


def test_rotary_rows_are_interleaved_for_llama_cpp():
    pytest.importorskip("torch", reason="PyTorch belongs to the workshop and is not installed")
    pytest.importorskip("gguf", reason="the GGUF writer belongs to the workshop and is not installed")
    import numpy as np

    from models.workshop.export import interleave

    rows = np.arange(8, dtype=np.float32)[:, None]
    assert interleave(rows, 4)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_schedule_warms_up_and_ends_low():
    pytest.importorskip("torch", reason="PyTorch belongs to the workshop and is not installed")
    from models.workshop.train import schedule

    assert schedule(0) < 0.1
    assert schedule(0.02) == pytest.approx(1.0)
    assert schedule(1.0) == pytest.approx(0.02)
