# mypy: disable-error-code="import-not-found,no-any-return,no-untyped-call"
"""Training: from nothing to a small voice, within a budget of minutes on a processor that has other work.

The learning rate follows the clock, not the step: warm-up, then a cosine that ends when the budget ends, however busy the
machine was. Every few minutes everything is written to one checkpoint; the same command goes on from there.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from models.workshop import tokenizer as bpe
from models.workshop.batches import Batch, batches, chunk, encode
from models.workshop.corpus import load
from models.workshop.format import END
from models.workshop.model import Shape, Starter
from models.workshop.samples import Maker, Sample, bank_of, held_out


@dataclass(frozen=True)
class Plan:
    """How to train. The rates are per step; `rate` is for matrices inside the blocks, `embed_rate` for tokens and norms."""

    corpus: Path
    work: Path
    minutes: float = 75.0
    threads: int = 2
    batch_tokens: int = 4000
    limit: int = 384
    muon: bool = True
    rate: float = 0.02
    embed_rate: float = 0.002
    decay: float = 0.05
    save_minutes: float = 3.0
    seed: int = 3


def train(shape: Shape, plan: Plan, tokenizer: Tokenizer, say: Callable[[str], None]) -> Starter:
    """Train until the budget is spent; return the model. Resumes from `work/checkpoint.pt` if there is one."""
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    model = Starter(shape)
    optimizers = _optimizers(model, plan)
    maker, held, stamp = _material(plan, tokenizer, say)
    spent, step, number, seen = 0.0, 0, 0, 0
    checkpoint = plan.work / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        spent, step, number, seen = state["spent"], state["step"], state["chunk"], state["seen"]
        torch.manual_seed(plan.seed + step)
        say(f"going on from step {step}, {spent / 60:.1f} of {plan.minutes:.0f} minutes spent")

    def save() -> None:
        plan.work.mkdir(parents=True, exist_ok=True)
        state = {"model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "shape": shape.as_dict()}
        state |= {"spent": spent, "step": step, "chunk": number, "seen": seen}
        torch.save(state, checkpoint.with_suffix(".new"))
        checkpoint.with_suffix(".new").replace(checkpoint)

    budget = plan.minutes * 60
    saved = reported = spent
    mean, fresh = 0.0, 0
    while spent < budget:
        for batch in chunk(maker, tokenizer, plan.seed, number, plan.batch_tokens, plan.limit):
            begun = time.monotonic()
            loss = _step(model, optimizers, batch, spent / budget)
            mean = loss if step == 0 else 0.97 * mean + 0.03 * loss
            spent += time.monotonic() - begun
            step, seen, fresh = step + 1, seen + batch.ids.size, fresh + batch.ids.size
            if spent - reported >= 20:
                left = max(0.0, budget - spent) / 60
                say(f"step {step}  loss {mean:.3f}  {fresh / (spent - reported):.0f} tokens/s  {seen / 1e6:.2f} M tokens  "
                    f"{left:.1f} min left")  # fmt: skip
                reported, fresh = spent, 0
            if spent >= budget:
                break
        number += 1
        if spent - saved >= plan.save_minutes * 60 or spent >= budget:
            save()
            saved = spent
            say(f"step {step}  saved  held-out loss {evaluate(model, held):.3f}")
            if _stamp(plan.corpus) != stamp:
                maker, held, stamp = _material(plan, tokenizer, say)
    return model


def _material(plan: Plan, tokenizer: Tokenizer, say: Callable[[str], None]) -> tuple[Maker, list[Batch], float]:
    """Read the corpus; it may grow while the model trains, and is read again when it did."""
    stamp = _stamp(plan.corpus)
    corpus, held = load(plan.corpus)
    for mistake in corpus.mistakes:
        say(f"left out: {mistake}")
    maker = Maker(corpus)
    samples: list[Sample] = held_out(held, bank_of(corpus), plan.seed)[:400]
    rows = encode(samples, tokenizer, plan.limit)
    say(f"{len(corpus.dialogues)} dialogues, {len(maker.targets)} answers, {len(rows)} held-out samples")
    return maker, list(batches(rows, plan.batch_tokens, bpe.id_of(tokenizer, END))), stamp


def _stamp(folder: Path) -> float:
    return max((p.stat().st_mtime for p in folder.rglob("*") if p.is_file()), default=0.0)


def _optimizers(model: Starter, plan: Plan) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks (it learned faster per minute here), AdamW for the tokens and the norms."""
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and n.startswith("blk")]
    norms = [p for p in model.parameters() if p.dim() == 1]
    embedding = [model.token_embd.weight]
    if not plan.muon:
        embedding += matrices
    adam = torch.optim.AdamW(
        [{"params": embedding, "weight_decay": plan.decay}, {"params": norms, "weight_decay": 0.0}],
        lr=plan.embed_rate, betas=(0.9, 0.98), fused=True,
    )  # fmt: skip
    if not plan.muon:
        return [adam]
    return [adam, torch.optim.Muon(matrices, lr=plan.rate, weight_decay=plan.decay, momentum=0.95)]


def schedule(done: float) -> float:
    """The share of the full learning rate at `done` in 0..1 of the budget."""
    if done < 0.02:
        return 0.05 + 0.95 * done / 0.02
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - 0.02) / 0.98)))


def _step(model: Starter, optimizers: list[torch.optim.Optimizer], batch: Batch, done: float) -> float:
    model.train()
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group.setdefault("full", group["lr"])
            group["lr"] = group["full"] * schedule(done)
    total, weight, last = _loss(model, batch)
    (total / weight).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return last


def _loss(model: Starter, batch: Batch) -> tuple[Tensor, float, float]:
    """Return the weighted loss, the sum of weights, and the mean loss of the last answers alone."""
    ids, weights = torch.from_numpy(batch.ids), torch.from_numpy(batch.weights)
    counted = weights > 0
    with torch.autocast("cpu", torch.bfloat16):
        stream = model(ids[:, :-1])
        scores = model.logits(stream[counted])
    each = functional.cross_entropy(scores.float(), ids[:, 1:][counted], reduction="none")
    weights = weights[counted]
    full = weights >= 1.0
    return (each * weights).sum(), float(weights.sum()), float(each.detach()[full].mean())


def evaluate(model: Starter, held: list[Batch]) -> float:
    """The mean loss per token of held-out answers; nan while nothing is held out yet."""
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in held:
            full = int(np.sum(batch.weights >= 1.0))
            total, count = total + _loss(model, batch)[2] * full, count + full
    return total / count if count else math.nan
