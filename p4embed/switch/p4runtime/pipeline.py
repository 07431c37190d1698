"""The forwarding pipeline config: what is running, what is saved, and the actions on it.

Source: P4Runtime specification, "SetForwardingPipelineConfig RPC" and its Get. ``p4_device_config``
is a BMv2 JSON document.

VERIFY_AND_SAVE is UNIMPLEMENTED, and with it COMMIT finds nothing saved, as in PI: a saved config
would have to queue writes until it is committed. RECONCILE_AND_COMMIT keeps the forwarding state
where the config is the one that runs, and refuses another one.
"""

from __future__ import annotations

from dataclasses import dataclass

from finsy.proto import p4r

from p4embed.switch.dataplane import Dataplane
from p4embed.switch.engine import Engine
from p4embed.switch.load import LoadError, load_bytes
from p4embed.switch.p4runtime.bulk import BulkWriter, bulk_writer
from p4embed.switch.p4runtime.errors import (
    Code,
    P4RuntimeError,
    invalid,
    not_found,
    unimplemented,
)
from p4embed.switch.p4runtime.translate import MismatchError, Translator
from p4embed.switch.program import Program

Action = p4r.SetForwardingPipelineConfigRequest
ResponseType = p4r.GetForwardingPipelineConfigRequest


@dataclass(frozen=True)
class Loaded:
    """A config that is running."""

    config: p4r.ForwardingPipelineConfig
    program: Program
    translator: Translator


class Pipeline:
    """The pipeline of one data plane. Calls must not overlap."""

    def __init__(self, dataplane: Dataplane) -> None:
        self._dataplane = dataplane
        self._loaded: Loaded | None = None
        self.bulk: BulkWriter | None = None
        """Writes in bulk to the running engine, if it has a way for them."""

    @property
    def engine(self) -> Engine:
        """The running engine."""
        return self._dataplane.engine

    @property
    def loaded(self) -> Loaded:
        """The running config; ``FAILED_PRECONDITION`` before there is one."""
        if self._loaded is None:
            raise P4RuntimeError(
                Code.FAILED_PRECONDITION,
                "no forwarding pipeline config; use SetForwardingPipelineConfig first",
            )
        return self._loaded

    @property
    def translator(self) -> Translator | None:
        """The running config's translator, if there is one."""
        return None if self._loaded is None else self._loaded.translator

    def set(self, request: p4r.SetForwardingPipelineConfigRequest) -> None:
        """Carry out an action on the config."""
        action = request.action
        if action == Action.COMMIT:
            if request.HasField("config"):
                raise invalid("COMMIT takes no config; use VERIFY_AND_COMMIT")
            raise not_found("no config is saved")
        if action == Action.VERIFY_AND_SAVE:
            raise unimplemented("VERIFY_AND_SAVE is not supported; use VERIFY_AND_COMMIT")
        if action not in (
            Action.VERIFY,
            Action.VERIFY_AND_COMMIT,
            Action.RECONCILE_AND_COMMIT,
        ):
            raise invalid(f"action {action}; expected VERIFY, VERIFY_AND_COMMIT, ...")
        if not request.HasField("config"):
            raise invalid("config is missing")
        verified = self.verify(request.config)
        if action == Action.VERIFY_AND_COMMIT:
            self._commit(verified)
        elif action == Action.RECONCILE_AND_COMMIT:
            self._reconcile(verified)

    def verify(self, config: p4r.ForwardingPipelineConfig) -> Loaded:
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
        return Loaded(config, program, translator)

    def _commit(self, verified: Loaded) -> None:
        try:
            self._dataplane.load(verified.program, verified.config.p4_device_config)
        except RuntimeError as error:
            raise invalid(f"p4_device_config cannot be realized: {error}") from None
        self._loaded = verified
        self.bulk = bulk_writer(verified.translator, self.engine)

    def _reconcile(self, verified: Loaded) -> None:
        if self._loaded is None:
            self._commit(verified)
            return
        same = self._loaded.config.p4_device_config == verified.config.p4_device_config
        if not same:
            raise invalid("state can be kept only for the same p4_device_config as is running")
        self._loaded = verified
        self.bulk = bulk_writer(verified.translator, self.engine)

    def load_file(self, program: Program, json_text: bytes) -> None:
        """Run a program from the command line; it has no P4Info until a controller brings it."""
        self._dataplane.load(program, json_text)

    def get(self, response_type: int) -> p4r.GetForwardingPipelineConfigResponse:
        """The running config, or those parts of it that are asked for."""
        response = p4r.GetForwardingPipelineConfigResponse()
        if self._loaded is None:
            return response
        config = self._loaded.config
        if config.HasField("cookie"):
            response.config.cookie.CopyFrom(config.cookie)
        if response_type in (ResponseType.ALL, ResponseType.P4INFO_AND_COOKIE):
            response.config.p4info.CopyFrom(config.p4info)
        if response_type in (ResponseType.ALL, ResponseType.DEVICE_CONFIG_AND_COOKIE):
            response.config.p4_device_config = config.p4_device_config
        response.config.SetInParent()
        return response
