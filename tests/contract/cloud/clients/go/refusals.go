package main

import (
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"
	vpc "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/vpc/v20170312"
)

// refusals is what the cloud says to wrong requests and callers; nothing is made.
func refusals(r *Region) Seen {
	seen := Seen{}
	seen["bandwidth_101"] = code(r.order("contract-go-refused", 101))
	seen["bind_of_an_unknown_eip"] = code(r.bind("eip-00000000", "eni-00000000", "10.0.0.9"))
	seen["release_of_an_unknown_eip"] = code(r.release("eip-00000000"))
	seen["release_of_a_malformed_id"] = code(r.release("not an id"))

	page := vpc.NewDescribeAddressesRequest()
	page.Limit = pointer(int64(101))
	seen["page_of_101"] = code(r.vpc.DescribeAddresses(page))

	instances := cvm.NewDescribeInstancesRequest()
	instances.InstanceIds = []*string{&r.access.InstanceID}
	seen["instances"] = len(must(r.cvm.DescribeInstances(instances)).Response.InstanceSet)
	instances.InstanceIds = []*string{pointer("not an id")}
	seen["malformed_instance"] = code(r.cvm.DescribeInstances(instances))

	wrongKey := r.access
	wrongKey.SecretKey = "wrong"
	seen["wrong_key"] = code(open(wrongKey).vpc.DescribeSubnets(vpc.NewDescribeSubnetsRequest()))
	stranger := r.access
	stranger.SecretID = "AKIDnobody"
	seen["unknown_id"] = code(open(stranger).vpc.DescribeSubnets(vpc.NewDescribeSubnetsRequest()))
	elsewhere := r.access
	elsewhere.Region = "ap-nowhere"
	seen["unknown_region"] = code(open(elsewhere).vpc.DescribeSubnets(vpc.NewDescribeSubnetsRequest()))
	return seen
}
