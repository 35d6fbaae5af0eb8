/**
 * The clients of the matrix: each asks for the page twice, over two connections where it can be told to, and offers the
 * first one's session on the second if that is what it does. It is a script for the shell that finds `$URL`, `$HOST`, `$PORT`
 * and `$PEERS` (the folder of programs), and whose output or files hold the page. All of them trust both authorities,
 * as their systems do; none is told anything else that its users do not tell it.
 */
import { packaged, type Program } from './program.ts';

export interface Client extends Program {
  /** What TLS begins in; nothing for HTTPS. */
  readonly speaks?: string;
  readonly ask: string;
  /** What shows that it got the page, for those that do not print it. */
  readonly got?: RegExp;
}

const REQUEST = `printf 'GET /index.html HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' $HOST`;
const twice = (command: string): string => `for time in 1 2; do ${command}; done`;

const LIBRARIES: readonly Client[] = [
  {
    name: 'openssl s_client',
    debian: 'openssl',
    version: 'openssl version',
    ask: `for session in '' '-sess_in session'; do
      { ${REQUEST}; sleep 0.5; } | openssl s_client -connect $HOST:$PORT -servername $HOST -verify_return_error -quiet \
        -sess_out session $session; done`,
  },
  {
    name: 'gnutls-cli',
    debian: 'gnutls-bin',
    version: 'gnutls-cli --version',
    ask: `{ ${REQUEST}; sleep 1; } | gnutls-cli --resume --waitresumption -p $PORT $HOST`,
  },
  {
    name: 'tstclnt (NSS)',
    debian: 'libnss3-tools',
    version: `command -v tstclnt >/dev/null && ${packaged('libnss3-tools')}`,
    ask: `certutil -N -d sql:. --empty-password
      csplit -s -z -f ca /etc/ssl/certs/ca-certificates.crt '/BEGIN/' '{*}'
      for ca in ca0*; do certutil -A -d sql:. -n $ca -t C,, -i $ca; done
      ${REQUEST} > request; tstclnt -d sql:. -h $HOST -p $PORT -A request`,
  },
  {
    name: 'socat',
    debian: 'socat',
    version: "socat -V | sed -n 's/socat version/version/p'",
    ask: twice(`${REQUEST} | socat -t 5 - OPENSSL:$HOST:$PORT,cafile=/etc/ssl/certs/ca-certificates.crt`),
  },
  {
    name: 'ncat',
    debian: 'ncat',
    version: 'ncat --version',
    ask: twice(`${REQUEST} | ncat --ssl-verify --ssl-trustfile /etc/ssl/certs/ca-certificates.crt $HOST $PORT`),
  },
];

const LANGUAGES: readonly Client[] = [
  {
    name: 'Python ssl',
    debian: 'python3',
    version: '/usr/bin/python3 --version',
    ask: '/usr/bin/python3 $PEERS/ask.py $HOST $PORT',
  },
  {
    name: 'Python requests',
    debian: 'python3-requests',
    version: packaged('python3-requests'),
    ask: "/usr/bin/python3 -c 'import requests, sys; [print(requests.get(sys.argv[1], timeout=10).text) for _ in range(2)]' $URL",
  },
  {
    name: 'Python aiohttp',
    debian: 'python3-aiohttp',
    version: packaged('python3-aiohttp'),
    ask: '/usr/bin/python3 $PEERS/ask-aiohttp.py $URL',
  },
  {
    name: 'Python httpx',
    debian: 'python3-httpx',
    version: packaged('python3-httpx'),
    ask: "/usr/bin/python3 -c 'import httpx, sys; [print(httpx.get(sys.argv[1]).text) for _ in range(2)]' $URL",
  },
  {
    name: 'pycurl (libcurl, GnuTLS)',
    debian: 'python3-pycurl',
    version: packaged('libcurl3-gnutls'),
    ask: '/usr/bin/python3 $PEERS/ask-pycurl.py $URL',
  },
  {
    name: 'Perl IO::Socket::SSL',
    debian: 'libio-socket-ssl-perl',
    version: packaged('libio-socket-ssl-perl'),
    ask: 'perl $PEERS/ask.pl $HOST $PORT',
  },
  {
    name: 'Perl LWP',
    debian: 'libwww-perl liblwp-protocol-https-perl',
    version: packaged('liblwp-protocol-https-perl'),
    ask: 'lwp-request -m GET $URL $URL',
  },
  {
    name: 'Ruby net/http',
    debian: 'ruby',
    version: 'ruby --version',
    ask: "ruby -ropen-uri -e '2.times { puts URI.open(ARGV[0]).read }' $URL",
  },
  {
    name: 'PHP streams',
    debian: 'php-cli',
    version: 'php --version',
    ask: "php -r 'for ($i = 0; $i < 2; $i++) echo file_get_contents($argv[1]);' $URL",
  },
  {
    name: 'PHP curl',
    debian: 'php-cli php-curl',
    version: packaged('php8.2-curl'),
    ask: `php -r '$c = curl_init($argv[1]); curl_setopt($c, CURLOPT_FORBID_REUSE, true); curl_exec($c); curl_exec($c);' $URL`,
  },
  { name: 'Go net/http', debian: 'golang-go', version: 'go version', ask: '$BUILT/ask $URL' },
  {
    name: 'Node.js https',
    debian: 'nodejs',
    version: 'node --version',
    ask: 'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt node $PEERS/ask.mjs https $URL',
  },
  {
    name: 'Node.js fetch',
    debian: 'nodejs',
    version: 'node --version',
    ask: 'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt node $PEERS/ask.mjs fetch $URL',
  },
  {
    name: 'Java HttpsURLConnection',
    debian: 'default-jdk-headless',
    version: 'javac --version',
    ask: 'java -XX:TieredStopAtLevel=1 -cp $BUILT Ask connection $URL',
  },
  {
    name: 'Java HttpClient',
    debian: 'default-jdk-headless',
    version: 'javac --version',
    ask: 'java -XX:TieredStopAtLevel=1 -cp $BUILT Ask client $URL',
  },
  {
    name: 'Erlang httpc',
    debian: 'erlang-base erlang-ssl erlang-inets',
    version: packaged('erlang-ssl'),
    ask: 'escript $PEERS/ask.escript $URL',
  },
  { name: 'LuaSec', debian: 'lua-sec', version: packaged('lua-sec'), ask: 'lua $PEERS/ask.lua $HOST $PORT' },
  { name: 'Tcl tls', debian: 'tcl-tls', version: packaged('tcl-tls'), ask: 'tclsh $PEERS/ask.tcl $URL' },
  {
    name: 'Emacs (GnuTLS)',
    debian: 'emacs-nox',
    version: 'emacs --version',
    ask: `emacs --batch --eval "(dotimes (_ 2) (with-current-buffer (url-retrieve-synchronously \\"$URL\\" t t 8) (princ (buffer-string))))"`,
  },
];

