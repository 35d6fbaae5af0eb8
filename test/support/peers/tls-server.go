// A TLS server of Go's standard library that answers each request with a word. Arguments: address, certificate file, key
// file. Says "listening" once it does.
package main

import (
	"crypto/tls"
	"fmt"
	"os"
)

func main() {
	certificate, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
	if err != nil {
		panic(err)
	}
	listener, err := tls.Listen("tcp", os.Args[1], &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		panic(err)
	}
	fmt.Println("listening")
	for {
		connection, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer connection.Close()
			if err := connection.(*tls.Conn).Handshake(); err != nil {
				fmt.Println("handshake:", err)
				return
			}
			if n, _ := connection.Read(make([]byte, 4096)); n > 0 {
				fmt.Fprint(connection, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
			}
		}()
	}
}
