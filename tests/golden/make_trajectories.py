#!/usr/bin/python3
"""Makes trajectories.h5: ten steps of whole networks by PyTorch in float64: ResNet-20, a small GoogLeNet with an auxiliary
head, dropout and local response normalisation, and the blocks of MobileNet v2. One group a network:

    attributes  model: the text of the model file, or its name in configs/models; input [h, w, c]
                classes, n (samples of the one leaf), steps, instance (which of many sets of inputs)
                sgd: learning rate, momentum (Nesterov), weight decay; seed and epoch: of the dropout masks
    /NET/losses      [steps]  the mean loss that training sees (heads included), before each update
    /NET/gradients   []       of the first step, a sample of each parameter
    /NET/parameters  []       after the last step, likewise
    /NET/buffers     []       running statistics after the last step, likewise
    /NET/scores      [n][classes]  class scores in evaluation of the last step's batch, after it
    /NET/names       names of the parameters, as the graph has them, one a line

A sample of a tensor of more than KEPT values is every s-th one, s = (count // KEPT) | 1, in our logical order (HWIO,
[in][out]). `fp32_error`: PyTorch's own error in float32, a number for each tensor (of losses: each step).

Parameters are leaves in our logical order, so that nothing has to be turned when they are compared. Inputs stay MARGIN
away from the jumps of ReLU and max pooling, as make_lenet5.py explains; dropout's masks are those of Philox-4x32-10 (Salmon
et al. 2011) under a key that is the XXH64 of the layer's name, written down here once more.
"""
import os
import sys

import h5py
import numpy as np
import torch
import torch.nn.functional as F

from make_lenet5 import bits, draw, error

STEPS, SEED, EPOCH, KEPT = 10, 7, 2, 192
MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4


# ---- dropout's masks ----

def xxh64(data, seed):
    """Of less than 32 bytes."""
    p1, p2, p3, p4, p5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
                          0x27D4EB2F165667C5)
    mask = (1 << 64) - 1

    def turn(x, n):
        return (x << n | x >> (64 - n)) & mask

    h = (seed + p5 + len(data)) & mask
    while len(data) >= 8:
        lane = turn(int.from_bytes(data[:8], "little") * p2 & mask, 31) * p1 & mask
        h = (turn(h ^ lane, 27) * p1 + p4) & mask
        data = data[8:]
    if len(data) >= 4:
        h = (turn(h ^ int.from_bytes(data[:4], "little") * p1 & mask, 23) * p2 + p3) & mask
        data = data[4:]
    for byte in data:
        h = turn(h ^ byte * p5 & mask, 11) * p1 & mask
    h = (h ^ h >> 33) * p2 & mask
    h = (h ^ h >> 29) * p3 & mask
    return h ^ h >> 32


def philox(counter, key):
    """counter: [4][blocks] of 32-bit words; gives [blocks][4]."""
    low = np.uint64(0xFFFFFFFF)
    x, k = [np.array(c, dtype=np.uint64) for c in counter], list(key)
    for _ in range(10):
        a, b = x[0] * np.uint64(0xD2511F53), x[2] * np.uint64(0xCD9E8D57)
        x = [(b >> np.uint64(32)) ^ x[1] ^ np.uint64(k[0]), b & low, (a >> np.uint64(32)) ^ x[3] ^ np.uint64(k[1]), a & low]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(x, axis=1)


def kept(name, ids, count, rate):
    """[n][count] in NHWC order: 1 where a value stays."""
    h = xxh64(name.encode(), SEED)
    blocks = (count + 3) // 4
    rows = []
    for i in ids:
        zero = np.zeros(blocks, dtype=np.uint64)
        words = philox((np.arange(blocks), zero + np.uint64(EPOCH), zero + np.uint64(i & 0xFFFFFFFF),
                        zero + np.uint64(i >> 32)), (h & 0xFFFFFFFF, h >> 32))
        rows.append(words.reshape(-1)[:count] >= int(float(np.float32(rate)) * 2.0**32))
    return np.stack(rows)


# ---- layers by name, parameters made where they are first met, in the order of the graph ----

