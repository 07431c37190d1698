"""SPUs and central point in ``chassis.toml``."""

from __future__ import annotations

import pytest

from controller.config.cards import Balancing, CpSite, SpuSite
from controller.config.chassis import parse_chassis
from controller.config.problems import ConfigurationError
from controller.config.schema import SECOND

NPU = '[[npu]]\nnumber = 1\naddress = "127.0.0.1:9559"\n'
COMBO = '[[spu]]\nnumber = {}\nmode = "combo"\n'


def spus(text: str) -> list[SpuSite]:
    return list(parse_chassis(NPU + text).spus.values())


def test_a_combo_spu_has_half_of_what_it_would_have() -> None:
    combo, full = spus(COMBO.format(1) + "[[spu]]\nnumber = 2\n")
    assert combo == SpuSite(1, 524_288, 0, is_combo=True)
    assert full == SpuSite(2, 1_048_576)
    assert (combo.share, full.share) == (524_288, 1_048_576)


def test_weights_override_capacity() -> None:
    combo, full = spus(COMBO.format(1) + "weight = 3\n[[spu]]\nnumber = 2\nweight = 3\n")
    assert full.share == 2 * combo.share


def test_the_central_point() -> None:
    table = """[[spu]]
number = 1
[central_point]
balancing = "weighted-round-robin"
max_sessions = 7
pending_timeout = 9
"""
    chassis = parse_chassis(NPU + table)
    assert chassis.cp == CpSite(Balancing.WEIGHTED_ROUND_ROBIN, 7, 9 * SECOND)
    assert parse_chassis(NPU + "[[spu]]\nnumber = 1\n").cp == CpSite()


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("[[spu]]\nnumber = 1\nmode = 'combi'\n", 6, "one of flow, combo is expected"),
        (COMBO.format(1) + COMBO.format(2), 9, "the central point runs on one SPU only"),
        ("[[spu]]\nnumber = 1\nweight = 0\n", 6, "a number from 1 to 1000000 is expected"),
        ("[[spu]]\nnumber = 1\nweight = 2\n[[spu]]\nnumber = 2\n", 6, "all SPUs have a weight"),
        ("[[spu]]\nnumber = 1\n[central_point]\nbalancing = 'fair'\n", 7,
         "one of least-sessions, weighted-round-robin, hash is expected"),
        ("[[spu]]\nnumber = 1\n[central_point]\npending_timeout = 0\n", 7, "from 1 to 60"),
        ("[[spu]]\nnumber = 1\n[central_point]\nbalance = 1\n", 7, "did you mean 'balancing'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_shown_where_it_stands(text: str, where: int, what: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_chassis(NPU + text, "c.toml")
    (problem,) = caught.value.problems
    assert what in problem.text
    assert problem.place.line == where
