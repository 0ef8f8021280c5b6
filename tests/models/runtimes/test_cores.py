import threading

import torch

from models.runtimes.cores import usable_cores, use_cores, use_one_core


def test_a_thread_keeps_to_one_core_though_another_then_takes_more() -> None:
    chosen, others_chose, seen = threading.Event(), threading.Event(), list[int]()

    def small_work() -> None:
        use_one_core()
        chosen.set()
        others_chose.wait()
        torch.rand(100_000).sum()
        seen.append(torch.get_num_threads())

    def network() -> None:
        chosen.wait()
        use_cores(usable_cores() + 1)
        others_chose.set()
        seen.append(torch.get_num_threads())

    before = torch.get_num_threads()
    threads = [threading.Thread(target=work) for work in (small_work, network)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torch.set_num_threads(before)

    assert sorted(seen) == [1, usable_cores() + 1]


def test_zero_takes_every_core() -> None:
    before = torch.get_num_threads()
    use_cores(0)
    taken = torch.get_num_threads()
    torch.set_num_threads(before)

    assert taken == usable_cores()