class Net:
    def __init__(self, dtype):
        self.dtype, self.names, self.values, self.buffers = dtype, [], {}, {}
        self.training, self.margin, self.ids = True, np.inf, range(0)

    def near(self, distance):
        self.margin = min(self.margin, distance.min().item())

    def value(self, name, *dims):
        """Weights of He's size, scales around 1, all else small."""
        if name not in self.values:
            stream, count = 100 + len(self.names), int(np.prod(dims))
            if len(dims) > 1:
                v = draw(stream, count, np.sqrt(6 / np.prod(dims[:-1])))
            else:
                v = draw(stream, count, 0.25) + np.float32(name.endswith("/weight"))
            self.names.append(name)
            self.values[name] = torch.tensor(v.reshape(dims), dtype=self.dtype, requires_grad=True)
        return self.values[name]

    def conv(self, x, name, filters, kernel, stride=1, padding=0, groups=1):
        w = self.value(name + "/weight", kernel, kernel, x.shape[1] // groups, filters)
        return F.conv2d(x, w.permute(3, 2, 0, 1), None, stride, padding, 1, groups)

    def dense(self, x, name, units):
        flat = x.permute(0, 2, 3, 1).flatten(1)
        w, b = self.value(name + "/weight", flat.shape[1], units), self.value(name + "/bias", units)
        return (flat @ w + b)[:, :, None, None]

    def batchnorm(self, x, name, eps=1e-5):
        w, b = (self.value(name + part, x.shape[1]) for part in ("/weight", "/bias"))
        if name not in self.buffers:
            self.buffers[name] = (torch.zeros(x.shape[1], dtype=self.dtype), torch.ones(x.shape[1], dtype=self.dtype))
        return F.batch_norm(x, *self.buffers[name], w, b, self.training, 0.1, eps)

    def relu(self, x, most=None):
        self.near(x.detach().abs())
        if most is None:
            return F.relu(x)
        self.near((x.detach() - most).abs())
        return F.hardtanh(x, 0, most)

    def maxpool(self, x, kernel, stride, padding=0, ceil_mode=False):
        wide = F.pad(x.detach().flatten(0, 1)[:, None], [padding, padding + stride] * 2, value=-1e6)
        two = F.unfold(wide, kernel, stride=stride).topk(2, dim=1).values
        apart = two[:, 0] - two[:, 1]
        self.near(apart[apart > 0])  # equal ones: zeros of a ReLU, which has no slope there
        return F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil_mode)

    def dropout(self, x, name, rate):
        if not self.training:
            return x
        n, c, h, w = x.shape
        mask = kept(name, self.ids, c * h * w, rate).reshape(n, h, w, c).transpose(0, 3, 1, 2)
        return x * torch.tensor(np.ascontiguousarray(mask), dtype=self.dtype) / (1 - rate)


# ---- the networks: a function gives the scores, and those of heads with their weights ----

def resnet20(net, x):
    x = net.relu(net.batchnorm(net.conv(x, "conv1", 16, 3, padding=1), "batchnorm1"))
    for stage, filters in enumerate((16, 32, 64), 1):
        for block in range(1, 4):
            at = f"stage{stage}/basic{block}/"
            stride = 2 if stage > 1 and block == 1 else 1
            y = net.relu(net.batchnorm(net.conv(x, at + "conv1", filters, 3, stride, 1), at + "batchnorm1"))
            y = net.batchnorm(net.conv(y, at + "conv2", filters, 3, padding=1), at + "batchnorm2")
            if stride > 1:
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, filters // 4, filters // 4))
            x = net.relu(x + y)
    return net.dense(x.mean((2, 3), keepdim=True), "dense1", 10), []


