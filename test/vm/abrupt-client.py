"""A client that ends without a word that others on the way would see. Arguments: its port, and `silent` if it only connects, or
`waits` if it goes on when its standard input has a line. Prints `connected`, or what the server answered, `none` where that is nothing."""
import socket
import ssl
import struct
import sys
import time

plain = socket.socket()
plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
plain.settimeout(30)
plain.bind(('', int(sys.argv[1])))
plain.connect(('198.51.100.2', 443))
if sys.argv[2:] == ['silent']:
    print('connected', flush=True)
    time.sleep(600)
if sys.argv[2:] == ['waits']:
    print('connected', flush=True)
    sys.stdin.readline()
trust = ssl.create_default_context(cafile='/job/ca.pem')
trust.maximum_version = ssl.TLSVersion.TLSv1_2
body = b''
try:
    with trust.wrap_socket(plain, server_hostname='www.bank.example') as secure:
        secure.sendall(b'GET / HTTP/1.0\r\n\r\n')
        while not body.endswith(b'bbbbb'):
            piece = secure.recv(65536)
            if piece == b'':
                break
            body += piece
        print(body.decode().partition('\r\n\r\n')[2] or 'none')
except OSError:
    print('none')
