"""What a worker starts in place of `robust-tuning fit`: the same options and files, no training.

The seed says what becomes of it: 0 ends well, 1 fails, 2 is killed once, 3 always, 4 stays until it
is asked to stop, 5 ends without a point, 6 is as 4 but takes long to save. A point is written for
each of four evaluations, and a run that is continued goes on behind its last one.
"""

import os
import signal
import sys
import time
from pathlib import Path

from robust_tuning.frontier import Estimate, append_point, read_points
from tests.frontier.test_point import make_point


def main(words: list[str]) -> int:
    options = dict(word.removeprefix("--").split("=") for word in words if "=" in word)
    folder = Path(words[words.index("--run") + 1])
    assert words[0] == "fit"
    assert words[words.index("--ckpt_path") + 1] == "last"
    seed, strategy = int(options["seed_everything"]), options["model.strategy"]
    print("began", strategy, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if seed == 6:
        signal.signal(signal.SIGTERM, lambda *_: print("saving", flush=True))
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    if seed == 5:
        return 0
    if seed == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    done = len(read_points(folder)) if (folder / "frontier.jsonl").exists() else 0
    for step in range(done, 4):
        correct = ((5 if strategy == "LoRA" else 2) - (seed == 4)) * (step + 1)
        append_point(
            folder,
            make_point(
                run=folder.name,
                strategy=strategy,
                seed=seed,
                step=step,
                accuracy=Estimate.of(correct, 20),
                robust_accuracy={"linf-1/255": Estimate.of(correct // 2, 20)},
            ),
        )
        if step == 1 and seed == 1:
            print("\x1b[31mloss is nan\x1b[0m")
            return 1
        if step == 1 and seed == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        if seed in (4, 6):
            time.sleep(1.0)
            if step == 3:
                time.sleep(60)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
