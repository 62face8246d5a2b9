"""Sweeps without a server: many runs of `robust-tuning fit` from one Weights & Biases sweep file.

The file says what there is to run (`file`, `parameters`, `command`); a storage of Optuna's holds
what has become of each run (`ledger`, `storage`); workers take one run at a time, each in a process
of its own (`worker`, `process`). Nothing here loads torch.
"""
