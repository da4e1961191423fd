#!/usr/bin/python3
"""Makes elements.h5: what PyTorch computes, in float64, for activations, pooling and the ops that combine and cut. One
group a case:

    attributes        op, settings (as in a model file), shape (h, w, c of each input, one after the other), n (samples),
                      scale (of the inputs)
    /CASE/y           the output [n][h][w][c]
    /CASE/dx, dx1 …   the gradient of sum(dy * y) with respect to each input
    /CASE/slope       and with respect to PReLU's slopes
    /CASE/after/x …   inputs and slopes after ten updates, x -= rate * dx (steps.py); attribute rate

Inputs, dy and parameters come from make_lenet5.draw: streams 1, 21, 22 … for the inputs, 2 and 10. Everything is stored
as float32, with PyTorch's own float32 error as the attribute `fp32_error`.
"""
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from cases import write_cases
from make_conv import nhwc, pair
from make_lenet5 import draw
from steps import descend, rate_of

A = [(5, 7, 3)]  # of an activation


def interpolate(x, s):
    mode = s.get("mode", "nearest")
    size = [int(n * f) for n, f in zip(x.shape[2:], pair(s["factor"]))] if "factor" in s else s["size"]
    return F.interpolate(x, size, mode=mode, align_corners=s.get("align_corners", False) if mode == "bilinear" else None)


def sides(p):
    p = pair(p)
    top, bottom, left, right = p if len(p) == 4 else (p[0], p[0], p[1], p[1])
    return left, right, top, bottom


def pad(x, s):
    c = s.get("channels", [0, 0])
    if s.get("mode", "constant") == "constant":
        return F.pad(x, sides(s.get("padding", 0)) + tuple(c), value=s.get("value", 0))
    return F.pad(x, sides(s["padding"]), mode=s["mode"])


def cut(x, s):
    at = [slice(None)] + [slice(*s.get(axis, [None])) for axis in ("channels", "height", "width")]
    return x[at]


def center(x, s):
    h, w = s["size"]
    top, left = (x.shape[2] - h) // 2, (x.shape[3] - w) // 2
    return x[:, :, top:top + h, left:left + w]


def pool(x, s, fn, **more):
    return fn(x, s["kernel"], s.get("stride"), s.get("padding", 0), ceil_mode=s.get("ceil_mode", False), **more)


def maximum(x, s):
    return pool(x, s, F.max_pool2d, dilation=s.get("dilation", 1))


def average(x, s):
    return pool(x, s, F.avg_pool2d, count_include_pad=s.get("count_include_pad", True))


def reshape(x, s):
    y = x.permute(0, 2, 3, 1).reshape(x.shape[0], *s)
    return y.permute(0, 3, 1, 2)


