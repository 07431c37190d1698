"""What operators see of NAT, and what they clear."""

from pathlib import Path

from controller_shell.lab import Lab, first_packet, udp, with_lab
from controller_shell.sample import SET_LINES

from controller.messages import Step
from controller.reasons import Punt

S = "set security nat source "
MORE = (
    f"{S}pool p address 203.0.113.100 to 203.0.113.101\n{S}pool p port range 5000 to 5009\n"
    f"{S}pool p address-pooling paired\n{S}pool p pool-utilization-alarm raise-threshold 50\n"
    "set security nat destination pool web address 10.1.1.5/32 port 8080\n"
    "set security nat destination rule-set in from zone untrust\n"
    "set security nat destination rule-set in rule w match destination-address 203.0.113.80/32\n"
    "set security nat destination rule-set in rule w match destination-port 80\n"
    "set security nat destination rule-set in rule w then destination-nat pool web\n"
    "set security nat static rule-set st from zone untrust\n"
    "set security nat static rule-set st rule s match destination-address 203.0.113.64/28\n"
    "set security nat static rule-set st rule s then static-nat prefix 10.1.1.96/28\n"
)
TO_POOL = SET_LINES.replace("source-nat interface", "source-nat pool p")
KEPT = "set security nat source rule-set out rule r1 then source-nat pool persistent-nat "
KEPT = f"{KEPT}permit target-host\n{KEPT}inactivity-timeout 120\n"


async def load(lab: Lab, tmp_path: Path, text: str) -> None:
    file = tmp_path / "nat.set"
    file.write_text(text)
    assert (await lab.ask(f"request configuration load {file}")).startswith("load complete")