GOOGLENET = """\
input: [17, 15, 3]
blocks:
  unit:
    parameters: {filters: null, kernel: 1, stride: 1}
    layers:
      - conv: {filters: $filters, kernel: $kernel, stride: $stride, padding: $(kernel // 2), bias: false}
      - batchnorm: {eps: 0.001}
      - relu
  inception:
    parameters: {a: null, b: null, c: null, d: null}
    layers:
      - branch:
          paths:
            - [unit: $a]
            - [unit: $(b // 2), unit: {filters: $b, kernel: 3}]
            - [unit: $(c // 2), unit: {filters: $c, kernel: 5}]
            - [maxpool: {kernel: 3, stride: 1, padding: 1}, unit: $d]
layers:
  - unit: {filters: 8, kernel: 3, stride: 2}
  - lrn: {size: 3, alpha: 0.3}
  - inception: {a: 6, b: 8, c: 4, d: 3}
  - aux: {weight: 0.3, layers: [{avgpool: {kernel: 5, stride: 2}}, unit: 7, dense: 16, relu, dropout: 0.5, dense: 5]}
  - maxpool: {kernel: 3, stride: 2, ceil_mode: true}
  - inception: {a: 7, b: 10, c: 6, d: 5}
  - global_avgpool
  - dropout: 0.2
  - dense: 5
"""


