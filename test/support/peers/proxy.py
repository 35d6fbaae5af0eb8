"""A proxy that speaks CONNECT (RFC 9110) and SOCKS 5 (RFC 1928) on one port, and leads to ports of its own host, whatever
host it is asked for. Arguments: port [word]; with a word it wants that as the credentials of CONNECT. Prints a line for
each request: its client and what it asks for."""
import socket, sys, threading

port, word = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None


def exactly(client, count):
    octets = b''
    while len(octets) < count:
        octets += client.recv(count - len(octets)) or sys.exit()
    return octets


def socks(client):
    exactly(client, exactly(client, 1)[0])
    client.sendall(b'\5\0')
    kind = exactly(client, 4)[3]
    host = exactly(client, {1: 4, 4: 16}.get(kind) or exactly(client, 1)[0])
    return host.decode('latin1'), int.from_bytes(exactly(client, 2), 'big'), b'\5\0\0\1' + bytes(6)


def connect(client, first):
    header = first
    while not header.endswith(b'\r\n\r\n'):
        header += exactly(client, 1)
    if word is not None and word.encode() not in header:
        client.sendall(b'HTTP/1.1 407 Who is there\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n')
        sys.exit()
    host, _, number = header.split()[1].decode().rpartition(':')
    return host, int(number), b'HTTP/1.1 200 OK\r\n\r\n'


def pump(source, sink):
    try:
        while octets := source.recv(65536):
            sink.sendall(octets)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()


def serve(client, address):
    first = exactly(client, 1)
    host, number, answer = socks(client) if first == b'\5' else connect(client, first)
    print(address, host, number, flush=True)
    server = socket.create_connection(('127.0.0.1', number))
    client.sendall(answer)
    threading.Thread(target=pump, args=(server, client), daemon=True).start()
    pump(client, server)


listener = socket.create_server(('0.0.0.0', port), backlog=100)
print('listening', flush=True)
while True:
    connection, (peer, *_) = listener.accept()
    threading.Thread(target=serve, args=(connection, peer), daemon=True).start()