# op, settings, (h, w, c) of each input, scale, function of the inputs and settings
CASES = [
    ("relu", None, A, 8, lambda x, s: F.relu(x)),
    ("relu6", None, A, 8, lambda x, s: F.relu6(x)),
    ("leaky_relu", None, A, 8, lambda x, s: F.leaky_relu(x)),
    ("leaky_relu", 0.3, A, 8, lambda x, s: F.leaky_relu(x, s)),
    ("prelu", None, [(5, 7, 19)], 8, None),
    ("elu", None, A, 8, lambda x, s: F.elu(x)),
    ("elu", {"alpha": 0.4}, A, 8, lambda x, s: F.elu(x, s["alpha"])),
    ("gelu", None, A, 8, lambda x, s: F.gelu(x)),
    ("gelu", "tanh", A, 8, lambda x, s: F.gelu(x, approximate=s)),
    ("silu", None, A, 8, lambda x, s: F.silu(x)),
    ("softplus", None, A, 8, lambda x, s: F.softplus(x)),
    ("softplus", 3, A, 8, lambda x, s: F.softplus(x, s, threshold=100)),
    ("tanh", None, A, 8, lambda x, s: torch.tanh(x)),
    ("sigmoid", None, A, 8, lambda x, s: torch.sigmoid(x)),
    ("hard_sigmoid", None, A, 8, lambda x, s: F.hardsigmoid(x)),
    ("hard_swish", None, A, 8, lambda x, s: F.hardswish(x)),
    ("hard_tanh", {"min": -2, "max": 0.5}, A, 8, lambda x, s: F.hardtanh(x, s["min"], s["max"])),
    ("sign", None, A, 8, lambda x, s: torch.sign(x)),
    ("step", None, A, 8, lambda x, s: (x > 0).to(x.dtype) + 0 * x),
    ("softmax", None, A, 8, lambda x, s: F.softmax(x, 1)),
    ("add", None, A * 3, 1, lambda x, y, z, s: x + y + z),
    ("multiply", None, A * 3, 1, lambda x, y, z, s: x * y * z),
    ("concat", None, [(5, 4, 3), (5, 4, 1)], 1, lambda x, y, s: torch.cat([x, y], 1)),
    ("concat", "height", [(5, 4, 3), (2, 4, 3)], 1, lambda x, y, s: torch.cat([x, y], 2)),
    ("concat", "width", [(5, 4, 3), (5, 1, 3)], 1, lambda x, y, s: torch.cat([x, y], 3)),
    ("global_avgpool", None, A, 1, lambda x, s: F.adaptive_avg_pool2d(x, 1)),
    ("global_maxpool", None, A, 1, lambda x, s: F.adaptive_max_pool2d(x, 1)),
    ("adaptive_avgpool", [3, 4], [(8, 9, 3)], 1, lambda x, s: F.adaptive_avg_pool2d(x, s)),
    ("adaptive_avgpool", [7, 2], [(4, 5, 3)], 1, lambda x, s: F.adaptive_avg_pool2d(x, s)),
    ("maxpool", dict(kernel=3, stride=1), A, 1, maximum),
    ("maxpool", dict(kernel=3, stride=2, padding=1), [(8, 6, 3)], 1, maximum),
    ("maxpool", dict(kernel=[3, 2], stride=2, padding=1, ceil_mode=True), [(8, 6, 3)], 1, maximum),
    ("maxpool", dict(kernel=2, stride=3, padding=1, ceil_mode=True), [(6, 5, 3)], 1, maximum),
    ("maxpool", dict(kernel=3, stride=1, dilation=2, padding=1), [(8, 6, 3)], 1, maximum),
    ("maxpool", dict(kernel=[2, 3], stride=[3, 2], dilation=[3, 2], padding=[1, 0]), [(9, 8, 3)], 1, maximum),
    ("adaptive_maxpool", [3, 4], [(8, 9, 3)], 1, lambda x, s: F.adaptive_max_pool2d(x, s)),
    ("adaptive_maxpool", [7, 2], [(4, 5, 3)], 1, lambda x, s: F.adaptive_max_pool2d(x, s)),
    ("avgpool", dict(kernel=[4, 3], stride=1, padding=[2, 1]), A, 1, average),
    ("avgpool", dict(kernel=3, stride=2, padding=1, count_include_pad=False), [(8, 6, 3)], 1, average),
    ("avgpool", dict(kernel=3, stride=2, padding=1, ceil_mode=True), [(8, 6, 3)], 1, average),
    ("avgpool", dict(kernel=4, stride=3, padding=[1, 2], ceil_mode=True, count_include_pad=False), [(9, 8, 3)], 1, average),
    ("upsample", dict(factor=[2, 3]), [(3, 4, 5)], 1, interpolate),
    ("upsample", dict(size=[7, 5]), [(3, 4, 5)], 1, interpolate),
    ("upsample", dict(factor=2, mode="bilinear"), [(3, 4, 5)], 1, interpolate),
    ("upsample", dict(size=[7, 3], mode="bilinear"), [(3, 4, 5)], 1, interpolate),
    ("upsample", dict(size=[7, 5], mode="bilinear", align_corners=True), [(3, 4, 5)], 1, interpolate),
    ("slice", dict(height=[0, None, 2], width=[1, -1, 3], channels=[1, 3]), A, 1, cut),
    ("crop", [1, 0, 2, 1], A, 1, lambda x, s: x[:, :, 1:, 2:-1]),
    ("crop", dict(size=[2, 3]), A, 1, center),
    ("pad", dict(padding=[1, 0, 2, 3], value=-0.5), [(3, 4, 5)], 1, pad),
    ("pad", dict(channels=[1, 2]), [(3, 4, 5)], 1, pad),
    ("pad", dict(padding=[2, 1, 0, 3], mode="reflect"), [(3, 4, 5)], 1, pad),
    ("pad", dict(padding=[2, 1, 0, 5], mode="replicate"), [(3, 4, 5)], 1, pad),
    ("reshape", [2, 15, 2], [(3, 4, 5)], 1, reshape),
    ("flatten", None, [(3, 4, 5)], 1, lambda x, s: reshape(x, [1, 1, 60])),
]
SAMPLES = 2


def tensor(stream, shape, scale, dtype):
    h, w, c = shape
    x = draw(stream, SAMPLES * h * w * c, scale).reshape(SAMPLES, h, w, c).transpose(0, 3, 1, 2)
    return torch.tensor(np.ascontiguousarray(x), dtype=dtype)


def run(op, settings, shapes, scale, fn, dtype, rate):
    x = [tensor(20 + k if k else 1, shape, scale, dtype).requires_grad_() for k, shape in enumerate(shapes)]
    leaves = {f"x{k}" if k else "x": each for k, each in enumerate(x)}
    if op == "prelu":
        leaves["slope"] = slope = torch.tensor(draw(10, shapes[0][2], 0.5), dtype=dtype, requires_grad=True)
        fn = lambda each, _: F.prelu(each, slope)
    y = fn(*x, settings)
    dy = tensor(2, (y.shape[2], y.shape[3], y.shape[1]), 1, dtype)
    (y * dy).sum().backward()
    result = {"y": nhwc(y)}
    for k, each in enumerate(x):
        result[f"dx{k}" if k else "dx"] = nhwc(each.grad if each.grad is not None else torch.zeros_like(each))
    if op == "prelu":
        result["slope"] = slope.grad.numpy().copy()
    rate = rate or rate_of(leaves.values())
    for name, value in descend(leaves, lambda: (fn(*x, settings) * dy).sum(), rate).items():
        result[name] = nhwc(value) if value.dim() == 4 else value.numpy()
    return result, rate


def attributes(shapes, scale):
    return {"shape": np.array(shapes).reshape(-1), "n": SAMPLES, "scale": float(scale)}


if __name__ == "__main__":
    write_cases("elements.h5", [(op, settings, attributes(shapes, scale), partial(run, op, settings, shapes, scale, fn))
                                for op, settings, shapes, scale, fn in CASES])
