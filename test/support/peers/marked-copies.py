"""Does as programs do that read queues of their own: repeats the first data that a client sends to port 443 by a raw socket,
once with each of the packet marks that its arguments name. Says `ready`, and `sent` when it has."""
import socket
import sys

seen = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
print('ready', flush=True)
while True:
    packet = seen.recv(65536)
    if packet[0] >> 4 != 4 or packet[9] != 6:
        continue
    tcp = packet[(packet[0] & 15) * 4:]
    if int.from_bytes(tcp[2:4], 'big') == 443 and len(tcp) > (tcp[12] >> 4) * 4:
        break
for mark in sys.argv[1:]:
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK if hasattr(socket, 'SO_MARK') else 36, int(mark))
    raw.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
print('sent', flush=True)
