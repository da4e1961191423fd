#!/usr/bin/python3
"""Makes losses.h5: what PyTorch computes, in float64, for the losses. One group a case:

    attributes  op, settings (as in an experiment file), shape (h, w, c of the outputs), n (samples), labels: classes of
                the samples [n] or of their pixels [n][h][w]; none where there are values
    /CASE/t     values as targets, [n][h][w][c]
    /CASE/y     the loss, a mean over the samples and pixels (or over the weights of their classes), [1]
    /CASE/dx    its gradient with respect to x, [n][h][w][c]
    /CASE/after/x  x after ten updates, x -= rate * dx (steps.py); attribute rate
    /CASE/x     for nll alone: the log-probabilities

x comes from make_lenet5.draw, stream 1, times 3. Stored and compared as in make_conv.py. Where PyTorch has no such loss,
the formula stands here and its gradient is PyTorch's.
"""
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from cases import write_cases
from make_lenet5 import draw
from steps import descend, rate_of

# op, settings, outputs, labels
CASES = [
    ("softmax_cross_entropy", {}, 10, [3, 0, 9]),
    ("softmax_cross_entropy", {"label_smoothing": 0.1}, 17, [16, 2, 5, 5]),
    ("softmax_cross_entropy", {"class_weights": [0.5, 2, 1, 4, 0.25]}, 5, [0, 4, 2, 3, 3, 1, 0]),
    ("softmax_cross_entropy", {"ignore_label": 2}, 7, [2, 6, 2, 0, 1]),
    ("softmax_cross_entropy", {"class_weights": [1, 0, 3, 0.5], "ignore_label": 3, "label_smoothing": 0.2}, 4,
     [3, 2, 1, 0, 2, 3]),
    ("nll", {}, 6, [5, 0, 3]),
    ("nll", {"class_weights": [2, 1, 0.125], "ignore_label": 1}, 3, [0, 1, 2, 2, 0]),
    ("logistic", {}, 1, [0, 1, 1, 0, 1]),
    ("logistic", {}, 19, [18, 0, 7]),
    ("hinge", {}, 10, [1, 9, 4, 4]),
    ("hinge", {"margin": 0.3}, 5, [0, 4, 2]),
    ("hinge", {}, 1, [0, 1, 1, 0, 1]),
    ("squared_hinge", {}, 10, [7, 2, 0]),
    ("squared_hinge", {"margin": 2.5}, 1, [1, 0, 1, 0]),
    ("mse", {}, 10, [3, 1, 0]),
    ("mse", {}, 1, [2, 0, 1, 5]),
    ("l1", {}, 9, [8, 3, 0]),
    ("l1", {}, 1, [2, 0, 1, 5]),
    ("huber", {}, 9, [8, 3, 0]),
    ("huber", {"delta": 2.25}, 1, [4, 0, 1, 5]),
    ("smooth_l1", {}, 9, [8, 3, 0]),
    ("smooth_l1", {"beta": 0.4}, 11, [2, 0, 1, 10]),
]


# op, settings, outputs (h, w, c), samples: a class for each pixel
MAPS = [
    ("softmax_cross_entropy", {}, (3, 4, 5), 2),
    ("softmax_cross_entropy", {"class_weights": [1, 0.5, 3], "ignore_label": 1}, (5, 1, 3), 3),
    ("softmax_cross_entropy", {"ignore_label": 255, "label_smoothing": 0.1}, (2, 3, 17), 2),
    ("nll", {"class_weights": [2, 1, 0.125, 4]}, (3, 3, 4), 1),
    ("logistic", {}, (4, 5, 1), 2),
    ("logistic", {}, (2, 2, 3), 3),
    ("hinge", {"margin": 0.3}, (3, 2, 6), 2),
    ("squared_hinge", {}, (1, 7, 1), 2),
    ("mse", {}, (3, 2, 4), 2),
    ("smooth_l1", {}, (5, 3, 1), 2),
]
# the same: a value for each output, of the logistic loss 0 or 1
VALUES = [
    ("logistic", {}, (1, 1, 19), 3),
    ("logistic", {}, (3, 2, 2), 2),
    ("mse", {}, (1, 1, 1), 7),
    ("mse", {}, (5, 3, 3), 2),
    ("l1", {}, (1, 1, 9), 4),
    ("l1", {}, (2, 7, 1), 2),
    ("huber", {"delta": 0.75}, (1, 1, 17), 3),
    ("huber", {}, (4, 4, 2), 1),
    ("smooth_l1", {"beta": 0.4}, (1, 1, 5), 3),
    ("smooth_l1", {}, (3, 1, 6), 2),
]


