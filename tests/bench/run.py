#!/usr/bin/python3
"""`make bench`: convoy beside PyTorch on this machine, written to tests/bench/RESULTS.md.

usage: run.py PROGRAM [--rows "lenet5 resnet50* …"] [--rounds N] [--threads T]

A row is a network and what is done with it. Both sides run alone, in turn; figures are medians of the rounds, ratios
are medians of the pairs. PyTorch keeps its pages (peer_torch.py) and runs in four ways, either memory format, eager or
traced: the first round tries all, the two fastest run in every round, and the faster of these is the peer. Rows can be
measured one by one: what they gave is kept in results.json, and the table is written anew from all that was measured on
this kind of processor.
"""
import argparse
import datetime
import fnmatch
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = f'{HERE}/results.json'
MODELS = os.path.join(HERE, '../../configs/models')
PYTHON = '/usr/bin/python3'

# name, model, batch, options of both sides, ratio wanted
ROWS = [
    ('lenet5', 'lenet5', 64, [], 6),
    ('lenet5_relu', 'lenet5_relu', 64, [], 6),
    ('resnet20', 'resnet20', 128, [], 2.1),
    ('alexnet', 'alexnet', 64, [], 2.4),
    ('resnet50', 'resnet50', 16, [], 1.9),
    ('vgg16', 'vgg16', 8, [], 3.6),
    ('resnet20:bf16', 'resnet20', 128, ['bf16'], 2.2),
    ('resnet50:bf16', 'resnet50', 16, ['bf16'], 1.8),
    ('vgg16:bf16', 'vgg16', 8, ['bf16'], 2.5),
    ('alexnet:bf16', 'alexnet', 64, ['bf16'], 1.8),
    ('resnet50:inference-1', 'resnet50', 1, ['inference'], 1.5),
    ('resnet50:inference-32', 'resnet50', 32, ['inference'], 1.5),
    ('mobilenet_v2:inference-1', 'mobilenet_v2', 1, ['inference'], 1.5),
    ('mobilenet_v2:inference-32', 'mobilenet_v2', 32, ['inference'], 1.5),
    ('vgg16:inference-8', 'vgg16', 8, ['inference'], 1.5),
]
WITH_TILES = {'resnet50:bf16': 3, 'vgg16:bf16': 3, 'alexnet:bf16': 2}  # wanted where the processor has AMX
WAYS = {'nchw': [], 'nhwc': ['--nhwc'], 'nchw traced': ['--jit'], 'nhwc traced': ['--nhwc', '--jit']}
THREADS_ROW = 'resnet50:threads'  # two threads against one, without the peer
MORE_ROUNDS = {'lenet5': 3, 'lenet5_relu': 3}  # steps so short suffer most from the host's other guests
CONTRACTIONS = ('conv', 'conv_transpose', 'dense')


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f'exit {done.returncode}')
    return json.loads(done.stdout)


def convoy(how, model, batch, options, threads):
    command = [how.program, 'bench', f'{MODELS}/{model}.yaml', '--batch', str(batch), '--threads', str(threads),
               '--time', f'{how.seconds}s', '--json', '--precision', 'bf16' if 'bf16' in options else 'fp32']
    return run(command + ['--inference'] * ('inference' in options))


def peer(how, model, batch, options, way):
    command = [PYTHON, f'{HERE}/peer_torch.py', model, str(batch), '--threads', str(how.threads), '--seconds',
               str(how.seconds)]
    return run(command + [f'--{o}' for o in options] + WAYS[way])


def fastest(measured, count):
    """Names of the `count` ways whose medians are highest."""
    return sorted(measured, key=lambda way: -median(measured[way], 'samples_per_s'))[:count]


def median(results, key):
    return statistics.median(r[key] for r in results)


def share_of_the_rest(layers):
    """Of a step's time, what is no contraction."""
    of = lambda chosen: sum(l['ms'] for l in layers if chosen(l))
    return of(lambda l: l['op'] not in CONTRACTIONS) / of(lambda l: True)


