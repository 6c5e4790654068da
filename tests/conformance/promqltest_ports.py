#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The public promqltest.py, with ports that no other program is given.

usage: promqltest_ports.py FOLDER ARGUMENTS..., FOLDER has promqltest.py; the arguments are its own.

The runner asks for a free port, lets go of it and starts a server that takes it: between the two the
system may give it to somebody else, another run of the same kind for example. belfry then ends with
"cannot bind", and the runner, which asks the port whether it is ready before it looks at its server,
loads and asks the stranger. Here the socket that found the port stays bound (not listening) until
the end: with SO_REUSEADDR on both sides belfry may listen there, and the system gives the port to
nobody who asks for any.
"""

import socket
import sys
import types

held = []


class Held(socket.socket):
    """A socket that the end of its `with` leaves bound."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    def __exit__(self, *exc):
        held.append(self)


def main():
    sys.path.insert(0, sys.argv[1])
    import promqltest  # pylint: disable=import-outside-toplevel
    ours = types.ModuleType("socket")
    ours.__dict__.update(socket.__dict__)
    ours.socket = Held
    promqltest.socket = ours
    return promqltest.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
