# WEBrick. Arguments: port, certificate file, key file, folder, version of TLS.
require 'webrick'
require 'webrick/https'

port, cert, key, folder, version = ARGV
chain = File.read(cert).scan(/-----BEGIN.*?-----END CERTIFICATE-----/m).map { |pem| OpenSSL::X509::Certificate.new(pem) }
server = WEBrick::HTTPServer.new(
  Port: port.to_i, DocumentRoot: folder, SSLEnable: true, SSLCertificate: chain[0], SSLExtraChainCert: chain[1..],
  SSLPrivateKey: OpenSSL::PKey.read(File.read(key)), AccessLog: []
)
server.ssl_context.min_version = server.ssl_context.max_version =
  version == '1.3' ? OpenSSL::SSL::TLS1_3_VERSION : OpenSSL::SSL::TLS1_2_VERSION
server.start
