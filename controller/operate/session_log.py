"""Session logs in the text form of Junos: RT_FLOW_SESSION_CREATE, _CLOSE and _DENY.

Fields and their order: Juniper's page ``session-log-entry-information-for-srx-series``. A field
that does not apply reads N/A or, for rules and services, None, as in the original.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.config.nat import NatRule
from controller.config.schema import SECOND, Configuration, Policy
from controller.flow import Wing
from controller.messages import NatNotice, SessionClosed, SessionCreated, SessionDenied
from controller.operate.text import InterfaceNames, address
from controller.packet import ICMP, ICMPV6
from controller.reasons import Close
from controller.spu import SessionView

CLOSE_REASONS = {
    Close.TCP_FIN: "TCP FIN",
    Close.TCP_CLIENT_RST: "TCP CLIENT RST",
    Close.TCP_SERVER_RST: "TCP SERVER RST",
    Close.TCP_ANEW: "TCP connection began anew",
    Close.ICMP_ERROR: "ICMP error",
    Close.IDLE_TIMEOUT: "idle Timeout",
    Close.CLEARED: "Closed by operator",
    Close.INSTALL_FAILED: "install failed",
    Close.NPU_LOST: "NPU lost",
    Close.CP_LOST: "Closed by audit",
    Close.POLICY_CHANGED: "Closed by policy change",
    Close.INTERFACE_CHANGED: "Closed by interface change",
    Close.ROUTE_CHANGED: "Closed by route change",
    Close.NAT_CHANGED: "Closed by NAT rule change",
    Close.RESPONSE_RECEIVED: "response received",
    Close.PARENT_ENDED: "control session ended",
    Close.NO_ANSWER: "server does not answer",
    Close.EARLY_AGEOUT: "idle Timeout, early",
    Close.SPU_LOST: "SPU lost",
}


class SessionLog:
    """Writes a line for each session whose policy logs it."""

    def __init__(
        self,
        configuration: Configuration,
        find: Callable[[int], SessionView | None],
        write: Callable[[str], None],
    ) -> None:
        """``find`` gives a session by id; ``write`` takes a line without its line end."""
        self._find = find
        self._write = write
        self._policies: dict[int, Policy] = {}
        self.configure(configuration)

    def configure(self, configuration: Configuration) -> None:
        """Another configuration is in force. Sessions of policies that are gone are still logged as
        those policies said."""
        self._names = InterfaceNames(configuration)
        self._policies |= {policy.index: policy for policy in configuration.policies}

    def created(self, record: SessionCreated) -> None:
        """A session is created when the central point has acknowledged its installation."""
        view = self._find(record.session_id)
        if view is None:
            return
        policy = self._policies.get(view.policy_index)
        if policy is None or not policy.log_init:
            return
        zones = self._zones(view.forward, view.reverse)
        rules = _name(view.source_rule), _name(view.destination_rule)
        tuples = self._tuples(view.forward, view.application, rules)
        arrives = self._names.name(view.forward.ingress, view.forward.key.token)
        tail = f"{view.policy} {zones[0]} {zones[1]} {view.id}"
        self._write(f"RT_FLOW_SESSION_CREATE: session created {tuples} {tail} N/A(N/A) {arrives}")

    def closed(self, record: SessionClosed) -> None:
        """A session is gone."""
        policy = self._policies.get(record.policy_index)
        if policy is None or not policy.log_close:
            return
        zones = self._zones(record.forward, record.reverse)
        counts = " ".join(
            f"{packets}({octets})"
            for packets, octets in zip(record.packets, record.bytes, strict=True)
        )
        tuples = self._tuples(record.forward, record.application, record.nat_rules)
        self._write(
            f"RT_FLOW_SESSION_CLOSE: session closed {CLOSE_REASONS[record.reason]}: "
            f"{tuples} {record.policy} {zones[0]} {zones[1]} "
            f"{record.session_id} {counts} {record.duration // SECOND} "
            f"{self._names.name(record.forward.ingress, record.forward.key.token)}"
        )

    def denied(self, record: SessionDenied) -> None:
        """A policy that logs refused a flow."""
        policy = self._policies.get(record.policy_index)
        if policy is None:
            return
        key = record.flow
        icmp_type = key.dport >> 8 if key.protocol in (ICMP, ICMPV6) else 0
        self._write(
            f"RT_FLOW_SESSION_DENY: session denied {address(key.src)}/{key.sport}->"
            f"{address(key.dst)}/{key.dport} {record.application} {key.protocol}({icmp_type}) "
            f"{policy.name} {self._names.zone(key.token)} {record.to_zone} UNKNOWN UNKNOWN "
            f"N/A(N/A) {record.interface} Denied by policy"
        )

    def nat(self, notice: NatNotice) -> None:
        """A source NAT pool runs low, no longer does, or is exhausted."""
        match notice.is_raised:
            case None:
                what = "RT_SRC_NAT_POOL_EXHAUSTED: nothing is left for a flow in"
            case True:
                what = "RT_SRC_NAT_ALARM_RAISE: utilization alarm raised for"
            case False:
                what = "RT_SRC_NAT_ALARM_CLEAR: utilization alarm cleared for"
        self._write(f"{what} source pool {notice.pool}, utilization {notice.utilization}%")

    def _zones(self, forward: Wing, reverse: Wing) -> tuple[str, str]:
        return self._names.zone(forward.key.token), self._names.zone(reverse.key.token)

    def _tuples(self, forward: Wing, service: str, rules: tuple[str, str]) -> str:
        key, out = forward.key, forward.translated
        source_rule, destination_rule = (rule or "N/A" for rule in rules)
        return (
            f"{address(key.src)}/{key.sport}->{address(key.dst)}/{key.dport} {service} "
            f"{address(out.src)}/{out.sport}->{address(out.dst)}/{out.dport} "
            f"{source_rule} {destination_rule} {key.protocol}"
        )


def _name(rule: NatRule | None) -> str:
    return "" if rule is None else rule.name
