#!/usr/bin/python3
"""Makes optim.h5: ten updates of every optimiser by PyTorch in float64 (LARS and LAMB, which it lacks, as their papers
say), and the values of PyTorch's learning-rate schedules.

Weights and gradients come from the formula of make_lenet5.py, which tests/unit/optim/test_golden_optim.c has too. There are
five parameters (PARAMS): the fourth learns at a tenth of the rate and the last is frozen. Gradients do not depend on the
weights; they are sums over a batch of 16, whose mean is used.

    /update/CASE/PARAM  [3][n]  values after updates 1, 3 and 10, logical order; attribute fp32_error: as in lenet5.h5
    /schedule/CASE      [n][3]  epoch, learning rate, and the loss of the evaluation after it (0 where it does not matter);
                                attribute `epochs`: in all
"""
import math
import os
import sys

import h5py
import numpy as np
import torch

from make_lenet5 import draw, error

STEPS, KEPT, BATCH, LR = 10, (1, 3, 10), 16, 0.05
# name, shape (logical), size of the gradient's elements, factor of the learning rate; is it a layer's weight?
PARAMS = [("conv/weight", (3, 2, 2, 5), 0.5, 1.0, True), ("conv/bias", (5,), 0.02, 1.0, False),
          ("norm/scale", (19,), 2.0, 1.0, False), ("dense/weight", (4, 18), 0.1, 0.1, True),
          ("frozen/weight", (2, 3), 3.0, 0.0, True)]


def rate(step):
    return LR / (1 + step % 3)


# ---- LARS and LAMB, from the papers ----

class FromPaper(torch.optim.Optimizer):
    """One parameter a group; a group's `adapt`: whether it is a layer's weight."""

    def __init__(self, groups, **settings):
        super().__init__(groups, settings)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            w, = group["params"]
            self.update(w, w.grad, self.state[w], group)


class Lars(FromPaper):
    """You, Gitman, Ginsburg 2017, algorithm 1."""

    def update(self, w, g, state, group):
        decay, trust = group["weight_decay"], 1.0
        if group["adapt"]:
            trust = group["trust"] * w.norm() / (g.norm() + decay * w.norm())
        v = state.setdefault("v", torch.zeros_like(w))
        v.copy_(group["momentum"] * v + group["lr"] * trust * (g + decay * w))
        w.sub_(v)


class Lamb(FromPaper):
    """You et al. 2019, algorithm 2, with the identity for phi."""

    def update(self, w, g, state, group):
        b1, b2 = 0.9, 0.999
        m, v = (state.setdefault(name, torch.zeros_like(w)) for name in "mv")
        state["t"] = t = state.get("t", 0) + 1
        m.copy_(b1 * m + (1 - b1) * g)
        v.copy_(b2 * v + (1 - b2) * g * g)
        u = (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + group["eps"]) + group["weight_decay"] * w
        ratio = w.norm() / u.norm() if group["adapt"] else 1.0
        w.sub_(group["lr"] * ratio * u)


# ---- Updates ----

OPT = torch.optim
# make(groups), weight decay, whether it is left out of biases and normalisation, and what clips the gradients
CASES = {
    "sgd": (lambda g: OPT.SGD(g, LR), 0, False, None),
    "sgd_momentum": (lambda g: OPT.SGD(g, LR, momentum=0.9), 5e-4, False, None),
    "sgd_nesterov": (lambda g: OPT.SGD(g, LR, momentum=0.9, nesterov=True), 0.01, True, None),
    "adam": (lambda g: OPT.Adam(g, LR), 0, False, None),
    "adam_decay": (lambda g: OPT.Adam(g, LR, betas=(0.8, 0.95), eps=1e-6), 0.01, False, None),
    "adam_amsgrad": (lambda g: OPT.Adam(g, LR, betas=(0.9, 0.5), amsgrad=True), 0, False, None),
    "adamw": (lambda g: OPT.AdamW(g, LR), 0.01, False, None),
    "adamw_weights": (lambda g: OPT.AdamW(g, LR, amsgrad=True), 0.3, True, None),
    "rmsprop": (lambda g: OPT.RMSprop(g, LR), 0, False, None),
    "rmsprop_momentum": (lambda g: OPT.RMSprop(g, LR, alpha=0.9, momentum=0.8), 0.01, True, None),
    "rmsprop_centered": (lambda g: OPT.RMSprop(g, LR, alpha=0.8, centered=True), 0.01, False, None),
    "rmsprop_both": (lambda g: OPT.RMSprop(g, LR, eps=1e-3, momentum=0.5, centered=True), 0, False, None),
    "adagrad": (lambda g: OPT.Adagrad(g, LR), 0, False, None),
    "adagrad_decay": (lambda g: OPT.Adagrad(g, LR, lr_decay=0.1, initial_accumulator_value=0.2), 0.02, True, None),
    "lars": (lambda g: Lars(g, lr=LR, momentum=0.9, trust=1.0), 5e-4, False, None),
    "lars_weights": (lambda g: Lars(g, lr=LR, momentum=0.5, trust=0.02), 0.1, True, None),
    "lamb": (lambda g: Lamb(g, lr=LR, eps=1e-6), 0.01, False, None),
    "lamb_weights": (lambda g: Lamb(g, lr=LR, eps=1e-3), 0.2, True, None),
    "clip_norm": (lambda g: OPT.SGD(g, LR, momentum=0.9), 0, False, ("norm", 1.5)),
    "clip_norm_loose": (lambda g: OPT.SGD(g, LR, momentum=0.9), 0, False, ("norm", 1e4)),
    "clip_value": (lambda g: OPT.Adam(g, LR), 0.01, False, ("value", 0.3)),
    "clip_norm_lamb": (lambda g: Lamb(g, lr=LR, eps=1e-6), 0.01, False, ("norm", 0.7)),
}


