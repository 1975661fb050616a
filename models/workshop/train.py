# mypy: disable-error-code="import-not-found,no-any-return,no-untyped-call"
"""Training: from nothing to a small voice, within a budget of minutes on a processor that has other work.

The learning rate follows the clock, not the step: warm-up, then a cosine that ends when the budget ends, however busy the
machine was. Every few minutes everything is written to one checkpoint; the same command goes on from there.

Several processes with one thread each share every step and meet once, at its end. Threads inside one process meet hundreds of
times a step and wait for the one that other work has pushed aside: measured beside a busy machine, two threads fell to
600-900 tokens/s where one thread alone did 2,000.
"""

import math
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, distributed, multiprocessing
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
    workers: int = 2
    batch_tokens: int = 1600  # of each worker
    limit: int = 384
    muon: bool = True
    rate: float = 0.02
    embed_rate: float = 0.002
    decay: float = 0.05
    save_minutes: float = 3.0
    seed: int = 3


@dataclass
class _Progress:
    """What a checkpoint holds beside the weights; `spent_s` is the time of the steps alone."""

    spent_s: float = 0.0
    step: int = 0
    chunk: int = 0
    seen: int = 0


def train(shape: Shape, plan: Plan) -> None:
    """Train until the budget is spent; resumes from `work/checkpoint.pt` if there is one."""
    meeting = Path(tempfile.mkdtemp(prefix="starter-")) / "meeting"
    if plan.workers == 1:
        _worker(0, shape, plan, str(meeting))
    else:
        multiprocessing.spawn(_worker, (shape, plan, str(meeting)), nprocs=plan.workers)


def _worker(rank: int, shape: Shape, plan: Plan, meeting: str) -> None:
    torch.set_num_threads(1)
    if plan.workers > 1:
        distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=plan.workers)
    tokenizer = bpe.load(plan.work / "tokenizer.json")
    torch.manual_seed(plan.seed)
    model = Starter(shape)
    optimizers = _optimizers(model, plan, rank)
    now = _resume(plan, model, optimizers, rank)
    torch.manual_seed(plan.seed + now.step * plan.workers + rank)
    maker, held, stamp = _material(plan, tokenizer, rank)
    budget = plan.minutes * 60
    saved = reported = now.spent_s
    mean, fresh, begun = 0.0, 0, time.monotonic()
    parent = os.getppid()
    while now.spent_s < budget and os.getppid() == parent:  # a worker does not outlive the command that started it
        maker.drills = drills(now.spent_s / budget)
        found = chunk(maker, tokenizer, plan.seed, now.chunk, plan.batch_tokens, plan.limit)
        for first in range(0, len(found) - plan.workers + 1, plan.workers):
            loss, took = _step(model, optimizers, found[first + rank], now.spent_s / budget, begun, plan.workers)
            begun = time.monotonic()
            mean = loss if mean == 0.0 else 0.97 * mean + 0.03 * loss
            tokens = sum(b.ids.size for b in found[first : first + plan.workers])
            now.spent_s, now.step, now.seen, fresh = now.spent_s + took, now.step + 1, now.seen + tokens, fresh + tokens
            if rank == 0 and now.spent_s - reported >= 20:
                _say(f"step {now.step}  loss {mean:.3f}  {fresh / (now.spent_s - reported):.0f} tokens/s  {now.seen / 1e6:.2f} M tokens  "
                     f"{max(0.0, budget - now.spent_s) / 60:.1f} min left")  # fmt: skip
                reported, fresh = now.spent_s, 0
            if now.spent_s >= budget:
                break
        now.chunk += 1
        if now.spent_s - saved >= plan.save_minutes * 60 or now.spent_s >= budget:
            saved = now.spent_s
            torch.save([o.state_dict() for o in optimizers], plan.work / f"optimizers-{rank}-of-{plan.workers}.pt")
            if rank == 0:
                _save(plan, model, now)
                _say(f"step {now.step}  saved  held-out loss {evaluate(model, held):.3f}")
            if _stamp(plan.corpus, plan.workers) != stamp:
                maker, held, stamp = _material(plan, tokenizer, rank)


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


