"""A small PyTorch twin of the tiny recursive model, the peer of this project's benchmarks.

Names: x the embedded question, y the current answer, z the latent scratchpad, P prefix tokens, S cells,
L = P + S tokens, D the hidden width, T cycles per supervision step, n recursions per cycle.
"""
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Config:
    vocab: int
    cells: int
    attention: bool
    cycles: int = 3  # T
    recursions: int = 6  # n
    prefix: int = 16
    hidden: int = 512
    heads: int = 8
    expansion: float = 4
    blocks: int = 2
    puzzle_dim: int = 512
    puzzles: int = 2

    @property
    def tokens(self):
        return self.prefix + self.cells


PRESETS = {
    "sudoku": Config(vocab=11, cells=81, attention=False),
    "attention": Config(vocab=11, cells=81, attention=True),
    "long": Config(vocab=6, cells=900, attention=True, recursions=4),
}


def weight(rows, columns, std=None):
    """Truncated normal at two sigma; 0.87963 is the spread of a unit normal cut there."""
    std = (columns ** -0.5 if std is None else std) / 0.8796256610342398
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(rows, columns), std=std, a=-2 * std, b=2 * std))


def inner_width(expansion, width):
    return math.ceil(round(expansion * width * 2 / 3) / 256) * 256


def rms_norm(h):
    wide = h.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-5)).to(h.dtype)


def swiglu(h, gate_up, down):
    gate, up = F.linear(h, gate_up).chunk(2, dim=-1)
    return F.linear(F.silu(gate) * up, down)


def rotate(h, cos, sin):
    """Rotary embedding in the half-split form, in f32, on [B, H, L, head_dim]."""
    wide = h.float()
    low, high = wide.chunk(2, dim=-1)
    return (wide * cos + torch.cat((-high, low), dim=-1) * sin).to(h.dtype)


class Block(nn.Module):
    """Holds one block's four weight matrices, in the order in which `apply_block` takes them."""

    def __init__(self, c):
        super().__init__()
        if c.attention:
            self.mix_in, self.mix_out = weight(3 * c.hidden, c.hidden), weight(c.hidden, c.hidden)
        else:
            inner = inner_width(c.expansion, c.tokens)
            self.mix_in, self.mix_out = weight(2 * inner, c.tokens), weight(c.tokens, inner)
        inner = inner_width(c.expansion, c.hidden)
        self.gate_up, self.down = weight(2 * inner, c.hidden), weight(c.hidden, inner)


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.config = c
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.blocks))
        self.embedding = weight(c.vocab, c.hidden, c.hidden ** -0.5)
        self.lm_head = weight(c.vocab, c.hidden)
        self.q_weight = nn.Parameter(torch.zeros(2, c.hidden))
        self.q_bias = nn.Parameter(torch.full((2,), -5.0))
        self.register_buffer("puzzle_embedding", torch.zeros(c.puzzles, c.puzzle_dim))  # its own optimiser
        for name in ("y_init", "z_init"):
            self.register_buffer(name, weight(1, c.hidden, 1.0).detach()[0])
        half = c.hidden // c.heads // 2
        angle = torch.outer(torch.arange(c.tokens).float(), 10000 ** (-torch.arange(half).float() / half))
        self.register_buffer("cos", angle.cos().repeat(1, 2), persistent=False)
        self.register_buffer("sin", angle.sin().repeat(1, 2), persistent=False)

    def cast(self, dtype):
        """The weights in the type of the activations: once a step, not once a use."""
        blocks = [[w.to(dtype) for w in (b.mix_in, b.mix_out, b.gate_up, b.down)] for b in self.blocks]
        heads = (self.embedding, self.lm_head, self.q_weight, self.q_bias)
        return blocks, [w.to(dtype) for w in heads]

    def initial_state(self, batch, dtype):
        shape = (batch, self.config.tokens, self.config.hidden)
        return tuple(v.to(dtype).expand(shape).contiguous() for v in (self.y_init, self.z_init))

    def embed(self, inputs, rows, embedding):
        """`rows` [B, puzzle_dim] are the puzzle vectors, padded with zeros to P tokens."""
        c = self.config
        prefix = F.pad(rows, (0, c.prefix * c.hidden - c.puzzle_dim)).view(-1, c.prefix, c.hidden)
        return math.sqrt(c.hidden) * torch.cat((prefix.to(embedding.dtype), F.embedding(inputs, embedding)), dim=1)

    def attend(self, h, qkv, out):
        batch, length, width = h.shape
        q, k, v = F.linear(h, qkv).view(batch, length, 3, self.config.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, self.cos, self.sin), rotate(k, self.cos, self.sin)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return F.linear(mixed.transpose(1, 2).reshape(batch, length, width), out)

    def net(self, h, injection, blocks):
        h = h + injection
        for mix_in, mix_out, gate_up, down in blocks:
            if self.config.attention:
                h = rms_norm(h + self.attend(h, mix_in, mix_out))
            else:
                h = h.transpose(1, 2)
                h = rms_norm(h + swiglu(h, mix_in, mix_out)).transpose(1, 2)
            h = rms_norm(h + swiglu(h, gate_up, down))
        return h

    def cycle(self, y, z, x, blocks):
        for _ in range(self.config.recursions):
            z = self.net(z, y + x, blocks)
        return self.net(y, z, blocks), z

    def forward(self, state, inputs, rows, weights):
        """One supervision step: the new detached state, the logits [B, S, V] and the halt logit [B]."""
        blocks, (embedding, lm_head, q_weight, q_bias) = weights
        x = self.embed(inputs, rows, embedding)
        y, z = state
        with torch.no_grad():
            for _ in range(self.config.cycles - 1):
                y, z = self.cycle(y, z, x, blocks)
        y, z = self.cycle(y, z, x, blocks)
        logits = F.linear(y[:, self.config.prefix:], lm_head)
        halt = F.linear(y[:, 0], q_weight, q_bias)[:, 0].float()
        return (y.detach(), z.detach()), logits, halt