def run_updates(case, dtype):
    make, decay, weights_only, clip = CASES[case]
    values = [torch.tensor(draw(100 + p, math.prod(s), 0.5).reshape(s), dtype=dtype, requires_grad=f > 0)
              for p, (_, s, _, f, _) in enumerate(PARAMS)]
    learning = [(v, *PARAMS[p][3:]) for p, v in enumerate(values) if v.requires_grad]
    optimizer = make([{"params": [v], "adapt": weight, "weight_decay": decay if weight or not weights_only else 0.0}
                      for v, _, weight in learning])
    kept = [[] for _ in PARAMS]
    for step in range(STEPS):
        for group, (_, factor, _) in zip(optimizer.param_groups, learning):
            group["lr"] = rate(step) * factor
        for p, (_, shape, size, factor, _) in enumerate(PARAMS):
            if factor:
                g = draw(1000 + 10 * step + p, math.prod(shape), size * BATCH).reshape(shape)
                values[p].grad = torch.tensor(g, dtype=dtype) / BATCH
        if clip and clip[0] == "norm":
            torch.nn.utils.clip_grad_norm_([v for v, _, _ in learning], clip[1])
        if clip and clip[0] == "value":
            torch.nn.utils.clip_grad_value_([v for v, _, _ in learning], clip[1])
        optimizer.step()
        if step + 1 in KEPT:
            for p, v in enumerate(values):
                kept[p].append(v.detach().numpy().reshape(-1).copy())
    return [np.stack(k) for k in kept]


def write_updates(f):
    for case in CASES:
        want, rough = run_updates(case, torch.float64), run_updates(case, torch.float32)
        for p, (name, *_) in enumerate(PARAMS):
            item = f.create_dataset(f"update/{case}/{name}", data=want[p], track_times=False)
            item.attrs["fp32_error"] = error(rough[p], want[p])
        worst = max(error(r, w) for r, w in zip(rough, want))
        print(f"{case}: fp32 error {worst:.2e}, moved by {np.abs(want[0][-1] - draw(100, 60, 0.5)).max():.3f}")


# ---- Schedules: (epochs in all, points) ----

SCHED = OPT.lr_scheduler


def by_epoch(make, epochs, rate=0.4):
    """A scheduler that is stepped once an epoch."""
    optimizer = OPT.SGD([torch.zeros(1, requires_grad=True)], rate)
    scheduler = make(optimizer)
    points = []
    for epoch in range(epochs + 1):
        points.append((epoch, optimizer.param_groups[0]["lr"], 0))
        optimizer.step()
        scheduler.step()
    return epochs, points


def restarts(first, multiply):
    optimizer = OPT.SGD([torch.zeros(1, requires_grad=True)], 0.4)
    scheduler = SCHED.CosineAnnealingWarmRestarts(optimizer, first, multiply, eta_min=0.01)
    points = []
    for i in range(160):
        scheduler.step(i / 8)
        points.append((i / 8, optimizer.param_groups[0]["lr"], 0))
    return 20, points


