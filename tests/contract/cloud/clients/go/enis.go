package main

import (
	"fmt"
	"time"

	vpc "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/vpc/v20170312"
)

func (r *Region) eniOrder(secondaries uint64, token string) *vpc.CreateAndAttachNetworkInterfaceRequest {
	request := vpc.NewCreateAndAttachNetworkInterfaceRequest()
	request.VpcId, request.SubnetId, request.InstanceId = &r.access.VpcID, &r.access.SubnetID, &r.access.InstanceID
	request.NetworkInterfaceName = pointer("contract-go")
	request.SecondaryPrivateIpAddressCount = &secondaries
	if token != "" {
		request.ClientToken = &token
	}
	return request
}

// newEni makes an ENI with some addresses besides its own and gives it once its task has ended.
func (r *Region) newEni(secondaries uint64) *vpc.NetworkInterface {
	answer := must(r.vpc.CreateAndAttachNetworkInterface(r.eniOrder(secondaries, ""))).Response
	id := *answer.NetworkInterface.NetworkInterfaceId
	r.eniIDs = append(r.eniIDs, id)
	r.eniTask(answer.RequestId)
	return r.eni(id)
}

func (r *Region) detach(id string) (*vpc.DetachNetworkInterfaceResponse, error) {
	request := vpc.NewDetachNetworkInterfaceRequest()
	request.NetworkInterfaceId, request.InstanceId = &id, &r.access.InstanceID
	return r.vpc.DetachNetworkInterface(request)
}

func (r *Region) delete(id string) (*vpc.DeleteNetworkInterfaceResponse, error) {
	request := vpc.NewDeleteNetworkInterfaceRequest()
	request.NetworkInterfaceId = &id
	return r.vpc.DeleteNetworkInterface(request)
}

// enis is the life of one ENI: created once, attached, given addresses and relieved of them, detached, deleted.
func enis(r *Region) Seen {
	seen := Seen{}
	token := fmt.Sprintf("contract-go-%d", time.Now().UnixNano())
	created := must(r.vpc.CreateAndAttachNetworkInterface(r.eniOrder(1, token))).Response
	id := *created.NetworkInterface.NetworkInterfaceId
	r.eniIDs = append(r.eniIDs, id)
	seen["create_task"] = r.eniTask(created.RequestId)
	repeated := must(r.vpc.CreateAndAttachNetworkInterface(r.eniOrder(1, token))).Response
	seen["repeat_is_the_same"] = *repeated.NetworkInterface.NetworkInterfaceId == id
	eni := r.eni(id)
	seen["attached"] = Seen{
		"state": *eni.State, "primary": *eni.Primary, "to_the_cvm": *eni.Attachment.InstanceId == r.access.InstanceID,
		"addresses": len(eni.PrivateIpAddressSet), "has_mac": *eni.MacAddress != "",
	}

	assign := vpc.NewAssignPrivateIpAddressesRequest()
	assign.NetworkInterfaceId, assign.SecondaryPrivateIpAddressCount = &id, pointer(uint64(2))
	assigned := must(r.vpc.AssignPrivateIpAddresses(assign)).Response
	seen["assigned"] = len(assigned.PrivateIpAddressSet)
	seen["assign_task"] = r.eniTask(assigned.RequestId)

	unassign := vpc.NewUnassignPrivateIpAddressesRequest()
	unassign.NetworkInterfaceId = &id
	unassign.PrivateIpAddresses = []*vpc.PrivateIpAddressSpecification{
		{PrivateIpAddress: assigned.PrivateIpAddressSet[0].PrivateIpAddress},
	}
	seen["unassign_task"] = r.eniTask(must(r.vpc.UnassignPrivateIpAddresses(unassign)).Response.RequestId)
	seen["addresses_left"] = len(r.eni(id).PrivateIpAddressSet)

	seen["delete_of_an_attached_one"] = code(r.delete(id))
	seen["detach_task"] = r.eniTask(must(r.detach(id)).Response.RequestId)
	seen["detached"] = r.eni(id).Attachment == nil
	must(r.delete(id))
	until(r, "the end of "+id, func() (bool, bool) { return true, r.eni(id) == nil })
	seen["delete_of_a_gone_one"] = code(r.delete(id))
	return seen
}

func secondary(eni *vpc.NetworkInterface) []string {
	var ips []string
	for _, address := range eni.PrivateIpAddressSet {
		if !*address.Primary {
			ips = append(ips, *address.PrivateIpAddress)
		}
	}
	return ips
}

func primary(eni *vpc.NetworkInterface) string {
	for _, address := range eni.PrivateIpAddressSet {
		if *address.Primary {
			return *address.PrivateIpAddress
		}
	}
	return ""
}

func eipAt(eni *vpc.NetworkInterface, ip string) string {
	for _, address := range eni.PrivateIpAddressSet {
		if *address.PrivateIpAddress == ip && address.AddressId != nil {
			return *address.AddressId
		}
	}
	return ""
}
