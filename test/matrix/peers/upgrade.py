"""Python's mail and file clients, upgraded to TLS. Arguments: `smtp` or `ftp`, host, port."""
import ftplib
import smtplib
import ssl
import sys

protocol, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
context = ssl.create_default_context()
if protocol == 'smtp':
    client = smtplib.SMTP(host, port, timeout=10)
    client.starttls(context=context)
    client.ehlo()
else:
    client = ftplib.FTP_TLS(timeout=10, context=context)
    client.connect(host, port)
    client.auth()
    client.voidcmd('QUIT')
print('over', client.sock.version())
