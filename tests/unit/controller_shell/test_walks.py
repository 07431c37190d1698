"""Which walks are recorded when more first packets come than anybody can read of."""

from controller.flow import FlowKey
from controller.messages import CP, SPUS, Step, StepTaken
from controller.operate.observer import WALKS_A_SECOND, Observer
from controller_shell.sample import CONFIGURATION

SECOND = 1_000_000_000


def flow(number: int) -> FlowKey:
    """One of many."""
    return FlowKey(bytes(4), bytes(4), number, 80, 6, 1)


def test_a_crowd_is_reported_once_and_walks_on_their_way_are_cut() -> None:
    observer = Observer(CONFIGURATION)
    crowds = []
    observer.on_crowd = lambda: crowds.append(len(observer.walks))

    def say(at: int, step: Step, number: int) -> None:
        who = CP if step is Step.MISS else SPUS[1]
        observer.take(StepTaken(at, who, step, flow(number), ""))

    for number in range(WALKS_A_SECOND):
        say(0, Step.MISS, number)
    for number in range(WALKS_A_SECOND - 10):
        say(1, Step.RELEASE, number)
    assert crowds == []
    # Those beyond come in one go: the machines have not heard of it yet.
    for number in range(WALKS_A_SECOND, WALKS_A_SECOND + 5):
        say(2, Step.MISS, number)
    assert crowds == [WALKS_A_SECOND + 1]
    cut = [walk.flow.sport for walk in observer.walks.values() if walk.is_cut]
    assert cut == list(range(WALKS_A_SECOND - 10, WALKS_A_SECOND + 5))
    # A second later all begins anew.
    for number in range(1000, 1001 + WALKS_A_SECOND):
        say(SECOND + 3, Step.MISS, number)
    assert len(crowds) == 2
