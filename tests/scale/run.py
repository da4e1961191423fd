#!/usr/bin/python3
"""make scale: our communication on simulated nodes, by SimGrid's SMPI; prints SCALE.md's tables as they come.

  tests/scale/run.py PROGRAM [PART…]           parts: digest scaling strong algorithms buckets noise; else all of them
  tests/scale/run.py workload NAME BENCH.json DESCRIBE.json      makes workloads/NAME.txt of what bench and describe print
"""
import json, os, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))

# ---- Networks: what a link carries and takes, what sender and receiver do for a message, and SimGrid's words for it ----

FAT_TREES = {2: "1;2;1;1", 4: "1;4;1;1", 8: "1;8;1;1", 16: "1;16;1;1", 32: "2;8,4;1,8;1,1", 64: "2;8,8;1,8;1,1",
             100: "2;10,10;1,10;1,1", 128: "2;16,8;1,16;1,1", 256: "2;16,16;1,16;1,1", 512: "3;8,8,8;1,8,8;1,1,1",
             1024: "3;16,8,8;1,8,8;1,1,1"}
DRAGONFLIES = {64: "4,4;4,2;2,1;2", 256: "8,4;4,2;4,1;2", 1024: "8,4;8,2;8,1;2"}  # links between groups, chassis, routers


def cluster(nodes, rate, latency, shape):
    return (f'<?xml version="1.0"?><!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd"><platform version="4.1">'
            f'<cluster id="c" prefix="n" suffix="" radical="0-{nodes - 1}" speed="1Gf" bw="{rate}Bps" lat="{latency}s" '
            f'{shape}/></platform>')


# name: (bytes a second, seconds of a link, seconds that sender and receiver each take for a message, alpha, shape)
NETWORKS = {
    "fat tree": (12.5e9, 0.25e-6, 0.5e-6, 2.5e-6, lambda n: f'topology="FAT_TREE" topo_parameters="{FAT_TREES[n]}"'),
    "dragonfly": (12.5e9, 0.25e-6, 0.5e-6, 2.5e-6, lambda n: f'topology="DRAGONFLY" topo_parameters="{DRAGONFLIES[n]}"'),
    "Ethernet": (1.25e9, 9e-6, 6e-6, 30e-6, lambda n: ""),
}


class Simulator:
    def __init__(self, program):
        self.program, self.folder = program, tempfile.mkdtemp(prefix="convoy-scale.")

    def run(self, nodes, network, *words, **options):
        rate, latency, handled, alpha, shape = NETWORKS[network]
        platform, hosts = f"{self.folder}/platform.xml", f"{self.folder}/hosts"
        open(platform, "w").write(cluster(nodes, rate, latency, shape(nodes)))
        open(hosts, "w").write("".join(f"n{i}\n" for i in range(nodes)))
        options = {"alpha": alpha, "rate": rate, **options}
        command = ["smpirun", "-np", str(nodes), "-platform", platform, "-hostfile", hosts,
                   "--cfg=smpi/simulate-computation:no", "--cfg=smpi/host-speed:1Gf", "--cfg=smpi/test:2e-6",
                   "--cfg=smpi/grow-injected-times:no", "--cfg=smpi/bw-factor:0:1", "--cfg=smpi/lat-factor:0:1",
                   f"--cfg=smpi/os:0:{handled}:0", f"--cfg=smpi/ois:0:{handled}:0", f"--cfg=smpi/or:0:{handled}:0",
                   "--cfg=smpi/shared-malloc-blocksize:134217728", "--cfg=network/TCP-gamma:1e12",
                   "--cfg=network/weight-S:0", "--log=root.thres:critical", self.program, *words,
                   *(f"{k}={v}" for k, v in options.items())]
        start = time.time()
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder,
                              env={**os.environ, "TMPDIR": "/dev/shm"})  # SimGrid populates what ranks share
        lines = [l for l in done.stdout.splitlines() if l and l[0].isdigit()]
        if done.returncode or not lines:
            sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return lines[-1].split(), time.time() - start


# ---- Workloads ----

