"""Whatever frames an interface takes and gives: a line each, `in` or `out` and its octets in hex. Argument: the interface."""

import socket
import sys

ETH_P_ALL = 3

s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 25)
s.bind((sys.argv[1], ETH_P_ALL))
print('listening', file=sys.stderr, flush=True)
while True:
    frame, (_, _, kind, _, _) = s.recvfrom(65535)
    print('out' if kind == socket.PACKET_OUTGOING else 'in', frame[:2048].hex(), flush=True)
