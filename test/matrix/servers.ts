/**
 * The servers of the matrix: each serves `$DIR/index.html` on `$PORT` over one version of TLS, from `$CERT` (the leaf, then its
 * issuer) and `$KEY`; all else is as its users have it who change nothing. It is a script for the shell that stays.
 */
import { packaged, type Program } from './program.ts';

export interface Server extends Program {
  /** What TLS begins in; nothing for HTTPS. */
  readonly speaks?: string;
  readonly serve: string;
  /** What shows that its page was got, where it serves none of ours. */
  readonly page?: RegExp;
}

/** Plain HTTP for those that only end TLS. */
const BEHIND = '/usr/bin/python3 -m http.server $((PORT + 10000)) --bind 127.0.0.1 -d $DIR > /dev/null 2>&1 &';
const BOTH = 'cat $CERT $KEY > $DIR/both.pem';

function nginx(listen: string): string {
  return `cat > $DIR/conf <<END
    daemon off; user root; worker_processes 1; pid $DIR/pid; error_log stderr; events {}
    http { access_log off; types { text/html html; }
      server { listen $PORT ${listen}; ssl_certificate $CERT; ssl_certificate_key $KEY; ssl_protocols TLSv$VERSION;
        ssl_session_cache shared:a:1m; keepalive_timeout 0; root $DIR; } }
END
    exec nginx -p $DIR -c $DIR/conf`;
}

function apache(mpm: string, workers: string): string {
  return `cat > $DIR/conf <<END
ServerName $HOST
ServerRoot $DIR
DefaultRuntimeDir $DIR
PidFile $DIR/pid
Mutex file:$DIR
ErrorLog $DIR/errors
User www-data
Group www-data
LoadModule mpm_${mpm}_module /usr/lib/apache2/modules/mod_mpm_${mpm}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
TypesConfig /etc/mime.types
DocumentRoot $DIR
Listen $PORT
${workers}
KeepAlive Off
SSLSessionCache shmcb:$DIR/cache(512000)
SSLEngine on
SSLProtocol -all +TLSv$VERSION
SSLCertificateFile $CERT
SSLCertificateKeyFile $KEY
END
    exec apache2 -f $DIR/conf -DFOREGROUND`;
}

const SITES: readonly Server[] = [
  { name: 'nginx', debian: 'nginx-light', version: 'nginx -v', serve: nginx('ssl') },
  { name: 'nginx, HTTP/2', debian: 'nginx-light', version: 'nginx -v', serve: nginx('ssl http2') },
  {
    name: 'Apache, event',
    debian: 'apache2',
    version: packaged('apache2-bin'),
    serve: apache('event', 'StartServers 1'),
  },
  {
    name: 'Apache, prefork with five processes',
    debian: 'apache2',
    version: packaged('apache2-bin'),
    serve: apache('prefork', 'StartServers 5\nMaxRequestWorkers 5'),
  },
  {
    name: 'lighttpd',
    debian: 'lighttpd lighttpd-mod-openssl',
    version: packaged('lighttpd-mod-openssl'),
    serve: `cat > $DIR/conf <<END
server.document-root = "$DIR"
server.port = $PORT
server.modules = ("mod_openssl")
server.max-keep-alive-requests = 0
mimetype.assign = (".html" => "text/html")
ssl.engine = "enable"
ssl.pemfile = "$CERT"
ssl.privkey = "$KEY"
ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv$VERSION", "MaxProtocol" => "TLSv$VERSION")
END
      exec lighttpd -D -f $DIR/conf`,
  },
  {
    name: 'HAProxy',
    debian: 'haproxy',
    version: 'haproxy -v',
    serve: `${BOTH}
      cat > $DIR/conf <<END
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 5s
  option httpclose
frontend bank
  bind :$PORT ssl crt $DIR/both.pem ssl-min-ver TLSv$VERSION ssl-max-ver TLSv$VERSION
  http-request return status 200 content-type text/html file $DIR/index.html
END
      exec haproxy -db -f $DIR/conf`,
  },
  {
    name: 'Caddy',
    debian: 'caddy',
    version: packaged('caddy'),
    serve: `cat > $DIR/Caddyfile <<END
{
  admin off
  auto_https off
  servers {
    protocols h1 h2
  }
}
https://$HOST:$PORT {
  tls $CERT $KEY {
    protocols tls$VERSION tls$VERSION
  }
  root * $DIR
  file_server
}
END
      HOME=$DIR exec caddy run --adapter caddyfile --config $DIR/Caddyfile`,
  },
  {
    name: 'h2o',
    debian: 'h2o',
    version: packaged('h2o'),
    serve: `cat > $DIR/conf <<END
user: root
listen:
  port: $PORT
  ssl:
    certificate-file: $CERT
    key-file: $KEY
    minimum-version: TLSv$VERSION
    maximum-version: TLSv$VERSION
hosts:
  default:
    paths:
      /:
        file.dir: $DIR
END
      exec h2o -c $DIR/conf`,
  },
];

