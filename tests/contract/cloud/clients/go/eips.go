package main

import (
	"fmt"
	"time"

	vpc "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/vpc/v20170312"
)

func (r *Region) order(token string, bandwidth int64, tags ...*vpc.Tag) (*vpc.AllocateAddressesResponse, error) {
	request := vpc.NewAllocateAddressesRequest()
	request.AddressCount = pointer(int64(1))
	request.InternetMaxBandwidthOut = &bandwidth
	request.InternetChargeType = pointer("TRAFFIC_POSTPAID_BY_HOUR")
	request.AddressName = pointer("contract-go")
	request.ClientToken = &token
	request.Tags = tags
	answer, err := r.vpc.AllocateAddresses(request)
	if err == nil {
		for _, id := range answer.Response.AddressSet {
			r.eipIDs = append(r.eipIDs, *id)
		}
	}
	return answer, err
}

func (r *Region) release(id string) (*vpc.ReleaseAddressesResponse, error) {
	request := vpc.NewReleaseAddressesRequest()
	request.AddressIds = []*string{&id}
	return r.vpc.ReleaseAddresses(request)
}

func (r *Region) bind(id, eni, ip string) (*vpc.AssociateAddressResponse, error) {
	request := vpc.NewAssociateAddressRequest()
	request.AddressId, request.NetworkInterfaceId, request.PrivateIpAddress = &id, &eni, &ip
	return r.vpc.AssociateAddress(request)
}

func (r *Region) unbind(id string) (*vpc.DisassociateAddressResponse, error) {
	request := vpc.NewDisassociateAddressRequest()
	request.AddressId = &id
	return r.vpc.DisassociateAddress(request)
}

// eips is the life of one EIP: ordered once, found by its tags, bound, in the way of its release, unbound, released.
func eips(r *Region) Seen {
	seen := Seen{}
	token := fmt.Sprintf("contract-go-%d", time.Now().UnixNano())
	tags := []*vpc.Tag{tag("tke-clusterId", "cls-contract-go"), tag("tke-eipclaim-uid", token)}

	ordered := must(r.order(token, 7, tags...)).Response
	id := *ordered.AddressSet[0]
	seen["ordered"] = len(ordered.AddressSet)
	seen["order_task"] = r.eipTask(ordered.TaskId)
	seen["repeat_is_the_same"] = *must(r.order(token, 7, tags...)).Response.AddressSet[0] == id
	seen["other_order_same_token"] = code(r.order(token, 8, tags...))
	free := r.untilStatus(id, "UNBIND")
	seen["free"] = Seen{
		"bandwidth": *free.Bandwidth, "isp": *free.InternetServiceProvider, "type": *free.AddressType,
		"has_ip": *free.AddressIp != "", "name": *free.AddressName,
	}
	seen["found_by_tags"] = r.foundBy(filter("tag:tke-eipclaim-uid", token), filter("tag:tke-clusterId", "cls-contract-go"))

	eni := r.newEni(1)
	ip := secondary(eni)[0]
	seen["bind_task"] = r.eipTask(must(r.bind(id, *eni.NetworkInterfaceId, ip)).Response.TaskId)
	bound := r.untilStatus(id, "BIND", "BIND_ENI")
	seen["bound"] = Seen{
		"at_the_address": *bound.NetworkInterfaceId == *eni.NetworkInterfaceId && *bound.PrivateAddressIp == ip,
		"of_the_cvm":     *bound.InstanceId == r.access.InstanceID,
	}
	seen["found_by_eni"] = r.foundBy(filter("network-interface-id", *eni.NetworkInterfaceId))
	seen["eni_names_the_eip"] = eipAt(r.eni(*eni.NetworkInterfaceId), ip) == id
	seen["release_of_a_bound_one"] = code(r.release(id))
	seen["bind_of_a_bound_one"] = code(r.bind(id, *eni.NetworkInterfaceId, primary(eni)))

	seen["unbind_task"] = r.eipTask(must(r.unbind(id)).Response.TaskId)
	r.untilStatus(id, "UNBIND")
	seen["unbind_of_a_free_one"] = code(r.unbind(id))
	must(r.release(id))
	r.untilGone(id)
	seen["release_of_a_gone_one"] = code(r.release(id))
	return seen
}

func (r *Region) foundBy(filters ...*vpc.Filter) int {
	request := vpc.NewDescribeAddressesRequest()
	request.Filters = filters
	return len(must(r.vpc.DescribeAddresses(request)).Response.AddressSet)
}

func filter(name string, values ...string) *vpc.Filter {
	made := &vpc.Filter{Name: &name}
	for _, value := range values {
		made.Values = append(made.Values, &value)
	}
	return made
}

func tag(key, value string) *vpc.Tag { return &vpc.Tag{Key: &key, Value: &value} }

func pointer[T any](value T) *T { return &value }
