"""Python's ssl, two connections, the second with the session of the first. Arguments: host, port."""
import socket
import ssl
import sys

host, port = sys.argv[1], int(sys.argv[2])
context = ssl.create_default_context()
session = None
for _ in range(2):
    with socket.create_connection((host, port), timeout=10) as tcp:
        with context.wrap_socket(tcp, server_hostname=host, session=session) as tls:
            tls.sendall(f'GET /index.html HTTP/1.0\r\nHost: {host}\r\n\r\n'.encode())
            while octets := tls.recv(4096):
                print(octets.decode('latin1'))
            session = tls.session
