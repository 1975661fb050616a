"""The thinker as a process: `python -m services.thinker`, and `… think --file LINES.jsonl` without a bus."""

import asyncio
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded

from device import lifecycle
from device.config import Config
from device.embedding import Embedder
from device.lifecycle import Life
from services.thinker.exemplars import TABLE, open_bank
from services.thinker.library import Library
from services.thinker.llama import Llama
from services.thinker.model_file import resolve
from services.thinker.service import think


def open_mind(config: Config) -> Llama:
    """The model that `thinker.model` names."""
    path, family = resolve(config)
    thinker = config.thinker
    return Llama(path, context_tokens=thinker.context_tokens, threads=thinker.threads, temperature=thinker.temperature, family=family)


def open_library(config: Config) -> Library:
    """MiniLM, the index and the bank of exemplars."""
    from services.thinker.index import Index

    embedder = Embedder(config.paths.models)
    bank = open_bank(TABLE, embedder.embed, config.state("thinker"))
    return Library(embedder.embed, Index(config.state("thinker") / "memory_index"), bank, config.thinker.memories)


async def wire(life: Life) -> None:
    async with life.bus(think) as bus:  # first, so that a large model that takes its time is known to be on its way
        mind = await asyncio.to_thread(open_mind, life.config)
        library = await asyncio.to_thread(open_library, life.config)
        await life.ready(bus)
        await think(bus, mind, library, life.config.thinker, life)


if __name__ == "__main__":
    if sys.argv[1:2] == ["think"]:
        from services.thinker.think_file import main

        main(sys.argv[2:])
    lifecycle.main("thinker", wire)
