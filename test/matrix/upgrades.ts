/**
 * Servers and clients whose TLS begins inside another protocol. What `clients.ts` and `servers.ts` say of scripts holds here as
 * well; what shows that a client came through is what it says once TLS is there.
 */
import type { Client } from './clients.ts';
import { packaged } from './program.ts';
import type { Server } from './servers.ts';

/** For servers that cannot be told a version of TLS, but whose OpenSSL can. */
const OPENSSL_CONF = `cat > $DIR/openssl.cnf <<END
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = versions
[versions]
MinProtocol = TLSv$VERSION
MaxProtocol = TLSv$VERSION
END
export OPENSSL_CONF=$DIR/openssl.cnf`;

export const UPGRADING_SERVERS: readonly Server[] = [
  {
    name: 'Postfix',
    speaks: 'smtp',
    debian: 'postfix',
    version: packaged('postfix'),
    serve: `mkdir $DIR/etc $DIR/queue $DIR/data; chown postfix $DIR/data
      cat > $DIR/etc/main.cf <<END
compatibility_level = 3.6
queue_directory = $DIR/queue
data_directory = $DIR/data
myhostname = $HOST
mydestination = $HOST
local_recipient_maps =
smtpd_tls_security_level = may
smtpd_tls_cert_file = $CERT
smtpd_tls_key_file = $KEY
smtpd_tls_protocols = TLSv$VERSION
smtpd_tls_mandatory_protocols = TLSv$VERSION
END
      cat > $DIR/etc/master.cf <<END
$PORT inet n - n - - smtpd
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
rewrite unix - - n - - trivial-rewrite
postlog unix-dgram n - n - 1 postlogd
END
      exec postfix -c $DIR/etc start-fg`,
  },
  {
    name: 'PostgreSQL',
    speaks: 'postgres',
    debian: 'postgresql',
    version: '$(ls /usr/lib/postgresql/*/bin/postgres | head -n 1) --version',
    serve: `bin=$(dirname $(ls /usr/lib/postgresql/*/bin/postgres | head -n 1))
      cp $CERT $DIR/cert.pem; cp $KEY $DIR/key.pem; chown -R postgres $DIR; chmod 600 $DIR/key.pem; cd $DIR
      as='setpriv --reuid postgres --regid postgres --init-groups'
      $as $bin/initdb -D $DIR/data -A trust > /dev/null
      echo 'host all all all trust' >> $DIR/data/pg_hba.conf
      exec $as $bin/postgres -D $DIR/data -p $PORT -h '*' -k $DIR -c ssl=on -c ssl_cert_file=$DIR/cert.pem \
        -c ssl_key_file=$DIR/key.pem -c ssl_min_protocol_version=TLSv$VERSION -c ssl_max_protocol_version=TLSv$VERSION`,
  },
  {
    name: 'MariaDB',
    speaks: 'mysql',
    debian: 'mariadb-server',
    version: packaged('mariadb-server'),
    // Two of them that start at once remove each other's tables from /tmp.
    serve: `export TMPDIR=$DIR; chown mysql $DIR; cp $KEY $DIR/key.pem; chown mysql $DIR/key.pem
      mariadb-install-db --no-defaults --user=mysql --datadir=$DIR/data > /dev/null
      exec mariadbd --no-defaults --user=mysql --datadir=$DIR/data --port=$PORT --socket=$DIR/socket --skip-grant-tables \
        --ssl-cert=$CERT --ssl-key=$DIR/key.pem --tls-version=TLSv$VERSION`,
  },
  {
    name: 'OpenLDAP',
    speaks: 'ldap',
    debian: 'slapd',
    version: packaged('slapd'),
    serve: `cat > $DIR/conf <<END
TLSCertificateFile $CERT
TLSCertificateKeyFile $KEY
TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS$VERSION
pidfile $DIR/pid
END
      exec slapd -d 0 -f $DIR/conf -h ldap://0.0.0.0:$PORT`,
  },
  {
    name: 'vsftpd',
    speaks: 'ftp',
    debian: 'vsftpd',
    version: packaged('vsftpd'),
    serve: `${OPENSSL_CONF}
      mkdir $DIR/empty; chmod 755 $DIR
      cat > $DIR/conf <<END
listen=YES
listen_port=$PORT
background=NO
secure_chroot_dir=$DIR/empty
anonymous_enable=YES
anon_root=$DIR
ssl_enable=YES
allow_anon_ssl=YES
require_ssl_reuse=NO
rsa_cert_file=$CERT
rsa_private_key_file=$KEY
END
      exec vsftpd $DIR/conf`,
  },
];

