import numpy as np
import torch

from tools.networks import clip_input
from tools.prompts import label_vectors, prompts_by_label
from training.domain import AUGMENTATION, INPUT, as_input, train
from training.domain_pictures import SIZE, Part, Sampler, stained
from training.loop import seed_all


def made(label: str, colour: tuple[int, int, int], number: int) -> Part:
    noise = np.random.default_rng(len(label)).integers(-20, 20, (number, SIZE, SIZE, 3))
    pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
    names = np.arange(number).astype(str)
    return Part(pixels, np.full(number, label), np.full(number, label), names)


def test_a_few_steps_bring_pictures_nearer_to_their_words() -> None:
    seed_all(0)
    parts = [made("fundus", (200, 90, 30), 12), made("xray/chest", (90, 90, 90), 12), made("food", (40, 160, 60), 12)]
    learn = Part(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("pixels", "labels", "sets", "patients")))
    drawings = made("noise", (250, 250, 250), 8)
    tower, scale = train(Sampler(learn, drawings), steps=6, batch=12, limit_s=60)
    assert 1 < scale <= 100
    x = torch.from_numpy(as_input(learn.pixels[:2])).permute(0, 3, 1, 2).float() / 255
    out = tower(clip_input(x))
    assert out.shape == (2, INPUT["dimensions"])
    assert bool(torch.isfinite(out).all())


def test_a_batch_names_rows_of_the_prompts() -> None:
    sampler = Sampler(made("histopathology", (220, 150, 200), 6), made("page", (255, 255, 255), 4))
    pixels, rows = sampler.batch(24)
    names = list(prompts_by_label())
    assert pixels.shape == (24, SIZE, SIZE, 3)
    assert {names[row] for row in rows} <= {"histopathology", "page", "photograph"}
    assert label_vectors(prompts_by_label(), {}).shape == (len(names), 384)


def test_another_stain_keeps_white_white() -> None:
    white = np.full((4, 4, 3), 255, dtype=np.uint8)
    assert stained(np.random.default_rng(0), white).min() == 255
    assert AUGMENTATION.jpeg > 0
