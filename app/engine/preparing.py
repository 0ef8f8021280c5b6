"""Threads for work that belongs to a request: decoding, preparing, one network's forward passes."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar

from app.engine.queue import FairQueue
from app.engine.refusals import DeadlineError
from app.engine.terms import Terms, current_terms

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Work:
    future: "Future[Any]"
    call: Callable[[], Any]
    terms: Terms = field(default_factory=current_terms)
    context: Context = field(default_factory=copy_context)

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        if self.terms.deadline <= time.monotonic():
            self.future.set_exception(DeadlineError())
            return
        try:
            result = self.context.run(self.call)
        except BaseException as error:  # the one who waits gets it, whatever it is; the thread goes on
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class FairExecutor(Executor):
    """A thread pool whose work takes turns like a batcher's: interactive first, callers in turns (see `FairQueue`).

    Cancelled work is dropped, and expired work fails, before it begins. The threads are daemons: one that hangs for
    ever does not keep the process from ending.

    Args:
        threads: how many.
        name: of the threads.
        initializer: called first in every thread.
    """

    def __init__(self, threads: int, name: str, initializer: Callable[[], object] | None = None) -> None:
        self._waiting: FairQueue[_Work] = FairQueue()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, args=(initializer,), name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run a call in some thread, on the terms of the current request.

        Raises:
            RuntimeError: the executor is shut down.
        """
        work = _Work(Future(), partial(fn, *args, **kwargs))
        with self._changed:
            if self._closed:
                raise RuntimeError("the executor is shut down")
            self._waiting.put(work)
            self._changed.notify()
        return work.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse new work, finish or cancel the rest, and end the threads."""
        with self._changed:
            self._closed = True
            while cancel_futures and (work := self._waiting.pop()) is not None:
                work.future.cancel()
            self._changed.notify_all()
        for thread in self._threads if wait else ():
            thread.join()

    def _serve(self, initializer: Callable[[], object] | None) -> None:
        if initializer is not None:
            initializer()
        while (work := self._next()) is not None:
            work.run()
            del work  # an idle thread should hold no picture

    def _next(self) -> _Work | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            return self._waiting.pop()