const SPOKEN = ['smtp', 'postgres', 'mysql', 'ldap', 'ftp'] as const;

function openssl(protocol: string): Client {
  return {
    name: 'openssl s_client',
    speaks: protocol,
    debian: 'openssl',
    version: 'openssl version',
    ask: `openssl s_client -starttls ${protocol} -connect $HOST:$PORT -servername $HOST -verify_return_error -brief < /dev/null`,
    got: /CONNECTION ESTABLISHED/,
  };
}

function gnutls(protocol: string): Client {
  return {
    name: 'gnutls-cli',
    speaks: protocol,
    debian: 'gnutls-bin',
    version: 'gnutls-cli --version',
    ask: `sleep 1 | gnutls-cli --starttls-proto=${protocol} -p $PORT $HOST`,
    got: /Handshake was completed/,
  };
}

function curl(protocol: string): Client {
  return {
    name: 'curl (OpenSSL)',
    speaks: protocol,
    debian: 'curl',
    version: 'curl --version',
    ask: `curl -sv --max-time 12 --ssl-reqd ${protocol}://$HOST:$PORT/`,
    got: /SSL certificate verify ok/,
  };
}

function python(protocol: string): Client {
  return {
    name: 'Python',
    speaks: protocol,
    debian: 'python3',
    version: '/usr/bin/python3 --version',
    ask: `/usr/bin/python3 $PEERS/upgrade.py ${protocol} $HOST $PORT`,
    got: /over TLSv1/,
  };
}

export const UPGRADING_CLIENTS: readonly Client[] = [
  ...SPOKEN.map(openssl),
  ...['smtp', 'ldap', 'ftp', 'postgres'].map(gnutls),
  ...['smtp', 'ftp'].map(curl),
  ...['smtp', 'ftp'].map(python),
  {
    name: 'swaks',
    speaks: 'smtp',
    debian: 'swaks',
    version: packaged('swaks'),
    ask: 'swaks --server $HOST --port $PORT --tls --tls-verify --to root@$HOST --quit-after RCPT',
    got: /TLS started with cipher/,
  },
  {
    name: 'msmtp',
    speaks: 'smtp',
    debian: 'msmtp',
    version: 'msmtp --version',
    ask: `msmtp --serverinfo --host=$HOST --port=$PORT --tls=on --tls-starttls=on \
      --tls-trust-file=/etc/ssl/certs/ca-certificates.crt`,
    got: /TLS certificate information|TLS session/,
  },
  {
    name: 'psql',
    speaks: 'postgres',
    debian: 'postgresql-client',
    version: 'psql --version',
    ask: `psql "host=$HOST port=$PORT user=postgres sslmode=verify-full sslrootcert=/etc/ssl/certs/ca-certificates.crt" \
      -c "select 'through ' || version from pg_stat_ssl where pid = pg_backend_pid()"`,
    got: /through TLSv1/,
  },
  {
    name: 'mariadb',
    speaks: 'mysql',
    debian: 'mariadb-client',
    version: packaged('mariadb-client'),
    ask: `mariadb --no-defaults -h $HOST -P $PORT -u root --ssl-ca=/etc/ssl/certs/ca-certificates.crt --ssl-verify-server-cert \
      -e "show status like 'Ssl_version'"`,
    got: /TLSv1/,
  },
  {
    name: 'ldapsearch',
    speaks: 'ldap',
    debian: 'ldap-utils',
    version: packaged('ldap-utils'),
    ask: "LDAPTLS_CACERT=/etc/ssl/certs/ca-certificates.crt ldapsearch -ZZ -x -H ldap://$HOST:$PORT -s base -b '' supportedLDAPVersion",
    got: /supportedLDAPVersion: 3/,
  },
  {
    name: 'lftp',
    speaks: 'ftp',
    debian: 'lftp',
    version: "lftp --version | sed -n 's/LFTP | Version/version/p'",
    ask: 'lftp -c "set net:max-retries 1; set net:timeout 8; set ftp:ssl-force true; set ftp:ssl-allow-anonymous true; set ftp:ssl-protect-data true; open -p $PORT $HOST; cat index.html"',
    got: /the (genuine|forged) page/,
  },
];