const ENDS: readonly Server[] = [
  {
    name: 'stunnel',
    debian: 'stunnel4',
    version: packaged('stunnel4'),
    serve: `${BEHIND}
      cat > $DIR/conf <<END
foreground = yes
pid =
[https]
accept = $PORT
connect = 127.0.0.1:$((PORT + 10000))
cert = $CERT
key = $KEY
sslVersion = TLSv$VERSION
END
      exec stunnel4 $DIR/conf`,
  },
  {
    name: 'hitch',
    debian: 'hitch',
    version: packaged('hitch'),
    serve: `${BEHIND}
      ${BOTH}
      cat > $DIR/conf <<END
frontend = "[*]:$PORT"
backend = "[127.0.0.1]:$((PORT + 10000))"
pem-file = "$DIR/both.pem"
tls-protos = TLSv$VERSION
daemon = off
workers = 1
user = "www-data"
END
      exec hitch --config=$DIR/conf`,
  },
  {
    name: 'socat',
    debian: 'socat',
    version: "socat -V | sed -n 's/socat version/version/p'",
    serve: `printf 'HTTP/1.0 200 OK\\r\\nContent-Type: text/html\\r\\n\\r\\n' | cat - $DIR/index.html > $DIR/answer
      exec socat OPENSSL-LISTEN:$PORT,reuseaddr,fork,cert=$CERT,key=$KEY,verify=0,$(
        )openssl-min-proto-version=TLS$VERSION,openssl-max-proto-version=TLS$VERSION SYSTEM:"read line; cat $DIR/answer"`,
  },
];

const LIBRARIES: readonly Server[] = [
  {
    name: 'openssl s_server',
    debian: 'openssl',
    version: 'openssl version',
    serve:
      'cd $DIR; exec openssl s_server -accept $PORT -cert $CERT -cert_chain $CERT -key $KEY -tls1_${VERSION#1.} -WWW -quiet',
  },
  {
    name: 'gnutls-serv',
    debian: 'gnutls-bin',
    version: 'gnutls-serv --version',
    serve: `exec gnutls-serv --http --quiet --port $PORT --x509certfile $CERT --x509keyfile $KEY \
      --priority NORMAL:-VERS-ALL:+VERS-TLS$VERSION`,
    page: /This is <a href=.*GnuTLS/i,
  },
  {
    name: 'selfserv (NSS)',
    debian: 'libnss3-tools',
    version: `command -v selfserv >/dev/null && ${packaged('libnss3-tools')}`,
    serve: `certutil -N -d sql:$DIR --empty-password
      openssl pkcs12 -export -in $CERT -inkey $KEY -name bank -passout pass:matrix -out $DIR/bank.p12
      pk12util -i $DIR/bank.p12 -d sql:$DIR -W matrix
      exec selfserv -d sql:$DIR -n bank -p $PORT -V tls$VERSION:tls$VERSION`,
    page: /Generic Web Server/,
  },
  {
    name: 'Go net/http',
    debian: 'golang-go',
    version: 'go version',
    serve: 'exec $BUILT/serve $PORT $CERT $KEY $DIR $VERSION',
  },
  {
    name: 'Node.js https',
    debian: 'nodejs',
    version: 'node --version',
    serve: 'exec node $PEERS/serve.mjs $PORT $CERT $KEY $DIR $VERSION',
  },
  {
    name: 'Java HttpsServer',
    debian: 'default-jdk-headless',
    version: 'javac --version',
    serve: `openssl pkcs12 -export -in $CERT -inkey $KEY -name bank -passout pass:matrix -out $DIR/bank.p12
      exec java -XX:TieredStopAtLevel=1 -cp $BUILT Serve $PORT $DIR/bank.p12 $DIR $VERSION`,
  },
  {
    name: 'Python http.server',
    debian: 'python3',
    version: '/usr/bin/python3 --version',
    serve: 'exec /usr/bin/python3 $PEERS/serve.py $PORT $CERT $KEY $DIR $VERSION',
  },
  {
    name: 'Ruby WEBrick',
    debian: 'ruby ruby-webrick',
    version: packaged('ruby-webrick'),
    serve: 'exec ruby $PEERS/serve.rb $PORT $CERT $KEY $DIR $VERSION',
  },
];

export const SERVERS: readonly Server[] = [...SITES, ...ENDS, ...LIBRARIES];
