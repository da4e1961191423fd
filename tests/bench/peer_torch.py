#!/usr/bin/python3
"""Training-step rate of PyTorch on this machine, for comparison: the same network, batch and optimiser.

usage: peer_torch.py MODEL BATCH THREADS SECONDS      prints samples/s (the median step), the faster memory format
"""
import sys, time
import torch, torch.nn as nn, torch.nn.functional as F

name, batch, threads, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
torch.set_num_threads(threads)


def lenet5(act, pool):
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), act(), pool(2), nn.Conv2d(6, 16, 5), act(), pool(2), nn.Flatten(),
                         nn.Linear(400, 120), act(), nn.Linear(120, 84), act(), nn.Linear(84, 10)), (1, 28, 28), 10


models = {'lenet5': lambda: lenet5(nn.Tanh, nn.AvgPool2d), 'lenet5_relu': lambda: lenet5(nn.ReLU, nn.MaxPool2d)}


def rate(channels_last):
    torch.manual_seed(0)
    model, shape, classes = models[name]()
    x, y = torch.randn(batch, *shape), torch.randint(classes, (batch,))
    if channels_last:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    times, end = [], time.time() + seconds
    while time.time() < end or len(times) < 8:
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    times = sorted(times[3:])
    return batch / times[len(times) // 2]


print(f'{max(rate(False), rate(True)):.1f}')
