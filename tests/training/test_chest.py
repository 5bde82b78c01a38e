import numpy as np

from evaluation.measure import auroc
from training.chest import scores, train_tower
from training.loop import seed_all


def test_a_few_steps_learn_a_bright_spot() -> None:
    seed_all(0)
    draw = np.random.default_rng(0)
    pixels = draw.integers(60, 120, (80, 48, 48), dtype=np.uint8)
    truth = np.arange(80) % 2 == 0
    for k in np.flatnonzero(truth):
        y, x = draw.integers(8, 28, 2)
        pixels[k, y : y + 14, x : x + 14] = 240
    network = train_tower(pixels[:60], truth[:60].astype(np.float32)[:, None], steps=25, batch=16, limit_s=60)
    assert auroc(truth[60:], scores([network], pixels[60:])[:, 0]) > 0.9