def workload(name, bench, describe):
    """Of each layer backward, in proportion to its fastest times, and its parameters, which lie in the order of layers."""
    bench, layers = json.load(open(bench)), json.load(open(describe))["layers"]
    step, times, place = bench["step"], {}, 0
    for row in bench["layers"]:
        if row["pass"].startswith("backward") or row["pass"] == "copies":
            times[row["name"]] = times.get(row["name"], 0) + row["ms"]
    spans = []
    for layer in layers:
        count = -(-layer["params"] // 16) * 16
        spans.append((layer["name"], place, count))
        place += count
    scale = step["backward_ms"] / sum(times.values()) / 1e3
    with open(f"{HERE}/workloads/{name}.txt", "w") as out:
        out.write(f"# {name}: steps of {step['batch']} samples with {step['threads']} threads, by convoy bench\n")
        out.write(f"floats {place} before {(step['forward_ms'] + step['other_ms']) / 1e3:.6g} "
                  f"update {step['update_ms'] / 1e3:.6g} samples {step['batch']}\n")
        for layer, first, count in reversed(spans):
            out.write(f"{scale * times.get(layer, 0):.6g} {first} {count}\n")


def path(name):
    return f"{HERE}/workloads/{name}.txt"


def row(*cells):
    print("| " + " | ".join(str(c) for c in cells) + " |", flush=True)


def head(*cells):
    print()
    row(*cells)
    row(*("---" for _ in cells))


def percent(text):
    return f"{100 * float(text):.1f} %"


def step_row(first, r, seconds):
    nodes, reduction, mib, buckets, step, exposed, efficiency, plan, off, messages = r
    row(*first, nodes, reduction, mib, buckets, f"{float(step):.3f}", f"{float(exposed):.3f}", percent(efficiency),
        f"{float(plan):.3f}", percent(off), messages, f"{seconds:.0f}")


STEP_HEAD = ("nodes", "summed by", "MiB", "buckets", "step ms", "exposed ms", "efficiency", "plan ms", "plan off by",
             "messages", "s to simulate")

# ---- Parts ----

def digest(sim):
    print("\nThe sum of 200 leaves of 50,000 floats, a digest of its bits:")
    head("ranks", "summed by", "digest")
    found = set()
    for nodes in (2, 16, 64, 100):
        for reduction in ("direct", "halving", "bruck"):
            if reduction == "halving" and nodes & (nodes - 1) or reduction == "direct" and nodes > 32:
                continue
            r, _ = sim.run(nodes, "fat tree", "digest", reduction=reduction)
            row(*r)
            found.add(r[2])
    if len(found) != 1:
        sys.exit("the digests differ")


def scaling(sim, names=("lenet5", "resnet50", "vgg16", "cosmoflow"), speeds=(1, 16)):
    for network, counts in (("fat tree", (2, 16, 64, 256, 1024)), ("dragonfly", (64, 256, 1024)),
                            ("Ethernet", (2, 16, 64, 256))):
        print(f"\n{network}:")
        head("network", "speed", *STEP_HEAD)
        for name in names:
            for speed in speeds:
                for nodes in counts:  # direct's flows, W² at once, take SimGrid hours from some tens of nodes on
                    way = {"reduction": "halving"} if nodes > 32 else {}
                    step_row((name, speed), *sim.run(nodes, network, path(name), speed=speed, **way))


def strong(sim):
    print("\nVGG-A, a batch of 512 on 128 nodes, 4 samples each, fat tree:")
    head("network", "speed", *STEP_HEAD)
    for speed in (1, 4, 16):
        step_row(("vgg11", speed), *sim.run(128, "fat tree", path("vgg11"), speed=speed, reduction="halving", mib=32))


def algorithms(sim):
    print("\nEach algorithm, fat tree, nodes 16 times as fast as the one that was measured:")
    head("network", *STEP_HEAD)
    for name in ("lenet5", "resnet50"):
        for nodes in (16, 64, 256):
            for reduction in ("direct", "halving", "bruck") if nodes < 64 else ("halving", "bruck"):
                step_row((name,), *sim.run(nodes, "fat tree", path(name), speed=16, reduction=reduction))


def buckets(sim):
    print("\nBuckets of several sizes, 64 nodes, fat tree and 10 Gbit/s Ethernet, 16 times as fast:")
    head("network", "links", *STEP_HEAD)
    for name in ("resnet50", "vgg16"):
        for network in ("fat tree", "Ethernet"):
            for mib in (1, 4, 16, 64):
                step_row((name, network), *sim.run(64, network, path(name), speed=16, mib=mib, reduction="halving"))


def noise(sim):
    print("\nEach rank's step takes normally distributed longer or shorter, fat tree, 16 times as fast (the plan knows none):")
    head("network", "noise", *STEP_HEAD)
    for share in (0, 0.01, 0.03):
        for nodes in (64, 256):
            step_row(("resnet50", percent(share)), *sim.run(nodes, "fat tree", path("resnet50"), speed=16, noise=share, steps=4,
                                                             reduction="halving"))


PARTS = {f.__name__: f for f in (digest, scaling, strong, algorithms, buckets, noise)}

if __name__ == "__main__":
    if sys.argv[1] == "workload":
        workload(*sys.argv[2:])
    else:
        simulator = Simulator(os.path.abspath(sys.argv[1]))
        for part in sys.argv[2:] or PARTS:
            PARTS[part](simulator)
