#!/usr/bin/python3
"""One measurement of PyTorch (Debian's python3-torch with oneDNN) on the CPU, to stand beside `convoy bench`: the same
network, batch, optimiser (SGD, momentum 0.9) and loss (softmax cross-entropy), on random inputs. Prints one JSON object.

usage: peer_torch.py MODEL BATCH [--threads T] [--seconds S] [--nhwc] [--jit] [--bf16] [--inference] [--plain-malloc]

The peer is run as its users are told to: by an allocator that keeps its pages (glibc, told so; jemalloc and tcmalloc do
no better), and with --jit as a traced graph (in inference frozen and fused by oneDNN).
"""
import argparse
import json
import os
import resource
import sys
import time

KEEP_PAGES = {'MALLOC_MMAP_THRESHOLD_': str(4 << 30), 'MALLOC_TRIM_THRESHOLD_': str(8 << 30),
              'MALLOC_TOP_PAD_': str(256 << 20)}
if '--plain-malloc' not in sys.argv and 'MALLOC_TRIM_THRESHOLD_' not in os.environ:
    os.environ.update(KEEP_PAGES)
    os.execv(sys.executable, [sys.executable] + sys.argv)

start = time.time()
import torch
import torch.nn as nn
import torch.nn.functional as F


def lenet5(act, pool):
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), act(), pool(2), nn.Conv2d(6, 16, 5), act(), pool(2),
                         nn.Flatten(), nn.Linear(400, 120), act(), nn.Linear(120, 84), act(), nn.Linear(84, 10))


class Basic(nn.Module):
    """He et al. 2015, option A: where the size changes, the shortcut skips pixels and pads channels with zeros."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
        self.stride, self.more = stride, after - before

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        if self.more:
            x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return F.relu(y + x)


def resnet20():
    layers, before = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for after, stride in ((16, 1), (32, 2), (64, 2)):
        for block in range(3):
            layers.append(Basic(before, after, stride if block == 0 else 1))
            before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def torchvision(name):
    import torchvision.models
    return getattr(torchvision.models, name)()


SMALL = {  # model, input, classes
    'lenet5': (lambda: lenet5(nn.Tanh, nn.AvgPool2d), (1, 28, 28), 10),
    'lenet5_relu': (lambda: lenet5(nn.ReLU, nn.MaxPool2d), (1, 28, 28), 10),
    'resnet20': (resnet20, (3, 32, 32), 10),
}

parser = argparse.ArgumentParser()
parser.add_argument('model')
parser.add_argument('batch', type=int)
parser.add_argument('--threads', type=int, default=2)
parser.add_argument('--seconds', type=float, default=3)
parser.add_argument('--nhwc', action='store_true', help='channels last')
parser.add_argument('--jit', action='store_true', help='a traced graph')
parser.add_argument('--plain-malloc', action='store_true', help="glibc's allocator with its defaults")
parser.add_argument('--bf16', action='store_true', help='autocast')
parser.add_argument('--inference', action='store_true', help='no_grad, evaluation mode')
how = parser.parse_args()

torch.set_num_threads(how.threads)
torch.manual_seed(0)
make, shape, classes = SMALL.get(how.model, (lambda: torchvision(how.model), (3, 224, 224), 1000))
model = make().train(not how.inference)
x, y = torch.randn(how.batch, *shape), torch.randint(classes, (how.batch,))
if how.nhwc:
    model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)




def with_precision(run, *args):
    if not how.bf16:
        return run(*args)
    with torch.autocast('cpu', torch.bfloat16, cache_enabled=not how.jit):
        return run(*args)


def traced(model):
    if not how.inference:
        return with_precision(torch.jit.trace, model, x)
    torch.jit.enable_onednn_fusion(True)
    with torch.no_grad():
        model = torch.jit.freeze(with_precision(torch.jit.trace, model, x))
        for _ in range(2):  # the first calls compile
            with_precision(model, x)
    return model


if how.jit:
    model = traced(model)


def step():
    if how.inference:
        with torch.no_grad():
            with_precision(model, x)
        return
    optimizer.zero_grad(set_to_none=True)
    F.cross_entropy(with_precision(model, x).float(), y).backward()
    optimizer.step()


step()
first = time.time() - start
times, end = [], time.time() + how.seconds
while time.time() < end or len(times) < 3:
    before = time.perf_counter()
    step()
    times.append(time.perf_counter() - before)
median = sorted(times)[(len(times) - 1) // 2]
print(json.dumps({'samples_per_s': how.batch / median, 'ms': 1e3 * median, 'first_step_s': first,
                  'peak_rss_mib': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
