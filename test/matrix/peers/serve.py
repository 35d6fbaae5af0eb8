"""http.server over ssl, one thread for all. Arguments: port, certificate file, key file, folder, version of TLS."""
import functools
import http.server
import ssl
import sys

port, cert, key, folder, version = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.minimum_version = context.maximum_version = ssl.TLSVersion['TLSv' + version.replace('.', '_')]
context.load_cert_chain(cert, key)
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
server = http.server.HTTPServer(('', int(port)), handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
