"""Everything the product says to Tencent Cloud: the API (vpc, cvm) and the metadata service of the CVM.

`tencent.TencentCloud` is what the rest of the product uses; `polling.EipWatch` waits for EIPs on behalf of
many threads; `metadata.Metadata` tells a node who it is. From here go values of `ipamd.core.model` and
errors of `ipamd.core.errors`; nothing of the SDK gets out.
"""
