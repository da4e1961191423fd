#!/usr/bin/python3
"""Makes lenet5.h5 and lenet5_relu.h5: what PyTorch computes, in float64, for the networks of configs/models.

Weights and inputs come from one formula (`draw`), which tests/unit/graph/test_golden.c has too, so they are not stored. Weights
are drawn in our logical order (HWIO, [in][out] with inputs in h, w, c order) and turned into PyTorch's (OIHW, [out][in]
with inputs in c, h, w order); gradients go the other way before they are stored.

    /scores   [16][10]  class scores of batch 0 at the initial weights
    /loss     scalar    its mean cross-entropy
    /grad/LAYER/NAME    gradients of that loss, logical order (float32: rounded once, 6e-8)
    /losses   [20]      the mean cross-entropy of 20 steps of SGD, batch s at step s, before its update

    attribute `sgd`     learning rate, momentum (Nesterov), weight decay
    attribute `instance` which of many sets of inputs

ReLU and max pooling jump where a value crosses 0 or two values of a window change places: a rounding there changes a loss
by 1e-3, in PyTorch's float32 as in ours, and says nothing. So the inputs are an instance whose 20 steps in float64 stay
`MARGIN` away from every such place.

Each data set has an attribute `fp32_error`: PyTorch's own error when it does the same in float32 (max|a-b| / max|b|; of
/losses: a vector, one for each step).
"""
import os
import sys

import h5py
import numpy as np
import torch

BATCH, STEPS, CLASSES = 16, 20, 10
MARGIN = 1.5e-6
MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
# name, (kernel or inputs as h, w, c), outputs; a stream of numbers each for weight and bias
LAYERS = [("conv1", (5, 5, 1), 6), ("conv2", (5, 5, 6), 16), ("dense1", (5, 5, 16), 120), ("dense2", (1, 1, 120), 84),
          ("dense3", (1, 1, 84), 10)]


def bits(stream, count):
    """32 bits for element i of a stream."""
    h = (np.arange(count, dtype=np.uint64) + np.uint64(stream) * np.uint64(0x9E3779B1)) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h ^= h >> np.uint64(shift)
        h = h * np.uint64(factor) & np.uint64(0xFFFFFFFF)
    return h ^ h >> np.uint64(16)


def draw(stream, count, scale):
    """Uniform in [-scale, scale), rounded to float32."""
    return ((bits(stream, count) / 2.0**31 - 1.0) * scale).astype(np.float32)


def to_torch(name, logical, shape, out):
    if name.startswith("conv"):
        return np.ascontiguousarray(logical.reshape(*shape, out).transpose(3, 2, 0, 1))
    return np.ascontiguousarray(logical.reshape(*shape, out).transpose(3, 2, 0, 1).reshape(out, -1))


def to_logical(name, tensor, shape, out):
    h, w, c = shape
    return tensor.reshape(out, c, h, w).transpose(2, 3, 1, 0).reshape(-1)


class Net(torch.nn.Module):
    def __init__(self, relu, dtype):
        super().__init__()
        self.relu = relu
        self.margin = np.inf  # the least distance to a jump in the last forward pass
        for i, (name, shape, out) in enumerate(LAYERS):
            h, w, c = shape
            if name.startswith("conv"):
                layer = torch.nn.Conv2d(c, out, (h, w), padding=2 if name == "conv1" else 0, dtype=dtype)
            else:
                layer = torch.nn.Linear(h * w * c, out, dtype=dtype)
            # He's bound for ReLU, LeCun's for tanh: values of unit size throughout; smaller at the end, to start near ln 10
            scale = np.sqrt((1.0 if name == "dense3" else 6.0 if relu else 3.0) / (h * w * c))
            weight = to_torch(name, draw(100 + 2 * i, h * w * c * out, scale), shape, out)
            layer.weight.data = torch.tensor(weight, dtype=dtype)
            layer.bias.data = torch.tensor(draw(101 + 2 * i, out, 0.1), dtype=dtype)
            setattr(self, name, layer)

    def near(self, distance):
        self.margin = min(self.margin, distance.min().item())

    def rectify(self, x):
        self.near(x.detach().abs())
        return torch.relu(x)

    def max_pool(self, x, size):
        windows = torch.nn.functional.unfold(x.detach().flatten(0, 1)[:, None], size, stride=size)
        best = windows.topk(2, dim=1).values
        self.near(torch.where(best[:, 0] > 0, best[:, 0] - best[:, 1], torch.ones_like(best[:, 0])))
        return torch.nn.functional.max_pool2d(x, size)

    def forward(self, x):
        self.margin = np.inf
        act = self.rectify if self.relu else torch.tanh
        pool = self.max_pool if self.relu else torch.nn.functional.avg_pool2d
        x = pool(act(self.conv1(x)), 2)
        x = pool(act(self.conv2(x)), 2)
        x = act(self.dense1(x.flatten(1)))
        x = act(self.dense2(x))
        return self.dense3(x)


