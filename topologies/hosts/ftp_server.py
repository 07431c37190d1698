"""An FTP server for anybody: ``python -m topologies.hosts.ftp_server DIRECTORY ADDRESS...``

pyftpdlib with active and passive, plain and extended modes; anybody may read and write.
"""

from __future__ import annotations

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer


def main() -> None:
    """Serve until killed; prints ``serving`` when it does."""
    directory, *addresses = sys.argv[1:]
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous(directory, perm="elrwd")
    handler = type("Handler", (FTPHandler,), {"authorizer": authorizer})
    servers = [FTPServer((address, 21), handler) for address in addresses]
    print("serving", flush=True)
    servers[0].serve_forever()  # the loop is shared by all servers of a process


if __name__ == "__main__":
    main()