def _resume(plan: Plan, model: Starter, optimizers: list[torch.optim.Optimizer], rank: int) -> _Progress:
    """Take up weights, optimizers (each worker its own) and progress; with another number of workers the momentum starts anew."""
    checkpoint = plan.work / "checkpoint.pt"
    if not checkpoint.exists():
        return _Progress()
    state = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    mine = plan.work / f"optimizers-{rank}-of-{plan.workers}.pt"
    if mine.exists():
        for optimizer, saved in zip(optimizers, torch.load(mine, weights_only=True), strict=True):
            optimizer.load_state_dict(saved)
    return _Progress(**state["progress"])


def _save(plan: Plan, model: Starter, now: _Progress) -> None:
    state = {"model": model.state_dict(), "shape": model.shape.as_dict(), "progress": asdict(now)}
    fresh = plan.work / "checkpoint.new"
    torch.save(state, fresh)
    fresh.replace(plan.work / "checkpoint.pt")


def _material(plan: Plan, tokenizer: Tokenizer, rank: int) -> tuple[Maker, list[Batch], float]:
    """Read the corpus; it may grow while the model trains, and is read again when it did."""
    stamp = _stamp(plan.corpus, plan.workers)
    corpus, held = load(plan.corpus)
    maker = Maker(corpus)
    samples: list[Sample] = held_out(held, bank_of(corpus), plan.seed, mirrored=False)[:400]
    rows = encode(samples, tokenizer, plan.limit)
    if rank == 0:
        _say(f"{len(corpus.dialogues)} dialogues, {len(maker.targets)} answers, {len(rows)} held-out samples")
        for mistake in corpus.mistakes:
            _say(f"left out: {mistake}")
    return maker, list(batches(rows, plan.batch_tokens, bpe.id_of(tokenizer, END))), stamp


def _stamp(folder: Path, workers: int) -> float:
    """When the corpus last changed, the same answer for every worker."""
    newest = torch.tensor(max((p.stat().st_mtime for p in folder.rglob("*") if p.is_file()), default=0.0), dtype=torch.float64)
    if workers > 1:
        distributed.broadcast(newest, 0)
    return float(newest)


def _optimizers(model: Starter, plan: Plan, rank: int) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks (it learned faster per minute here), AdamW for the tokens and the norms.

    Muon's step is dear, so each worker does its share of the matrices; `_share_out` brings them together.
    """
    matrices = _matrices(model)
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
    return [adam, torch.optim.Muon(matrices[rank :: plan.workers], lr=plan.rate, weight_decay=plan.decay, momentum=0.95)]


def _matrices(model: Starter) -> list[torch.nn.Parameter]:
    return [p for n, p in model.named_parameters() if p.dim() == 2 and n.startswith("blk")]


def _share_out(model: Starter, workers: int) -> None:
    """Send every matrix from the worker that changed it to the others."""
    for owner in range(workers):
        mine = _matrices(model)[owner::workers]
        flat = torch.cat([p.detach().flatten() for p in mine])
        distributed.broadcast(flat, owner)
        for p, part in zip(mine, flat.split([p.numel() for p in mine]), strict=True):
            p.data.copy_(part.view_as(p))


def schedule(done: float) -> float:
    """The share of the full learning rate at `done` in 0..1 of the budget."""
    if done < 0.02:
        return 0.05 + 0.95 * done / 0.02
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - 0.02) / 0.98)))


def drills(done: float) -> float:
    """The share of copying drills: many at first, none in the last fifth."""
    return 0.35 * max(0.0, 1 - (done / 0.8) ** 2)


def _step(
    model: Starter, optimizers: list[torch.optim.Optimizer], batch: Batch, done: float, begun: float, workers: int
) -> tuple[float, float]:
    """One step of all workers; return (loss of the last answers, seconds since `begun`), the same for each of them."""
    model.train()
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group.setdefault("full", group["lr"])
            group["lr"] = group["full"] * schedule(done)
    total, weight, last = _loss(model, batch)
    (total / weight).backward()
    took = time.monotonic() - begun
    if workers > 1:
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([*(g.flatten() for g in gradients), torch.tensor([last, took])])
        distributed.all_reduce(flat)
        flat /= workers
        last, took = float(flat[-2]), float(flat[-1])
        for gradient, part in zip(gradients, flat[:-2].split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
    model.zero_grad(set_to_none=True)
    if workers > 1:
        _share_out(model, workers)
    return last, took


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