def test_pools_and_rules_with_what_they_did(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await load(lab, tmp_path, TO_POOL + MORE)
        await first_packet(lab)
        summary = (await lab.ask("show security nat source summary")).splitlines()
        assert summary[0] == "Total port number usage for port translation pool: 1"
        assert summary[1] == "Maximum port number for port translation pool: 20"
        assert summary[5].split() == ["p", "203.0.113.100-203.0.113.101", "default", "yes", "2"]
        assert summary[-1].split() == ["r1", "out", "zone", "trust", "zone", "untrust", "p"]
        shown = await lab.ask("show security nat source pool p")
        for line in (
            "Pool name          : p", "Port               : [5000, 5009]",
            "Address assignment : paired", "Alarm thresholds   : raise 50%, clear 40%; clear",
            "Addresses in use   : 1", "Hosts with address : 1", "Translation hits   : 1",
            "Utilization        : 5%", "   203.0.113.100 - 203.0.113.101",
            "Total used ports   : 1",
        ):  # fmt: skip
            assert line in shown.splitlines(), line
        assert await lab.ask("show security nat source pool all") == shown
        assert "unknown source pool 'q'; expected one of: p" in await lab.ask(
            "show security nat source pool q"
        )
        rule = (await lab.ask("show security nat source rule r1")).splitlines()
        for line in (
            "source NAT rule: r1                       Rule-set: out",
            "  From zone                  : trust", "  To zone                    : untrust",
            "    Source addresses         : 10.1.0.0        - 10.1.255.255",
            "  Action                     : p", "    Persistent NAT type      : N/A",
            "  Translation hits           : 1", "    Successful sessions      : 1",
            "  Number of sessions         : 1",
        ):  # fmt: skip
            assert line in rule, line
        pairs = (await lab.ask("show security nat source paired-address")).splitlines()
        assert pairs[1].split() == ["p", "10.1.1.2", "203.0.113.100"]
        session = await lab.ask("show security flow session extensive")
        assert "Source NAT pool: p, Application: games/17" in session
        assert "Source NAT rule: r1 of out" in session
        assert await lab.ask("clear security nat statistics") == ""
        rule = (await lab.ask("show security nat source rule all")).splitlines()
        assert "  Translation hits           : 0" in rule
        assert "  Number of sessions         : 1" in rule
        await lab.ask("clear security flow session all")
        await lab.until(lambda: lab.runtime.central_point.counts().active == 0)
        assert "Total used ports   : 0" in await lab.ask("show security nat source pool p")

    with_lab(tmp_path, test)


def test_a_pool_that_runs_low_is_an_alarm_and_a_line_of_the_log(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        low = TO_POOL + MORE.replace("5000 to 5009", "5000").replace("to 203.0.113.101", "")
        await load(lab, tmp_path, low)
        assert "No alarms" in await lab.ask("show chassis alarms")
        await first_packet(lab)
        assert "Minor  Source NAT pool p utilization 100%" in await lab.ask("show chassis alarms")
        assert "RT_SRC_NAT_ALARM_RAISE: utilization alarm raised for source pool p, " in lab.log[-1]
        await lab.ask("clear security flow session all")
        await lab.until(lambda: "RT_SRC_NAT_ALARM_CLEAR" in lab.log[-1])
        assert "No alarms" in await lab.ask("show chassis alarms")

    with_lab(tmp_path, test)


def test_destination_and_static_rules(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await load(lab, tmp_path, SET_LINES + MORE)
        summary = (await lab.ask("show security nat destination summary")).splitlines()
        assert summary[2].split() == ["web", "10.1.1.5-10.1.1.5", "default", "8080", "1"]
        assert summary[-1].split() == ["w", "in", "zone", "untrust", "web"]
        pool = await lab.ask("show security nat destination pool web")
        assert "   10.1.1.5                          8080" in pool.splitlines()
        rule = (await lab.ask("show security nat destination rule all")).splitlines()
        for line in (
            "Total rules: 1", "Destination NAT rule: w                    Rule-set: in",
            "    Destination addresses    : 203.0.113.80    - 203.0.113.80",
            "    Destination port         : 80              - 80",
            "  Action                     : web",
        ):  # fmt: skip
            assert line in rule, line
        static = (await lab.ask("show security nat static rule s")).splitlines()
        for line in (
            "Total static-nat rules: 1", "  Destination addresses      : 203.0.113.64",
            "  Host addresses             : 10.1.1.96", "  Netmask                    : 28",
        ):  # fmt: skip
            assert line in static, line
        await first_packet(lab)
        ports = (await lab.ask("show security nat interface-nat-ports")).splitlines()
        assert ports[1].split() == ["203.0.113.1", "udp", "1", "64511"]

    with_lab(tmp_path, test)


def test_persistent_bindings_are_shown_and_cleared_once_idle(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await load(lab, tmp_path, TO_POOL + MORE + KEPT)
        await first_packet(lab)
        show = "show security nat source persistent-nat-table "
        row = (await lab.ask(show + "all")).splitlines()[2].split()
        assert row == ["10.1.1.2", "4000", "udp", "203.0.113.100", "5000", "udp", "p",
                       "target-host", "-/120", "1/30", "r1"]  # fmt: skip
        assert len((await lab.ask(show + "internal-ip 10.1.1.9")).splitlines()) == 2
        clear = "clear security nat source persistent-nat-table "
        assert await lab.ask(clear + "all") == "0 persistent NAT entries cleared\n"
        await lab.ask("clear security flow session all")
        await lab.until(lambda: lab.runtime.central_point.counts().active == 0)
        assert "  Query mode: 1" in await lab.ask(show + "summary")
        assert "/120" in await lab.ask(show + "pool p")
        assert await lab.ask(clear + "pool p") == "1 persistent NAT entries cleared\n"
        assert lab.runtime.central_point.nat.in_use() == {}

    with_lab(tmp_path, test)


def test_allocation_is_slow_or_fails_at_an_operators_word(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        inject = "request security nat allocation "
        assert await lab.ask(inject + "delay 30 refuse-every 1") == (
            "NAT allocations take 30 ms more, every one is refused\n"
        )
        lab.fakes[1].punt(udp(4001, 27015), reason=Punt.MISS, ingress_port=1, token=1)
        await lab.until(lambda: bool(lab.runtime.observer.drops))
        (walk,) = lab.runtime.observer.walks.values()
        assert walk.steps[-1].step is Step.NAT_SUSPEND
        (fall,) = walk.falls.values()
        assert fall.first.at - walk.steps[-1].at >= 30_000_000
        assert "NAT_EXHAUSTED" in await lab.ask("show security flow drops")
        assert "Failed sessions          : 1" in await lab.ask("show security nat source rule r1")
        assert await lab.ask(inject) == "NAT allocations take 0 ms more, none is refused\n"
        await first_packet(lab)

    with_lab(tmp_path, test)
