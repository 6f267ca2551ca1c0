package main

import (
	"strconv"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	sdkerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"
	vpc "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/vpc/v20170312"
)

// Region is one region with the SDK's clients, and what was made in it.
type Region struct {
	access Access
	vpc    *vpc.Client
	cvm    *cvm.Client
	eipIDs []string
	eniIDs []string
}

func open(access Access) *Region {
	settings := profile.NewClientProfile()
	settings.HttpProfile.Scheme = access.Protocol
	settings.HttpProfile.Endpoint = access.Host
	settings.Language = "en-US"
	// The SDK's own answer to throttling, which polling at this pace may meet.
	settings.RateLimitExceededMaxRetries = 5
	settings.RateLimitExceededRetryDuration = profile.ConstantDurationFunc(time.Second)
	credential := common.NewCredential(access.SecretID, access.SecretKey)
	return &Region{
		access: access,
		vpc:    must(vpc.NewClient(credential, access.Region, settings)),
		cvm:    must(cvm.NewClient(credential, access.Region, settings)),
	}
}

// must gives an answer that has to come.
func must[T any](answer T, err error) T {
	if err != nil {
		panic(err)
	}
	return answer
}

// code gives the cloud's code of a refusal, empty for a success.
func code[T any](_ T, err error) string {
	if err == nil {
		return ""
	}
	if refused, ok := err.(*sdkerrors.TencentCloudSDKError); ok {
		return refused.Code
	}
	return "not of the SDK: " + err.Error()
}

func (r *Region) address(id string) *vpc.Address {
	request := vpc.NewDescribeAddressesRequest()
	request.AddressIds = []*string{&id}
	found := must(r.vpc.DescribeAddresses(request)).Response.AddressSet
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

func (r *Region) untilStatus(id string, statuses ...string) *vpc.Address {
	return until(r, id+" "+statuses[0], func() (*vpc.Address, bool) {
		address := r.address(id)
		for _, status := range statuses {
			if address != nil && *address.AddressStatus == status {
				return address, true
			}
		}
		return nil, false
	})
}

func (r *Region) untilGone(id string) {
	until(r, "the end of "+id, func() (bool, bool) { return true, r.address(id) == nil })
}

// eipTask gives the result of an EIP write's task, which is text there and a number in the question.
func (r *Region) eipTask(id *string) string {
	number := must(strconv.ParseUint(*id, 10, 64))
	return until(r, "the task "+*id, func() (string, bool) {
		request := vpc.NewDescribeTaskResultRequest()
		request.TaskId = &number
		result := *must(r.vpc.DescribeTaskResult(request)).Response.Result
		return result, result != "RUNNING"
	})
}

// eniTask gives the status of an ENI write's task, which is asked for by the write's RequestId.
func (r *Region) eniTask(requestID *string) string {
	return until(r, "the task "+*requestID, func() (string, bool) {
		request := vpc.NewDescribeVpcTaskResultRequest()
		request.TaskId = requestID
		status := *must(r.vpc.DescribeVpcTaskResult(request)).Response.Status
		return status, status != "RUNNING"
	})
}

func (r *Region) eni(id string) *vpc.NetworkInterface {
	request := vpc.NewDescribeNetworkInterfacesRequest()
	// By filter: an id that does not exist fails the question, a filter finds nothing.
	request.Filters = []*vpc.Filter{filter("network-interface-id", id)}
	found := must(r.vpc.DescribeNetworkInterfaces(request)).Response.NetworkInterfaceSet
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// cleanUp takes back what a scenario has left; refusals of what is gone already do not matter.
func (r *Region) cleanUp() {
	for _, id := range r.eipIDs {
		until(r, "the end of "+id, func() (bool, bool) {
			address := r.address(id)
			if address == nil {
				return true, true
			}
			switch *address.AddressStatus {
			case "BIND", "BIND_ENI":
				request := vpc.NewDisassociateAddressRequest()
				request.AddressId = &id
				_, _ = r.vpc.DisassociateAddress(request)
			case "UNBIND":
				_, _ = r.release(id)
			}
			return false, false
		})
	}
	for _, id := range r.eniIDs {
		until(r, "the end of "+id, func() (bool, bool) {
			eni := r.eni(id)
			if eni == nil {
				return true, true
			}
			if *eni.State == "AVAILABLE" && eni.Attachment != nil {
				_, _ = r.detach(id)
			} else if *eni.State == "AVAILABLE" {
				_, _ = r.delete(id)
			}
			return false, false
		})
	}
}