const TOOLS: readonly Client[] = [
  {
    name: 'curl (OpenSSL)',
    debian: 'curl',
    version: 'curl --version',
    ask: "curl -sS --max-time 12 -H 'Connection: close' $URL $URL",
  },
  {
    name: 'wget',
    debian: 'wget',
    version: 'wget --version',
    ask: 'wget -q -O - --tries=1 --timeout=12 --no-http-keep-alive $URL $URL',
  },
  {
    name: 'wget2',
    debian: 'wget2',
    version: 'wget2 --version',
    ask: twice('wget2 -q -O - --tries=1 --timeout=12 --no-http-keep-alive --tls-session-file=sessions $URL'),
  },
  { name: 'httpie', debian: 'httpie', version: packaged('httpie'), ask: twice('https --ignore-stdin --body $URL') },
  {
    name: 'aria2',
    debian: 'aria2',
    version: 'aria2c --version',
    ask: twice('aria2c -q --no-conf --max-tries=1 --allow-overwrite=true -o page $URL'),
  },
  { name: 'axel', debian: 'axel', version: 'axel --version', ask: 'axel -q -n 2 -o page $URL' },
  {
    name: 'lftp',
    debian: 'lftp',
    version: "lftp --version | sed -n 's/LFTP | Version/version/p'",
    ask: 'lftp -c "set net:max-retries 1; set net:timeout 8; cat $URL; close; cat $URL"',
  },
  { name: 'lynx', debian: 'lynx', version: packaged('lynx'), ask: twice('lynx -dump $URL < /dev/null') },
  { name: 'w3m', debian: 'w3m', version: packaged('w3m'), ask: twice('w3m -dump $URL < /dev/null') },
  { name: 'links', debian: 'links', version: packaged('links'), ask: twice('links -dump $URL < /dev/null') },
  {
    name: 'elinks',
    debian: 'elinks',
    version: packaged('elinks'),
    ask: twice('elinks -no-connect -dump $URL < /dev/null'),
  },
  { name: 'httrack', debian: 'httrack', version: packaged('httrack'), ask: 'httrack -q -r1 -R0 -T8 -O . $URL' },
  {
    name: 'git',
    debian: 'git',
    version: 'git --version',
    ask: twice('git ls-remote ${URL%/*}'),
    got: /not valid: is this a git|repository '.*' not found/,
  },
  {
    name: 'ab',
    debian: 'apache2-utils',
    version: 'ab -V',
    ask: 'ab -q -n 2 -s 8 $URL',
    got: /HTML transferred:\s+[1-9]/,
  },
  { name: 'wrk', debian: 'wrk', version: packaged('wrk'), ask: 'wrk -t1 -c2 -d1 $URL', got: /[1-9]\d* requests in/ },
  {
    name: 'siege',
    debian: 'siege',
    version: packaged('siege'),
    ask: 'siege --no-parser -c1 -r2 $URL',
    got: /"?successful_transactions"?:\s+[1-9]/i,
  },
  {
    name: 'hey',
    debian: 'hey',
    version: packaged('hey'),
    ask: 'hey -n 2 -c 1 -disable-keepalive $URL',
    got: /\[200\]\s+[1-9]/,
  },
  { name: 'nghttp', debian: 'nghttp2-client', version: 'nghttp --version', ask: twice('nghttp $URL') },
  {
    name: 'Chromium',
    debian: 'chromium libnss3-tools',
    version: packaged('chromium'),
    ask: `mkdir -p .pki/nssdb; certutil -N -d sql:.pki/nssdb --empty-password
      csplit -s -z -f ca /etc/ssl/certs/ca-certificates.crt '/BEGIN/' '{*}'
      for ca in ca0*; do certutil -A -d sql:.pki/nssdb -n $ca -t C,, -i $ca; done
      chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking \
        --disable-component-update --no-first-run --user-data-dir=profile --dump-dom $URL`,
  },
  {
    name: 'Firefox',
    debian: 'firefox-esr libnss3-tools',
    version: packaged('firefox-esr'),
    ask: 'node $PEERS/ask-firefox.mjs $URL /etc/ssl/certs/ca-certificates.crt',
  },
];

export const CLIENTS: readonly Client[] = [...LIBRARIES, ...LANGUAGES, ...TOOLS];
