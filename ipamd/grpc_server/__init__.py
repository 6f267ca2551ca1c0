"""A gRPC server on a unix socket, for unary and server-streaming methods; HTTP/2 is in it, TLS is not."""
