"""A peer that speaks Multipath TCP (RFC 8684) where the other end and the path let it, as Linux does.

Arguments: `server ADDRESS PORT FILE` answers each connection, once it has sent something, with the file's octets;
`client HOST PORT FILE` sends the file's octets and prints one line of JSON about what came of it:
  {"fallback": true, "received": "16…"}   fallback: the connection is plain TCP
"""

import json
import socket
import struct
import sys

IPPROTO_MPTCP = 262
SOL_MPTCP, MPTCP_INFO, FALLBACK = 284, 1, 1
role, host, port, path = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
with open(path, "rb") as file:
    octets = file.read()
family = socket.AF_INET6 if ":" in host else socket.AF_INET
peer = socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP)


def is_fallback(connection):
    try:
        info = connection.getsockopt(SOL_MPTCP, MPTCP_INFO, 12)
    except OSError:
        return True
    return bool(struct.unpack_from("=I", info, 8)[0] & FALLBACK)


if role == "server":
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    peer.bind((host, port))
    peer.listen()
    print("listening", flush=True)
    while True:
        connection, _ = peer.accept()
        if connection.recv(65536):
            connection.sendall(octets)

peer.settimeout(5)
peer.connect((host, port))
peer.sendall(octets)
peer.settimeout(1)
received = b""
try:
    while chunk := peer.recv(65536):
        received += chunk
except OSError:
    pass
print(json.dumps({"fallback": is_fallback(peer), "received": received.hex()}))