def measure(how, model, batch, options):
    rounds, ours, ways = how.rounds * MORE_ROUNDS.get(model, 1), [], {way: [] for way in WAYS}
    for r in range(rounds):
        ours.append(convoy(how, model, batch, options, how.threads)['step'])
        for way in WAYS if r == 0 else fastest({w: ways[w][:1] for w in WAYS}, 2):
            ways[way].append(peer(how, model, batch, options, way))
    way, = fastest({w: found for w, found in ways.items() if len(found) == rounds}, 1)
    theirs = ways[way]
    ratios = sorted(o['samples_per_s'] / t['samples_per_s'] for o, t in zip(ours, theirs))
    detail = convoy(how, model, batch, options, how.threads)
    return {'rounds': rounds, 'ours': median(ours, 'samples_per_s'), 'theirs': median(theirs, 'samples_per_s'), 'way': way,
            'ratio': statistics.median(ratios), 'least': ratios[0], 'most': ratios[-1],
            'rss': median(ours, 'peak_rss_mib'), 'their_rss': median(theirs, 'peak_rss_mib'),
            'first': median(ours, 'first_step_s'), 'their_first': median(theirs, 'first_step_s'),
            'rest': share_of_the_rest(detail['layers']), 'fma': detail['machine']['fma_gflops'],
            'triad': detail['machine']['triad_gbs']}


def measure_threads(how):
    pairs = [[convoy(how, 'resnet50', 16, [], t)['step']['samples_per_s'] for t in (1, 2)] for _ in range(how.rounds)]
    return {'one': statistics.median(p[0] for p in pairs), 'two': statistics.median(p[1] for p in pairs),
            'ratio': statistics.median(p[1] / p[0] for p in pairs)}


# ---- the file ----

def line(*cells):
    return '| ' + ' | '.join(cells) + ' |\n'


def number(x):
    return f'{x:,.0f}' if x >= 100 else f'{x:.2f}'


def step_table(kept, rows):
    text = line('row', 'batch', 'convoy', 'PyTorch', 'run as', 'ratio', 'least to most', 'goal', 'no contraction',
                'GFLOP/s peak', 'GB/s triad', 'rounds', 'commit')
    text += '|' + '---|' * 13 + '\n'
    for name, _, batch, _, goal in rows:
        if name not in kept:
            continue
        r = kept[name]
        if 'error' in r:
            text += line(name, str(batch), f'not measured: {r["error"]}', '', '', '', '', f'{goal}', '', '', '', '', r['commit'])
            continue
        goal = WITH_TILES.get(name, goal) if has_tiles() else goal
        text += line(name, str(batch), number(r['ours']), number(r['theirs']), r['way'], f'{r["ratio"]:.2f}',
                     f'{r["least"]:.2f} to {r["most"]:.2f}', f'{goal}', f'{100 * r["rest"]:.0f} %', f'{r["fma"]:.0f}', f'{r["triad"]:.0f}', str(r['rounds']), r['commit'])
    if not has_tiles():
        text += ('\nWhere the processor has tiles (AMX), which this one lacks, more is wanted: '
                 + ', '.join(f'{name} {goal}' for name, goal in WITH_TILES.items()) + '. That is open.\n')
    return text


def memory_table(kept):
    text = line('row', 'convoy MiB', 'PyTorch MiB', 'ratio', 'convoy first step s', 'PyTorch first step s') + '|' + '---|' * 6 + '\n'
    for name, *_ in ROWS:
        r = kept.get(name, {'error': ''})
        if 'error' not in r:
            text += line(name, number(r['rss']), number(r['their_rss']), f'{r["rss"] / r["their_rss"]:.2f}',
                         f'{r["first"]:.3f}', f'{r["their_first"]:.2f}')
    return text


def words(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True).stdout.strip()


