// HTTPS requests by Go's own TLS. Argument: JSON {host, port, servername, ca, timeout, requests, keylog, groups, minVersion}.
// Prints one JSON line a request: what came, or which error; a session is offered again from one request to the next.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

type options struct {
	Host       string
	Port       int
	Servername string
	Ca         string
	Timeout    int
	Requests   int
	Keylog     string
	Groups     []tls.CurveID
	MaxVersion string
}

type outcome struct {
	Error    *string `json:"error"`
	Bytes    int64   `json:"bytes"`
	Protocol *string `json:"protocol"`
	Resumed  bool    `json:"resumed"`
	Millis   int64   `json:"millis"`
}

func main() {
	given := options{Port: 443, Timeout: 10000, Requests: 1}
	if err := json.Unmarshal([]byte(os.Args[1]), &given); err != nil {
		panic(err)
	}
	config := &tls.Config{ServerName: given.Servername, ClientSessionCache: tls.NewLRUClientSessionCache(8), CurvePreferences: given.Groups}
	if given.MaxVersion == "TLSv1.2" {
		config.MaxVersion = tls.VersionTLS12
	}
	if given.Ca != "" {
		pem, err := os.ReadFile(given.Ca)
		if err != nil {
			panic(err)
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(pem)
	}
	if given.Keylog != "" {
		log, err := os.OpenFile(given.Keylog, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		config.KeyLogWriter = log
	}
	for n := 0; n < given.Requests; n++ {
		line, _ := json.Marshal(request(given, config))
		fmt.Println(string(line))
	}
}

func request(given options, config *tls.Config) outcome {
	began := time.Now()
	result := outcome{}
	finish := func(err error) outcome {
		if err != nil && err != io.EOF {
			text := err.Error()
			result.Error = &text
		}
		result.Millis = time.Since(began).Milliseconds()
		return result
	}
	timeout := time.Duration(given.Timeout) * time.Millisecond
	socket, err := net.DialTimeout("tcp", net.JoinHostPort(given.Host, fmt.Sprint(given.Port)), timeout)
	if err != nil {
		return finish(err)
	}
	defer socket.Close()
	socket.SetDeadline(began.Add(timeout))
	connection := tls.Client(socket, config)
	if err := connection.Handshake(); err != nil {
		return finish(err)
	}
	protocol := fmt.Sprintf("%x", connection.ConnectionState().Version)
	result.Protocol = &protocol
	result.Resumed = connection.ConnectionState().DidResume
	if _, err := connection.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		return finish(err)
	}
	result.Bytes, err = io.Copy(io.Discard, connection)
	return finish(err)
}
