"""Files of cases: a group a case, what PyTorch computes in float64 stored rounded to float32, with PyTorch's own float32
error as the attribute `fp32_error`. Used by the make_….py of single layers and losses."""
import json
import os
import sys

import h5py
import numpy as np
import torch


def error(a, b):
    largest = np.abs(b).max()
    return np.abs(a.astype(np.float64) - b).max() / largest if largest else 0.0


def write_cases(name, cases):
    """Writes NAME into the folder of the command line, else into this one.

    cases: (op, settings, attributes, run), attributes also holding data sets as arrays of more than one dimension;
    run(dtype, rate) gives name -> array, and the rate of its ten updates (steps.py), which it chooses where rate is None.
    """
    torch.set_num_threads(1)
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(folder, name)
    script = os.path.basename(sys.argv[0])
    with h5py.File(path, "w", libver="earliest") as f:
        f.attrs["made_by"] = f"tests/golden/{script}, PyTorch {torch.__version__}, NumPy {np.__version__}"
        for i, (op, settings, attributes, run) in enumerate(cases):
            want, rate = run(torch.float64, None)
            rough, _ = run(torch.float32, rate)
            group = f.create_group(f"{i:02}")
            group.attrs.update(op=op, settings=json.dumps(settings), rate=rate)
            for key, value in attributes.items():
                if np.ndim(value) > 1:
                    group.create_dataset(key, data=value, track_times=False)
                else:
                    group.attrs[key] = value
            for key, value in want.items():
                item = group.create_dataset(key, data=value.astype(np.float32), track_times=False)
                item.attrs["fp32_error"] = error(rough[key], value)
        print(path, len(f), "cases")
