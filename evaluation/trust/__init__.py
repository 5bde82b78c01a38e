"""The trust report: privacy, robustness, reliability, explanations and fairness of every model that has a card."""
