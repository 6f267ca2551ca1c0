// Calls a server by grpc-go, which most clients of a gRPC socket are built with. Requests and answers are raw
// octets, so nothing is generated here: the test has the messages.
//
//	client SOCKET unary METHOD COUNT        standard input is the request; prints how the calls ended
//	client SOCKET stream METHOD MESSAGES    the same, until so many messages have come; then it goes
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

type raw struct{}

func (raw) Name() string                       { return "proto" }
func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }

func main() {
	socket, kind, method := os.Args[1], os.Args[2], os.Args[3]
	count, err := strconv.Atoi(os.Args[4])
	check(err)
	request, err := io.ReadAll(os.Stdin)
	check(err)
	connection, err := grpc.NewClient("unix:"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(64<<20)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, PermitWithoutStream: true}))
	check(err)
	defer connection.Close()
	if kind == "stream" {
		stream(connection, method, request, count)
		return
	}
	outcomes := make([]string, count)
	var waiting sync.WaitGroup
	for i := range count {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			outcomes[i] = unary(connection, method, request)
		}()
	}
	waiting.Wait()
	for _, outcome := range outcomes {
		fmt.Println(outcome)
	}
}

func unary(connection *grpc.ClientConn, method string, request []byte) string {
	ctx, cancel := context.WithTimeout(context.Background(), timeout())
	defer cancel()
	var answer []byte
	err := connection.Invoke(ctx, method, &request, &answer)
	return fmt.Sprintf("%s %d %s", status.Code(err), len(answer), status.Convert(err).Message())
}

func stream(connection *grpc.ClientConn, method string, request []byte, count int) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout())
	defer cancel()
	messages, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	check(err)
	check(messages.SendMsg(&request))
	check(messages.CloseSend())
	octets := 0
	for range count {
		var message []byte
		check(messages.RecvMsg(&message))
		octets += len(message)
	}
	fmt.Println("OK", octets)
}

func timeout() time.Duration {
	wanted, err := time.ParseDuration(os.Getenv("CALL_TIMEOUT"))
	if err != nil {
		return 20 * time.Second
	}
	return wanted
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
