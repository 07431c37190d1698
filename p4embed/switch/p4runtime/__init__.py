"""P4Runtime: the gRPC service of the embedded switch.

service       the RPCs; who may, in what order
arbitration   which controller is primary (pure)
pipeline      the forwarding pipeline config
translate     P4Info ids and messages to the engine's indices and packed bytes, and back
bytestrings   values as P4Runtime writes them
packets       the header on the CPU port
write, read   batches of entities
replication   clone sessions and multicast groups
stream        packets and notices to controllers
errors        canonical codes and batch details
server        gRPC, TLS, addresses
"""

from p4embed.switch.p4runtime.server import Server, ServerError, Tls
from p4embed.switch.p4runtime.service import Service

__all__ = ["Server", "ServerError", "Service", "Tls"]