def googlenet(net, x):
    def unit(x, at, filters, kernel=1, stride=1):
        return net.relu(net.batchnorm(net.conv(x, at + "/conv1", filters, kernel, stride, kernel // 2), at + "/batchnorm1",
                                      1e-3))

    def inception(x, at, a, b, c, d):
        paths = [unit(x, at + "/unit1", a), unit(unit(x, at + "/unit2", b // 2), at + "/unit3", b, 3),
                 unit(unit(x, at + "/unit4", c // 2), at + "/unit5", c, 5),
                 unit(net.maxpool(x, 3, 1, 1), at + "/unit6", d)]
        return torch.cat(paths, 1)

    x = F.local_response_norm(unit(x, "unit1", 8, 3, 2), 3, 0.3)
    x = inception(x, "inception1", 6, 8, 4, 3)
    head = net.dense(unit(F.avg_pool2d(x, 5, 2), "aux1/unit1", 7), "aux1/dense1", 16)
    head = net.dense(net.dropout(net.relu(head), "aux1/dropout1", 0.5), "aux1/dense2", 5)
    x = inception(net.maxpool(x, 3, 2, ceil_mode=True), "inception2", 7, 10, 6, 5)
    x = net.dropout(x.mean((2, 3), keepdim=True), "dropout1", 0.2)
    return net.dense(x, "dense1", 5), [(head, 0.3)]


MOBILENET = """\
input: [9, 11, 3]
blocks:
  mapped:
    parameters: {filters: null, kernel: 1, stride: 1, groups: 1}
    layers:
      - conv: {filters: $filters, kernel: $kernel, stride: $stride, padding: $(kernel // 2), groups: $groups, bias: false}
      - batchnorm
  inverted:
    parameters: {wide: null, filters: null, stride: 1}
    layers:
      - mapped: $wide
      - relu6
      - mapped: {filters: $wide, kernel: 3, stride: $stride, groups: $wide}
      - relu6
      - mapped: $filters
layers:
  - mapped: {filters: 8, kernel: 3, stride: 2}
  - relu6
  - residual: {layers: [inverted: {wide: 48, filters: 8}]}
  - inverted: {wide: 48, filters: 12, stride: 2}
  - residual: {layers: [inverted: {wide: 72, filters: 12}]}
  - global_avgpool
  - dense: 4
"""


def mobilenet(net, x):
    def mapped(x, at, filters, kernel=1, stride=1, groups=1):
        return net.batchnorm(net.conv(x, at + "/conv1", filters, kernel, stride, kernel // 2, groups), at + "/batchnorm1")

    def inverted(x, at, wide, filters, stride=1):
        y = net.relu(mapped(x, at + "/mapped1", wide), 6)
        y = net.relu(mapped(y, at + "/mapped2", wide, 3, stride, wide), 6)
        return mapped(y, at + "/mapped3", filters)

    x = net.relu(mapped(x, "mapped1", 8, 3, 2), 6)
    x = x + inverted(x, "inverted1", 48, 8)
    x = inverted(x, "inverted2", 48, 12, 2)
    x = x + inverted(x, "inverted3", 72, 12)
    return net.dense(x.mean((2, 3), keepdim=True), "dense1", 4), []


# name, function, model, input, classes, samples, learning rate
NETS = [("resnet20", resnet20, "resnet20.yaml", (8, 8, 3), 10, 4, 0.01),
        ("googlenet", googlenet, GOOGLENET, (17, 15, 3), 5, 6, 0.02),
        ("mobilenet", mobilenet, MOBILENET, (9, 11, 3), 4, 6, 0.02)]


# ---- ten steps ----

def batch(shape, classes, n, stream, dtype):
    h, w, c = shape
    labels = bits(2000 + stream, n) % np.uint64(classes)
    x = draw(1000 + stream, n * h * w * c, 0.5).reshape(n, -1)
    x = x + np.stack([draw(3000 + int(label), h * w * c, 1.0) for label in labels])
    x = np.ascontiguousarray(x.reshape(n, h, w, c).transpose(0, 3, 1, 2))
    return torch.tensor(x, dtype=dtype), torch.tensor(labels.astype(np.int64))


def sample(values):
    flat = values.detach().numpy().reshape(-1)
    return flat[::flat.size // KEPT | 1 if flat.size > KEPT else 1].copy()


def loss_of(net, fn, x, labels):
    scores, heads = fn(net, x)
    loss = F.cross_entropy(scores[:, :, 0, 0], labels)
    for head, weight in heads:
        loss = loss + weight * F.cross_entropy(head[:, :, 0, 0], labels)
    return loss, scores


def run(fn, shape, classes, n, lr, instance, dtype):
    net, result, optimizer = Net(dtype), {"losses": []}, None
    for step in range(STEPS):
        x, labels = batch(shape, classes, n, 10000 * instance + step, dtype)
        net.ids = range(step * n, (step + 1) * n)
        loss, _ = loss_of(net, fn, x, labels)
        if optimizer is None:
            optimizer = torch.optim.SGD(net.values.values(), lr, MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            result["gradients"] = [sample(v.grad) for v in net.values.values()]
        optimizer.step()
        result["losses"].append(np.array([loss.item()]))
    net.training = False
    with torch.no_grad():
        _, scores = loss_of(net, fn, x, labels)
    result["parameters"] = [sample(v) for v in net.values.values()]
    result["buffers"] = [sample(part) for pair in net.buffers.values() for part in pair]
    result["scores"] = [scores[:, :, 0, 0].numpy()]
    return net, result


def search(case, tries):
    """The instance that stays away from jumps the most."""
    name, fn, _, shape, classes, n, lr = case
    margins = [run(fn, shape, classes, n, lr, i, torch.float64)[0].margin for i in range(tries)]
    best = int(np.argmax(margins))
    print(f"{name}: instance {best} of {tries} stays {margins[best]:.2e} away from jumps")
    return best


def write(f, case, instance):
    name, fn, model, shape, classes, n, lr = case
    net, want = run(fn, shape, classes, n, lr, instance, torch.float64)
    _, rough = run(fn, shape, classes, n, lr, instance, torch.float32)
    group = f.create_group(name)
    for key, value in dict(model=model, input=shape, classes=classes, n=n, steps=STEPS, instance=instance,
                           sgd=np.array([lr, MOMENTUM, WEIGHT_DECAY]), seed=SEED, epoch=EPOCH,
                           names="\n".join(net.names)).items():
        group.attrs[key] = value
    for key, parts in want.items():
        errors = [error(r, w) for r, w in zip(rough[key], parts)]
        item = group.create_dataset(key, data=np.concatenate([p.reshape(-1) for p in parts]), track_times=False)
        item.attrs["fp32_error"] = np.array(errors)
        print(f"  {key}: {item.size} values, fp32 error {np.median(errors):.1e}, at most {max(errors):.1e}")
    print("  losses", " ".join(f"{v[0]:.4f}" for v in want["losses"]))


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    tries = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    with h5py.File(os.path.join(folder, "trajectories.h5"), "w", libver="earliest") as out:
        out.attrs["made_by"] = f"tests/golden/make_trajectories.py, PyTorch {torch.__version__}, NumPy {np.__version__}"
        for one in NETS:
            write(out, one, search(one, tries))