def processor():
    return next((l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name')), 'unknown')


def has_tiles():
    return any('amx_bf16' in l for l in open('/proc/cpuinfo') if l.startswith('flags'))


def heading(how):
    torch = words([PYTHON, '-c', 'import torch; print(torch.__version__)'])
    version = words([how.program, '--version'])
    return (f'# Convoy beside PyTorch\n\nWritten by `make bench` on {datetime.date.today()}: {processor()}, {os.cpu_count()} processors; '
            f'{version}, PyTorch {torch}.\n\n'
            f'Samples/s with {how.threads} threads; both sides run alone and in turn, medians of the rounds, the ratio pair by '
            'pair; SGD with momentum 0.9, softmax cross-entropy, random inputs. PyTorch as it is run well: glibc keeps its '
            'pages (`MALLOC_TRIM_THRESHOLD_` and the like; jemalloc and tcmalloc do no better), and of either memory format, '
            'eager or traced (in inference frozen, fused by oneDNN), the fastest. Figures before December 2026 were against '
            "glibc's defaults, under which PyTorch pays for page faults in every step: they flattered us by a quarter to a "
            'half. "no contraction" is the share of our step that is neither convolution nor dense layer; the peaks were '
            'measured in the same runs. A row was measured at its commit.\n\n')


def write(how, kept):
    text = heading(how) + '## Steps\n\n' + step_table(kept, ROWS) + '\n## Memory and start\n\n' + memory_table(kept)
    if THREADS_ROW in kept and 'error' not in kept[THREADS_ROW]:
        t = kept[THREADS_ROW]
        text += (f'\n## Threads\n\nResNet-50, batch 16: {t["one"]:.2f} samples/s on one thread, {t["two"]:.2f} on two: '
                 f'{t["ratio"]:.2f} × (goal 1.9; commit {t["commit"]}).\n')
    with open(f'{HERE}/RESULTS.md', 'w') as out:
        out.write(text)
    return text


def chosen(names, name):
    return not names or any(fnmatch.fnmatch(name, n) for n in names)


def attempt(how, kept, name, fn):
    print(f'  {name} …', file=sys.stderr, flush=True)
    try:
        kept[name] = fn()
    except RuntimeError as error:
        kept[name] = {'error': str(error)}
    kept[name]['commit'] = words(['git', '-C', HERE, 'rev-parse', '--short', 'HEAD'])
    if 'ratio' in kept[name]:
        print(f'  {name}: {kept[name]["ratio"]:.2f} ×', file=sys.stderr, flush=True)
    with open(KEPT, 'w') as out:  # after each row: a call may be cut short
        json.dump({'processor': processor(), 'rows': kept}, out, indent=1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('program')
    parser.add_argument('--rows', default='', help='names, or patterns of them; all without it')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=3, help='of a measurement')
    parser.add_argument('--threads', type=int, default=min(2, os.cpu_count()))
    how = parser.parse_args()
    if not words([PYTHON, '-c', 'import torch, torchvision; print(1)']):
        sys.exit('no peer to compare with: apt-get install python3-torch python3-torchvision')
    names = how.rows.split()
    unknown = [n for n in names if not any(chosen([n], r) for r in [r[0] for r in ROWS] + [THREADS_ROW])]
    if unknown:
        sys.exit(f'no row "{unknown[0]}"; rows: {" ".join([r[0] for r in ROWS] + [THREADS_ROW])}')
    before = json.load(open(KEPT)) if os.path.exists(KEPT) else {'processor': None}
    kept = before['rows'] if before['processor'] == processor() else {}
    kept = {name: r for name, r in kept.items() if 'way' in r or 'error' in r or name == THREADS_ROW}  # not of older forms
    for name, model, batch, options, _ in ROWS:
        if chosen(names, name):
            attempt(how, kept, name, lambda: measure(how, model, batch, options))
    if chosen(names, THREADS_ROW):
        attempt(how, kept, THREADS_ROW, lambda: measure_threads(how))
    print(write(how, kept))


main()
