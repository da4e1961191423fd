#!/usr/bin/python3
"""Time to a test accuracy on Fashion-MNIST: convoy and PyTorch with the same network, recipe and threads, in turn.

usage: time_to_accuracy.py PROGRAM TRAIN.h5 TEST.h5 [--target 0.92] [--epochs 6] [--threads 2] [--rounds 1]

The network is configs/models/small_bn.yaml, the recipe configs/small-fashion.yaml with one leaf a batch (so that batch
normalisation sees the same samples on both sides); the learning rate's cosine ends after --epochs. TRAIN.h5 and TEST.h5
are what `convoy data pack` makes; PyTorch (python3-torch, python3-h5py) reads the same files.

Both evaluate after each epoch; the clock runs from the start of the process to the end of the first evaluation that
reaches the target, or of the last. FLOPs are those of the direct algorithm, 2 a multiply-add, whatever a side does in
their place: three passes for each training sample, one for each test sample.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
BATCH, PEAK, MOMENTUM, DECAY, WARMUP = 128, 0.1, 0.9, 5e-4, 1


def evaluations(path):
    """The (epoch, accuracy) of each complete line of metrics so far."""
    if not os.path.exists(path):
        return []
    with open(path) as f:
        lines = [json.loads(line) for line in f if line.endswith('\n') and '"kind":"eval"' in line]
    return [(line['epoch'], line['top1']) for line in lines]


def ours(a):
    """Seconds, epochs, accuracy."""
    with tempfile.TemporaryDirectory() as folder:
        settings = [f'data.train={os.path.abspath(a.train)}', f'data.test={os.path.abspath(a.test)}',
                    f'train.epochs={a.epochs}', f'train.leaf={BATCH}']
        command = [a.program, 'train', f'{ROOT}/configs/small-fashion.yaml', '--run', f'{folder}/run', '--threads',
                   str(a.threads), '--log-level', 'error']
        for setting in settings:
            command += ['--set', setting]
        start = time.time()
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        found = []
        while not any(accuracy >= a.target for _, accuracy in found):
            ended = run.poll() is not None  # asked first, so that nothing is written after the last look
            found = evaluations(f'{folder}/run/metrics.jsonl')
            if ended:
                break
            time.sleep(0.02)
        seconds = time.time() - start
        run.terminate()
        run.wait()
        if not found:
            sys.exit(f'convoy ended with code {run.returncode} and no evaluation')
        return (seconds, *found[-1])


def peer(a):
    """The same in PyTorch, in a process of its own, which prints it."""
    start = time.time()
    import h5py
    import math
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)

    with h5py.File(a.train) as train, h5py.File(a.test) as test:
        mean, std = float(train.attrs['mean'][0]), float(train.attrs['std'][0])
        x, tx = [(torch.from_numpy(f['x'][:]).permute(0, 3, 1, 2).float() - mean) / std for f in (train, test)]
        y, ty = [torch.from_numpy(f['y'][:]).long() for f in (train, test)]

    def unit(i, o):
        return [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU()]

    net = nn.Sequential(*unit(1, 16), *unit(16, 32), nn.MaxPool2d(2), *unit(32, 64), *unit(64, 64), nn.MaxPool2d(2),
                        *unit(64, 64), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                        nn.Linear(64, 10)).to(memory_format=torch.channels_last)
    for m in net:
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(m.weight, nonlinearity='relu')
    opt = torch.optim.SGD(net.parameters(), lr=PEAK, momentum=MOMENTUM, nesterov=True, weight_decay=DECAY)

    def rate(epoch):
        if epoch < WARMUP:
            return PEAK * epoch / WARMUP
        return PEAK * 0.5 * (1 + math.cos(math.pi * (epoch - WARMUP) / (a.epochs - WARMUP)))

    def step(take, epoch):
        flipped = torch.rand(len(take), 1, 1, 1) < 0.5
        batch = torch.where(flipped, x[take].flip(3), x[take]).contiguous(memory_format=torch.channels_last)
        for group in opt.param_groups:
            group['lr'] = rate(epoch)
        opt.zero_grad(set_to_none=True)
        F.cross_entropy(net(batch), y[take]).backward()
        opt.step()

    for epoch in range(a.epochs):
        net.train()
        order = torch.randperm(len(x))
        for first in range(0, len(x), BATCH):
            take = order[first:first + BATCH]
            step(take, epoch + (first + len(take) / 2) / len(x))
        net.eval()
        with torch.no_grad():
            right = sum(int((net(tx[i:i + 500]).argmax(1) == ty[i:i + 500]).sum()) for i in range(0, len(tx), 500))
        if right / len(tx) >= a.target:
            break
    print(json.dumps((time.time() - start, epoch + 1, right / len(tx))))


def theirs(a):
    return json.loads(subprocess.check_output(['/usr/bin/python3', __file__] + sys.argv[1:] + ['--peer']))


def asked(program, *words):
    return json.loads(subprocess.check_output([program, *words, '--json']))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('program')
    p.add_argument('train')
    p.add_argument('test')
    p.add_argument('--target', type=float, default=0.92)
    p.add_argument('--epochs', type=int, default=6)
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--rounds', type=int, default=1)
    p.add_argument('--peer', action='store_true', help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.epochs <= WARMUP:
        p.error(f'--epochs: more than the {WARMUP} of the warm-up')
    if a.peer:
        return peer(a)
    macs = asked(a.program, 'describe', f'{ROOT}/configs/models/small_bn.yaml')['macs']
    train, test = (asked(a.program, 'data', 'info', file)['samples'] for file in (a.train, a.test))
    flops = 2 * macs * (3 * train + test)  # of an epoch
    print(f'to {100 * a.target:.1f} % on {a.threads} threads, {a.epochs} epochs planned\n')
    print('| | seconds | epochs | accuracy | TFLOP | |\n|---|---|---|---|---|---|', flush=True)
    for _ in range(a.rounds):
        for name, side in (('convoy', ours), ('PyTorch', theirs)):
            seconds, epochs, accuracy = side(a)
            missed = '' if accuracy >= a.target else 'not reached'
            print(f'| {name} | {seconds:.1f} | {epochs} | {100 * accuracy:.2f} % | {epochs * flops / 1e12:.1f} | {missed} |',
                  flush=True)


main()