def batch(instance, step, dtype):
    """Noise, and a pattern for each class, so that there is something to learn."""
    y = (bits(10000 * instance + 2000 + step, BATCH) % np.uint64(CLASSES)).astype(np.int64)
    patterns = np.stack([draw(3000 + k, 28 * 28, 1.0) for k in range(CLASSES)])
    x = draw(10000 * instance + 1000 + step, BATCH * 28 * 28, 0.25).reshape(BATCH, 28 * 28) + patterns[y]
    return torch.tensor(x.reshape(BATCH, 1, 28, 28), dtype=dtype), torch.tensor(y)


def run(relu, lr, dtype, instance, margin=0):
    """None as soon as a step comes nearer than `margin` to a jump."""
    net = Net(relu, dtype)
    x, y = batch(instance, 0, dtype)
    scores = net(x)
    loss = torch.nn.functional.cross_entropy(scores, y)
    loss.backward()
    result = {"scores": scores.detach().numpy(), "loss": np.array(loss.item())}
    for name, shape, out in LAYERS:
        layer = getattr(net, name)
        result[f"grad/{name}/weight"] = to_logical(name, layer.weight.grad.numpy(), shape, out)
        result[f"grad/{name}/bias"] = layer.bias.grad.numpy().copy()
    sgd = torch.optim.SGD(net.parameters(), lr, MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True)
    losses = []
    for step in range(STEPS):
        x, y = batch(instance, step, dtype)
        sgd.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), y)
        if net.margin < margin:
            return None
        loss.backward()
        losses.append(loss.item())
        sgd.step()
    result["losses"] = np.array(losses)
    return result


def error(a, b):
    return np.abs(a.astype(np.float64) - b).max() / np.abs(b).max()


def write(path, relu, lr):
    instance, want = 0, None
    while want is None:
        instance += 1
        want = run(relu, lr, torch.float64, instance, MARGIN)
    rough = run(relu, lr, torch.float32, instance)
    with h5py.File(path, "w", libver="earliest") as f:
        f.attrs["made_by"] = f"tests/golden/make_lenet5.py, PyTorch {torch.__version__}, NumPy {np.__version__}"
        f.attrs["sgd"] = [lr, MOMENTUM, WEIGHT_DECAY]
        f.attrs["instance"] = float(instance)
        for name, value in want.items():
            stored = value.astype(np.float32) if name.startswith("grad/") else value
            item = f.create_dataset(name, data=stored, track_times=False)
            if name == "losses":
                item.attrs["fp32_error"] = np.abs(rough[name] - value) / value
            else:
                item.attrs["fp32_error"] = error(rough[name], value)
            print(f"{os.path.basename(path)} {name}: fp32 error {np.max(item.attrs['fp32_error']):.2e}")
    print(f"instance {instance}; losses:", " ".join(f"{v:.4f}" for v in want["losses"]))


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    write(os.path.join(folder, "lenet5.h5"), relu=False, lr=0.03)
    write(os.path.join(folder, "lenet5_relu.h5"), relu=True, lr=0.01)
