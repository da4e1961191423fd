#!/usr/bin/python3
"""Makes norm.h5: what PyTorch computes, in float64, for normalisation. Cases and names are as in conv.h5 (make_conv.py);
batch normalisation has besides, for what it keeps:

    /CASE/running_mean    after three more steps in training, of inputs of streams 20, 21, 22, from 0
    /CASE/running_var     and from 1
    /CASE/evaluated       the output in evaluation, of input stream 23
"""
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from cases import write_cases
from make_conv import images, nhwc
from make_lenet5 import draw
from steps import descend, rate_of

# op, settings, (h, w, c), samples
CASES = [
    ("batchnorm", dict(), (5, 7, 6), 3),
    ("batchnorm", dict(eps=1e-3, momentum=0.3), (1, 1, 19), 5),
    ("batchnorm", dict(affine=False), (4, 3, 33), 2),
    ("batchnorm", dict(momentum=0.02), (11, 9, 17), 4),
    ("batchnorm", dict(sync=False, zero_init=True), (3, 3, 1), 1),
    ("groupnorm", dict(groups=2), (5, 3, 6), 3),
    ("groupnorm", dict(groups=1, eps=0.1), (2, 3, 17), 2),
    ("groupnorm", dict(groups=33, affine=False), (4, 5, 33), 1),
    ("groupnorm", dict(groups=5), (3, 7, 35), 2),
    ("layernorm", dict(), (3, 5, 7), 3),
    ("layernorm", dict(), (1, 1, 21), 4),
    ("layernorm", dict(affine=False, eps=0.01), (4, 2, 16), 2),
    ("layernorm", dict(over="channels"), (5, 4, 19), 2),
    ("lrn", dict(), (3, 5, 17), 2),
    ("lrn", dict(size=5, alpha=0.1, beta=0.75, k=2, alpha_over_n=False), (4, 3, 33), 2),
    ("lrn", dict(size=4, alpha=2, beta=0.5, k=1), (2, 3, 16), 3),
    ("lrn", dict(size=7, alpha=1, beta=1.25, k=0.5), (3, 3, 3), 2),
]


def layer_norm(s, shape, x, w, b):
    if s.get("over") == "channels":
        return F.layer_norm(x.permute(0, 2, 3, 1), shape[2:], w, b, s.get("eps", 1e-5)).permute(0, 3, 1, 2)
    h, w_, c = shape
    chw = [p if p is None else p.permute(2, 0, 1) for p in (w, b)]
    return F.layer_norm(x, (c, h, w_), *chw, s.get("eps", 1e-5))


def local_response(s, x):
    size, alpha = s.get("size", 5), s.get("alpha", 1e-4)
    return F.local_response_norm(x, size, alpha if s.get("alpha_over_n", True) else alpha * size, s.get("beta", 0.75),
                                 s.get("k", 1.0))


def normalise(op, s, shape, x, w, b, kept=(None, None), training=True):
    if op == "batchnorm":
        return F.batch_norm(x, *kept, w, b, training, s.get("momentum", 0.1), s.get("eps", 1e-5))
    if op == "groupnorm":
        return F.group_norm(x, s["groups"], w, b, s.get("eps", 1e-5))
    return layer_norm(s, shape, x, w, b) if op == "layernorm" else local_response(s, x)


def parameters(op, s, shape, dtype):
    if op == "lrn" or not s.get("affine", True):
        return None, None
    dims = shape if op == "layernorm" and s.get("over") != "channels" else shape[2:]
    count = int(np.prod(dims))
    return tuple(torch.tensor(draw(p, count, 0.5).reshape(dims), dtype=dtype, requires_grad=True) for p in (10, 11))


def run(op, s, shape, n, dtype, rate):
    w, b = parameters(op, s, shape, dtype)
    x = images(1, shape, n, dtype).requires_grad_()
    y = normalise(op, s, shape, x, w, b)
    dy = images(2, shape, n, dtype)
    (y * dy).sum().backward()
    result = {"y": nhwc(y), "dx": nhwc(x.grad)}
    if w is not None:
        result.update(weight=w.grad.numpy().copy(), bias=b.grad.numpy().copy())
    if op == "batchnorm":
        kept = torch.zeros(shape[2], dtype=dtype), torch.ones(shape[2], dtype=dtype)
        for stream in (20, 21, 22):
            normalise(op, s, shape, images(stream, shape, n, dtype), w, b, kept)
        result["evaluated"] = nhwc(normalise(op, s, shape, images(23, shape, n, dtype), w, b, kept, False))
        result.update(running_mean=kept[0].numpy(), running_var=kept[1].numpy())
    leaves = {"x": x} if w is None else {"x": x, "weight": w, "bias": b}
    rate = rate or rate_of(leaves.values())
    after = descend(leaves, lambda: (normalise(op, s, shape, x, w, b) * dy).sum(), rate)
    result.update({name: value.numpy() for name, value in after.items()})
    result["after/x"] = nhwc(after["after/x"])
    return result, rate


if __name__ == "__main__":
    write_cases("norm.h5", [(op, s, {"shape": shape, "n": n}, partial(run, op, s, shape, n)) for op, s, shape, n in CASES])