def one_cycle(steps, three_phase=False, **settings):
    """PyTorch's phases end a step early, at whole steps; here each phase is stretched over its share."""
    optimizer = OPT.SGD([torch.zeros(1, requires_grad=True)], 0.1, momentum=0.9)
    up = settings["pct_start"]
    scheduler = SCHED.OneCycleLR(optimizer, 0.4, total_steps=steps, three_phase=three_phase, **settings)
    ends = [up * steps - 1, 2 * up * steps - 2, steps - 1] if three_phase else [up * steps - 1, steps - 1]
    shares = [up, 2 * up, 1.0] if three_phase else [up, 1.0]
    points = []
    for i in range(steps):
        phase = next(k for k, end in enumerate(ends) if i <= end)
        begin, low = (ends[phase - 1], shares[phase - 1]) if phase else (0.0, 0.0)
        share = low + (shares[phase] - low) * (i - begin) / (ends[phase] - begin)
        points.append((12 * share, optimizer.param_groups[0]["lr"], 0))
        if i + 1 < steps:
            optimizer.step()
            scheduler.step()
    return 12, points


def plateau(**settings):
    """Losses fall, then waver; those of one epoch decide the rate of the next."""
    optimizer = OPT.SGD([torch.zeros(1, requires_grad=True)], 0.4)
    scheduler = SCHED.ReduceLROnPlateau(optimizer, eps=0, **settings)
    losses = 2.0 * np.exp(-np.arange(60) / 12) + 0.02 * draw(4000, 60, 1.0) + 1
    points = []
    for epoch, loss in enumerate(losses):
        points.append((epoch, optimizer.param_groups[0]["lr"], loss))
        scheduler.step(loss)
    return 60, points


def warmed(schedule, warmup):
    """Over the first epochs times their share: of schedules that start at a value."""
    epochs, points = schedule
    return epochs, [(epoch, rate * min(epoch / warmup, 1), loss) for epoch, rate, loss in points]


def behind(schedule, warmup, peak=0.4):
    """Up to the peak first: of schedules that go down from one."""
    epochs, points = schedule
    way = [(warmup * i / 8, peak * i / 8, 0) for i in range(8)]
    return epochs + warmup, way + [(epoch + warmup, rate, loss) for epoch, rate, loss in points]


SCHEDULES = {
    "constant_warm": lambda: warmed(by_epoch(lambda o: SCHED.ConstantLR(o, 1.0), 6), 4),
    "step_warm": lambda: warmed(by_epoch(lambda o: SCHED.StepLR(o, 3, 0.5), 12), 5),
    "multi_step_warm": lambda: warmed(by_epoch(lambda o: SCHED.MultiStepLR(o, [2, 3, 7]), 12), 2.5),
    "exponential_warm": lambda: warmed(by_epoch(lambda o: SCHED.ExponentialLR(o, 0.8), 12), 3),
    "plateau_warm": lambda: warmed(plateau(patience=1, factor=0.5), 7),
    "polynomial_warm": lambda: behind(by_epoch(lambda o: SCHED.PolynomialLR(o, 9, 2.5), 9), 2),
    "cosine_warm": lambda: behind(by_epoch(lambda o: SCHED.CosineAnnealingLR(o, 9, 0.03), 9), 3),
    "restarts_warm": lambda: behind(restarts(2, 2), 1.5),
    "step": lambda: by_epoch(lambda o: SCHED.StepLR(o, 3, 0.5), 12),
    "multi_step": lambda: by_epoch(lambda o: SCHED.MultiStepLR(o, [2, 3, 7]), 12),
    "exponential": lambda: by_epoch(lambda o: SCHED.ExponentialLR(o, 0.8), 12),
    "polynomial": lambda: by_epoch(lambda o: SCHED.PolynomialLR(o, 9, 2.5), 9),
    "cosine": lambda: by_epoch(lambda o: SCHED.CosineAnnealingLR(o, 9, 0.03), 9),
    "restarts": lambda: restarts(3, 1),
    "restarts_longer": lambda: restarts(2, 2),
    "one_cycle": lambda: one_cycle(40, pct_start=0.3),
    "one_cycle_linear": lambda: one_cycle(40, pct_start=0.25, anneal_strategy="linear", div_factor=10,
                                          final_div_factor=100),
    "one_cycle_three": lambda: one_cycle(40, three_phase=True, pct_start=0.25),
    "plateau": lambda: plateau(patience=2, factor=0.3, threshold=1e-2, cooldown=1),
    "plateau_floor": lambda: plateau(patience=0, factor=0.5, min_lr=0.02),
}


def write_schedules(f):
    for case, make in SCHEDULES.items():
        epochs, points = make()
        item = f.create_dataset(f"schedule/{case}", data=np.array(points, dtype=np.float64), track_times=False)
        item.attrs["epochs"] = float(epochs)
        print(f"{case}: {len(points)} points, {points[0][1]:.4g} to {points[-1][1]:.4g}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    with h5py.File(os.path.join(folder, "optim.h5"), "w", libver="earliest") as f:
        f.attrs["made_by"] = f"tests/golden/make_optim.py, PyTorch {torch.__version__}, NumPy {np.__version__}"
        write_updates(f)
        write_schedules(f)
