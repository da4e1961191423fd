#!/usr/bin/python3
"""Time to a test accuracy on Fashion-MNIST: convoy and PyTorch with the same network, recipe and threads, in turn.

usage: time_to_accuracy.py PROGRAM [--target 0.92] [--epochs 6] [--threads 2] [--rounds 1]

The network is configs/models/small_bn.yaml, the recipe configs/small-fashion.yaml with one leaf a batch (so that batch
normalisation sees the same samples on both sides). Both evaluate after each epoch; the clock runs from the start of
the process to the end of the first evaluation that reaches the target. FLOPs: 2 a multiply-add, three passes.
"""
import argparse, gzip, json, os, subprocess, sys, tempfile, time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
BATCH, MEAN, STD = 128, 72.9404, 90.0212  # of the training images, as `convoy data info` has them
PEAK, MOMENTUM, DECAY, WARMUP = 0.1, 0.9, 5e-4, 1


def ours(a):
    """Seconds, epochs and the accuracy; None where the target was missed."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.time()
        run = subprocess.Popen(
            [a.program, 'train', f'{ROOT}/configs/small-fashion.yaml', '--run', f'{folder}/run', '--threads', str(a.threads), '--set',
             f'train.epochs={a.epochs}', '--set', f'train.leaf={BATCH}', '--log-level', 'error'], stdout=subprocess.DEVNULL)
        found, seen = None, 0
        while found is None and (run.poll() is None or seen == 0):
            time.sleep(0.05)
            path = f'{folder}/run/metrics.jsonl'
            lines = [json.loads(line) for line in open(path) if '"eval"' in line and line.endswith('\n')] if os.path.exists(path) else []
            for line in lines[seen:]:
                if found is None and line['top1'] >= a.target:
                    found = (time.time() - start, line['epoch'], line['top1'])
            seen = max(seen, len(lines))
            if run.poll() is not None and not lines: break
        run.terminate()
        run.wait()
        return found


def peer(a):
    """The same in PyTorch, as a process of its own; prints what `ours` returns."""
    start = time.time()
    import numpy, torch, torch.nn as nn, torch.nn.functional as F
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)

    def idx(name, head):
        with gzip.open(os.path.join(a.data, name)) as f:
            return torch.from_numpy(numpy.frombuffer(f.read(), numpy.uint8, offset=head).copy())

    def images(name):
        return ((idx(name, 16).float() - MEAN) / STD).view(-1, 1, 28, 28)

    x, y = images('train-images-idx3-ubyte.gz'), idx('train-labels-idx1-ubyte.gz', 8).long()
    tx, ty = images('t10k-images-idx3-ubyte.gz'), idx('t10k-labels-idx1-ubyte.gz', 8).long()

    def unit(i, o):
        return [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU()]

    net = nn.Sequential(*unit(1, 16), *unit(16, 32), nn.MaxPool2d(2), *unit(32, 64), *unit(64, 64), nn.MaxPool2d(2), *unit(64, 64),
                        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)).to(memory_format=torch.channels_last)
    for m in net:
        if isinstance(m, (nn.Conv2d, nn.Linear)): nn.init.kaiming_normal_(m.weight, nonlinearity='relu')
    opt = torch.optim.SGD(net.parameters(), lr=PEAK, momentum=MOMENTUM, nesterov=True, weight_decay=DECAY)

    def rate(epoch):
        if epoch < WARMUP: return PEAK * epoch / WARMUP
        return PEAK * 0.5 * (1 + numpy.cos(numpy.pi * (epoch - WARMUP) / (a.epochs - WARMUP)))

    for epoch in range(a.epochs):
        net.train()
        order = torch.randperm(len(x))
        for first in range(0, len(x), BATCH):
            take = order[first:first + BATCH]
            batch, n = x[take], len(take)
            batch = torch.where(torch.rand(n, 1, 1, 1) < 0.5, batch.flip(3), batch)
            for group in opt.param_groups: group['lr'] = rate(epoch + (first + n / 2) / len(x))
            opt.zero_grad(set_to_none=True)
            F.cross_entropy(net(batch.contiguous(memory_format=torch.channels_last)), y[take]).backward()
            opt.step()
        net.eval()
        with torch.no_grad():
            right = sum(int((net(tx[i:i + 500]).argmax(1) == ty[i:i + 500]).sum()) for i in range(0, len(tx), 500))
        if right / len(tx) >= a.target:
            print(json.dumps((time.time() - start, epoch + 1, right / len(tx))))
            return
    print('null')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('program')
    p.add_argument('--target', type=float, default=0.92)
    p.add_argument('--epochs', type=int, default=6)
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--rounds', type=int, default=1)
    p.add_argument('--data', default='/usr/share/datasets/fashion-mnist')
    p.add_argument('--peer', action='store_true', help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.peer: return peer(a)
    macs = json.loads(subprocess.check_output([a.program, 'describe', f'{ROOT}/configs/models/small_bn.yaml', '--json']))['macs']
    print(f'to {100 * a.target:.1f} % on {a.threads} threads, {a.epochs} epochs planned\n\n| | seconds | epochs | accuracy | TFLOP |\n|---|---|---|---|---|')
    for _ in range(a.rounds):
        theirs = json.loads(subprocess.check_output([sys.executable, __file__] + sys.argv[1:] + ['--peer']))
        for name, got in (('convoy', ours(a)), ('PyTorch', theirs)):
            if got is None: print(f'| {name} | not reached | | | |', flush=True)
            else: print(f'| {name} | {got[0]:.1f} | {got[1]} | {100 * got[2]:.2f} % | {got[1] * 60000 * macs * 6e-12:.1f} |', flush=True)


main()
