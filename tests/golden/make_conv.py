#!/usr/bin/python3
"""Makes conv.h5: what PyTorch computes, in float64, for convolution in all its variants. One group a case:

    attributes    op, settings (as in a model file), shape (h, w, c of the input), n (samples)
    /CASE/y       the output [n][h][w][c]
    /CASE/dx      the gradient of sum(dy * y) with respect to x
    /CASE/weight  and with respect to each parameter, in our logical order (HWIO)
    /CASE/bias
    /CASE/after/x, weight, bias   all of them after ten updates, x -= rate * dx (steps.py); attribute rate

x, dy and the parameters come from make_lenet5.draw: streams 1, 2 and 10, 11. Everything is stored as float32, with
PyTorch's own float32 error as the attribute `fp32_error`.
"""
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from cases import write_cases
from make_lenet5 import draw
from steps import descend, rate_of

# op, settings, (h, w, c), samples
CASES = [
    ("conv", dict(filters=5, kernel=[3, 5], padding=[1, 2, 0, 3]), (7, 6, 17), 3),
    ("conv", dict(filters=18, kernel=3, stride=[2, 3], dilation=[2, 1], padding=2), (9, 11, 5), 2),
    ("conv", dict(filters=6, kernel=3, groups=2, padding=1), (5, 7, 4), 3),
    ("conv", dict(filters=36, kernel=[3, 2], groups=4, stride=[2, 1], bias=False), (6, 5, 12), 2),
    ("conv", dict(filters=32, kernel=1, groups=2, stride=2), (5, 5, 6), 2),
    ("conv", dict(filters=19, kernel=3, groups=19, padding=1), (7, 13, 19), 3),
    ("conv", dict(filters=16, kernel=5, groups=16, padding=2, stride=2), (9, 8, 16), 2),
    ("conv", dict(filters=21, kernel=3, groups=7, padding=1, dilation=2), (8, 7, 7), 2),
    ("conv", dict(filters=7, kernel=[3, 4], flip=True, padding=[1, 0, 2, 1]), (6, 5, 3), 2),
    ("conv", dict(filters=9, kernel=3, flip=True, groups=9, stride=2, padding=1), (7, 5, 9), 2),
    ("conv", dict(filters=4, kernel=[1, 5], stride=[1, 2], padding=[0, 2]), (1, 30, 3), 2),
    ("conv_transpose", dict(filters=5, kernel=2, stride=2), (3, 4, 6), 3),
    ("conv_transpose", dict(filters=17, kernel=3, stride=2, padding=1, output_padding=1), (4, 3, 18), 2),
    ("conv_transpose", dict(filters=3, kernel=[4, 3], stride=[3, 1], padding=[1, 2], bias=False), (3, 5, 7), 2),
    ("conv_transpose", dict(filters=33, kernel=3, dilation=[3, 2], output_padding=[2, 1]), (3, 4, 5), 2),
    ("conv_transpose", dict(filters=4, kernel=[1, 4], stride=[1, 2], padding=[0, 1]), (1, 9, 2), 2),
    ("conv_transpose", dict(filters=6, kernel=3, groups=2, stride=2, padding=1, output_padding=1), (4, 5, 4), 3),
    ("conv_transpose", dict(filters=17, kernel=[3, 2], groups=17, stride=[1, 2]), (3, 4, 34), 2),
    ("dense", dict(units=19), (3, 4, 5), 3),
    ("dense", dict(units=1, bias=False), (1, 1, 33), 4),
]


def pair(value):
    return value if isinstance(value, list) else [value, value]


def images(stream, shape, n, dtype):
    h, w, c = shape
    x = draw(stream, n * h * w * c, 1.0).reshape(n, h, w, c)
    return torch.tensor(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), dtype=dtype)


def nhwc(tensor):
    return tensor.detach().numpy().transpose(0, 2, 3, 1).copy()


def convolve(op, s, x, w, b):
    """w: PyTorch's order; of a dense layer that of a convolution whose window is the whole image."""
    if op == "dense":
        return F.conv2d(x, w, b)
    stride, dilation, p = pair(s.get("stride", 1)), pair(s.get("dilation", 1)), pair(s.get("padding", 0))
    if op == "conv_transpose":
        return F.conv_transpose2d(x, w, b, stride, p, pair(s.get("output_padding", 0)), s.get("groups", 1),
                                  dilation)
    top, bottom, left, right = p if len(p) == 4 else (p[0], p[0], p[1], p[1])
    w = w.flip(2, 3) if s.get("flip") else w
    return F.conv2d(F.pad(x, (left, right, top, bottom)), w, b, stride, 0, dilation, s.get("groups", 1))


def run(op, s, shape, n, dtype, rate):
    r, q = pair(s["kernel"]) if op != "dense" else shape[:2]
    outputs = s["units"] if op == "dense" else s["filters"]
    if op == "dense":
        dims, order = (r, q, shape[2], outputs), (3, 2, 0, 1)
    elif op == "conv":
        dims, order = (r, q, shape[2] // s.get("groups", 1), s["filters"]), (3, 2, 0, 1)  # HWIO from OIHW and back
    else:
        dims, order = (r, q, s["filters"] // s.get("groups", 1), shape[2]), (3, 2, 0, 1)  # [r][s][out][in]; PyTorch has [in][out][r][s]
    w = draw(10, int(np.prod(dims)), 0.5).reshape(dims).transpose(order)
    x = images(1, shape, n, dtype).requires_grad_()
    w = torch.tensor(np.ascontiguousarray(w), dtype=dtype, requires_grad=True)
    b = torch.tensor(draw(11, outputs, 0.5), dtype=dtype, requires_grad=True) if s.get("bias", True) else None
    y = convolve(op, s, x, w, b)
    dy = images(2, (y.shape[2], y.shape[3], y.shape[1]), n, dtype)
    (y * dy).sum().backward()
    result = {"y": nhwc(y), "dx": nhwc(x.grad), "weight": w.grad.numpy().transpose(2, 3, 1, 0).copy()}
    if b is not None:
        result["bias"] = b.grad.numpy().copy()
    leaves = {"x": x, "weight": w, "bias": b} if b is not None else {"x": x, "weight": w}
    rate = rate or rate_of(leaves.values())
    after = descend(leaves, lambda: (convolve(op, s, x, w, b) * dy).sum(), rate)
    result.update({name: value.numpy() for name, value in after.items()})
    result["after/x"], result["after/weight"] = nhwc(after["after/x"]), after["after/weight"].numpy().transpose(2, 3, 1, 0)
    return result, rate


if __name__ == "__main__":
    write_cases("conv.h5", [(op, s, {"shape": shape, "n": n}, partial(run, op, s, shape, n)) for op, s, shape, n in CASES])
