"""Ten updates: inputs and parameters of a layer, and the inputs of a loss, walk down their own gradient. Used by the
make_….py of single layers and losses; tests/unit/ops/test_golden_ops.c does the same."""
import math

import torch

STEPS = 10


def rate_of(leaves):
    """A power of two, so that float32 rounds once: the largest gradient moves a value by an eighth to a quarter."""
    most = max(leaf.grad.abs().max().item() for leaf in leaves if leaf.grad is not None)
    return 2.0**math.floor(math.log2(0.25 / most)) if most > 0 else 1.0


def descend(leaves, loss, rate):
    """leaves: name -> tensor with a gradient of loss(). Gives their values after STEPS updates."""
    for _ in range(STEPS):
        for leaf in leaves.values():
            leaf.grad = None
        loss().backward()
        with torch.no_grad():
            for leaf in leaves.values():
                if leaf.grad is not None:
                    leaf -= rate * leaf.grad
    return {"after/" + name: leaf.detach() for name, leaf in leaves.items()}
