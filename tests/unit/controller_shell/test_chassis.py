"""``chassis.toml``: what it says, and how mistakes in it are named."""

from pathlib import Path

import pytest

from controller.config.cards import NpuSite, SpuSite
from controller.config.chassis import load_chassis, parse_chassis
from controller.config.problems import ConfigurationError
from controller_shell.sample import CHASSIS

NPU = '[[npu]]\nnumber = 1\naddress = "h:1"\n'
SPU = "[[spu]]\nnumber = 1\n"


def test_cards() -> None:
    assert CHASSIS.npus[2] == NpuSite(2, "127.0.0.1:9560", 2, {1: 201})
    assert CHASSIS.spus[2] == SpuSite(2, 1000)
    assert CHASSIS.spus[1].max_sessions == 1_048_576


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (NPU + "adress = 3\n" + SPU, "c:4:1: error: unknown key 'adress'; did you mean 'address'?"),
        ("[[npu]]\nnumber = 1\n" + SPU, 'address = "HOST:PORT" of its P4Runtime server is needed'),
        (NPU, "at least one [[spu]] table is needed"),
        (
            NPU + NPU.replace("= 1", "= 2") + "device_id = 1\n" + SPU,
            "c:6:1: error: NPU 2 and NPU 1 have one address and one device_id; each is a switch",
        ),
        (NPU + SPU + SPU, "c:7:1: error: SPU 1 is there twice"),
        (NPU + "fabric = { 2 = 200 }\n" + SPU, "c:4:1: error: there is no NPU 2 to be joined to"),
        (NPU + "fabric = { 2 = 5 }\n" + SPU, "a port from 200 to 254"),
        (NPU + 'fabric = { "²" = 200 }\n' + SPU, "an NPU number and a port from 200 to 254"),
        (NPU.replace("= 1", "= 0") + SPU, "number = 0; a number from 1 to 255"),
        (NPU + SPU + "max_sessions = 0\n", "c:6:1: error: max_sessions = 0"),
        ("[[npu\n", "c:1:6: error: this is no TOML"),
    ],
)
def test_mistakes_are_named_with_place_and_remedy(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_chassis(text, "c")
    assert len(caught.value.problems) == 1
    assert message in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read this chassis file: No such file"):
        load_chassis(tmp_path / "none.toml")
