"""How long to wait before trying again, and when to give up."""

import math
import random
from collections.abc import Callable

from exchange_setup.graph.answers import MAYBE_DONE, Answer
from exchange_setup.graph.errors import RunError, Throttled, Unreachable

LONGEST = 60.0  # seconds that one request may wait in all
MOST_TRIES = 8
FEWER_TRIES = 3  # where the server says nothing, or fails without saying for how long
SLICE = 5.0

BUSY = {423, 424, 429, 503, 509}


def pause(seconds: float, wait: Callable[[float], object]) -> None:
    """Wait in slices, so that whoever waits can show a heartbeat or be cancelled (by raising)."""
    while seconds > 0:
        wait(min(SLICE, seconds))
        seconds -= SLICE


class Patience:
    """What one request has left: each failure asks it for the pause before the next try, and it raises at the end.

    `in_doubt`: one of the tries may have been carried out. What is raised says so too.
    """

    def __init__(self) -> None:
        self.tries = 0
        self.waited = 0.0
        self.in_doubt = False

    def after_lost(self, give_up: RunError, *, sent: bool) -> float:
        """Seconds to wait after no answer, or half of one. Raises `give_up`."""
        self.in_doubt |= sent
        return self._next(None, give_up, FEWER_TRIES)

    def after(self, answers: list[Answer]) -> float:
        """Seconds to wait after answers that ask for another try. Raises Throttled, or Unreachable."""
        asked = [answer.retry_after for answer in answers if answer.retry_after is not None]
        longest = max(asked) if asked else None
        self.in_doubt |= any(answer.status in MAYBE_DONE for answer in answers)
        if any(answer.status in BUSY for answer in answers):
            return self._next(longest, Throttled(longest or LONGEST, answers[0].detail), MOST_TRIES)
        return self._next(longest, Unreachable(answers[0].detail), FEWER_TRIES)

    def _next(self, asked: float | None, give_up: RunError, most: int) -> float:
        self.tries += 1
        seconds = 2.0 ** (self.tries - 1) if asked is None else math.ceil(asked)
        if self.tries >= most or self.waited + seconds > LONGEST:
            give_up.maybe_done = self.in_doubt
            raise give_up
        self.waited += seconds
        # A little more than asked, and never the same for two callers that were sent away together.
        return seconds + random.uniform(0, 0.25 + seconds / 20)
