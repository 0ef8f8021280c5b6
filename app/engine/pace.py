"""How fast work is done, as measured."""

WEIGHT = 0.2  # of the newest batch


class Pace:
    """Seconds an item takes, smoothed over the recent batches; zero until one has run."""

    def __init__(self) -> None:
        self.seconds_per_item = 0.0

    def note(self, seconds: float, items: int) -> None:
        """Learn from a batch of `items` that took so long, waiting for its turn on the device included."""
        newest = seconds / items
        self.seconds_per_item += (newest - self.seconds_per_item) * (WEIGHT if self.seconds_per_item else 1)

    def wait(self, items: int) -> float:
        """Seconds that so many items are expected to take."""
        return items * self.seconds_per_item
