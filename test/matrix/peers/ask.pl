# IO::Socket::SSL with a cache of sessions. Arguments: host, port.
use strict;
use IO::Socket::SSL;

my ($host, $port) = @ARGV;
my $context = IO::Socket::SSL::SSL_Context->new(SSL_session_cache_size => 4, SSL_verify_mode => SSL_VERIFY_PEER);
for (1 .. 2) {
    my $tls = IO::Socket::SSL->new(PeerHost => $host, PeerPort => $port, SSL_hostname => $host, SSL_reuse_ctx => $context,
        SSL_verifycn_name => $host, SSL_verifycn_scheme => 'http') or die "$SSL_ERROR\n";
    print $tls "GET /index.html HTTP/1.0\r\nHost: $host\r\n\r\n";
    print while <$tls>;
    $tls->close;
}
