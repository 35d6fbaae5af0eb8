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
	page, err := os.ReadFile(os.Args[4] + "/index.html")
	if err != nil {
		panic(err)
	}
	server := &http.Server{
		Addr:      ":" + os.Args[1],
		Handler:   http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) { answer.Write(page) }),
		TLSConfig: &tls.Config{MinVersion: version, MaxVersion: version},
	}
	server.SetKeepAlivesEnabled(false)
	panic(server.ListenAndServeTLS(os.Args[2], os.Args[3]))
}
