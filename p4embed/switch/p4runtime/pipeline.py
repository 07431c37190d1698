"""The forwarding pipeline config: what is running, what is saved, and the actions on it.

A saved config has an engine of its own, which Reads and Writes act on until it is committed; then
the data plane goes over to it between two packets.

Source: P4Runtime specification, "SetForwardingPipelineConfig RPC" and its Get. ``p4_device_config``
is a BMv2 JSON document.
"""

from __future__ import annotations

from dataclasses import dataclass

from finsy.proto import p4r

from p4embed.switch.dataplane import Dataplane
from p4embed.switch.load import LoadError, load_bytes
from p4embed.switch.p4runtime.bulk import Bulk
from p4embed.switch.p4runtime.errors import (
    Code,
    MismatchError,
    P4RuntimeError,
    invalid,
    not_found,
)
from p4embed.switch.p4runtime.reconcile import carry_over
from p4embed.switch.p4runtime.target import Target
from p4embed.switch.p4runtime.translate import Translator
from p4embed.switch.program import Program

Action = p4r.SetForwardingPipelineConfigRequest
ResponseType = p4r.GetForwardingPipelineConfigRequest


@dataclass(frozen=True)
class _Verified:
    """A config that can run."""

    config: p4r.ForwardingPipelineConfig
    program: Program
    translator: Translator


@dataclass(frozen=True)
class Loaded:
    """A config that has forwarding state: running, or saved."""

    config: p4r.ForwardingPipelineConfig
    target: Target


class Pipeline:
    """The pipeline of one data plane. Calls must not overlap."""

    def __init__(self, dataplane: Dataplane) -> None:
        self._dataplane = dataplane
        self._running: Loaded | None = None
        self._saved: Loaded | None = None

    @property
    def target(self) -> Target:
        """What Reads and Writes act on; ``FAILED_PRECONDITION`` before there is a config."""
        loaded = self._saved or self._running
        if loaded is None:
            raise P4RuntimeError(
                Code.FAILED_PRECONDITION,
                "no forwarding pipeline config; use SetForwardingPipelineConfig first",
            )
        return loaded.target

    @property
    def bulk(self) -> Bulk | None:
        """Writes and Reads in bulk of what they act on, if it has a way for them."""
        loaded = self._saved or self._running
        return None if loaded is None else loaded.target.bulk

    @property
    def running(self) -> Target | None:
        """What packets run through, if a controller has brought it."""
        return None if self._running is None else self._running.target

    def set(self, request: p4r.SetForwardingPipelineConfigRequest) -> None:
        """Carry out an action on the config."""
        action = request.action
        if action == Action.COMMIT:
            if request.HasField("config"):
                raise invalid("COMMIT takes no config; use VERIFY_AND_COMMIT")
            if self._saved is None:
                raise not_found("no config is saved; use VERIFY_AND_SAVE first")
            self._run(self._saved)
            return
        if action not in (
            Action.VERIFY,
            Action.VERIFY_AND_SAVE,
            Action.VERIFY_AND_COMMIT,
            Action.RECONCILE_AND_COMMIT,
        ):
            raise invalid(f"action {action}; expected VERIFY, VERIFY_AND_COMMIT, ...")
        if not request.HasField("config"):
            raise invalid("config is missing")
        verified = self._verify(request.config)
        if action == Action.VERIFY_AND_SAVE:
            made = self._realize(verified)
            self._drop_saved()
            self._saved = made
        elif action == Action.VERIFY_AND_COMMIT:
            self._run(self._realize(verified))
        elif action == Action.RECONCILE_AND_COMMIT:
            self._reconcile(verified)

    def _verify(self, config: p4r.ForwardingPipelineConfig) -> _Verified:
        """Check that the config can run; ``INVALID_ARGUMENT`` says why not."""
        if not config.p4_device_config:
            raise invalid("p4_device_config is empty; expected the bytes of a BMv2 JSON document")
        try:
            program = load_bytes(config.p4_device_config)
            translator = Translator(config.p4info, program)
        except LoadError as error:
            raise invalid(f"p4_device_config: {error}") from None
        except MismatchError as error:
            raise invalid(f"p4info does not fit p4_device_config: {error}") from None
        try:
            self._dataplane.check(program)
        except RuntimeError as error:
            raise invalid(f"p4_device_config cannot be realized: {error}") from None
        return _Verified(config, program, translator)

    def _realize(self, verified: _Verified) -> Loaded:
        """Fresh state for a config."""
        try:
            engine = self._dataplane.prepare(verified.program)
        except RuntimeError as error:
            raise invalid(f"p4_device_config cannot be realized: {error}") from None
        return Loaded(verified.config, Target(verified.translator, engine))

    def _run(self, loaded: Loaded) -> None:
        if self._saved is not loaded:
            self._drop_saved()
        self._dataplane.use(loaded.target.engine)
        self._running, self._saved = loaded, None

    def _drop_saved(self) -> None:
        if self._saved is not None:
            self._saved.target.engine.close()
            self._saved = None

    def _reconcile(self, verified: _Verified) -> None:
        old = self._running
        if old is None:
            self._run(self._realize(verified))
            return
        if (
            old.config.p4_device_config == verified.config.p4_device_config
            and old.config.p4info == verified.config.p4info
        ):
            self._drop_saved()
            self._running = Loaded(verified.config, old.target)
            return
        made = self._realize(verified)
        try:
            carry_over(old.target, made.target)
        except P4RuntimeError as error:
            made.target.engine.close()
            raise invalid(f"the forwarding state cannot be kept: {error.message}") from None
        self._run(made)

    def get(self, response_type: int) -> p4r.GetForwardingPipelineConfigResponse:
        """The running config, or those parts of it that are asked for."""
        response = p4r.GetForwardingPipelineConfigResponse()
        if self._running is None:
            return response
        config = self._running.config
        if config.HasField("cookie"):
            response.config.cookie.CopyFrom(config.cookie)
        if response_type in (ResponseType.ALL, ResponseType.P4INFO_AND_COOKIE):
            response.config.p4info.CopyFrom(config.p4info)
        if response_type in (ResponseType.ALL, ResponseType.DEVICE_CONFIG_AND_COOKIE):
            response.config.p4_device_config = config.p4_device_config
        response.config.SetInParent()
        return response
