"""Whatever TCP an interface takes and gives: a line a packet, microseconds and its octets from the IP header on, in hex. Argument: the interface."""

import socket
import sys

ETH_P_ALL = 3
TCP = 6

s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 25)
s.setsockopt(socket.SOL_SOCKET, 29, 1)  # SO_TIMESTAMP
s.bind((sys.argv[1], ETH_P_ALL))
print('listening', file=sys.stderr, flush=True)
while True:
    packet, control, _, _ = s.recvmsg(65535, 64)
    version = packet[0] >> 4
    if (version == 4 and packet[9] == TCP) or (version == 6 and packet[6] == TCP):
        seconds, micros = (int.from_bytes(control[0][2][at : at + 8], sys.byteorder) for at in (0, 8))
        print(seconds * 1_000_000 + micros, packet[:2048].hex(), flush=True)
