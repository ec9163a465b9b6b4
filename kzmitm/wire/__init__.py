"""TLS without sockets: hellos, our own client, OpenSSL as the second engine, proofs."""
