// The peer of bench/handshakes.py: captures the whole presented chain of HOST/SNI pairs with crypto/tls
// and verifies it against the given roots, as a scanner in Go would.
//
//	goscan -roots roots.pem -pairs pairs.txt -concurrency 200 -out rows.jsonl
//
// A pair is a line "name address:port". A row has the same fields as bench/kz_client.py writes.
package main

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

type row struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Cipher  string   `json:"cipher"`
	ALPN    string   `json:"alpn"`
	Chain   []string `json:"chain"`
	Failure string   `json:"failure"`
}

var versions = map[uint16]string{
	tls.VersionTLS10: "TLSv1", tls.VersionTLS11: "TLSv1.1", tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3",
}

// failure names the result of the verification as OONI does.
func failure(err error) string {
	var hostname x509.HostnameError
	var authority x509.UnknownAuthorityError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &hostname):
		return "ssl_invalid_hostname"
	case errors.As(err, &authority):
		return "ssl_unknown_authority"
	default:
		return "ssl_invalid_certificate"
	}
}

func capture(name, address string, roots *x509.CertPool, timeout time.Duration) row {
	dialer := &net.Dialer{Timeout: timeout}
	raw, err := dialer.Dial("tcp", address)
	if err != nil {
		return row{Name: name, Failure: err.Error()}
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(timeout))
	conn := tls.Client(raw, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	if err := conn.Handshake(); err != nil {
		return row{Name: name, Failure: err.Error()}
	}
	state := conn.ConnectionState()
	out := row{Name: name, Version: versions[state.Version], Cipher: tls.CipherSuiteName(state.CipherSuite), ALPN: state.NegotiatedProtocol}
	intermediates := x509.NewCertPool()
	for i, certificate := range state.PeerCertificates {
		digest := sha256.Sum256(certificate.Raw)
		out.Chain = append(out.Chain, hex.EncodeToString(digest[:]))
		if i > 0 {
			intermediates.AddCert(certificate)
		}
	}
	_, err = state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: intermediates})
	out.Failure = failure(err)
	return out
}

func main() {
	rootsFile := flag.String("roots", "", "PEM file of the trusted roots")
	pairsFile := flag.String("pairs", "", "file of lines: name address:port")
	concurrency := flag.Int("concurrency", 200, "connections at once")
	outFile := flag.String("out", "", "file to write rows to")
	flag.Parse()

	pem, err := os.ReadFile(*rootsFile)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	pairs, err := os.Open(*pairsFile)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	out, err := os.Create(*outFile)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}

	lines := make(chan string, *concurrency)
	rows := make(chan row, *concurrency)
	var workers sync.WaitGroup
	for i := 0; i < *concurrency; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for line := range lines {
				name, address, _ := strings.Cut(line, " ")
				rows <- capture(name, address, roots, 30*time.Second)
			}
		}()
	}
	go func() {
		scanner := bufio.NewScanner(pairs)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
		close(lines)
		workers.Wait()
		close(rows)
	}()
	buffered := bufio.NewWriterSize(out, 1<<16)
	encoder := json.NewEncoder(buffered)
	for r := range rows {
		_ = encoder.Encode(r)
	}
	_ = buffered.Flush()
	_ = out.Close()
}
