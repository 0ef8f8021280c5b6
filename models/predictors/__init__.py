"""From a picture to an answer, in three steps: prepare, forward, finish."""
