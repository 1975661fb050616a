"""`python -m models.workshop starter | feelings`: make what Beside ships from what its authors wrote."""

import argparse
import random
import sys
import time
from pathlib import Path

STARTER = Path(__file__).resolve().parent.parent / "starter"
TEACH = """\
The starter is Beside's own small language model, trained from scratch on the corpus in models/starter/corpus.

steps, in their order (without a name: all of them)
  corpus     read everything the authors wrote; name every mistake with its file and line; show a few samples
  tokenizer  learn the byte-level BPE from the corpus                     -> WORK/tokenizer.json
  train      train on the processor; run it again and it goes on         -> WORK/checkpoint.pt
  export     write the GGUF (Q8_0) and prove it equal to the checkpoint  -> --gguf
  evaluate   measure the GGUF on the held-out dialogues, beside two baselines -> WORK/scores.json, WORK/pairs.jsonl

examples
  python -m models.workshop starter corpus
  nice -n 15 python -m models.workshop starter train --minutes 75 --threads 2
  python -m models.workshop starter export        (also from a checkpoint of a training that still runs)
  python -m models.workshop starter evaluate --samples 2000

It needs what models/workshop/requirements.txt names; the device needs none of it."""
STEPS = ("corpus", "tokenizer", "train", "export", "evaluate")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.workshop", description="Where Beside's model is made.")
    things = parser.add_subparsers(dest="thing", required=True)
    starter = things.add_parser(
        "starter", help="the small language model", description=TEACH, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    starter.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    add = starter.add_argument
    add("--corpus", type=Path, default=STARTER / "corpus", help="the authors' folder (default: models/starter/corpus)")
    add("--work", type=Path, default=STARTER.parent / "workshop/runs", help="tokenizer, checkpoint, scores (default: models/workshop/runs)")
    add("--gguf", type=Path, default=STARTER / "beside-starter.gguf", help="the model file (default: in models/starter)")
    add("--seed", type=int, default=3)
    add("--vocab", type=int, default=4096, help="tokens of the tokenizer (default: 4096)")
    add("--dim", type=int, default=256, help="width; 32 per attention head (default: 256)")
    add("--layers", type=int, default=6, help="depth (default: 6)")
    add("--minutes", type=float, default=75.0, help="budget of the training on the clock (default: 75)")
    add("--threads", type=int, default=2, help="processor cores to use (default: 2)")
    add("--optimizer", choices=("muon", "adamw"), default="muon", help="for the matrices (default: muon)")
    add("--samples", type=int, default=2000, help="replies that are searched for forbidden content (default: 2000)")
    add("--minilm", type=Path, help="folder of the embedding model, so that the nearest exemplar is found by meaning")
    feelings = things.add_parser("feelings", help="the directions of the 32 emotions, from the authors' labels")
    feelings.add_argument("--corpus", type=Path, default=STARTER / "corpus", help="the authors' folder (default: models/starter/corpus)")
    feelings.add_argument("--minilm", type=Path, default=STARTER.parent / "fetched", help="folder of the embedding model")
    feelings.add_argument("--out", type=Path, default=STARTER / "feelings.npz")
    feelings.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    if args.thing == "feelings":
        return _feelings(args)
    steps = args.steps or list(STEPS)
    if unknown := [s for s in steps if s not in STEPS]:
        starter.error(f"there is no step '{unknown[0]}'; the steps are {', '.join(STEPS)}")
    args.work.mkdir(parents=True, exist_ok=True)
    for step in STEPS:
        if step in steps and (code := _RUN[step](args)):
            return code
    return 0


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


def _corpus(args: argparse.Namespace) -> int:
    from models.workshop.corpus import load
    from models.workshop.samples import Maker

    train, held = load(args.corpus)
    for mistake in (*train.mistakes, *held.mistakes):
        print(mistake, file=sys.stderr)
    maker = Maker(train)
    replies = {e.reply for d in train.dialogues for e in d.exchanges} | {e.reply for e in train.exemplars}
    _say(f"{len(train.dialogues)} dialogues and patterns, {len(train.exemplars)} exemplars, {len(replies)} different answers, "
         f"{len(held.dialogues)} held-out dialogues, {len(train.mistakes) + len(held.mistakes)} mistakes")  # fmt: skip
    rng = random.Random(args.seed)
    for _ in range(5):
        print(f"\n{maker.sample(*rng.choice(maker.targets), rng).text}")
    return 1 if train.mistakes or held.mistakes else 0


def _tokenizer(args: argparse.Namespace) -> int:
    from models.workshop import tokenizer
    from models.workshop.corpus import load
    from models.workshop.samples import Maker

    train, _ = load(args.corpus)
    maker = Maker(train)
    rng = random.Random(args.seed)
    texts = (sample.text for _ in range(6) for sample in maker.epoch(rng))
    # Each value of each slot once more, in both voices, so that a rare name is more than a row of letters.
    values = [f" {v} {v.lower()}" for pool in train.pools.values() for v in pool]
    made = tokenizer.train((*texts, *values), args.vocab)
    made.save(str(args.work / "tokenizer.json"))
    _say(f"{made.get_vocab_size()} tokens in {args.work / 'tokenizer.json'}")
    return 0


def _train(args: argparse.Namespace) -> int:
    from models.workshop import tokenizer
    from models.workshop.model import Shape
    from models.workshop.train import Plan, train

    heads = args.dim // 32
    vocab = tokenizer.load(args.work / "tokenizer.json").get_vocab_size()
    shape = Shape(vocab, args.dim, args.layers, heads, heads, round(args.dim * 2.7 / 32) * 32)
    train(shape, Plan(args.corpus, args.work, args.minutes, args.threads, muon=args.optimizer == "muon", seed=args.seed))
    return 0


def _export(args: argparse.Namespace) -> int:
    from models.workshop.export import export

    export(args.work, args.gguf, args.threads, _say)
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    from models.workshop.evaluate import evaluate

    evaluate(args.corpus, args.gguf, args.work, args.samples, args.threads, args.seed, _say, args.minilm)
    return 0


def _feelings(args: argparse.Namespace) -> int:
    from models.workshop.feelings import make

    make(args.corpus, args.minilm, args.out, args.seed, _say)
    return 0


_RUN = {"corpus": _corpus, "tokenizer": _tokenizer, "train": _train, "export": _export, "evaluate": _evaluate}

if __name__ == "__main__":
    sys.exit(main())
