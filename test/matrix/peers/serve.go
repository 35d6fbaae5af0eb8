// Go's net/http as a server. Arguments: port, certificate file, key file, folder, version of TLS.
package main

import (
	"crypto/tls"
	"net/http"
	"os"
)

func main() {
	version := uint16(tls.VersionTLS12)
	if os.Args[5] == "1.3" {
		version = tls.VersionTLS13
	}
	server := &http.Server{
		Addr:      ":" + os.Args[1],
		Handler:   http.FileServer(http.Dir(os.Args[4])),
		TLSConfig: &tls.Config{MinVersion: version, MaxVersion: version},
	}
	server.SetKeepAlivesEnabled(false)
	panic(server.ListenAndServeTLS(os.Args[2], os.Args[3]))
}
