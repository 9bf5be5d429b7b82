"""The loss and the two optimisers of a training step."""
import torch
import torch.nn.functional as F

IGNORE = -100


def loss_sum(logits, halt, labels):
    """Stablemax cross-entropy (in f64) + half the halting loss, summed over the batch: (loss, cells, halting)."""
    wide = logits.double()
    # Both branches of `where` are evaluated: the clamp keeps the unused one's gradient finite.
    scores = torch.where(wide < 0, 1 / (1 - wide.clamp(max=0)), wide + 1)
    counted = labels != IGNORE
    picked = scores.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    cell = torch.where(counted, scores.sum(-1).log() - picked.log(), 0)
    cells = (cell.sum(-1) / counted.sum(-1).clamp(min=1)).sum()
    right = ((logits.argmax(-1) == labels) | ~counted).all(-1)
    halting = F.binary_cross_entropy_with_logits(halt, right.to(halt.dtype), reduction="sum")
    return cells + 0.5 * halting, cells, halting


class AdamATan2(torch.optim.Optimizer):
    """AdamW with atan2 in the place of the division, so without an epsilon."""

    def __init__(self, params, lr, betas=(0.9, 0.95), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (b1, b2) = group["lr"], group["betas"]
            for p in group["params"]:
                s = self.state[p]
                if not s:
                    s.update(t=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                s["t"] += 1
                s["m"].lerp_(p.grad, 1 - b1)
                s["v"].mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
                p.mul_(1 - lr * group["weight_decay"])
                root = s["v"].sqrt().mul_((1 - b2 ** s["t"]) ** -0.5)
                p.add_(torch.atan2(s["m"], root), alpha=-lr / (1 - b1 ** s["t"]))


@torch.no_grad()
def sign_update(table, ids, grad, lr, weight_decay):
    """Sign descent on the puzzle vectors in use, the gradients of equal identifiers summed first."""
    used, place = ids.unique(return_inverse=True)
    total = torch.zeros(len(used), table.shape[1]).index_add_(0, place, grad)
    table[used] = table[used] * (1 - lr * weight_decay) - lr * total.sign()
