import numpy as np

from training.calibrate import decision_band, fit_logistic


def test_calibration_finds_the_map_and_its_doubt() -> None:
    draw = np.random.default_rng(1)
    score = draw.normal(0, 2, 4000)
    truth = draw.random(4000) < 1 / (1 + np.exp(-(1.5 * score - 0.5)))
    found = fit_logistic(score, truth, np.ones(4000), list(np.arange(4000).astype(str)), rounds=30)
    assert abs(found.slope - 1.5) < 0.2
    assert abs(found.offset + 0.5) < 0.2
    assert 0 < found.slope_variance < 0.05


def test_the_decision_band_keeps_to_the_risk() -> None:
    draw = np.random.default_rng(2)
    p = draw.random(5000)
    truth = draw.random(5000) < p
    absent, present = decision_band(p, truth, np.ones(5000), risk=0.1)
    assert absent is not None
    assert present is not None
    assert truth[p < absent].mean() <= 0.1
    assert (~truth[p >= present]).mean() <= 0.1
    assert decision_band(draw.random(50), draw.random(50) < 0.5, np.ones(50), risk=0.01) == (None, None)
