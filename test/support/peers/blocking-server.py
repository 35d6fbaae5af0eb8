"""A TLS server of N workers, each of which serves one connection at a time from accept to end, as prefork servers and
many simple ones do. Arguments: address port workers cert key. Prints one line for each connection: its client."""
import socket, ssl, sys, threading

address, port, workers, cert, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
family = socket.AF_INET6 if ':' in address else socket.AF_INET
listener = socket.create_server((address, int(port)), family=family, backlog=100)


def work():
    while True:
        connection, (client, *_) = listener.accept()
        print(client, flush=True)
        try:
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(4096)
                tls.sendall(b'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello')
        except OSError:
            connection.close()


for _ in range(int(workers)):
    threading.Thread(target=work).start()
print('listening', flush=True)
