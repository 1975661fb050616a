# mypy: disable-error-code="import-not-found,misc,no-any-return"
"""The starter network: the llama architecture in plain PyTorch, so small that every line of it can be read.

RMSNorm before each block, rotary positions, SwiGLU, one matrix for reading and writing tokens (tied: a word that is read
is then near the word that is written, which is what copying needs). Queries and keys keep the two halves of a rotary pair
half a head apart, which is quick in PyTorch; `export.py` interleaves them for llama.cpp.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """What the GGUF header has to know. `dim` is divisible by `heads`, the head size is even."""

    vocab: int
    dim: int = 320
    layers: int = 7
    heads: int = 5
    kv_heads: int = 5
    ffn: int = 864
    context: int = 1024
    rope_base: float = 10000.0
    epsilon: float = 1e-5
    dropout: float = 0.1  # without it the held-out loss turned after three million tokens

    @property
    def head(self) -> int:
        return self.dim // self.heads

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        kv = shape.kv_heads * shape.head
        self.attn_norm = nn.RMSNorm(shape.dim, shape.epsilon)
        self.attn_q = nn.Linear(shape.dim, shape.dim, bias=False)
        self.attn_k = nn.Linear(shape.dim, kv, bias=False)
        self.attn_v = nn.Linear(shape.dim, kv, bias=False)
        self.attn_output = nn.Linear(shape.dim, shape.dim, bias=False)
        self.ffn_norm = nn.RMSNorm(shape.dim, shape.epsilon)
        self.ffn_gate = nn.Linear(shape.dim, shape.ffn, bias=False)
        self.ffn_up = nn.Linear(shape.dim, shape.ffn, bias=False)
        self.ffn_down = nn.Linear(shape.ffn, shape.dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, future: Tensor) -> Tensor:
        b, t, _ = x.shape
        s, h = self.shape, self.attn_norm(x)
        q = _rotate(self.attn_q(h).view(b, t, s.heads, s.head).transpose(1, 2), cos, sin)
        k = _rotate(self.attn_k(h).view(b, t, s.kv_heads, s.head).transpose(1, 2), cos, sin)
        v = self.attn_v(h).view(b, t, s.kv_heads, s.head).transpose(1, 2)
        if s.heads != s.kv_heads:
            k, v = (x.repeat_interleave(s.heads // s.kv_heads, 1) for x in (k, v))
        # Written out: at these lengths PyTorch's fused attention needs 38 % of a step on a processor, this 5 %.
        scores = (q * s.head**-0.5) @ k.transpose(2, 3) + future
        a = torch.softmax(scores, -1, dtype=torch.float32).to(v.dtype) @ v
        x = x + self._drop(self.attn_output(a.transpose(1, 2).reshape(b, t, s.dim)))
        h = self.ffn_norm(x)
        return x + self._drop(self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h)))

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.shape.dropout, self.training) if self.shape.dropout else x


class Starter(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocab, shape.dim)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = nn.RMSNorm(shape.dim, shape.epsilon)
        angle = torch.outer(torch.arange(shape.context), shape.rope_base ** -(torch.arange(0, shape.head, 2) / shape.head))
        self.register_buffer("cos", torch.cat([angle.cos()] * 2, 1), persistent=False)
        self.register_buffer("sin", torch.cat([angle.sin()] * 2, 1), persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                # What is added to the stream starts smaller, so that the stream's size does not grow with the depth.
                deep = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * shape.layers) ** 0.5 if deep else shape.dim**-0.5 * 0.6)
        nn.init.normal_(self.token_embd.weight, std=0.03)

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids (batch, time) to the normed stream (batch, time, dim); `logits` turns any part of it into scores."""
        t = ids.shape[1]
        cos, sin = self.cos[:t], self.sin[:t]
        x = self.token_embd(ids)
        future = torch.full((t, t), -1e4, dtype=torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32).triu(1)
        for block in self.blk:
            x = block(x, cos, sin, future)
        return self.output_norm(x)

    def logits(self, stream: Tensor) -> Tensor:
        return functional.linear(stream, self.token_embd.weight)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (i, i + half) of a head by its position's angle."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), -1)
    return x * cos.to(x.dtype) + turned * sin.to(x.dtype)
