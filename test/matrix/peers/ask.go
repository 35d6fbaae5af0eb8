// Go's net/http with a cache of sessions and a connection for each request. Argument: the URL.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	transport := &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(4)},
	}
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	for i := 0; i < 2; i++ {
		answer, err := client.Get(os.Args[1])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		body, _ := io.ReadAll(answer.Body)
		fmt.Println(string(body))
	}
}
