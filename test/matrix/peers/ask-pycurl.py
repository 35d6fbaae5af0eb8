"""libcurl as Debian's Python has it, which is linked with GnuTLS. Argument: the URL."""
import sys

import pycurl

curl = pycurl.Curl()
curl.setopt(pycurl.URL, sys.argv[1])
curl.setopt(pycurl.FORBID_REUSE, True)
curl.setopt(pycurl.WRITEFUNCTION, lambda octets: print(octets.decode()))
curl.perform()
curl.perform()