def target(x, labels):
    """What regression and the logistic loss aim at."""
    if labels.is_floating_point():
        return labels.to(x.dtype)
    if x.shape[1] == 1:
        return labels.to(x.dtype).reshape(-1, 1)
    return F.one_hot(labels, x.shape[1]).to(x.dtype)


def classes(fn):
    def run(x, labels, s):
        weight = torch.tensor(s["class_weights"], dtype=x.dtype) if "class_weights" in s else None
        more = {"label_smoothing": s["label_smoothing"]} if "label_smoothing" in s else {}
        return fn(x, labels, weight=weight, ignore_index=s.get("ignore_label", -100), **more)
    return run


def hinge(power):
    def run(x, labels, s):
        margin = s.get("margin", 1.0)
        if x.shape[1] > 1:
            return F.multi_margin_loss(x, labels, p=power, margin=margin)
        side = 2 * labels.to(x.dtype) - 1
        return (F.relu(margin - side * x[:, 0])**power).mean()
    return run


LOSSES = {
    "softmax_cross_entropy": classes(F.cross_entropy),
    "nll": classes(F.nll_loss),
    "logistic": lambda x, y, s: F.binary_cross_entropy_with_logits(x, target(x, y)),
    "hinge": hinge(1),
    "squared_hinge": hinge(2),
    "mse": lambda x, y, s: F.mse_loss(x, target(x, y)),
    "l1": lambda x, y, s: F.l1_loss(x, target(x, y)),
    "huber": lambda x, y, s: F.huber_loss(x, target(x, y), delta=s.get("delta", 1.0)),
    "smooth_l1": lambda x, y, s: F.smooth_l1_loss(x, target(x, y), beta=s.get("beta", 1.0)),
}


def inputs(op, outputs, n):
    x = torch.tensor(draw(1, n * outputs, 3.0).reshape(n, outputs))
    return F.log_softmax(x, 1) if op == "nll" else x


def run(op, s, outputs, labels, dtype, rate):
    x = inputs(op, outputs, len(labels)).to(dtype).requires_grad_()
    labels = torch.as_tensor(labels)
    loss = LOSSES[op](x, labels, s)
    loss.backward()
    result = {"y": np.array([loss.item()]), "dx": x.grad.numpy().copy()}
    rate = rate or rate_of([x])
    after = descend({"x": x}, lambda: LOSSES[op](x, labels, s), rate)
    result["after/x"] = after["after/x"].numpy()
    return result, rate


def pixels(shape, n):
    return n * shape[0] * shape[1]


def map_of(op, settings, shape, n):
    """Classes of all pixels; now and then the one to ignore."""
    classes = shape[2] if shape[2] > 1 else 4 if op == "smooth_l1" else 2
    ignored = settings.get("ignore_label", 0)
    return [ignored if i % 5 == 4 and "ignore_label" in settings else (i * 7 + i // 3) % classes
            for i in range(pixels(shape, n))]


def values_of(op, settings, shape, n):
    t = draw(9, pixels(shape, n) * shape[2], 2.0).reshape(-1, shape[2])
    return (t > 0.3).astype(np.float32) if op == "logistic" else t


def all_cases():
    for op, settings, outputs, labels in CASES:
        yield op, settings, (1, 1, outputs), len(labels), labels
    for make, cases in ((map_of, MAPS), (values_of, VALUES)):
        for op, settings, shape, n in cases:
            yield op, settings, shape, n, make(op, settings, shape, n)


def cases():
    for op, settings, shape, n, labels in all_cases():
        attributes = {"shape": shape, "n": n, "labels" if isinstance(labels, list) else "t": labels}
        if op == "nll":
            attributes["x"] = inputs(op, shape[2], len(labels)).numpy()
        yield op, settings or None, attributes, partial(run, op, settings, shape[2], labels)


if __name__ == "__main__":
    write_cases("losses.h5", cases())
