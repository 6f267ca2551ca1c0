// What a CNI plugin of AWS asks, answered at once: a daemon that is never what an ADD waits for. Its one argument is the
// path of its socket, which newer plugins ask; older ones ask a port of the node's loopback.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"sync"

	"github.com/aws/amazon-vpc-cni-k8s/rpc"
	"google.golang.org/grpc"
)

// The route table of a secondary network interface, as all Pods of tke-eni have one: with a rule for what they send.
const routeTable = 3

type daemon struct {
	rpc.UnimplementedCNIBackendServer
	mutex     sync.Mutex
	given     uint32
	addresses map[string]string
}

func (d *daemon) AddNetwork(_ context.Context, request *rpc.AddNetworkRequest) (*rpc.AddNetworkReply, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	// Never one that a Pod has had a moment ago: 10.201.0.1 to 10.201.255.254, in turn.
	number := d.given%65534 + 1
	d.given++
	address := fmt.Sprintf("10.201.%d.%d", number>>8, number&255)
	d.addresses[request.ContainerID] = address
	return &rpc.AddNetworkReply{Success: true, IPAllocationMetadata: allocation(address)}, nil
}

func (d *daemon) DelNetwork(_ context.Context, request *rpc.DelNetworkRequest) (*rpc.DelNetworkReply, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	address, known := d.addresses[request.ContainerID]
	if !known {
		return &rpc.DelNetworkReply{Success: true}, nil
	}
	delete(d.addresses, request.ContainerID)
	return &rpc.DelNetworkReply{Success: true, IPAllocationMetadata: allocation(address)}, nil
}

func allocation(address string) []*rpc.IPAllocationMetadata {
	return []*rpc.IPAllocationMetadata{{IPv4Addr: address, DeviceNumber: 1, RouteTableId: routeTable}}
}

func main() {
	port, err := net.Listen("tcp", "127.0.0.1:50051")
	if err != nil {
		log.Fatal(err)
	}
	socket, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	rpc.RegisterCNIBackendServer(server, &daemon{addresses: map[string]string{}})
	go func() { log.Fatal(server.Serve(port)) }()
	log.Fatal(server.Serve(socket))
}
